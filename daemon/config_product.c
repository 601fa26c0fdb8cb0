/*
 * Products: what an option alone cannot say. A file's certificates are read here once and in the form in
 * which the modem will hold them, so that a missing or damaged file is a mistake of the configuration and not
 * of a board.
 *
 * A product's version is the digest of a canonical JSON text in which every rule that can change what ends up
 * on a board appears, files by their digest. Two configurations that write the same thing in other words have
 * the same version.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hex.h"
#include "base/json.h"
#include "config_build.h"
#include "job/place.h"
#include "pki/chain.h"
#include "pki/digest.h"
#include "pki/pem.h"
#include "pki/x509.h"

#define FILE_ENTRY_SIZE (CRED_CONTENT_MAX + 1)

/* ---- an entry's file */

static bool check_certificates(struct config_builder *builder, const struct config_value *value,
                               const char *path, const struct pem *pem)
{
    const struct pem_finding *finding = pem_refusal(pem);
    if (finding) {
        const struct pem_fault_text *text = pem_fault_text(finding->fault);
        config_complain(&builder->reader, &value->place, ERR_FORMAT, "%s:%d:%d: %s. %s", path, finding->line,
                        finding->column, text->what, text->remedy);
        return false;
    }
    for (size_t i = 0; i < pem->n_blocks; i++) {
        const struct pem_block *block = &pem->blocks[i];
        struct cert cert;
        struct err_info info = {0};
        if (block->label != PEM_CERTIFICATE) {
            config_complain(&builder->reader, &value->place, ERR_FORMAT,
                            "%s:%d: this is no certificate (%s); a ca holds certificates only", path,
                            block->line, pem_label_text(block->label));
            return false;
        }
        int r = cert_parse(block->der, &cert, &info);
        if (r < 0) {
            config_complain(&builder->reader, &value->place, r, "%s:%d: %s", path, block->line, info.text);
            return false;
        }
    }
    return true;
}

static void write_content(struct config_builder *builder, const struct product *product,
                          const struct config_value *value, const char *path, const struct pem *pem,
                          struct product_entry *entry)
{
    struct pem_style style = {.is_crlf = product->is_crlf, .final_line_end = product->final_line_end};
    char *content = config_alloc(builder, FILE_ENTRY_SIZE);
    int64_t len = content ? pem_write(pem, style, content, CRED_CONTENT_MAX) : 0;
    if (len < 0) {
        config_complain(
            &builder->reader, &value->place, ERR_RANGE,
            "%s: the certificates have more than %d octets together; keep those that the product needs", path,
            CRED_CONTENT_MAX);
        return;
    }
    if (product->native_tls && place_native_need(entry->type, (size_t)len) > PLACE_NATIVE_ROOM) {
        config_complain(
            &builder->reader, &value->place, ERR_RANGE,
            "%s: the certificates have %d octets together, and native TLS loads at most %d of one "
            "tag, the board's own among them; keep those that the product needs",
            path, (int)len, PLACE_NATIVE_ROOM);
        return;
    }
    entry->content = span_of(content, (size_t)len);
    sha256(entry->content, &entry->sha256);
}

static void read_content(struct config_builder *builder, const struct product *product,
                         const struct config_value *value, struct product_entry *entry)
{
    const char *path = config_resolve(builder, value->node->string);
    struct span text;
    struct err_info info = {0};
    int r = config_read_file(path, PEM_TEXT_MAX, &text, &info);
    if (r < 0) {
        config_complain(&builder->reader, &value->place, r, "%s %s", path, info.text);
        return;
    }
    struct pem pem;
    if (pem_parse(text, &pem) < 0) {
        builder->is_out_of_memory = true;
    } else if (check_certificates(builder, value, path, &pem)) {
        write_content(builder, product, value, path, &pem, entry);
    }
    pem_done(&pem);
    free((void *)text.at);
}

/* ---- an entry */

