/*
 * The option table and the checks that its rows name. A check sees one value and nothing else; whatever takes
 * two options to judge is in config.c and config_product.c.
 */
#include "config_options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "job/family.h"
#include "job/product.h"
#include "pki/certify.h"
#include "pki/cred.h"
#include "station/station.h"

const struct config_section_row config_sections[CONFIG_SECTIONS] = {
    [SECTION_STATION] = {"station", "[station]", false, SECTION_TOP, 1, 1},
    [SECTION_HTTP] = {"http", "[http]", false, SECTION_TOP, 0, 1},
    [SECTION_SIGNER] = {"signer", "[signer]", false, SECTION_TOP, 0, 1},
    [SECTION_FIXTURE] = {"fixture", "[[fixture]]", true, SECTION_TOP, 1, CONFIG_FIXTURES_MAX},
    [SECTION_SLOT] = {"slot", "[[fixture.slot]]", true, SECTION_FIXTURE, 0, STATION_SLOTS_MAX},
    [SECTION_PRODUCT] = {"product", "[[product]]", true, SECTION_TOP, 0, CONFIG_PRODUCTS_MAX},
    [SECTION_ENTRY] = {"entry", "[[product.entry]]", true, SECTION_PRODUCT, 1, PRODUCT_ENTRIES_MAX},
};

/* ---- words: a value is its index, so each list is written by the enum it becomes */

static const char *const start_words[] = {
    [START_PLUG] = "plug", [START_SCAN] = "scan", [START_MANUAL] = "manual", NULL};
static const char *const presence_words[] = {[PRESENCE_USB] = "usb", [PRESENCE_POLL] = "poll", NULL};
static const char *const flow_words[] = {
    [FLOW_AUTO] = "auto", [FLOW_RTSCTS] = "rtscts", [FLOW_XONXOFF] = "xonxoff", [FLOW_NONE] = "none", NULL};
static const char *const source_words[] = {
    [SOURCE_BOUND] = "bound", [SOURCE_POOL] = "pool", [SOURCE_KEYGEN] = "keygen", [SOURCE_MES] = "mes", NULL};
static const char *const existing_words[] = {
    [EXISTING_REPLACE] = "replace", [EXISTING_KEEP_EQUAL] = "keep_equal", [EXISTING_REFUSE] = "refuse", NULL};
static const char *const second_words[] = {
    [SECOND_COMPARE] = "compare", [SECOND_REFUSE] = "refuse", [SECOND_AGAIN] = "again", NULL};
static const char *const equal_words[] = {[EQUAL_OCTETS] = "octets", [EQUAL_CONTENT] = "content", NULL};
static const char *const line_end_words[] = {[false] = "lf", [true] = "crlf", NULL}; /* is_crlf */
static const char *const proof_words[] = {[PROOF_DIGEST] = "digest", [PROOF_PRESENCE] = "presence", NULL};
static const char *const leave_words[] = {[LEAVE_CFUN0] = "cfun0",
                                          [LEAVE_CFUN4] = "cfun4",
                                          [LEAVE_CFUN1] = "cfun1",
                                          [LEAVE_AS_FOUND] = "as_found",
                                          NULL};
static const char *const cred_words[] = {
#define X(name, number, text) [name] = text,
    CRED_TYPE_LIST(X)
#undef X
        NULL};
static const char *const cloud_words[] = {
#define X(name, text, characters, most, words) [name] = text,
    DEVICE_CLOUD_LIST(X)
#undef X
        NULL};
static const char *const public_key_words[] = {[false] = "keep", [true] = "replace", NULL};
static const char *const from_words[] = {[FROM_FILE] = "file", [FROM_BUNDLE] = "bundle", NULL};

/* ---- checks */

/* Names stand in paths of the API, in file names and on labels. */
static int check_name(const struct toml_node *value, struct err_info *reterr)
{
    for (const char *c = value->string; *c; c++) {
        if (!isalnum((unsigned char)*c) && (c == value->string || !strchr("._-", *c))) {
            return err_set(reterr, ERR_FORMAT,
                           "is no name; use letters, digits, '.', '_' and '-', a letter or digit first");
        }
    }
    return 0;
}

/* strtoul takes signs and blanks; a port number is digits. */
static int parse_port(const char *text, uint16_t *ret)
{
    size_t n = strspn(text, "0123456789");
    unsigned long port = n > 0 && n <= 5 && text[n] == '\0' ? strtoul(text, NULL, 10) : 65536;
    if (port > 65535) {
        return ERR_FORMAT;
    }
    *ret = (uint16_t)port;
    return 0;
}

