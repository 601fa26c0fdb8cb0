/*
 * One simulated board: a serial link, the AT host firmware behind it, and the modem with its credential
 * store. Pure and deterministic: no thread, no descriptor, no clock. The same calls with the same times give
 * the same octets, so that a test can hold thousands of boards under a virtual clock; certline-sim puts
 * pseudo-terminals in front of the same code.
 *
 * Time. Every `now_us` is microseconds of the caller's monotonic clock and must not run backwards for one
 * board. What falls due between two calls is caught up in order and with its own time, so calling late
 * changes nothing that the board does; it only lets the host see it late.
 *
 * Memory. Everything is allocated by simboard_new. The single exception is what needs OpenSSL, the
 * certificate check of families that answer 527 and everything with keys: it allocates and frees within the
 * call. A board is used by one thread at a time.
 *
 * A life: simboard_new (plugged and powered, boots at time 0) · simboard_port_open · simboard_from_host /
 * simboard_to_host / simboard_next_us … · simboard_free. The store survives reboots, unplugging and closing.
 *
 * This folder shares no code with the daemon: a misunderstanding of the protocol must not be on both sides.
 */
#ifndef CERTLINE_SIM_BOARD_H
#define CERTLINE_SIM_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_NEVER INT64_MAX /* as a time: not by itself */
#define SIM_LINK_SIZE                                                                                        \
    4096 /* octets that wait for the wire, as in a tty's buffer; and that wait for the reader */
#define SIM_LINE_MAX    4095        /* characters that Nordic's AT host keeps of one command at most */
#define SIM_ENTRY_MAX   64          /* entries of the store; more are refused with 515 */
#define SIM_STORE_SIZE  (32 * 1024) /* octets of content in the store; more are refused with 515 */
#define SIM_LOG_MAX     256         /* executed commands remembered; the oldest give way */
#define SIM_LOG_TEXT    64          /* of one of them, NUL included */
#define SIM_FAULT_WHY   160         /* enough for every explanation of a refused fault */
#define SIM_SHA256_SIZE 32

/* X(enumerator, name): modem firmware families, oldest first; comparisons by order are meant (>= SIM_F1_3A
 * has reserved rows). What each one can do stands in the table of sim/family.c. */
#define SIM_FAMILY_LIST(X)                                                                                   \
    X(SIM_F0, "F0")       /* mfw 0.7 alpha; AT host with a buffer of 1,792 characters */                     \
    X(SIM_F1, "F1")       /* nRF9160, mfw 1.0 to 1.2: placeholder digests */                                 \
    X(SIM_F1_3A, "F1.3a") /* 1.3.0 and 1.3.1 */                                                              \
    X(SIM_F1_3B, "F1.3b") /* 1.3.2 and later: real digests, 528 */                                           \
    X(SIM_F2A, "F2a")     /* nRF91x1, 2.0.0 */                                                               \
    X(SIM_F2B, "F2b")     /* 2.0.2 and later: certificates are checked, 527 */                               \
    X(SIM_FN, "FN")       /* nRF9151 NTN */

enum sim_family {
#define X(name, text) name,
    SIM_FAMILY_LIST(X)
#undef X
};

/* "F2b" for SIM_F2B; never NULL. The other way returns 0, or -1 for an unknown name. */
const char *sim_family_name(enum sim_family family);
int sim_family_parse(const char *name, enum sim_family *ret);

/* What stands between the UART and the modem. */
enum sim_front {
    SIM_FRONT_AT_HOST,      /* Nordic's lib/at_host, with its faults */
    SIM_FRONT_SERIAL_MODEM, /* ncs-serial-modem */
    SIM_FRONT_SLM,          /* Serial LTE Modem */
    SIM_FRONT_SLM_TLS,      /* the same with TLS of its own: AT#XCMNG */
    SIM_FRONT_SHELL,        /* Zephyr's shell with the command "at" */
    SIM_FRONT_CERTLINE,     /* our own firmware: the core of firmware/core */
};

/* What ends a command, a build option of the AT host and of the serial modems; the shell and certline take CR
 * and LF. */
