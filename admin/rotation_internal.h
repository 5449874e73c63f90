/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files rotation*.c share: a run, and the keys it has at hand.
 */
#ifndef INKAN_ADMIN_ROTATION_INTERNAL_H
#define INKAN_ADMIN_ROTATION_INTERNAL_H

#include "admin/lease.h"
#include "admin/progress.h"
#include "admin/rotation.h"
#include "admin/rows.h"

struct rotation_homes;
struct rotation_dns;

/* A key whose turn it is. */
struct rotation_turn {
    struct key *key; /* in the page at hand */
    char *tenant;
    char *delegation; /* of its domain; "": not delegated */
    struct lifecycle_policy policy;
    struct keys_spec spec; /* of a successor */
    struct lifecycle_evidence evidence;
    struct lifecycle_due due;
    int64_t ttl_s;
    struct buf seen;         /* what the servers answered, for its audit event */
    struct keys_draft draft; /* of its successor */
    enum key_state before;
    enum key_shown shown_before;
    enum status status;
    struct err err;
};

struct rotation {
    struct admin *admin;
    struct store *store;
    const struct settings *settings;
    const struct vault *vault;
    const struct rotation_options *options;
    struct rotation_counts *counts;
    struct lease_hold lease;
    struct rotation_homes *homes;
    struct rotation_dns *dns;
    struct progress progress;
    int troubles; /* turns one after the other that the store did not take */
    struct err trouble;
};

/* -- rotation_home.c: domains and tenants of the keys ---------------------------------------- */

/* Fills in what follows from the key's domain and tenant. ST_NOT_FOUND: they are gone meanwhile. */
enum status rotation_settle(struct rotation *rotation, struct rotation_turn *turn,
                            struct err *err) MUST_CHECK;
/* The policy for the keys of a domain. */
enum status rotation_policy_of(struct rotation *rotation, const struct domain *domain,
                               struct rotation_policy *out, struct err *err) MUST_CHECK;
void rotation_homes_free(struct rotation_homes *homes);

/* -- rotation_dns.c ---------------------------------------------------------------------------- */

enum status rotation_dns_open(struct rotation *rotation, struct err *err) MUST_CHECK;
void rotation_dns_close(struct rotation_dns *dns);
/* Brings the records of these keys to DNS if we may change it, asks DNS for all of them at once,
 * and notes what it showed as evidence. */
void rotation_ask(struct rotation *rotation, struct rotation_turn *const *turns, size_t count);

#endif