int config_parse_address(const char *text, struct config_address *ret, struct err_info *reterr)
{
    static const char form[] = "is no address and port; write it as \"127.0.0.1:8080\" or \"[::1]:8080\"";
    struct config_address address = {.is_v6 = text[0] == '['};
    const char *colon = strrchr(text, ':');
    const char *host = text + address.is_v6;
    size_t len = colon ? (size_t)(colon - host) : 0;
    if (address.is_v6 && (len == 0 || host[--len] != ']')) {
        return err_set(reterr, ERR_FORMAT, "%s", form);
    }
    if (len == 0 || len >= sizeof(address.host) || parse_port(colon + 1, &address.port) < 0) {
        return err_set(reterr, ERR_FORMAT, "%s", form);
    }
    memcpy(address.host, host, len);

    unsigned char octets[16];
    if (inet_pton(address.is_v6 ? AF_INET6 : AF_INET, address.host, octets) != 1) {
        return err_set(reterr, ERR_FORMAT, "%s", form);
    }
    static const unsigned char v6_loopback[16] = {[15] = 1};
    if (address.is_v6 ? memcmp(octets, v6_loopback, 16) != 0 : octets[0] != 127) {
        return err_set(
            reterr, ERR_REFUSED,
            "is not a loopback address; others need TLS and tokens, which this version does not have; "
            "listen on 127.0.0.1 or [::1]");
    }
    *ret = address;
    return 0;
}

static int check_address(const struct toml_node *value, struct err_info *reterr)
{
    struct config_address address;
    return config_parse_address(value->string, &address, reterr);
}

/* Skips one or more digits; NULL when there is none. */
static const char *skip_number(const char *text)
{
    size_t n = text ? strspn(text, "0123456789") : 0;
    return n > 0 ? text + n : NULL;
}

static const char *skip_char(const char *text, char c)
{
    return text && *text == c ? text + 1 : NULL;
}

/* "1-1.2:1.0": bus, ports along the hubs, configuration and interface, as sysfs names them. */
static int check_usb(const struct toml_node *value, struct err_info *reterr)
{
    const char *at = skip_number(skip_char(skip_number(value->string), '-'));
    while (at && *at == '.') {
        at = skip_number(at + 1);
    }
    at = skip_number(skip_char(skip_number(skip_char(at, ':')), '.'));
    if (!at || *at != '\0') {
        return err_set(
            reterr, ERR_FORMAT,
            "is no USB path and interface; write it as sysfs does: bus-port.port:configuration.interface, "
            "such as \"1-1.2:1.0\"");
    }
    return 0;
}

/* Wildcards in the last part only: one folder is watched, and what they match is the slot's name. */
static int check_glob(const struct toml_node *value, struct err_info *reterr)
{
    const char *slash = strrchr(value->string, '/');
    const char *last = slash ? slash + 1 : value->string;
    if (strcspn(value->string, "*?[") < (size_t)(last - value->string) || !strpbrk(last, "*?[")) {
        return err_set(
            reterr, ERR_FORMAT,
            "is no glob for slots; wildcards stand in its last part only, and what they match names the "
            "slot: \"/run/rack1/slot*\"");
    }
    const char *set = strchr(last, '[');
    if (set && !strchr(set + 1, ']')) {
        return err_set(reterr, ERR_FORMAT, "has a '[' without its ']'");
    }
    return 0;
}

static int check_source(const struct toml_node *value, struct err_info *reterr)
{
    if (strcmp(value->string, source_words[SOURCE_MES]) == 0) {
        return err_set(reterr, ERR_REFUSED,
                       "is not supported by this version; use \"bound\", \"pool\" or \"keygen\"");
    }
    return 0;
}

static int check_attributes(const struct toml_node *value, struct err_info *reterr)
{
    if (!certify_attributes_are_valid(value->string)) {
        return err_set(reterr, ERR_FORMAT,
                       "is no list of attributes; write ID=value, separated by commas, such as "
                       "\"O=Acme,C=no\"; C, ST, L, O, OU, CN, T, SN and serialNumber are known");
    }
    return 0;
}

