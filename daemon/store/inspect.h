/*
 * A state directory as somebody from outside finds it: a running station's, a stopped one's, or a copy for an
 * auditor. Takes no lock, makes nothing, upgrades nothing and writes nothing that the station would mind
 * (SQLite may make the index of a WAL anew, as the database's owner).
 */
#ifndef CERTLINE_STORE_INSPECT_H
#define CERTLINE_STORE_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/mark.h"
#include "store/read.h"
#include "store/store.h"

struct inspection {
    int version;     /* the tables' */
    bool is_current; /* this program's: what follows is only there then */
    char database[DATABASE_ID_SIZE];
    struct store_chain head; /* the record's end */
    int64_t head_wall_ms;    /* of that event; 0: there is none */
    enum store_mark_state mark_state;
    struct mark mark; /* zeroed with STORE_MARK_MISSING and STORE_MARK_DAMAGED */
};

/*
 * Looks at the database and its mark. 0; ERR_NOT_FOUND: there is no database yet; ERR_NEWER: a newer program
 * wrote it; ERR_CORRUPT, ERR_STORE, -ENOMEM or -errno with *reterr.
 */
int store_inspect(const char *dir, struct inspection *ret, struct err_info *reterr);

/* Has SQLite compare every page and index: seconds for each gigabyte. 0; ERR_CORRUPT with the first thing
 * that is wrong; others as above. */
int store_check_pages(const char *dir, struct err_info *reterr);

#endif
