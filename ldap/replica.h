/* SPDX-License-Identifier: Apache-2.0
 *
 * Replicas that only read, and refer who wants to change something to the server that they have
 * their entries from (slapd's olcUpdateref).
 */
#ifndef INKAN_LDAP_REPLICA_H
#define INKAN_LDAP_REPLICA_H

#include "ldap/directory.h"

/* With ldap.referrals: if the server refers who wants to change the root to another, the directory
 * is that other server from now on, and not only for what changes something: a replica may lag
 * behind, and who changes something has to see what the command before it did. */
enum status replica_leave(struct directory *dir, struct err *err) MUST_CHECK;

#endif
