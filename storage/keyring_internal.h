/* SPDX-License-Identifier: Apache-2.0
 *
 * What storage/keyring.c (finding signers) and storage/keyring_feed.c (hearing of changes) share.
 * Nobody else includes this.
 */
#ifndef INKAN_STORAGE_KEYRING_INTERNAL_H
#define INKAN_STORAGE_KEYRING_INTERNAL_H

#include "storage/keyring.h"

struct keyring {
    struct store *store;
    struct shared *shared; /* NULL: none */
    const struct vault *vault;
    struct cache *cache;
    int64_t timeout_ms;
    int64_t cursor; /* of the change feed; only the polling thread, as the next */
    bool begun;
    atomic_bool current;               /* the feed was read to its end at least once */
    atomic_llong lent[CACHE_MISS + 1]; /* gets that nobody's message asked for, by their answers */
};

#endif
