/*
 * certlined doctor: what support asks first, on one screen. A check looks at one thing and says how it found
 * it; it changes nothing, opens no port and takes no lock, so that it may run beside a station at work.
 *
 * The checks are in doctor_state.c (what lies on the disk), doctor_service.c (who runs) and doctor_ports.c
 * (where boards are put); the table of them is in doctor.c.
 */
#ifndef CERTLINE_CMD_DOCTOR_H
#define CERTLINE_CMD_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define DOCTOR_FINDINGS_MAX 64
#define DOCTOR_TEXT_SIZE    400
#define DOCTOR_GROUPS_MAX   64
#define DOCTOR_USER         "certline"

enum doctor_grade {
    DOCTOR_GOOD,
    DOCTOR_NOTE,  /* to be known, and no fault */
    DOCTOR_WRONG, /* the station does not work, or will not for long */
};

struct finding {
    const char *check; /* the row's name */
    enum doctor_grade grade;
    char text[DOCTOR_TEXT_SIZE];
    char remedy[DOCTOR_TEXT_SIZE]; /* empty for what is good */
};

/* Who the station is, or will be: the service's user where there is one, else who asks. */
struct doctor_user {
    bool is_other; /* not the process's own: what it may is computed from modes */
    uid_t uid;
    gid_t groups[DOCTOR_GROUPS_MAX];
    int n_groups;
    const char *name; /* "certline", or "you" */
};

struct config;

struct doctor {
    const char *root;            /* where /proc, /sys, /run, /lib and /etc begin: "" but in tests */
    const struct config *config; /* NULL: it is wrong */
    struct doctor_user user;
    bool is_answering; /* a station, at the socket; set by doctor_check_station */
    const char *check; /* the row that is at work */
    uint32_t n_findings, n_untold;
    struct finding findings[DOCTOR_FINDINGS_MAX];
};

/* One finding of the check at work. `remedy` says what to do; NULL with DOCTOR_GOOD. */
void doctor_say(struct doctor *d, enum doctor_grade grade, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Finds out who the station is. */
void doctor_find_user(struct doctor *d);

/* Whether that user may read and write what `st` says; `path` is it. */
bool doctor_user_may(const struct doctor *d, const char *path, const struct stat *st);

/* The checks: each says at least one thing. All but the last two need a configuration. */
void doctor_check_state(struct doctor *d);
void doctor_check_key(struct doctor *d);
void doctor_check_signer(struct doctor *d);
void doctor_check_disk(struct doctor *d);
void doctor_check_database(struct doctor *d);
void doctor_check_clock(struct doctor *d);
void doctor_check_station(struct doctor *d);
void doctor_check_listen(struct doctor *d);
void doctor_check_ports(struct doctor *d);
void doctor_check_others(struct doctor *d); /* programs that would take the ports */
void doctor_check_service(struct doctor *d);

#endif
