/*
 * certlined import: bundles from files or standard input into the store.
 *
 * A running daemon takes them over its socket, since it alone writes its database; without one the state is
 * opened here. Both doors take pieces of whole lines and answer each with one tree, so that everything below
 * is the same for both. Pieces keep a request within the daemon's limits and its locked memory small, however
 * large the file is.
 *
 * Rows are numbered from the beginning of their file, whatever piece they came in. A row says its number in
 * its detail as well, counted from the piece's first line; those numbers are moved before they are shown.
 *
 * An import that broke off may simply be run again: what was taken is a duplicate then.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/http_client.h"
#include "cmd/pieces.h"
#include "config.h"

#define ANSWER_MAX ((size_t)16 * 1024 * 1024) /* a result for each of a piece's rows */

/* ---- two doors */

/* One of the two is open. */
struct door {
    const char *socket_path;   /* a daemon listens here; NULL: none does */
    struct app_direct *direct; /* the state itself */
};

static int open_door(const struct config *config, struct door *ret, struct err_info *reterr)
{
    *ret = (struct door){.socket_path = config->socket_path};
    struct err_info why = {0};
    int fd = http_connect(config->socket_path, &why);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    if (fd != -ENOENT && fd != -ECONNREFUSED) {
        return err_set(reterr, fd, "%s", why.text);
    }
    ret->socket_path = NULL;
    return app_direct_open(config, &ret->direct, reterr);
}

/* A problem document → what went wrong, in the daemon's own words. */
static int problem(const struct http_answer *answer, struct err_info *reterr)
{
    struct json *tree = NULL;
    const char *detail = NULL, *title = NULL, *reason = NULL;
    if (json_parse(span_of(answer->body, answer->body_len), JSON_DEPTH_USUAL, &tree, NULL) == 0) {
        detail = json_as_text(json_get(tree, "detail"));
        title = json_as_text(json_get(tree, "title"));
        reason = json_as_text(json_get(tree, "reason"));
    }
    bool needs_person = reason && (strcmp(reason, "mark_ahead") == 0 || strcmp(reason, "key_locked") == 0);
    int code = needs_person ? ERR_MARK : ERR_REFUSED;
    err_set(reterr, code, "the daemon answered %d: %s%s%s", answer->status, title ? title : "no reason",
            detail ? "; " : "", detail ? detail : "");
    json_free(tree);
    return code;
}

static int send_piece(const struct door *door, struct span piece, struct json **ret, struct err_info *reterr)
{
    if (!door->socket_path) {
        return app_direct_import(door->direct, piece, ret, reterr);
    }
    int fd = http_connect(door->socket_path, reterr);
    if (fd < 0) {
        return fd;
    }
    const struct http_request request = {.method = "POST",
                                         .target = "/api/v1/bundles",
                                         .content_type = "application/x-ndjson",
                                         .body = piece,
                                         .answer_max = ANSWER_MAX};
    struct http_answer answer = {0};
    int r = http_call(fd, &request, &answer, reterr);
    close(fd);
    if (r == 0) {
        r = answer.status == 200
                ? json_parse(span_of(answer.body, answer.body_len), JSON_DEPTH_USUAL, ret, reterr)
                : problem(&answer, reterr);
    }
    http_answer_done(&answer);
    return r;
}

/* ---- what is told */

struct totals {
    int64_t taken, duplicate, refused;
};

struct run {
    struct door door;
    struct totals totals;
    bool shows_progress;
    const char *file;  /* the one in hand */
    int64_t file_size; /* 0: not known */
};

static void clear_progress(const struct run *run)
{
    if (run->shows_progress) {
        fputs("\r\033[K", stderr);
    }
}

static void show_progress(const struct run *run, const struct pieces *pieces)
{
    if (!run->shows_progress) {
        return;
    }
    fprintf(stderr, "\r\033[K%s: %" PRIu64 " rows", run->file, pieces->n_lines + pieces->n_given);
    if (run->file_size > 0) {
        uint64_t done = pieces->n_octets - pieces->len + pieces->given;
        fprintf(stderr, ", %d %%", (int)(100 * done / (uint64_t)run->file_size));
    }
    fflush(stderr);
}

/* "(row 2, private_key)" → "(row 1002, private_key)" for a piece that begins behind row 1,000. */
static void print_detail(const char *detail, uint64_t rows_before)
{
    const char *at = detail;
    for (const char *row; (row = strstr(at, "row ")) != NULL;) {
        const char *number = row + 4;
        printf("%.*s", (int)(number - at), at);
        at = number;
        if (isdigit((unsigned char)*number)) {
            char *rest;
            unsigned long long n = strtoull(number, &rest, 10);
            printf("%llu", n + rows_before);
            at = rest;
        }
    }
    printf("%s\n", at);
}

