/*
 * certlined reconcile: a person says that the database is the right one although its mark is ahead of it.
 * Works on the state directly: a station in this condition claims nothing, and whoever stands before it stops
 * it first.
 */
#include <stdio.h>

#include "app.h"
#include "cmd/cmd.h"
#include "config.h"

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
    int code =
        app_reconcile(config, cmd_who(who, sizeof(who)), args->reason, args->retire_unused, &retired, &info);
    if (code < 0) {
        info.code = code;
        r = cmd_complain(&info);
    } else {
        printf("reconciled by %s; %u bundle%s retired\n", who, retired, retired == 1 ? "" : "s");
    }
    config_free(config);
    return r;
}
