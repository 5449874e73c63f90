/* SPDX-License-Identifier: Apache-2.0
 *
 * The tenant that a server sends along with a domain: its deref overlay follows the domain's
 * inkanTenantEntry within the search. Only where directory.derefs says that the server can.
 */
#ifndef INKAN_LDAP_DEREF_H
#define INKAN_LDAP_DEREF_H

#include "ldap/directory.h"

/* The control that asks for it, for ldap_control_free. ST_TEMP without memory. */
enum status deref_control(struct directory *dir, LDAPControl **out, struct err *err) MUST_CHECK;
/* Reads the tenant that came with a domain's entry into one that is zeroed; it stays so if none
 * came. ST_BROKEN: it cannot be read; what was read of it is the caller's to clear. */
enum status deref_take_tenant(struct directory *dir, LDAPMessage *entry, struct tenant *tenant,
                              struct err *err) MUST_CHECK;

#endif
