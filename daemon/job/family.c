/* Versions and rules. The version is the first d.d.d between '-', '_' or the ends, as Nordic's own tools read
 * it. */
#include "job/family.h"

#include <string.h>

struct version {
    uint32_t part[3];
    bool is_known;
};

static const struct family_traits traits[] = {
    [FAMILY_UNKNOWN] = {"unknown", true, false, false},
    [FAMILY_0] = {"F0", false, false, false},
    [FAMILY_1] = {"F1", false, false, false},
    [FAMILY_1_3A] = {"F1.3a", false, false, false},
    [FAMILY_1_3B] = {"F1.3b", true, false, false},
    [FAMILY_2A] = {"F2a", true, false, true},
    [FAMILY_2B] = {"F2b", true, true, true},
    [FAMILY_NTN] = {"FN", true, true, true},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads "d.d.d" at the start of `text`; false when it is something else. */
static bool read_version(struct span text, struct version *ret)
{
    struct version v = {.is_known = true};
    size_t at = 0;
    for (int i = 0; i < 3; i++) {
        if (i > 0 && (at >= text.len || text.at[at++] != '.')) {
            return false;
        }
        if (at >= text.len || !is_digit(text.at[at])) {
            return false;
        }
        for (; at < text.len && is_digit(text.at[at]) && v.part[i] < 100000; at++) {
            v.part[i] = v.part[i] * 10 + (uint32_t)(text.at[at] - '0');
        }
    }
    *ret = v;
    return true;
}

static struct version find_version(struct span text)
{
    struct version v = {{0, 0, 0}, false};
    for (size_t i = 0; i < text.len; i++) {
        bool at_border = i == 0 || text.at[i - 1] == '_' || text.at[i - 1] == '-';
        if (at_border && read_version(span_skip(text, i), &v)) {
            return v;
        }
    }
    return v;
}

static int compare(struct version a, struct version b)
{
    for (int i = 0; i < 3; i++) {
        if (a.part[i] != b.part[i]) {
            return a.part[i] < b.part[i] ? -1 : 1;
        }
    }
    return 0;
}

static bool contains(struct span text, const char *word)
{
    for (size_t i = 0; i < text.len; i++) {
        if (span_starts(span_skip(text, i), word)) {
            return true;
        }
    }
    return false;
}

enum modem_family family_of(struct span firmware)
{
    struct version v = find_version(firmware);
    if (!v.is_known) {
        return FAMILY_UNKNOWN;
    }
    if (contains(firmware, "ntn")) {
        return FAMILY_NTN;
    }
    static const struct {
        struct version from;
        enum modem_family family;
    } lines[] = {
        {{{2, 0, 2}, true}, FAMILY_2B},   {{{2, 0, 0}, true}, FAMILY_2A}, {{{1, 3, 2}, true}, FAMILY_1_3B},
        {{{1, 3, 0}, true}, FAMILY_1_3A}, {{{1, 0, 0}, true}, FAMILY_1},
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (compare(v, lines[i].from) >= 0) {
            return lines[i].family;
        }
    }
    return FAMILY_0;
}

const struct family_traits *family_traits(enum modem_family family)
{
    return &traits[family];
}

struct comparison {
    const char *sign;
    bool less, equal, greater;
};

/* Two-character signs first: ">" is a beginning of ">=". */
static const struct comparison comparisons[] = {
    {">=", false, true, true}, {"<=", true, true, false}, {"==", false, true, false},
    {">", false, false, true}, {"<", true, false, false},
};

static const struct comparison *find_comparison(struct span rule)
{
    for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
        if (span_starts(rule, comparisons[i].sign)) {
            return &comparisons[i];
        }
    }
    return NULL;
}

static bool glob_matches(struct span pattern, struct span text)
{
    if (pattern.len > 0 && pattern.at[pattern.len - 1] == '*') {
        pattern.len--;
        return text.len >= pattern.len && span_eq(pattern, span_of(text.at, pattern.len));
    }
    return span_eq(pattern, text);
}

static bool rule_matches(struct span rule, struct span firmware)
{
    const struct comparison *sign = find_comparison(rule);
    struct version wanted, found = find_version(firmware);
    if (!sign) {
        return span_is(rule, "ntn") ? contains(firmware, "ntn") : glob_matches(rule, firmware);
    }
    /* NTN builds count versions of their own: a comparison made for the others says nothing about them. */
    if (!read_version(span_skip(rule, strlen(sign->sign)), &wanted) || !found.is_known ||
        contains(firmware, "ntn")) {
        return false;
    }
    int order = compare(found, wanted);
    return order < 0 ? sign->less : order == 0 ? sign->equal : sign->greater;
}

bool family_firmware_allowed(const struct product *product, struct span firmware)
{
    for (uint32_t i = 0; i < product->n_firmware_rules; i++) {
        if (rule_matches(span_str(product->firmware_rules[i]), firmware)) {
            return true;
        }
    }
    return product->n_firmware_rules == 0;
}

bool family_model_allowed(const struct product *product, struct span model)
{
    for (uint32_t i = 0; i < product->n_model_rules; i++) {
        if (glob_matches(span_str(product->model_rules[i]), model)) {
            return true;
        }
    }
    return product->n_model_rules == 0;
}

bool family_rule_is_valid(const char *rule)
{
    struct span text = span_str(rule);
    const struct comparison *sign = find_comparison(text);
    struct version v;
    if (!sign) {
        return text.len > 0 && !is_digit(rule[0]);
    }
    struct span rest = span_skip(text, strlen(sign->sign));
    return read_version(rest, &v);
}
