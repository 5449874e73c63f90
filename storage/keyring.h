/* SPDX-License-Identifier: Apache-2.0
 *
 * The ready signers of a domain: what a session asks for each message. Goes through the cache,
 * memcached if there is one, then the store (one round trip each), and opens what they gave with
 * the vault. Holds the only place where a name is matched to a domain: the author's domain
 * itself, else the nearest parent that exists and allows subdomains.
 *
 * Any thread. Never logs; what went wrong with a key is in the answer.
 */
#ifndef INKAN_STORAGE_KEYRING_H
#define INKAN_STORAGE_KEYRING_H

#include "storage/shared.h"
#include "storage/signers.h"
#include "storage/store.h"

struct keyring_options {
    struct store *store;       /* borrowed */
    struct shared *shared;     /* borrowed; NULL: no memcached */
    const struct vault *vault; /* borrowed */
    struct cache_options cache;
    int64_t timeout_ms; /* of one find, waiting for another thread's look-up included */
};

struct keyring;
enum status keyring_open(const struct keyring_options *options, struct keyring **out,
                         struct err *err) MUST_CHECK;
void keyring_close(struct keyring *keyring);

/* The signers for an author at `domain` (in the one form of dkim/domain.h). ST_OK with a
 * reference in *out, also for a suspended domain or one without a usable key: the caller sees
 * the flags. ST_NOT_FOUND: nobody's domain. ST_TEMP: the store does not answer and nothing
 * stale is left; ST_BROKEN: the store is not usable. */
enum status keyring_find(struct keyring *keyring, const char *domain, struct signers **out,
                         struct err *err) MUST_CHECK;

/* Reads the change feed and drops what changed. To be called about once a second by one
 * thread. After a gap (store away) nothing is lost: the cursor stays. Before the first one
 * worked, nothing is taken from memcached. */
enum status keyring_poll(struct keyring *keyring, struct err *err) MUST_CHECK;
/* Takes in what store_watch has heard, and drops what other programs have changed. To be called by
 * the same thread, when the descriptor is readable and about once a second. */
void keyring_listen(struct keyring *keyring);

void keyring_stats(struct keyring *keyring, struct cache_stats *out);

#endif