enum sim_terminator {
    SIM_TERM_CR, /* Nordic's default */
    SIM_TERM_LF,
    SIM_TERM_CRLF,
    SIM_TERM_NUL,
};

/* "at_host", "at_host:lf", "at_host:crlf", "at_host:nul", "serial_modem", "slm", "slm:native_tls", "shell",
 * "certline" and a few more (sim/front.c). Returns 0, or -1 for what is not simulated. */
int sim_front_parse(const char *name, enum sim_front *ret_front, enum sim_terminator *ret_term);

enum sim_flow {
    SIM_FLOW_RTSCTS, /* a busy board makes the host wait */
    SIM_FLOW_NONE,   /* a busy board keeps a few octets and loses the rest */
};

/* In which order the list shows the store; the modem's own rows always come last. */
enum sim_list_order {
    SIM_LIST_STORED, /* as written, a replaced entry at the end */
    SIM_LIST_REVERSED,
    SIM_LIST_SORTED,
};

/*
 * Start from SIMBOARD_CONFIG_DEFAULT and change members. Durations are what the modem takes, without the
 * wire.
 */
struct simboard_config {
    unsigned number;    /* 1 and up; the number that "/board" of a fault means */
    char imei[16];      /* 15 digits, not checked here; "" = none was programmed and AT+CGSN fails */
    char uuid[37];      /* lower case 8-4-4-4-12; "" = made from the seed and the number */
    char twin_imei[16]; /* what the fault same_imei turns the IMEI into; "" = the default prefix's first board
                         */
    enum sim_family family;
    enum sim_front front;
    enum sim_terminator term;
    uint32_t baud; /* 300 to 4,000,000; ten bits an octet, both directions */
    enum sim_flow flow;
    uint32_t fifo;      /* octets that a busy board keeps; 1 to 4096 */
    uint32_t line_max;  /* characters of a command that the front end keeps; 0 = its own (at_host 4,095, built
                           for F0 1,792; serial_modem 8,189; slm 4,096; shell 4,095; certline 8,192) and never
                           more */
    uint32_t boot_ms;   /* from power to the banner; nothing is received meanwhile */
    uint32_t nvm_ms;    /* a write or a delete of %CMNG */
    uint32_t keygen_ms; /* %KEYGEN */
    uint32_t cfun_ms;   /* +CFUN without a network to leave */
    uint32_t detach_ms; /* what leaving the network adds to +CFUN */
    uint32_t store_size; /* octets of content before 515; at most SIM_STORE_SIZE */
    uint16_t
        bad_parameter; /* code for malformed parameters under +CMEE=1; 0 = bare ERROR (evidence disagrees) */
    uint16_t public_key_exists; /* code of %XPMNG for a second key: 519 (default, also for 0) or 520 (evidence
                                   disagrees) */
    char iccid[21];             /* of the SIM, with its trailing F; "" = no SIM, and %XICCID is an ERROR */
    char imsi[16];
    enum sim_list_order list_order;
    bool keeps_generated;      /* %CMNG over a key of %KEYGEN answers 519; else it replaces (nobody knows) */
    bool hides_reserved;       /* the list leaves the modem's own rows out, as one recording of 1.3.x shows */
    bool checks_psk;           /* a type 3 that is not hexadecimal answers 527; else all is taken */
    bool keeps_credentials;    /* %XFACTORYRESET=0 leaves the store; else it is emptied (not documented) */
    bool crashes_on_long_read; /* reading back more than 4,096 octets resets the board, as was seen on an
                                  nRF9160 */
    bool leads_with_lf;        /* at_host: LF before each answer, as one recording shows */
    bool ends_with_nul;        /* at_host: NUL after each answer, as builds of 2019 had it */
    bool is_bus_powered;       /* unplugging cuts the power, plugging boots */
    bool tears_writes;      /* power lost during a write leaves neither old nor new content (else: the old) */
    bool says_ready;        /* "Ready" after the banner, as some samples do */
    bool is_silent_at_boot; /* no banner at all */
    uint64_t seed;          /* of everything random about this board, together with its number */
};

