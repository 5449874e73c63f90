/* SPDX-License-Identifier: Apache-2.0
 *
 * The change-feed rows of one transaction: gathered as records change, each name once, and
 * written last of all before the commit. Writers that overlap then wait for each other only
 * from there on: a data base that numbers rows before they commit must let one writer in at a
 * time, or a reader would skip the rows of the slower one. Only storage/store_tx.c uses it.
 */
#ifndef INKAN_STORAGE_FEED_H
#define INKAN_STORAGE_FEED_H

#include "storage/driver.h"

struct feed_row;

struct feed {
    struct feed_row *rows; /* in the order of their first change */
};

/* Remembers whose cached profiles a changed record makes out of date. */
enum status feed_note(struct feed *feed, const struct kind *kind, const void *record,
                      struct err *err) MUST_CHECK;
enum status feed_write(const struct feed *feed, struct driver_conn *conn,
                       struct err *err) MUST_CHECK;
void feed_clear(struct feed *feed);

#endif
