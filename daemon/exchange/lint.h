/*
 * Lint: everything that is wrong with credentials before they come near a board, and what to do about it. The
 * import refuses at the first fault that is one; the lint goes on and tells all, notes and warnings as well.
 *
 * A text is judged alone (lint_text), a board's credentials together (lint_bundle), and all that one run has
 * seen against each other (the same key or serial number twice). Nothing here reads files, prints, or quotes
 * what it judges.
 */
#ifndef CERTLINE_EXCHANGE_LINT_H
#define CERTLINE_EXCHANGE_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "job/device_id.h"
#include "job/product.h"
#include "pki/pem.h"
#include "pki/x509.h"

struct chain;

/* Nordic's AT host takes this many characters a command, its carriage return not counted (CONFIG_AT_HOST_CMD_
 * MAX_LEN 4096, one of them for the NUL). */
#define LINT_HOST_COMMAND_MAX 4095

/* A clock before 2025 was never set: dates are not held against it. */
#define LINT_CLOCK_SANE       1735689600

#define LINT_FINDINGS_MAX     24
#define LINT_WHAT_SIZE        240
#define LINT_PSK_OCTETS_MIN   16         /* fewer can be guessed */
#define LINT_TAG_UNKNOWN      UINT32_MAX /* eight digits are counted for it */

enum lint_level {
    LINT_NOTE,    /* the canonical form mends it by itself */
    LINT_WARNING, /* a board takes it; somebody should look */
    LINT_REFUSED, /* an import refuses it */
};
const char *lint_level_name(enum lint_level level);

