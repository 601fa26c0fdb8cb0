/*
 * Options are rows: numbers go to a member within a range, words to a pointer. Lists by board
 * ("F2b,3=F1,5-8=F2a") are checked when the command line is read and looked up again for each board.
 */
#include "sim/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off: a line here is a line there */
static const char help[] =
    "usage: certline-sim --dir DIR --boards N [options]\n"
    "\n"
    "Simulates N boards with an nRF91 modem behind the firmware that boards have in front of it. Each is a\n"
    "pseudo-terminal, DIR/slot001 and so on, that any terminal program can open: 'minicom -D DIR/slot001', "
    "or in a shell\n"
    "  exec 3<>DIR/slot001; printf 'AT+CGSN\\r' >&3; read -r imei <&3\n"
    "\n"
    "  --dir DIR            where the links to the pseudo-terminals are made; created if missing\n"
    "  --boards N           how many, 1 to 999\n"
    "  --family LIST        F0, F1, F1.3a, F1.3b, F2a, F2b (default) or FN, the modem firmware family\n"
    "  --front-end LIST     at_host (default, CR ends a command), at_host:lf, at_host:crlf, at_host:nul: "
    "Nordic's AT host\n"
    "                       serial_modem (CR), serial_modem:lf, serial_modem:crlf: the Serial Modem "
    "application\n"
    "                       slm (CR LF), slm:cr, slm:lf: Serial LTE Modem; slm:native_tls: with AT#XCMNG\n"
    "                       certline: this project's own firmware, with AT#CRED, AT#IDENT and AT#BLINK\n"
    "                       shell: a Zephyr shell, commands as in  at 'AT%CMNG=0,1,4,\"two\\nlines\"'\n"
    "                       LIST: one name for all, or by board: F2b,3=F1,5-8=F2a\n"
    "  --baud N             300 to 4000000, default 115200: both directions are paced to it\n"
    "  --flow rtscts|none   default rtscts; none loses what comes while a command runs\n"
    "  --nvm-ms N           duration of a credential write or delete, default 30\n"
    "  --keygen-ms N        duration of a key generation, default 400\n"
    "  --cfun-ms N          duration of AT+CFUN, default 20\n"
    "  --boot-ms N          from power to the banner, default 0\n"
    "  --line-max N         characters of a command that the front end keeps, default its own (at_host 4095, "
    "with F0\n"
    "                       1792; serial_modem 8189; slm 4096; shell 4095; certline 8192)\n"
    "  --store-size N       octets of credentials before 515, default 32768; nobody knows the real limit\n"
    "  --self-powered       unplugging does not take the boards' power\n"
    "  --quirk NAME,…       what real boards do differently or nobody knows, see below; may be given many "
    "times\n"
    "  --imei0 DIGITS       first 14 digits of board 1's IMEI, default 35146580000000; the others count up\n"
    "  --seed S             of everything random, default 1; keys made by AT%KEYGEN come out of it too and "
    "protect nothing\n"
    "  --state FILE         what the boards hold in the end, as JSON; written at SIGTERM and at 'state'\n"
    "  --control SOCKET     a Unix socket that takes commands, see below\n"
    "  --fault SPEC         may be given many times\n"
    "\n"
    "A fault is kind[:value][@moment][/board], board being a number or a range, all boards without it:\n"
    "  drop:0.005 garble:P dup:P   octets from the host lost, changed, doubled with this probability\n"
    "  delay:US                    every octet takes so many microseconds longer, both ways\n"
    "  cut:N                       nothing beyond N octets of a line arrives, as through an old bridge\n"
    "  fifo:N                      RTS/CTS is not wired, N octets are kept while the board is busy\n"
    "  drain:US                    the board needs so many microseconds to take an octet\n"
    "  newline:crlf|lf|cr          line ends of contents are rewritten on the way\n"
    "  newline_all:crlf|lf|cr      all line ends are, as by a terminal program\n"
    "  hang@write                  no answer ever (also @list @read @delete @keygen @any @command:K, and "
    "hang:P@…)\n"
    "  lost_reply@write            done, but not answered (same moments)\n"
    "  unplug@byte:K               the port goes away after K octets from the host\n"
    "  reboot@command:K            resets in place of the K-th command\n"
    "  urc:P                       an unsolicited line inside an answer with this probability\n"
    "  stored_wrong:P              answers OK to a write and keeps something else\n"
    "  slow_nvm:MS                 a write or a delete takes so long\n"
    "  keygen_failed[:P]           AT%KEYGEN ends with 523\n"
    "  wrong_family[:F1]           reports the version and model of another family\n"
    "  same_imei, duplicate_imei   the IMEI of board 1\n"
    "  supply_low memory_full active no_tokens stray_entry[:tag.type]\n"
    "\n"
    "Quirks:\n"
    "  keygen_kept                 writing over a key of AT%KEYGEN answers 519; without it the key is "
    "replaced\n"
    "  xpmng_520                   a second public key answers 520; without it 519\n"
    "  parameter_50                wrong parameters answer 50; without it a bare ERROR\n"
    "  check_psk                   a type 3 that is not hexadecimal answers 527; without it all is taken\n"
    "  reset_keeps                 AT%XFACTORYRESET=0 leaves the credentials; without it they are gone\n"
    "  torn_writes                 power lost in a write leaves neither content; without it the old one "
    "stays\n"
    "  read_crash                  reading back more than 4096 octets resets the board\n"
    "  list_short                  the list leaves out the modem's own rows, 4294967292 to 4294967294\n"
    "  list_reversed, list_sorted  order of AT%CMNG=1; without either that of writing\n"
    "  sim_card                    a SIM is in; without it AT%XICCID and AT+CIMI answer ERROR\n"
    "  no_imei                     no IMEI was programmed: AT+CGSN answers ERROR\n"
    "  ready                       at_host says Ready after its banner\n"
    "  silent_boot                 no banner\n"
    "  leading_lf, nul_after       at_host: LF before each answer, NUL after it, as old builds had it\n"
    "\n"
    "The control socket takes lines: state, unplug N, plug N, move A B (the boards of two slots change "
    "places),\n"
    "fault SPEC, clear [N], reboot N, quit. It answers ok, error: with the reason, or to 'state' one line of "
    "JSON.\n"
    "  echo state | nc -U -q1 SOCKET\n"
    "  echo 'fault hang@keygen/3' | nc -U -q1 SOCKET\n"
    "  echo 'fault slow_nvm:2000' | nc -U -q1 SOCKET\n"
    "  echo clear | nc -U -q1 SOCKET\n"
    "\n"
    "Prints a line 'ready …' once all boards can be opened. Ends at SIGTERM, SIGINT or 'quit' with status "
    "0;\n"
    "2: wrong options, 1: anything else.\n";
