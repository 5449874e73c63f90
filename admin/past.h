/* SPDX-License-Identifier: Apache-2.0
 *
 * What the audit log knows of keys that are no longer in the store, because their domain was
 * removed. A selector is never used again for another key: mail that the old key signed may still
 * be on its way, and its record in caches. One thread.
 */
#ifndef INKAN_ADMIN_PAST_H
#define INKAN_ADMIN_PAST_H

#include "storage/store.h"

/* A key that is to be added. */
struct past_key {
    const char *domain, *selector; /* in the one form */
    struct span public_key;        /* as p= has it before base64; empty: it is not made yet */
};

/* Whether the log tells of another key with that domain and selector; the very same key may come
 * back. Outside of a transaction, and in one. */
enum status past_used(struct store *store, const struct past_key *key, bool *used_out,
                      struct err *err) MUST_CHECK;
enum status past_used_tx(struct store_tx *tx, const struct past_key *key, bool *used_out,
                         struct err *err) MUST_CHECK;
/* ST_CONFLICT, with the sentence. */
enum status past_refuse(const struct past_key *key, struct err *err);

#endif