/* X(ENUM, stable name, level, why it matters, remedy). The faults of PEM texts are in pki/pem.h. */
#define LINT_FAULT_LIST(X)                                                                                   \
    X(LINT_NOT_CREDENTIAL, "not_a_credential", LINT_REFUSED,                                                 \
      "the modem stores what it is given, and firmware before 2.0.1 says OK to anything",                    \
      "Give a certificate, a private key, or a pre-shared key with --type.")                                 \
    X(LINT_WRONG_TYPE, "wrong_type", LINT_REFUSED,                                                           \
      "a certificate's place with something else in it is answered 527, a key's place takes it silently",    \
      "Two files were mixed up: give the right one.")                                                        \
    X(LINT_MIXED, "mixed", LINT_REFUSED, "the modem keeps certificate and key under types of their own",     \
      "Write certificate and private key to two files.")                                                     \
    X(LINT_KEYS_MANY, "several_keys", LINT_REFUSED, "the modem uses one key an entry",                       \
      "Write each private key to a file of its own.")                                                        \
    X(LINT_CERT_INVALID, "certificate_invalid", LINT_REFUSED,                                                \
      "modem firmware that checks answers 527, older firmware stores it and every connection fails",         \
      "Take the certificate from its original file, or have it issued again.")                               \
    X(LINT_CERT_EXPIRED, "certificate_expired", LINT_REFUSED,                                                \
      "the modem stores it without a word, and every server refuses it", "Have it issued again.")            \
    X(LINT_CERT_EARLY, "certificate_not_yet_valid", LINT_WARNING,                                            \
      "servers refuse it until then, and the modem does not look",                                           \
      "Check the clocks of the CA and of this station.")                                                     \
    X(LINT_CERT_DATES, "certificate_dates", LINT_REFUSED, "it is valid at no time at all",                   \
      "Have it issued again.")                                                                               \
    X(LINT_CLOCK, "clock_not_set", LINT_WARNING, "nobody can tell whether a certificate is still valid",     \
      "Set this machine's clock, then lint again.")                                                          \
    X(LINT_NO_CA, "no_ca", LINT_WARNING,                                                                     \
      "a server's certificate is checked against it, and this one may "                                      \
      "issue none",                                                                                          \
      "Give the root certificate of the server's CA.")                                                       \
    X(LINT_CA_AS_CLIENT, "ca_as_client", LINT_WARNING,                                                       \
      "a board that holds it could issue certificates to others", "Give the board's own certificate.")       \
    X(LINT_KEY_INVALID, "key_invalid", LINT_REFUSED,                                                         \
      "the modem never looks at a private key: it answers OK and no connection works",                       \
      "Take the key from its original file, or make certificate and key again.")                             \
    X(LINT_KEY_KIND, "key_kind", LINT_REFUSED, "the modem's TLS knows P-256, P-384 and RSA only",            \
      "Make certificate and key again, with P-256.")                                                         \
    X(LINT_KEY_ENCRYPTED, "key_encrypted", LINT_REFUSED,                                                     \
      "the modem cannot decrypt it: the password of %CMNG is not supported by any firmware",                 \
      "Decrypt it: certlined lint --fix asks for the password.")                                             \
    X(LINT_KEY_PASSWORD, "key_password", LINT_REFUSED, "the key could not be judged",                        \
      "Give the right password.")                                                                            \
    X(LINT_KEY_MISMATCH, "key_mismatch", LINT_REFUSED,                                                       \
      "the modem stores both without a word, and no connection works",                                       \
      "Find the key that the certificate was issued for, or have a certificate issued for this key.")        \
    X(LINT_CHAIN, "chain", LINT_REFUSED, "the modem does not look, and the cloud refuses the board",         \
      "Have it issued by the right CA, or give that CA with --ca.")                                          \
    X(LINT_NAME, "device_id", LINT_REFUSED, "the cloud would not know the board by it",                      \
      "Have the certificate issued for the board's own name.")                                               \
    X(LINT_KEY_TWICE, "duplicate_key", LINT_REFUSED, "two boards would be one to their server",              \
      "Make a key for each board.")                                                                          \
    X(LINT_IDENTITY_TWICE, "duplicate_identity", LINT_REFUSED,                                               \
      "two boards would be one to their server, and revoking one would revoke the other",                    \
      "Give every certificate a serial number of its own, and every pre-shared key an identity of its own.") \
    X(LINT_HOST_LENGTH, "command_length", LINT_WARNING,                                                      \
      "Nordic's AT host drops what is more than 4,095 characters, the closing quote too, and hangs",         \
      "Leave out certificates that the board does not need, or use firmware that takes checked frames.")     \
    X(LINT_NATIVE_ROOM, "native_tls_room", LINT_REFUSED,                                                     \
      "native TLS loads all of a tag into one buffer: AT#XCMNG says OK and no connection works",             \
      "Leave out certificates that the board does not need, or use smaller keys.")                           \
    X(LINT_TOO_LONG, "too_long", LINT_REFUSED, "no front end takes such a command",                          \
      "Leave out certificates that the board does not need.")                                                \
    X(LINT_PSK, "psk_invalid", LINT_REFUSED, "the modem takes a pre-shared key as hexadecimal text only",    \
      "Write 1 to 64 octets as hexadecimal digits, two each, and nothing else.")                             \
    X(LINT_PSK_SHORT, "psk_short", LINT_WARNING, "fewer than 16 octets can be guessed",                      \
      "Make a key of 16 octets or more: certlined import --generate-psk does.")                              \
    X(LINT_IDENTITY, "identity_invalid", LINT_REFUSED, "the modem has no way to escape a quotation mark",    \
      "Use 1 to 128 printable ASCII characters.")                                                            \
    X(LINT_TAG_TEST, "test_tag", LINT_REFUSED,                                                               \
      "what is sent under 2147483648 to 2147483667 can be decrypted with Nordic's tools",                    \
      "Use a tag from 0 to 2147483647.")                                                                     \
    X(LINT_TAG_RESERVED, "reserved_tag", LINT_REFUSED, "tags above 2147483647 are the modem's own",          \
      "Use a tag from 0 to 2147483647.")                                                                     \
    X(LINT_ROW, "row_invalid", LINT_REFUSED, "an import cannot read it", "Correct the row.")

