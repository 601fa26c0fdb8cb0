/*
 * One pass over the text: gap, block, gap, block, … gap. A block's body is a row of base64 characters with
 * separators between them, and every kind of damage seen in the field is a kind of separator: the two
 * characters backslash and n, a blank, a carriage return alone, or nothing where a line should end. So
 * separators are gathered and judged as a run, and the characters between them are collected whatever the run
 * was.
 *
 * OpenSSL's own PEM reader is of no use here: it skips leading text, tolerates several of these faults
 * without a word and says of the others only that there was no start line. Base64 itself is left to it.
 */
#include "pki/pem.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/err.h"
#include "base/secret.h"

#define BEGIN       "-----BEGIN "
#define END         "-----END "
#define DASHES      "-----"
#define LABEL_MAX   40
#define COLUMNS     64
#define LINE_OCTETS (COLUMNS / 4 * 3)

struct reader {
    struct span text;
    struct pem *out;
    char *scratch;  /* base64 characters of one body, without separators */
    size_t der_len; /* used of out->memory */
};

const struct pem_fault_text *pem_fault_text(enum pem_fault fault)
{
    static const struct pem_fault_text texts[] = {
#define X(name, text, refused, what, why, remedy) [name] = {text, refused, what, why, remedy},
        PEM_FAULT_LIST(X)
#undef X
    };
    return &texts[fault];
}

const char *pem_label_text(enum pem_label label)
{
    static const char *const texts[] = {
#define X(name, text) [name] = text,
        PEM_LABEL_LIST(X)
#undef X
    };
    return texts[label];
}

/* Counting lines only for the few places that are reported is cheaper than carrying them along. */
static void place(struct span text, size_t at, struct pem_finding *finding)
{
    finding->line = 1;
    finding->column = 1;
    for (size_t i = 0; i < at; i++) {
        bool is_end =
            text.at[i] == '\n' || (text.at[i] == '\r' && !(i + 1 < text.len && text.at[i + 1] == '\n'));
        finding->line += is_end;
        finding->column = is_end ? 1 : finding->column + 1;
    }
}

static void note(struct reader *r, enum pem_fault fault, size_t at)
{
    struct pem *out = r->out;
    for (size_t i = 0; i < out->n_findings; i++) {
        if (out->findings[i].fault == fault) {
            return;
        }
    }
    struct pem_finding *finding = &out->findings[out->n_findings++];
    finding->fault = fault;
    place(r->text, at, finding);
}

/* Position of `word` in text[from..to), or `to`. */
static size_t find(struct span text, size_t from, size_t to, const char *word)
{
    const char *hit = memmem(text.at + from, to - from, word, strlen(word));
    return hit != NULL ? (size_t)(hit - text.at) : to;
}

static bool is_at(struct span text, size_t at, const char *word)
{
    return span_starts(span_skip(text, at), word);
}

/* ---- separators */

struct run {
    size_t n_breaks; /* LF or CRLF */
    bool has_literal, has_lone_cr, has_blank;
    bool ends_blank; /* a blank behind the last line end, or at the very beginning */
    size_t blank_at; /* of it */
    size_t end;
};

/* Length of the separator at `at`, 0 when there is none; the run learns of it. */
static size_t take_separator(struct span text, size_t at, size_t end, struct run *run)
{
    char c = text.at[at], next = at + 1 < end ? text.at[at + 1] : '\0';
    if (c == '\n' || (c == '\r' && next == '\n')) {
        run->n_breaks++;
        run->ends_blank = false;
        return c == '\n' ? 1 : 2;
    }
    if (c == '\r') {
        run->has_lone_cr = true;
        run->ends_blank = false;
        return 1;
    }
    if (c == '\\' && (next == 'n' || next == 'r')) {
        run->has_literal = true;
        run->ends_blank = false;
        return 2;
    }
    if (c == ' ' || c == '\t') {
        run->blank_at = run->ends_blank ? run->blank_at : at;
        run->has_blank = run->ends_blank = true;
        return 1;
    }
    return 0;
}

