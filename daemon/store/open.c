/*
 * Opening and closing: the lock, the database, the mark beside it, and what they say about one another.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hex.h"
#include "store/internal.h"
#include "store/migrate.h"
#include "store/store.h"

extern const char store_schema_sql[]; /* schema.sql, embedded by the build */

#define LOCK_NAME "lock"

/* ---- the connection */

/* Settings of the connection; journal_mode is the file's and stays. A WAL that a long reader let grow is cut
 * back. */
static const char settings[] =
    "PRAGMA busy_timeout = 0;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA secure_delete = ON;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA recursive_triggers = ON;" /* a REPLACE fires the triggers that protect events */
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA journal_size_limit = 67108864;";

int meta_get(struct store *st, const char *key, char *to, size_t size)
{
    struct query q = sql_start(&st->db, Q_META_GET);
    sql_put_text(&q, key);
    int r = sql_step(&q);
    if (r > 0) {
        sql_copy(&q, 0, to, size);
    }
    sql_end(&q);
    return r == 0 ? ERR_CORRUPT : r < 0 ? r : 0;
}

int meta_put(struct store *st, const char *key, const char *value)
{
    struct query q = sql_start(&st->db, Q_META_PUT);
    sql_put_text(&q, key);
    sql_put_text(&q, value);
    return sql_run(&q);
}

/* The first transaction of a database: its tables, its id, its first event. */
static int fill_new(struct store *st, const char *id)
{
    int r = sql_prepare(&st->db, statement_texts, STATEMENTS, NULL);
    if (r == 0) {
        r = meta_put(st, "database", id);
    }
    if (r < 0) {
        return r;
    }
    struct json *data = json_new_object();
    int trouble = json_put_text(data, "database", id);
    trouble |= json_put_text(data, "station", st->station);
    trouble |= json_put_text(data, "program", st->program);
    return event_emit(st, "store_created", NULL, NULL, data, trouble);
}

static int make_database(struct store *st, const char *id, struct err_info *reterr)
{
    int r = sql_exec(&st->db, "BEGIN IMMEDIATE");
    if (r == 0) {
        r = sql_exec(&st->db, store_schema_sql);
    }
    st->tail = (struct chain_head){0};
    if (r == 0) {
        r = fill_new(st, id);
    }
    if (r == 0) {
        r = sql_exec(&st->db, "COMMIT");
    }
    return r < 0 ? err_set(reterr, r, "making the database failed: %s", st->db.failure.text) : 0;
}

void store_disconnect(struct store *st)
{
    sql_close(&st->db);
    st->is_open = false;
}

static int upgrade(struct store *st, struct err_info *reterr)
{
    int64_t from = 0;
    int r = sql_exec_i64(&st->db, "PRAGMA user_version", 0, &from);
    if (r < 0) {
        return err_set(reterr, r, "%s", st->db.failure.text);
    }
    r = migrate(&st->db, reterr);
    if (r == 0 && from < STORE_VERSION) {
        st->upgraded_from = (int)from;
    }
    return r;
}

/* The database as it is in the file: tables of today's version, statements, id and head. `id` names a new
 * one. */
int store_connect(struct store *st, const char *new_id, struct err_info *reterr)
{
    int r = sql_open(&st->db, st->path, st->vfs, false, reterr);
    if (r < 0) {
        return r;
    }
    r = sql_exec(&st->db, settings);
    int is_empty = r == 0 ? migrate_is_empty(&st->db) : r;
    if (is_empty < 0) {
        return err_set(reterr, is_empty, "%s", st->db.failure.text);
    }
    if (is_empty) {
        r = make_database(st, new_id, reterr);
    } else {
        r = upgrade(st, reterr);
        if (r == 0) {
            r = sql_prepare(&st->db, statement_texts, STATEMENTS, reterr);
        }
    }
    if (r < 0) {
        return r;
    }
    r = meta_get(st, "database", st->database, sizeof(st->database));
    if (r == 0) {
        r = event_read_head(st);
    }
    st->is_open = r == 0;
    return r < 0 ? err_set(reterr, r, "%s",
                           st->db.failure.code ? st->db.failure.text : "the database has no identity")
                 : 0;
}

/* ---- the mark */

/* The mark's own contents against the database. */
int store_judge_mark(struct store *st, enum store_mark_state *ret)
{
    if (strcmp(st->mark.database, st->database) != 0) {
        *ret = STORE_MARK_OTHER;
        return 0;
    }
    int r = st->mark.seq == 0 ? 1 : event_is_there(st, st->mark.seq, &st->mark.hash);
    if (r >= 0) {
        *ret = r ? STORE_MARK_GOOD : STORE_MARK_BEHIND;
    }
    return r < 0 ? r : 0;
}

/* Events that a restored database writes must not bear numbers that the lost ones had: others have seen
 * those. */
void store_set_mark_state(struct store *st, enum store_mark_state state)
{
    if (state != st->mark_state) {
        st->mark_is_told = false;
    }
    st->mark_state = state;
    if (state == STORE_MARK_BEHIND || state == STORE_MARK_OTHER) {
        st->leap_to = st->mark.seq;
    }
}

/* Brings the mark up to the database. Nothing to do while a person must decide first. */
int store_advance_mark(struct store *st)
{
    bool is_there = st->mark.seq == st->head.seq && strcmp(st->mark.database, st->database) == 0;
    if (st->mark_state != STORE_MARK_GOOD || (is_there && st->mark_file.fd >= 0)) {
        return 0;
    }
    struct mark mark = {.seq = st->head.seq, .hash = st->head.hash};
    memcpy(mark.database, st->database, sizeof(mark.database));
    int r = st->mark_file.fd >= 0 ? mark_write(&st->mark_file, &mark)
                                  : mark_create(&st->mark_file, st->dir_fd, &mark);
    if (r == 0) {
        st->mark = mark;
    }
    return r;
}

