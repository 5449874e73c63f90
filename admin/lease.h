/* SPDX-License-Identifier: Apache-2.0
 *
 * Leases: of many programs that would do the same work over many records, on any host of the
 * cluster, one does it. A lease ends by itself, and on the host of its holder with the holder, so
 * nobody has to clean up behind a program that was killed; it does not keep a holder that was
 * asleep meanwhile from writing, which is what the versions of records are for. Hosts must agree on
 * the time to within a few seconds. One thread.
 */
#ifndef INKAN_ADMIN_LEASE_H
#define INKAN_ADMIN_LEASE_H

#include "storage/store.h"

enum { LEASE_SECONDS = 60 };

struct lease_hold {
    struct store *store; /* borrowed */
    struct lease lease;  /* as it is stored */
};

/* Takes the lease of that name for LEASE_SECONDS. ST_CONFLICT, naming the holder, while another
 * has it. lease_give also after a failure. */
enum status lease_take(struct store *store, const char *name, struct lease_hold *out,
                       struct err *err) MUST_CHECK;
/* To be called every few seconds: takes it for longer when half of the time is over. Who is late
 * keeps it if nobody wanted it meanwhile. ST_CONFLICT: another has it, and the work must stop. */
enum status lease_keep(struct lease_hold *hold, struct err *err) MUST_CHECK;
/* Gives back what is held, if anything, and frees. */
void lease_give(struct lease_hold *hold);

#endif
