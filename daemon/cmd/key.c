/*
 * certlined key rotate: another wrapping key. Works on the state directly, so the station is stopped
 * meanwhile; it takes as long as rewriting some hundred octets a secret takes.
 */
#include <stdio.h>
#include <string.h>

#include "app.h"
#include "cmd/cmd.h"
#include "config.h"

int cmd_key(const struct cmd_args *args)
{
    struct config *config = NULL;
    if (args->n_files != 1 || strcmp(args->files[0], "rotate") != 0) {
        fprintf(stderr, "certlined: key knows one thing to do: certlined key rotate\n");
        return CMD_USAGE;
    }
    int r = cmd_load(args, &config);
    if (r != CMD_DONE) {
        return r;
    }
    char who[64];
    uint32_t n = 0;
    struct err_info info = {0};
    int code = app_key_rotate(config, cmd_who(who, sizeof(who)), &n, &info);
    if (code < 0) {
        info.code = code;
        r = cmd_complain(&info);
    } else {
        printf("%u secret%s under the new wrapping key %s; take a backup of it\n", n, n == 1 ? "" : "s",
               config->key_file);
    }
    config_free(config);
    return r;
}
