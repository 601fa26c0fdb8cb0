/* The configuration: what is read, what is refused and where, and that the example says what the table says.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/hex.h"
#include "config.h"
#include "config_hint.h"
#include "config_read.h"
#include "pki/digest.h"
#include "support/pemtext.h"
#include "support/testpki.h"

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))

static struct config_errors errors; /* too large for a stack frame that many tests share */

/* A folder with a CA's certificate, its key, and a damaged copy. */
static char folder[] = "/tmp/certline-config-XXXXXX";
static char config_path[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fputs(text, f) < 0, 0);
    assert_int_equal(fclose(f), 0);
}

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(config_path, sizeof(config_path), "%s/config.toml", folder);
    struct testpki *pki = testpki_new(1);
    struct testpki_bundle bundle;
    testpki_bundle(pki, 0, TESTPKI_P256, &bundle);
    write_file("ca.pem", testpki_ca(pki));
    write_file("key.pem", bundle.private_key);
    write_file("board.pem", bundle.client_cert);
    char set[8192];
    snprintf(set, sizeof(set), "%s%s", testpki_ca(pki), pemtext_amazon());
    write_file("set.pem", set);
    snprintf(set, sizeof(set), "%1$s%1$s%1$s%1$s", pemtext_amazon());
    write_file("many.pem", set);

    char cut[200];
    snprintf(cut, sizeof(cut), "%s", testpki_ca(pki));
    write_file("cut.pem", cut);
    write_file("empty.pem", "");
    write_file("other.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    testpki_bundle_done(&bundle);
    testpki_free(pki);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"ca.pem",  "key.pem",  "cut.pem",   "empty.pem",   "board.pem",
                                        "set.pem", "many.pem", "other.pem", "config.toml", "pipe"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

/* ---- pieces of files */

#define STATION "[station]\nname = \"s\"\n"                         /* 2 lines */
#define FIXTURE "[[fixture]]\nname = \"r\"\nports = \"/run/r/*\"\n" /* 3 lines */
#define PRODUCT "[[product]]\nname = \"p\"\nsource = \"pool\"\n"    /* 3 lines */
#define ENTRY(tag, type, from)                                                                               \
    "[[product.entry]]\nsec_tag = " tag "\ntype = \"" type "\"\nfrom = \"" from "\"\n"
#define KEYGEN   "[[product]]\nname = \"p\"\nsource = \"keygen\"\n"
#define SIGNER   "[signer]\ncertificate = \"ca.pem\"\nkey = \"ca.key\"\n"
#define PAIR     ENTRY("7", "client_cert", "bundle") ENTRY("7", "private_key", "bundle") /* 8 lines */
#define CA(file) ENTRY("7", "ca", "file") "file = \"" file "\"\n"
#define RACK     STATION FIXTURE /* 5 lines */

static struct config *parse(const char *text)
{
    struct config *config = NULL;
    int r = config_parse(span_str(text), config_path, &config, &errors);
    if (r < 0) {
        for (uint32_t i = 0; i < errors.n; i++) {
            print_error("%d:%d: %s\n", errors.items[i].line, errors.items[i].column, errors.items[i].text);
        }
    }
    assert_int_equal(r, 0);
    assert_int_equal(errors.n, 0);
    return config;
}

/* ---- mistakes */

static const struct {
    const char *text;
    const char *wanted[6]; /* "line:column: text", in this order, no others */
} mistakes[] = {
    /* no TOML */
    {"",
     {"1:1: there is no [station]; add one, see config.example.toml",
      "1:1: there is no [[fixture]]; add one, see config.example.toml"}},
    {STATION FIXTURE "a = \n", {"6:5: Error while parsing key-value pair: expected value, saw '\\n'"}},
    {"a = 1\na = 2\n", {"2:5: Error while parsing key-value pair: cannot redefine existing integer 'a'"}},
    {"[station]\nname = \"a\\u0000b\"\n", {"2:8: the text holds a NUL character; remove it"}},
    {"[station]\n\"name\\u0000\" = 1\n", {"2:1: the text holds a NUL character; remove it"}},
    {"a = [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n", {"1:20: tables and arrays are nested too deep"}},
    {"a = 1 # ................................................................\n[x]\n"
     "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
     "a.a.a.a."
     "a.a.a.a.a.a.a.a.a.a.a.a=1\n",
     {"3:1: the line has more than 64 dots; break it up"}},

    /* what stands where */
    {RACK "[htpt]\n", {"6:2: \"htpt\" is unknown in the file; did you mean \"http\"?"}},
    {RACK "[zebra]\n",
     {"6:2: \"zebra\" is unknown in the file; remove it, or see config.example.toml for what there is"}},
    {"listen = []\n" RACK, {"1:1: \"listen\" does not belong into the file, but into [http]"}},
    {STATION "nmae = 1\nlisten = []\n" FIXTURE,
     {"3:1: \"nmae\" is unknown in [station]; did you mean \"name\"?",
      "4:1: \"listen\" does not belong into [station], but into [http]"}},
    {RACK "colums = 3\nstrat = \"plug\"\n",
     {"6:1: \"colums\" is unknown in [[fixture]]; did you mean \"columns\"?",
      "7:1: \"strat\" is unknown in [[fixture]]; did you mean \"start\"?"}},
    {RACK "\"\\u001b[31m\" = 3\n",
     {"6:1: \"?[31m\" is unknown in [[fixture]]; remove it, or see config.example.toml for what there is"}},
    {STATION "[fixture]\nname = \"r\"\n", {"3:2: fixture is a table; begin it with the line [[fixture]]"}},
    {"[[station]]\nname = \"s\"\n" FIXTURE, {"1:3: station is an array; begin it with the line [station]"}},
    {"fixture = [1]\n" STATION,
     {"1:12: a member of fixture is a whole number; begin each one with the line [[fixture]]"}},
    {"station = 5\n" FIXTURE, {"1:1: station is a whole number; begin it with the line [station]"}},

    /* types, ranges, words */
    {"[station]\nname = 5\nstate_dir = true\nkey_file = [1]\n" FIXTURE,
     {"2:8: name is a whole number; it must be a string",
      "3:13: state_dir is true or false; it must be a string",
      "4:12: key_file is an array; it must be a string"}},
    {"[station]\n" FIXTURE, {"1:1: [station] has no name; add a line such as: name = \"SZ-L3-PRV-02\""}},
    {"[station]\nname = \"\"\n" FIXTURE, {"2:8: name is empty"}},
    {"[station]\nname = \"a b\"\n" FIXTURE,
     {"2:8: name \"a b\" is no name; use letters, digits, '.', '_' and '-', a letter or digit first"}},
    {"[station]\nname = \"-a\"\n" FIXTURE,
     {"2:8: name \"-a\" is no name; use letters, digits, '.', '_' and '-', a letter or digit first"}},
    {STATION "[[fixture]]\nname = \"abcdefghijabcdefghijabcdefghijab\"\nports = \"/r/*\"\n",
     {"4:8: name has 32 octets; at most 31 are allowed"}},
    {RACK "columns = 0\nbaud = 300\nflow = \"rts\"\n",
     {"6:11: columns is 0; it must be from 1 to 64", "7:8: baud is 300; it must be from 9600 to 3000000",
      "8:8: flow is \"rts\"; it must be auto, rtscts, xonxoff or none"}},
    {RACK "columns = 4.5\nstart = \"plugg\"\n",
     {"6:11: columns is a number with a fraction; it must be a whole number",
      "7:9: start is \"plugg\"; it must be plug, scan or manual; did you mean \"plug\"?"}},
    {RACK "columns = 1979-05-27\n", {"6:11: columns is a date or time; it must be a whole number"}},
    {RACK PRODUCT "final_line_end = \"yes\"\npossession = true\n" PAIR,
     {"9:18: final_line_end is a string; it must be true or false",
      "10:14: possession is proven of keys made on the board; write false, or source = \"keygen\""}},

    /* addresses */
    {RACK "[http]\nlisten = \"127.0.0.1:80\"\n",
     {"7:10: listen is a string; it must be an array of strings"}},
    {RACK "[http]\nlisten = [\n  \"0.0.0.0:8080\",\n  \"192.168.1.2:80\", \"[::]:80\",\n 3]\n",
     {"8:3: listen \"0.0.0.0:8080\" is not a loopback address; others need TLS and tokens, which this "
      "version does "
      "not have; listen on 127.0.0.1 or [::1]",
      "9:3: listen \"192.168.1.2:80\" is not a loopback address; others need TLS and tokens, which this "
      "version does "
      "not have; listen on 127.0.0.1 or [::1]",
      "9:21: listen \"[::]:80\" is not a loopback address; others need TLS and tokens, which this version "
      "does not "
      "have; listen on 127.0.0.1 or [::1]",
      "10:2: a member of listen is a whole number; it must be a string"}},
    {RACK
     "[http]\nlisten = [\"localhost:80\", \"127.0.0.1\", \"127.0.0.1:65536\", \"::1:80\", \"[::1:80\"]\n",
     {"7:11: listen \"localhost:80\" is no address and port; write it as \"127.0.0.1:8080\" or "
      "\"[::1]:8080\"",
      "7:27: listen \"127.0.0.1\" is no address and port; write it as \"127.0.0.1:8080\" or \"[::1]:8080\"",
      "7:40: listen \"127.0.0.1:65536\" is no address and port; write it as \"127.0.0.1:8080\" or "
      "\"[::1]:8080\"",
      "7:59: listen \"::1:80\" is no address and port; write it as \"127.0.0.1:8080\" or \"[::1]:8080\"",
      "7:69: listen \"[::1:80\" is no address and port; write it as \"127.0.0.1:8080\" or \"[::1]:8080\""}},
    {RACK "[http]\nlisten = [\"127.0.0.1:80\", \"127.0.0.1:0\", \"127.0.0.1:0\", \"127.0.0.1:80\"]\n",
     {"7:57: listen names 127.0.0.1:80 twice; remove one"}},

    /* fixtures and slots */
    {RACK "[[fixture]]\nname = \"r\"\nports = \"/run/q/*\"\n",
     {"7:8: another fixture is called \"r\"; give each one its own name"}},
    {RACK "[[fixture]]\nname = \"q\"\nports = \"/run/r/*\"\n",
     {"8:9: this port belongs to r already; a port has one slot"}},
    {STATION "[[fixture]]\nname = \"r\"\n",
     {"3:1: the fixture has no slots; give ports = \"/run/rack1/slot*\" or a [[fixture.slot]] for each"}},
    {RACK "[[fixture.slot]]\nname = \"1\"\nport = \"/dev/a\"\n",
     {"5:9: ports and [[fixture.slot]] are both given; a fixture has one of them, remove the other"}},
    {STATION
     "[[fixture]]\nname = \"r\"\n[[fixture.slot]]\nname = \"1\"\nport = \"/dev/a\"\nusb = \"1-1:1.0\"\n"
     "[[fixture.slot]]\nname = \"1\"\n",
     {"7:8: port and usb are both given; a slot has one of them, remove the other",
      "9:1: the slot has neither port nor usb; say where its board is plugged in",
      "10:8: another slot of this fixture is called \"1\"; give each one its own name"}},
    {STATION
     "[[fixture]]\nname = \"r\"\n[[fixture.slot]]\nname = \"1\"\nport = \"/dev/a\"\n"
     "[[fixture.slot]]\nname = \"2\"\nport = \"/dev/a\"\n[[fixture.slot]]\nname = \"3\"\nusb = \"1-1:1.0\"\n"
     "[[fixture]]\nname = \"q\"\n[[fixture.slot]]\nname = \"1\"\nusb = \"1-1:1.0\"\n"
     "[[fixture]]\nname = \"g\"\nports = \"/dev/?\"\n",
     {"10:8: this port belongs to r/1 already; a port has one slot",
      "18:7: this port belongs to r/3 already; a port has one slot",
      "21:9: this port belongs to r/1 already; a port has one slot"}},
    {STATION "[[fixture]]\nname = \"r\"\n[[fixture.slot]]\nname = \"1\"\nusb = \"1-1\"\n[[fixture.slot]]\n"
             "name = \"2\"\nusb = \"1-1.:1.0\"\n",
     {"7:7: usb \"1-1\" is no USB path and interface; write it as sysfs does: "
      "bus-port.port:configuration.interface, such as \"1-1.2:1.0\"",
      "10:7: usb \"1-1.:1.0\" is no USB path and interface; write it as sysfs does: "
      "bus-port.port:configuration.interface, such as \"1-1.2:1.0\""}},
    {STATION "[[fixture]]\nname = \"r\"\nports = \"/run/*/slot\"\n[[fixture]]\nname = \"q\"\nports = "
             "\"/run/q/slot\"\n"
             "[[fixture]]\nname = \"p\"\nports = \"/run/q/slot[0\"\n",
     {"5:9: ports \"/run/*/slot\" is no glob for slots; wildcards stand in its last part only, and what they "
      "match "
      "names the slot: \"/run/rack1/slot*\"",
      "8:9: ports \"/run/q/slot\" is no glob for slots; wildcards stand in its last part only, and what they "
      "match "
      "names the slot: \"/run/rack1/slot*\"",
      "11:9: ports \"/run/q/slot[0\" has a '[' without its ']'"}},
    /* a second mistake beside a value that is wrong already */
    {STATION
     "[[fixture]]\nname = \"r\"\nports = \"x\"\n[[fixture.slot]]\nname = \"1\"\nusb = \"1\"\nport = 1\n",
     {"5:9: ports \"x\" is no glob for slots; wildcards stand in its last part only, and what they match "
      "names the "
      "slot: \"/run/rack1/slot*\"",
      "5:9: ports and [[fixture.slot]] are both given; a fixture has one of them, remove the other",
      "8:7: usb \"1\" is no USB path and interface; write it as sysfs does: "
      "bus-port.port:configuration.interface, "
      "such as \"1-1.2:1.0\"",
      "9:8: port is a whole number; it must be a string",
      "9:8: port and usb are both given; a slot has one of them, remove the other"}},
    {RACK PRODUCT PAIR ENTRY("7", "ca", "bundle") "file = 1\n",
     {"21:8: file is a whole number; it must be a string",
      "21:8: file is given, but from is \"bundle\"; remove the line, or write from = \"file\""}},

    /* products */
    {RACK "[[product]]\n",
     {"6:1: [[product]] has no name; add a line such as: name = \"tracker\"",
      "6:1: [[product]] has no source; add a line such as: source = \"pool\"",
      "6:1: there is no [[product.entry]]; add one, see config.example.toml"}},
    {RACK PRODUCT PAIR PRODUCT PAIR, {"18:8: another product is called \"p\"; give each one its own name"}},
    {RACK KEYGEN PAIR,
     {"8:10: source \"keygen\" needs a CA that issues the certificates; add a [signer] section"}},
    {RACK KEYGEN "proof = \"presence\"\ndevice_id = \"any\"\n" PAIR SIGNER,
     {"9:9: a key made on the board is known by its digest alone; write proof = \"digest\"",
      "10:13: device_id \"any\" fits many names, and the station has to make one; write uuid, imei, "
      "nrf-imei, or a "
      "text with {imei} or {uuid} in it"}},
    {RACK KEYGEN "attributes = \"O=\"\n" PAIR SIGNER,
     {"9:14: attributes \"O=\" is no list of attributes; write ID=value, separated by commas, such as "
      "\"O=Acme,C=no\"; C, ST, L, O, OU, CN, T, SN and serialNumber are known"}},
    {RACK PRODUCT "attributes = \"O=Acme\"\n" PAIR,
     {"9:14: attributes belong to keys made on the board; remove them, or write source = \"keygen\""}},
    {RACK KEYGEN "[[product.entry]]\nsec_tag = 1\ntype = \"ca\"\nfrom = \"bundle\"\n" PAIR SIGNER,
     {"9:1: source is \"keygen\": a board makes its key and gets a certificate for it, but no ca of its own; "
      "take "
      "it from a file, or use another source"}},
    {RACK PRODUCT "signed_commands = true\n" PAIR,
     {"9:19: signed_commands needs a key that signs; add a [signer] section with a P-256 key"}},
    {RACK PRODUCT "signed_commands = true\nnative_tls = true\n" PAIR SIGNER,
     {"9:19: signed_commands and native_tls exclude each other: only %CMNG is signed; write false"}},
    {RACK KEYGEN "signed_commands = true\n" PAIR SIGNER,
     {"9:19: signed_commands and source \"keygen\" exclude each other: only %CMNG is signed; write false"}},
    {RACK PRODUCT "on_public_key = \"replace\"\n" PAIR,
     {"9:17: on_public_key has a meaning with signed_commands = true only; remove the line"}},
    {RACK PRODUCT "on_public_key = \"refuse\"\n" PAIR,
     {"9:17: on_public_key is \"refuse\"; it must be keep or replace"}},
    {RACK KEYGEN "native_tls = true\n" PAIR SIGNER,
     {"9:14: native_tls and source \"keygen\" exclude each other: a key made by %KEYGEN never leaves the "
      "modem, and native TLS has to read its key; write native_tls = false, or source = \"pool\" or "
      "\"bound\""}},
    {RACK PRODUCT "native_tls = true\n" ENTRY("214748365", "psk", "bundle")
         ENTRY("214748365", "psk_identity", "bundle") ENTRY("214748364", "ca", "file") "file = \"ca.pem\"\n",
     {"11:11: sec_tag is 214748365; with native_tls it must be from 0 to 214748364, since the modem keeps it "
      "as "
      "ten times as much and the type",
      "15:11: sec_tag is 214748365; with native_tls it must be from 0 to 214748364, since the modem keeps it "
      "as "
      "ten times as much and the type"}},
    {RACK PRODUCT "native_tls = true\n" PAIR CA("many.pem"),
     {"22:8: @/many.pem: the certificates have 4752 octets together, and native TLS loads at "
      "most 4096 of one tag, the board's own among them; keep those that the product needs"}},
    {RACK "[signer]\ncertificate = \"ca.pem\"\n",
     {"6:1: the CA's private key is not named; give key for a file, or module and token for PKCS#11"}},
    {RACK "[signer]\ncertificate = \"ca.pem\"\nkey = \"ca.key\"\nmodule = \"p.so\"\n",
     {"6:1: the CA's private key is named twice; give key for a file, or module and token for PKCS#11"}},
    {RACK "[signer]\ncertificate = \"ca.pem\"\nmodule = \"p.so\"\n",
     {"6:1: a token is named by module and token together; give both"}},
    {"[station]\nname = \"s\"\nkey_module = \"p.so\"\n" FIXTURE,
     {"3:14: a token is named by key_module and key_token together; give both"}},
    {RACK "[[product]]\nname = \"p\"\nsource = \"mes\"\n" PAIR,
     {"8:10: source \"mes\" is not supported by this version; use \"bound\", \"pool\" or \"keygen\""}},
    {RACK PRODUCT
     "modem_firmware = [\">=1.3\", \"\", \">=1.3.2\"]\nmodel = [\"nRF*1\", \"*\"]\njob_limit_s = 4\n" PAIR,
     {"9:19: modem_firmware \">=1.3\" is no firmware rule; write a comparison and a version (\">=1.3.2\"; >, "
      "<=, <, "
      "== as well), \"ntn\", or a name, which may end in '*'",
      "9:28: modem_firmware is empty",
      "10:10: model \"nRF*1\" is no model rule; write a model's name of at most 39 characters; a '*' may "
      "stand at its "
      "end",
      "11:15: job_limit_s is 4; it must be from 5 to 3600"}},
    {RACK PRODUCT "model = [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]\n" PAIR,
     {"9:9: model has 9 members; it must have from 0 to 8"}},

    {RACK PRODUCT "device_id = \"acme\"\n" PAIR,
     {"9:13: device_id \"acme\" names no boards; write any, uuid, imei, nrf-imei, a prefix and a '*' at its "
      "end, or a text with {imei} or {uuid} in it"}},
    {RACK PRODUCT "device_id = \"Acme-*\"\ncloud = \"azure\"\n" PAIR,
     {"9:13: device_id \"Acme-*\" makes names that azure does not take; choose another prefix or cloud"}},
    {RACK PRODUCT "cloud = \"gcp\"\n" PAIR,
     {"9:9: cloud is \"gcp\"; it must be none, nrfcloud, aws or azure"}},
    {RACK PRODUCT "issuer = \"missing.pem\"\n" PAIR,
     {"9:10: @/missing.pem does not exist; correct the name or put the file there"}},
    {RACK PRODUCT "issuer = \"key.pem\"\n" PAIR,
     {"9:10: @/key.pem:1:1: this is no certificate (PRIVATE KEY)"}},
    {RACK PRODUCT "issuer = \"board.pem\"\n" PAIR,
     {"9:10: @/board.pem:1:1: this certificate may not issue others: it is no CA"}},

    /* entries */
    {RACK PRODUCT "[[product.entry]]\n",
     {"9:1: [[product.entry]] has no sec_tag; add a line such as: sec_tag = 16842753",
      "9:1: [[product.entry]] has no type; add a line such as: type = \"ca\"",
      "9:1: [[product.entry]] has no from; add a line such as: from = \"file\""}},
    {RACK PRODUCT PAIR ENTRY("7", "client_cert", "bundle"),
     {"17:1: sec_tag 7 already has a client_cert in this product; remove one of the two"}},
    {RACK PRODUCT ENTRY("-1", "ca", "bundle") ENTRY("2147483648", "client_cert", "bundle")
         ENTRY("4294967295", "private_key", "bundle") ENTRY("9223372036854775807", "psk", "bundle"),
     {"10:11: sec_tag is -1; it must be 0 or more",
      "14:11: sec_tag 2147483648 is a test tag: Nordic's tools can decrypt what is sent under it; use one "
      "from 0 to "
      "2147483647",
      "18:11: sec_tag 4294967295 is one of the modem's own tags; use one from 0 to 2147483647",
      "22:11: sec_tag 9223372036854775807 is one of the modem's own tags; use one from 0 to 2147483647"}},
    {RACK PRODUCT ENTRY("7", "cert", "bundle") ENTRY("7", "private_key", "bundel"),
     {"11:8: type is \"cert\"; it must be ca, client_cert, private_key, psk or psk_identity",
      "16:8: from is \"bundel\"; it must be file or bundle; did you mean \"bundle\"?"}},
    {RACK PRODUCT ENTRY("7", "private_key", "file") "file = \"key.pem\"\n",
     {"12:8: from is \"file\" for a private_key; a file is the same for every board, so only a ca may come "
      "from one; "
      "write from = \"bundle\""}},
    {RACK PRODUCT PAIR ENTRY("7", "ca", "file"),
     {"20:8: from is \"file\", but no file is named; add a line such as: file = "
      "\"/etc/ssl/certs/Amazon_Root_CA_1.pem\""}},
    {RACK PRODUCT PAIR ENTRY("7", "ca", "bundle") "file = \"ca.pem\"\n",
     {"21:8: file is given, but from is \"bundle\"; remove the line, or write from = \"file\""}},
    {RACK PRODUCT ENTRY("7", "client_cert", "bundle") ENTRY("8", "private_key", "bundle"),
     {"9:1: sec_tag 7 has a client_cert but no private_key; add its [[product.entry]]",
      "13:1: sec_tag 8 has a private_key but no client_cert; add its [[product.entry]]"}},
    {RACK PRODUCT ENTRY("7", "psk", "bundle"),
     {"9:1: sec_tag 7 has a psk but no psk_identity; add its [[product.entry]]"}},
    {RACK PRODUCT CA("ca.pem"),
     {"6:1: no entry of p comes from a bundle, so that there is nothing to give to a board; add one with "
      "from = "
      "\"bundle\""}},

    /* an entry's file: '@' stands for the folder */
    {RACK PRODUCT PAIR CA("missing.pem"),
     {"21:8: @/missing.pem does not exist; correct the name or put the file there"}},
    {RACK PRODUCT PAIR CA("."), {"21:8: @/. is no regular file"}},
    {RACK PRODUCT PAIR CA("cut.pem"),
     {"21:8: @/cut.pem:4:42: the END line is missing: the text was cut off. Take the whole text from the "
      "original "
      "file."}},
    {RACK PRODUCT PAIR CA("empty.pem"),
     {"21:8: @/empty.pem:1:1: there is no BEGIN line in it. Give the PEM text itself: from -----BEGIN to the "
      "last dash "
      "of its END line."}},
    {RACK PRODUCT PAIR CA("key.pem"),
     {"21:8: @/key.pem:1: this is no certificate (PRIVATE KEY); a ca holds certificates only"}},
};

/* '@' → the folder. */
static void expand(const char *wanted, char *out, size_t size)
{
    const char *at = strchr(wanted, '@');
    if (at) {
        snprintf(out, size, "%.*s%s%s", (int)(at - wanted), wanted, folder, at + 1);
    } else {
        snprintf(out, size, "%s", wanted);
    }
}

static void every_mistake_is_said_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(mistakes); i++) {
        struct config *config = NULL;
        assert_true(config_parse(span_str(mistakes[i].text), config_path, &config, &errors) < 0);
        assert_null(config);
        uint32_t n = 0;
        for (; n < COUNT(mistakes[i].wanted) && mistakes[i].wanted[n]; n++) {
            char wanted[512], seen[512] = "(nothing)";
            expand(mistakes[i].wanted[n], wanted, sizeof(wanted));
            if (n < errors.n) {
                const struct err_info *item = &errors.items[n];
                snprintf(seen, sizeof(seen), "%d:%d: %s", item->line, item->column, item->text);
                assert_true(item->code < 0);
            }
            assert_string_equal(seen, wanted);
        }
        if (errors.n != n) {
            fail_msg("row %zu: not expected: %s", i, errors.items[n].text);
        }
    }
}

