/* What the modem answers: identity, modes, every code of %CMNG, families, digests. */
#include "unit/test_sim_host.h"

struct dialogue {
    const char *send;
    const char *answer;
};

static void run_dialogue(struct host *h, const struct dialogue *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expect(h, rows[i].send, rows[i].answer);
}

#define RUN(h, rows) run_dialogue((h), (rows), sizeof(rows) / sizeof(rows)[0])

static void test_identity(void **state)
{
    (void)state;
    static const struct dialogue rows[] = {
        {"AT\r", "OK\r\n"},
        {"at\r", "OK\r\n"},
        {" \r", ""},
        {"\nAT\r", "OK\r\n"},
        {"AT+CGMI\r", "Nordic Semiconductor ASA\r\nOK\r\n"},
        {"at+cgmm\r", "nRF9151-LACA\r\nOK\r\n"},
        {"AT+CGMR\r", "mfw_nrf91x1_2.0.2\r\nOK\r\n"},
        {"AT+CGSN\r", "351465800000002\r\nOK\r\n"},
        {"AT+CGSN=0\r", "351465800000002\r\nOK\r\n"},
        {"AT+CGSN=1\r", "+CGSN: \"351465800000002\"\r\nOK\r\n"},
        {"AT+CGSN=2\r", "+CGSN: \"3514658000000000\"\r\nOK\r\n"},
        {"AT+CGSN=3\r", "+CGSN: \"00\"\r\nOK\r\n"},
        {"AT+CGSN=4\r", "ERROR\r\n"},
        {"AT+CGSN=?\r", "+CGSN: (0-3)\r\nOK\r\n"},
        {"AT%SHORTSWVER\r", "%SHORTSWVER: nrf91x1_2.0.2\r\nOK\r\n"},
        {"AT%HWVERSION\r", "%HWVERSION: nRF9151 LACA A0A\r\nOK\r\n"},
        {"AT%XVBAT\r", "%XVBAT: 3600\r\nOK\r\n"},
        {"AT%XICCID\r", "ERROR\r\n"},
        {"AT+CIMI\r", "ERROR\r\n"},
        {"ATI\r", "ERROR\r\n"},
        {"ATE1\r", "ERROR\r\n"},
        {"hello\r", "ERROR\r\n"},
        {"AT+NOSUCH=1\r", "ERROR\r\n"},
        {"AT%CMNG\r", "ERROR\r\n"},
        {"AT%CMNG?\r", "ERROR\r\n"},
        {"AT%CMNG=?\r", "ERROR\r\n"},
    };
    struct host *h = host_new_family(SIM_F2B);
    RUN(h, rows);

    char uuid[128];
    snprintf(uuid, sizeof uuid, "%%DEVICEUUID: %s\r\nOK\r\n", simboard_info(h->b).config->uuid);
    expect(h, "AT%DEVICEUUID\r", uuid);
    assert_int_equal(strlen(simboard_info(h->b).config->uuid), 36);
    host_free(h);
}

static void test_no_imei(void **state)
{
    (void)state;
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.imei[0] = '\0';
    struct host *h = host_new(&c);
    expect(h, "AT+CGSN\r", "ERROR\r\n");
    host_free(h);
}

static void test_error_format(void **state)
{
    (void)state;
    static const struct dialogue rows[] = {
        {"AT+CMEE?\r", "+CMEE: 0\r\nOK\r\n"},
        {"AT%CMNG=2,4567,0\r", "ERROR\r\n"},
        {"AT+CMEE=1\r", "OK\r\n"},
        {"AT+CMEE?\r", "+CMEE: 1\r\nOK\r\n"},
        {"AT+CMEE=?\r", "+CMEE:(0,1)\r\nOK\r\n"},
        {"AT%CMNG=2,4567,0\r", "+CME ERROR: 513\r\n"},
        {"AT+CMEE=2\r", "ERROR\r\n"},
        {"AT%CMNG=3,4567,0\r", "+CME ERROR: 513\r\n"},
        {"AT+CMEE=0\r", "OK\r\n"},
        {"AT%CMNG=3,4567,0\r", "ERROR\r\n"},
    };
    struct host *h = host_new_family(SIM_F2B);
    RUN(h, rows);
    expect(h, "AT+CMEE=1\r", "OK\r\n");
    simboard_reboot(h->b, h->now_us);
    host_settle(h);
    expect(h, "AT+CMEE?\r", "+CMEE: 0\r\nOK\r\n");
    host_free(h);
}