#define SIMBOARD_CONFIG_DEFAULT                                                                              \
    {                                                                                                        \
        .number = 1, .imei = "351465800000002", .family = SIM_F2B, .front = SIM_FRONT_AT_HOST,               \
        .term = SIM_TERM_CR, .baud = 115200, .flow = SIM_FLOW_RTSCTS, .fifo = 6, .nvm_ms = 30,               \
        .keygen_ms = 400, .public_key_exists = 519, .cfun_ms = 20, .detach_ms = 300,                         \
        .store_size = SIM_STORE_SIZE, .is_bus_powered = true,                                                \
    }

struct simboard;

/* NULL when memory is short or the configuration is out of its ranges. The caller owns the board. */
struct simboard *simboard_new(const struct simboard_config *config);
void simboard_free(struct simboard *b); /* NULL is fine */

/* -- The host's side of the link
 * ------------------------------------------------------------------------------- */

/*
 * The host hands octets to its tty at `now_us`. The wire takes them one after the other: an octet is at the
 * board max(now, end of the octet before) + 10 bits later, exactly, without rounding that adds up. Returns
 * how many the buffer of SIM_LINK_SIZE octets took; the rest must be offered again (simboard_next_us then
 * says when half of the buffer is free). Takes nothing while unplugged or the port is closed.
 */
size_t simboard_from_host(struct simboard *b, const void *octets, size_t n, int64_t now_us);

/* Hands out what has arrived at the host by now. When the host does not read, SIM_LINK_SIZE octets wait for
 * it; then the board is made to wait (RTS/CTS) or octets are lost. */
size_t simboard_to_host(struct simboard *b, void *out, size_t max, int64_t now_us);

/*
 * When the host could see or do something new without doing anything itself: the last octet on the wire in
 * either direction arrived, a command finished, the boot ended, room in the link. SIM_NEVER if nothing is
 * under way. Octets in the middle of a run are not announced one by one, except while a fault waits for a
 * certain octet.
 */
int64_t simboard_next_us(const struct simboard *b);

/* Catches up to now. All calls with a time do this first. */
void simboard_run(struct simboard *b, int64_t now_us);

/* The host opens and closes the port. What arrives for a closed port is lost, as is what waited for the
 * reader; octets already handed to the wire still reach the board. Opening an unplugged board's port is not
 * possible (-1). */
int simboard_port_open(struct simboard *b, int64_t now_us);
void simboard_port_close(struct simboard *b, int64_t now_us);

/* The cable. Unplugging closes the port and loses everything in flight; a bus-powered board loses its power
 * as well (a command under way never ends). Plugging a bus-powered board boots it. */
bool simboard_is_plugged(const struct simboard *b);
void simboard_unplug(struct simboard *b, int64_t now_us);
void simboard_plug(struct simboard *b, int64_t now_us);

/* Reset while powered: volatile state lost (+CFUN 0, +CMEE 0, half a line), banner. Nothing happens without
 * power. */
void simboard_reboot(struct simboard *b, int64_t now_us);

/* -- Looking inside
 * -------------------------------------------------------------------------------------------- */

/* Borrowed until the next call that advances or changes the board. */
struct simboard_entry {
    uint32_t sec_tag;
    unsigned type;
    const char *content; /* not NUL-terminated */
    size_t len;
    uint8_t sha256[SIM_SHA256_SIZE]; /* of the content, whatever the family shows in its list */
    bool is_generated;               /* made by %KEYGEN; the content is then its private key in PEM */
};

/* Entries 0 … count - 1 in the order of the store; without the modem's reserved rows. */
size_t simboard_entry_count(const struct simboard *b);
struct simboard_entry simboard_entry_at(const struct simboard *b, size_t i);
bool simboard_entry_find(const struct simboard *b, uint32_t sec_tag, unsigned type,
                         struct simboard_entry *ret);

/* Puts an entry into the store from outside, replacing; not counted as a write. Returns 0, or -1 if it does
 * not fit. */
int simboard_entry_put(struct simboard *b, uint32_t sec_tag, unsigned type, const void *content, size_t len);

/* The same for an entry of which only the digest is known, from a recording; its content is empty. */
int simboard_entry_put_digest(struct simboard *b, uint32_t sec_tag, unsigned type,
                              const uint8_t sha256[SIM_SHA256_SIZE]);