enum lint_fault {
#define X(name, text, level, why, remedy) name,
    LINT_FAULT_LIST(X)
#undef X
};

const char *lint_fault_name(enum lint_fault fault);
const char *lint_fault_why(enum lint_fault fault); /* and what to do about it: */
const char *lint_fault_remedy(enum lint_fault fault);

/* Characters of the command that writes a content of this length, carriage return not counted. `product` may
 * be NULL. */
size_t lint_command_length(const struct product *product, uint32_t sec_tag, size_t content_len);

struct lint_finding {
    const char *name; /* stable */
    enum lint_level level;
    int type;         /* of the credential it stands in, or -1 */
    int line, column; /* from 1; 0: no place in particular */
    char what[LINT_WHAT_SIZE];
    const char *why, *remedy; /* static */
};

struct lint_report {
    size_t n;
    bool is_cut; /* there were more */
    struct lint_finding findings[LINT_FINDINGS_MAX];
};
bool lint_is_refused(const struct lint_report *report);

struct lint_config {
    int64_t now_s;                 /* of this machine's clock */
    const struct chain *chain;     /* the CAs that client certificates must come from; NULL: any. Borrowed */
    const struct product *product; /* its style, names, tags and types; NULL: LF, any name. Borrowed */
};

struct lint; /* one run: what it has seen so far. One thread */

struct lint *lint_new(const struct lint_config *config); /* NULL without memory */
void lint_free(struct lint *lint);

/* One credential as it was read. */
struct lint_credential {
    enum cred_type type;
    struct pem pem;
    bool has_cert; /* client_cert, ca: of the first block */
    struct cert cert;
    struct key *key;  /* private_key; NULL when it could not be read */
    bool is_sound;    /* the content itself is right, whatever the form of the text */
    struct span text; /* the caller's own */
};
void lint_credential_done(struct lint_credential *credential);

/* What a text seems to be: an enum cred_type, or -1. A certificate that may issue others is taken for a ca.
 */
int lint_guess(struct span text);

/* Judges a text as a credential of this type; findings are added to `report`. `ret` is always valid
 * afterwards. Returns 0 or -ENOMEM. */
int lint_text(struct lint *lint, enum cred_type type, struct span text, struct lint_report *report,
              struct lint_credential *ret);

/* Whose credentials these are; NULL or empty: not known. */
struct lint_owner {
    const char *id; /* as it should stand in a sentence about this place: "row 7", "a.pem" */
    const char *imei;
};

/* Judges what credentials say together: does the key belong to the certificate, is the name the board's, and
 * did the same key or identity come before in this run. NULL: there is none. Returns 0 or -ENOMEM. */
int lint_pair(struct lint *lint, const struct lint_owner *owner, const struct lint_credential *cert,
              const struct lint_credential *key, struct lint_report *report);
int lint_identity(struct lint *lint, const struct lint_owner *owner, const struct lint_credential *psk,
                  const struct lint_credential *identity, struct lint_report *report);

/* Judges whether a product with native TLS has room for these under its tags, beside its own files. `all` by
 * type; NULL: there is none. */
void lint_room(struct lint *lint, const struct lint_owner *owner,
               const struct lint_credential *const all[CRED_TYPES], struct lint_report *report);

/* A tag that somebody means to write to. */
void lint_tag(int64_t sec_tag, struct lint_report *report);

/* Adds a finding; `type` -1 and line 0 where there is none. */
void lint_add(struct lint_report *report, enum lint_fault fault, int type, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The canonical form of what was read, in the product's style: its length, or ERR_FORMAT when it cannot be
 * written without guessing, ERR_FULL. */
int64_t lint_canonical(const struct lint *lint, const struct lint_credential *credential, char *out,
                       size_t size);

#endif
