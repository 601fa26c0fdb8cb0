/*
 * PEM text: what is wrong with it, where, and its canonical form.
 *
 * The reader is lenient on purpose: it goes on behind a fault to name the others and to find the content, so
 * that one parser serves the import (which refuses), the lint (which tells all) and a repair (which writes
 * the form anew). What a reader by the book (RFC 7468) would still understand is rewritten silently or noted;
 * what shows that the file was damaged on its way is refused, since nobody knows what else was lost.
 *
 * Text and content may be a private key: both lie in secret memory, and a finding never quotes them.
 */
#ifndef CERTLINE_PKI_PEM_H
#define CERTLINE_PKI_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define PEM_TEXT_MAX   65536 /* octets of one text */
#define PEM_BLOCKS_MAX 8     /* BEGIN … END pairs in it */

/* X(ENUM, stable name, is it refused, what, why the modem would mind, remedy). The modem's side: at-commands
 * of the nRF91, %CMNG, and dialogues of boards with modem firmware 2.0.0 to 2.0.4. */
#define PEM_FAULT_LIST(X)                                                                                    \
    X(PEM_NOT_PEM, "not_pem", true, "there is no BEGIN line in it", "it stores or refuses something else",   \
      "Give the PEM text itself: from -----BEGIN to the last dash of its END line.")                         \
    X(PEM_BOM, "bom", true, "a byte order mark stands before the first line",                                \
      "the first line is not one that it knows",                                                             \
      "Save the file as ASCII or as UTF-8 without a byte order mark.")                                       \
    X(PEM_LITERAL_N, "literal_backslash_n", true, "the characters backslash and n stand where a line ends",  \
      "a certificate is refused with 527, a key is stored and cannot be used",                               \
      "Write real line ends: somebody escaped the text twice.")                                              \
    X(PEM_CR_ONLY, "cr_only", true, "lines end with carriage returns alone",                                 \
      "a carriage return ends a command on many hosts", "Convert the line ends to LF or CRLF.")              \
    X(PEM_BLANKS_FOR_BREAKS, "blanks_for_breaks", true, "blanks stand where lines should end",               \
      "a certificate is refused with 527, a key is stored and cannot be used",                               \
      "Take the text from the original file: pasting it through a form lost the line ends.")                 \
    X(PEM_NO_BREAKS, "no_line_breaks", true, "line ends are missing around the BEGIN or END line",           \
      "a certificate is refused with 527, a key is stored and cannot be used",                               \
      "Take the text from the original file, with its line ends.")                                           \
    X(PEM_LEADING_BLANK, "leading_blank", true, "a blank stands before the first character of a line",       \
      "a certificate is refused with 527", "Remove the blanks at the beginning of the lines.")               \
    X(PEM_LEADING_TEXT, "leading_text", true, "text stands before the BEGIN line",                           \
      "it stores the text with the credential", "Remove everything before the first -----BEGIN.")            \
    X(PEM_TEXT_BETWEEN, "text_between", true, "text stands between two blocks",                              \
      "it stores the text with the credential", "Remove everything between END and the next BEGIN line.")    \
    X(PEM_TRAILING_TEXT, "trailing_text", true, "text stands behind the END line",                           \
      "it stores the text with the credential", "Remove everything behind the last END line.")               \
    X(PEM_BAD_BOUNDARY, "bad_boundary", true, "a BEGIN line is not complete",                                \
      "it does not find the content", "Take the text from the original file.")                               \
    X(PEM_NO_END, "no_end", true, "the END line is missing: the text was cut off",                           \
      "it does not find the content", "Take the whole text from the original file.")                         \
    X(PEM_LABELS_DIFFER, "labels_differ", true, "BEGIN and END line name different things",                  \
      "it does not find the content", "Two files were mixed up: take the text from the original file.")      \
    X(PEM_BAD_BASE64, "bad_base64", true, "a character that base64 does not have, or one too few",           \
      "a certificate is refused with 527, a key is stored and cannot be used",                               \
      "Characters were lost or changed: take the text from the original file.")                              \
    X(PEM_EMPTY, "empty", true, "there is nothing between BEGIN and END line", "there is nothing to use",    \
      "Take the text from the original file.")                                                               \
    X(PEM_TOO_MANY, "too_many", true, "there are more blocks than fit into one entry",                       \
      "its answers may not hold them", "Keep the certificates that the product needs.")                      \
    X(PEM_TOO_LARGE, "too_large", true, "the text is larger than any credential",                            \
      "no host passes such a command", "Check that this is the right file.")                                 \
    X(PEM_LEADING_BREAK, "leading_line_end", false, "an empty line stands before the BEGIN line",            \
      "another digest", "It is left out.")                                                                   \
    X(PEM_TRAILING_BLANK, "trailing_blank", false, "blanks stand at the end of a line", "another digest",    \
      "They are left out.")                                                                                  \
    X(PEM_EMPTY_LINE, "empty_line", false, "an empty line stands inside the content", "another digest",      \
      "It is left out.")                                                                                     \
    X(PEM_LINE_WIDTH, "line_width", false, "lines are not 64 characters long", "another digest",             \
      "They are wrapped anew.")                                                                              \
    X(PEM_PARAMETERS, "ec_parameters", false, "a block with curve parameters stands beside the key",         \
      "it would store both", "It is left out: the key names its curve itself.")