static void a_certificate_that_is_none_is_refused(void **state)
{
    (void)state;
    struct config *config = NULL;
    assert_int_equal(config_parse(span_str(RACK PRODUCT PAIR CA("other.pem")), config_path, &config, &errors),
                     ERR_FORMAT);
    assert_int_equal(errors.n, 1);
    assert_int_equal(errors.items[0].line, 21);
    assert_non_null(strstr(errors.items[0].text, "/other.pem:1: "));
}

static void mistakes_are_bounded_and_counted(void **state)
{
    (void)state;
    char text[8192] = RACK;
    for (unsigned i = 0; i < 150; i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "zebra%u = 1\n", i);
    }
    struct config *config = NULL;
    assert_int_equal(config_parse(span_str(text), config_path, &config, &errors), ERR_FORMAT);
    assert_int_equal(errors.n, CONFIG_ERRORS_MAX);
    assert_int_equal(errors.more, 50);
}

/* ---- what is read */

static void what_is_left_out_has_its_default(void **state)
{
    (void)state;
    struct config *config = parse(RACK PRODUCT PAIR);
    assert_string_equal(config->path, config_path);
    assert_string_equal(config->station, "s");
    assert_string_equal(config->state_dir, "/var/lib/certline");
    assert_string_equal(config->key_file, "/var/lib/certline/wrapping.key");
    assert_string_equal(config->socket_path, "/var/lib/certline/api.sock");
    assert_int_equal(config->n_listen, 1);
    assert_string_equal(config->listen[0], "127.0.0.1:8080");

    assert_int_equal(config->n_fixtures, 1);
    const struct config_fixture *fixture = &config->fixtures[0];
    assert_string_equal(fixture->name, "r");
    assert_string_equal(fixture->ports, "/run/r/*");
    assert_int_equal(fixture->columns, 4);
    assert_int_equal(fixture->start, START_PLUG);
    assert_int_equal(fixture->presence, PRESENCE_USB);
    assert_int_equal(fixture->baud, 115200);
    assert_int_equal(fixture->flow, FLOW_AUTO);
    assert_int_equal(fixture->n_slots, 0);

    assert_int_equal(config->n_products, 1);
    const struct product *product = config_find_product(config, "p");
    assert_ptr_equal(product, &config->products[0]);
    assert_null(config_find_product(config, "q"));
    assert_int_equal(product->source, SOURCE_POOL);
    assert_int_equal(product->on_existing, EXISTING_REPLACE);
    assert_int_equal(product->second_visit, SECOND_COMPARE);
    assert_int_equal(product->equal, EQUAL_OCTETS);
    assert_false(product->is_crlf);
    assert_true(product->final_line_end);
    assert_int_equal(product->proof, PROOF_DIGEST);
    assert_false(product->possession);
    assert_int_equal(product->leave, LEAVE_CFUN0);
    assert_int_equal(product->job_limit_s, 60);
    assert_int_equal(product->n_firmware_rules, 0);
    assert_int_equal(product->n_model_rules, 0);
    config_free(config);
}

