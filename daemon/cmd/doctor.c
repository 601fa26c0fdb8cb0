/*
 * The command, the list of its checks, and how they are shown. Exit codes: 0 nothing is wrong (there may be
 * notes), 4 the configuration is, 1 something else.
 */
#include "cmd/doctor.h"

#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/cmd.h"
#include "config.h"
#include "version.h"

#define NAME_WIDTH 14

static const struct check {
    const char *name;
    void (*look)(struct doctor *d);
    bool needs_config;
} checks[] = {
    {"station", doctor_check_station, true},
    {"service", doctor_check_service, false},
    {"addresses", doctor_check_listen, true},
    {"state", doctor_check_state, true},
    {"wrapping key", doctor_check_key, true},
    {"signer", doctor_check_signer, true},
    {"database", doctor_check_database, true},
    {"disk", doctor_check_disk, true},
    {"clock", doctor_check_clock, true},
    {"ports", doctor_check_ports, true},
    {"other programs", doctor_check_others, false},
};

void doctor_say(struct doctor *d, enum doctor_grade grade, const char *remedy, const char *format, ...)
{
    if (d->n_findings == DOCTOR_FINDINGS_MAX) {
        d->n_untold++;
        return;
    }
    struct finding *f = &d->findings[d->n_findings++];
    va_list args;
    *f = (struct finding){.check = d->check, .grade = grade};
    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    snprintf(f->remedy, sizeof(f->remedy), "%s", remedy ? remedy : "");
}

/* ---- who the station is */

void doctor_find_user(struct doctor *d)
{
    const struct passwd *entry = geteuid() == 0 ? getpwnam(DOCTOR_USER) : NULL;
    d->user = (struct doctor_user){.name = "you", .uid = geteuid()};
    if (!entry) {
        return;
    }
    d->user = (struct doctor_user){.is_other = true, .uid = entry->pw_uid, .name = DOCTOR_USER};
    int n = DOCTOR_GROUPS_MAX - 1;
    if (getgrouplist(DOCTOR_USER, entry->pw_gid, d->user.groups, &n) < 0) {
        n = 0;
    }
    const struct group *dialout = getgrnam("dialout"); /* the unit's own addition */
    if (dialout) {
        d->user.groups[n++] = dialout->gr_gid;
    }
    d->user.n_groups = n;
}

bool doctor_user_may(const struct doctor *d, const char *path, const struct stat *st)
{
    if (!d->user.is_other) {
        return access(path, R_OK | W_OK) == 0;
    }
    if (st->st_uid == d->user.uid) {
        return (st->st_mode & 0600) == 0600;
    }
    for (int i = 0; i < d->user.n_groups; i++) {
        if (st->st_gid == d->user.groups[i]) {
            return (st->st_mode & 0060) == 0060;
        }
    }
    return (st->st_mode & 0006) == 0006;
}

/* ---- what is shown */

static const char *grade_name(enum doctor_grade grade)
{
    switch (grade) {
    case DOCTOR_GOOD:
        return "good";
    case DOCTOR_NOTE:
        return "note";
    case DOCTOR_WRONG:
        break;
    }
    return "wrong";
}

static uint32_t count(const struct doctor *d, enum doctor_grade grade)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_findings; i++) {
        n += d->findings[i].grade == grade;
    }
    return n;
}

static void print(const struct doctor *d)
{
    for (uint32_t i = 0; i < d->n_findings; i++) {
        const struct finding *f = &d->findings[i];
        bool is_new = i == 0 || strcmp(f->check, d->findings[i - 1].check) != 0;
        printf("%-5s  %-*s  %s\n", f->grade == DOCTOR_WRONG ? "WRONG" : grade_name(f->grade), NAME_WIDTH,
               is_new ? f->check : "", f->text);
        if (f->remedy[0]) {
            printf("%-5s  %-*s    -> %s\n", "", NAME_WIDTH, "", f->remedy);
        }
    }
    if (d->n_untold > 0) {
        printf("%u more findings are not shown\n", d->n_untold);
    }
    uint32_t wrong = count(d, DOCTOR_WRONG), notes = count(d, DOCTOR_NOTE);
    printf("certlined %s: ", CERTLINE_VERSION);
    if (wrong == 0) {
        printf("nothing is wrong");
    } else {
        printf("%u thing%s wrong", wrong, wrong == 1 ? " is" : "s are");
    }
    printf("%s\n", notes > 0 ? "; the notes are for you to judge" : "");
}

static struct json *findings_json(const struct doctor *d)
{
    struct json *tree = json_new_object(), *list = json_new_array();
    int r = json_put_text(tree, "version", CERTLINE_VERSION) |
            json_put_i64(tree, "wrong", (int64_t)count(d, DOCTOR_WRONG));
    for (uint32_t i = 0; i < d->n_findings; i++) {
        const struct finding *f = &d->findings[i];
        struct json *one = json_new_object();
        r |= json_put_text(one, "check", f->check) | json_put_text(one, "grade", grade_name(f->grade)) |
             json_put_text(one, "text", f->text) |
             json_put_text(one, "remedy", f->remedy[0] ? f->remedy : NULL);
        r |= json_append(list, one);
    }
    r |= json_put(tree, "findings", list);
    if (r < 0) {
        json_free(tree);
        return NULL;
    }
    return tree;
}

/* ---- the command */

static void check_config(struct doctor *d, const char *path, const struct config_errors *errors)
{
    char remedy[DOCTOR_TEXT_SIZE];
    d->check = "configuration";
    if (d->config) {
        doctor_say(d, DOCTOR_GOOD, NULL, "%s has no mistakes", path);
        return;
    }
    const struct err_info *first = &errors->items[0];
    uint32_t n = errors->n + errors->more;
    if (n > 1) {
        snprintf(remedy, sizeof(remedy), "certlined check -c %s names all %u mistakes", path, n);
    } else {
        snprintf(remedy, sizeof(remedy), "Correct it.");
    }
    if (first->line > 0) {
        doctor_say(d, DOCTOR_WRONG, remedy, "%s:%d:%d: %s", path, first->line, first->column, first->text);
    } else {
        doctor_say(d, DOCTOR_WRONG,
                   "certlined check names every mistake; "
                   "/usr/share/doc/certline/config.example.toml explains every option",
                   "%s: %s", path, first->text);
    }
}

int cmd_doctor(const struct cmd_args *args)
{
    static struct config_errors errors; /* 34 KB, once a process */
    static struct doctor d;             /* 50 KB */
    struct config *config = NULL;
    (void)config_load(args->config_path, &config, &errors);
    d = (struct doctor){.root = "", .config = config};
    doctor_find_user(&d);
    check_config(&d, args->config_path, &errors);
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        d.check = checks[i].name;
        if (config || !checks[i].needs_config) {
            checks[i].look(&d);
        }
    }
    int r = CMD_DONE;
    if (args->json) {
        r = cmd_print_json(findings_json(&d));
    } else {
        print(&d);
    }
    r = r != CMD_DONE ? r : !config ? CMD_CONFIG : count(&d, DOCTOR_WRONG) > 0 ? CMD_FAILED : CMD_DONE;
    config_free(config);
    return r;
}
