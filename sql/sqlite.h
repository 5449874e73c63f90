/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver for `sqlite:/path/to/file`: WAL, foreign keys on, deadlines by busy time-out and
 * progress handler. The only home of sqlite3.h.
 */
#ifndef INKAN_SQL_SQLITE_H
#define INKAN_SQL_SQLITE_H

#include "storage/driver.h"

extern const struct driver sqlite_driver;

/* For sql/migrate.c: runs statements without parameters or rows on an open connection, and asks
 * for one integer (0 when there is no row). */
enum status sqlite_execute(struct driver_conn *conn, const char *sql, struct err *err) MUST_CHECK;
enum status sqlite_query_text(struct driver_conn *conn, const char *sql, const char *parameter,
                              struct buf *out, struct err *err) MUST_CHECK;

#endif