static void what_is_said_is_taken(void **state)
{
    (void)state;
    struct config *config =
        parse("[station]\nname = \"S-1\"\nstate_dir = \"state\"\nkey_file = \"/k\"\n"
              "key_module = \"m.so\"\nkey_token = \"t\"\nkey_object = \"o\"\nkey_pin_file = \"pin\"\n"
              "[http]\nlisten = [\"127.9.0.1:1\", \"[::1]:0\"]\n"
              "[[fixture]]\nname = \"a\"\ncolumns = 8\nstart = \"scan\"\nbaud = 1000000\n"
              "flow = \"none\"\n"
              "[[fixture.slot]]\nname = \"07\"\nusb = \"1-1.2.3:1.0\"\n"
              "[[fixture.slot]]\nname = \"08\"\nport = \"dev/b\"\nbaud = 9600\nflow = \"rtscts\"\n"
              "[[fixture]]\nname = \"b\"\nports = \"rack/slot[0-9]*\"\nstart = \"manual\"\n"
              "[[product]]\nname = \"p\"\nsource = \"bound\"\non_existing = \"keep_equal\"\n"
              "second_visit = \"again\"\nequal = \"content\"\nline_end = \"crlf\"\n"
              "final_line_end = false\nproof = \"presence\"\nleave = \"as_found\"\n"
              "modem_firmware = [\">=1.3.2\", \"ntn\"]\nmodel = [\"nRF91*\"]\njob_limit_s = 5\n" ENTRY(
                  "2147483647", "psk", "bundle") ENTRY("2147483647", "psk_identity", "bundle"));
    char path[128];
    snprintf(path, sizeof(path), "%s/state", folder);
    assert_string_equal(config->state_dir, path);
    assert_string_equal(config->key_file, "/k");
    snprintf(path, sizeof(path), "%s/m.so", folder);
    assert_string_equal(config->key_module, path);
    assert_string_equal(config->key_token, "t");
    assert_string_equal(config->key_object, "o");
    snprintf(path, sizeof(path), "%s/pin", folder);
    assert_string_equal(config->key_pin_file, path);
    assert_int_equal(config->n_listen, 2);
    assert_string_equal(config->listen[1], "[::1]:0");

    const struct config_fixture *a = &config->fixtures[0], *b = &config->fixtures[1];
    assert_int_equal(a->columns, 8);
    assert_int_equal(a->start, START_SCAN);
    assert_null(a->ports);
    assert_int_equal(a->n_slots, 2);
    assert_string_equal(a->slots[0].id, "a/07");
    assert_string_equal(a->slots[0].usb, "1-1.2.3:1.0");
    assert_null(a->slots[0].port);
    assert_int_equal(a->slots[0].baud, 1000000);
    assert_int_equal(a->slots[0].flow, FLOW_NONE);
    snprintf(path, sizeof(path), "%s/dev/b", folder);
    assert_string_equal(a->slots[1].port, path);
    assert_int_equal(a->slots[1].baud, 9600);
    assert_int_equal(a->slots[1].flow, FLOW_RTSCTS);
    snprintf(path, sizeof(path), "%s/rack/slot[0-9]*", folder);
    assert_string_equal(b->ports, path);
    assert_int_equal(b->start, START_MANUAL);

    const struct product *product = &config->products[0];
    assert_int_equal(product->source, SOURCE_BOUND);
    assert_int_equal(product->on_existing, EXISTING_KEEP_EQUAL);
    assert_int_equal(product->second_visit, SECOND_AGAIN);
    assert_int_equal(product->equal, EQUAL_CONTENT);
    assert_true(product->is_crlf);
    assert_false(product->final_line_end);
    assert_int_equal(product->proof, PROOF_PRESENCE);
    assert_int_equal(product->leave, LEAVE_AS_FOUND);
    assert_int_equal(product->n_firmware_rules, 2);
    assert_string_equal(product->firmware_rules[1], "ntn");
    assert_string_equal(product->model_rules[0], "nRF91*");
    assert_int_equal(product->job_limit_s, 5);
    assert_int_equal(product->n_entries, 2);
    assert_int_equal(product->entries[1].type, CRED_PSK_IDENTITY);
    assert_int_equal(product->entries[1].sec_tag, SEC_TAG_MAX);
    assert_true(product->entries[1].from_bundle);
    config_free(config);
}