/* clang-format on */

#define COMMON(member) (offsetof(struct sim_options, board) + offsetof(struct simboard_config, member))

enum kind {
    KIND_WORD,
    KIND_NUMBER,
    KIND_FLOW,
    KIND_FAULT,
    KIND_IMEI,
    KIND_SEED,
    KIND_SELF_POWERED,
    KIND_QUIRKS,
    KIND_HELP
};

static const struct option_row {
    const char *name;
    enum kind kind;
    size_t at; /* of the member in sim_options */
    uint32_t min, max;
} rows[] = {
    {.name = "dir", .kind = KIND_WORD, .at = offsetof(struct sim_options, dir)},
    {.name = "boards",
     .kind = KIND_NUMBER,
     .at = offsetof(struct sim_options, boards),
     .min = 1,
     .max = SIM_BOARDS_MAX},
    {.name = "family", .kind = KIND_WORD, .at = offsetof(struct sim_options, families)},
    {.name = "front-end", .kind = KIND_WORD, .at = offsetof(struct sim_options, fronts)},
    {.name = "baud", .kind = KIND_NUMBER, .at = COMMON(baud), .min = 300, .max = 4000000},
    {.name = "flow", .kind = KIND_FLOW},
    {.name = "nvm-ms", .kind = KIND_NUMBER, .at = COMMON(nvm_ms), .max = 600000},
    {.name = "keygen-ms", .kind = KIND_NUMBER, .at = COMMON(keygen_ms), .max = 600000},
    {.name = "cfun-ms", .kind = KIND_NUMBER, .at = COMMON(cfun_ms), .max = 600000},
    {.name = "boot-ms", .kind = KIND_NUMBER, .at = COMMON(boot_ms), .max = 600000},
    {.name = "line-max", .kind = KIND_NUMBER, .at = COMMON(line_max), .min = 1, .max = 8192},
    {.name = "store-size", .kind = KIND_NUMBER, .at = COMMON(store_size), .min = 1, .max = SIM_STORE_SIZE},
    {.name = "self-powered", .kind = KIND_SELF_POWERED},
    {.name = "quirk", .kind = KIND_QUIRKS},
    {.name = "imei0", .kind = KIND_IMEI},
    {.name = "seed", .kind = KIND_SEED},
    {.name = "state", .kind = KIND_WORD, .at = offsetof(struct sim_options, state)},
    {.name = "control", .kind = KIND_WORD, .at = offsetof(struct sim_options, control)},
    {.name = "fault", .kind = KIND_FAULT},
    {.name = "help", .kind = KIND_HELP},
};

