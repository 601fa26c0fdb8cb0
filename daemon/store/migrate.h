/* Making the tables, and bringing older ones to today's version. */
#ifndef CERTLINE_STORE_MIGRATE_H
#define CERTLINE_STORE_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>

#include "store/sql.h"

#define STORE_VERSION 4 /* schema.sql's user_version */

/* From one version to the next: statements run in one transaction, which then sets user_version = from + 1.
 * Foreign keys are off meanwhile and checked before the commit. */
struct migration {
    int from;
    const char *sql;
};

/*
 * Brings the database from its user_version to `version` by the rows of `table`, each in a transaction of its
 * own, so that a kill at any statement leaves one version or the other. ERR_NEWER when it is newer than
 * `version`; ERR_CORRUPT when no row leads on or a foreign key dangles afterwards; ERR_STORE.
 */
int migrate_by(struct sql *db, const struct migration *table, size_t n, int version, struct err_info *reterr);

/* migrate_by with the rows of this program. */
int migrate(struct sql *db, struct err_info *reterr);

/* 1: the file holds no table at all; 0; negative. */
int migrate_is_empty(struct sql *db);

#endif
