/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/decision.h"

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

static void forget(struct decision *decision)
{
    policy_decision_clear(&decision->outcome);
    keyring_view_end(&decision->view);
}

void decision_clear(struct decision *decision)
{
    forget(decision);
    keyring_close(decision->keyring);
    policy_free(decision->policy);
    *decision = (struct decision){.policy = NULL};
}

static enum status find(void *arg, const struct keyring_question *question, size_t wanted,
                        const struct place **out, struct err *err)
{
    struct decision *decision = arg;
    enum status status = keyring_view_find(&decision->view, question, wanted, out, err);
    if (status != ST_OK)
        decision->trouble = status;
    return status;
}

void decision_make(struct decision *decision, struct policy_case *c)
{
    forget(decision);
    keyring_view_begin(&decision->view, decision->keyring);
    decision->trouble = ST_OK;
    c->find = find;
    c->find_arg = decision;
    policy_decide(decision->policy, c, &decision->outcome);
}

enum status decision_status(const struct decision *decision)
{
    if (decision->outcome.action == POLICY_SIGN)
        return ST_OK;
    if (decision->outcome.action == POLICY_PASS_UNSIGNED)
        return ST_NOT_FOUND;
    return decision->trouble != ST_OK ? decision->trouble : ST_BROKEN;
}
