/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenDKIM's lists of hosts (InternalHosts, PeerList, ExternalIgnoreList): a client is in if its
 * name or its address is, and each is a matter of text. For the name and each of its parents with
 * a dot before it, then for the address and its networks from the longest prefix to /0, the list
 * is asked for the text with `!` before it, which ends the question with no, and then for the text
 * itself, which ends it with yes. So an exception by name excepts nobody who is in by address,
 * networks with host bits set match nobody, and in a refile: no pattern that begins with `*` lets
 * anybody in, because it matches the exception first.
 *
 * One thread where the list is a foreign data set, else any.
 */
#ifndef INKAN_OPENDKIM_PEERS_H
#define INKAN_OPENDKIM_PEERS_H

#include <sys/socket.h>

#include "opendkim/table.h"

/* By name; "" is in no list. `why` (may be NULL) gets the place of the last entry that was found,
 * which is the one that decided. */
bool peers_contain_name(const struct table *list, const char *name, struct table_found *why);
/* By address: AF_INET and AF_INET6, nobody else is in. */
bool peers_contain_address(const struct table *list, const struct sockaddr *address,
                           struct table_found *why);

/* Appends the list in the form of base/hosts.h, entries with ", " between, with a note for each
 * entry that cannot be taken over or means something else there. An entry that never matched
 * anybody is left out, except for `*.domain`, which becomes `.domain` as it was surely meant. A
 * foreign list is loaded. ST_TEMP without memory, and what a source says. */
enum status peers_translate(struct table *list, struct buf *out, struct err *err) MUST_CHECK;

#endif
