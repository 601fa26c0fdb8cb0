/*
 * certlined lint: everything that is wrong with credentials, told before a board is touched.
 *
 * A file is one text (a certificate, a key, a pre-shared key), or rows of bundles in any form that the import
 * takes; a folder is pairs of PEM files. Texts are kept until all files were read, since a key in one file
 * and its certificate in another are judged together: those whose names differ only in what a tool adds to
 * them
 * (_crt, _prv …), or the only two there are.
 *
 * Needs no configuration and no daemon; with --product it judges by that product's rules.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/secret.h"
#include "cmd/cmd.h"
#include "cmd/lint_print.h"
#include "cmd/password.h"
#include "config.h"
#include "exchange/convert.h"
#include "exchange/lint.h"
#include "exchange/outfile.h"
#include "pki/chain.h"
#include "pki/decrypt.h"

/* One file with one text. */
struct item {
    const char *path; /* argv's */
    char *memory;     /* secret */
    struct span text;
    struct lint_credential credential;
    struct lint_report report;
    bool is_paired, is_fixed;
};

struct run {
    const struct cmd_args *args;
    struct config *config;         /* NULL without --product */
    const struct product *product; /* in it */
    struct chain *chain;
    struct lint *lint;
    struct lint_print print;
    struct item *items;
    size_t n_items;
    const char *file; /* whose rows are in hand */
    int rc;           /* the worst exit code so far that is no finding */
};

/* ---- texts */

/* Whether a pre-shared key's file ends in a line end, as editors leave it: it is no part of the key. */
static struct span without_line_end(struct span text)
{
    while (text.len > 0 && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r')) {
        text.len--;
    }
    return text;
}

static bool is_pem_type(int type)
{
    return type == CRED_CA || type == CRED_CLIENT_CERT || type == CRED_PRIVATE_KEY;
}

/* An encrypted key that its password opens is judged as what it is; the finding that it is encrypted stays,
 * since the file cannot be used as it stands. */
static int judge_decrypted(struct run *run, struct item *item)
{
    struct span password;
    struct err_info why = {0};
    struct pem opened;
    if (!password_get(&password, item->path)) {
        return 0;
    }
    int err = key_decrypt(item->text, password, &opened, &why);
    if (err == ERR_REFUSED || err == ERR_FORMAT) {
        pem_done(&opened);
        lint_add(&item->report, LINT_KEY_PASSWORD, CRED_PRIVATE_KEY, 1, "%s", why.text);
        return 0;
    }
    char *plain = err == 0 ? secret_alloc(CRED_CONTENT_MAX) : NULL;
    int64_t len = plain != NULL ? pem_write(&opened, (struct pem_style){.final_line_end = true}, plain,
                                            CRED_CONTENT_MAX)
                                : -ENOMEM;
    pem_done(&opened);
    if (len < 0) {
        secret_free(plain);
        return (int)len;
    }
    lint_credential_done(&item->credential);
    secret_free(item->memory);
    item->memory = plain;
    item->text = span_of(plain, (size_t)len);
    return lint_text(run->lint, CRED_PRIVATE_KEY, item->text, &item->report, &item->credential);
}

