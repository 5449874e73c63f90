/* SPDX-License-Identifier: Apache-2.0
 *
 * What an older schema version left otherwise than this one has it, brought in line entry by entry,
 * as migrations/sqlite/0004_life.sql and its like do it for SQL stores.
 */
#ifndef INKAN_LDAP_UPGRADE_H
#define INKAN_LDAP_UPGRADE_H

#include "ldap/directory.h"

/* Changes what was made with version migration->before, if that is older, and leaves the version in
 * cn=state to the caller: what is cut short is begun again, and passes over what is done. Each
 * entry has migration->timeout_ms. ST_DENIED: the account may not change one of them. */
enum status upgrade_records(struct directory *dir, const struct driver_migration *migration,
                            struct err *err) MUST_CHECK;

#endif
