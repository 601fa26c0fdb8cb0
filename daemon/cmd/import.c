/*
 * certlined import: bundles from files, folders or standard input into the store.
 *
 * NDJSON goes in pieces as it is read and CSV block by block, however large the file is and whatever is added
 * to its rows; a folder goes pair by pair, and only Certificate Manager's JSON is read whole. Pieces keep a
 * request within the daemon's limits and its locked memory small.
 *
 * An import that broke off may simply be run again: what was taken is a duplicate then. A file's digest and
 * what became of its rows go on record when it was read to its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "cmd/door.h"
#include "cmd/generate.h"
#include "cmd/pieces.h"
#include "cmd/progress.h"
#include "cmd/rows.h"
#include "config.h"
#include "exchange/convert.h"
#include "pki/digest.h"
#include "store/store.h"

struct run {
    const struct cmd_args *args;
    const struct config *config;
    const struct product *product; /* of --product; NULL: not given */
    struct door door;
    struct rows rows;
    int64_t file_size;    /* 0: not known */
    bool is_amended;      /* rows that are NDJSON get a product or a lot */
    uint32_t rows_before; /* the piece of them that is at work */
    uint32_t last_row;    /* of what is converted, the last one */
    uint64_t n_octets;    /* of a CSV, read so far */
    uint32_t n_misfits;   /* files that hold no bundles at all */
    struct sha256 digest;
};

static void show_progress(const struct run *run, const struct pieces *pieces)
{
    if (run->rows.shows_progress) {
        progress_show(run->rows.file, pieces->n_octets - pieces->len + pieces->given,
                      (uint64_t)run->file_size, pieces->n_lines + pieces->n_given);
    }
}

/* ---- Ctrl-C */

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

/* The piece under way is finished, so that what is counted is what was taken. A second one ends it at once.
 */
static void hear_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static int check_interrupted(struct err_info *reterr)
{
    return is_interrupted ? err_set(reterr, -EINTR, "interrupted") : 0;
}

/* ---- rows that are made of something else */

static int give_row(void *ctx, uint32_t number, struct span json)
{
    struct run *run = ctx;
    int r = rows_add(&run->rows, number, json);
    run->last_row = number;
    return r < 0 ? r : check_interrupted(&run->rows.failure);
}

static int give_folder_row(void *ctx, uint32_t number, struct span json)
{
    sha256_add(&((struct run *)ctx)->digest, json);
    sha256_add(&((struct run *)ctx)->digest, span_str("\n"));
    return give_row(ctx, number, json);
}

static int refuse_row(void *ctx, uint32_t number, const char *why)
{
    struct run *run = ctx;
    rows_refuse(&run->rows, number, "row_invalid", why);
    return 0;
}

static struct convert_config convert_config_of(struct run *run)
{
    return (struct convert_config){.product = run->args->product,
                                   .lot = run->args->lot,
                                   .device_id = run->product ? run->product->device_id : NULL,
                                   .row = give_row,
                                   .refuse = refuse_row,
                                   .ctx = run};
}

/* ---- NDJSON, a piece at a time */

static void refuse_overlong(struct run *run, const struct pieces *pieces)
{
    char detail[120];
    (void)snprintf(detail, sizeof(detail),
                   "the row is longer than %zu octets; is this a file with one bundle a line?", pieces->size);
    rows_refuse(&run->rows, pieces->n_lines + 1, "row_invalid", detail);
}

static int give_amended(void *ctx, uint32_t number, struct span json)
{
    struct run *run = ctx;
    return rows_add(&run->rows, run->rows_before + number, json);
}

static int refuse_amended(void *ctx, uint32_t number, const char *why)
{
    struct run *run = ctx;
    rows_refuse(&run->rows, run->rows_before + number, "row_invalid", why);
    return 0;
}

/* Rows that name no product or lot get the one of the command line. */
static int amend_piece(struct run *run, struct span piece, uint64_t rows_before, struct err_info *reterr)
{
    struct convert_config config = convert_config_of(run);
    struct err_info why = {0};
    config.row = give_amended;
    config.refuse = refuse_amended;
    run->rows_before = (uint32_t)rows_before;
    int r = convert_ndjson(&config, piece, &why);
    r = r == 0 ? rows_flush(&run->rows) : r;
    if (r < 0) {
        return err_set(reterr, r, "%s",
                       run->rows.failure.code != 0 ? run->rows.failure.text
                       : why.text[0]               ? why.text
                                                   : err_text(r));
    }
    return 0;
}

static int import_pieces(struct run *run, struct pieces *pieces, struct err_info *reterr)
{
    for (;;) {
        struct span piece;
        int kind = pieces_next(pieces, &piece);
        if (kind == PIECE_END) {
            return 0;
        }
        if (kind < 0) {
            return err_set(reterr, kind, "%s cannot be read: %s", run->rows.file, err_text(kind));
        }
        if (kind == PIECE_OVERLONG) {
            refuse_overlong(run, pieces);
            continue;
        }
        int r = run->is_amended ? amend_piece(run, piece, pieces->n_lines, reterr)
                                : rows_send(&run->rows, piece, pieces->n_lines, reterr);
        r = r < 0 ? r : check_interrupted(reterr);
        if (r < 0) {
            return r;
        }
        show_progress(run, pieces);
    }
}