static void check_origin(struct config_builder *builder, const struct config_value *values,
                         enum cred_type type)
{
    const struct config_value *from = &values[OPT_ENTRY_FROM], *file = &values[OPT_ENTRY_FILE];
    bool is_file = from->number == FROM_FILE;
    if (is_file && type != CRED_CA && !values[OPT_ENTRY_TYPE].is_bad) {
        config_complain(
            &builder->reader, &from->place, ERR_REFUSED,
            "from is \"file\" for a %s; a file is the same for every board, so only a ca may come from "
            "one; write from = \"bundle\"",
            cred_type_name(type));
    } else if (is_file && !file->is_set) {
        config_complain(&builder->reader, &from->place, ERR_NOT_FOUND,
                        "from is \"file\", but no file is named; add a line such as: file = %s",
                        config_options[OPT_ENTRY_FILE].example);
    } else if (!is_file && file->is_set) {
        config_complain(&builder->reader, &file->place, ERR_CONFLICT,
                        "file is given, but from is \"bundle\"; remove the line, or write from = \"file\"");
    }
}

/* Tag and type become one tag of the modem's. */
static void check_native_tag(struct config_builder *builder, const struct product *product,
                             const struct config_value *tag)
{
    if (product->native_tls && !tag->is_bad && tag->number > PLACE_NATIVE_TAG_MAX) {
        config_complain(
            &builder->reader, &tag->place, ERR_RANGE,
            "sec_tag is %lld; with native_tls it must be from 0 to %u, since the modem keeps it as "
            "ten times as much and the type",
            (long long)tag->number, PLACE_NATIVE_TAG_MAX);
    }
}

static void build_entry(struct config_builder *builder, const struct product *product,
                        const struct toml_node *table, struct product_entry *entry)
{
    struct config_value values[CONFIG_OPTIONS] = {{0}};
    config_read_table(&builder->reader, SECTION_ENTRY, table, values);
    entry->sec_tag = (uint32_t)values[OPT_ENTRY_SEC_TAG].number;
    entry->type = (enum cred_type)values[OPT_ENTRY_TYPE].number;
    entry->from_bundle = values[OPT_ENTRY_FROM].number == FROM_BUNDLE;
    if (values[OPT_ENTRY_FROM].is_bad) {
        return;
    }
    check_native_tag(builder, product, &values[OPT_ENTRY_SEC_TAG]);
    check_origin(builder, values, entry->type);
    const struct config_value *file = &values[OPT_ENTRY_FILE];
    if (!entry->from_bundle && entry->type == CRED_CA && file->is_set && !file->is_bad) {
        read_content(builder, product, file, entry);
    }
}

/* ---- the entries of a product together */

static const struct product_entry *find_entry(const struct product *product, uint32_t n, uint32_t sec_tag,
                                              enum cred_type type)
{
    for (uint32_t i = 0; i < n; i++) {
        if (product->entries[i].sec_tag == sec_tag && product->entries[i].type == type) {
            return &product->entries[i];
        }
    }
    return NULL;
}

/* A certificate without its key, or an identity without its secret, cannot open a connection. */
static void check_pairs(struct config_builder *builder, const struct product *product,
                        const struct toml_node *table, uint32_t i)
{
    static const struct {
        enum cred_type type, needs;
    } pairs[] = {
        {CRED_CLIENT_CERT, CRED_PRIVATE_KEY},
        {CRED_PRIVATE_KEY, CRED_CLIENT_CERT},
        {CRED_PSK, CRED_PSK_IDENTITY},
        {CRED_PSK_IDENTITY, CRED_PSK},
    };
    const struct product_entry *entry = &product->entries[i];
    for (size_t k = 0; k < sizeof(pairs) / sizeof(*pairs); k++) {
        if (pairs[k].type == entry->type &&
            !find_entry(product, product->n_entries, entry->sec_tag, pairs[k].needs)) {
            config_complain(&builder->reader, &table->place, ERR_CONFLICT,
                            "sec_tag %u has a %s but no %s; add its [[product.entry]]", entry->sec_tag,
                            cred_type_name(entry->type), cred_type_name(pairs[k].needs));
        }
    }
}

