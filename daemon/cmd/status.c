/* certlined status: the slots as the running daemon sees them, a line each. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/cmd.h"
#include "cmd/http_client.h"
#include "config.h"

#define ANSWER_MAX ((size_t)16 * 1024 * 1024)

static int ask(const struct config *config, struct json **ret, struct err_info *reterr)
{
    int fd = http_connect(config->socket_path, reterr);
    if (fd < 0) {
        return fd;
    }
    const struct http_request request = {
        .method = "GET", .target = "/api/v1/slots", .answer_max = ANSWER_MAX};
    struct http_answer answer = {0};
    int r = http_call(fd, &request, &answer, reterr);
    close(fd);
    if (r == 0 && answer.status != 200) {
        r = err_set(reterr, ERR_REFUSED, "the daemon answered %d to %s", answer.status, request.target);
    }
    r = r < 0 ? r : json_parse(span_of(answer.body, answer.body_len), JSON_DEPTH_USUAL, ret, reterr);
    http_answer_done(&answer);
    return r;
}

/* A heading, and where its text is: a member of the slot, or of one of its members; else what stands in for
 * it. */
static const struct column {
    const char *heading, *outer, *inner, *other;
} columns[] = {
    {"SLOT", NULL, "id", NULL},
    {"STATE", NULL, "state", NULL},
    {"IMEI", "board", "imei", NULL},
    {"ORDER", NULL, "work_order", NULL},
    {"STEP", NULL, "step", NULL},
    {"VERDICT", "verdict", "outcome", NULL},
    {"REASON", "verdict", "reason", "waiting_for"},
};
#define COLUMNS (sizeof(columns) / sizeof(*columns))

static const char *cell(const struct json *slot, const struct column *column)
{
    const struct json *from = column->outer ? json_get(slot, column->outer) : slot;
    const char *text = json_as_text(json_get(from, column->inner));
    text = !text && column->other ? json_as_text(json_get(slot, column->other)) : text;
    return text ? text : "-";
}

static void print_row(const char *const cells[COLUMNS], const int widths[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++) {
        printf("%-*s%s", i + 1 < COLUMNS ? widths[i] : 0, cells[i], i + 1 < COLUMNS ? "  " : "\n");
    }
}

static void print_table(const struct json *slots)
{
    int widths[COLUMNS];
    const char *cells[COLUMNS];
    for (size_t k = 0; k < COLUMNS; k++) {
        widths[k] = (int)strlen(columns[k].heading);
        cells[k] = columns[k].heading;
        for (size_t i = 0; i < json_count(slots); i++) {
            int len = (int)strlen(cell(json_at(slots, i), &columns[k]));
            widths[k] = len > widths[k] ? len : widths[k];
        }
    }
    print_row(cells, widths);
    for (size_t i = 0; i < json_count(slots); i++) {
        for (size_t k = 0; k < COLUMNS; k++) {
            cells[k] = cell(json_at(slots, i), &columns[k]);
        }
        print_row(cells, widths);
    }
}

int cmd_status(const struct cmd_args *args)
{
    struct config *config = NULL;
    int r = cmd_load(args, &config);
    if (r != CMD_DONE) {
        return r;
    }
    struct json *answer = NULL;
    struct err_info info = {0};
    int code = ask(config, &answer, &info);
    if (code < 0) {
        info.code = code;
        r = cmd_complain(&info);
    } else if (args->json) {
        r = cmd_print_json(answer);
        answer = NULL;
    } else {
        print_table(json_get(answer, "slots"));
    }
    json_free(answer);
    config_free(config);
    return r;
}
