#include "exchange/row_warn.h"

#include <string.h>

static void warn(struct row_warnings *w, enum lint_fault fault, const char *member)
{
    if (w->n < ROW_WARNINGS_MAX) {
        w->at[w->n++] = (struct row_warning){fault, member};
    }
}

static void warn_of_dates(struct row_warnings *w, const struct cert *cert, const char *member, int64_t now_s)
{
    if (now_s == CONTENT_TIME_UNKNOWN) {
        return;
    }
    if (now_s >= LINT_CLOCK_SANE) {
        if (cert->not_before_s > now_s) {
            warn(w, LINT_CERT_EARLY, member);
        }
    } else if (!w->has_told_clock) {
        w->has_told_clock = true;
        warn(w, LINT_CLOCK, NULL);
    }
}

void row_warn_content(struct row_warnings *w, const struct content *content, int64_t now_s)
{
    const char *member = cred_type_name(content->type);
    switch (content->type) {
    case CRED_CA:
    case CRED_CLIENT_CERT:
        warn_of_dates(w, &content->cert, member, now_s);
        if (content->cert.is_ca != (content->type == CRED_CA)) {
            warn(w, content->type == CRED_CA ? LINT_NO_CA : LINT_CA_AS_CLIENT, member);
        }
        break;
    case CRED_PSK:
        if (content->text.len < (size_t)2 * LINT_PSK_OCTETS_MIN) {
            warn(w, LINT_PSK_SHORT, member);
        }
        break;
    case CRED_PRIVATE_KEY:
    case CRED_PSK_IDENTITY:
        break;
    }
}

/* A line end more than an octet, and the last one, as the product has them. */
static size_t length_in_style(const struct product *product, struct span canonical)
{
    size_t breaks = 0;
    for (size_t i = 0; i < canonical.len; i++) {
        breaks += canonical.at[i] == '\n';
    }
    size_t len = canonical.len + (product->is_crlf ? breaks : 0);
    return product->final_line_end || breaks == 0 ? len : len - (product->is_crlf ? 2 : 1);
}

void row_warn_length(struct row_warnings *w, const struct product *product, enum cred_type type,
                     struct span canonical)
{
    bool is_pem = type != CRED_PSK && type != CRED_PSK_IDENTITY;
    size_t len = is_pem ? length_in_style(product, canonical) : canonical.len;
    for (uint32_t i = 0; i < product->n_entries; i++) {
        const struct product_entry *entry = &product->entries[i];
        if (entry->type == type && entry->from_bundle &&
            lint_command_length(product, entry->sec_tag, len) > LINT_HOST_COMMAND_MAX) {
            warn(w, LINT_HOST_LENGTH, cred_type_name(type));
            return;
        }
    }
}
