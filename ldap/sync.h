/* SPDX-License-Identifier: Apache-2.0
 *
 * Content synchronisation (RFC 4533), as far as hearing of changes needs it: the control that a
 * search is sent with, and what the messages that answer it say. It sends and waits for nothing.
 */
#ifndef INKAN_LDAP_SYNC_H
#define INKAN_LDAP_SYNC_H

#include <ldap.h>

#include "base/bytes.h"

/* The control that makes a search tell of what was changed since `cookie` and go on telling (2.2,
 * refreshAndPersist), critical. For the caller to free with ldap_control_free. */
enum status sync_request(struct span cookie, LDAPControl **out, struct err *err) MUST_CHECK;

/* What an entry is sent for: LDAP_SYNC_PRESENT, _ADD, _MODIFY or _DELETE (2.3); -1: it does not
 * say. */
int sync_state(LDAP *ld, LDAPMessage *entry);

/* Whether an intermediate message says that entries are gone without their names (2.5): by their
 * UUIDs, or as those that were not said to be present (3.3.2). */
bool sync_hides_removals(LDAP *ld, LDAPMessage *message);

#endif