/* The content as the modem gets it follows the product's line ends. */
static void files_are_read_in_canonical_form(void **state)
{
    (void)state;
    static const struct {
        const char *options;
        bool has_cr, has_final;
    } rows[] = {
        {"", false, true},
        {"line_end = \"crlf\"\n", true, true},
        {"final_line_end = false\n", false, false},
        {"line_end = \"crlf\"\nfinal_line_end = false\n", true, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[1024];
        snprintf(text, sizeof(text), "%s%s%s", RACK PRODUCT, rows[i].options, PAIR CA("ca.pem"));
        struct config *config = parse(text);
        const struct product_entry *entry = &config->products[0].entries[2];
        assert_false(entry->from_bundle);
        assert_int_equal(entry->type, CRED_CA);
        assert_true(span_starts(entry->content, "-----BEGIN CERTIFICATE-----"));
        assert_int_equal(memchr(entry->content.at, '\r', entry->content.len) != NULL, rows[i].has_cr);
        assert_int_equal(entry->content.at[entry->content.len - 1] == '\n', rows[i].has_final);
        struct digest digest;
        sha256(entry->content, &digest);
        assert_true(digest_eq(&digest, &entry->sha256));
        config_free(config);
    }
}

/* One entry may hold several CAs, and a product several entries: nRF Cloud's CoAP takes two in one. */
static void a_product_may_have_a_set_of_cas(void **state)
{
    (void)state;
    struct config *config = parse(RACK PRODUCT PAIR CA("set.pem") ENTRY(
        "8", "ca", "file") "file = \"ca.pem\"\n" ENTRY("9", "ca", "file") "file = \"set.pem\"\n");
    const struct product *product = &config->products[0];
    assert_int_equal(product->n_entries, 5);
    for (uint32_t i = 2; i < 5; i++) {
        const struct product_entry *entry = &product->entries[i];
        assert_int_equal(entry->type, CRED_CA);
        assert_int_equal(entry->sec_tag, 5 + i);
        unsigned n = 0;
        for (const char *at = entry->content.at;
             (at = memmem(at, entry->content.len - (size_t)(at - entry->content.at), "BEGIN", 5)) != NULL;
             at++) {
            n++;
        }
        assert_int_equal(n, i == 3 ? 1 : 2);
    }
    assert_true(span_eq(product->entries[2].content, product->entries[4].content));
    config_free(config);
}

static void a_board_has_a_name(void **state)
{
    (void)state;
    struct config *config = parse(RACK PRODUCT PAIR);
    assert_string_equal(config->products[0].device_id, "any");
    assert_int_equal(config->products[0].cloud, CLOUD_NONE);
    assert_int_equal(config->products[0].issuer.len, 0);
    config_free(config);
    config = parse(RACK PRODUCT "device_id = \"acme-{imei}\"\ncloud = \"azure\"\nissuer = \"ca.pem\"\n" PAIR);
    assert_string_equal(config->products[0].device_id, "acme-{imei}");
    assert_int_equal(config->products[0].cloud, CLOUD_AZURE);
    assert_true(span_starts(config->products[0].issuer, "-----BEGIN CERTIFICATE-----"));
    assert_non_null(strstr(config->products[0].canonical, "\"device_id\":\"acme-{imei}\""));
    assert_non_null(strstr(config->products[0].canonical, "\"cloud\":\"azure\""));
    assert_non_null(strstr(config->products[0].canonical, "\"issuer_sha256\":"));
    config_free(config);
}

/* ---- versions */

static void version_of(const char *options, const char *entries, char ret[PRODUCT_VERSION_SIZE])
{
    char text[2048];
    snprintf(text, sizeof(text), "%s%s%s", RACK PRODUCT, options, entries);
    struct config *config = parse(text);
    strcpy(ret, config->products[0].version);
    char again[PRODUCT_VERSION_SIZE] = "sha256:";
    struct digest digest;
    sha256(span_str(config->products[0].canonical), &digest);
    hex_encode(digest.octets, DIGEST_SIZE, again + strlen(again));
    assert_int_equal(strcasecmp(ret, again), 0);
    config_free(config);
}

static void a_version_follows_from_what_is_written_to_boards(void **state)
{
    (void)state;
    static const struct {
        const char *options, *entries;
    } others[] = {
        {"on_existing = \"refuse\"\n", PAIR CA("ca.pem")},
        {"second_visit = \"refuse\"\n", PAIR CA("ca.pem")},
        {"equal = \"content\"\n", PAIR CA("ca.pem")},
        {"line_end = \"crlf\"\n", PAIR CA("ca.pem")},
        {"final_line_end = false\n", PAIR CA("ca.pem")},
        {"proof = \"presence\"\n", PAIR CA("ca.pem")},
        {"leave = \"cfun4\"\n", PAIR CA("ca.pem")},
        {"job_limit_s = 61\n", PAIR CA("ca.pem")},
        {"modem_firmware = [\"ntn\"]\n", PAIR CA("ca.pem")},
        {"model = [\"ntn\"]\n", PAIR CA("ca.pem")},
        {"", PAIR},
        {"", PAIR ENTRY("7", "ca", "bundle")},
        {"", PAIR ENTRY("8", "ca", "file") "file = \"ca.pem\"\n"},
    };
    char seen[COUNT(others) + 1][PRODUCT_VERSION_SIZE];
    version_of("", PAIR CA("ca.pem"), seen[COUNT(others)]);
    for (size_t i = 0; i < COUNT(others); i++) {
        version_of(others[i].options, others[i].entries, seen[i]);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(seen[i], seen[k]);
        }
        assert_string_not_equal(seen[i], seen[COUNT(others)]);
    }
    char same[PRODUCT_VERSION_SIZE];
    version_of("equal = \"octets\" # as it is anyway\njob_limit_s = 0x3C\n", PAIR CA("./ca.pem"), same);
    assert_string_equal(same, seen[COUNT(others)]);
}

