/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/dns.h"

enum status dns_slots_add(const struct delegation_slot *slot, struct rows *keys, struct err *err)
{
    char selector[DELEGATION_SELECTOR_SIZE], target[DKIM_DOMAIN_SIZE];
    delegation_selector(slot->algorithm, slot->number, selector);
    delegation_target(slot->delegation, selector, target);
    const struct key key = {.domain = (char *)(uintptr_t)slot->domain, /* is copied */
                            .selector = selector,
                            .target = target,
                            .algorithm = slot->algorithm,
                            .state = KEY_DESTROYED};
    return rows_take(keys, &key, err);
}

enum status dns_slots_alias(const struct key *key, struct record *out, struct err *err)
{
    const struct records_key slot = {
        .domain = key->domain, .selector = key->selector, .target = key->target};
    return records_of_alias(&slot, out, err);
}
