/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver for `sqlite:/path/to/file`: WAL, foreign keys on, deadlines by busy time-out and
 * progress handler. The only home of sqlite3.h.
 */
#ifndef INKAN_SQL_SQLITE_H
#define INKAN_SQL_SQLITE_H

#include "storage/driver.h"

extern const struct driver sqlite_driver;

/* For sql/migrate.c: runs statements without parameters or rows on an open connection. */
enum status sqlite_execute(struct driver_conn *base, const char *sql, struct err *err) MUST_CHECK;

#endif