static void print_refused(const struct run *run, uint64_t rows_before, const struct json *row)
{
    int64_t number = 0;
    const char *reason = json_as_text(json_get(row, "reason")),
               *detail = json_as_text(json_get(row, "detail"));
    json_as_i64(json_get(row, "row"), &number);
    clear_progress(run);
    printf("%s:%" PRIu64 ": %s: ", run->file, rows_before + (uint64_t)number, reason ? reason : "refused");
    print_detail(detail ? detail : "no detail was given", rows_before);
}

static int take_answer(struct run *run, uint64_t rows_before, const struct json *answer,
                       struct err_info *reterr)
{
    struct totals n = {0};
    const struct json *rows = NULL;
    int r = json_get_i64(answer, "taken", 0, INT32_MAX, &n.taken, reterr);
    r = r < 0 ? r : json_get_i64(answer, "duplicate", 0, INT32_MAX, &n.duplicate, reterr);
    r = r < 0 ? r : json_get_i64(answer, "refused", 0, INT32_MAX, &n.refused, reterr);
    r = r < 0 ? r : json_get_array(answer, "rows", &rows, reterr);
    if (r < 0) {
        return r;
    }
    run->totals.taken += n.taken;
    run->totals.duplicate += n.duplicate;
    run->totals.refused += n.refused;
    for (size_t i = 0; i < json_count(rows); i++) {
        const struct json *row = json_at(rows, i);
        const char *result = json_as_text(json_get(row, "result"));
        if (result && strcmp(result, "refused") == 0) {
            print_refused(run, rows_before, row);
        }
    }
    return 0;
}

/* ---- one file */

static void refuse_overlong(struct run *run, const struct pieces *pieces)
{
    run->totals.refused++;
    clear_progress(run);
    printf("%s:%" PRIu64
           ": row_invalid: the row is longer than %zu octets; is this a file with one bundle a line?\n",
           run->file, pieces->n_lines + 1, pieces->size);
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
            return err_set(reterr, kind, "%s cannot be read: %s", run->file, err_text(kind));
        }
        if (kind == PIECE_OVERLONG) {
            refuse_overlong(run, pieces);
            continue;
        }
        struct json *answer = NULL;
        int r = send_piece(&run->door, piece, &answer, reterr);
        r = r < 0 ? r : take_answer(run, pieces->n_lines, answer, reterr);
        json_free(answer);
        if (r < 0) {
            return r;
        }
        show_progress(run, pieces);
    }
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
    run->file = path;
    run->file_size = S_ISREG(st.st_mode) ? st.st_size : 0;
    struct pieces pieces;
    int r = pieces_init(&pieces, fd, PIECE_MAX);
    r = r < 0 ? err_set(reterr, r, "there is no memory to read %s", path)
              : import_pieces(run, &pieces, reterr);
    clear_progress(run);
    pieces_done(&pieces);
    if (!is_stdin) {
        close(fd);
    }
    return r;
}

/* ---- all of them */

static int import_all(const struct cmd_args *args, const struct config *config, struct run *run)
{
    struct err_info info = {0};
    int r = open_door(config, &run->door, &info);
    if (r < 0) {
        info.code = r;
        return cmd_complain(&info);
    }
    for (uint32_t i = 0; i < args->n_files && r == 0; i++) {
        r = import_file(run, args->files[i], &info);
    }
    app_direct_close(run->door.direct);
    const struct totals *n = &run->totals;
    printf("taken %" PRId64 ", duplicate %" PRId64 ", refused %" PRId64 "\n", n->taken, n->duplicate,
           n->refused);
    if (r == 0) {
        return n->refused > 0 ? CMD_REFUSED : CMD_DONE;
    }
    info.code = r;
    if (n->taken > 0) {
        fprintf(
            stderr,
            "certlined: what was taken stays; import again when it is mended, those rows are duplicates\n");
    }
    return cmd_complain(&info);
}

int cmd_import(const struct cmd_args *args)
{
    struct config *config = NULL;
    int r = cmd_load(args, &config);
    if (r != CMD_DONE) {
        return r;
    }
    struct run run = {.shows_progress = isatty(STDERR_FILENO) == 1};
    r = import_all(args, config, &run);
    config_free(config);
    return r;
}