static struct run take_run(struct span text, size_t at, size_t end)
{
    struct run run = {.end = at};
    while (run.end < end) {
        size_t n = take_separator(text, run.end, end, &run);
        if (n == 0) {
            break;
        }
        run.end += n;
    }
    return run;
}

static bool run_ends_line(const struct run *run)
{
    return run->n_breaks > 0 || run->has_literal || run->has_lone_cr;
}

/* A run where a line must end. */
static void judge_line_end(struct reader *r, const struct run *run, size_t at)
{
    if (run->has_literal) {
        note(r, PEM_LITERAL_N, at);
    }
    if (run->has_lone_cr) {
        note(r, PEM_CR_ONLY, at);
    }
    if (run_ends_line(run)) {
        if (run->ends_blank) {
            note(r, PEM_LEADING_BLANK, run->blank_at);
        } else if (run->has_blank) {
            note(r, PEM_TRAILING_BLANK, at);
        }
        return;
    }
    note(r, run->has_blank ? PEM_BLANKS_FOR_BREAKS : PEM_NO_BREAKS, at);
}

/* ---- gaps between blocks */

static void judge_before(struct reader *r, size_t to)
{
    struct run run = take_run(r->text, 0, to);
    if (run.end < to) {
        note(r, PEM_LEADING_TEXT, run.end);
        return;
    }
    if (run.has_literal) {
        note(r, PEM_LITERAL_N, 0);
    }
    if (run.has_lone_cr) {
        note(r, PEM_CR_ONLY, 0);
    }
    if (run.ends_blank) {
        note(r, PEM_LEADING_BLANK, run.blank_at);
    } else if (run.n_breaks > 0) {
        note(r, PEM_LEADING_BREAK, 0);
    }
}

static void judge_between(struct reader *r, size_t from, size_t to)
{
    struct run run = take_run(r->text, from, to);
    judge_line_end(r, &run, from);
    if (run.end < to) {
        note(r, PEM_TEXT_BETWEEN, run.end);
    }
}

static void judge_behind(struct reader *r, size_t from)
{
    struct run run = take_run(r->text, from, r->text.len);
    if (run.has_literal) {
        note(r, PEM_LITERAL_N, from);
    }
    if (run.has_lone_cr) {
        note(r, PEM_CR_ONLY, from);
    }
    if (run.end < r->text.len) {
        note(r, PEM_TRAILING_TEXT, run.end);
    } else if (run.has_blank) {
        note(r, PEM_TRAILING_BLANK, from);
    }
}

/* ---- a block's body */

static bool is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* The run behind a line of the body that is `width` characters long. */
static void judge_body_line(struct reader *r, const struct run *run, size_t at, size_t width, bool is_last)
{
    judge_line_end(r, run, at);
    if (!run_ends_line(run)) {
        return;
    }
    if (is_last ? width > COLUMNS : width != COLUMNS) {
        note(r, PEM_LINE_WIDTH, at);
    }
    if (run->n_breaks > 1) {
        note(r, PEM_EMPTY_LINE, at);
    }
}

/* Collects base64 characters into the scratch. Returns how many, or -1 at a character that is none. */
static int64_t collect(struct reader *r, size_t at, size_t end)
{
    size_t n = 0, width = 0;
    bool is_separated = true;
    struct run run = take_run(r->text, at, end);
    judge_body_line(r, &run, at, 0, true);
    at = run.end;
    while (at < end) {
        char c = r->text.at[at];
        bool is_behind_padding = n > 0 && r->scratch[n - 1] == '=';
        if (c != '=' && (!is_base64(c) || is_behind_padding)) {
            note(r, PEM_BAD_BASE64, at);
            return -1;
        }
        r->scratch[n++] = c;
        width++;
        at++;

        run = take_run(r->text, at, end);
        is_separated = run.end > at;
        if (is_separated) {
            judge_body_line(r, &run, at, width, run.end == end);
            width = run_ends_line(&run) ? 0 : width;
            at = run.end;
        }
    }
    if (!is_separated) { /* the END line follows on the last character */
        note(r, PEM_NO_BREAKS, end);
    }
    return (int64_t)n;
}

