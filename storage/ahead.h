/* SPDX-License-Identifier: Apache-2.0
 *
 * What a transaction over many records reads at once, and adds at once: one question to the data
 * base for some dozens of records in place of one for each. Records are read by what they belong
 * to: tenants and domains by their names, keys and rules by their domains, audit events of keys by
 * the names of the keys. Whoever asks for records of such a group is answered from memory, also
 * with those that are to be added and are not in the data base yet.
 *
 * Only storage/store_tx.c and storage/audit.c use it.
 */
#ifndef INKAN_STORAGE_AHEAD_H
#define INKAN_STORAGE_AHEAD_H

#include "storage/driver.h"

struct ahead_group;

/* Begins zeroed. */
struct ahead {
    struct ahead_group *groups;
    size_t pending; /* records to be added */
};

/* Reads the groups of those names; ones that were read before are as they are. ST_INVALID for a
 * kind that has no groups. */
struct ahead_wanted {
    const struct kind *kind;
    const char *const *names;
    size_t count;
};
enum status ahead_read(struct ahead *ahead, struct driver_conn *conn,
                       const struct ahead_wanted *wanted, struct err *err) MUST_CHECK;

/* The driver's calls of these names: from memory where the group is known, else from the data base.
 */
enum status ahead_get(const struct ahead *ahead, struct driver_conn *conn, const struct kind *kind,
                      void *record, struct err *err) MUST_CHECK;
/* A new record of a known group waits for ahead_write, which tells whether others have written it
 * meanwhile. Anything else is done at once, behind what waits. */
enum status ahead_put(struct ahead *ahead, struct driver_conn *conn, const struct kind *kind,
                      void *record, struct err *err) MUST_CHECK;
enum status ahead_del(struct ahead *ahead, struct driver_conn *conn, const struct kind *kind,
                      const void *record, struct err *err) MUST_CHECK;
/* The known group that holds all that a query asks for, or NULL; and what the query gives of it, in
 * the order in which it was read and added. */
const struct ahead_group *ahead_find(const struct ahead *ahead, const struct query *query);
enum status ahead_each(const struct ahead_group *group, const struct query *query, driver_row *row,
                       void *arg, struct err *err) MUST_CHECK;

/* Adds what is to be added. */
enum status ahead_write(struct ahead *ahead, struct driver_conn *conn, struct err *err) MUST_CHECK;
void ahead_clear(struct ahead *ahead);

#endif