#define ROWS (sizeof rows / sizeof rows[0])

static int wrong(const char *option, const char *what)
{
    fprintf(stderr, "certline-sim: --%s: %s\n", option, what);
    return -1;
}

static int parse_u64(const char *text, uint64_t max, uint64_t *ret)
{
    char *end;

    if (*text < '0' || *text > '9')
        return -1;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end != '\0' || value > max)
        return -1;
    *ret = value;
    return 0;
}

static int set_number(struct sim_options *o, const struct option_row *row, const char *text)
{
    uint64_t value;
    char what[64];

    if (parse_u64(text, row->max, &value) < 0 || value < row->min) {
        snprintf(what, sizeof what, "a number from %u to %u is wanted", (unsigned)row->min,
                 (unsigned)row->max);
        return wrong(row->name, what);
    }
    uint32_t number = (uint32_t)value;
    memcpy((char *)o + row->at, &number, sizeof number); /* every such member is 32 bits wide */
    return 0;
}

static int set_imei(struct sim_options *o, const char *text)
{
    if (strlen(text) != 14 || strspn(text, "0123456789") != 14)
        return wrong("imei0", "14 digits are wanted, the check digit is added");
    memcpy(o->imei0, text, 15);
    return 0;
}

static int add_fault(struct sim_options *o, const char *spec)
{
    char why[SIM_FAULT_WHY];

    if (o->fault_count == SIM_FAULTS_MAX)
        return wrong("fault", "too many");
    if (simboard_check_fault(spec, why, sizeof why) < 0)
        return wrong("fault", why);
    o->faults[o->fault_count++] = spec;
    return 0;
}

static int set_flow(struct sim_options *o, const char *text)
{
    if (strcmp(text, "rtscts") == 0)
        o->board.flow = SIM_FLOW_RTSCTS;
    else if (strcmp(text, "none") == 0)
        o->board.flow = SIM_FLOW_NONE;
    else
        return wrong("flow", "rtscts or none is wanted");
    return 0;
}

/* -- Quirks: each changes one thing of all boards -- */

static void take_list_reversed(struct sim_options *o)
{
    o->board.list_order = SIM_LIST_REVERSED;
}

static void take_list_sorted(struct sim_options *o)
{
    o->board.list_order = SIM_LIST_SORTED;
}

static void take_xpmng_520(struct sim_options *o)
{
    o->board.public_key_exists = 520;
}