/* What a key made on the board can be, and what it needs. */
static void check_keygen_entries(struct config_builder *builder, const struct product *product,
                                 const struct toml_node *first)
{
    const struct toml_node *table = first;
    uint32_t n_keys = 0;
    for (uint32_t i = 0; i < product->n_entries; i++, table = config_next_table(SECTION_ENTRY, table)) {
        const struct product_entry *entry = &product->entries[i];
        bool is_pair = entry->type == CRED_CLIENT_CERT || entry->type == CRED_PRIVATE_KEY;
        n_keys += entry->type == CRED_PRIVATE_KEY;
        if (entry->from_bundle && !is_pair) {
            config_complain(
                &builder->reader, &table->place, ERR_CONFLICT,
                "source is \"keygen\": a board makes its key and gets a certificate for it, but no %s "
                "of its own; take it from a file, or use another source",
                cred_type_name(entry->type));
        } else if (n_keys > 1 && entry->type == CRED_PRIVATE_KEY) {
            config_complain(&builder->reader, &table->place, ERR_CONFLICT,
                            "source is \"keygen\": one key is made on a board; this is the second");
        }
    }
}

static void check_entries(struct config_builder *builder, const struct product *product,
                          const struct toml_node *first, const struct toml_node *header)
{
    bool has_own = false;
    const struct toml_node *table = first;
    for (uint32_t i = 0; i < product->n_entries; i++, table = config_next_table(SECTION_ENTRY, table)) {
        const struct product_entry *entry = &product->entries[i];
        has_own = has_own || entry->from_bundle;
        if (find_entry(product, i, entry->sec_tag, entry->type)) {
            config_complain(&builder->reader, &table->place, ERR_DUPLICATE,
                            "sec_tag %u already has a %s in this product; remove one of the two",
                            entry->sec_tag, cred_type_name(entry->type));
        }
        check_pairs(builder, product, table, i);
    }
    if (product->source == SOURCE_KEYGEN) {
        check_keygen_entries(builder, product, first);
    }
    if (product->n_entries > 0 && !has_own) {
        config_complain(
            &builder->reader, &header->place, ERR_CONFLICT,
            "no entry of %s comes from a bundle, so that there is nothing to give to a board; add one with "
            "from = \"bundle\"",
            product->name[0] ? product->name : "this product");
    }
}

static void build_entries(struct config_builder *builder, const struct toml_node *table,
                          struct product *product)
{
    uint32_t n;
    uint32_t before = builder->reader.errors->n + builder->reader.errors->more;
    const struct toml_node *first = config_first_table(&builder->reader, table, SECTION_ENTRY, &n);
    for (const struct toml_node *t = first; t; t = config_next_table(SECTION_ENTRY, t)) {
        build_entry(builder, product, t, &product->entries[product->n_entries++]);
    }
    /* What is missing or double can be judged only when every entry says what it is. */
    if (builder->reader.errors->n + builder->reader.errors->more == before) {
        check_entries(builder, product, first, table);
    }
}

/* ---- whose the boards are */

/* What a name may hold depends on the cloud, so that both options are judged together. */
static void read_device_id(struct config_builder *builder, const struct config_value *values,
                           struct product *product)
{
    const struct config_value *scheme = &values[OPT_PRODUCT_DEVICE_ID];
    product->cloud = (enum device_cloud)values[OPT_PRODUCT_CLOUD].number;
    buf_copy(product->device_id, sizeof(product->device_id), span_str(config_value_text(scheme)));
    bool is_keygen = product->source == SOURCE_KEYGEN;
    if (is_keygen && !scheme->is_set) {
        buf_copy(product->device_id, sizeof(product->device_id),
                 span_str("uuid")); /* as the modem itself does */
    } else if (is_keygen && !scheme->is_bad && device_scheme_is_open(product->device_id)) {
        config_complain(
            &builder->reader, &scheme->place, ERR_CONFLICT,
            "device_id \"%s\" fits many names, and the station has to make one; write uuid, imei, "
            "nrf-imei, or a text with {imei} or {uuid} in it",
            product->device_id);
    }
    if (!scheme->is_bad && !device_scheme_is_valid(product->device_id, product->cloud)) {
        config_complain(&builder->reader, &scheme->place, ERR_CONFLICT,
                        "device_id \"%s\" makes names that %s does not take; choose another prefix or cloud",
                        product->device_id, device_cloud_name(product->cloud));
    }
}