static int check_firmware_rule(const struct toml_node *value, struct err_info *reterr)
{
    if (strlen(value->string) >= PRODUCT_RULE_SIZE || !family_rule_is_valid(value->string)) {
        return err_set(
            reterr, ERR_FORMAT,
            "is no firmware rule; write a comparison and a version (\">=1.3.2\"; >, <=, <, == as well), "
            "\"ntn\", or a name, which may end in '*'");
    }
    return 0;
}

static int check_model_rule(const struct toml_node *value, struct err_info *reterr)
{
    size_t len = strlen(value->string);
    const char *star = strchr(value->string, '*');
    if (len == 0 || len >= PRODUCT_RULE_SIZE || (star && star[1] != '\0')) {
        return err_set(reterr, ERR_FORMAT,
                       "is no model rule; write a model's name of at most %d characters; a '*' "
                       "may stand at its end",
                       PRODUCT_RULE_SIZE - 1);
    }
    return 0;
}

static int check_device_id(const struct toml_node *value, struct err_info *reterr)
{
    if (!device_scheme_is_valid(value->string, CLOUD_NONE)) {
        return err_set(
            reterr, ERR_FORMAT,
            "names no boards; write any, uuid, imei, nrf-imei, a prefix and a '*' at its end, or a "
            "text with {imei} or {uuid} in it");
    }
    return 0;
}

static int check_sec_tag(const struct toml_node *value, struct err_info *reterr)
{
    uint32_t tag = value->integer > UINT32_MAX ? UINT32_MAX : (uint32_t)value->integer;
    if (sec_tag_is_test(tag)) {
        return err_set(
            reterr, ERR_REFUSED,
            "is a test tag: Nordic's tools can decrypt what is sent under it; use one from 0 to %u",
            SEC_TAG_MAX);
    }
    if (sec_tag_is_reserved(tag)) {
        return err_set(reterr, ERR_REFUSED, "is one of the modem's own tags; use one from 0 to %u",
                       SEC_TAG_MAX);
    }
    return 0;
}

/* ---- the table */

