/* SPDX-License-Identifier: Apache-2.0
 *
 * Delegated domains: their owner publishes, once and for all, a CNAME for each of three slots of an
 * algorithm, and the records of keys stand where these lead to, at names of ours. Keys take the
 * slots in turn.
 *
 *     s1._domainkey.customer.example  CNAME  s1-RANDOM.dkim.provider.example
 *
 * RANDOM are 128 random bits that are made when the domain is added, so no target ever was another
 * domain's, or the same domain's before it was removed and added again. They are stored with their
 * zone as the domain's `delegation`, and whole targets with their keys: another setting counts for
 * new domains only. Any thread.
 */
#ifndef INKAN_ADMIN_DELEGATION_H
#define INKAN_ADMIN_DELEGATION_H

#include "base/settings.h"
#include "dkim/crypto.h"
#include "dkim/domain.h"
#include "dns/records.h"
#include "storage/model.h"

enum { DELEGATION_SLOTS = 3, DELEGATION_SELECTOR_SIZE = 8 };

/* The delegation of a new domain, on the heap, below dns.delegation_zone. ST_INVALID: that is not
 * set, is no domain, or too long for targets below it; ST_TEMP: no memory, no random numbers. */
enum status delegation_make(const struct settings *settings, char **out,
                            struct err *err) MUST_CHECK;

/* The selector of a slot (1 to DELEGATION_SLOTS): "s1" for RSA, "e1" for Ed25519. */
void delegation_selector(int64_t algorithm, int slot, char out[DELEGATION_SELECTOR_SIZE]);
/* Where the record of a key with that selector stands. */
void delegation_target(const char *delegation, const char *selector, char out[DKIM_DOMAIN_SIZE]);

/* Whether the key is one of a delegated domain. */
bool delegation_has(const struct key *key);
/* The delegation of its domain, as it was when the key was made: within the key's target. */
const char *delegation_of(const struct key *key);

/* One slot of a delegated domain. */
struct delegation_slot {
    const char *domain;
    const char *delegation;
    int64_t algorithm; /* enum dkim_algorithm */
    int number;        /* 1 to DELEGATION_SLOTS */
};
/* The CNAME that the domain's owner publishes for a slot. As records_of_alias. */
enum status delegation_alias(const struct delegation_slot *slot, struct record *out,
                             struct err *err) MUST_CHECK;

#endif
