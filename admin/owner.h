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

/* The tenant of a key's domain, valid until the next call. */
enum status owner_tenant(struct owner *owner, const struct key *key, const char **tenant_out,
                         struct err *err) MUST_CHECK;
/* Opens the private key into a secret buffer. */
enum status owner_unseal(struct owner *owner, const struct key *key, struct buf *secret_out,
                         struct err *err) MUST_CHECK;

#endif