static int import_stream(struct run *run, int fd, struct err_info *reterr)
{
    struct pieces pieces;
    int r = pieces_init(&pieces, fd, PIECE_MAX);
    pieces.digest = &run->digest;
    r = r < 0 ? err_set(reterr, r, "there is no memory to read %s", run->rows.file)
              : import_pieces(run, &pieces, reterr);
    pieces_done(&pieces);
    return r;
}

/* ---- what is converted */

static void take_octets(void *ctx, struct span octets)
{
    struct run *run = ctx;
    sha256_add(&run->digest, octets);
    run->n_octets += octets.len;
    if (run->rows.shows_progress) {
        progress_show(run->rows.file, run->n_octets, (uint64_t)run->file_size,
                      run->last_row > 0 ? run->last_row - 1 : 0); /* without the header */
    }
}

static int convert_whole(struct run *run, int fd, struct err_info *reterr)
{
    const struct convert_config config = convert_config_of(run);
    char *memory = NULL;
    size_t len = 0;
    int r = convert_read_file(fd, CONVERT_FILE_MAX, &memory, &len, reterr);
    if (r == 0) {
        sha256_add(&run->digest, span_of(memory, len));
        r = convert_manager(&config, span_of(memory, len), reterr);
    }
    secret_free(memory);
    return r;
}

static int convert_file(struct run *run, enum convert_format format, int fd, struct err_info *reterr)
{
    const struct convert_config config = convert_config_of(run);
    switch (format) {
    case CONVERT_CSV:
        run->n_octets = 0;
        return convert_csv_file(&config, fd, take_octets, reterr);
    case CONVERT_MANAGER:
        return convert_whole(run, fd, reterr);
    case CONVERT_NDJSON: /* comes in pieces */
    case CONVERT_FOLDER:
        break;
    }
    return err_set(reterr, ERR_REFUSED, "it is a file, and the format is that of a folder");
}

static int import_converted(struct run *run, enum convert_format format, int fd, struct err_info *reterr)
{
    struct err_info why = {0};
    int r = convert_file(run, format, fd, &why);
    r = r == 0 ? rows_flush(&run->rows) : r;
    if (r == 0) {
        return 0;
    }
    if (run->rows.failure.code != 0) {
        return err_set(reterr, r, "%s", run->rows.failure.text);
    }
    return why.line > 0 ? err_set(reterr, r, "%s: record %d: %s", run->rows.file, why.line, why.text)
                        : err_set(reterr, r, "%s: %s", run->rows.file, why.text[0] ? why.text : err_text(r));
}

static int import_folder(struct run *run, struct err_info *reterr)
{
    struct convert_config config = convert_config_of(run);
    config.row = give_folder_row;
    int r = convert_folder(&config, run->rows.file, reterr);
    r = r == 0 ? rows_flush(&run->rows) : r;
    return r < 0 && run->rows.failure.code != 0 ? err_set(reterr, r, "%s", run->rows.failure.text) : r;
}

/* ---- one file */

/* What the file is: as was said, or by its name and its first octets, which only a regular file gives twice.
 * *ret_misfit says what it is instead, when that was not said and it cannot be bundles. */
static enum convert_format format_of(const struct run *run, int fd, const struct stat *st,
                                     const char **ret_misfit)
{
    *ret_misfit = NULL;
    if (run->args->format) {
        return (enum convert_format)convert_format_from_name(run->args->format);
    }
    if (S_ISDIR(st->st_mode)) {
        return CONVERT_FOLDER;
    }
    char octets[4096];
    ssize_t n = S_ISREG(st->st_mode) ? pread(fd, octets, sizeof(octets), 0) : 0;
    struct span beginning = span_of(octets, n > 0 ? (size_t)n : 0);
    enum convert_format format = convert_guess(run->rows.file, beginning);
    *ret_misfit = format == CONVERT_NDJSON ? convert_misfit(beginning) : NULL;
    secret_wipe(octets, sizeof(octets));
    return format;
}

static int record_file(struct run *run, enum convert_format format, const struct rows_totals *before,
                       struct err_info *reterr)
{
    struct store_import_file file = {.taken = run->rows.totals.taken - before->taken,
                                     .duplicate = run->rows.totals.duplicate - before->duplicate,
                                     .refused = run->rows.totals.refused - before->refused};
    const char *slash = strrchr(run->rows.file, '/');
    const char *name = slash && slash[1] ? slash + 1 : run->rows.file;
    buf_copy(file.name, sizeof(file.name), span_str(strcmp(name, "-") == 0 ? "standard input" : name));
    buf_copy(file.format, sizeof(file.format), span_str(convert_format_name(format)));
    const char *who = getenv("SUDO_USER");
    buf_copy(file.who, sizeof(file.who), span_str(who ? who : getenv("USER") ? getenv("USER") : ""));
    sha256_finish(&run->digest, &file.sha256);
    return run->rows.is_dry_run ? 0 : door_record(&run->door, &file, reterr);
}

