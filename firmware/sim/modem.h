/*
 * The modem behind the AT host: one command at a time, begun and ended by the board, which owns the time
 * between. What a command decides (refusals, its duration) is decided at its begin, what it changes is
 * changed at its end: power lost in between leaves the store as it was.
 *
 * Facts: Nordic's AT command references of nRF9160 and nRF91x1. Codes above 512 are Nordic's own.
 */
#ifndef CERTLINE_SIM_MODEM_H
#define CERTLINE_SIM_MODEM_H

#include "sim/args.h"
#include "sim/board.h"
#include "sim/family.h"
#include "sim/flash.h"
#include "sim/rng.h"

/* Results of a command: 0 is OK, a positive number the code of +CME ERROR. */
enum {
    CME_OK = 0,
    CME_BARE = -1, /* ERROR without a number even with +CMEE=1: unknown command, bad syntax */
    CME_SYSTEM_FAILURE = 60,
    CME_NOT_FOUND = 513,
    CME_NO_ACCESS = 514,
    CME_MEMORY_FULL = 515,
    CME_ACTIVE = 518,
    CME_EXISTS = 519,
    CME_DENIED = 520,
    CME_KEYGEN_FAILED = 523,
    CME_JWT_FAILED = 525,
    CME_NOT_A_CERTIFICATE = 527,
    CME_POWER_WARNING = 528,
    CME_CLAIM_FAILED = 529,
};

enum modem_form {
    MODEM_EXEC, /* AT+X */
    MODEM_SET,  /* AT+X=… */
    MODEM_READ, /* AT+X? */
    MODEM_TEST, /* AT+X=? */
};

/* What a command is to the faults that wait for one. */
enum modem_class { MODEM_OTHER, MODEM_WRITE, MODEM_LIST, MODEM_CRED_READ, MODEM_DELETE, MODEM_KEYGEN };

/* Longest answer: a list of all entries, or a read of the longest content. */
#define MODEM_REPLY_SIZE 8192

struct modem_reply {
    size_t len;
    char text[MODEM_REPLY_SIZE];
};

struct modem_row;

/* The command under way. Contents are borrowed from the line, which must stay until the command has ended. */
struct modem_call {
    const struct modem_row *row; /* NULL: unknown command */
    enum modem_form form;
    enum modem_class class;
    struct sim_args args;
    int code;      /* decided at the begin; not CME_OK: nothing is done at the end */
    uint32_t us;   /* how long it takes */
    uint32_t mode; /* of +CFUN, %KEYGEN, %XFACTORYRESET, %XPMNG */
    uint32_t sec_tag;
    unsigned type;
    unsigned type_filter; /* of a list: MODEM_ANY_TYPE or a type */
    bool has_tag;
    const char *content;
    size_t content_len;
    const char *extra; /* %KEYGEN: key usage */
    size_t extra_len;
};

#define MODEM_ANY_TYPE UINT32_MAX
#define MODEM_ANY_TAG  UINT32_MAX

struct modem {
    const struct simboard_config *config;
    const struct family *family;
    const struct family *shown; /* what it says that it is */
    struct rng *rng;
    struct flash flash;
    struct modem_call call;
    unsigned cfun;
    bool is_lte_active; /* 518 for whatever touches the store */
    bool is_cmee;
    bool is_uicc_active;
    bool is_warning_armed;
    bool has_crashed;        /* reading back took it down: the board resets */
    bool is_warning_latched; /* 528 until %XPOFWARN=1 with a good supply */

    /* Faults, set by the board. */
    bool is_supply_low;
    bool is_memory_full;
    bool boots_active;
    bool has_no_tokens;   /* %JWT and %KEYINJECT are left out of this build: 51 */
    double keygen_failed; /* 523 */
    uint64_t no_tokens_fired;
    uint64_t keygen_failed_fired;
    double stored_wrong;
    uint64_t stored_wrong_fired;
    uint64_t refused_supply;
    uint64_t refused_memory;
};

/* Puts the modem together; its store starts empty. All pointers are borrowed for its life. */
void modem_init(struct modem *m, const struct simboard_config *config, struct rng *rng);

/* After power or reset: what is not in flash is lost. */
void modem_reset(struct modem *m);

/* The supply goes down or comes back; an armed warning latches. */
void modem_set_supply(struct modem *m, bool is_low);

/* Begins the command in `line`, as the AT host hands it over. modem.call.us says how long it will take. */
void modem_begin(struct modem *m, const char *line);

/* Ends it: changes what it changes and writes the answer with its final result. */
void modem_end(struct modem *m, struct modem_reply *reply);

/* Power was lost while a command was under way. */
void modem_abort(struct modem *m);

/* Writes what may stand in a log: name and parameters, contents replaced by an ellipsis. */
void modem_elide(const char *line, char out[SIM_LOG_TEXT]);

/* -- For the rows
 * ---------------------------------------------------------------------------------------------- */

/* `begin` may set call.code, call.us and whatever `end` needs; NULL: nothing to decide. `end` runs if the
 * code is still CME_OK, adds lines to the reply and returns a code. */
struct modem_row {
    const char *name; /* upper case, as between "AT" and the form */
    enum sim_family since;
    unsigned forms; /* bits 1 << enum modem_form */
    uint32_t us;    /* usual duration */
    void (*begin)(struct modem *m, struct modem_call *call);
    int (*end)(struct modem *m, struct modem_call *call, struct modem_reply *reply);
    void (*abort)(struct modem *m,
                  const struct modem_call *call); /* power went away; NULL: nothing happens */
};

void modem_reply_add(struct modem_reply *reply, const char *octets, size_t len);
void modem_reply_printf(struct modem_reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether the store may be changed now: CME_OK, 518 or 528, in the modem's own order. */
int modem_may_change(struct modem *m);

/* The code for parameters that cannot be right; for a wrong signature; for what cannot be overwritten. */
int modem_bad_parameter(const struct modem *m);
int modem_denied(const struct modem *m);
int modem_exists(const struct modem *m);

/* Where the store has the public key of %XPMNG, with this tag or any; -1: none. */
int modem_public_key(const struct modem *m, uint32_t sec_tag);

/* Begins the command whose name and parameters (without "AT") these are, in place of the one under way. */
void modem_begin_at(struct modem *m, const char *at, size_t len);

/* sim/cmng.c */
void cmng_begin(struct modem *m, struct modem_call *call);
int cmng_end(struct modem *m, struct modem_call *call, struct modem_reply *reply);
void cmng_abort(struct modem *m, const struct modem_call *call);
void xpmng_begin(struct modem *m, struct modem_call *call);
int xpmng_end(struct modem *m, struct modem_call *call, struct modem_reply *reply);

/* sim/keygen.c, sim/tokens.c, sim/xsudo.c, sim/certexpiry.c */
void keygen_begin(struct modem *m, struct modem_call *call);
int keygen_end(struct modem *m, struct modem_call *call, struct modem_reply *reply);
int attesttoken_end(struct modem *m, struct modem_call *call, struct modem_reply *reply);
int claimtoken_end(struct modem *m, struct modem_call *call, struct modem_reply *reply);
int jwt_end(struct modem *m, struct modem_call *call, struct modem_reply *reply);
void keyinject_begin(struct modem *m, struct modem_call *call);
void xsudo_begin(struct modem *m, struct modem_call *call);
int certexpiry_end(struct modem *m, struct modem_call *call, struct modem_reply *reply);

#endif
