/*
 * Other people's files → rows as the import takes them: one JSON object with our members each. A file is
 * converted whole, in secret memory; what the rows hold is judged by the import and not here.
 *
 *   CSV       RFC 4180, a header row with our members as names in any order. A row's number is that of its
 *             record, the header's is 1
 *   manager   Certificate Manager's and Cellular Monitor's JSON: caCert, clientCert, privateKey, clientId,
 * secTag folder    <id>_crt.pem and <id>_prv.pem, as nrfcloud-utils saves them: `id` in the order of the
 * names
 *
 * Where a row names no product or lot, the one that was given for the whole file is put in. Where it has no
 * IMEI but its id is one, or "nrf-" and one, or follows the product's device_id, that IMEI is put in.
 */
#ifndef CERTLINE_EXCHANGE_CONVERT_H
#define CERTLINE_EXCHANGE_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define CONVERT_FILE_MAX  ((size_t)256 * 1024 * 1024) /* octets of a file that is read whole */
#define CONVERT_FIELD_MAX ((size_t)64 * 1024)

#define CONVERT_FORMAT_LIST(X)                                                                               \
    X(CONVERT_NDJSON, "ndjson")                                                                              \
    X(CONVERT_CSV, "csv")                                                                                    \
    X(CONVERT_MANAGER, "manager")                                                                            \
    X(CONVERT_FOLDER, "folder")

enum convert_format {
#define X(name, text) name,
    CONVERT_FORMAT_LIST(X)
#undef X
};
const char *convert_format_name(enum convert_format format);
int convert_format_from_name(const char *name); /* or -1 */

/* What a file seems to be, by its name and its beginning. */
enum convert_format convert_guess(const char *path, struct span beginning);
/* What a file guessed to be NDJSON is instead, as the end of a sentence that begins with its name, by a
 * beginning in which no bundle can start; NULL when rows may follow. */
const char *convert_misfit(struct span beginning);

struct convert_config {
    const char *product, *lot; /* NULL: none was given */
    const char *device_id;     /* the product's scheme; NULL: any */

    /* Takes one row: `json` has no line feed and is wiped after the call. 0, or negative: it ends here. Rows
     * come with rising numbers, some may be missing. */
    int (*row)(void *ctx, uint32_t number, struct span json);
    /* A row that cannot be one: why. 0, or negative: it ends here. */
    int (*refuse)(void *ctx, uint32_t number, const char *why);
    void *ctx;
};

/* A file's text. Returns 0; what a callback returned; ERR_FORMAT with *reterr when it is no such file at all;
 * -ENOMEM. */
int convert_csv(const struct convert_config *config, struct span text, struct err_info *reterr);
int convert_manager(const struct convert_config *config, struct span text, struct err_info *reterr);

/* A CSV of any size, block by block; `took` is told each one, when its rows have been given. Also -errno of
 * reading. */
int convert_csv_file(const struct convert_config *config, int fd, void (*took)(void *ctx, struct span octets),
                     struct err_info *reterr);

/* NDJSON whose rows lack product or lot; also the way without either. */
int convert_ndjson(const struct convert_config *config, struct span text, struct err_info *reterr);

/*
 * A folder. ERR_NOT_FOUND when no file of it is named so; -errno. A pair that is not complete is a row
 * without that member, so that the import says what is missing.
 */
int convert_folder(const struct convert_config *config, const char *path, struct err_info *reterr);

/* The file's octets in secret memory, for secret_free; `max` at most. 0, or negative with *reterr. */
int convert_read_file(int fd, size_t max, char **ret, size_t *ret_len, struct err_info *reterr);

#endif
