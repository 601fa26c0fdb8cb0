/*
 * The mark is read before the database: a station at work brings the database on first and the mark after it,
 * so that what is seen of the database can only be as far as the mark or further.
 */
#include "store/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/migrate.h"
#include "store/sql.h"

enum statement {
    S_ID,
    S_HEAD,
    S_HASH,
    S_PAGES,
    STATEMENTS,
};

static const char *const texts[STATEMENTS] = {
    [S_ID] = "SELECT value FROM meta WHERE key = 'database'",
    [S_HEAD] = "SELECT seq, hash, at FROM event ORDER BY seq DESC LIMIT 1",
    [S_HASH] = "SELECT hash FROM event WHERE seq = ?1",
    [S_PAGES] = "PRAGMA quick_check(1)",
};

/* Opens the database for reading, with its statements when it is of this program's version. sql_close in any
 * case. */
static int open_database(const char *dir, struct sql *db, int64_t *ret_version, struct err_info *reterr)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, STORE_DB_NAME) < 0) {
        return err_set(reterr, -ENOMEM, "no memory");
    }
    int r = access(path, R_OK) == 0 ? 0 : errno == ENOENT ? ERR_NOT_FOUND : -errno;
    if (r < 0) {
        err_set(reterr, r, "%s cannot be read: %s", path, err_text(r));
    } else {
        r = sql_open(db, path, NULL, true, reterr);
    }
    free(path);
    if (r < 0) {
        return r;
    }
    r = sql_exec(db, "PRAGMA busy_timeout = 2000; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY");
    r = r < 0 ? r : sql_exec_i64(db, "PRAGMA user_version", 0, ret_version);
    if (r == 0 && *ret_version > STORE_VERSION) {
        return err_set(reterr, ERR_NEWER,
                       "a newer program wrote the database (version %d; this one knows %d)",
                       (int)*ret_version, STORE_VERSION);
    }
    r = r == 0 && *ret_version == STORE_VERSION ? sql_prepare(db, texts, STATEMENTS, NULL) : r;
    return r < 0 ? err_set(reterr, r, "%s", db->failure.code ? db->failure.text : err_text(r)) : 0;
}

static int read_id(struct sql *db, struct inspection *ret)
{
    struct query q = sql_start(db, S_ID);
    int r = sql_step(&q);
    if (r > 0) {
        sql_copy(&q, 0, ret->database, sizeof(ret->database));
    }
    sql_end(&q);
    return r == 0 ? ERR_CORRUPT : r < 0 ? r : 0;
}

static int read_head(struct sql *db, struct inspection *ret)
{
    struct query q = sql_start(db, S_HEAD);
    int r = sql_step(&q);
    if (r > 0) {
        ret->head.seq = sql_i64(&q, 0);
        bool is_whole = sql_digest(&q, 1, &ret->head.hash);
        r = is_whole && clock_parse_rfc3339(sql_text(&q, 2), &ret->head_wall_ms) == 0 ? 0 : ERR_CORRUPT;
    }
    sql_end(&q);
    return r;
}

/* As the station judges it when it opens. */
static int judge_mark(struct sql *db, struct inspection *ret)
{
    if (strcmp(ret->mark.database, ret->database) != 0) {
        ret->mark_state = STORE_MARK_OTHER;
        return 0;
    }
    if (ret->mark.seq == 0) {
        ret->mark_state = STORE_MARK_GOOD;
        return 0;
    }
    struct query q = sql_start(db, S_HASH);
    struct digest hash;
    sql_put_i64(&q, ret->mark.seq);
    int r = sql_step(&q);
    bool is_there = r > 0 && sql_digest(&q, 0, &hash) && digest_eq(&hash, &ret->mark.hash);
    sql_end(&q);
    ret->mark_state = is_there ? STORE_MARK_GOOD : STORE_MARK_BEHIND;
    return r < 0 ? r : 0;
}

static int look(struct sql *db, int mark_found, struct inspection *ret)
{
    int r = sql_exec(db, "BEGIN"); /* one moment of it */
    r = r < 0 ? r : read_id(db, ret);
    r = r < 0 ? r : read_head(db, ret);
    if (r == 0 && mark_found == 0) {
        r = judge_mark(db, ret);
    } else if (r == 0) {
        ret->mark_state = mark_found == ERR_NOT_FOUND ? STORE_MARK_MISSING : STORE_MARK_DAMAGED;
    }
    return r;
}

static int find_mark(const char *dir, struct mark *ret, struct err_info *reterr)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? -errno : mark_look(fd, ret);
    if (fd >= 0) {
        close(fd);
    }
    if (r < 0 && r != ERR_NOT_FOUND && r != ERR_CORRUPT) {
        err_set(reterr, r, "%s cannot be read: %s", dir, err_text(r));
    }
    return r;
}

int store_inspect(const char *dir, struct inspection *ret, struct err_info *reterr)
{
    struct inspection found = {0};
    int mark_found = find_mark(dir, &found.mark, reterr);
    if (mark_found < 0 && mark_found != ERR_NOT_FOUND && mark_found != ERR_CORRUPT) {
        return mark_found == -ENOENT ? ERR_NOT_FOUND : mark_found;
    }
    struct sql db = {0};
    int64_t version = 0;
    int r = open_database(dir, &db, &version, reterr);
    found.version = (int)version;
    found.is_current = version == STORE_VERSION;
    if (r == 0 && found.is_current) {
        r = look(&db, mark_found, &found);
        if (r < 0) {
            err_set(reterr, r, "%s", db.failure.code ? db.failure.text : "the database has no identity");
        }
    }
    sql_close(&db);
    if (r == 0) {
        *ret = found;
    }
    return r;
}

int store_check_pages(const char *dir, struct err_info *reterr)
{
    struct sql db = {0};
    int64_t version = 0;
    int r = open_database(dir, &db, &version, reterr);
    if (r == 0 && version == STORE_VERSION) {
        struct query q = sql_start(&db, S_PAGES);
        r = sql_step(&q);
        if (r > 0) {
            r = strcmp(sql_text(&q, 0), "ok") == 0 ? 0 : err_set(reterr, ERR_CORRUPT, "%s", sql_text(&q, 0));
        } else if (r < 0) {
            err_set(reterr, r, "%s", db.failure.text);
        }
        sql_end(&q);
    }
    sql_close(&db);
    return r;
}
