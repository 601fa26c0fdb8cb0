/*
 * exchange/convert and exchange/lint: the first octet chooses the format, the rest is a file. Properties:
 * rows come with rising numbers; what a converter makes is a JSON object with our members only; every row can
 * be judged, and what is judged to be sound has a canonical form.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "exchange/convert.h"
#include "exchange/lint.h"
#include "support/fuzz.h"

struct run {
    struct lint *lint;
    uint32_t last;
    bool is_made; /* by a converter: NDJSON goes through as it is */
};

static void judge(struct run *run, const struct json *row)
{
    static char out[CRED_CONTENT_MAX];
    struct lint_report report = {0};
    for (int type = 0; type < CRED_TYPES; type++) {
        const char *text = json_as_text(json_get(row, cred_type_name((enum cred_type)type)));
        struct lint_credential credential;
        if (text == NULL) {
            continue;
        }
        assert(lint_text(run->lint, (enum cred_type)type, span_str(text), &report, &credential) == 0);
        assert(credential.is_sound || lint_is_refused(&report) || report.is_cut);
        (void)lint_canonical(run->lint, &credential, out, sizeof(out));
        lint_credential_done(&credential);
    }
    for (size_t i = 0; i < report.n; i++) {
        assert(report.findings[i].what[0] != '\0' && report.findings[i].remedy[0] != '\0');
    }
}

static int take(void *ctx, uint32_t number, struct span text)
{
    static const char *const members[] = {"id",      "imei",         "product",     "lot",
                                          "sec_tag", "ca",           "client_cert", "private_key",
                                          "psk",     "psk_identity", NULL};
    struct run *run = ctx;
    struct json *row = NULL;
    assert(number > run->last);
    assert(memchr(text.at, '\n', text.len) == NULL);
    run->last = number;
    int rc = json_parse(text, JSON_DEPTH_USUAL, &row, NULL);
    assert(!run->is_made || (rc == 0 && json_check_members(row, members, NULL) == 0));
    if (rc == 0) {
        judge(run, row);
    }
    json_free(row);
    return 0;
}

static int refuse(void *ctx, uint32_t number, const char *why)
{
    struct run *run = ctx;
    assert(number > run->last && why[0] != '\0');
    run->last = number;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct span text = span_of((const char *)data + 1, size - 1);
    struct run run = {.lint = lint_new(&(struct lint_config){.now_s = LINT_CLOCK_SANE})};
    struct convert_config config = {.device_id = "nrf-imei", .row = take, .refuse = refuse, .ctx = &run};
    struct err_info why = {0};
    assert(run.lint != NULL);
    int rc = 0;
    switch (data[0] % 3) {
    case 0:
        rc = convert_ndjson(&config, text, &why);
        break;
    case 1:
        run.is_made = true;
        rc = convert_csv(&config, text, &why);
        break;
    case 2:
        run.is_made = true;
        rc = convert_manager(&config, text, &why);
        break;
    }
    assert(rc == 0 || (rc == ERR_FORMAT && why.text[0] != '\0') || rc == ERR_RANGE);
    (void)lint_guess(text);
    lint_free(run.lint);
    return 0;
}
