/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking whether DNS shows the records of keys, many at a time. One thread calls; the looks
 * themselves are made on several.
 */
#ifndef INKAN_ADMIN_PROOFS_H
#define INKAN_ADMIN_PROOFS_H

#include "admin/keys.h"
#include "admin/progress.h"
#include "dns/proof.h"

struct proofs {
    struct resolver *resolver;
    struct zone_look look;
    int64_t timeout_ms; /* of one look */
};
/* By the settings. Faults are those of admin_settings and resolver_open. */
enum status proofs_open(struct admin *admin, struct proofs *out, struct err *err) MUST_CHECK;
void proofs_close(struct proofs *proofs); /* a zeroed one is fine */

/* A key, what DNS is to show for it, and what it shows. */
struct proofs_item {
    const struct key *key;
    bool alias; /* only that its name is an alias of its target is wanted */
    struct record record;
    struct witness_wanted wanted;
    struct proof proof;
    enum status status; /* of the look: a fault of this program or the machine, not of DNS */
    struct err err;
};
/* Fills all but `key` and `alias` of each item. The progress gets a step an item; NULL is none. The
 * status is that of the first item that has one. Clear each with proofs_clear also after a failure.
 */
enum status proofs_make(const struct proofs *proofs, struct proofs_item *items, size_t count,
                        struct progress *progress, struct err *err) MUST_CHECK;
void proofs_clear(struct proofs_item *item);
/* What was seen, as a key's record has it. */
enum key_shown proofs_shown(const struct proofs_item *item);

#endif
