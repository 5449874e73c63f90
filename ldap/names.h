/* SPDX-License-Identifier: Apache-2.0
 *
 * Where new entries go and what they are called, and which records refer to which.
 */
#ifndef INKAN_LDAP_NAMES_H
#define INKAN_LDAP_NAMES_H

#include "ldap/directory.h"

struct names {
    struct buf dn, parent; /* of an entry, and of the one that it refers to */
    struct buf uuid;       /* of an entry that is there, empty if the server gives none */
    struct buf cn;         /* the name of an entry whose key is too long for one, else empty */
};
void names_clear(struct names *names);

/* Those of a new record, in the open transaction. ST_INVALID: what it refers to does not exist. */
enum status names_of_new(struct directory *dir, const struct kind *kind, const void *record,
                         struct names *out, struct err *err) MUST_CHECK;

/* A record as it is stored, and as it is going to be. */
struct names_change {
    const struct kind *kind;
    const void *before, *after;
};
/* Appends the DN of what `after` refers to, if that is another than before. ST_INVALID as above. */
enum status names_new_parent(struct directory *dir, const struct names_change *change,
                             struct buf *out, struct err *err) MUST_CHECK;

/* ST_DENIED: other records refer to this one. */
enum status names_check_unreferred(struct driver_conn *conn, const struct kind *kind,
                                   const void *record, struct err *err) MUST_CHECK;

#endif