static int import_open_file(struct run *run, int fd, const struct stat *st, struct err_info *reterr)
{
    struct rows_totals before = run->rows.totals;
    const char *misfit = NULL;
    enum convert_format format = format_of(run, fd, st, &misfit);
    if (misfit) { /* said once, and not for each of its lines */
        fprintf(stderr, "certlined: %s %s\n", run->rows.file, misfit);
        run->n_misfits++;
        return 0;
    }
    run->is_amended = run->args->product || run->args->lot;
    run->file_size = S_ISREG(st->st_mode) ? st->st_size : 0;
    sha256_init(&run->digest);
    int r = format == CONVERT_NDJSON                           ? import_stream(run, fd, reterr)
            : format == CONVERT_FOLDER && S_ISDIR(st->st_mode) ? import_folder(run, reterr)
                                                               : import_converted(run, format, fd, reterr);
    rows_clear_progress(&run->rows);
    r = r == 0 ? record_file(run, format, &before, reterr) : r;
    sha256_done(&run->digest);
    return r;
}

static int import_file(struct run *run, const char *path, struct err_info *reterr)
{
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st = {0};
    if (fd < 0 || fstat(fd, &st) < 0) {
        int code = -errno;
        return err_set(reterr, code, "%s cannot be opened: %s", path, err_text(code));
    }
    run->rows.file = path;
    int r = import_open_file(run, fd, &st, reterr);
    if (!is_stdin) {
        close(fd);
    }
    return r;
}

/* ---- all of them */

static int finish(struct run *run, int r, struct err_info *info)
{
    const struct rows_totals *n = &run->rows.totals;
    printf("%staken %" PRId64 ", duplicate %" PRId64 ", refused %" PRId64 "\n",
           run->rows.is_dry_run ? "dry run: " : "", n->taken, n->duplicate, n->refused);
    if (r == 0) {
        return n->refused > 0 || run->n_misfits > 0 ? CMD_REFUSED : CMD_DONE;
    }
    info->code = r;
    if (n->taken > 0 && !run->rows.is_dry_run) {
        fprintf(stderr, "certlined: what was taken stays; import again%s, those rows are duplicates\n",
                r == -EINTR ? "" : " when it is mended");
    }
    return cmd_complain(info);
}

static int import_all(struct run *run)
{
    struct err_info info = {0};
    int r = door_open(run->config, &run->door, &info);
    if (r < 0) {
        info.code = r;
        return cmd_complain(&info);
    }
    run->rows.door = &run->door;
    for (uint32_t i = 0; i < run->args->n_files && r == 0; i++) {
        r = import_file(run, run->args->files[i], &info);
    }
    rows_done(&run->rows);
    door_close(&run->door);
    return finish(run, r, &info);
}

/* What the command line alone says. */
static int check_usage(const struct cmd_args *args)
{
    if (args->format && convert_format_from_name(args->format) < 0) {
        fprintf(stderr, "certlined: there is no format %s; it is ndjson, csv, manager or folder\n",
                args->format);
        return CMD_USAGE;
    }
    if ((args->n_files > 0) == (args->generate_psk != NULL)) {
        fprintf(stderr, "certlined: import needs a file, or --generate-psk and none\n");
        return CMD_USAGE;
    }
    if (args->output && !args->generate_psk) {
        fprintf(stderr, "certlined: -o belongs to --generate-psk\n");
        return CMD_USAGE;
    }
    return CMD_DONE;
}

static int find_product(struct run *run)
{
    const struct cmd_args *args = run->args;
    if (args->product) {
        run->product = config_find_product(run->config, args->product);
        if (!run->product) {
            fprintf(stderr, "certlined: the configuration has no product %s\n", args->product);
            return CMD_USAGE;
        }
    }
    return CMD_DONE;
}

int cmd_import(const struct cmd_args *args)
{
    struct config *config = NULL;
    int r = check_usage(args);
    r = r == CMD_DONE ? cmd_load(args, &config) : r;
    if (r != CMD_DONE) {
        return r;
    }
    struct run run = {.args = args,
                      .config = config,
                      .rows = {.is_dry_run = args->dry_run, .shows_progress = isatty(STDERR_FILENO) == 1}};
    r = find_product(&run);
    struct cmd_args made; /* the file that was generated is imported as any other */
    char *files[] = {NULL};
    if (r == CMD_DONE && args->generate_psk) {
        r = generate_psk(args, run.product);
        made = *args;
        files[0] = (char *)(uintptr_t)args->output;
        made.files = files;
        made.n_files = 1;
        made.format = convert_format_name(CONVERT_CSV);
        run.args = &made;
    }
    if (r == CMD_DONE) {
        hear_signals();
        r = import_all(&run);
    }
    config_free(config);
    return r;
}
