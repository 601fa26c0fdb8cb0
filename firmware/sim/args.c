/* There is no escape in a quoted AT string: it ends at the next quote, whatever stands before it. */
#include "sim/args.h"

#include <string.h>

static void skip_blanks(struct sim_args *a)
{
    while (a->at < a->end && (unsigned char)*a->at <= ' ')
        a->at++;
}

struct sim_args sim_args_begin(const char *at, size_t len)
{
    struct sim_args a = {.at = at, .end = at + len};
    skip_blanks(&a);
    return a;
}

bool sim_args_more(const struct sim_args *a)
{
    return !a->is_wrong && a->at < a->end;
}

/* Steps over the comma before every parameter but the first. */
static bool next(struct sim_args *a)
{
    if (a->is_wrong)
        return false;
    if (a->has_begun) {
        if (a->at == a->end || *a->at != ',') {
            a->is_wrong = true;
            return false;
        }
        a->at++;
        skip_blanks(a);
    }
    a->has_begun = true;
    return true;
}

bool sim_args_empty(struct sim_args *a)
{
    struct sim_args look = *a;

    if (!next(&look) || (look.at < look.end && *look.at != ','))
        return false;
    *a = look;
    return true;
}

uint32_t sim_args_number(struct sim_args *a, uint32_t max)
{
    if (!next(a))
        return 0;

    uint64_t value = 0;
    const char *start = a->at;
    while (a->at < a->end && *a->at >= '0' && *a->at <= '9' && value <= UINT32_MAX)
        value = value * 10 + (uint64_t)(*a->at++ - '0');
    if (a->at == start || value > max) {
        a->is_wrong = true;
        return 0;
    }
    skip_blanks(a);
    return (uint32_t)value;
}

const char *sim_args_string(struct sim_args *a, size_t *ret_len)
{
    if (!next(a))
        return NULL;

    const char *close = NULL;
    if (a->at < a->end && *a->at == '"')
        close = memchr(a->at + 1, '"', (size_t)(a->end - a->at - 1));
    if (!close) {
        a->is_wrong = true;
        return NULL;
    }
    const char *text = a->at + 1;
    *ret_len = (size_t)(close - text);
    a->at = close + 1;
    skip_blanks(a);
    return text;
}

bool sim_args_end(struct sim_args *a)
{
    if (a->at < a->end)
        a->is_wrong = true;
    return !a->is_wrong;
}
