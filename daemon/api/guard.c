/*
 * Refused as ambiguous, since libmicrohttpd 0.9.75 would pick one reading and a proxy in front another:
 * Content-Length beside Transfer-Encoding, either of them twice, a length that is not all digits, a coding
 * other than "chunked", chunked before HTTP/1.1, a header name with anything in it but token characters
 * ("Content-Length " is a header that only some would heed).
 *
 * Of the other headers that are looked at none may come twice either: "the first" and "the last" are both
 * somebody's reading.
 */
#include "api/guard.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum known {
    KNOWN_HOST,
    KNOWN_LENGTH,
    KNOWN_CODING,
    KNOWN_TYPE,
    KNOWN_ENCODING,
    KNOWN_ORIGIN,
    KNOWN_SITE,
    KNOWN_KEY,
    KNOWN_IF_MATCH,
    KNOWN_IF_NONE_MATCH,
    KNOWN_LAST_ID,
    KNOWN_COUNT,
};

static const struct known_row {
    const char *name;
    enum problem when_twice;
} known_rows[KNOWN_COUNT] = {
    [KNOWN_HOST] = {"Host", PROBLEM_BAD_FRAMING},
    [KNOWN_LENGTH] = {"Content-Length", PROBLEM_BAD_FRAMING},
    [KNOWN_CODING] = {"Transfer-Encoding", PROBLEM_BAD_FRAMING},
    [KNOWN_TYPE] = {"Content-Type", PROBLEM_BAD_REQUEST},
    [KNOWN_ENCODING] = {"Content-Encoding", PROBLEM_BAD_REQUEST},
    [KNOWN_ORIGIN] = {"Origin", PROBLEM_BAD_REQUEST},
    [KNOWN_SITE] = {"Sec-Fetch-Site", PROBLEM_BAD_REQUEST},
    [KNOWN_KEY] = {"Idempotency-Key", PROBLEM_BAD_REQUEST},
    [KNOWN_IF_MATCH] = {"If-Match", PROBLEM_BAD_REQUEST},
    [KNOWN_IF_NONE_MATCH] = {"If-None-Match", PROBLEM_BAD_REQUEST},
    [KNOWN_LAST_ID] = {"Last-Event-ID", PROBLEM_BAD_REQUEST},
};

static bool span_is_ci(struct span a, const char *text)
{
    return a.len == strlen(text) && strncasecmp(a.at, text, a.len) == 0;
}

static bool is_token(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_alnum && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return name.len > 0;
}

static bool has_control(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return true;
        }
    }
    return false;
}

static enum problem fail(enum problem problem, struct err_info *reterr, const char *text)
{
    err_set(reterr, ERR_REFUSED, "%s", text);
    return problem;
}

/* Sorts the headers we look at into `known`; at == NULL: not there. */
static enum problem sort(const struct header *headers, size_t n, struct span known[KNOWN_COUNT],
                         struct err_info *reterr)
{
    if (n > GUARD_HEADERS_MAX) {
        return fail(PROBLEM_HEADERS_TOO_LARGE, reterr, "more than 64 headers");
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_token(headers[i].name) || has_control(headers[i].value)) {
            return fail(PROBLEM_BAD_FRAMING, reterr, "a header line is malformed");
        }
        for (size_t k = 0; k < KNOWN_COUNT; k++) {
            if (!span_is_ci(headers[i].name, known_rows[k].name)) {
                continue;
            }
            if (known[k].at != NULL) {
                err_set(reterr, ERR_REFUSED, "%s stands there twice", known_rows[k].name);
                return known_rows[k].when_twice;
            }
            known[k] = headers[i].value.at != NULL ? headers[i].value : span_str("");
        }
    }
    return PROBLEM_NONE;
}

/* 1 to 18 digits, so that nothing overflows. */
static bool read_length(struct span text, uint64_t *ret)
{
    uint64_t value = 0;

    if (text.len == 0 || text.len > 18) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text.at[i] - '0');
    }
    *ret = value;
    return true;
}

