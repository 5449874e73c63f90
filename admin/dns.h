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

/* Visits the keys of a domain, or with "" those of all, and free slots among them: for each slot of
 * a delegated domain that no key has a key in state destroyed, without version. These are the slots
 * of the algorithms that the domain has keys of, and while it has none of those it is to have keys
 * of. In the order of domains and selectors, all of a domain in one page. */
enum status dns_walk(struct admin *admin, const char *domain, rows_visitor *visit, void *arg,
                     struct err *err) MUST_CHECK;
/* Adds such a key for a slot. */
enum status dns_slots_add(const struct delegation_slot *slot, struct rows *keys,
                          struct err *err) MUST_CHECK;
/* The CNAME that the owner of a delegated domain publishes for the slot of a key. As
 * records_of_alias. */
enum status dns_slots_alias(const struct key *key, struct record *out, struct err *err) MUST_CHECK;

/* inkan dns check --dangling */
enum status dns_dangling(struct admin *admin, struct err *err);
/* inkan dns check, publish, onboard */
enum status dns_check(struct admin *admin, const struct args *args, struct err *err);
enum status dns_publish(struct admin *admin, const struct args *args, struct err *err);
enum status dns_onboard(struct admin *admin, const struct args *args, struct err *err);

#endif
