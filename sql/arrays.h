/* SPDX-License-Identifier: Apache-2.0
 *
 * Many records in one statement of PostgreSQL: one array a column, which the server makes rows of
 * again. One text serves any number of rows, and is parsed and planned once for all of them. COPY
 * would be another way, but knows neither row-level security nor the numbers that were given.
 */
#ifndef INKAN_SQL_ARRAYS_H
#define INKAN_SQL_ARRAYS_H

#include "sql/records.h"

/* See struct driver. */
enum status sql_arrays_add(struct driver_conn *conn, const struct kind *kind, void *const *records,
                           size_t count, struct err *err) MUST_CHECK;

#endif
