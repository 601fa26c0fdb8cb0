/*
 * A mangling is a row: what stands before the content, what each line end becomes, what happens to the last
 * one, what is put behind. Rows are digested piece by piece, so that no second copy of a private key is made.
 * Some manglings have several rows, since hosts, shells and terminals do them in several ways. The first row
 * that hits is the answer: simple ones first.
 */
#include "keys/mangle.h"

#include <stdbool.h>
#include <stddef.h>

#include "pki/digest.h"

struct change {
    enum mangling mangling;
    const char *before;   /* NULL: nothing */
    const char *line_end; /* instead of every LF or CRLF; NULL: as it is */
    bool drops_final;     /* the content ends without its last line end */
    const char *behind;   /* NULL: nothing */
};

/* Where it was seen: CRLF by ExtraPuTTY and at_shell; literals and blanks by people who pasted a PEM into one
 * line of a terminal, with and without a blank at the beginning of each; lost last line ends by hosts that
 * trim (nrfcredstore, Certificate Manager). */
static const struct change changes[] = {
    {.mangling = MANGLING_NONE},
    {.mangling = MANGLING_CRLF, .line_end = "\r\n"},
    {.mangling = MANGLING_CRLF, .line_end = "\r\r\n"},
    {.mangling = MANGLING_LF, .line_end = "\n"},
    {.mangling = MANGLING_CR, .line_end = "\r"},
    {.mangling = MANGLING_CR, .line_end = "\r\r"},
    {.mangling = MANGLING_CR, .line_end = "\r", .drops_final = true},
    {.mangling = MANGLING_NO_FINAL, .drops_final = true},
    {.mangling = MANGLING_FINAL_ADDED, .behind = "\n"},
    {.mangling = MANGLING_FINAL_ADDED, .behind = "\r\n"},
    {.mangling = MANGLING_FINAL_ADDED, .behind = "\r"},
    {.mangling = MANGLING_CRLF_NO_FINAL, .line_end = "\r\n", .drops_final = true},
    {.mangling = MANGLING_LF_NO_FINAL, .line_end = "\n", .drops_final = true},
    {.mangling = MANGLING_LITERAL_N, .line_end = "\\n"},
    {.mangling = MANGLING_LITERAL_N, .line_end = "\\n", .drops_final = true},
    {.mangling = MANGLING_LITERAL_N, .line_end = "\\r\\n"},
    {.mangling = MANGLING_LITERAL_N, .line_end = "\\r\\n", .drops_final = true},
    {.mangling = MANGLING_LITERAL_N, .before = " ", .line_end = "\\n "},
    {.mangling = MANGLING_LITERAL_N, .before = " ", .line_end = "\\n ", .drops_final = true},
    {.mangling = MANGLING_LEADING_BLANK, .before = " "},
    {.mangling = MANGLING_LEADING_BLANK, .before = " ", .drops_final = true},
    {.mangling = MANGLING_LEADING_BLANK, .before = " ", .line_end = "\r\n"},
    {.mangling = MANGLING_LEADING_BLANK, .before = " ", .line_end = "\n"},
    {.mangling = MANGLING_NO_BREAKS, .line_end = ""},
    {.mangling = MANGLING_NO_BREAKS, .line_end = " "},
    {.mangling = MANGLING_NO_BREAKS, .line_end = " ", .drops_final = true},
    {.mangling = MANGLING_NO_BREAKS, .before = " ", .line_end = " "},
    {.mangling = MANGLING_NO_BREAKS, .before = " ", .line_end = " ", .drops_final = true},
};

/* The line ends that what was cut may have had on its way. */
static const char *const cut_line_ends[] = {NULL, "\r\n", "\n"};

/* Takes the next piece off `rest`: a run without line end, or one line end (LF or CRLF; a CR alone is no line
 * end). */
static struct span take_piece(struct span *rest, bool *ret_is_line_end)
{
    size_t n = 0;
    while (n < rest->len && rest->at[n] != '\n') {
        n++;
    }
    bool has_cr = n > 0 && n < rest->len && rest->at[n - 1] == '\r';
    size_t text = has_cr ? n - 1 : n;
    *ret_is_line_end = text == 0;
    struct span piece = span_of(rest->at, text > 0 ? text : n + 1);
    *rest = span_skip(*rest, piece.len);
    return piece;
}

static struct span without_final(struct span content)
{
    if (content.len > 0 && content.at[content.len - 1] == '\n') {
        content.len--;
        content.len -= content.len > 0 && content.at[content.len - 1] == '\r';
    }
    return content;
}

static void add_text(struct sha256 *h, const char *text)
{
    if (text != NULL) {
        sha256_add(h, span_str(text));
    }
}

static void digest_of(struct span content, const struct change *change, struct digest *ret)
{
    struct span rest = change->drops_final ? without_final(content) : content;
    struct sha256 h;
    sha256_init(&h);
    add_text(&h, change->before);
    while (rest.len > 0) {
        bool is_line_end;
        struct span piece = take_piece(&rest, &is_line_end);
        if (is_line_end && change->line_end != NULL) {
            add_text(&h, change->line_end);
        } else {
            sha256_add(&h, piece);
        }
    }
    add_text(&h, change->behind);
    sha256_finish(&h, ret);
}

/* Adds octet by octet and compares each time. Returns how many were added when it hit, or 0. */
static uint32_t add_until(struct sha256 *h, struct span text, const struct digest *seen)
{
    for (size_t i = 0; i < text.len; i++) {
        struct digest so_far;
        sha256_add(h, span_of(text.at + i, 1));
        sha256_peek(h, &so_far);
        if (digest_eq(&so_far, seen)) {
            return (uint32_t)i + 1;
        }
    }
    return 0;
}

/* How many octets of the content, with other line ends or its own, have this digest; 0 when no beginning has.
 */
static uint32_t find_cut(struct span content, const char *line_end, const struct digest *seen)
{
    struct sha256 h;
    uint32_t total = 0, hit = 0;
    sha256_init(&h);
    for (struct span rest = content; rest.len > 0 && hit == 0;) {
        bool is_line_end;
        struct span piece = take_piece(&rest, &is_line_end);
        piece = is_line_end && line_end != NULL ? span_str(line_end) : piece;
        hit = add_until(&h, piece, seen);
        total += hit > 0 ? hit : (uint32_t)piece.len;
    }
    sha256_done(&h);
    return hit > 0 ? total : 0;
}

enum mangling mangle_explain(struct span content, const struct digest *seen, uint32_t *ret_cut_at)
{
    *ret_cut_at = 0;
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        struct digest digest;
        digest_of(content, &changes[i], &digest);
        if (digest_eq(&digest, seen)) {
            return changes[i].mangling;
        }
    }
    for (size_t i = 0; i < sizeof(cut_line_ends) / sizeof(*cut_line_ends); i++) {
        *ret_cut_at = find_cut(content, cut_line_ends[i], seen);
        if (*ret_cut_at > 0) {
            return MANGLING_CUT;
        }
    }
    return MANGLING_OTHER;
}