static enum problem check_framing(const struct span known[KNOWN_COUNT], bool is_1_0, struct head *head,
                                  struct err_info *reterr)
{
    struct span length = known[KNOWN_LENGTH], coding = known[KNOWN_CODING];

    if (length.at != NULL && coding.at != NULL) {
        return fail(PROBLEM_BAD_FRAMING, reterr, "Content-Length and Transfer-Encoding exclude one another");
    }
    if (length.at != NULL && !read_length(length, &head->content_length)) {
        return fail(PROBLEM_BAD_FRAMING, reterr, "Content-Length is not a number");
    }
    if (coding.at != NULL && (is_1_0 || !span_is_ci(coding, "chunked"))) {
        return fail(PROBLEM_BAD_FRAMING, reterr, "the only transfer coding is chunked, in HTTP/1.1");
    }
    head->is_chunked = coding.at != NULL;
    return PROBLEM_NONE;
}

/* Whether `host` is a name of ours with the port of this listen address. */
static bool is_own_host(const struct guard *g, struct span host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char with_port[32];
        snprintf(with_port, sizeof(with_port), "%s:%u", names[i], (unsigned)g->port);
        if (span_is_ci(host, with_port) || (g->port == 80 && span_is_ci(host, names[i]))) {
            return true;
        }
    }
    return false;
}

static enum problem check_host(const struct guard *g, const struct span known[KNOWN_COUNT],
                               struct err_info *reterr)
{
    if (g->is_local) {
        return PROBLEM_NONE;
    }
    if (known[KNOWN_HOST].at == NULL) {
        return fail(PROBLEM_BAD_REQUEST, reterr, "Host is missing");
    }
    if (!is_own_host(g, known[KNOWN_HOST])) {
        return fail(PROBLEM_WRONG_HOST, reterr, "use localhost, 127.0.0.1 or [::1] with this server's port");
    }
    return PROBLEM_NONE;
}

/* A browser that sends for a page says so in one of two headers; a program sends neither. */
static enum problem check_origin(const struct guard *g, const struct span known[KNOWN_COUNT],
                                 struct err_info *reterr)
{
    static const char scheme[] = "http://";
    struct span origin = known[KNOWN_ORIGIN], site = known[KNOWN_SITE];

    if (origin.at != NULL &&
        (g->is_local || !span_starts(origin, scheme) || !is_own_host(g, span_skip(origin, strlen(scheme))))) {
        return fail(PROBLEM_FOREIGN_ORIGIN, reterr, "the Origin is another one");
    }
    if (site.at != NULL && !span_is_ci(site, "same-origin") && !span_is_ci(site, "none")) {
        return fail(PROBLEM_FOREIGN_ORIGIN, reterr, "the browser says that another site asked for this");
    }
    return PROBLEM_NONE;
}

static struct span trim(struct span s)
{
    while (s.len > 0 && (s.at[0] == ' ' || s.at[0] == '\t')) {
        s = span_skip(s, 1);
    }
    while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* The media type alone counts; a charset may be named when it is the one that we read. */
static enum content_kind read_type(struct span value)
{
    static const struct {
        const char *name;
        enum content_kind kind;
    } types[] = {
        {"application/json", CONTENT_JSON},
        {"application/x-ndjson", CONTENT_NDJSON},
        {"text/csv", CONTENT_CSV},
    };
    const char *semicolon = value.len > 0 ? memchr(value.at, ';', value.len) : NULL;
    size_t n = semicolon != NULL ? (size_t)(semicolon - value.at) : value.len;
    struct span type = trim(span_of(value.at, n));
    struct span parameter = trim(span_skip(value, n + 1));

    if (parameter.len > 0 && !span_is_ci(parameter, "charset=utf-8") &&
        !span_is_ci(parameter, "charset=\"utf-8\"")) {
        return CONTENT_OTHER;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (span_is_ci(type, types[i].name)) {
            return types[i].kind;
        }
    }
    return CONTENT_OTHER;
}

static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= ' ' || text.at[i] > '~') {
            return false;
        }
    }
    return true;
}