/* Whether a store may be changed, by the last +CFUN; LTE once active stays so through GNSS and UICC modes. */
static void test_cfun(void **state)
{
    (void)state;
    static const struct {
        const char *modes;
        const char *shown;
        const char *answer;
    } rows[] = {
        {"", "0", "OK\r\n"},      {"4", "4", "OK\r\n"},   {"1", "1", "518"},        {"2", "2", "518"},
        {"21", "21", "518"},      {"1 4", "4", "OK\r\n"}, {"1 0", "0", "OK\r\n"},   {"1 20", "20", "OK\r\n"},
        {"1 44", "44", "OK\r\n"}, {"1 30", "30", "518"},  {"1 31", "31", "518"},    {"1 40", "40", "518"},
        {"31", "31", "OK\r\n"},   {"41", "41", "OK\r\n"}, {"4 31", "31", "OK\r\n"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = host_new_family(SIM_F2B);
        char modes[32], command[32], answer[64], *rest = NULL;
        snprintf(modes, sizeof modes, "%s", rows[i].modes);
        expect(h, "AT+CMEE=1\r", "OK\r\n");
        for (char *mode = strtok_r(modes, " ", &rest); mode; mode = strtok_r(NULL, " ", &rest)) {
            snprintf(command, sizeof command, "AT+CFUN=%s\r", mode);
            expect(h, command, "OK\r\n");
        }
        snprintf(answer, sizeof answer, "+CFUN: %s\r\nOK\r\n", rows[i].shown);
        expect(h, "AT+CFUN?\r", answer);
        bool is_ok = strcmp(rows[i].answer, "OK\r\n") == 0;
        expect(h, "AT%CMNG=0,1,4,\"x\"\r", is_ok ? "OK\r\n" : "+CME ERROR: 518\r\n");
        expect(h, "AT%CMNG=3,1,4\r", is_ok ? "OK\r\n" : "+CME ERROR: 518\r\n");
        assert_non_null(strstr(host_ask(h, "AT%CMNG=1\r"), "OK\r\n"));
        host_free(h);
    }
    struct host *h = host_new_family(SIM_F1);
    expect(h, "AT+CFUN=2\r", "ERROR\r\n");
    expect(h, "AT+CFUN=5\r", "ERROR\r\n");
    expect(h, "AT+CFUN=?\r", "+CFUN: (0,1,4,20,21,30,31,40,41,44)\r\nOK\r\n");
    host_free(h);
}

/* Parameters, on an empty store; CMEE=1. */
static void test_cmng_parameters(void **state)
{
    (void)state;
    static const struct dialogue rows[] = {
        {"AT+CMEE=1\r", "OK\r\n"},
        {"AT%CMNG=1,5\r", "OK\r\n"},
        {"AT%CMNG=0,5,4,\"id\"\r", "OK\r\n"},
        {"AT%CMNG=0, 6, 4, \"id\"\r", "OK\r\n"},
        {"at%cmng=1,5,4\r",
         "%CMNG: 5,4,\"A56145270CE6B3BEBD1DD012B73948677DD618D496488BC608A3CB43CE3547DD\"\r\nOK\r\n"},
        {"AT%CMNG=1,5,0\r", "OK\r\n"},
        {"AT%CMNG=2,6,4\r",
         "%CMNG: 6,4,\"A56145270CE6B3BEBD1DD012B73948677DD618D496488BC608A3CB43CE3547DD\",\r\n"
         "\"id\"\r\nOK\r\n"},
        {"AT%CMNG=0,2147483647,4,\"id\"\r", "OK\r\n"},
        {"AT%CMNG=0,2147483648,4,\"id\"\r", "ERROR\r\n"},
        {"AT%CMNG=0,99999999999999999999,4,\"id\"\r", "ERROR\r\n"},
        {"AT%CMNG=0,5,12,\"id\"\r", "ERROR\r\n"},
        {"AT%CMNG=4,5,4\r", "ERROR\r\n"},
        {"AT%CMNG=0,5,4\r", "ERROR\r\n"},
        {"AT%CMNG=0,5,4,\"\"\r", "ERROR\r\n"},
        {"AT%CMNG=0,5,4,id\r", "ERROR\r\n"},
        {"AT%CMNG=0,5,4,\"id\"x\r", "ERROR\r\n"},
        {"AT%CMNG=0,5,4,\"id\",\"pass\"\r", "OK\r\n"},
        {"AT%CMNG=0,5,\r", "ERROR\r\n"},
        {"AT%CMNG=2,5\r", "ERROR\r\n"},
        {"AT%CMNG=3\r", "ERROR\r\n"},
        {"AT%CMNG=1,\r", "ERROR\r\n"},
        {"AT%CMNG=\r", "ERROR\r\n"},
        {"AT%CMNG=-1,5,4\r", "ERROR\r\n"},
    };
    struct host *h = host_new_family(SIM_F2B);
    RUN(h, rows);
    host_free(h);

    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.bad_parameter = 50;
    h = host_new(&c);
    expect(h, "AT+CMEE=1\r", "OK\r\n");
    expect(h, "AT%CMNG=0,5,4,\"\"\r", "+CME ERROR: 50\r\n");
    host_free(h);
}

/* May a type be written, read back, deleted? 0: OK, else the code; on 1.3.x and later. */
static void test_cmng_types(void **state)
{
    (void)state;
    static const struct {
        unsigned type;
        int write, read, erase;
        bool is_listed;
    } rows[] = {
        {0, 0, 0, 0, true},        {1, 0, 514, 0, true},       {2, 0, 514, 0, true},
        {3, 0, 514, 0, true},      {4, 0, 0, 0, true},         {5, 0, 0, 0, false},
        {6, 514, 514, 514, false}, {7, 514, 514, 514, false},  {8, 514, 513, 514, false},
        {9, 0, 0, 514, true},      {10, 514, 514, 514, false}, {11, 514, 514, 514, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = host_new_family(SIM_F1_3B); /* stores type 0 and 1 unchecked */
        char command[64], answer[64];
        const struct {
            const char *format;
            int code;
        } steps[] = {{"AT%%CMNG=0,7,%u,\"some text\"\r", rows[i].write},
                     {"AT%%CMNG=2,7,%u\r", rows[i].read},
                     {"AT%%CMNG=3,7,%u\r", rows[i].erase}};
        expect(h, "AT+CMEE=1\r", "OK\r\n");
        for (size_t step = 0; step < 3; step++) {
            snprintf(command, sizeof command, steps[step].format, rows[i].type);
            if (steps[step].code)
                snprintf(answer, sizeof answer, "+CME ERROR: %d\r\n", steps[step].code);
            const char *got = host_ask(h, command);
            if (steps[step].code)
                assert_string_equal(got, answer);
            else
                assert_string_equal(got + strlen(got) - 4, "OK\r\n");
            if (step == 0)
                assert_int_equal(strncmp(host_ask(h, "AT%CMNG=1,7\r"), "%CMNG: 7,", 9) == 0,
                                 rows[i].is_listed);
        }
        host_free(h);
    }
}

static void test_replaced_and_refused(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F2B);
    struct simboard_entry e;

    expect(h, "AT+CMEE=1\r", "OK\r\n");
    expect(h, "AT%CMNG=0,7,4,\"one\"\r", "OK\r\n");
    expect(h, "AT%CMNG=0,7,4,\"three\"\r", "OK\r\n");
    assert_true(simboard_entry_find(h->b, 7, 4, &e));
    assert_memory_equal(e.content, "three", 5);
    assert_int_equal(e.len, 5);
    assert_int_equal(simboard_nvm_writes(h->b, 7, 4), 2);
    expect(h, "AT%CMNG=0,7,9,\"owner\"\r", "OK\r\n");
    expect(h, "AT%CMNG=0,7,9,\"other\"\r", "+CME ERROR: 519\r\n");
    expect(h, "AT%CMNG=3,7,4\r", "OK\r\n");
    expect(h, "AT%CMNG=3,7,4\r", "+CME ERROR: 513\r\n");
    assert_int_equal(simboard_wear_at(h->b, 0).deletes, 1);
    assert_false(simboard_entry_find(h->b, 7, 4, &e));
    host_free(h);
}

/* Contents keep their places in the store when others come and go. */
static void test_contents_apart(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F2B);
    struct simboard_entry e;

    host_store(h, 1, 4, "first");
    host_store(h, 2, 4, "second one");
    host_store(h, 3, 4, "third");
    host_store(h, 1, 4, "longer than the first");
    expect(h, "AT%CMNG=3,2,4\r", "OK\r\n");
    host_store(h, 2, 4, "new");
    static const char *const wanted[] = {"longer than the first", "new", "third"};
    for (unsigned tag = 1; tag <= 3; tag++) {
        assert_true(simboard_entry_find(h->b, tag, 4, &e));
        assert_int_equal(e.len, strlen(wanted[tag - 1]));
        assert_memory_equal(e.content, wanted[tag - 1], e.len);
    }
    host_free(h);
}

