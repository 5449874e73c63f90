/* SPDX-License-Identifier: Apache-2.0 */
#include "server/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hosts.h"

struct policy {
    struct hosts *internal, *exempt;
    char *daemon_names; /* as in the settings, comma separated */
    bool authenticated;
    bool use_sender;
    bool accept_on_store_error;
    enum dkim_canon header_canon, body_canon;
    struct dkim_names *headers, *oversign;
    int64_t expiry_s;
    char provider[DKIM_DOMAIN_SIZE]; /* "": there is none */
};

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
    p->use_sender = strcmp(settings->sign.author, "from,sender") == 0;
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
    return (struct policy_peer){
        .internal = local || hosts_contain(policy->internal, address, name),
        .exempt = hosts_contain(policy->exempt, address, name),
    };
}

PRINTF_LIKE(4, 5)
static void decide(struct policy_decision *out, enum policy_action action, const char *reason,
                   const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    out->action = action;
    out->reason = reason;
    vsnprintf(out->text, sizeof out->text, fmt, args);
    va_end(args);
}

static bool given(const char *macro)
{
    return macro != NULL && macro[0] != '\0';
}

/* Exact, as the MTA's administrator wrote it: Postfix and Sendmail compare these so, too. */
static bool daemon_listed(const struct policy *policy, const char *daemon_name)
{
    struct span rest = span_str(policy->daemon_names), part;
    if (!given(daemon_name))
        return false;
    while (span_next(&rest, ',', &part))
        if (span_equal(span_trim(part), span_str(daemon_name)))
            return true;
    return false;
}

static bool origin_may_sign(const struct policy *policy, const struct policy_origin *origin)
{
    return origin->peer.internal || (policy->authenticated && given(origin->login)) ||
           daemon_listed(policy, origin->daemon_name);
}

static void add_author(struct policy_decision *out, const char *domain)
{
    if (out->domain_count > 0 && strcmp(out->domains[0], domain) == 0)
        return;
    snprintf(out->domains[out->domain_count++], DKIM_DOMAIN_SIZE, "%s", domain);
}

/* Whoever reads a From with two authors may see either as the one who vouches for the message,
 * so nothing is signed for one of them alone. */
static void read_from(const struct dkim_fields *fields, struct dkim_mailboxes *mailboxes,
                      struct policy_decision *out)
{
    struct err err = {0};
    size_t count = dkim_fields_count(fields, SPAN_LIT("From"));
    if (count == 0)
        decide(out, POLICY_PASS_UNSIGNED, "no_from", "the message has no From field");
    else if (count > 1)
        decide(out, POLICY_PASS_UNSIGNED, "authors", "the message has %zu From fields", count);
    else if (dkim_mailboxes_of(fields, SPAN_LIT("From"), mailboxes, &err) != ST_OK)
        decide(out, err.code == ST_TEMP ? POLICY_TEMPFAIL : POLICY_PASS_UNSIGNED, "bad_from", "%s",
               err.text);
    else if (mailboxes->count > 1)
        decide(out, POLICY_PASS_UNSIGNED, "authors", "the From field names %zu authors",
               mailboxes->count);
    else
        add_author(out, mailboxes->list[0].domain);
}

/* A Sender that cannot be read for certain counts as none: From alone decides then. */
static void read_sender(const struct dkim_fields *fields, struct dkim_mailboxes *mailboxes,
                        struct policy_decision *out)
{
    struct err err = {0};
    if (dkim_fields_count(fields, SPAN_LIT("Sender")) == 1 &&
        dkim_mailboxes_of(fields, SPAN_LIT("Sender"), mailboxes, &err) == ST_OK &&
        mailboxes->count == 1)
        add_author(out, mailboxes->list[0].domain);
}

void policy_decide_author(const struct policy *policy, const struct policy_origin *origin,
                          const struct dkim_fields *fields, struct policy_decision *out)
{
    struct dkim_mailboxes from = {0}, sender = {0};
    out->domain_count = 0;
    out->provider_asked = false;
    decide(out, POLICY_SIGN, "sign", "the client may sign");
    if (origin->peer.exempt)
        decide(out, POLICY_PASS_UNSIGNED, "exempt", "the client is exempt from signing");
    else if (!origin_may_sign(policy, origin))
        decide(out, POLICY_PASS_UNSIGNED, "origin",
               "the client is neither internal nor authenticated");
    else
        read_from(fields, &from, out);
    if (out->action == POLICY_SIGN && policy->use_sender)
        read_sender(fields, &sender, out);
    dkim_mailboxes_clear(&from);
    dkim_mailboxes_clear(&sender);
}

/* Signing with a key that DNS does not show is worse than not signing, the tenant says. Who answers
 * for the provider may be in the same plight, under its own name or that of a parent. */
static void decide_unpublished(const struct policy *policy, const struct signers *signers,
                               struct policy_decision *out)
{
    bool ask = signers->on_unpublished == UNPUBLISHED_PROVIDER && policy->provider[0] != '\0' &&
               !out->provider_asked && strcmp(signers->domain, policy->provider) != 0;
    decide(out, ask ? POLICY_ASK_PROVIDER : POLICY_PASS_UNSIGNED, "unpublished",
           "DNS does not show the record of a key of %s", signers->domain);
    if (ask) {
        snprintf(out->domains[0], sizeof out->domains[0], "%s", policy->provider);
        out->domain_count = 1;
        out->provider_asked = true;
    }
}

static void decide_found(const struct policy *policy, const struct signers *signers,
                         struct policy_decision *out)
{
    if (!signers->tenant_active)
        decide(out, POLICY_PASS_UNSIGNED, "suspended", "tenant %s is suspended", signers->tenant);
    else if (!signers->domain_active)
        decide(out, POLICY_PASS_UNSIGNED, "suspended", "%s is suspended", signers->domain);
    else if (signers->count > 0)
        decide(out, POLICY_SIGN, "sign", "%s signs", signers->domain);
    else if (signers->broken > 0)
        decide(out, POLICY_TEMPFAIL, "broken_key", "%s", signers->broken_text);
    else if (signers->unpublished > 0)
        decide_unpublished(policy, signers, out);
    else
        decide(out, POLICY_PASS_UNSIGNED, "no_key", "%s has no active key", signers->domain);
}

void policy_decide_signers(const struct policy *policy, const struct policy_lookup *lookup,
                           struct policy_decision *decision)
{
    if (lookup->found == ST_OK)
        decide_found(policy, lookup->signers, decision);
    else if (lookup->found == ST_NOT_FOUND)
        decide(decision, POLICY_PASS_UNSIGNED, "no_domain", "%s is not a domain of this service",
               decision->domains[0]);
    else
        decide(decision, policy->accept_on_store_error ? POLICY_PASS_UNSIGNED : POLICY_TEMPFAIL,
               "store", "%s", lookup->err->text);
}

void policy_sign_options(const struct policy *policy, const struct signers *signers, size_t index,
                         int64_t now_s, struct dkim_sign_options *out)
{
    const struct signer *signer = &signers->list[index];
    bool own = signers->has_canonicalization;
    *out = (struct dkim_sign_options){
        .domain = signers->domain,
        .selector = signer->selector,
        .algorithm = signer->algorithm,
        .header_canon = own ? signers->header_canon : policy->header_canon,
        .body_canon = own ? signers->body_canon : policy->body_canon,
        .headers = policy->headers,
        .oversign = policy->oversign,
        .time_s = now_s,
        .expiry_s = signers->expiry_s >= 0 ? signers->expiry_s : policy->expiry_s,
        .signer = dkim_sign_with_key,
        .signer_arg = signer->key,
    };
}
