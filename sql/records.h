/* SPDX-License-Identifier: Apache-2.0
 *
 * Records over any SQL data base: the driver calls that are the same for all of them. A driver
 * brings a connection that can run one statement; these functions stand in its struct driver
 * as they are.
 */
#ifndef INKAN_SQL_RECORDS_H
#define INKAN_SQL_RECORDS_H

#include "sql/statement.h"

/* Called once a row. */
typedef enum status sql_row_reader(void *arg, const struct sql_row *row, struct err *err);

/* A SQL driver's connection starts with this. */
enum { SQL_HISTORY = 10000 }; /* rows of the change feed */

struct sql_conn {
    struct driver_conn base;
    /* Runs a statement by the connection's deadline and clears it; `read` NULL ignores rows.
     * Sets `changed`. */
    enum status (*run)(struct sql_conn *conn, struct sql_statement *statement, sql_row_reader *read,
                       void *arg, struct err *err);
    int64_t changed; /* rows that the last statement changed */
};

enum status sql_record_get(struct driver_conn *conn, const struct kind *kind, void *record,
                           struct err *err) MUST_CHECK;
enum status sql_record_find(struct driver_conn *conn, const struct query *query, driver_row *row,
                            void *arg, struct err *err) MUST_CHECK;
enum status sql_record_put(struct driver_conn *conn, const struct kind *kind, void *record,
                           struct err *err) MUST_CHECK;
/* One by one, for a data base to which a statement is not a journey. */
enum status sql_record_add(struct driver_conn *conn, const struct kind *kind, void *const *records,
                           size_t count, struct err *err) MUST_CHECK;
/* Queues up behind the transaction in question, which holds its place among the writers of the
 * change feed until its end. */
enum status sql_record_fence(struct driver_conn *conn, struct err *err);
/* The newest audit event, for a data base whose transactions have their turn when they begin. */
enum status sql_record_turn(struct driver_conn *conn, struct event *newest_out,
                            struct err *err) MUST_CHECK;
enum status sql_record_del(struct driver_conn *conn, const struct kind *kind, const void *record,
                           struct err *err) MUST_CHECK;
enum status sql_record_lookup(struct driver_conn *conn, const char *const *names, size_t count,
                              struct profile *profiles, struct err *err) MUST_CHECK;
/* The same by the data base's function: for one that would plan the statement each time. */
enum status sql_record_lookup_call(struct driver_conn *conn, const char *const *names, size_t count,
                                   struct profile *profiles, struct err *err) MUST_CHECK;
enum status sql_record_changes(struct driver_conn *conn, const struct change_query *query,
                               driver_row *row, void *arg, struct err *err) MUST_CHECK;

/* Runs a fixed text with at most one text parameter and appends the first column of the last
 * row to `out` (NULL: no rows expected). */
enum status sql_query_text(struct driver_conn *conn, const char *text, const char *parameter,
                           struct buf *out, struct err *err) MUST_CHECK;

/* The newest migration applied, 0 if `exists` (a count) finds no table of migrations. */
enum status sql_schema_version(struct driver_conn *conn, const char *exists, int *version_out,
                               struct err *err) MUST_CHECK;

#endif