/* 515 when the store is full, by entries and by octets; a replacement that is no longer still fits. */
static void test_memory_full(void **state)
{
    (void)state;
    struct simboard_config c = SIMBOARD_CONFIG_DEFAULT;
    c.store_size = 10;
    struct host *h = host_new(&c);
    expect(h, "AT+CMEE=1\r", "OK\r\n");
    expect(h, "AT%CMNG=0,1,4,\"123456\"\r", "OK\r\n");
    expect(h, "AT%CMNG=0,2,4,\"12345\"\r", "+CME ERROR: 515\r\n");
    expect(h, "AT%CMNG=0,2,4,\"1234\"\r", "OK\r\n");
    expect(h, "AT%CMNG=0,1,4,\"abcdef\"\r", "OK\r\n");
    host_free(h);

    h = host_new_family(SIM_F2B);
    for (unsigned i = 0; i < SIM_ENTRY_MAX; i++)
        assert_string_equal(host_store(h, 100 + i, 4, "x"), "OK\r\n");
    assert_string_equal(host_store(h, 99, 4, "x"), "ERROR\r\n");
    host_free(h);
}

/* An answer that does not fit into the AT host's buffer comes without an end. */
static void test_long_list(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F1);

    for (unsigned i = 0; i < 47; i++)
        assert_string_equal(host_store(h, 10000000 + i, 4, "x"), "OK\r\n");
    host_ask(h, "AT%CMNG=1\r");
    assert_int_equal(h->len, 47 * 86 + 4);
    assert_string_equal(h->answer + 47 * 86, "OK\r\n");
    assert_string_equal(host_store(h, 10000047, 4, "x"), "OK\r\n");
    host_ask(h, "AT%CMNG=1\r");
    assert_int_equal(h->len, SIM_LINE_MAX);
    assert_null(strstr(h->answer, "OK\r\n"));
    expect(h, "AT\r", "OK\r\n");
    host_free(h);
}