/*
 * What the board's own keys can do, for tests of possession. The entry is a P-256 private key, written or
 * generated; tag SIM_IDENTITY_TAG with type 6 is the device's identity key. Both return the length, or 0 if
 * there is no such key or memory is short. The signature is ECDSA over SHA-256 in DER.
 */
#define SIM_IDENTITY_TAG 4294967294u
#define SIM_SIGN_MAX     72
#define SIM_PUBLIC_MAX   256 /* NUL included */
size_t simboard_sign(struct simboard *b, uint32_t sec_tag, unsigned type, const void *octets, size_t len,
                     uint8_t out[SIM_SIGN_MAX]);
size_t simboard_public_key(const struct simboard *b, uint32_t sec_tag, unsigned type,
                           char out[SIM_PUBLIC_MAX]);

/* Wear per (tag, type), of at most SIM_WEAR_MAX pairs. */
#define SIM_WEAR_MAX 128
struct simboard_wear {
    uint32_t sec_tag;
    unsigned type;
    uint32_t writes;
    uint32_t deletes;
};
size_t simboard_wear_count(const struct simboard *b);
struct simboard_wear simboard_wear_at(const struct simboard *b, size_t i);
uint32_t simboard_nvm_writes(const struct simboard *b, uint32_t sec_tag,
                             unsigned type); /* 0 if never written */

/* Commands handed to the modem, oldest first, contents replaced by an ellipsis: "AT%CMNG=0,16842753,0,…"
 * (UTF-8). Valid as entries are. `simboard_executed_total` counts those that gave way as well. */
size_t simboard_executed_count(const struct simboard *b);
const char *simboard_executed_at(const struct simboard *b, size_t i);
uint64_t simboard_executed_total(const struct simboard *b);

struct simboard_info {
    const struct simboard_config *config; /* as it is now: same_imei changes the IMEI */
    unsigned cfun;
    bool is_plugged;
    bool is_open;
    bool is_powered;
    bool is_hung; /* a command that will never end */
    uint32_t boots;
    int64_t modem_us;       /* total time that the modem worked on commands, without the wire */
    uint64_t octets_in;     /* that reached the board's UART, after the link's faults */
    uint64_t octets_out;    /* that left the board's UART */
    uint64_t lost_busy;     /* octets lost because the board was busy (no flow control) */
    uint64_t lost_overflow; /* octets that the AT host dropped because its line was full */
};
struct simboard_info simboard_info(const struct simboard *b);

/* -- Faults
 * ---------------------------------------------------------------------------------------------------- */

/*
 * kind[:value][@when][/board], as many at once as SIM_FAULT_MAX; a fault of the same kind and moment takes
 * the place of the older one. A spec whose "/board" (3 or 1-4) leaves this board out is accepted and ignored.
 * Random ones draw from the board's own generator.
 *
 *   drop:p garble:p dup:p   each octet from the host lost, changed, doubled with probability p
 *   cut:n                   nothing beyond n octets of a line arrives; a backspace begins the count anew
 *   fifo:n                  RTS/CTS is not wired and n octets are kept while busy
 *   drain:us                the board needs so long to take an octet (with fifo: overruns within a line)
 *   newline:crlf|lf|cr      line ends inside quotes are rewritten on the way
 *   newline_all:crlf|lf|cr  all line ends, as a terminal program does with its own keys too
 *   delay:us                each octet takes so much longer, both ways, as through a slow bridge
 *   hang[:p]@when           never answers and never takes a command again until it is reset
 *   lost_reply[:p]@when     executed, but the answer never comes
 *   unplug@byte:k           unplugged once k octets have arrived from now on          (once)
 *   reboot@command:k        reset in place of executing the k-th command from now on  (once)
 *   urc:p                   an unsolicited line somewhere inside an answer with probability p
 *   stored_wrong:p          answers OK to a write and keeps another content
 *   keygen_failed[:p]       %KEYGEN ends with 523
 *   supply_low              528 where the family knows it, %XVBAT shows it; the warning stays latched
 *   memory_full             515 for every write
 *   no_tokens               a build without %JWT and %KEYINJECT: 51
 *   active                  +CFUN is 1, now and after each boot
 *   stray_entry[:tag.type]  an entry that nobody here wrote; 16842753.4 by default
 *   same_imei               the IMEI of config.twin_imei; also called duplicate_imei
 *   wrong_family[:F1]       version, model and hardware of another family; it behaves as its own
 *   slow_nvm:ms             a write or a delete takes so long
 *
 *   when: write, list, read, delete (of %CMNG), keygen, any, or command:k (the k-th from now on). Default:
 * any.
 *
 * Returns 0, or -1 with the explanation in `why` (may be NULL): a sentence, at most SIM_FAULT_WHY with its
 * NUL.
 */
