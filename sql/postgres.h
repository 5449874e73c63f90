/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver for `postgresql://` URLs over libpq: several hosts, target_session_attrs, TLS and
 * passfile as libpq has them. Every wait is bounded by the deadline of the call; a connection
 * whose call timed out is dropped, because nobody knows what it will still say. Statements go
 * with their parameters apart and leave no state in the session, so that PgBouncer in
 * transaction mode may stand between.
 *
 * Host names are resolved by libpq without a deadline: give addresses, or names that the local
 * resolver knows.
 */
#ifndef INKAN_SQL_POSTGRES_H
#define INKAN_SQL_POSTGRES_H

#include "storage/driver.h"

extern const struct driver postgres_driver;

/* For sql/migrate.c: runs several statements without parameters or rows. */
enum status postgres_execute(struct driver_conn *base, const char *sql, struct err *err) MUST_CHECK;

#endif
