/* SPDX-License-Identifier: Apache-2.0
 *
 * `watch` and `watched` of the driver interface (storage/driver.h) for a directory, in which other
 * programs may change domains and keys beside our change feed. A server with content
 * synchronisation (RFC 4533, slapo-syncprov) tells of each change and removal as it happens. Of
 * another, entries that are newer are asked for every second (ldap/newer.h); it cannot tell of
 * removals, which are then noticed when what is cached runs out of its time (cache.ttl).
 */
#ifndef INKAN_LDAP_WATCH_H
#define INKAN_LDAP_WATCH_H

#include "ldap/directory.h"

enum status watch_begin(struct driver_conn *conn, int *fd_out, struct err *err);
enum status watch_take(struct driver_conn *conn, driver_row *row, void *arg, struct err *err);
void watch_end(struct directory *dir);

#endif
