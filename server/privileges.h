/* SPDX-License-Identifier: Apache-2.0
 *
 * The user and group that workers run as. Names are looked up in the supervisor, so that a wrong
 * one is found before anything starts; each worker drops what root may for itself, for good.
 */
#ifndef INKAN_SERVER_PRIVILEGES_H
#define INKAN_SERVER_PRIVILEGES_H

#include <sys/types.h>

#include "base/settings.h"

struct privileges {
    bool drop;        /* false: stay who we are */
    const char *user; /* of the settings, for the supplementary groups; "" without one */
    uid_t uid;
    gid_t gid;
    gid_t socket_group; /* owner of a unix socket; (gid_t)-1: leave it */
};

/* Looks up [server] user and group. ST_INVALID for a name that does not exist. Without root
 * there is nothing to drop and `drop` is false. */
enum status privileges_find(const struct settings *settings, struct privileges *out,
                            struct err *err) MUST_CHECK;
/* Drops and verifies it: groups, group, user, and that nothing brings root back. Afterwards the
 * process gains no privileges from files it runs, and leaves no core and no trace to debuggers.
 * ST_BROKEN when any of it fails: the process must end then. */
enum status privileges_drop(const struct privileges *privileges, struct err *err) MUST_CHECK;
/* Neither core dumps nor debuggers: keys are in this memory. Part of privileges_drop, and what
 * the supervisor does for itself. */
enum status privileges_hide_memory(struct err *err) MUST_CHECK;

#endif