enum pem_fault {
#define X(name, text, refused, what, why, remedy) name,
    PEM_FAULT_LIST(X)
#undef X
};
#define PEM_FAULTS (PEM_PARAMETERS + 1)

struct pem_fault_text {
    const char *name; /* stable */
    bool is_refused;
    const char *what, *why, *remedy;
};
const struct pem_fault_text *pem_fault_text(enum pem_fault fault);

/* X(ENUM, label) */
#define PEM_LABEL_LIST(X)                                                                                    \
    X(PEM_CERTIFICATE, "CERTIFICATE")                                                                        \
    X(PEM_PKCS8, "PRIVATE KEY")                                                                              \
    X(PEM_PKCS1, "RSA PRIVATE KEY")                                                                          \
    X(PEM_SEC1, "EC PRIVATE KEY")                                                                            \
    X(PEM_PKCS8_ENCRYPTED, "ENCRYPTED PRIVATE KEY")                                                          \
    X(PEM_OTHER, "")

enum pem_label {
#define X(name, text) name,
    PEM_LABEL_LIST(X)
#undef X
};
const char *pem_label_text(enum pem_label label);

struct pem_block {
    enum pem_label label;
    bool is_encrypted; /* by its label or by a Proc-Type header; `der` is empty with the latter */
    int line;          /* of its BEGIN line, from 1 */
    struct span der;   /* lives as long as the struct pem */
};

struct pem_finding {
    enum pem_fault fault;
    int line, column; /* from 1; a carriage return alone ends a line as well */
};

struct pem {
    size_t n_blocks;
    struct pem_block blocks[PEM_BLOCKS_MAX];
    size_t n_findings; /* each fault at most once: where it was met first; in the order of the text */
    struct pem_finding findings[PEM_FAULTS];
    char *memory; /* secret; owned */
};

/* Reads a text of any origin. Returns 0 also when there are findings; -ENOMEM. `ret` is always valid
 * afterwards and is given back with pem_done. */
int pem_parse(struct span text, struct pem *ret);
void pem_done(struct pem *pem);

/* The first finding for which the text is refused, or NULL. */
const struct pem_finding *pem_refusal(const struct pem *pem);

/* Canonical form: 64 columns, one kind of line end, and a line end behind the last line or none. */
struct pem_style {
    bool is_crlf;
    bool final_line_end;
};

/* All blocks, one after the other. Returns the length, or ERR_FULL when `size` is too small (nothing useful
 * is in `out` then). No NUL is added. The result depends on labels, DER and style only. */
int64_t pem_write(const struct pem *pem, struct pem_style style, char *out, size_t size);

#endif