/* ---- open and close */

static void new_id(const struct store_config *config, char id[DATABASE_ID_SIZE])
{
    uint8_t octets[(DATABASE_ID_SIZE - 1) / 2];
    config->random(config->random_ctx, octets, sizeof(octets));
    hex_encode(octets, sizeof(octets), id);
}

static int take_lock(struct store *st, const char *dir, struct err_info *reterr)
{
    st->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (st->dir_fd < 0) {
        return err_set(reterr, -errno, "the state directory %s cannot be opened: %s", dir, strerror(errno));
    }
    st->lock_fd = openat(st->dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (st->lock_fd < 0) {
        return err_set(reterr, -errno, "%s/%s cannot be opened: %s", dir, LOCK_NAME, strerror(errno));
    }
    if (flock(st->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        return 0;
    }
    return errno == EWOULDBLOCK
               ? err_set(reterr, ERR_LOCKED, "the state directory %s is in use by another process", dir)
               : err_set(reterr, -errno, "%s/%s cannot be locked: %s", dir, LOCK_NAME, strerror(errno));
}

/* The file exists before SQLite opens it, so that it and its WAL get this mode. Never opened by us when it is
 * there: closing it would drop the POSIX locks of our other connections. */
static int make_file(struct store *st, struct err_info *reterr)
{
    int fd = openat(st->dir_fd, STORE_DB_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        return err_set(reterr, -errno, "%s cannot be made: %s", st->path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return 0;
}

/*
 * A mark that says "nothing yet" comes before the database, and the database gets the id that stands in it: a
 * crash between the two leaves nothing to explain. A database without a mark, or a mark without its database,
 * is for a person to look at. Returns how the mark was found: 0, ERR_NOT_FOUND, ERR_CORRUPT, or another error
 * with *reterr.
 */
static int find_mark(struct store *st, const struct store_config *config, char id[DATABASE_ID_SIZE],
                     struct err_info *reterr)
{
    new_id(config, id);
    bool has_database = faccessat(st->dir_fd, STORE_DB_NAME, F_OK, 0) == 0;
    int found = mark_open(&st->mark_file, st->dir_fd, &st->mark);
    if (found == ERR_NOT_FOUND && !has_database) {
        memcpy(st->mark.database, id, DATABASE_ID_SIZE);
        found = mark_create(&st->mark_file, st->dir_fd, &st->mark);
    }
    if (found == 0 && st->mark.seq == 0) {
        memcpy(id, st->mark.database, DATABASE_ID_SIZE);
    }
    if (found == ERR_CORRUPT) {
        mark_close(&st->mark_file); /* the next one written is a new file */
    } else if (found < 0 && found != ERR_NOT_FOUND) {
        return err_set(reterr, found, "the mark in the state directory cannot be used: %s", err_text(found));
    }
    return found;
}

static int open_with_mark(struct store *st, const struct store_config *config, struct err_info *reterr)
{
    char id[DATABASE_ID_SIZE];
    int found = find_mark(st, config, id, reterr);
    if (found < 0 && found != ERR_NOT_FOUND && found != ERR_CORRUPT) {
        return found;
    }
    int r = make_file(st, reterr);
    if (r == 0) {
        r = store_connect(st, id, reterr);
    }
    enum store_mark_state state = found == ERR_NOT_FOUND ? STORE_MARK_MISSING : STORE_MARK_DAMAGED;
    if (r == 0 && found == 0) {
        r = store_judge_mark(st, &state);
        if (r < 0) {
            err_set(reterr, r, "%s", st->db.failure.text);
        }
    }
    if (r < 0) {
        return r;
    }
    store_set_mark_state(st, state);
    st->must_probe = store_advance_mark(st) < 0;
    return 0;
}

int store_open(struct store **ret, const struct store_config *config, struct err_info *reterr)
{
    struct store *st = calloc(1, sizeof(*st));
    if (!st) {
        return err_set(reterr, -ENOMEM, "no memory for the store");
    }
    st->clock = config->clock;
    st->random = config->random;
    st->random_ctx = config->random_ctx;
    st->spare_certificates = config->spare_certificates;
    st->dir_fd = st->lock_fd = st->mark_file.fd = -1;
    bool is_full = asprintf(&st->path, "%s/%s", config->dir, STORE_DB_NAME) < 0;
    st->vfs = config->vfs ? strdup(config->vfs) : NULL;
    st->station = strdup(config->station ? config->station : "");
    st->program = strdup(config->program ? config->program : "");
    st->config_digest = config->config_digest ? strdup(config->config_digest) : NULL;

    is_full = is_full || !st->station || !st->program || (config->vfs && !st->vfs) ||
              (config->config_digest && !st->config_digest);
    int r =
        is_full ? err_set(reterr, -ENOMEM, "no memory for the store") : take_lock(st, config->dir, reterr);
    if (r == 0) {
        r = open_with_mark(st, config, reterr);
    }
    if (r < 0) {
        store_close(st);
        return r;
    }
    *ret = st;
    return 0;
}

void store_close(struct store *st)
{
    if (!st) {
        return;
    }
    store_disconnect(st);
    mark_close(&st->mark_file);
    if (st->lock_fd >= 0) {
        close(st->lock_fd); /* gives the lock back; the file stays, since another may wait on it */
    }
    if (st->dir_fd >= 0) {
        close(st->dir_fd);
    }
    free(st->path);
    free(st->vfs);
    free(st->station);
    free(st->program);
    free(st->config_digest);
    free(st);
}