static void take_parameter_50(struct sim_options *o)
{
    o->board.bad_parameter = 50;
}

static void take_sim_card(struct sim_options *o)
{
    snprintf(o->board.iccid, sizeof o->board.iccid, "8901234567012345678F");
    snprintf(o->board.imsi, sizeof o->board.imsi, "001010123456789");
}

static void take_no_imei(struct sim_options *o)
{
    o->has_no_imei = true;
}

static const struct {
    const char *name;
    size_t flag;                         /* of a bool in simboard_config … */
    void (*take)(struct sim_options *o); /* … or this */
} quirks[] = {
    {.name = "keygen_kept", .flag = offsetof(struct simboard_config, keeps_generated)},
    {.name = "xpmng_520", .take = take_xpmng_520},
    {.name = "parameter_50", .take = take_parameter_50},
    {.name = "check_psk", .flag = offsetof(struct simboard_config, checks_psk)},
    {.name = "reset_keeps", .flag = offsetof(struct simboard_config, keeps_credentials)},
    {.name = "torn_writes", .flag = offsetof(struct simboard_config, tears_writes)},
    {.name = "read_crash", .flag = offsetof(struct simboard_config, crashes_on_long_read)},
    {.name = "list_short", .flag = offsetof(struct simboard_config, hides_reserved)},
    {.name = "list_reversed", .take = take_list_reversed},
    {.name = "list_sorted", .take = take_list_sorted},
    {.name = "sim_card", .take = take_sim_card},
    {.name = "no_imei", .take = take_no_imei},
    {.name = "ready", .flag = offsetof(struct simboard_config, says_ready)},
    {.name = "silent_boot", .flag = offsetof(struct simboard_config, is_silent_at_boot)},
    {.name = "leading_lf", .flag = offsetof(struct simboard_config, leads_with_lf)},
    {.name = "nul_after", .flag = offsetof(struct simboard_config, ends_with_nul)},
};

static int take_quirk(struct sim_options *o, const char *name)
{
    for (size_t i = 0; i < sizeof quirks / sizeof quirks[0]; i++) {
        if (strcmp(quirks[i].name, name) != 0)
            continue;
        if (quirks[i].take)
            quirks[i].take(o);
        else
            *(bool *)((char *)&o->board + quirks[i].flag) = true;
        return 0;
    }
    return -1;
}

static int take_quirks(struct sim_options *o, const char *list)
{
    char copy[256], *rest = NULL;

    if (strlen(list) >= sizeof copy)
        return wrong("quirk", "too many at once");
    memcpy(copy, list, strlen(list) + 1);
    for (char *name = strtok_r(copy, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        if (take_quirk(o, name) < 0)
            return wrong("quirk", "there is none of this name; --help lists them");
    }
    return 0;
}

static int set(struct sim_options *o, const struct option_row *row, const char *text)
{
    uint64_t seed;

    switch (row->kind) {
    case KIND_WORD:
        memcpy((char *)o + row->at, &text, sizeof text);
        return text[0] ? 0 : wrong(row->name, "must not be empty");
    case KIND_NUMBER:
        return set_number(o, row, text);
    case KIND_FLOW:
        return set_flow(o, text);
    case KIND_FAULT:
        return add_fault(o, text);
    case KIND_IMEI:
        return set_imei(o, text);
    case KIND_SEED:
        if (parse_u64(text, UINT64_MAX, &seed) < 0)
            return wrong("seed", "a number is wanted");
        o->board.seed = seed;
        return 0;
    case KIND_SELF_POWERED:
        o->board.is_bus_powered = false;
        return 0;
    case KIND_QUIRKS:
        return take_quirks(o, text);
    case KIND_HELP:
        break;
    }
    return 0;
}

/* -- Lists by board -- */

typedef int take_name(const char *name, struct simboard_config *c);

static int take_family(const char *name, struct simboard_config *c)
{
    return sim_family_parse(name, &c->family);
}

static int take_front(const char *name, struct simboard_config *c)
{
    return sim_front_parse(name, &c->front, &c->term);
}

/* "3=F1" or "5-8=F1" or "F1". Returns -1 for a mistake; `c` is changed if the item means `number` (0: only
 * check). */
static int apply_item(char *item, unsigned number, take_name *take, struct simboard_config *c)
{
    struct simboard_config ignored = *c;
    uint64_t first = 1, last = SIM_BOARDS_MAX;
    char *name = strchr(item, '=');

    if (name) {
        *name++ = '\0';
        char *upper = strchr(item, '-');
        if (upper)
            *upper++ = '\0';
        if (parse_u64(item, SIM_BOARDS_MAX, &first) < 0 ||
            parse_u64(upper ? upper : item, SIM_BOARDS_MAX, &last) < 0)
            return -1;
    }
    bool is_meant = number >= first && number <= last;
    return take(name ? name : item, is_meant ? c : &ignored);
}

static int apply_list(const char *list, unsigned number, take_name *take, struct simboard_config *c)
{
    char copy[512], *rest = NULL;

    if (!list)
        return 0;
    if (strlen(list) >= sizeof copy)
        return -1;
    memcpy(copy, list, strlen(list) + 1);
    for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        if (apply_item(item, number, take, c) < 0)
            return -1;
    }
    return 0;
}