/* Digests of certificates that everybody can compute, as real modems showed them. */
static void test_digests(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        bool crlf, final;
        size_t size;
        const char *digest;
    } rows[] = {
        {AMAZON_CA, false, false, 1187, "AD6FB002E6B34C0559FA8F93A3794FF12C4E3F119BD77290C52525123FB9EA74"},
        {AMAZON_CA, false, true, 1188, "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1"},
        {AMAZON_CA, true, false, 1206, "A86D8BF8D75130765A6453960E0E4E5158E0F3E43F86699EFE36190C463A25CF"},
        {AMAZON_CA, true, true, 1208, "56AE01E6773BDAEC4BFB216D4005ADB06E4F680BD8BFB8BE4C683CE921681897"},
        {ISRG_CA, true, true, 1970, "4C99356C265EE06C0AE0502E74D38231263513726D001CFE28EA25E70AF2CC7F"},
        {ISRG_CA, false, true, 1939, "22B557A27055B33606B6559F37703928D3E4AD79F110B407D04986E1843543D1"},
        {ISRG_CA, false, false, 1938, "BD6681410FB05ECD2B414AFA3B02E285132CD289F9CAD10E5C850FC9888E576E"},
        {ISRG_CA, true, false, 1968, "952D666AC5AF81F2D28209BB56643E1F7ED432B83626AC1904E2AD4861B4A6A6"},
    };
    struct host *h = host_new_family(SIM_F2B);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *pem = read_ca(rows[i].file, rows[i].crlf, rows[i].final), answer[128];
        assert_int_equal(strlen(pem), rows[i].size);
        assert_string_equal(host_store(h, 16842753, 0, pem), "OK\r\n");
        snprintf(answer, sizeof answer, "%%CMNG: 16842753,0,\"%s\"\r\nOK\r\n", rows[i].digest);
        expect(h, "AT%CMNG=1,16842753,0\r", answer);
        host_ask(h, "AT%CMNG=2,16842753,0\r");
        assert_memory_equal(strstr(h->answer, ",\r\n\"") + 4, pem, strlen(pem));
        free(pem);
    }
    host_free(h);
}

