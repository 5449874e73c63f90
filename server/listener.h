/* SPDX-License-Identifier: Apache-2.0
 *
 * The listening socket: opened by libmilter in the supervisor, before the fork, and shared by
 * all workers of all generations; a process can have one only. Puts right what libmilter does
 * not: an unfriendly stop takes no socket of another program away, accept does not block, small
 * writes do not wait, and no worker that stops removes a unix socket under the others.
 *
 * The supervisor's thread only. Errors name the address.
 */
#ifndef INKAN_SERVER_LISTENER_H
#define INKAN_SERVER_LISTENER_H

#include <sys/types.h>

#include "base/settings.h"
#include "base/sockname.h"

struct listener {
    int fd; /* libmilter's descriptor; -1: closed */
    struct sockname name;
};

/* Opens [server] listen; call-backs must be registered. `group` owns a unix socket, (gid_t)-1:
 * leave it. ST_TEMP when the address is in use (75), ST_INVALID when it cannot be had at all
 * (a missing directory, somebody else's address, no right). */
enum status listener_open(const struct settings *settings, gid_t group, struct listener *out,
                          struct err *err) MUST_CHECK;
/* Closes it here (workers that go on accepting are not affected) and removes the unix socket. */
void listener_close(struct listener *listener);

#endif
