/*
 * {"files":[{"file":"a.pem","type":"client_cert","result":"refused","findings":[{"line":1,"column":28,
 *   "name":"literal_backslash_n","level":"refused","what":"…","why":"…","remedy":"…"}]},
 *  {"file":"b.ndjson","row":7,"id":"…","result":"good","findings":[]}],"good":1,"warned":0,"refused":1,"fixed":0}
 */
#include "cmd/lint_print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "cmd/cmd.h"

int lint_print_init(struct lint_print *print, bool is_json)
{
    *print = (struct lint_print){0};
    if (is_json) {
        print->files = json_new_array();
    }
    return !is_json || print->files != NULL ? 0 : -ENOMEM;
}

void lint_print_done(struct lint_print *print)
{
    json_free(print->files);
    print->files = NULL;
}

static bool has_warning(const struct lint_report *report)
{
    for (size_t i = 0; i < report->n; i++) {
        if (report->findings[i].level == LINT_WARNING) {
            return true;
        }
    }
    return false;
}

/* ---- for people */

static void show_finding(const struct lint_place *place, const struct lint_finding *finding)
{
    printf("%s:", place->file);
    if (place->row > 0) {
        printf("%" PRIu32 ":", place->row);
        if (finding->type >= 0) {
            printf("%s:", cred_type_name((enum cred_type)finding->type));
        }
    }
    if (finding->line > 0) {
        printf("%d:%d:", finding->line, finding->column);
    }
    printf(" %s: %s (%s)\n    why: %s\n    do:  %s\n", lint_level_name(finding->level), finding->what,
           finding->name, finding->why, finding->remedy);
}

static void show(const struct lint_place *place, const struct lint_report *report, bool is_fixed)
{
    if (is_fixed) {
        printf("%s: written in its canonical form\n", place->file);
    }
    for (size_t i = 0; i < report->n; i++) {
        show_finding(place, &report->findings[i]);
    }
    if (report->is_cut) {
        printf("%s: more was found than is shown\n", place->file);
    }
}

/* ---- for programs */

static struct json *finding_json(const struct lint_finding *finding)
{
    struct json *object = json_new_object();
    int r = 0;
    if (finding->type >= 0) {
        r |= json_put_text(object, "type", cred_type_name((enum cred_type)finding->type));
    }
    if (finding->line > 0) {
        r |= json_put_i64(object, "line", finding->line);
        r |= json_put_i64(object, "column", finding->column);
    }
    r |= json_put_text(object, "name", finding->name);
    r |= json_put_text(object, "level", lint_level_name(finding->level));
    r |= json_put_text(object, "what", finding->what);
    r |= json_put_text(object, "why", finding->why);
    r |= json_put_text(object, "remedy", finding->remedy);
    if (r != 0) {
        json_free(object);
        return NULL;
    }
    return object;
}

static int add_json(struct lint_print *print, const struct lint_place *place,
                    const struct lint_report *report, const char *result)
{
    struct json *object = json_new_object(), *findings = json_new_array();
    int r = json_put_text(object, "file", place->file);
    if (place->row > 0) {
        r |= json_put_i64(object, "row", place->row);
        if (place->id != NULL) {
            r |= json_put_text(object, "id", place->id);
        }
    } else if (place->type >= 0) {
        r |= json_put_text(object, "type", cred_type_name((enum cred_type)place->type));
    }
    r |= json_put_text(object, "result", result);
    for (size_t i = 0; i < report->n; i++) {
        r |= json_append(findings, finding_json(&report->findings[i]));
    }
    r |= json_put(object, "findings", findings);
    if (r != 0) {
        json_free(object);
        return -ENOMEM;
    }
    return json_append(print->files, object);
}

int lint_print_add(struct lint_print *print, const struct lint_place *place, const struct lint_report *report,
                   bool is_fixed)
{
    bool is_refused = lint_is_refused(report), is_warned = !is_refused && has_warning(report);
    print->n_refused += is_refused;
    print->n_warned += is_warned;
    print->n_good += !is_refused && !is_warned;
    print->n_fixed += is_fixed;
    if (print->files != NULL) {
        return add_json(print, place, report,
                        is_refused  ? "refused"
                        : is_fixed  ? "fixed"
                        : is_warned ? "warned"
                                    : "good");
    }
    show(place, report, is_fixed);
    return 0;
}

static int print_tree(struct lint_print *print)
{
    struct json *tree = json_new_object();
    struct json *files = print->files;
    print->files = NULL;
    int r = json_put(tree, "files", files);
    r |= json_put_i64(tree, "good", (int64_t)print->n_good);
    r |= json_put_i64(tree, "warned", (int64_t)print->n_warned);
    r |= json_put_i64(tree, "refused", (int64_t)print->n_refused);
    r |= json_put_i64(tree, "fixed", (int64_t)print->n_fixed);
    if (r != 0) {
        json_free(tree);
        tree = NULL;
    }
    return cmd_print_json(tree);
}

int lint_print_end(struct lint_print *print)
{
    int rc = CMD_DONE;
    if (print->files != NULL) {
        rc = print_tree(print);
    } else {
        printf("good %" PRIu64 ", with warnings %" PRIu64 ", refused %" PRIu64 ", fixed %" PRIu64 "\n",
               print->n_good, print->n_warned, print->n_refused, print->n_fixed);
        rc = fflush(stdout) == 0 ? CMD_DONE : CMD_FAILED;
    }
    return rc == CMD_DONE && print->n_refused > 0 ? CMD_REFUSED : rc;
}