static void test_families(void **state)
{
    (void)state;
    static const struct {
        enum sim_family family;
        bool is_real, is_checked, has_warning, has_reserved, has_uuid;
        const char *firmware;
    } rows[] = {
        {SIM_F0, false, false, false, false, false, "mfw_nrf9160_0.7.0-29.alpha"},
        {SIM_F1, false, false, false, false, false, "mfw_nrf9160_1.2.3"},
        {SIM_F1_3A, false, false, false, true, false, "mfw_nrf9160_1.3.0"},
        {SIM_F1_3B, true, false, true, true, false, "mfw_nrf9160_1.3.5"},
        {SIM_F2A, true, false, true, true, true, "mfw_nrf91x1_2.0.0"},
        {SIM_F2B, true, true, true, true, true, "mfw_nrf91x1_2.0.2"},
        {SIM_FN, true, true, true, true, true, "mfw_nrf9151-ntn_1.0.0-1.alpha"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host *h = host_new_family(rows[i].family);
        char answer[160];
        snprintf(answer, sizeof answer, "%s\r\nOK\r\n", rows[i].firmware);
        expect(h, "AT+CGMR\r", answer);
        expect(h, "AT+CMEE=1\r", "OK\r\n");
        assert_int_equal(strncmp(host_ask(h, "AT%DEVICEUUID\r"), "%DEVICEUUID: ", 13) == 0, rows[i].has_uuid);

        expect(h, "AT%CMNG=0,3,0,\"HONKHONK\"\r", rows[i].is_checked ? "+CME ERROR: 527\r\n" : "OK\r\n");
        expect(h, "AT%CMNG=0,3,1,\"HONKHONK\"\r", rows[i].is_checked ? "+CME ERROR: 527\r\n" : "OK\r\n");
        expect(h, "AT%CMNG=0,3,2,\"HONKHONK\"\r", "OK\r\n");
        expect(
            h, "AT%CMNG=1,3,2\r",
            rows[i].is_real
                ? "%CMNG: 3,2,\"6AEE30EC87D762D5EF420BB5C1404738F2312F4904FB2AC157019A959E34371C\"\r\nOK\r\n"
                : "%CMNG: "
                  "3,2,\"0202020202020202020202020202020202020202020202020202020202020202\"\r\nOK\r\n");

        assert_int_equal(strstr(host_ask(h, "AT%CMNG=1\r"), "%CMNG: 4294967293,10,\"") != NULL,
                         rows[i].has_reserved);
        assert_int_equal(strstr(h->answer, "4294967293,10,\"2C43952EE9E000FF") != NULL,
                         rows[i].has_reserved && rows[i].is_real);
        assert_int_equal(strstr(h->answer, "%CMNG: 4294967292,11,\"2027C469") != NULL,
                         rows[i].has_reserved && rows[i].is_real);
        assert_int_equal(strstr(h->answer, "%CMNG: 4294967294,6,\"") != NULL, rows[i].has_reserved);

        assert_int_equal(simboard_add_fault(h->b, "supply_low", NULL, 0), 0);
        expect(h, "AT%CMNG=0,4,4,\"x\"\r", rows[i].has_warning ? "+CME ERROR: 528\r\n" : "OK\r\n");
        host_free(h);
    }
}

/* The warning outlives the low supply until it is armed again. */
static void test_power_warning(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F2B);

    expect(h, "AT+CMEE=1\r", "OK\r\n");
    simboard_add_fault(h->b, "supply_low", NULL, 0);
    expect(h, "AT%XVBAT\r", "%XVBAT: 2900\r\nOK\r\n");
    expect(h, "AT%CMNG=3,4,4\r", "+CME ERROR: 528\r\n");
    expect(h, "AT%XPOFWARN=1,30\r", "OK\r\n");
    expect(h, "AT%CMNG=3,4,4\r", "+CME ERROR: 528\r\n");
    simboard_clear_faults(h->b);
    expect(h, "AT%XVBAT\r", "%XVBAT: 3600\r\nOK\r\n");
    expect(h, "AT%CMNG=3,4,4\r", "+CME ERROR: 528\r\n");
    expect(h, "AT%XPOFWARN=1,29\r", "ERROR\r\n");
    expect(h, "AT%XPOFWARN=1,30\r", "OK\r\n");
    expect(h, "AT%CMNG=3,4,4\r", "+CME ERROR: 513\r\n");

    /* A reset arms it as well. */
    simboard_add_fault(h->b, "supply_low", NULL, 0);
    simboard_clear_faults(h->b);
    expect(h, "AT%CMNG=3,4,4\r", "+CME ERROR: 528\r\n");
    simboard_reboot(h->b, h->now_us);
    host_settle(h);
    expect(h, "AT%CMNG=0,4,4,\"x\"\r", "OK\r\n");
    host_free(h);
}

