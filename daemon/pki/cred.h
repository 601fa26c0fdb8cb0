/*
 * Credentials as plain data: what job/ and the store may know of them without a call into OpenSSL.
 */
#ifndef CERTLINE_PKI_CRED_H
#define CERTLINE_PKI_CRED_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* X(ENUM, number on the wire, name in files, database and API). nRF91 AT reference, %CMNG <type>. */
#define CRED_TYPE_LIST(X)                                                                                    \
    X(CRED_CA, 0, "ca")                                                                                      \
    X(CRED_CLIENT_CERT, 1, "client_cert")                                                                    \
    X(CRED_PRIVATE_KEY, 2, "private_key")                                                                    \
    X(CRED_PSK, 3, "psk")                                                                                    \
    X(CRED_PSK_IDENTITY, 4, "psk_identity")

enum cred_type {
#define X(name, number, text) name = number,
    CRED_TYPE_LIST(X)
#undef X
};
#define CRED_TYPES 5

/* Never NULL for a member of the enum. */
static inline const char *cred_type_name(enum cred_type type)
{
    switch (type) {
#define X(name, number, text)                                                                                \
    case name:                                                                                               \
        return text;
        CRED_TYPE_LIST(X)
#undef X
    }
    return "?";
}

/* Returns the type, or -1 for an unknown name. */
static inline int cred_type_from_name(const char *text)
{
#define X(name, number, word)                                                                                \
    if (strcmp(text, word) == 0) {                                                                           \
        return name;                                                                                         \
    }
    CRED_TYPE_LIST(X)
#undef X
    return -1;
}

/* Private key and PSK: never leave the process in clear but on the wire to their board. */
static inline bool cred_type_is_secret(enum cred_type type)
{
    return type == CRED_PRIVATE_KEY || type == CRED_PSK;
}

/* How a content was changed on its way into the modem: the known ways (design.md section 5).
 * X(ENUM, stable name, what the operator reads) */
#define MANGLING_LIST(X)                                                                                     \
    X(MANGLING_NONE, "none", "exactly what was sent")                                                        \
    X(MANGLING_CRLF, "crlf", "line feeds arrived as carriage return and line feed")                          \
    X(MANGLING_LF, "lf", "carriage returns were removed")                                                    \
    X(MANGLING_CR, "cr", "line feeds arrived as carriage returns")                                           \
    X(MANGLING_NO_FINAL, "no_final_line_end", "the last line end was lost")                                  \
    X(MANGLING_FINAL_ADDED, "final_line_end_added", "a line end was added")                                  \
    X(MANGLING_CRLF_NO_FINAL, "crlf_no_final", "line ends became CRLF and the last one was lost")            \
    X(MANGLING_LF_NO_FINAL, "lf_no_final", "carriage returns and the last line end were removed")            \
    X(MANGLING_LITERAL_N, "literal_backslash_n", "line feeds arrived as the two characters backslash and n") \
    X(MANGLING_LEADING_BLANK, "leading_blank", "a blank stands before the first character")                  \
    X(MANGLING_NO_BREAKS, "no_line_breaks", "the line breaks are gone")                                      \
    X(MANGLING_CUT, "cut", "it was cut off")                                                                 \
    X(MANGLING_OTHER, "other", "it is other content")

enum mangling {
#define X(name, text, sentence) name,
    MANGLING_LIST(X)
#undef X
};

/* Stable name, and the sentence for people. Never NULL. */
static inline const char *mangling_name(enum mangling m)
{
    switch (m) {
#define X(name, text, sentence)                                                                              \
    case name:                                                                                               \
        return text;
        MANGLING_LIST(X)
#undef X
    }
    return "?";
}

static inline const char *mangling_sentence(enum mangling m)
{
    switch (m) {
#define X(name, text, sentence)                                                                              \
    case name:                                                                                               \
        return sentence;
        MANGLING_LIST(X)
#undef X
    }
    return "?";
}

#define DIGEST_SIZE 32
struct digest {
    uint8_t octets[DIGEST_SIZE];
};

static inline bool digest_eq(const struct digest *a, const struct digest *b)
{
    return memcmp(a->octets, b->octets, DIGEST_SIZE) == 0;
}

/* One content as the modem should store it. Nordic's AT host takes 4,095 characters a command; our own
 * firmware 8 KiB. */
#define CRED_CONTENT_MAX 8000
#define SEC_TAG_MAX      2147483647u /* a user's; larger ones are the modem's own (%CMNG, <sec_tag>) */

/* "TLS traffic decryptable with Nordic tools": never in production (nRF91x1 AT reference, %CMNG). */
static inline bool sec_tag_is_test(uint32_t tag)
{
    return tag >= 2147483648u && tag <= 2147483667u;
}

static inline bool sec_tag_is_reserved(uint32_t tag)
{
    return tag > SEC_TAG_MAX;
}

#endif
