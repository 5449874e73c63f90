/* SPDX-License-Identifier: Apache-2.0
 *
 * The entry of a record: found by the attributes of its primary key, wherever below the root it
 * stands, or in the open transaction.
 */
#ifndef INKAN_LDAP_LOCATE_H
#define INKAN_LDAP_LOCATE_H

#include "ldap/directory.h"

/* What is wanted: NULL: not that. */
struct locate_found {
    void *record;     /* a zeroed one to fill */
    struct buf *dn;   /* of the entry, after the moves of the open transaction; appended */
    struct buf *uuid; /* its entryUUID, appended if the server gives one */
};

/* Finds the record with the primary key of `key`. ST_NOT_FOUND: there is none; ST_BROKEN:
 * there are two. */
enum status locate_record(struct directory *dir, const struct kind *kind, const void *key,
                          struct locate_found found, struct err *err) MUST_CHECK;
/* Appends the DN of its entry as the directory has it now, whatever the open transaction is going
 * to do. */
enum status locate_stored(struct directory *dir, const struct kind *kind, const void *key,
                          struct buf *dn_out, struct err *err) MUST_CHECK;
/* The same as the first by the one text of its primary key, field `name`, and for the DN alone. */
enum status locate_named(struct directory *dir, const struct kind *kind, const char *name,
                         struct buf *dn_out, struct err *err) MUST_CHECK;

#endif
