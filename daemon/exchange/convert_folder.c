/*
 * A folder of PEM files, one pair a board. Other files in it are left alone: tools put requests (_csr.pem)
 * and public keys (_pub.pem) beside them. Names are sorted, so that two runs number the rows alike.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/secret.h"
#include "exchange/convert_row.h"

#define CERT_END "_crt.pem"
#define KEY_END  "_prv.pem"

static const char *const ends[] = {CERT_END, KEY_END, NULL};

/* The id of a name that ends like this, NULL when it does not; the caller frees it. */
static char *id_of(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; ends[i] != NULL; i++) {
        size_t m = strlen(ends[i]);
        if (n > m && strcmp(name + n - m, ends[i]) == 0) {
            return strndup(name, n - m);
        }
    }
    return NULL;
}

struct ids {
    char **items;
    size_t n, room;
};

static int add_id(struct ids *ids, char *id)
{
    if (ids->n == ids->room) {
        size_t room = ids->room > 0 ? 2 * ids->room : 64;
        char **items = realloc(ids->items, room * sizeof(*items));
        if (items == NULL) {
            free(id);
            return -ENOMEM;
        }
        ids->items = items;
        ids->room = room;
    }
    ids->items[ids->n++] = id;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_ids(DIR *dir, struct ids *ids)
{
    int rc = 0;
    for (const struct dirent *entry; rc == 0 && (entry = readdir(dir)) != NULL;) {
        char *id = id_of(entry->d_name);
        rc = id != NULL ? add_id(ids, id) : 0;
    }
    if (ids->n > 0) {
        qsort(ids->items, ids->n, sizeof(*ids->items), compare);
    }
    return rc;
}

/* Puts the file's text into the row; one that is not there is left out. Returns 0, 1 (refused: `why`), or
 * negative. */
static int put_file(int dir_fd, const char *id, const char *end, const char *member, struct json *row,
                    struct err_info *why)
{
    char name[NAME_MAX + 1], *text = NULL;
    size_t len = 0;
    if (snprintf(name, sizeof(name), "%s%s", id, end) >= (int)sizeof(name)) {
        return 1;
    }
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    int rc = fd >= 0 ? convert_read_file(fd, CONVERT_FIELD_MAX, &text, &len, why)
                     : err_set(why, -errno, "%s", strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    if (rc != 0) {
        return rc == -ENOMEM ? rc : 1;
    }
    rc = json_put_span(row, member, span_of(text, len));
    secret_free(text);
    return rc;
}

static int give_pair(const struct convert_config *config, int dir_fd, const char *id, uint32_t number)
{
    struct err_info why = {0};
    struct json *row = json_new_object();
    int rc = json_put_text(row, "id", id);
    rc = rc == 0 ? put_file(dir_fd, id, CERT_END, "client_cert", row, &why) : rc;
    rc = rc == 0 ? put_file(dir_fd, id, KEY_END, "private_key", row, &why) : rc;
    if (rc == 0) {
        return convert_give(config, number, row);
    }
    json_free(row);
    char text[sizeof(why.text) + 64];
    (void)snprintf(text, sizeof(text), "a file of %s cannot be read: %s", id, why.text);
    return rc == 1 ? config->refuse(config->ctx, number, text) : rc;
}

int convert_folder(const struct convert_config *config, const char *path, struct err_info *reterr)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return err_set(reterr, -errno, "%s cannot be opened: %s", path, strerror(errno));
    }
    struct ids ids = {0};
    uint32_t number = 0;
    int rc = list_ids(dir, &ids);
    if (rc == 0 && ids.n == 0) {
        rc = err_set(reterr, ERR_NOT_FOUND, "%s has no files <id>" CERT_END " and <id>" KEY_END, path);
    }
    for (size_t i = 0; i < ids.n && rc == 0; i++) {
        if (i == 0 || strcmp(ids.items[i], ids.items[i - 1]) != 0) { /* both files of a pair name it */
            rc = give_pair(config, dirfd(dir), ids.items[i], ++number);
        }
    }
    for (size_t i = 0; i < ids.n; i++) {
        free(ids.items[i]);
    }
    free(ids.items);
    closedir(dir);
    return rc;
}
