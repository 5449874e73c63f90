/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/owner.h"

#include <string.h>

void owner_clear(struct owner *owner)
{
    kind_clear(&kind_domain, &owner->domain);
}

enum status owner_tenant(struct owner *owner, const struct key *key, const char **tenant_out,
                         struct err *err)
{
    enum status status = ST_OK;
    if (owner->domain.name == NULL || strcmp(owner->domain.name, key->domain) != 0) {
        owner_clear(owner);
        status = store_domain(owner->store, key->domain, &owner->domain, err);
    }
    if (status != ST_OK)
        owner_clear(owner);
    *tenant_out = owner->domain.tenant;
    return status;
}

enum status owner_unseal(struct owner *owner, const struct key *key, struct buf *secret_out,
                         struct err *err)
{
    const char *tenant;
    enum status status = owner_tenant(owner, key, &tenant, err);
    return status == ST_OK ? vault_unseal_key(owner->vault, tenant, key, secret_out, err) : status;
}