/* Options that only a key made on the board gives a meaning, and what such a key asks of others. */
static void check_keygen(struct config_builder *builder, const struct config_value *values,
                         const struct product *product)
{
    const struct config_value *source = &values[OPT_PRODUCT_SOURCE], *proof = &values[OPT_PRODUCT_PROOF];
    const struct config_value *possession = &values[OPT_PRODUCT_POSSESSION];
    const struct config_value *attributes = &values[OPT_PRODUCT_ATTRIBUTES];
    if (source->is_bad) {
        return;
    }
    if (product->source != SOURCE_KEYGEN) {
        if (product->possession) {
            config_complain(
                &builder->reader, &possession->place, ERR_CONFLICT,
                "possession is proven of keys made on the board; write false, or source = \"keygen\"");
        }
        if (product->attributes[0] != '\0') {
            config_complain(&builder->reader, &attributes->place, ERR_CONFLICT,
                            "attributes belong to keys made on the board; remove them, or write source = "
                            "\"keygen\"");
        }
        return;
    }
    if (product->proof != PROOF_DIGEST) {
        config_complain(&builder->reader, &proof->place, ERR_CONFLICT,
                        "a key made on the board is known by its digest alone; write proof = \"digest\"");
    }
    if (!builder->config->signer.is_there) {
        config_complain(&builder->reader, &source->place, ERR_NOT_FOUND,
                        "source \"keygen\" needs a CA that issues the certificates; add a [signer] section");
    }
}

/* What native TLS reads must be readable, and a key made on the board is not. */
static void check_native_tls(struct config_builder *builder, const struct config_value *native_tls,
                             const struct product *product)
{
    if (product->native_tls && product->source == SOURCE_KEYGEN) {
        config_complain(
            &builder->reader, &native_tls->place, ERR_CONFLICT,
            "native_tls and source \"keygen\" exclude each other: a key made by %%KEYGEN never leaves the "
            "modem, and native TLS has to read its key; write native_tls = false, or source = \"pool\" or "
            "\"bound\"");
    }
}

/* Commands of the modem's own, signed by a key that the station has. */
static void check_signed_commands(struct config_builder *builder, const struct config_value *values,
                                  const struct product *product)
{
    const struct config_value *option = &values[OPT_PRODUCT_SIGNED_COMMANDS];
    const struct config_value *on_public_key = &values[OPT_PRODUCT_ON_PUBLIC_KEY];
    if (!product->signs_commands) {
        if (product->replaces_public_key) {
            config_complain(&builder->reader, &on_public_key->place, ERR_CONFLICT,
                            "on_public_key has a meaning with signed_commands = true only; remove the line");
        }
        return;
    }
    if (product->native_tls || product->source == SOURCE_KEYGEN) {
        config_complain(&builder->reader, &option->place, ERR_CONFLICT,
                        "signed_commands and %s exclude each other: only %%CMNG is signed; write false",
                        product->native_tls ? "native_tls" : "source \"keygen\"");
    }
    if (!builder->config->signer.is_there) {
        config_complain(&builder->reader, &option->place, ERR_NOT_FOUND,
                        "signed_commands needs a key that signs; add a [signer] section with a P-256 key");
    }
}

static void read_issuer(struct config_builder *builder, const struct config_value *value,
                        struct product *product)
{
    if (!value->is_set || value->is_bad) {
        return;
    }
    const char *path = config_resolve(builder, value->node->string);
    struct span text = {0};
    struct chain *chain = NULL;
    struct err_info info = {0};
    int r = config_read_file(path, PEM_TEXT_MAX, &text, &info);
    if (r < 0) {
        config_complain(&builder->reader, &value->place, r, "%s %s", path, info.text);
        return;
    }
    r = chain_new(text, &chain, &info);
    char *kept = r == 0 ? config_alloc(builder, text.len + 1) : NULL;
    if (r < 0) {
        config_complain(&builder->reader, &value->place, r, "%s:%d:%d: %s", path, info.line, info.column,
                        info.text);
    } else if (kept) {
        memcpy(kept, text.at, text.len);
        product->issuer = span_of(kept, text.len);
    }
    chain_free(chain);
    free((void *)text.at);
}

/* ---- a product */

static void copy_rules(const struct config_value *value, char rules[PRODUCT_RULES_MAX][PRODUCT_RULE_SIZE],
                       uint32_t *ret_n)
{
    *ret_n = 0;
    const struct toml_node *text = value->node && !value->is_bad ? value->node->child : NULL;
    for (; text && *ret_n < PRODUCT_RULES_MAX; text = text->next) {
        buf_copy(rules[(*ret_n)++], PRODUCT_RULE_SIZE, span_str(text->string));
    }
}

