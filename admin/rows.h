/* SPDX-License-Identifier: Apache-2.0
 *
 * Many records at once: copies of what a find gives, and a walk over any number of records a
 * page at a time, so that a visitor may use the store in between and no call lasts longer than
 * the store's deadline. One thread.
 */
#ifndef INKAN_ADMIN_ROWS_H
#define INKAN_ADMIN_ROWS_H

#include "storage/store.h"

struct rows {
    const struct kind *kind;
    void *records; /* one after the other */
    size_t count, cap;
    bool enough; /* set by a visitor that wants no further page */
};

/* A driver_row: appends a copy of the record to the struct rows that is `rows`. */
enum status rows_take(void *rows, const void *record, struct err *err) MUST_CHECK;
void *rows_at(const struct rows *rows, size_t index);
void rows_clear(struct rows *rows);

/* A further filter of a query; the field must be one of the query's kind. */
void rows_where_text(struct query *query, const char *field, const char *text);
void rows_where_number(struct query *query, const char *field, int64_t number);
/* The time is set, and not after this. */
void rows_where_until(struct query *query, const char *field, int64_t time_s);

/* Called with each page. The records are cleared afterwards; the visitor may change them, but
 * for their key. Anything but ST_OK ends the walk with that status. */
typedef enum status rows_visitor(void *arg, struct rows *page, struct err *err);
/* Visits all that the query finds, query->limit records a page (0: 500). */
enum status rows_walk(struct store *store, const struct query *query, rows_visitor *visit,
                      void *arg, struct err *err) MUST_CHECK;
/* How many records the query finds. */
enum status rows_count(struct store *store, const struct query *query, int64_t *count_out,
                       struct err *err) MUST_CHECK;

#endif
