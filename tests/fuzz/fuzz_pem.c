/*
 * pki/pem and pki/content: the first octet chooses the type, the rest is the text. Properties: places lie in
 * the text; a text without refusal has blocks with content; the canonical form of whatever was found reads
 * without any finding, holds the same octets, and is its own canonical form; a content that is good stays
 * good in that form.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pki/content.h"
#include "support/fuzz.h"

#define OUT_SIZE ((size_t)4 * PEM_TEXT_MAX)

static void check_findings(const struct pem *pem, size_t size)
{
    for (size_t i = 0; i < pem->n_findings; i++) {
        assert(pem->findings[i].line >= 1 && (size_t)pem->findings[i].line <= size + 1);
        assert(pem->findings[i].column >= 1 && (size_t)pem->findings[i].column <= size + 1);
        for (size_t k = 0; k < i; k++) {
            assert(pem->findings[i].fault != pem->findings[k].fault);
        }
    }
}

static bool can_be_written(const struct pem *pem)
{
    for (size_t i = 0; i < pem->n_blocks; i++) {
        if (pem->blocks[i].der.len == 0 || pem->blocks[i].label == PEM_OTHER) {
            return false;
        }
    }
    return pem->n_blocks > 0;
}

static void check_canonical(const struct pem *pem, struct pem_style style, char *out, char *again)
{
    int64_t len = pem_write(pem, style, out, OUT_SIZE);
    assert(len > 0);
    struct pem back;
    assert(pem_parse(span_of(out, (size_t)len), &back) == 0);
    assert(back.n_findings == 0 && back.n_blocks == pem->n_blocks);
    for (size_t i = 0; i < back.n_blocks; i++) {
        assert(back.blocks[i].label == pem->blocks[i].label);
        assert(span_eq(back.blocks[i].der, pem->blocks[i].der));
    }
    assert(pem_write(&back, style, again, OUT_SIZE) == len);
    assert(memcmp(out, again, (size_t)len) == 0);
    pem_done(&back);
}

static void check_content(enum cred_type type, struct span text, char *out)
{
    struct content content, back;
    struct err_info why = {0};
    enum content_fault fault = content_read(type, text, CONTENT_TIME_UNKNOWN, &content, &why);
    assert((fault == CONTENT_GOOD) == (why.code == 0));
    if (fault == CONTENT_GOOD) {
        int64_t len = content_write(&content, (struct pem_style){true, true}, out, OUT_SIZE);
        assert(len > 0 && len <= CRED_CONTENT_MAX);
        assert(content_read(type, span_of(out, (size_t)len), CONTENT_TIME_UNKNOWN, &back, NULL) ==
               CONTENT_GOOD);
        content_done(&back);
    }
    content_done(&content);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[OUT_SIZE], again[OUT_SIZE];
    if (size == 0) {
        return 0;
    }
    struct span text = span_of((const char *)data + 1, size - 1);
    struct pem pem;
    assert(pem_parse(text, &pem) == 0);
    check_findings(&pem, text.len);
    assert(pem_refusal(&pem) == NULL || pem.n_findings > 0);
    if (can_be_written(&pem)) {
        for (int style = 0; style < 4; style++) {
            check_canonical(&pem, (struct pem_style){.is_crlf = style & 1, .final_line_end = style & 2}, out,
                            again);
        }
    }
    pem_done(&pem);
    check_content((enum cred_type)(data[0] % CRED_TYPES), text, out);
    return 0;
}
