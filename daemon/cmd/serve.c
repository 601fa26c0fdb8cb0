/* certlined serve: the station itself, until it is told to stop. */
#include "app.h"
#include "cmd/cmd.h"
#include "config.h"

int cmd_serve(const struct cmd_args *args)
{
    struct config *config = NULL;
    int r = cmd_load(args, &config);
    if (r != CMD_DONE) {
        return r;
    }
    struct err_info info = {0};
    int code = app_serve(config, &info);
    if (code < 0) {
        info.code = code;
        r = cmd_complain(&info);
    }
    config_free(config);
    return r;
}
