/*
 * Rows are built as JSON trees, which base/json wipes, and written into secret memory. libcsv gets its memory
 * from base/secret as well, and is strict: a quote in the middle of a field is an error, since a lenient
 * reader would shift a private key into the next column.
 */
#include "exchange/convert.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/secret.h"
#include "exchange/convert_row.h"
#include "job/device_id.h"

const char *convert_format_name(enum convert_format format)
{
    static const char *const names[] = {
#define X(name, text) [name] = text,
        CONVERT_FORMAT_LIST(X)
#undef X
    };
    return names[format];
}

int convert_format_from_name(const char *name)
{
#define X(id, text)                                                                                          \
    if (strcmp(text, name) == 0) {                                                                           \
        return id;                                                                                           \
    }
    CONVERT_FORMAT_LIST(X)
#undef X
    return -1;
}

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);
    return n >= m && strcasecmp(path + n - m, end) == 0;
}

/* Members that only the tools' JSON has. */
static bool has_manager_member(struct span text)
{
    static const char *const members[] = {"\"clientCert\"", "\"privateKey\"", "\"caCert\"", "\"secTag\""};
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        if (memmem(text.at, text.len, members[i], strlen(members[i])) != NULL) {
            return true;
        }
    }
    return false;
}

static struct span skip_blanks(struct span text)
{
    while (text.len > 0 && isspace((unsigned char)*text.at)) {
        text = span_skip(text, 1);
    }
    return text;
}

const char *convert_misfit(struct span beginning)
{
    static const struct {
        const char *start, *what;
    } kinds[] = {
        {"[", "is one JSON array; bundles come one object a line: jq -c '.[]' makes that of it"},
        {"-----BEGIN",
         "is a PEM; put certificate and key into a folder as ID_crt.pem and ID_prv.pem and import "
         "that, or write them into a bundle"},
        {"PK\x03\x04", "is an archive; unpack it and import the files in it"},
    };
    struct span text = skip_blanks(beginning);
    bool may_be_rows =
        text.len == 0 || *text.at == '{' || (unsigned char)*text.at == 0xEF; /* a byte order mark */
    if (may_be_rows) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        size_t n = strlen(kinds[i].start);
        if (text.len >= n && memcmp(text.at, kinds[i].start, n) == 0) {
            return kinds[i].what;
        }
    }
    return memchr(beginning.at, '\0', beginning.len) != NULL
               ? "is no text; bundles come one JSON object a line"
               : "does not begin with a bundle; they come one JSON object a line, and a table needs --format "
                 "csv";
}

enum convert_format convert_guess(const char *path, struct span beginning)
{
    struct span text = skip_blanks(beginning);
    bool is_object = text.len > 0 && *text.at == '{';
    if (is_object && has_manager_member(beginning)) {
        return CONVERT_MANAGER;
    }
    return !is_object && ends_with(path, ".csv") ? CONVERT_CSV : CONVERT_NDJSON;
}

/* ---- one row */

static void put_imei(const struct convert_config *config, struct json *row)
{
    const char *id = json_as_text(json_get(row, "id"));
    struct span imei;
    if (id != NULL && json_get(row, "imei") == NULL &&
        device_id_imei(config->device_id != NULL ? config->device_id : "any", span_str(id), &imei)) {
        (void)json_put_span(row, "imei", imei);
    }
}

int convert_give(const struct convert_config *config, uint32_t number, struct json *row)
{
    int rc = row == NULL ? -ENOMEM : 0;
    if (rc == 0 && config->product != NULL && json_get(row, "product") == NULL) {
        rc = json_put_text(row, "product", config->product);
    }
    if (rc == 0 && config->lot != NULL && json_get(row, "lot") == NULL) {
        rc = json_put_text(row, "lot", config->lot);
    }
    if (rc == 0) {
        put_imei(config, row);
    }
    size_t len = 0;
    char *text = rc == 0 ? json_dump_secret(row, JSON_FORM_COMPACT, &len) : NULL;
    json_free(row);
    rc = text != NULL ? config->row(config->ctx, number, span_of(text, len)) : rc != 0 ? rc : -ENOMEM;
    secret_free(text);
    return rc;
}

/* ---- NDJSON */

static bool is_blank(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!isspace((unsigned char)text.at[i])) {
            return false;
        }
    }
    return true;
}

/* A line that is no object goes through as it is: the import says what is wrong with it. */
static int give_line(const struct convert_config *config, uint32_t number, struct span line)
{
    struct json *row = NULL;
    bool changes = config->product != NULL || config->lot != NULL;
    if (changes && json_parse(line, JSON_DEPTH_USUAL, &row, NULL) == 0 &&
        json_kind_of(row) == JSON_KIND_OBJECT) {
        return convert_give(config, number, row);
    }
    json_free(row);
    return config->row(config->ctx, number, line);
}

