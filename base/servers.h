/* SPDX-License-Identifier: Apache-2.0
 *
 * The name of a server, as settings have it. `host:port`, `[::1]:port` or `/path/of/socket`, each
 * with an optional `:weight` behind, as memcached users write it; or `host[:port]`, `[::1][:port]`.
 * Pure parsing; any thread.
 */
#ifndef INKAN_BASE_SERVERS_H
#define INKAN_BASE_SERVERS_H

#include "base/bytes.h"

enum { SERVERS_HOST_SIZE = 256, SERVERS_WEIGHT_MAX = 1000, SERVERS_MAX = 64 };

struct server_name {
    char host[SERVERS_HOST_SIZE]; /* without brackets; a path when it starts with / */
    uint16_t port;                /* 0 for a path */
    uint32_t weight;              /* 1 to SERVERS_WEIGHT_MAX, 1 when none is given */
};

/* Parses a comma-separated list into *out, which is the caller's to free. ST_INVALID names the
 * entry and what is wrong with it: nothing there, no host, no port, a weight out of range, a path
 * too long for a socket, more than SERVERS_MAX servers. */
enum status servers_parse(struct span list, struct server_name **out, size_t *count_out,
                          struct err *err) MUST_CHECK;

/* Parses host[:port]; without one the port is `port`. ST_INVALID names the text and what is wrong
 * with it: no host, no port where one should be, a blank or a comma. */
enum status servers_parse_host(struct span text, uint16_t port, struct server_name *out,
                               struct err *err) MUST_CHECK;
/* Whether the host is an IP address, and not a name that must be looked up. */
bool servers_is_address(const struct server_name *server);

#endif
