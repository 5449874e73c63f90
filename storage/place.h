/* SPDX-License-Identifier: Apache-2.0
 *
 * A place: what the store has under one name, ready to be used. Under the name of a domain that is
 * the domain with its signers; under that of a tenant (profile_tenant_name) what holds for mail
 * of its clients, whoever signs; under any name the rules (storage/rule.h) and grants
 * (storage/grant.h) that are looked up by it. Immutable, reference counted, shared by all threads;
 * the value of an entry in the cache.
 */
#ifndef INKAN_STORAGE_PLACE_H
#define INKAN_STORAGE_PLACE_H

#include "base/networks.h"
#include "storage/signers.h"

struct place {
    struct cache_value base;
    struct signers *signers; /* NULL: there is no such domain */
    char *tenant;            /* NULL: it is not the place of a tenant, of whom the next are */
    bool tenant_active, also_provider, one_signature;
    struct rule *rules; /* by pattern */
    size_t rule_count;
    struct grant *grants; /* by type and subject */
    size_t grant_count;
    struct networks *networks; /* of the grants of networks; NULL: there are none */
};
void place_unref(struct place *place); /* NULL is fine */

/* Makes the place of a profile, which must not be empty; its rules and grants are taken out of it.
 * `before` (or NULL) is what the name had last, for signers_new. ST_TEMP without memory. */
enum status place_new(struct profile *profile, const struct vault *vault,
                      const struct place *before, struct place **out, struct err *err) MUST_CHECK;

/* All below take NULL for a name under which there is nothing. What they give lives as long as the
 * place. */

/* The rules with that pattern. */
const struct rule *place_rules(const struct place *place, const char *pattern, size_t *count_out);
/* The grant to that subject, or NULL. */
const struct grant *place_grant(const struct place *place, enum grant_type type,
                                const char *subject);
/* The grant to the longest network that holds the address, or NULL. */
const struct grant *place_network(const struct place *place, const struct network *address);

#endif