struct simboard_config sim_options_board(const struct sim_options *o, unsigned number)
{
    struct simboard_config c = o->board;

    c.number = number;
    sim_imei_make(o->imei0, number - 1, c.imei);
    if (o->has_no_imei)
        c.imei[0] = '\0';
    sim_imei_make(o->imei0, 0, c.twin_imei);
    apply_list(o->families, number, take_family, &c);
    apply_list(o->fronts, number, take_front, &c);
    return c;
}

static int check_whole(const struct sim_options *o)
{
    struct simboard_config scratch = o->board;

    if (!o->dir || o->boards == 0) {
        fprintf(stderr, "certline-sim: --dir and --boards are needed\n");
        return -1;
    }
    if (apply_list(o->families, 0, take_family, &scratch) < 0)
        return wrong("family",
                     "F0, F1, F1.3a, F1.3b, F2a, F2b or FN is wanted, or a list by board: F2b,3=F1,5-8=F2a");
    if (apply_list(o->fronts, 0, take_front, &scratch) < 0)
        return wrong("front-end", "at_host, at_host:lf, at_host:crlf, at_host:nul, serial_modem, slm, "
                                  "slm:native_tls, shell or certline is wanted, or "
                                  "a list by board");
    return 0;
}

enum sim_options_result sim_options_parse(struct sim_options *o, int argc, char **argv)
{
    struct option long_options[ROWS + 1] = {0};
    int index = 0, result;

    *o = (struct sim_options){.imei0 = "35146580000000", .board = SIMBOARD_CONFIG_DEFAULT};
    o->board.seed = 1;
    for (size_t i = 0; i < ROWS; i++) {
        bool is_bare = rows[i].kind == KIND_HELP || rows[i].kind == KIND_SELF_POWERED;
        long_options[i] = (struct option){
            .name = rows[i].name, .has_arg = is_bare ? no_argument : required_argument, .val = 1};
    }

    optind = 0; /* GNU's way to start over */
    while ((result = getopt_long(argc, argv, "", long_options, &index)) == 1) {
        if (rows[index].kind == KIND_HELP) {
            fputs(help, stdout);
            return OPTIONS_DONE;
        }
        if (set(o, &rows[index], optarg) < 0)
            return OPTIONS_WRONG;
    }
    if (result != -1 || optind < argc || check_whole(o) < 0) {
        if (result == -1 && optind < argc)
            fprintf(stderr, "certline-sim: '%s' is not an option\n", argv[optind]);
        fprintf(stderr, "usage: certline-sim --dir DIR --boards N [options]; --help explains them\n");
        return OPTIONS_WRONG;
    }
    return OPTIONS_RUN;
}
