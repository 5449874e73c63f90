/* SPDX-License-Identifier: Apache-2.0
 *
 * One memcached server for storage/shared.c: its pool of connections, and when to leave it alone.
 * A connection belongs to one thread from take to give. Any thread.
 */
#ifndef INKAN_STORAGE_SHARED_SERVER_H
#define INKAN_STORAGE_SHARED_SERVER_H

#include "base/servers.h"

struct memcached_st; /* libmemcached's */
struct shared_server;

/* Connects to nobody yet. NULL: no memory. */
struct shared_server *shared_server_new(const struct server_name *name, size_t connections,
                                        int64_t timeout_ms) MUST_CHECK;
void shared_server_free(struct shared_server *server); /* NULL is fine; all were given back */

/* Makes a handle of libmemcached know the server. False without memory. */
bool shared_server_add(struct memcached_st *memcached, const struct server_name *name) MUST_CHECK;

/* A connection of the caller's own, or NULL: the server is left alone after a fault, or all are
 * busy until the deadline. */
struct memcached_st *shared_server_take(struct shared_server *server,
                                        int64_t deadline_ms) MUST_CHECK;
/* Closes a connection after a fault, so that its next use connects anew, and tells whether
 * another try may do better: not if the server hung. */
bool shared_server_renew(struct memcached_st *conn);
/* Gives it back. Not good: it is closed, and the server is left alone for SHARED_REST_MS. */
void shared_server_give(struct shared_server *server, struct memcached_st *conn, bool good);

#endif
