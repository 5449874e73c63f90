/* SPDX-License-Identifier: Apache-2.0
 *
 * A store's records into another store, unchanged: `inkan store copy`. The target afterwards
 * equals the source but for versions, numbers of events and one audit event that tells of the
 * copy. It may be new, or hold what an earlier copy put there; anything else in it is refused, so
 * nothing is ever overwritten, and a copy that was killed goes on when started again. Private
 * keys stay sealed as they are: the keyring goes along by other ways. One thread.
 */
#ifndef INKAN_ADMIN_COPY_H
#define INKAN_ADMIN_COPY_H

#include "admin/progress.h"
#include "storage/store.h"
#include "storage/vault.h"

enum { COPY_KINDS_MAX = 8 };

struct copy {
    struct store *source, *target; /* set by the caller, as is what follows */
    const struct vault *vault;     /* seals what the source has in the open; NULL: nothing */
    const char *actor;             /* for the audit event */
    bool dry_run;                  /* compares only */
    struct progress *progress;     /* a step a record */
    struct copy_count {
        const struct kind *kind;
        int64_t copied, present; /* present: equal in the target before */
    } counts[COPY_KINDS_MAX];
    size_t count;
    bool recorded; /* the target's last event tells of a copy */
};

/* Copies what is missing, some hundreds of records a transaction. ST_CONFLICT names a record that
 * is another in the target, or only there; faults of either store. */
enum status copy_run(struct copy *copy, struct err *err) MUST_CHECK;
/* Walks both stores and compares every record. ST_CONFLICT names the first that differs. */
enum status copy_verify(struct copy *copy, struct err *err) MUST_CHECK;
/* Writes the audit event, unless nothing was copied and there is one. */
enum status copy_record(struct copy *copy, struct err *err) MUST_CHECK;

#endif