static void test_public_key(void **state)
{
    (void)state;
    static const struct dialogue rows[] = {
        {"AT+CMEE=1\r", "OK\r\n"},
        {"AT%XPMNG=2\r", "+CME ERROR: 513\r\n"},
        {"AT%XPMNG=1\r", "ERROR\r\n"},
        {"AT%XPMNG=0,\"a key\",3\r", "OK\r\n"},
        {"AT%XPMNG=0,\"a key\"\r", "+CME ERROR: 519\r\n"},
        {"AT%XPMNG=2\r", "%XPMNG: \"a key\"\r\nOK\r\n"},
        {"AT%CMNG=3,3,5\r", "OK\r\n"},
        {"AT%XPMNG=0,\"a key\"\r", "OK\r\n"},
    };
    struct host *h = host_new_family(SIM_F0);
    RUN(h, rows);
    host_free(h);
}

/* What a validating modem refuses and takes. */
static void test_validation(void **state)
{
    (void)state;
    char *lf = read_ca(AMAZON_CA, false, true), *crlf = read_ca(AMAZON_CA, true, true),
         *bare = read_ca(AMAZON_CA, false, false);
    char text[8192], *at;
    struct host *h = host_new_family(SIM_F2B);
    const char *refused = "+CME ERROR: 527\r\n";

    expect(h, "AT+CMEE=1\r", "OK\r\n");
    assert_string_equal(host_store(h, 1, 0, lf), "OK\r\n");
    assert_string_equal(host_store(h, 1, 1, crlf), "OK\r\n");
    assert_string_equal(host_store(h, 1, 0, bare), "OK\r\n");
    snprintf(text, sizeof text, "\n%s", lf);
    assert_string_equal(host_store(h, 1, 0, text), "OK\r\n");
    snprintf(text, sizeof text, "%s%s", lf, crlf);
    assert_string_equal(host_store(h, 1, 0, text), "OK\r\n");

    snprintf(text, sizeof text, " %s", lf);
    assert_string_equal(host_store(h, 1, 0, text), refused);
    snprintf(text, sizeof text, "%s", lf);
    for (at = text; (at = strchr(at, '\n'));)
        *at = ' ';
    assert_string_equal(host_store(h, 1, 0, text), refused);
    snprintf(text, sizeof text, "%s%s", lf, "trailing words");
    assert_string_equal(host_store(h, 1, 0, text), refused);
    snprintf(text, sizeof text, "%s", lf);
    text[600] = text[600] == 'A' ? '*' : '!';
    assert_string_equal(host_store(h, 1, 0, text), refused);
    snprintf(text, sizeof text, "%s", lf);
    at = strchr(text + 300, '\n');
    memmove(at, at + 65, strlen(at + 65) + 1);
    assert_string_equal(host_store(h, 1, 0, text), refused);
    snprintf(text, sizeof text, "-----BEGIN CERTIFICATE-----%s", strchr(lf, '\n') + 1);
    assert_string_equal(host_store(h, 1, 0, text), refused);
    snprintf(text, sizeof text, "%.900s", lf);
    assert_string_equal(host_store(h, 1, 1, text), refused);
    assert_string_equal(host_store(h, 1, 2, text), "OK\r\n");
    free(lf), free(crlf), free(bare);
    host_free(h);
}

