/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/decision.h"

#include <stdio.h>

enum { CACHE_BYTES = 1 << 20, CACHE_MS = 60000 };

enum status decision_init(struct admin *admin, struct decision *decision, struct err *err)
{
    const struct settings *settings;
    struct keyring_options options = {.cache = {.bytes = CACHE_BYTES,
                                                .negative_bytes = CACHE_BYTES,
                                                .ttl_ms = CACHE_MS,
                                                .negative_ttl_ms = CACHE_MS}};
    enum status status = admin_settings(admin, &settings, err);
    if (status == ST_OK)
        status = policy_new(settings, &decision->policy, err);
    if (status == ST_OK)
        status = admin_store(admin, &options.store, err);
    if (status == ST_OK)
        status = admin_vault(admin, &options.vault, err);
    if (status != ST_OK)
        return status;
    options.timeout_ms = settings->store.timeout_ms;
    return keyring_open(&options, &decision->keyring, err);
}

void decision_clear(struct decision *decision)
{
    for (size_t i = 0; i < decision->lookup_count; i++)
        signers_unref(decision->lookups[i].signers);
    keyring_close(decision->keyring);
    policy_free(decision->policy);
    *decision = (struct decision){.policy = NULL};
}

/* The first of the outcome's domains that is ours counts. */
static void look_up(struct decision *decision)
{
    struct err why = {.code = ST_OK}, *err = &why;
    decision->found = ST_NOT_FOUND;
    decision->signers = NULL;
    for (size_t i = 0; i < decision->outcome.domain_count && decision->found == ST_NOT_FOUND; i++) {
        struct decision_lookup *lookup = &decision->lookups[decision->lookup_count++];
        snprintf(lookup->domain, sizeof lookup->domain, "%s", decision->outcome.domains[i]);
        err_clear(err);
        decision->found = keyring_find(decision->keyring, lookup->domain, &lookup->signers, err);
        decision->signers = lookup->signers;
        lookup->found = decision->found;
        snprintf(lookup->text, sizeof lookup->text, "%s", err->text);
    }
    const struct policy_lookup lookup = {decision->found, err, decision->signers};
    policy_decide_signers(decision->policy, &lookup, &decision->outcome);
}

void decision_make(struct decision *decision, const struct policy_origin *origin,
                   const struct dkim_fields *fields)
{
    policy_decide_author(decision->policy, origin, fields, &decision->outcome);
    decision->author = decision->outcome;
    if (decision->outcome.action != POLICY_SIGN)
        return;
    look_up(decision);
    if (decision->outcome.action == POLICY_ASK_PROVIDER)
        look_up(decision);
}

enum status decision_status(const struct decision *decision)
{
    if (decision->outcome.action == POLICY_SIGN)
        return ST_OK;
    if (decision->outcome.action == POLICY_PASS_UNSIGNED)
        return ST_NOT_FOUND;
    return decision->found == ST_OK ? ST_BROKEN : decision->found;
}
