/* SPDX-License-Identifier: Apache-2.0
 *
 * With what those sign that may: the keys that a rule names, or all of a domain that are not
 * reserved for rules; the provider's as well, where the tenant wants that; and no more than one,
 * where tenant or grant want that.
 */
#include <stdio.h>
#include <string.h>

#include "server/policy_internal.h"

static void add_signature(struct policy_thought *t, const struct policy_source *source,
                          const struct signer *signer)
{
    struct policy_decision *out = t->out;
    const char *identity = source->rule != NULL ? source->rule->identity : NULL;
    if (out->count == POLICY_SIGNATURES_MAX)
        return;
    struct policy_signature *signature = &out->signatures[out->count++];
    signers_ref(source->signers);
    signature->signers = source->signers;
    signature->signer = signer;
    snprintf(signature->identity, sizeof signature->identity, "%s",
             identity != NULL ? identity : "");
    policy_tell(t, "key", "%s of %s (%s)", signer->selector, source->signers->domain,
                dkim_algorithm_name(signer->algorithm));
}

/* The selector that a rule names, or NULL. */
static const char *wanted_selector(const struct policy_source *source)
{
    const char *selector = source->rule != NULL ? source->rule->selector : NULL;
    return selector != NULL && selector[0] != '\0' ? selector : NULL;
}

static void add_source(struct policy_thought *t, const struct policy_source *source)
{
    struct signers *signers = source->signers;
    const char *selector = wanted_selector(source);
    for (size_t i = 0; i < signers->count; i++) {
        const struct signer *signer = &signers->list[i];
        if (selector != NULL ? strcmp(signer->selector, selector) == 0 : !signer->reserved)
            add_signature(t, source, signer);
    }
    if (signers->broken > 0 && t->out->broken == NULL) {
        signers_ref(signers);
        t->out->broken = signers;
    }
}

/* -- none --------------------------------------------------------------------------------- */

/* What follows if no key of these signers can be used. */
struct lack {
    enum policy_action action;
    bool ask_provider;
    const char *reason;
    char text[ERR_TEXT_SIZE];
};

static void set_lack(struct lack *out, const struct policy_source *source,
                     enum policy_action if_auto, const char *reason)
{
    enum on_no_key wanted = source->signers->on_no_key;
    out->reason = reason;
    out->action = if_auto;
    if (wanted != NO_KEY_AUTO)
        out->action = wanted == NO_KEY_TEMPFAIL ? POLICY_TEMPFAIL : POLICY_PASS_UNSIGNED;
    out->ask_provider = wanted == NO_KEY_PROVIDER;
}

/* Signing with a key that DNS does not show is worse than not signing, the tenant says. */
static void set_unpublished(struct lack *out, const struct signers *signers)
{
    out->reason = "unpublished";
    out->action = POLICY_PASS_UNSIGNED;
    out->ask_provider = signers->on_unpublished == UNPUBLISHED_PROVIDER;
    snprintf(out->text, sizeof out->text, "DNS does not show the record of a key of %s",
             signers->domain);
}

static void explain_lack(const struct policy_source *source, struct lack *out)
{
    const struct signers *signers = source->signers;
    const char *selector = wanted_selector(source);
    *out = (struct lack){.action = POLICY_PASS_UNSIGNED, .reason = "suspended"};
    if (!signers->tenant_active) {
        snprintf(out->text, sizeof out->text, "tenant %s is suspended", signers->tenant);
    } else if (!signers->domain_active) {
        snprintf(out->text, sizeof out->text, "%s is suspended", signers->domain);
    } else if (signers->broken > 0) {
        set_lack(out, source, POLICY_TEMPFAIL, "broken_key");
        snprintf(out->text, sizeof out->text, "%s", signers->broken_text);
    } else if (signers->unpublished > 0) {
        set_unpublished(out, signers);
    } else {
        set_lack(out, source, POLICY_PASS_UNSIGNED, "no_key");
        snprintf(out->text, sizeof out->text, "%s has no active key%s%s%s", signers->domain,
                 selector != NULL ? " " : "", selector != NULL ? selector : "",
                 selector != NULL ? ", which a rule names" : "");
    }
}

static bool signs_already(const struct policy_decision *out, const char *domain)
{
    for (size_t i = 0; i < out->count; i++) {
        if (strcmp(out->signatures[i].signers->domain, domain) == 0)
            return true;
    }
    return false;
}

/* Who answers for the provider may be in the same plight. */
static enum status add_provider(struct policy_thought *t)
{
    const char *name = t->policy->provider;
    struct signers *provider = NULL;
    enum status st = name[0] != '\0' ? policy_domain_find(t, name, &provider) : ST_OK;
    if (st != ST_OK)
        return st;
    if (provider == NULL) {
        policy_tell(t, "provider", "%s",
                    name[0] == '\0' ? "sign.provider_domain is not set"
                                    : "sign.provider_domain is not a domain of this service");
    } else if (!signs_already(t->out, provider->domain)) {
        const struct policy_source source = {.signers = provider};
        const size_t before = t->out->count;
        struct lack lack;
        add_source(t, &source);
        explain_lack(&source, &lack);
        if (t->out->count == before)
            policy_tell(t, "provider", "%s", lack.text);
    }
    return ST_OK;
}

static void decide_lack(struct policy_thought *t, const struct policy_source *source)
{
    struct lack lack;
    explain_lack(source, &lack);
    policy_tell(t, "key", "%s%s", lack.text,
                lack.ask_provider ? "; the provider is to sign instead" : "");
    if (lack.ask_provider && add_provider(t) != ST_OK)
        return;
    if (t->out->count == 0)
        policy_settle(t->out, lack.action, lack.reason, "%s", lack.text);
}

/* -- the choice --------------------------------------------------------------------------- */

/* An RSA one, if there is any: every verifier can read it. */
static void keep_one(struct policy_decision *out)
{
    size_t best = 0;
    while (best < out->count && out->signatures[best].signer->algorithm != DKIM_RSA_SHA256)
        best++;
    if (best < out->count) {
        const struct policy_signature first = out->signatures[0];
        out->signatures[0] = out->signatures[best];
        out->signatures[best] = first;
    }
    while (out->count > 1)
        signers_unref(out->signatures[--out->count].signers);
}

void policy_keys_choose(struct policy_thought *t, const struct policy_match *match)
{
    struct policy_decision *out = t->out;
    const struct grant *grant = t->claim.grant;
    bool one = t->account.one_signature || (grant != NULL && grant->one_signature != 0);
    for (size_t i = 0; i < match->count; i++)
        add_source(t, &match->sources[i]);
    if (out->count == 0)
        decide_lack(t, &match->sources[0]);
    else if (t->account.also_provider && !one)
        (void)add_provider(t); /* if the store cannot say, the own signature does */
    if (one)
        keep_one(out);
    if (out->count > 0)
        policy_settle(out, POLICY_SIGN, "sign", "%s signs", out->signatures[0].signers->domain);
}
