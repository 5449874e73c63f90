/* SPDX-License-Identifier: Apache-2.0
 *
 * All records of a kind, one after the other in the order of their keys, read a page at a time:
 * what rows_walk is for one walk, for code that walks two stores or two kinds side by side. One
 * thread.
 */
#ifndef INKAN_ADMIN_CURSOR_H
#define INKAN_ADMIN_CURSOR_H

#include "admin/rows.h"

struct cursor {
    struct store *store; /* borrowed */
    struct query query;  /* may get filters before the first cursor_peek */
    struct rows page, last;
    size_t at;
    bool ended;
};

void cursor_init(struct cursor *cursor, struct store *store, const struct kind *kind);
void cursor_clear(struct cursor *cursor);

/* The record the cursor is at, the cursor's until cursor_next; NULL behind the last one.
 * ST_BROKEN when the store does not keep the order. */
enum status cursor_peek(struct cursor *cursor, void **record_out, struct err *err) MUST_CHECK;
void cursor_next(struct cursor *cursor);

#endif
