/*
 * certlined reconcile: a person says that the database is the right one although its mark is ahead of it.
 * Works on the state directly: a station in this condition claims nothing, and whoever stands before it stops
 * it first.
 */
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "app.h"
#include "cmd/cmd.h"
#include "config.h"

static const char *who_runs_this(char *memory, size_t size)
{
    struct passwd entry, *found = NULL;
    char text[1024];
    if (getpwuid_r(getuid(), &entry, text, sizeof(text), &found) == 0 && found) {
        snprintf(memory, size, "%s", found->pw_name);
    } else {
        snprintf(memory, size, "uid %u", (unsigned)getuid());
    }
    return memory;
}

int cmd_reconcile(const struct cmd_args *args)
{
    if (!args->reason || args->reason[0] == '\0') {
        fprintf(stderr, "certlined: reconcile needs --reason TEXT: it goes into the record\n");
        return CMD_USAGE;
    }
    struct config *config = NULL;
    int r = cmd_load(args, &config);
    if (r != CMD_DONE) {
        return r;
    }
    char who[64];
    uint32_t retired = 0;
    struct err_info info = {0};
    int code = app_reconcile(config, who_runs_this(who, sizeof(who)), args->reason, args->retire_unused,
                             &retired, &info);
    if (code < 0) {
        info.code = code;
        r = cmd_complain(&info);
    } else {
        printf("reconciled by %s; %u bundle%s retired\n", who, retired, retired == 1 ? "" : "s");
    }
    config_free(config);
    return r;
}