#define SIM_FAULT_MAX 16
int simboard_add_fault(struct simboard *b, const char *spec, char *why, size_t why_size);

/* As simboard_add_fault with a scratch board: for checking a command line. */
int simboard_check_fault(const char *spec, char *why, size_t why_size);

/* Ends all faults, the exact ones included. What they did stays done: a stray entry, a latched warning, a
 * hung modem (reset it), a port gone (plug it). The IMEI goes back. */
void simboard_clear_faults(struct simboard *b);

/*
 * Faults at one exact place, for sweeps: count the opportunities of a kind in a first run, then fail each one
 * in turn and assert that it fired. Opportunities count always, from creation or the last
 * simboard_exact_reset.
 */
enum sim_exact_kind {
    SIM_EXACT_IN_LOSE,   /* the k-th octet from the host */
    SIM_EXACT_IN_GARBLE, /* its lowest bit but one is turned: one letter becomes another */
    SIM_EXACT_IN_DOUBLE,
    SIM_EXACT_IN_DELAY, /* it and what follows arrive `delay_us` later */
    SIM_EXACT_OUT_LOSE, /* the k-th octet to the host */
    SIM_EXACT_OUT_GARBLE,
    SIM_EXACT_OUT_DOUBLE,
    SIM_EXACT_OUT_DELAY,
    SIM_EXACT_UNPLUG_IN,   /* unplugged right after the k-th octet from the host arrived */
    SIM_EXACT_UNPLUG_OUT,  /* … after the k-th octet to the host arrived */
    SIM_EXACT_REBOOT,      /* reset in place of executing the k-th command */
    SIM_EXACT_REBOOT_DONE, /* reset once the k-th command was executed, in place of its answer */
    SIM_EXACT_LOST_ANSWER, /* the k-th command is executed, its answer never comes */
    SIM_EXACT_HANG,        /* the k-th command never ends */
    SIM_EXACT_URC,         /* an unsolicited line before the k-th octet of an answer; see `answer` */
    SIM_EXACT_KINDS        /* how many there are */
};

struct sim_exact {
    enum sim_exact_kind kind;
    uint64_t k;       /* from 1 */
    uint64_t answer;  /* SIM_EXACT_URC only: which answer, from 1, or SIM_EVERY_ANSWER; 0: k counts over all
                         octets */
    int64_t delay_us; /* the DELAY kinds only */
};

#define SIM_EVERY_ANSWER UINT64_MAX

/* At most 8 at once, each fires once (for SIM_EVERY_ANSWER: once an answer, until the reset). Returns 0, or
 * -1 when there is no room, k is 0 or its place is already past. */
int simboard_exact_add(struct simboard *b, const struct sim_exact *fault);
void simboard_exact_reset(struct simboard *b); /* forgets the exact faults and sets all counts to 0 */
uint64_t simboard_exact_opportunities(const struct simboard *b, enum sim_exact_kind kind);
uint64_t simboard_exact_fired(const struct simboard *b, enum sim_exact_kind kind);

/* How often a fault of simboard_add_fault did something, by the name of its kind ("drop"); 0 for unknown
 * names. */
uint64_t simboard_fault_fired(const struct simboard *b, const char *kind);

/* The Luhn check digit for the first 14 digits of an IMEI, appended: writes 15 digits and a NUL. */
void sim_imei_make(const char *prefix14, unsigned add, char out[16]);

#endif