/* The text is on record for years: it may gain members only together with a reason to give every product a
 * new version. */
static void the_canonical_text_is_this_one(void **state)
{
    (void)state;
    struct config *config = parse(RACK PRODUCT "modem_firmware = [\">=1.3.2\"]\n" PAIR);
    assert_string_equal(
        config->products[0].canonical,
        "{\"entries\":[{\"from\":\"bundle\",\"sec_tag\":7,\"type\":\"client_cert\"},"
        "{\"from\":\"bundle\",\"sec_tag\":7,\"type\":\"private_key\"}],\"equal\":\"octets\","
        "\"final_line_end\":true,\"job_limit_s\":60,\"leave\":\"cfun0\",\"line_end\":\"lf\","
        "\"model\":[],\"modem_firmware\":[\">=1.3.2\"],\"name\":\"p\",\"on_existing\":\"replace\","
        "\"possession\":false,\"proof\":\"digest\",\"second_visit\":\"compare\",\"source\":\"pool\"}");
    config_free(config);
    config = parse(RACK PRODUCT "native_tls = true\n" PAIR);
    assert_true(config->products[0].native_tls);
    assert_non_null(strstr(config->products[0].canonical, "\"native_tls\":true,"));
    config_free(config);
    config = parse(RACK PRODUCT "signed_commands = true\non_public_key = \"replace\"\n" PAIR SIGNER);
    assert_true(config->products[0].signs_commands && config->products[0].replaces_public_key);
    assert_non_null(strstr(config->products[0].canonical, "\"on_public_key\":\"replace\","));
    assert_non_null(strstr(config->products[0].canonical, "\"signed_commands\":true,"));
    config_free(config);
}

