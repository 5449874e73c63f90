/* SPDX-License-Identifier: Apache-2.0
 *
 * Private keys of the store, opened: their envelopes are bound to the domain's tenant, which is
 * looked up here. Keys come in the order of their domains, so the last owner is remembered.
 */
#ifndef INKAN_ADMIN_OWNER_H
#define INKAN_ADMIN_OWNER_H

#include "storage/store.h"
#include "storage/vault.h"

struct owner {
    struct store *store;       /* borrowed */
    const struct vault *vault; /* borrowed */
    struct domain domain;      /* the one last looked up */
};
void owner_clear(struct owner *owner);

/* Opens the private key into a secret buffer; `domain` is then the key's. ST_BROKEN when it does
 * not open. */
enum status owner_unseal(struct owner *owner, const struct key *key, struct buf *secret_out,
                         struct err *err) MUST_CHECK;

#endif