static void decode_body(struct reader *r, struct pem_block *block, size_t at, size_t end)
{
    int64_t n = collect(r, at, end);
    if (n < 0) {
        return;
    }
    if (n == 0) {
        note(r, PEM_EMPTY, at);
        return;
    }
    size_t padding = 0;
    while (padding < (size_t)n && r->scratch[(size_t)n - 1 - padding] == '=') {
        padding++;
    }
    if (n % 4 != 0 || padding > 2) {
        note(r, PEM_BAD_BASE64, end);
        return;
    }
    char *der = r->out->memory + r->der_len;
    int len = EVP_DecodeBlock((unsigned char *)der, (const unsigned char *)r->scratch, (int)n);
    if (len <= (int)padding) {
        note(r, PEM_BAD_BASE64, end);
        return;
    }
    block->der = span_of(der, (size_t)len - padding);
    r->der_len += (size_t)len;
}

static enum pem_label label_of(struct span text)
{
    for (int label = 0; label < PEM_OTHER; label++) {
        if (span_is(text, pem_label_text((enum pem_label)label))) {
            return (enum pem_label)label;
        }
    }
    return PEM_OTHER;
}

/* "Proc-Type: 4,ENCRYPTED" and its kin (RFC 1421): OpenSSL's old way to encrypt a key. */
static bool has_headers(struct span text, size_t at, size_t end)
{
    return find(text, at, end, "Proc-Type:") < end;
}

static void add_block(struct reader *r, struct span label, size_t begin, size_t body, size_t end)
{
    if (span_is(label, "EC PARAMETERS")) {
        note(r, PEM_PARAMETERS, begin);
        return;
    }
    if (r->out->n_blocks == PEM_BLOCKS_MAX) {
        note(r, PEM_TOO_MANY, begin);
        return;
    }
    struct pem_finding here;
    place(r->text, begin, &here);
    struct pem_block *block = &r->out->blocks[r->out->n_blocks++];
    *block = (struct pem_block){.label = label_of(label), .line = here.line};
    block->is_encrypted = block->label == PEM_PKCS8_ENCRYPTED || has_headers(r->text, body, end);
    if (!has_headers(r->text, body, end)) {
        decode_body(r, block, body, end);
    }
}

/* The label between position `at` and the dashes that follow; empty when the line is damaged. */
static struct span take_label(struct span text, size_t at)
{
    size_t end = find(text, at, text.len, DASHES);
    if (end == text.len || end - at > LABEL_MAX) {
        return span_of(NULL, 0);
    }
    for (size_t i = at; i < end; i++) {
        bool is_fit = (text.at[i] >= 'A' && text.at[i] <= 'Z') || (text.at[i] >= '0' && text.at[i] <= '9') ||
                      text.at[i] == ' ';
        if (!is_fit) {
            return span_of(NULL, 0);
        }
    }
    return span_of(text.at + at, end - at);
}

/* Reads the block that begins at `begin`. Returns the place behind its END line, or the text's end when the
 * block is so damaged that what follows has no meaning. */
static size_t take_block(struct reader *r, size_t begin)
{
    struct span text = r->text;
    struct span label = take_label(text, begin + strlen(BEGIN));
    if (label.len == 0) {
        note(r, PEM_BAD_BOUNDARY, begin);
        return text.len;
    }
    size_t body = (size_t)(label.at - text.at) + label.len + strlen(DASHES);
    size_t end = find(text, body, text.len, DASHES);
    if (!is_at(text, end, END)) {
        note(r, PEM_NO_END, end);
        return text.len;
    }
    struct span end_label = take_label(text, end + strlen(END));
    if (end_label.len == 0) {
        note(r, PEM_NO_END, end);
        return text.len;
    }
    if (!span_eq(label, end_label)) {
        note(r, PEM_LABELS_DIFFER, end);
    }
    add_block(r, label, begin, body, end);
    return (size_t)(end_label.at - text.at) + end_label.len + strlen(DASHES);
}

