/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of tables in directories that OpenDKIM's data sets name (storage/foreign.h):
 *
 *   ldap://HOST[:PORT]/BASE?ATTRIBUTE[,ATTRIBUTE...]?SCOPE?FILTER [ldap://HOST[:PORT] ...]
 *
 * and the same with ldaps and ldapi. $d in base and filter is the key, $D the key as
 * dc=example,dc=com. All that follows the first URL says only which other servers there are.
 *
 * A walk asks with (ATTRIBUTE=*) where the filter has (ATTRIBUTE=$d), and each value of the
 * attribute is a key. OpenDKIM takes the name of the entry for the key when it walks, but looks
 * none up by it.
 */
#ifndef INKAN_LDAP_FOREIGN_H
#define INKAN_LDAP_FOREIGN_H

#include "storage/foreign.h"

extern const struct foreign_reader foreign_ldap_reader;

#endif
