/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs of `inkan dns` share, and those that have a file of their own.
 */
#ifndef INKAN_ADMIN_DNS_H
#define INKAN_ADMIN_DNS_H

#include "admin/admin.h"
#include "admin/delegation.h"
#include "admin/rows.h"

/* The query for the keys of DOMAIN, which must exist, or with --all of every domain; one of the two
 * must be given. `name` holds the domain, or "", for as long as the query is used. */
enum status dns_which_keys(struct admin *admin, const struct args *args,
                           char name[DKIM_DOMAIN_SIZE], struct query *out,
                           struct err *err) MUST_CHECK;

/* Keys of delegated domains, slot by slot: notices where the keys of another domain or algorithm
 * begin, in the order of a walk over keys. */
struct dns_slots {
    char domain[DKIM_DOMAIN_SIZE]; /* "": of no delegated domain */
    char delegation[DKIM_DOMAIN_SIZE];
    int64_t algorithm;
    bool seen[DELEGATION_SLOTS];
};
/* With the next key of the walk, and with NULL behind the last. True when the key is the first of a
 * delegated domain and an algorithm. `missing`, unless NULL, gets a key in state destroyed, without
 * version, for each slot of the ones before that has none. */
enum status dns_slots_next(struct dns_slots *slots, const struct key *key, struct rows *missing,
                           bool *first_out, struct err *err) MUST_CHECK;
/* Adds such a key for a slot. */
enum status dns_slots_add(const struct delegation_slot *slot, struct rows *keys,
                          struct err *err) MUST_CHECK;

/* inkan dns check --dangling */
enum status dns_dangling(struct admin *admin, struct err *err);
/* inkan dns check, publish, onboard */
enum status dns_check(struct admin *admin, const struct args *args, struct err *err);
enum status dns_publish(struct admin *admin, const struct args *args, struct err *err);
enum status dns_onboard(struct admin *admin, const struct args *args, struct err *err);

#endif