static enum problem check_content(const struct span known[KNOWN_COUNT], struct head *head,
                                  struct err_info *reterr)
{
    struct span key = known[KNOWN_KEY];

    if (known[KNOWN_ENCODING].at != NULL && !span_is_ci(known[KNOWN_ENCODING], "identity")) {
        return fail(PROBLEM_MEDIA_TYPE, reterr, "compressed bodies are not taken");
    }
    head->content = known[KNOWN_TYPE].at != NULL ? read_type(known[KNOWN_TYPE]) : CONTENT_NONE;

    if (key.at != NULL) {
        if (key.len == 0 || key.len >= sizeof(head->idempotency_key) || !is_visible(key)) {
            return fail(PROBLEM_BAD_REQUEST, reterr,
                        "Idempotency-Key must be 1 to 127 visible ASCII characters");
        }
        memcpy(head->idempotency_key, key.at, key.len);
        head->idempotency_key[key.len] = '\0';
    }
    return PROBLEM_NONE;
}

/* One tag, or "*"; false for anything else. A weak tag's W/ is dropped: ours are all strong. */
static bool read_tag(struct span value, char out[REQUEST_TAG_SIZE])
{
    struct span tag = trim(value);

    if (span_starts(tag, "W/")) {
        tag = span_skip(tag, 2);
    }
    bool is_quoted = tag.len >= 2 && tag.at[0] == '"' && tag.at[tag.len - 1] == '"' &&
                     memchr(tag.at + 1, '"', tag.len - 2) == NULL;
    if ((!is_quoted && !span_is(tag, "*")) || tag.len >= REQUEST_TAG_SIZE || !is_visible(tag)) {
        return false;
    }
    memcpy(out, tag.at, tag.len);
    out[tag.len] = '\0';
    return true;
}

/* What only some resources look at. A condition that we cannot read must not be taken as met. */
static enum problem check_conditions(const struct span known[KNOWN_COUNT], struct head *head,
                                     struct err_info *reterr)
{
    uint64_t id;

    if (known[KNOWN_IF_MATCH].at != NULL && !read_tag(known[KNOWN_IF_MATCH], head->if_match)) {
        return fail(PROBLEM_BAD_REQUEST, reterr, "If-Match must be one entity tag or *");
    }
    if (known[KNOWN_IF_NONE_MATCH].at != NULL) {
        (void)read_tag(known[KNOWN_IF_NONE_MATCH], head->if_none_match);
    }
    head->last_event_id = read_length(known[KNOWN_LAST_ID], &id) ? (int64_t)id : -1;
    return PROBLEM_NONE;
}

enum problem guard_check(const struct guard *g, enum method method, const char *version,
                         const struct header *headers, size_t n, struct head *ret, struct err_info *reterr)
{
    struct span known[KNOWN_COUNT] = {{0}};
    struct head head = {0};
    bool is_1_0 = strcmp(version, "HTTP/1.0") == 0;

    enum problem problem = sort(headers, n, known, reterr);
    if (problem == PROBLEM_NONE && !is_1_0 && strcmp(version, "HTTP/1.1") != 0) {
        problem = fail(PROBLEM_BAD_FRAMING, reterr, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    }
    if (problem == PROBLEM_NONE) {
        problem = check_framing(known, is_1_0, &head, reterr);
    }
    if (problem == PROBLEM_NONE) {
        problem = check_host(g, known, reterr);
    }
    if (problem == PROBLEM_NONE && !method_is_safe(method)) {
        problem = check_origin(g, known, reterr);
    }
    if (problem == PROBLEM_NONE) {
        problem = check_content(known, &head, reterr);
    }
    if (problem == PROBLEM_NONE) {
        problem = check_conditions(known, &head, reterr);
    }
    if (problem == PROBLEM_NONE) {
        *ret = head;
    }
    return problem;
}
