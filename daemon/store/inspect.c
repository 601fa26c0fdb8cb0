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

#include "store/internal.h"
#include "store/migrate.h"

/* Opens the database for reading, with statements when it is of this program's version. sql_close in any
 * case. */
static int open_database(const char *dir, struct sql *db, const char *const *texts, size_t n,
                         int64_t *ret_version, struct err_info *reterr)
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
    r = sql_exec_i64(db, "PRAGMA user_version", 0, ret_version);
    if (r == 0 && *ret_version > STORE_VERSION) {
        return err_set(reterr, ERR_NEWER,
                       "a newer program wrote the database (version %d; this one knows %d)",
                       (int)*ret_version, STORE_VERSION);
    }
    r = r == 0 && *ret_version == STORE_VERSION ? sql_prepare(db, texts, n, NULL) : r;
    return r < 0 ? err_set(reterr, r, "%s", db->failure.code ? db->failure.text : err_text(r)) : 0;
}

/* As the station itself looks when it opens. */
static int look(struct store *st, int mark_found, struct inspection *ret)
{
    int r = sql_exec(&st->db, "BEGIN"); /* one moment of it */
    r = r < 0 ? r : meta_get(st, "database", ret->database, sizeof(ret->database));
    r = r < 0 ? r : event_read_head(st);
    if (r < 0) {
        return r;
    }
    ret->head = (struct store_chain){.seq = st->head.seq, .hash = st->head.hash};
    ret->head_wall_ms = st->head.wall_ms;
    if (mark_found < 0) {
        ret->mark_state = mark_found == ERR_NOT_FOUND ? STORE_MARK_MISSING : STORE_MARK_DAMAGED;
        return 0;
    }
    memcpy(st->database, ret->database, sizeof(st->database));
    st->mark = ret->mark;
    return store_judge_mark(st, &ret->mark_state);
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
    struct store st = {0}; /* a reader's: its connection, and what the station remembers of a look */
    int64_t version = 0;
    int r = open_database(dir, &st.db, statement_texts, STATEMENTS, &version, reterr);
    found.version = (int)version;
    found.is_current = version == STORE_VERSION;
    if (r == 0 && found.is_current) {
        r = look(&st, mark_found, &found);
        if (r < 0) {
            err_set(reterr, r, "%s",
                    st.db.failure.code ? st.db.failure.text : "the database has no identity");
        }
    }
    sql_close(&st.db);
    if (r == 0) {
        *ret = found;
    }
    return r;
}

int store_check_pages(const char *dir, struct err_info *reterr)
{
    static const char *const check[] = {"PRAGMA quick_check(1)"};
    struct sql db = {0};
    int64_t version = 0;
    int r = open_database(dir, &db, check, 1, &version, reterr);
    if (r == 0 && version == STORE_VERSION) {
        struct query q = sql_start(&db, 0);
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
