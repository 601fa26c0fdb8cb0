#include "cmd/generate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hex.h"
#include "base/secret.h"
#include "exchange/outfile.h"
#include "job/device_id.h"
#include "job/product.h"

#define PSK_OCTETS  32
#define NAME_OCTETS 8 /* 64 random bits: a million names meet with a chance of 1 in 37 million */
#define PSK_MOST    1000000

static int complain(const char *what)
{
    fprintf(stderr, "certlined: %s\n", what);
    return CMD_USAGE;
}

static bool takes_psk(const struct product *product)
{
    bool has_psk = false, has_identity = false;
    for (uint32_t i = 0; i < product->n_entries; i++) {
        const struct product_entry *entry = &product->entries[i];
        has_psk = has_psk || (entry->from_bundle && entry->type == CRED_PSK);
        has_identity = has_identity || (entry->from_bundle && entry->type == CRED_PSK_IDENTITY);
    }
    return has_psk && has_identity;
}

static int random_octets(uint8_t *out, size_t n)
{
    return getrandom(out, n, 0) == (ssize_t)n ? 0 : -EIO;
}

/* One row: a name nobody else has, and a key nobody knows. */
static int add_row(struct outfile *out, const struct cmd_args *args, const struct product *product)
{
    uint8_t name_octets[NAME_OCTETS], *key = secret_alloc(PSK_OCTETS);
    char name[2 * NAME_OCTETS + 1], identity[DEVICE_ID_SIZE], head[512];
    char *hex = secret_alloc(2 * PSK_OCTETS + 1);
    int r = key && hex ? random_octets(name_octets, NAME_OCTETS) : -ENOMEM;
    r = r == 0 ? random_octets(key, PSK_OCTETS) : r;
    if (r == 0) {
        hex_encode(name_octets, NAME_OCTETS, name);
        for (char *c = name; *c; c++) {
            *c = *c >= 'A' && *c <= 'F' ? (char)(*c - 'A' + 'a') : *c; /* as Azure wants names */
        }
        hex_encode(key, PSK_OCTETS, hex);
        const char *open = strcmp(product->device_id, "any") == 0 ? "psk-" : "";
        char rest[2 * NAME_OCTETS + 8];
        (void)snprintf(rest, sizeof(rest), "%s%s", open, name);
        (void)device_id_make(product->device_id, NULL, NULL, rest, identity);
        (void)snprintf(head, sizeof(head), "psk-%s,%s,%s,%s,", name, product->name,
                       args->lot ? args->lot : "", identity);
        outfile_add(out, span_str(head));
        outfile_add(out, span_str(hex));
        outfile_add(out, span_str("\n"));
    }
    secret_free(key);
    secret_free(hex);
    return r;
}

static int write_rows(const struct cmd_args *args, const struct product *product, long n)
{
    struct err_info why = {0};
    struct outfile out;
    int r = outfile_open(&out, args->output, 0600, true, &why);
    if (r == 0) {
        outfile_add(&out, span_str("id,product,lot,psk_identity,psk\n"));
    }
    for (long i = 0; i < n && r == 0; i++) {
        r = add_row(&out, args, product);
        if (r < 0) {
            err_set(&why, r, "no random octets or no memory for keys");
            outfile_abort(&out);
        }
    }
    r = r == 0 ? outfile_commit(&out, &why) : r;
    return r == 0 ? CMD_DONE : cmd_complain(&why);
}

int generate_psk(const struct cmd_args *args, const struct product *product)
{
    char *end;
    char identity[DEVICE_ID_SIZE];
    long n = strtol(args->generate_psk, &end, 10);
    if (*end || end == args->generate_psk || n < 1 || n > PSK_MOST) {
        return complain("--generate-psk needs a number from 1 to 1000000");
    }
    if (!product || !args->output) {
        return complain("--generate-psk needs --product NAME and -o FILE: the servers need the keys as well");
    }
    if (args->lot && strpbrk(args->lot, ",\"\r\n")) {
        return complain("a lot for --generate-psk has no commas, quotation marks and line ends");
    }
    if (args->dry_run) {
        return complain("--generate-psk has no dry run");
    }
    if (!takes_psk(product)) {
        return complain("the product takes no psk and psk_identity from its bundles");
    }
    if (device_id_make(product->device_id, NULL, NULL, "0", identity) == 0) {
        return complain(
            "the product's device_id names single boards: give each its identity, and import them");
    }
    return write_rows(args, product, n);
}