static bool has_finding(const struct lint_report *report, const char *name)
{
    for (size_t i = 0; i < report->n; i++) {
        if (strcmp(report->findings[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static int judge_text(struct run *run, struct item *item)
{
    int type = run->args->type != NULL ? cred_type_from_name(run->args->type) : lint_guess(item->text);
    bool looks_like_pem = memmem(item->text.at, item->text.len, "-----", 5) != NULL;
    if (type < 0 && !looks_like_pem) {
        lint_add(&item->report, LINT_NOT_CREDENTIAL, -1, 0,
                 "it is neither PEM nor a pre-shared key nor rows of bundles");
        return 0;
    }
    if (type < 0) {
        type = CRED_CLIENT_CERT; /* what is wrong with the form is the same for all */
    }
    struct span text = is_pem_type(type) ? item->text : without_line_end(item->text);
    int err = lint_text(run->lint, (enum cred_type)type, text, &item->report, &item->credential);
    return err == 0 && has_finding(&item->report, "key_encrypted") ? judge_decrypted(run, item) : err;
}

static int add_item(struct run *run, const char *path, char *memory, size_t len)
{
    struct item *items = realloc(run->items, (run->n_items + 1) * sizeof(*items));
    if (items == NULL) {
        secret_free(memory);
        return -ENOMEM;
    }
    run->items = items;
    struct item *item = &items[run->n_items++];
    *item = (struct item){.path = path, .memory = memory, .text = span_of(memory, len)};
    return judge_text(run, item);
}

/* ---- rows of bundles */

/* The credentials of a row: those that are there are judged, then together. */
static int judge_row_texts(struct run *run, const struct json *row, const struct lint_owner *owner,
                           struct lint_report *report)
{
    struct lint_credential all[CRED_TYPES] = {0};
    const struct lint_credential *have[CRED_TYPES] = {NULL};
    int err = 0;
    for (int i = 0; i < CRED_TYPES && err == 0; i++) {
        const char *text = json_as_text(json_get(row, cred_type_name((enum cred_type)i)));
        if (text != NULL) {
            err = lint_text(run->lint, (enum cred_type)i, span_str(text), report, &all[i]);
            have[i] = &all[i];
        }
    }
    if (err == 0) {
        err = lint_pair(run->lint, owner, have[CRED_CLIENT_CERT], have[CRED_PRIVATE_KEY], report);
    }
    if (err == 0) {
        err = lint_identity(run->lint, owner, have[CRED_PSK], have[CRED_PSK_IDENTITY], report);
        lint_room(run->lint, owner, have, report);
    }
    for (int i = 0; i < CRED_TYPES; i++) {
        lint_credential_done(&all[i]);
    }
    return err;
}

static int judge_row(void *ctx, uint32_t number, struct span text)
{
    struct run *run = ctx;
    struct lint_report report = {0};
    struct json *row = NULL;
    struct err_info why = {0};
    char place[LINT_WHAT_SIZE / 2];
    (void)snprintf(place, sizeof(place), "%s, row %u", run->file, (unsigned)number);
    int err = json_parse(text, JSON_DEPTH_USUAL, &row, &why);
    int64_t tag;
    if (err == -ENOMEM) {
        return err;
    }
    if (err != 0 || json_kind_of(row) != JSON_KIND_OBJECT) {
        lint_add(&report, LINT_ROW, -1, 0, "%s", err != 0 ? why.text : "it is no JSON object");
        err = 0;
    } else {
        const struct lint_owner owner = {.id = place, .imei = json_as_text(json_get(row, "imei"))};
        if (json_as_i64(json_get(row, "sec_tag"), &tag)) {
            lint_tag(tag, &report);
        }
        err = judge_row_texts(run, row, &owner, &report);
    }
    if (err == 0) {
        const char *id = json_as_text(json_get(row, "id"));
        err = lint_print_add(&run->print, &(struct lint_place){.file = run->file, .row = number, .id = id},
                             &report, false);
    }
    json_free(row);
    return err;
}

static int refuse_row(void *ctx, uint32_t number, const char *why)
{
    struct run *run = ctx;
    struct lint_report report = {0};
    lint_add(&report, LINT_ROW, -1, 0, "%s", why);
    return lint_print_add(&run->print, &(struct lint_place){.file = run->file, .row = number}, &report,
                          false);
}

static int lint_rows(struct run *run, enum convert_format format, const char *path, struct span text,
                     struct err_info *reterr)
{
    const struct convert_config config = {.device_id = run->product != NULL ? run->product->device_id : NULL,
                                          .row = judge_row,
                                          .refuse = refuse_row,
                                          .ctx = run};
    run->file = path;
    if (run->args->fix) {
        fprintf(stderr,
                "certlined: %s holds bundles: --fix mends single texts, and an import writes the canonical "
                "form of "
                "what it takes by itself\n",
                path);
    }
    switch (format) {
    case CONVERT_NDJSON:
        return convert_ndjson(&config, text, reterr);
    case CONVERT_CSV:
        return convert_csv(&config, text, reterr);
    case CONVERT_MANAGER:
        return convert_manager(&config, text, reterr);
    case CONVERT_FOLDER:
        return convert_folder(&config, path, reterr);
    }
    return ERR_INTERNAL;
}

/* ---- files */

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

/* Whether a file holds rows and not one text. */
static bool holds_rows(const char *path, struct span text)
{
    size_t at = 0;
    while (at < text.len && strchr(" \t\r\n", text.at[at]) != NULL && text.at[at] != '\0') {
        at++;
    }
    return (at < text.len && text.at[at] == '{') || ends_with(path, ".csv") || ends_with(path, ".ndjson");
}

static int lint_file(struct run *run, const char *path, int fd, struct err_info *reterr)
{
    char *memory = NULL;
    size_t len = 0;
    int err = convert_read_file(fd, CONVERT_FILE_MAX, &memory, &len, reterr);
    if (err != 0) {
        return err;
    }
    struct span text = span_of(memory, len);
    if (run->args->type == NULL && holds_rows(path, text)) {
        struct span beginning = span_of(memory, len < 65536 ? len : 65536);
        err = lint_rows(run, convert_guess(path, beginning), path, text, reterr);
        secret_free(memory);
        return err;
    }
    return add_item(run, path, memory, len);
}

static int lint_path(struct run *run, const char *path, struct err_info *reterr)
{
    struct stat st;
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return err_set(reterr, -errno, "%s", strerror(errno));
    }
    int err = S_ISDIR(st.st_mode) ? lint_rows(run, CONVERT_FOLDER, path, span_of(NULL, 0), reterr)
                                  : lint_file(run, path, fd, reterr);
    if (!is_stdin) {
        close(fd);
    }
    return err;
}

/* ---- pairs of files */

/* The length of a path without what tools add for the kind of content. */
static size_t stem_of(const char *path)
{
    static const char *const ends[] = {".pem", ".crt", ".cer", ".key", ".prv", NULL};
    static const char *const kinds[] = {"_crt", "_prv", "_cert", "_key", "-cert",
                                        "-key", ".crt", ".key",  NULL};
    size_t n = strlen(path);
    const char *const *const lists[] = {ends, kinds};
    for (size_t list = 0; list < 2; list++) {
        for (const char *const *end = lists[list]; *end != NULL; end++) {
            size_t m = strlen(*end);
            if (n > m && strncmp(path + n - m, *end, m) == 0) {
                n -= m;
                break;
            }
        }
    }
    return n;
}

static struct item *find_partner(struct run *run, const struct item *item, enum cred_type type)
{
    struct item *found = NULL;
    size_t n = 0, stem = stem_of(item->path);
    for (size_t i = 0; i < run->n_items; i++) {
        struct item *other = &run->items[i];
        if (other->credential.type != type || !is_pem_type((int)type) || other->is_paired) {
            continue;
        }
        if (stem_of(other->path) == stem && strncmp(other->path, item->path, stem) == 0) {
            return other;
        }
        found = other;
        n++;
    }
    return n == 1 ? found : NULL;
}

static size_t count_keys(const struct run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n_items; i++) {
        n += run->items[i].credential.key != NULL;
    }
    return n;
}

/* A key's partner by its name; the only certificate there is for the only key there is. */
static int judge_pairs(struct run *run)
{
    int err = 0;
    size_t n_keys = count_keys(run);
    for (size_t i = 0; i < run->n_items && err == 0; i++) {
        struct item *item = &run->items[i];
        if (item->credential.key == NULL) {
            continue;
        }
        struct item *cert = find_partner(run, item, CRED_CLIENT_CERT);
        bool is_named = cert != NULL && stem_of(cert->path) == stem_of(item->path) &&
                        strncmp(cert->path, item->path, stem_of(item->path)) == 0;
        cert = is_named || n_keys == 1 ? cert : NULL;
        item->is_paired = true;
        if (cert != NULL) {
            cert->is_paired = true;
        }
        const struct lint_owner owner = {.id = item->path};
        const struct lint_credential *have[CRED_TYPES] = {[CRED_CLIENT_CERT] =
                                                              cert != NULL ? &cert->credential : NULL,
                                                          [CRED_PRIVATE_KEY] = &item->credential};
        err = lint_pair(run->lint, &owner, have[CRED_CLIENT_CERT], &item->credential, &item->report);
        lint_room(run->lint, &owner, have, &item->report);
    }
    for (size_t i = 0; i < run->n_items && err == 0; i++) {
        struct item *item = &run->items[i];
        const struct lint_owner owner = {.id = item->path};
        if (!item->is_paired && item->credential.type == CRED_CLIENT_CERT) {
            err = lint_pair(run->lint, &owner, &item->credential, NULL, &item->report);
        } else if (item->credential.type == CRED_PSK) {
            err = lint_identity(run->lint, &owner, &item->credential, NULL, &item->report);
        }
    }
    return err;
}

/* ---- mending */

/* What is left when the canonical form stands in the file: faults of its form are gone, others stay. */
static void drop_mended(struct lint_report *report, const struct lint_credential *credential)
{
    size_t n = 0;
    for (size_t i = 0; i < report->n; i++) {
        const struct lint_finding *finding = &report->findings[i];
        bool is_form = strcmp(finding->name, "key_encrypted") == 0;
        for (size_t k = 0; k < credential->pem.n_findings; k++) {
            is_form = is_form ||
                      strcmp(finding->name, pem_fault_text(credential->pem.findings[k].fault)->name) == 0;
        }
        if (!is_form) {
            report->findings[n++] = *finding;
        }
    }
    report->n = n;
}

static mode_t mode_for(const struct item *item)
{
    struct stat st;
    mode_t mode = stat(item->path, &st) == 0 ? st.st_mode & 0777 : 0644;
    return cred_type_is_secret(item->credential.type) ? 0600 : mode;
}

static int fix(struct run *run, struct item *item)
{
    struct err_info why = {0};
    const char *to = run->args->output != NULL ? run->args->output : item->path;
    char *out = secret_alloc(CRED_CONTENT_MAX);
    int64_t len = out != NULL ? lint_canonical(run->lint, &item->credential, out, CRED_CONTENT_MAX) : -ENOMEM;
    if (len > 0 && strcmp(to, "-") != 0) {
        int err = outfile_write(to, mode_for(item), false, span_of(out, (size_t)len), &why);
        if (err != 0) {
            run->rc = cmd_complain(&why);
        } else {
            item->is_fixed = true;
            drop_mended(&item->report, &item->credential);
        }
    }
    secret_free(out);
    return len == -ENOMEM ? -ENOMEM : 0;
}

static int report_items(struct run *run)
{
    int err = judge_pairs(run);
    for (size_t i = 0; i < run->n_items && err == 0; i++) {
        struct item *item = &run->items[i];
        err = run->args->fix ? fix(run, item) : 0;
        if (err == 0) {
            err = lint_print_add(&run->print,
                                 &(struct lint_place){.file = item->path, .type = (int)item->credential.type},
                                 &item->report, item->is_fixed);
        }
    }
    return err;
}

/* ---- set up */

static int read_cas(struct run *run, const char *path)
{
    struct err_info why = {0};
    char *memory = NULL;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int err = fd >= 0 ? convert_read_file(fd, PEM_TEXT_MAX, &memory, &len, &why)
                      : err_set(&why, -errno, "%s", strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    err = err == 0 ? chain_new(span_of(memory, len), &run->chain, &why) : err;
    secret_free(memory);
    if (err != 0) {
        fprintf(stderr, "certlined: %s:%d: %s\n", path, why.line, why.text);
        return CMD_FAILED;
    }
    return CMD_DONE;
}

static int find_product(struct run *run, const char *name)
{
    int rc = cmd_load(run->args, &run->config);
    if (rc != CMD_DONE) {
        return rc;
    }
    run->product = config_find_product(run->config, name);
    if (run->product == NULL) {
        fprintf(stderr, "certlined: the configuration has no product %s\n", name);
        return CMD_USAGE;
    }
    if (run->chain == NULL && run->product->issuer.len > 0) {
        struct err_info why = {0};
        return chain_new(run->product->issuer, &run->chain, &why) == 0 ? CMD_DONE : cmd_complain(&why);
    }
    return CMD_DONE;
}

static int set_up(struct run *run)
{
    const struct cmd_args *args = run->args;
    if (args->type != NULL && cred_type_from_name(args->type) < 0) {
        fprintf(stderr,
                "certlined: there is no type %s; it is ca, client_cert, private_key, psk or psk_identity\n",
                args->type);
        return CMD_USAGE;
    }
    if (args->output != NULL && (!args->fix || args->n_files != 1)) {
        fprintf(stderr, "certlined: -o belongs to --fix with one file\n");
        return CMD_USAGE;
    }
    int rc = args->ca != NULL ? read_cas(run, args->ca) : CMD_DONE;
    if (rc == CMD_DONE && args->product != NULL) {
        rc = find_product(run, args->product);
    }
    if (rc != CMD_DONE) {
        return rc;
    }
    run->lint = lint_new(
        &(struct lint_config){.now_s = (int64_t)time(NULL), .chain = run->chain, .product = run->product});
    bool is_good = run->lint != NULL && lint_print_init(&run->print, args->json) == 0 &&
                   password_set_up(args->password_fd) == 0;
    return is_good ? CMD_DONE : cmd_complain(&(struct err_info){.code = -ENOMEM});
}

static void tear_down(struct run *run)
{
    for (size_t i = 0; i < run->n_items; i++) {
        lint_credential_done(&run->items[i].credential);
        secret_free(run->items[i].memory);
    }
    free(run->items);
    lint_free(run->lint);
    chain_free(run->chain);
    config_free(run->config);
    lint_print_done(&run->print);
    password_forget();
}

int cmd_lint(const struct cmd_args *args)
{
    struct run run = {.args = args, .rc = CMD_DONE};
    int rc = set_up(&run);
    if (rc != CMD_DONE) {
        tear_down(&run);
        return rc;
    }
    int err = 0;
    for (uint32_t i = 0; i < args->n_files && err != -ENOMEM; i++) {
        struct err_info why = {0};
        err = lint_path(&run, args->files[i], &why);
        if (err != 0) {
            fprintf(stderr, "certlined: %s: %s\n", args->files[i], why.text[0] ? why.text : err_text(err));
            run.rc = CMD_FAILED;
        }
    }
    if (report_items(&run) != 0) {
        run.rc = cmd_complain(&(struct err_info){.code = -ENOMEM});
    }
    rc = lint_print_end(&run.print);
    rc = run.rc != CMD_DONE ? run.rc : rc;
    tear_down(&run);
    return rc;
}
