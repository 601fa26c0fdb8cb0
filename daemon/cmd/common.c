/* What several commands do alike. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/cmd.h"
#include "config.h"

int cmd_load(const struct cmd_args *args, struct config **ret)
{
    static struct config_errors errors; /* 34 KB, once a process */
    if (config_load(args->config_path, ret, &errors) == 0) {
        return CMD_DONE;
    }
    for (uint32_t i = 0; i < errors.n; i++) {
        const struct err_info *item = &errors.items[i];
        if (item->line > 0) {
            fprintf(stderr, "%s:%d:%d: %s\n", args->config_path, item->line, item->column, item->text);
        } else {
            fprintf(stderr, "%s: %s\n", args->config_path, item->text);
        }
    }
    if (errors.more > 0) {
        fprintf(stderr, "%s: %u more mistakes are not shown\n", args->config_path, errors.more);
    }
    return CMD_CONFIG;
}

int cmd_exit_of(int code)
{
    switch (code) {
    case ERR_LOCKED:
        return CMD_LOCKED;
    case ERR_MARK:
    case ERR_NOT_FOUND:
        return CMD_PERSON;
    default: /* every other failure looks the same to a shell */
        return CMD_FAILED;
    }
}

int cmd_complain(const struct err_info *info)
{
    fprintf(stderr, "certlined: %s\n", info->text[0] ? info->text : err_text(info->code));
    return cmd_exit_of(info->code);
}

int cmd_print_json(struct json *value)
{
    char *text = value ? json_dump(value, JSON_FORM_PRETTY) : NULL;
    json_free(value);
    if (!text) {
        return cmd_complain(&(struct err_info){.code = -ENOMEM});
    }
    int r = printf("%s\n", text);
    free(text);
    return r < 0 || fflush(stdout) != 0 ? CMD_FAILED : CMD_DONE;
}

const char *cmd_who(char *memory, size_t size)
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
