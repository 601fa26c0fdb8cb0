/*
 * certlined export: files for the clouds, of the boards that passed, into a folder. Each file appears whole
 * or not at all; files that were there under the same names are replaced. A board that its cloud would refuse
 * is left out and named on standard error; the exit code is 3 then.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "cmd/door.h"
#include "config.h"
#include "exchange/convert.h"
#include "exchange/export.h"
#include "exchange/outfile.h"
#include "exchange/template.h"

struct run {
    const struct cmd_args *args;
    struct door door;
    struct api_export what;
    char who[64];
    char *template; /* secret memory, since the reader of files makes no other */
    uint64_t n_rows, n_skipped, n_files;
};

/* ---- one part */

static void show_skipped(struct run *run)
{
    struct api_export_part part = {0};
    struct err_info why = {0};
    run->what.is_for_skipped = true;
    if (door_export(&run->door, &run->what, true, &part, &why) == 0 && part.body) {
        fprintf(stderr, "%.*s", (int)part.body_len, part.body);
    }
    run->what.is_for_skipped = false;
    door_part_done(&part);
}

/* A file a board is called by the board's name, which stands in it. */
static void file_name(enum export_format format, uint32_t n, const struct api_export_part *part,
                      char out[EXPORT_NAME_SIZE])
{
    struct json *tree = NULL;
    const char *name = NULL;
    if (format == EXPORT_MANAGER && json_parse(span_of(part->body, part->body_len), 4, &tree, NULL) == 0) {
        name = json_as_text(json_get(tree, "clientId"));
    }
    export_file_name(format, n, name ? name : "board", out);
    json_free(tree);
}

static int write_part(struct run *run, enum export_format format, uint32_t n,
                      const struct api_export_part *part, struct err_info *reterr)
{
    char name[EXPORT_NAME_SIZE], *path = NULL;
    if (part->rows == 0) {
        return 0; /* there is none, or all of them were left out: an empty file would look like an export */
    }
    file_name(format, n, part, name);
    if (asprintf(&path, "%s/%s", run->args->output, name) < 0) {
        return err_set(reterr, -ENOMEM, "no memory for a file's name");
    }
    mode_t mode = export_has_secrets(format, run->what.template) ? 0600 : 0640;
    int r = outfile_write(path, mode, false, span_of(part->body, part->body_len), reterr);
    free(path);
    run->n_files += r == 0;
    return r;
}

static int export_format(struct run *run, const char *name, struct err_info *reterr)
{
    enum export_format format = (enum export_format)export_format_from_name(name);
    char cursor[sizeof(((struct api_export_part *)NULL)->next)] = "";
    run->what.format = name;
    run->what.template = span_of(NULL, 0);
    if (format == EXPORT_TEMPLATE) {
        run->what.template = span_of(run->template, strlen(run->template));
    }
    for (uint32_t n = 1;; n++) {
        struct api_export_part part = {0};
        run->what.cursor = cursor[0] ? cursor : NULL;
        int r = door_export(&run->door, &run->what, false, &part, reterr);
        r = r < 0 ? r : write_part(run, format, n, &part, reterr);
        door_part_done(&part);
        if (r < 0) {
            return r;
        }
        run->n_rows += part.rows;
        run->n_skipped += part.n_skipped;
        if (part.n_skipped > 0) {
            show_skipped(run);
        }
        if (part.next[0] == '\0') {
            return 0;
        }
        memcpy(cursor, part.next, sizeof(cursor));
    }
}

/* ---- what is asked for */

static int read_time(const char *option, const char *text, int64_t *ret)
{
    if (text && clock_parse_rfc3339(text, ret) < 0) {
        fprintf(stderr, "certlined: --%s needs a time like 2026-11-20T08:00:00Z\n", option);
        return CMD_USAGE;
    }
    return CMD_DONE;
}

static int read_template(struct run *run)
{
    const char *path = run->args->template_file;
    struct err_info why = {0};
    struct template template;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int r = fd >= 0 ? convert_read_file(fd, TEMPLATE_SIZE_MAX, &run->template, &len, &why)
                    : err_set(&why, -errno, "%s", strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    r = r == 0 ? template_read(span_of(run->template, len), &template, &why) : r;
    if (r < 0) {
        fprintf(stderr, "certlined: %s:%d:%d: %s\n", path, why.line, why.column, why.text);
        return CMD_FAILED;
    }
    char *ended = secret_realloc(run->template, len + 1); /* its end is zero */
    run->template = ended ? ended : run->template;
    return ended ? CMD_DONE : cmd_complain(&(struct err_info){.code = -ENOMEM});
}

static int check_args(struct run *run)
{
    const struct cmd_args *args = run->args;
    bool wants_template = false;
    if (!args->output) {
        fprintf(stderr, "certlined: export needs -o FOLDER\n");
        return CMD_USAGE;
    }
    for (uint32_t i = 0; i < args->n_files; i++) {
        int format = export_format_from_name(args->files[i]);
        if (format < 0) {
            fprintf(stderr, "certlined: there is no export %s; certlined export --help names them\n",
                    args->files[i]);
            return CMD_USAGE;
        }
        wants_template = wants_template || format == EXPORT_TEMPLATE;
    }
    if (wants_template != (args->template_file != NULL)) {
        fprintf(stderr, "certlined: the export template and --template FILE belong together\n");
        return CMD_USAGE;
    }
    run->what.may_have_secrets = true; /* who may read the state may; the daemon judges for itself */
    run->what.who = cmd_who(run->who, sizeof(run->who));
    run->what.work_order = args->work_order;
    run->what.product = args->product;
    int r = read_time("from", args->from, &run->what.from_wall_ms);
    r = r == CMD_DONE ? read_time("to", args->to, &run->what.to_wall_ms) : r;
    return r == CMD_DONE && wants_template ? read_template(run) : r;
}

static int make_folder(const char *path)
{
    if (mkdir(path, 0750) == 0 || errno == EEXIST) {
        return CMD_DONE;
    }
    fprintf(stderr, "certlined: %s cannot be made: %s\n", path, strerror(errno));
    return CMD_FAILED;
}

static int export_all(struct run *run, const struct config *config)
{
    struct err_info why = {0};
    int r = door_open(config, &run->door, &why);
    for (uint32_t i = 0; i < run->args->n_files && r == 0; i++) {
        r = export_format(run, run->args->files[i], &why);
    }
    door_close(&run->door);
    if (r < 0) {
        why.code = r;
        return cmd_complain(&why);
    }
    printf("files %" PRIu64 ", boards %" PRIu64 ", left out %" PRIu64 "\n", run->n_files, run->n_rows,
           run->n_skipped);
    return run->n_skipped > 0 ? CMD_REFUSED : CMD_DONE;
}

int cmd_export(const struct cmd_args *args)
{
    struct run run = {.args = args};
    struct config *config = NULL;
    int r = check_args(&run);
    r = r == CMD_DONE ? cmd_load(args, &config) : r;
    r = r == CMD_DONE ? make_folder(args->output) : r;
    r = r == CMD_DONE ? export_all(&run, config) : r;
    config_free(config);
    secret_free(run.template);
    return r;
}
