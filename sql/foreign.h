/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of tables in SQL data bases that OpenDKIM's data sets name (storage/foreign.h):
 *
 *   dsn:BACKEND://[USER[:PASSWORD]@][PORT+]HOST/DATABASE/table=T?keycol=K?datacol=A[,B...][?filter=F]
 *
 * BACKEND is pgsql, sqlite3 or mysql, as OpenDBX calls them. T, K, A and F are pasted into the
 * statement as OpenDKIM does it, so they may be any SQL:
 *
 *   SELECT A,B FROM T WHERE K = 'the key' AND F
 */
#ifndef INKAN_SQL_FOREIGN_H
#define INKAN_SQL_FOREIGN_H

#include "storage/foreign.h"

extern const struct foreign_reader foreign_sql_reader;

#endif