int convert_ndjson(const struct convert_config *config, struct span text, struct err_info *reterr)
{
    uint32_t number = 0;
    (void)reterr;
    while (text.len > 0) {
        const char *end = memchr(text.at, '\n', text.len);
        size_t n = end != NULL ? (size_t)(end - text.at) : text.len;
        number++;
        if (!is_blank(span_of(text.at, n))) {
            int rc = give_line(config, number, span_of(text.at, n));
            if (rc != 0) {
                return rc;
            }
        }
        text = span_skip(text, n + 1);
    }
    return 0;
}

/* ---- Certificate Manager */

/* That tool trims the ends of what it reads, and so do we. A last line end is part of a PEM text. */
static int put_trimmed(struct json *row, const char *member, const struct json *value)
{
    const char *text = json_as_text(value);
    if (value == NULL || text == NULL) {
        return value == NULL ? 0 : ERR_FORMAT;
    }
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)*text)) {
        text++;
        n--;
    }
    while (n > 0 && isspace((unsigned char)text[n - 1])) {
        n--;
    }
    if (n == 0) {
        return 0; /* the tool writes empty members for what is not there */
    }
    bool is_pem = span_starts(span_of(text, n), "-----BEGIN ");
    size_t len = n + (is_pem ? 1 : 0);
    char *copy = secret_alloc(len);
    if (copy == NULL) {
        return -ENOMEM;
    }
    memcpy(copy, text, n);
    if (is_pem) {
        copy[n] = '\n';
    }
    int rc = json_put_span(row, member, span_of(copy, len));
    secret_free(copy);
    return rc;
}

static int put_manager_members(struct json *row, const struct json *from, struct err_info *reterr)
{
    static const struct {
        const char *theirs, *ours;
    } members[] = {
        {"clientId", "id"}, {"caCert", "ca"}, {"clientCert", "client_cert"}, {"privateKey", "private_key"}};
    int rc = 0;
    for (size_t i = 0; i < sizeof(members) / sizeof(*members) && rc == 0; i++) {
        rc = put_trimmed(row, members[i].ours, json_get(from, members[i].theirs));
        if (rc == ERR_FORMAT) {
            return err_set(reterr, rc, "%s is no text", members[i].theirs);
        }
    }
    const struct json *tag = json_get(from, "secTag");
    int64_t number;
    if (rc == 0 && tag != NULL && !json_as_i64(tag, &number)) {
        return err_set(reterr, ERR_FORMAT, "secTag is no whole number");
    }
    return rc == 0 && tag != NULL ? json_put_i64(row, "sec_tag", number) : rc;
}

int convert_manager(const struct convert_config *config, struct span text, struct err_info *reterr)
{
    static const char *const known[] = {"caCert", "clientCert", "privateKey", "clientId", "secTag", NULL};
    struct json *from = NULL, *row = NULL;
    int rc = json_parse(text, JSON_DEPTH_USUAL, &from, reterr);
    rc = rc == 0 ? json_check_members(from, known, reterr) : rc;
    if (rc == 0) {
        row = json_new_object();
        rc = put_manager_members(row, from, reterr);
    }
    json_free(from);
    if (rc != 0) {
        json_free(row);
        return rc;
    }
    return convert_give(config, 1, row);
}

/* ---- files */

int convert_read_file(int fd, size_t max, char **ret, size_t *ret_len, struct err_info *reterr)
{
    struct stat st;
    if (fstat(fd, &st) < 0) {
        return err_set(reterr, -errno, "%s", strerror(errno));
    }
    size_t size =
        S_ISREG(st.st_mode) && st.st_size > 0 && (size_t)st.st_size < max ? (size_t)st.st_size + 1 : 65536;
    char *memory = secret_alloc(size);
    size_t len = 0;
    int rc = memory != NULL ? 0 : err_set(reterr, -ENOMEM, "there is no memory to read it");
    while (rc == 0) {
        if (len == size) {
            size *= 2;
            char *more = len <= max ? secret_realloc(memory, size) : NULL;
            rc = more != NULL ? 0 : err_set(reterr, ERR_RANGE, "it is larger than %zu octets", max);
            memory = more != NULL ? more : memory;
            continue;
        }
        ssize_t n = read(fd, memory + len, size - len);
        if (n < 0 && errno != EINTR) {
            rc = err_set(reterr, -errno, "%s", strerror(errno));
        } else if (n == 0) {
            break;
        } else if (n > 0) {
            len += (size_t)n;
        }
    }
    if (rc == 0 && len > max) {
        rc = err_set(reterr, ERR_RANGE, "it is larger than %zu octets", max);
    }
    if (rc != 0) {
        secret_free(memory);
        return rc;
    }
    *ret = memory;
    *ret_len = len;
    return 0;
}
