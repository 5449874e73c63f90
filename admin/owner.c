/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/owner.h"

#include <string.h>

void owner_clear(struct owner *owner)
{
    kind_clear(&kind_domain, &owner->domain);
}

static enum status look_up(struct owner *owner, const char *name, struct err *err)
{
    if (owner->domain.name != NULL && strcmp(owner->domain.name, name) == 0)
        return ST_OK;
    owner_clear(owner);
    enum status status = store_domain(owner->store, name, &owner->domain, err);
    if (status != ST_OK)
        owner_clear(owner);
    return status;
}

enum status owner_unseal(struct owner *owner, const struct key *key, struct buf *secret_out,
                         struct err *err)
{
    enum status status = look_up(owner, key->domain, err);
    if (status != ST_OK)
        return status;
    return vault_unseal_key(owner->vault, owner->domain.tenant, key, secret_out, err);
}