static void read_all(struct reader *r)
{
    struct span text = r->text;
    size_t begin = find(text, 0, text.len, BEGIN);
    if (begin == text.len) {
        note(r, PEM_NOT_PEM, 0);
        return;
    }
    judge_before(r, begin);
    for (;;) {
        size_t behind = take_block(r, begin);
        begin = find(text, behind, text.len, BEGIN);
        if (begin == text.len) {
            judge_behind(r, behind);
            return;
        }
        judge_between(r, behind, begin);
    }
}

int pem_parse(struct span text, struct pem *ret)
{
    *ret = (struct pem){0};
    struct reader r = {.text = text, .out = ret};
    if (text.len > PEM_TEXT_MAX) {
        note(&r, PEM_TOO_LARGE, 0);
        return 0;
    }
    if (span_starts(text, "\xEF\xBB\xBF")) {
        note(&r, PEM_BOM, 0);
        r.text = span_skip(text, 3);
    }
    if (r.text.len == 0) {
        note(&r, PEM_NOT_PEM, 0);
        return 0;
    }
    ret->memory = secret_alloc(r.text.len);
    r.scratch = secret_alloc(r.text.len);
    if (ret->memory == NULL || r.scratch == NULL) {
        secret_free(r.scratch);
        return -ENOMEM;
    }
    read_all(&r);
    secret_free(r.scratch);
    return 0;
}

void pem_done(struct pem *pem)
{
    secret_free(pem->memory);
    *pem = (struct pem){0};
}

const struct pem_finding *pem_refusal(const struct pem *pem)
{
    for (size_t i = 0; i < pem->n_findings; i++) {
        if (pem_fault_text(pem->findings[i].fault)->is_refused) {
            return &pem->findings[i];
        }
    }
    return NULL;
}

/* ---- writing */

struct writer {
    char *out;
    size_t size, len;
    bool is_full;
};

static void put(struct writer *w, const char *text, size_t n)
{
    if (w->is_full || n > w->size - w->len) {
        w->is_full = true;
        return;
    }
    memcpy(w->out + w->len, text, n);
    w->len += n;
}

static void put_str(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_block(struct writer *w, const struct pem_block *block, const char *line_end)
{
    char line[COLUMNS + 1];
    put_str(w, BEGIN);
    put_str(w, pem_label_text(block->label));
    put_str(w, DASHES);
    put_str(w, line_end);
    for (size_t at = 0; at < block->der.len; at += LINE_OCTETS) {
        size_t n = block->der.len - at < LINE_OCTETS ? block->der.len - at : LINE_OCTETS;
        int columns =
            EVP_EncodeBlock((unsigned char *)line, (const unsigned char *)block->der.at + at, (int)n);
        put(w, line, (size_t)columns);
        put_str(w, line_end);
    }
    secret_wipe(line, sizeof(line));
    put_str(w, END);
    put_str(w, pem_label_text(block->label));
    put_str(w, DASHES);
}

int64_t pem_write(const struct pem *pem, struct pem_style style, char *out, size_t size)
{
    const char *line_end = style.is_crlf ? "\r\n" : "\n";
    struct writer w = {.out = out, .size = size};
    for (size_t i = 0; i < pem->n_blocks; i++) {
        if (i > 0) {
            put_str(&w, line_end);
        }
        put_block(&w, &pem->blocks[i], line_end);
    }
    if (style.final_line_end) {
        put_str(&w, line_end);
    }
    return w.is_full ? ERR_FULL : (int64_t)w.len;
}
