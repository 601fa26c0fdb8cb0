/* What a browser and a program may do with an answer, said with every one of them. */
#include <stdio.h>
#include <string.h>

#include "api/response.h"

/* A page may load what this server has, and nothing that stands in the page itself. */
static const char policy_of_pages[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
static const char policy_of_data[] = "default-src 'none'; frame-ancestors 'none'";

void response_headers(const struct response *r, void (*add)(void *ctx, const char *name, const char *value),
                      void *ctx)
{
    bool is_page = r->content_type != NULL && strncmp(r->content_type, "text/html", 9) == 0;
    char retry[16], rows[16], skipped[16];

    snprintf(retry, sizeof(retry), "%d", r->retry_after_s);
    snprintf(rows, sizeof(rows), "%u", r->rows);
    snprintf(skipped, sizeof(skipped), "%u", r->skipped);
    const struct {
        bool is_said;
        const char *name, *value;
    } lines[] = {
        {r->content_type != NULL, "Content-Type", r->content_type},
        {*r->allow != '\0', "Allow", r->allow},
        {r->retry_after_s > 0, "Retry-After", retry},
        {r->is_part && *r->next != '\0', "Certline-Next", r->next},
        {r->is_part, "Certline-Rows", rows},
        {r->is_part, "Certline-Skipped", skipped},
        {*r->etag != '\0', "ETag", r->etag},
        {r->is_repeated, "Idempotency-Replayed", "true"},
        {true, "Cache-Control", r->may_be_kept ? "no-cache" : "no-store"},
        {true, "X-Content-Type-Options", "nosniff"},
        {true, "Referrer-Policy", "no-referrer"},
        {true, "Cross-Origin-Resource-Policy", "same-origin"},
        {true, "Content-Security-Policy", is_page ? policy_of_pages : policy_of_data},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (lines[i].is_said) {
            add(ctx, lines[i].name, lines[i].value);
        }
    }
}
