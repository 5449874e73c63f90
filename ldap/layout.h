/* SPDX-License-Identifier: Apache-2.0
 *
 * Where things are below the root:
 *
 *     cn=state     the schema's version and the newest position of the change feed
 *     cn=writer    see ldap/transaction.h
 *     cn=tenants   inkanTenantName=T, below it its domains inkanDomainName=D, below each its keys
 *                  inkanKeySelector=S
 *     cn=rules  cn=grants  cn=events  cn=changes  cn=leases
 *
 * cn=rules and cn=grants have a class by which a look-up finds them (ldap/lookup.c).
 *
 * Domains and keys are found by their attributes wherever below the root they stand, so they may
 * as well be entries that were there before and got our auxiliary classes. The places are for
 * what this program makes.
 */
#ifndef INKAN_LDAP_LAYOUT_H
#define INKAN_LDAP_LAYOUT_H

#include "ldap/write.h"

enum layout_place {
    LAYOUT_STATE,
    LAYOUT_WRITER,
    LAYOUT_TENANTS,
    LAYOUT_RULES,
    LAYOUT_GRANTS,
    LAYOUT_EVENTS,
    LAYOUT_CHANGES,
    LAYOUT_LEASES
};

/* Appends the DN of a place. */
void layout_dn(const struct directory *dir, enum layout_place place, struct buf *out);
/* Adds the object classes of an entry: the structural one of all entries, and `auxiliary`. */
enum status layout_classes(struct write *write, const char *auxiliary, struct err *err) MUST_CHECK;

struct layout_numbers {
    int64_t schema, position; /* cn=state */
    int64_t revision, event;  /* cn=writer */
};

/* Reads cn=state and, if `journal` is not NULL, cn=writer as well, whose journal (if any) is put
 * into it. ST_NOT_FOUND: there is no store; ST_DENIED: there is, but cn=writer is not shown to us.
 */
enum status layout_read(struct directory *dir, struct layout_numbers *out, struct buf *journal,
                        struct err *err) MUST_CHECK;
/* Makes what is missing of the places below the root, which must exist, once the server is known to
 * have our newest schema (else ST_BROKEN); cn=state comes last, with that version, so that what is
 * cut short is no store. One that was there before keeps its version; what an older version made
 * gets the classes that it lacks. */
enum status layout_make(struct directory *dir, int version, struct err *err) MUST_CHECK;
/* Sets the version in cn=state, which must be there. */
enum status layout_set_version(struct directory *dir, int version, struct err *err) MUST_CHECK;

#endif