static void fill_product(const struct config_value *values, struct product *product)
{
    buf_copy(product->name, sizeof(product->name), span_str(config_value_text(&values[OPT_PRODUCT_NAME])));
    product->source = (enum product_source)values[OPT_PRODUCT_SOURCE].number;
    product->on_existing = (enum product_on_existing)values[OPT_PRODUCT_ON_EXISTING].number;
    product->second_visit = (enum product_second_visit)values[OPT_PRODUCT_SECOND_VISIT].number;
    product->equal = (enum product_equal)values[OPT_PRODUCT_EQUAL].number;
    product->is_crlf = values[OPT_PRODUCT_LINE_END].number != 0;
    product->final_line_end = values[OPT_PRODUCT_FINAL_LINE_END].number != 0;
    product->proof = (enum product_proof)values[OPT_PRODUCT_PROOF].number;
    product->possession = values[OPT_PRODUCT_POSSESSION].number != 0;
    buf_copy(product->attributes, sizeof(product->attributes),
             span_str(config_value_text(&values[OPT_PRODUCT_ATTRIBUTES])));
    product->native_tls = values[OPT_PRODUCT_NATIVE_TLS].number != 0;
    product->signs_commands = values[OPT_PRODUCT_SIGNED_COMMANDS].number != 0;
    product->replaces_public_key = values[OPT_PRODUCT_ON_PUBLIC_KEY].number != 0;
    product->attestation = values[OPT_PRODUCT_ATTESTATION].number != 0;
    product->erases_keys = values[OPT_PRODUCT_KEEP_KEYS].number == 0 && product->second_visit != SECOND_AGAIN;
    product->leave = (enum product_leave)values[OPT_PRODUCT_LEAVE].number;
    product->job_limit_s = (uint32_t)values[OPT_PRODUCT_JOB_LIMIT_S].number;
    copy_rules(&values[OPT_PRODUCT_MODEM_FIRMWARE], product->firmware_rules, &product->n_firmware_rules);
    copy_rules(&values[OPT_PRODUCT_MODEL], product->model_rules, &product->n_model_rules);
}

static const char *word(enum config_option_id option, unsigned number)
{
    return config_options[option].words[number];
}

static struct json *rules_json(const char rules[PRODUCT_RULES_MAX][PRODUCT_RULE_SIZE], uint32_t n)
{
    struct json *array = json_new_array();
    for (uint32_t i = 0; array && i < n; i++) {
        if (json_append_text(array, rules[i]) < 0) {
            json_free(array);
            return NULL;
        }
    }
    return array;
}

static struct json *entry_json(const struct product_entry *entry)
{
    struct json *object = json_new_object();
    int r = json_put_i64(object, "sec_tag", entry->sec_tag) |
            json_put_text(object, "type", cred_type_name(entry->type)) |
            json_put_text(object, "from", word(OPT_ENTRY_FROM, entry->from_bundle ? FROM_BUNDLE : FROM_FILE));
    if (!entry->from_bundle) {
        char hex[2 * DIGEST_SIZE + 1];
        hex_encode(entry->sha256.octets, DIGEST_SIZE, hex);
        r |= json_put_text(object, "sha256", hex);
    }
    if (r < 0) {
        json_free(object);
        return NULL;
    }
    return object;
}

/* Options that a product does not use are no part of its version, so that a version lives on when an option
 * is added to the program. */
static int put_device_id(struct json *object, const struct product *product)
{
    int r = 0;
    if (strcmp(product->device_id, "any") != 0) {
        r |= json_put_text(object, "device_id", product->device_id);
    }
    if (product->native_tls) {
        r |= json_put_bool(object, "native_tls", true);
    }
    if (product->signs_commands) {
        r |= json_put_bool(object, "signed_commands", true) |
             json_put_text(object, "on_public_key",
                           word(OPT_PRODUCT_ON_PUBLIC_KEY, product->replaces_public_key));
    }
    if (product->attestation) {
        r |= json_put_bool(object, "attestation", true);
    }
    if (!product->erases_keys && product->second_visit != SECOND_AGAIN) {
        r |= json_put_bool(object, "keep_keys", true);
    }
    if (product->attributes[0] != '\0') {
        r |= json_put_text(object, "attributes", product->attributes);
    }
    if (product->cloud != CLOUD_NONE) {
        r |= json_put_text(object, "cloud", device_cloud_name(product->cloud));
    }
    if (product->issuer.len > 0) {
        struct digest digest;
        char hex[2 * DIGEST_SIZE + 1];
        sha256(product->issuer, &digest);
        hex_encode(digest.octets, DIGEST_SIZE, hex);
        r |= json_put_text(object, "issuer_sha256", hex);
    }
    return r;
}

