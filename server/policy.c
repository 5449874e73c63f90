/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "server/policy_internal.h"

static enum status parse_lists(struct policy *p, const struct settings *s, struct err *err)
{
    if (hosts_parse(span_str(s->trust.internal_hosts), &p->internal, err) != ST_OK)
        return err_context(err, "[trust] internal_hosts");
    if (hosts_parse(span_str(s->trust.exempt), &p->exempt, err) != ST_OK)
        return err_context(err, "[trust] exempt");
    if (dkim_names_parse(span_str(s->sign.headers), &p->headers, err) != ST_OK)
        return err_context(err, "[sign] headers");
    if (dkim_names_parse(span_str(s->sign.oversign), &p->oversign, err) != ST_OK)
        return err_context(err, "[sign] oversign");
    if (dkim_canon_parse(span_str(s->sign.canonicalization), &p->header_canon, &p->body_canon,
                         err) != ST_OK)
        return err_context(err, "[sign] canonicalization");
    struct span provider = span_str(s->sign.provider_domain);
    if (provider.len > 0 && dkim_domain_normalize(provider, p->provider, err) != ST_OK)
        return err_context(err, "[sign] provider_domain");
    return ST_OK;
}

enum status policy_new(const struct settings *settings, struct policy **out, struct err *err)
{
    struct policy *p = calloc(1, sizeof *p);
    if (p == NULL)
        return err_set(err, ST_TEMP, "policy: out of memory");
    p->authenticated = settings->trust.authenticated;
    p->use_envelope = strcmp(settings->sign.author, "from,sender,envelope") == 0;
    p->use_sender = p->use_envelope || strcmp(settings->sign.author, "from,sender") == 0;
    p->internal_is_provider = settings->trust.internal_is_provider;
    p->tenant_check = (enum settings_tenant_check)settings->trust.tenant_check;
    p->accept_on_store_error = settings->sign.on_store_error == ON_ERROR_ACCEPT;
    p->expiry_s = settings->sign.expiry_s;
    p->daemon_names = span_dup(span_str(settings->trust.daemon_names));
    enum status status = p->daemon_names == NULL ? err_set(err, ST_TEMP, "policy: out of memory")
                                                 : parse_lists(p, settings, err);
    if (status != ST_OK) {
        policy_free(p);
        return status;
    }
    *out = p;
    return ST_OK;
}

void policy_free(struct policy *policy)
{
    if (policy == NULL)
        return;
    hosts_free(policy->internal);
    hosts_free(policy->exempt);
    dkim_names_free(policy->headers);
    dkim_names_free(policy->oversign);
    free(policy->daemon_names);
    free(policy);
}

struct policy_peer policy_peer_of(const struct policy *policy, const struct sockaddr *address,
                                  struct span name)
{
    /* A unix-domain client is a process of this very host (sendmail(1), a local content filter),
     * which could reach us from 127.0.0.1 just as well. A client without any address is unknown
     * and only its name can let it in. */
    bool local = address != NULL && address->sa_family == AF_UNIX;
    struct policy_peer peer = {
        .internal = local || hosts_contain(policy->internal, address, name),
        .exempt = hosts_contain(policy->exempt, address, name),
    };
    peer.has_address = networks_of_address(address, &peer.address);
    return peer;
}

void policy_decision_clear(struct policy_decision *decision)
{
    for (size_t i = 0; i < decision->count; i++)
        signers_unref(decision->signatures[i].signers);
    signers_unref(decision->broken);
    decision->count = 0;
    decision->broken = NULL;
}

static bool same_signature(const struct policy_signature *a, const struct policy_signature *b)
{
    return strcmp(a->signers->domain, b->signers->domain) == 0 &&
           strcmp(a->signer->selector, b->signer->selector) == 0 &&
           strcmp(a->identity, b->identity) == 0;
}

const char *policy_action_name(enum policy_action action)
{
    static const char *const names[] = {[POLICY_SIGN] = "sign",
                                        [POLICY_PASS_UNSIGNED] = "unsigned",
                                        [POLICY_TEMPFAIL] = "tempfail"};
    return names[action];
}

bool policy_decision_equal(const struct policy_decision *a, const struct policy_decision *b)
{
    if (a->action != b->action || a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!same_signature(&a->signatures[i], &b->signatures[i]))
            return false;
    }
    return true;
}

void policy_sign_options(const struct policy *policy, const struct policy_decision *decision,
                         size_t index, int64_t now_s, struct dkim_sign_options *out)
{
    const struct policy_signature *signature = &decision->signatures[index];
    const struct signers *signers = signature->signers;
    bool own = signers->has_canonicalization;
    *out = (struct dkim_sign_options){
        .domain = signers->domain,
        .selector = signature->signer->selector,
        .identity = signature->identity[0] != '\0' ? signature->identity : NULL,
        .algorithm = signature->signer->algorithm,
        .header_canon = own ? signers->header_canon : policy->header_canon,
        .body_canon = own ? signers->body_canon : policy->body_canon,
        .headers = signers->headers != NULL ? signers->headers : policy->headers,
        .oversign = signers->oversign != NULL ? signers->oversign : policy->oversign,
        .time_s = now_s,
        .expiry_s = signers->expiry_s >= 0 ? signers->expiry_s : policy->expiry_s,
        .signer = dkim_sign_with_key,
        .signer_arg = signature->signer->key,
    };
}