/* Contents never stand in the log of commands. */
static void test_log(void **state)
{
    (void)state;
    struct host *h = host_new_family(SIM_F2B);

    host_ask(h, "AT\r");
    host_ask(h, "AT%CMNG=0,16842753,2,\"secret\"\r");
    host_ask(h, "AT%CMNG=1,16842753\r");
    host_ask(h, "secret half of a line\r");
    assert_int_equal(simboard_executed_count(h->b), 4);
    assert_string_equal(simboard_executed_at(h->b, 0), "AT");
    assert_string_equal(simboard_executed_at(h->b, 1), "AT%CMNG=0,16842753,2,…");
    assert_string_equal(simboard_executed_at(h->b, 2), "AT%CMNG=1,16842753");
    assert_string_equal(simboard_executed_at(h->b, 3), "secret…");
    for (unsigned i = 0; i < SIM_LOG_MAX; i++)
        host_ask(h, "AT+CGMM\r");
    assert_int_equal(simboard_executed_count(h->b), SIM_LOG_MAX);
    assert_string_equal(simboard_executed_at(h->b, 0), "AT+CGMM");
    assert_int_equal(simboard_executed_total(h->b), SIM_LOG_MAX + 4);
    host_free(h);
}

static void test_imei(void **state)
{
    (void)state;
    char imei[16];
    sim_imei_make("35146580000000", 0, imei);
    assert_string_equal(imei, "351465800000002");
    sim_imei_make("35146580000000", 1, imei);
    assert_string_equal(imei, "351465800000010");
    sim_imei_make("49015420323751", 0, imei);
    assert_string_equal(imei, "490154203237518");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_no_imei),
        cmocka_unit_test(test_error_format),
        cmocka_unit_test(test_cfun),
        cmocka_unit_test(test_cmng_parameters),
        cmocka_unit_test(test_cmng_types),
        cmocka_unit_test(test_replaced_and_refused),
        cmocka_unit_test(test_memory_full),
        cmocka_unit_test(test_contents_apart),
        cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_power_warning),
        cmocka_unit_test(test_public_key),
        cmocka_unit_test(test_validation),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_imei),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
