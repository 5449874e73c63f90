/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries that the open transaction gives another parent: domains that go to another tenant, with
 * their keys below them. Moves are done before all other writes, at most one of each entry, and all
 * other writes name the DN that an entry has afterwards. So a journal that was cut short can be
 * done from its beginning again: none of its writes looks for an entry where it no longer is.
 */
#ifndef INKAN_LDAP_MOVES_H
#define INKAN_LDAP_MOVES_H

#include "ldap/transaction.h"

struct moves_place {
    struct span rdn, parent;
};
/* The entry with `dn`, for which there is a write already, goes to that place; *dn becomes its new
 * DN. */
enum status moves_add(struct transaction *tx, struct buf *dn, const struct moves_place *place,
                      struct err *err) MUST_CHECK;
/* Makes the DN that an entry of the directory has that which it is going to have. */
enum status moves_apply(const struct directory *dir, struct buf *dn, struct err *err) MUST_CHECK;

#endif