static struct json *product_json(const struct product *product)
{
    struct json *entries = json_new_array();
    int r = 0;
    for (uint32_t i = 0; i < product->n_entries; i++) {
        r |= json_append(entries, entry_json(&product->entries[i]));
    }
    struct json *object = json_new_object();
    r |= json_put_text(object, "name", product->name) |
         json_put_text(object, "source", word(OPT_PRODUCT_SOURCE, product->source)) |
         json_put_text(object, "on_existing", word(OPT_PRODUCT_ON_EXISTING, product->on_existing)) |
         json_put_text(object, "second_visit", word(OPT_PRODUCT_SECOND_VISIT, product->second_visit)) |
         json_put_text(object, "equal", word(OPT_PRODUCT_EQUAL, product->equal)) |
         json_put_text(object, "line_end", word(OPT_PRODUCT_LINE_END, product->is_crlf)) |
         json_put_bool(object, "final_line_end", product->final_line_end) |
         json_put_text(object, "proof", word(OPT_PRODUCT_PROOF, product->proof)) |
         json_put_bool(object, "possession", product->possession) |
         json_put_text(object, "leave", word(OPT_PRODUCT_LEAVE, product->leave)) |
         json_put_i64(object, "job_limit_s", product->job_limit_s) |
         json_put(object, "modem_firmware", rules_json(product->firmware_rules, product->n_firmware_rules)) |
         json_put(object, "model", rules_json(product->model_rules, product->n_model_rules)) |
         json_put(object, "entries", entries) | put_device_id(object, product);
    if (r < 0) {
        json_free(object);
        return NULL;
    }
    return object;
}

static void stamp_version(struct config_builder *builder, struct product *product)
{
    struct json *json = product_json(product);
    char *text = json ? json_dump(json, JSON_FORM_CANONICAL) : NULL;
    json_free(json);
    if (!text) {
        builder->is_out_of_memory = true;
        return;
    }
    product->canonical = config_keep(builder, text);
    free(text);
    config_digest_text(span_str(product->canonical), product->version);
}

static void check_product_name(struct config_builder *builder, const struct config_value *name, uint32_t n)
{
    const struct product *products = builder->config->products;
    for (uint32_t i = 0; !name->is_bad && i < n; i++) {
        if (strcmp(products[i].name, products[n].name) == 0) {
            config_complain(&builder->reader, &name->place, ERR_DUPLICATE,
                            "another product is called \"%s\"; give each one its own name", products[n].name);
            return;
        }
    }
}

void config_build_products(struct config_builder *builder, const struct toml_node *root)
{
    uint32_t n;
    const struct toml_node *table = config_first_table(&builder->reader, root, SECTION_PRODUCT, &n);
    builder->config->products = table ? config_alloc(builder, n * sizeof(struct product)) : NULL;
    for (; table && builder->config->products; table = config_next_table(SECTION_PRODUCT, table)) {
        struct product *product = &builder->config->products[builder->config->n_products];
        struct config_value values[CONFIG_OPTIONS] = {{0}};
        config_read_table(&builder->reader, SECTION_PRODUCT, table, values);
        fill_product(values, product);
        read_device_id(builder, values, product);
        check_keygen(builder, values, product);
        check_native_tls(builder, &values[OPT_PRODUCT_NATIVE_TLS], product);
        check_signed_commands(builder, values, product);
        read_issuer(builder, &values[OPT_PRODUCT_ISSUER], product);
        check_product_name(builder, &values[OPT_PRODUCT_NAME], builder->config->n_products);
        build_entries(builder, table, product);
        stamp_version(builder, product);
        builder->config->n_products++;
    }
}