/* ---- files */

static void a_file_that_cannot_be_read_is_said(void **state)
{
    (void)state;
    char pipe[64], missing[64];
    snprintf(pipe, sizeof(pipe), "%s/pipe", folder);
    snprintf(missing, sizeof(missing), "%s/missing", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    const struct {
        const char *path;
        int code;
        const char *text;
    } rows[] = {
        {missing, -ENOENT, "does not exist; correct the name or put the file there"},
        {folder, ERR_FORMAT, "is no regular file"},
        {pipe, ERR_FORMAT, "is no regular file"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config *config = NULL;
        assert_int_equal(config_load(rows[i].path, &config, &errors), rows[i].code);
        assert_null(config);
        assert_int_equal(errors.n, 1);
        assert_int_equal(errors.items[0].line, 0);
        assert_string_equal(errors.items[0].text, rows[i].text);
    }
}

static void a_file_too_large_is_refused(void **state)
{
    (void)state;
    size_t len = TOML_SIZE_MAX + 1;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, '\n', len);
    struct config *config = NULL;
    assert_int_equal(config_parse(span_of(text, len), config_path, &config, &errors), ERR_RANGE);
    assert_string_equal(errors.items[0].text, "the file has 262145 octets; at most 262144 are read");
    free(text);
}

static void the_digest_is_that_of_the_file(void **state)
{
    (void)state;
    write_file("config.toml", RACK);
    struct config *config = NULL;
    assert_int_equal(config_load(config_path, &config, &errors), 0);
    char wanted[PRODUCT_VERSION_SIZE] = "sha256:";
    struct digest digest;
    sha256(span_str(RACK), &digest);
    hex_encode(digest.octets, DIGEST_SIZE, wanted + strlen(wanted));
    assert_int_equal(strcasecmp(config->digest, wanted), 0);
    config_free(config);
}

static void a_relative_path_becomes_absolute(void **state)
{
    (void)state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(folder), 0);
    static const char text[] = "[station]\nname = \"s\"\nstate_dir = \"d\"\n" FIXTURE;
    static const struct {
        const char *path, *state_dir;
    } rows[] = {{"config.toml", "/d"}, {"./config.toml", "/./d"}, {"etc/config.toml", "/etc/d"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config *config = NULL;
        assert_int_equal(config_parse(span_str(text), rows[i].path, &config, &errors), 0);
        char wanted[128];
        snprintf(wanted, sizeof(wanted), "%s%s", folder, rows[i].state_dir);
        assert_string_equal(config->state_dir, wanted);
        config_free(config);
    }
    struct config *config = NULL;
    assert_int_equal(config_parse(span_str(text), "/config.toml", &config, &errors), 0);
    assert_string_equal(config->state_dir, "/d");
    config_free(config);
    assert_int_equal(chdir(before), 0);
}

static void a_state_dir_leaves_room_for_the_socket(void **state)
{
    (void)state;
    for (size_t len = 98; len <= 99; len++) {
        char dir[128], text[512];
        memset(dir, 'd', len);
        dir[0] = '/';
        dir[len] = '\0';
        snprintf(text, sizeof(text), "[station]\nname = \"s\"\nstate_dir = \"%s\"\n" FIXTURE, dir);
        struct config *config = NULL;
        assert_int_equal(config_parse(span_str(text), config_path, &config, &errors),
                         len == 98 ? 0 : ERR_FORMAT);
        assert_int_equal(errors.n, len == 98 ? 0 : 1);
        config_free(config);
    }
}

/* ---- the table and its example */

static void rows_are_whole(void **state)
{
    (void)state;
    for (int i = 0; i < CONFIG_OPTIONS; i++) {
        const struct config_option *row = &config_options[i];
        assert_non_null(row->name);
        assert_non_null(row->sentence);
        assert_int_equal(row->sentence[strlen(row->sentence) - 1], '.');
        assert_int_equal(row->type == TYPE_WORD, row->words != NULL);
        assert_true(row->preset || row->example);
        assert_false(row->preset && row->is_required);
        for (int k = 0; k < i; k++) {
            assert_false(config_options[k].section == row->section &&
                         strcmp(config_options[k].name, row->name) == 0);
        }
    }
}

static void defaults_pass_their_own_checks(void **state)
{
    (void)state;
    struct config_reader reader;
    assert_int_equal(config_reader_init(&reader, &errors), 0);
    struct config_value values[CONFIG_OPTIONS];
    for (int section = 0; section < CONFIG_SECTIONS; section++) {
        config_read_table(&reader, (enum config_section)section, NULL, values);
    }
    assert_int_equal(errors.n, 0);
    config_reader_done(&reader);
}

/* "#name = value" or "name = value" → what stands behind the "#". */
static const char *bare(const char *line)
{
    return line[0] == '#' && line[1] != ' ' ? line + 1 : line;
}

/* Looks for the row's sentence and, right below it, its line, within its section. */
static bool example_has(char *const *lines, size_t n, const struct config_option *row)
{
    char sentence[256], option[256];
    snprintf(sentence, sizeof(sentence), "# %s", row->sentence);
    snprintf(option, sizeof(option), "%s = %s", row->name, row->preset ? row->preset : row->example);
    bool is_inside = false;
    for (size_t i = 0; i + 1 < n; i++) {
        const char *line = bare(lines[i]);
        if (line[0] == '[') {
            is_inside = strcmp(line, config_sections[row->section].header) == 0;
        }
        if (is_inside && strcmp(lines[i], sentence) == 0) {
            /* A default is shown, not set; what is required is set. */
            bool is_set = lines[i + 1][0] != '#';
            return strcmp(bare(lines[i + 1]), option) == 0 && !(is_set && row->preset);
        }
    }
    return false;
}

static char *read_example(void)
{
    static char text[32768];
    FILE *f = fopen(SOURCE_DIR "/config.example.toml", "r");
    assert_non_null(f);
    size_t len = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[len] = '\0';
    return text;
}

static void the_example_says_what_the_table_says(void **state)
{
    (void)state;
    char *text = read_example(), *lines[1024];
    size_t n = 0;
    for (char *line = strtok(text, "\n"); line && n < COUNT(lines); line = strtok(NULL, "\n")) {
        lines[n++] = line;
    }
    for (int i = 0; i < CONFIG_OPTIONS; i++) {
        if (!example_has(lines, n, &config_options[i])) {
            fail_msg("config.example.toml does not show %s %s with its sentence and default",
                     config_sections[config_options[i].section].header, config_options[i].name);
        }
    }
}

static void the_example_is_a_configuration(void **state)
{
    (void)state;
    struct config *config = NULL;
    int r = config_load(SOURCE_DIR "/config.example.toml", &config, &errors);
    if (r < 0) {
        fail_msg("config.example.toml:%d:%d: %s", errors.items[0].line, errors.items[0].column,
                 errors.items[0].text);
    }
    assert_int_equal(config->n_products, 1);
    assert_int_equal(config->products[0].n_entries, 3);
    config_free(config);
}

/* With every "#" of an option removed, but for usb beside port, ports beside slots, and key beside a token.
 */
static void what_the_example_shows_can_be_written(void **state)
{
    (void)state;
    char *line, *text = read_example(), set[32768] = "";
    while ((line = strsep(&text, "\n")) != NULL) {
        if (strncmp(bare(line), "usb =", 5) != 0 && strncmp(line, "ports =", 7) != 0 &&
            strncmp(bare(line), "key =", 5) != 0) {
            snprintf(set + strlen(set), sizeof(set) - strlen(set), "%s\n", bare(line));
        }
    }
    struct config *config = parse(set);
    assert_string_equal(config->key_file, "/etc/certline/wrapping.key");
    assert_string_equal(config->fixtures[0].slots[0].id, "rack1/07");
    assert_string_equal(config->signer.token, "factory");
    config_free(config);
}

/* Wherever a file was cut off it is refused or read, never half read. */
static void a_cut_file_is_refused_or_whole(void **state)
{
    (void)state;
    static const char text[] = RACK "[http]\nlisten = [\"127.0.0.1:1\"]\n" PRODUCT PAIR CA("ca.pem");
    unsigned taken = 0;
    for (size_t len = 0; len < sizeof(text); len++) {
        struct config *config = NULL;
        int r = config_parse(span_of(text, len), config_path, &config, &errors);
        assert_int_equal(r == 0, config != NULL);
        assert_int_equal(r == 0, errors.n == 0);
        taken += r == 0;
        config_free(config);
    }
    assert_true(taken > 0);
}

/* ---- hints */

static void the_nearest_word_is_found(void **state)
{
    (void)state;
    static const char *const known[] = {"serve", "check", "import", "reconcile", "status"};
    static const struct {
        const char *word, *best;
    } rows[] = {
        {"serv", "serve"},  {"chekc", "check"}, {"imprt", "import"}, {"reconsile", "reconcile"},
        {"stat", "status"}, {"x", NULL},        {"", NULL},          {"helicopter", NULL},
        {"check", "check"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config_hint hint = config_hint_begin(rows[i].word);
        for (size_t k = 0; k < COUNT(known); k++) {
            config_hint_offer(&hint, known[k]);
        }
        if (rows[i].best) {
            assert_non_null(hint.best);
            assert_string_equal(hint.best, rows[i].best);
        } else {
            assert_null(hint.best);
        }
    }
}

static void edits_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t distance;
    } rows[] = {
        {"", "", 0},
        {"abc", "abc", 0},
        {"abc", "", 3},
        {"abc", "abd", 1},
        {"abc", "acb", 1},
        {"abc", "bca", 2},
        {"kitten", "sitting", 3},
        {"a", "01234567890123456789012345678901234567890", SIZE_MAX},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(config_edit_distance(rows[i].a, rows[i].b), rows[i].distance);
        assert_int_equal(config_edit_distance(rows[i].b, rows[i].a), rows[i].distance);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_is_said_with_its_place),
        cmocka_unit_test(a_certificate_that_is_none_is_refused),
        cmocka_unit_test(mistakes_are_bounded_and_counted),
        cmocka_unit_test(what_is_left_out_has_its_default),
        cmocka_unit_test(what_is_said_is_taken),
        cmocka_unit_test(files_are_read_in_canonical_form),
        cmocka_unit_test(a_product_may_have_a_set_of_cas),
        cmocka_unit_test(a_board_has_a_name),
        cmocka_unit_test(a_version_follows_from_what_is_written_to_boards),
        cmocka_unit_test(the_canonical_text_is_this_one),
        cmocka_unit_test(a_file_that_cannot_be_read_is_said),
        cmocka_unit_test(a_file_too_large_is_refused),
        cmocka_unit_test(the_digest_is_that_of_the_file),
        cmocka_unit_test(a_relative_path_becomes_absolute),
        cmocka_unit_test(a_state_dir_leaves_room_for_the_socket),
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(defaults_pass_their_own_checks),
        cmocka_unit_test(the_example_says_what_the_table_says),
        cmocka_unit_test(the_example_is_a_configuration),
        cmocka_unit_test(what_the_example_shows_can_be_written),
        cmocka_unit_test(a_cut_file_is_refused_or_whole),
        cmocka_unit_test(the_nearest_word_is_found),
        cmocka_unit_test(edits_are_counted),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
