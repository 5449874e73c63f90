/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "admin/dns.h"

static bool goes_on(const struct dns_slots *slots, const struct key *key)
{
    return key != NULL && slots->algorithm == key->algorithm &&
           strcmp(slots->domain, key->domain) == 0;
}

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

static enum status end(const struct dns_slots *slots, struct rows *missing, struct err *err)
{
    enum status status = ST_OK;
    for (int i = 0; status == ST_OK && i < DELEGATION_SLOTS; i++) {
        const struct delegation_slot slot = {slots->domain, slots->delegation, slots->algorithm,
                                             i + 1};
        if (!slots->seen[i])
            status = dns_slots_add(&slot, missing, err);
    }
    return status;
}

static void begin(struct dns_slots *slots, const struct key *key)
{
    *slots = (struct dns_slots){.algorithm = key->algorithm};
    snprintf(slots->domain, sizeof slots->domain, "%s", key->domain);
    snprintf(slots->delegation, sizeof slots->delegation, "%s", delegation_of(key));
}

static void mark(struct dns_slots *slots, const struct key *key)
{
    char selector[DELEGATION_SELECTOR_SIZE];
    for (int i = 0; i < DELEGATION_SLOTS; i++) {
        delegation_selector(slots->algorithm, i + 1, selector);
        slots->seen[i] |= strcmp(selector, key->selector) == 0;
    }
}

enum status dns_slots_next(struct dns_slots *slots, const struct key *key, struct rows *missing,
                           bool *first_out, struct err *err)
{
    enum status status = ST_OK;
    bool open = slots->domain[0] != '\0', same = open && goes_on(slots, key);
    *first_out = false;
    if (open && !same && missing != NULL)
        status = end(slots, missing, err);
    if (!same)
        slots->domain[0] = '\0';
    if (status != ST_OK || key == NULL || !delegation_has(key))
        return status;
    if (!same)
        begin(slots, key);
    mark(slots, key);
    *first_out = !same;
    return ST_OK;
}