const struct config_option config_options[CONFIG_OPTIONS] = {
    [OPT_STATION_NAME] = {SECTION_STATION, "name", TYPE_TEXT, 1, CONFIG_NAME_SIZE - 1, .is_required = true,
                          .example = "\"SZ-L3-PRV-02\"", .check = check_name,
                          .sentence = "The station's name, as it stands in every record."},
    [OPT_STATION_STATE_DIR] = {SECTION_STATION, "state_dir", TYPE_PATH, 1, 4095,
                               .preset = "\"/var/lib/certline\"",
                               .sentence = "Folder of the database, its mark, its lock and the Unix socket."},
    [OPT_STATION_KEY_FILE] = {SECTION_STATION, "key_file", TYPE_PATH, 1, 4095,
                              .example = "\"/etc/certline/wrapping.key\"",
                              .sentence = "The key that seals all secrets (32 random octets, mode 0600); "
                                          "wrapping.key in state_dir when left out."},
    [OPT_STATION_KEY_MODULE] =
        {SECTION_STATION, "key_module", TYPE_PATH, 1, 4095, .example = "\"/usr/lib/softhsm/libsofthsm2.so\"",
         .sentence = "The PKCS#11 module of a token without which the key file is no key; with key_token."},
    [OPT_STATION_KEY_TOKEN] = {SECTION_STATION, "key_token", TYPE_TEXT, 1, 32, .example = "\"station\"",
                               .sentence = "That token's label."},
    [OPT_STATION_KEY_OBJECT] =
        {SECTION_STATION, "key_object", TYPE_TEXT, 1, 127, .example = "\"wrapping\"",
         .sentence = "The label of the AES or generic secret key on it; the token's only one when left out."},
    [OPT_STATION_KEY_PIN_FILE] =
        {SECTION_STATION, "key_pin_file", TYPE_PATH, 1, 4095, .example = "\"/etc/certline/wrapping.pin\"",
         .sentence = "A file (mode 0600) with its PIN; when left out, the systemd credential "
                     "wrapping-key-pin, or the terminal."},

    [OPT_HTTP_LISTEN] = {SECTION_HTTP, "listen", TYPE_TEXTS, 0, CONFIG_LISTEN_MAX,
                         .preset = "[\"127.0.0.1:8080\"]", .check = check_address,
                         .sentence =
                             "Where browsers and the MES reach the station: loopback addresses with a port; "
                             "port 0 takes any free one."},

    [OPT_SIGNER_CERTIFICATE] = {SECTION_SIGNER, "certificate", TYPE_PATH, 1, 4095, .is_required = true,
                                .example = "\"/etc/certline/ca.pem\"",
                                .sentence =
                                    "The certificate of the CA that issues for keys made on boards (PEM)."},
    [OPT_SIGNER_KEY] = {SECTION_SIGNER, "key", TYPE_PATH, 1, 4095, .example = "\"/etc/certline/ca.key\"",
                        .sentence = "Its private key as encrypted PEM; this or a token."},
    [OPT_SIGNER_PASSPHRASE_FILE] =
        {SECTION_SIGNER, "passphrase_file", TYPE_PATH, 1, 4095, .example = "\"/etc/certline/ca.pass\"",
         .sentence =
             "A file (mode 0600) with the key's passphrase or the token's PIN; when left out, the systemd "
             "credential signer-passphrase, or the terminal."},
    [OPT_SIGNER_MODULE] = {SECTION_SIGNER, "module", TYPE_PATH, 1, 4095,
                           .example = "\"/usr/lib/softhsm/libsofthsm2.so\"",
                           .sentence = "The PKCS#11 module of the token with the CA's private key."},
    [OPT_SIGNER_TOKEN] = {SECTION_SIGNER, "token", TYPE_TEXT, 1, 32, .example = "\"factory\"",
                          .sentence = "The token's label."},
    [OPT_SIGNER_OBJECT] = {SECTION_SIGNER, "object", TYPE_TEXT, 1, 127, .example = "\"ca\"",
                           .sentence = "The private key's label; the token's only key when left out."},
    [OPT_SIGNER_VALIDITY_DAYS] = {SECTION_SIGNER, "validity_days", TYPE_INT, 1, 36500, .preset = "3650",
                                  .sentence =
                                      "How long a board's certificate is valid, and never beyond the CA's."},
    [OPT_SIGNER_SPARE] = {SECTION_SIGNER, "spare", TYPE_INT, 0, 1000000, .preset = "16",
                          .sentence =
                              "How many certificates a work order may have issued beyond its quantity."},

    [OPT_FIXTURE_NAME] = {SECTION_FIXTURE, "name", TYPE_TEXT, 1, FIXTURE_SIZE - 1, .is_required = true,
                          .example = "\"rack1\"", .check = check_name,
                          .sentence = "The rack's name; slots are called by it: rack1/001."},
    [OPT_FIXTURE_COLUMNS] =
        {SECTION_FIXTURE, "columns", TYPE_INT, 1, 64, .preset = "4",
         .sentence = "How many slots stand side by side, so that the screen looks like the rack."},
    [OPT_FIXTURE_START] =
        {SECTION_FIXTURE, "start", TYPE_WORD, .words = start_words, .preset = "\"plug\"",
         .sentence = "What starts a job: the board's arrival (plug), the scan of its code (scan), or "
                     "a person (manual)."},
    [OPT_FIXTURE_PRESENCE] = {SECTION_FIXTURE, "presence", TYPE_WORD, .words = presence_words,
                              .preset = "\"usb\"",
                              .sentence =
                                  "How a board's coming and going is seen: its port does (usb), or its "
                                  "identity is asked for (poll)."},
    [OPT_FIXTURE_PORTS] = {SECTION_FIXTURE, "ports", TYPE_PATH, 1, 4095, .example = "\"/run/rack1/slot*\"",
                           .check = check_glob,
                           .sentence =
                               "A glob in place of single slots: one for each port, in the order of their "
                               "names, named by what the star matched."},
    [OPT_FIXTURE_BAUD] = {SECTION_FIXTURE, "baud", TYPE_INT, 9600, 3000000, .preset = "115200",
                          .sentence = "Speed of the ports of this rack."},
    [OPT_FIXTURE_FLOW] =
        {SECTION_FIXTURE, "flow", TYPE_WORD, .words = flow_words, .preset = "\"auto\"",
         .sentence = "Flow control of the ports of this rack: rtscts, xonxoff, none, or what the kind "
                     "of board asks for (auto)."},

    [OPT_SLOT_NAME] = {SECTION_SLOT, "name", TYPE_TEXT, 1, FIXTURE_SIZE - 1, .is_required = true,
                       .example = "\"07\"", .check = check_name,
                       .sentence = "The slot's name, as written on the rack."},
    [OPT_SLOT_USB] = {SECTION_SLOT, "usb", TYPE_TEXT, 1, 63, .example = "\"1-1.2:1.0\"", .check = check_usb,
                      .sentence = "The slot's place by USB path and interface number; this or port."},
    [OPT_SLOT_PORT] = {SECTION_SLOT, "port", TYPE_PATH, 1, 4095,
                       .example = "\"/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0\"",
                       .sentence = "The slot's port by a path that stays the same; this or usb."},
    [OPT_SLOT_BAUD] = {SECTION_SLOT, "baud", TYPE_INT, 9600, 3000000, .example = "115200",
                       .sentence = "Speed of this port; the fixture's when left out."},
    [OPT_SLOT_FLOW] = {SECTION_SLOT, "flow", TYPE_WORD, .words = flow_words, .example = "\"rtscts\"",
                       .sentence = "Flow control of this port; the fixture's when left out."},

    [OPT_PRODUCT_NAME] = {SECTION_PRODUCT, "name", TYPE_TEXT, 1, PRODUCT_NAME_SIZE - 1, .is_required = true,
                          .example = "\"tracker\"", .check = check_name,
                          .sentence = "The product's name, as work orders and bundles call it."},
    [OPT_PRODUCT_SOURCE] =
        {SECTION_PRODUCT, "source", TYPE_WORD, .words = source_words, .is_required = true,
         .example = "\"pool\"", .check = check_source,
         .sentence = "Where a board's bundle comes from: made for its IMEI (bound), the next free one "
                     "(pool), or a key that the board makes itself (keygen)."},
    [OPT_PRODUCT_ON_EXISTING] = {SECTION_PRODUCT, "on_existing", TYPE_WORD, .words = existing_words,
                                 .preset = "\"replace\"",
                                 .sentence =
                                     "What to do with other entries under the product's tags: replace, "
                                     "keep_equal or refuse."},
    [OPT_PRODUCT_SECOND_VISIT] = {SECTION_PRODUCT, "second_visit", TYPE_WORD, .words = second_words,
                                  .preset = "\"compare\"",
                                  .sentence =
                                      "A board that has passed before: compare only, refuse, or provision it "
                                      "again."},
    [OPT_PRODUCT_EQUAL] = {SECTION_PRODUCT, "equal", TYPE_WORD, .words = equal_words, .preset = "\"octets\"",
                           .sentence = "When an entry counts as the same: every octet (octets), or the same "
                                       "certificate with other line ends too (content)."},
    [OPT_PRODUCT_LINE_END] = {SECTION_PRODUCT, "line_end", TYPE_WORD, .words = line_end_words,
                              .preset = "\"lf\"",
                              .sentence = "Line ends of what is written to the board: lf or crlf."},
    [OPT_PRODUCT_FINAL_LINE_END] = {SECTION_PRODUCT, "final_line_end", TYPE_BOOL, .preset = "true",
                                    .sentence = "Whether the last line has a line end as well."},
    [OPT_PRODUCT_PROOF] = {SECTION_PRODUCT, "proof", TYPE_WORD, .words = proof_words, .preset = "\"digest\"",
                           .sentence =
                               "What a PASS takes: the right digests (digest), or entries that are there "
                               "(presence), which is all that old firmware shows."},
    [OPT_PRODUCT_POSSESSION] = {SECTION_PRODUCT, "possession", TYPE_BOOL, .preset = "false",
                                .sentence =
                                    "Whether the board must also sign a nonce with its key (source keygen)."},
    [OPT_PRODUCT_ATTRIBUTES] =
        {SECTION_PRODUCT, "attributes", TYPE_TEXT, 0, PRODUCT_ATTRIBUTES_SIZE - 1, .preset = "\"\"",
         .check = check_attributes,
         .sentence = "Attributes of the subject beside its name, with source keygen: \"O=Acme,C=no\"."},
    [OPT_PRODUCT_NATIVE_TLS] =
        {SECTION_PRODUCT, "native_tls", TYPE_BOOL, .preset = "false",
         .sentence = "Whether the boards run Serial LTE Modem built with TLS of its own, which takes its "
                     "credentials by AT#XCMNG; not with source keygen."},
    [OPT_PRODUCT_SIGNED_COMMANDS] =
        {SECTION_PRODUCT, "signed_commands", TYPE_BOOL, .preset = "false",
         .sentence = "Whether writes and deletions are signed with the P-256 key of [signer] (%XSUDO), whose "
                     "public half is put onto the board (%XPMNG); no modem firmware needs it."},
    [OPT_PRODUCT_ON_PUBLIC_KEY] =
        {SECTION_PRODUCT, "on_public_key", TYPE_WORD, .words = public_key_words, .preset = "\"keep\"",
         .sentence = "What to do with another's public key on the board, with signed_commands: keep, and let "
                     "the board fail, or replace."},
    [OPT_PRODUCT_ATTESTATION] =
        {SECTION_PRODUCT, "attestation", TYPE_BOOL, .preset = "false",
         .sentence =
             "Whether a board's attestation token is taken and kept for exports (nRF91x1; a board that gives "
             "none passes all the same)."},
    [OPT_PRODUCT_KEEP_KEYS] =
        {SECTION_PRODUCT, "keep_keys", TYPE_BOOL, .preset = "false",
         .sentence =
             "Whether the station keeps private keys and pre-shared keys of boards that passed; second_visit "
             "again does too."},
    [OPT_PRODUCT_LEAVE] = {SECTION_PRODUCT, "leave", TYPE_WORD, .words = leave_words, .preset = "\"cfun0\"",
                           .sentence =
                               "How the modem is left: off (cfun0), flight mode (cfun4), on (cfun1) or as it "
                               "was found (as_found)."},
    [OPT_PRODUCT_MODEM_FIRMWARE] = {SECTION_PRODUCT, "modem_firmware", TYPE_TEXTS, 0, PRODUCT_RULES_MAX,
                                    .preset = "[]", .check = check_firmware_rule,
                                    .sentence =
                                        "Modem firmware that is let in: any rule may match, \">=1.3.2\" or "
                                        "\"ntn\"; all of it when empty."},
    [OPT_PRODUCT_MODEL] =
        {SECTION_PRODUCT, "model", TYPE_TEXTS, 0, PRODUCT_RULES_MAX, .preset = "[]",
         .check = check_model_rule,
         .sentence = "Models that are let in, a star at the end matches the rest (\"nRF91*\"); all of "
                     "them when empty."},
    [OPT_PRODUCT_DEVICE_ID] =
        {SECTION_PRODUCT, "device_id", TYPE_TEXT, 1, DEVICE_SCHEME_SIZE - 1, .preset = "\"any\"",
         .check = check_device_id,
         .sentence = "How a board is called towards its cloud: any, uuid, imei, nrf-imei, a prefix "
                     "(\"acme-*\") or a template (\"acme-{imei}\")."},
    [OPT_PRODUCT_CLOUD] = {SECTION_PRODUCT, "cloud", TYPE_WORD, .words = cloud_words, .preset = "\"none\"",
                           .sentence =
                               "Whose rules for the length and the characters of names hold: none, nrfcloud, "
                               "aws or azure."},
    [OPT_PRODUCT_ISSUER] = {SECTION_PRODUCT, "issuer", TYPE_PATH, 1, 4095,
                            .example = "\"/etc/ssl/certs/ISRG_Root_X1.pem\"",
                            .sentence = "The PEM file of the CAs that the certificates of bundles must come "
                                        "from; any when left out."},
    [OPT_PRODUCT_JOB_LIMIT_S] = {SECTION_PRODUCT, "job_limit_s", TYPE_INT, 5, 3600, .preset = "60",
                                 .sentence = "Seconds after which a job ends as TIMEOUT."},

    [OPT_ENTRY_SEC_TAG] = {SECTION_ENTRY, "sec_tag", TYPE_INT, 0, INT64_MAX, .is_required = true,
                           .example = "16842753", .check = check_sec_tag,
                           .sentence = "The security tag in the modem, 0 to 2147483647."},
    [OPT_ENTRY_TYPE] = {SECTION_ENTRY, "type", TYPE_WORD, .words = cred_words, .is_required = true,
                        .example = "\"ca\"",
                        .sentence = "What stands there: ca, client_cert, private_key, psk or psk_identity."},
    [OPT_ENTRY_FROM] = {SECTION_ENTRY, "from", TYPE_WORD, .words = from_words, .is_required = true,
                        .example = "\"file\"",
                        .sentence =
                            "Where it comes from: the same for every board (file), or each board's own "
                            "(bundle)."},
    [OPT_ENTRY_FILE] = {SECTION_ENTRY, "file", TYPE_PATH, 1, 4095,
                        .example = "\"/etc/ssl/certs/Amazon_Root_CA_1.pem\"",
                        .sentence = "The PEM file of a ca from a file."},
};
