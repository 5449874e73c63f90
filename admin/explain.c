/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "admin/against.h"
#include "admin/command.h"
#include "admin/decision.h"

struct explanation {
    int64_t will_sign;
    char *reason, *text, *domain, *tenant;
};
static const struct field explanation_fields[] = {
    {.name = "signed", .type = FIELD_BOOL, .offset = offsetof(struct explanation, will_sign)},
    OUTPUT_FIELD(struct explanation, reason, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct explanation, text, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct explanation, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct explanation, tenant, FIELD_TEXT, 0),
};
static const struct kind kind_explanation =
    OUTPUT_KIND("explanation", struct explanation, explanation_fields);

struct step {
    char *step, *text;
};
static const struct field step_fields[] = {
    OUTPUT_FIELD(struct step, step, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct step, text, FIELD_TEXT, 0),
};
static const struct kind kind_step = OUTPUT_KIND("step", struct step, step_fields);

struct usage {
    char *selector, *algorithm, *canonicalization;
    int64_t bits, expiry;
};
static const struct field usage_fields[] = {
    OUTPUT_FIELD(struct usage, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct usage, algorithm, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct usage, bits, FIELD_INT, 0),
    OUTPUT_FIELD(struct usage, canonicalization, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct usage, expiry, FIELD_INT, 0),
};
static const struct kind kind_usage = OUTPUT_KIND("usage", struct usage, usage_fields);

/* -- the question --------------------------------------------------------------------------- */

/* Who asks: like a local client when nothing at all is said about it. */
struct question {
    const char *client; /* NULL: an address that is in no list */
    struct policy_origin origin;
    struct dkim_fields fields;
};

static enum status resolve_client(const struct policy *policy, const char *client,
                                  struct policy_peer *out, struct err *err)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    struct span no_name = {NULL, 0};
    if (inet_pton(AF_INET, client, &ipv4.sin_addr) == 1)
        *out = policy_peer_of(policy, (const struct sockaddr *)&ipv4, no_name);
    else if (inet_pton(AF_INET6, client, &ipv6.sin6_addr) == 1)
        *out = policy_peer_of(policy, (const struct sockaddr *)&ipv6, no_name);
    else
        return err_set(err, ST_INVALID, "--client: %.64s: not an IP address", client);
    return ST_OK;
}

static enum status read_question(const struct policy *policy, const struct args *args,
                                 struct question *out, struct err *err)
{
    struct buf from = BUF_INIT(0);
    out->client = args_option(args, "--client");
    out->origin.login = args_option(args, "--login");
    out->origin.daemon_name = args_option(args, "--daemon-name");
    if (out->client == NULL && out->origin.login == NULL && out->origin.daemon_name == NULL)
        out->client = "127.0.0.1";
    buf_printf(&from, " %s", args_option(args, "--from"));
    enum status status = dkim_fields_add(&out->fields, SPAN_LIT("From"), buf_span(&from), err);
    if (status == ST_OK && out->client != NULL)
        status = resolve_client(policy, out->client, &out->origin.peer, err);
    buf_clear(&from);
    return status;
}

/* -- the answer ----------------------------------------------------------------------------- */

static void tell(struct output *output, const char *name, struct buf *text)
{
    char *step = span_dup(span_str(name));
    struct step row = {step, buf_take(text)};
    output_record(output, &kind_step, &row);
    kind_clear(&kind_step, &row);
}

static void tell_origin(struct output *output, const struct question *question)
{
    const struct policy_origin *origin = &question->origin;
    struct buf text = BUF_INIT(0);
    if (question->client != NULL)
        buf_printf(&text, "client %s, %sin internal_hosts%s", question->client,
                   origin->peer.internal ? "" : "not ", origin->peer.exempt ? ", exempt" : "");
    if (origin->login != NULL)
        buf_printf(&text, "%slogin %s", text.len > 0 ? "; " : "", origin->login);
    if (origin->daemon_name != NULL)
        buf_printf(&text, "%sdaemon name %s", text.len > 0 ? "; " : "", origin->daemon_name);
    tell(output, "origin", &text);
}

static void tell_author(struct output *output, const struct decision *decision)
{
    struct buf text = BUF_INIT(0);
    for (size_t i = 0; i < decision->author.domain_count; i++)
        buf_printf(&text, "%s%s", i > 0 ? ", " : "domain ", decision->author.domains[i]);
    tell(output, "author", &text);
}

static void tell_lookup(struct output *output, const struct decision_lookup *lookup)
{
    const struct signers *signers = lookup->signers;
    struct buf text = BUF_INIT(0);
    if (lookup->found != ST_OK)
        buf_append_str(&text, lookup->text);
    else
        buf_printf(&text, "%s: domain %s of tenant %s, %zu active keys", lookup->domain,
                   signers->domain, signers->tenant, signers->count);
    if (lookup->found == ST_OK && signers->broken > 0)
        buf_printf(&text, ", %zu broken (%s)", signers->broken, signers->broken_text);
    if (lookup->found == ST_OK && signers->unpublished > 0)
        buf_printf(&text, ", %zu that DNS does not show", signers->unpublished);
    tell(output, "look-up", &text);
}

static void tell_steps(struct output *output, const struct question *question,
                       const struct decision *decision)
{
    struct buf text = BUF_INIT(0);
    output_list_begin(output, "steps");
    tell_origin(output, question);
    if (decision->lookup_count > 0)
        tell_author(output, decision);
    for (size_t i = 0; i < decision->lookup_count; i++)
        tell_lookup(output, &decision->lookups[i]);
    buf_append_str(&text, decision->outcome.text);
    tell(output, "decision", &text);
    output_list_end(output, &kind_step);
}

static void tell_key(struct output *output, const struct decision *decision, size_t index)
{
    struct dkim_sign_options options;
    struct buf canonicalization = BUF_INIT(0);
    const struct signer *signer = &decision->signers->list[index];
    policy_sign_options(decision->policy, decision->signers, index, 0, &options);
    buf_printf(&canonicalization, "%s/%s", dkim_canon_name(options.header_canon),
               dkim_canon_name(options.body_canon));
    struct usage usage = {.selector = span_dup(span_str(signer->selector)),
                          .algorithm = span_dup(span_str(dkim_algorithm_name(signer->algorithm))),
                          .canonicalization = buf_take(&canonicalization),
                          .bits = dkim_key_bits(signer->key),
                          .expiry = options.expiry_s};
    output_record(output, &kind_usage, &usage);
    kind_clear(&kind_usage, &usage);
}

static void tell_keys(struct output *output, const struct decision *decision)
{
    output_list_begin(output, "keys");
    for (size_t i = 0; decision->signers != NULL && i < decision->signers->count; i++)
        tell_key(output, decision, i);
    output_list_end(output, &kind_usage);
}

static void answer(struct output *output, const struct question *question,
                   const struct decision *decision)
{
    const struct signers *signers = decision->signers;
    struct explanation explanation = {
        .will_sign = decision->outcome.action == POLICY_SIGN,
        .reason = span_dup(span_str(decision->outcome.reason)),
        .text = span_dup(span_str(decision->outcome.text)),
        .domain = span_dup(span_str(signers == NULL ? NULL : signers->domain)),
        .tenant = span_dup(span_str(signers == NULL ? NULL : signers->tenant)),
    };
    output_begin(output, &kind_explanation, &explanation);
    tell_keys(output, decision);
    tell_steps(output, question, decision);
    output_end(output);
    kind_clear(&kind_explanation, &explanation);
}

static enum status explain(struct admin *admin, const struct args *args, struct err *err)
{
    struct decision decision = {.policy = NULL};
    struct question question = {.client = NULL};
    if (against_wanted(args))
        return against_explain(admin, args, err);
    enum status status = decision_init(admin, &decision, err);
    if (status == ST_OK)
        status = read_question(decision.policy, args, &question, err);
    if (status == ST_OK) {
        decision_make(&decision, &question.origin, &question.fields);
        answer(&admin->output, &question, &decision);
        status = decision_status(&decision);
        if (status != ST_OK && decision.found == ST_OK)
            status = ST_NOT_FOUND;
        err_clear(err); /* the answer has said why */
    }
    decision_clear(&decision);
    dkim_fields_clear(&question.fields);
    return status;
}

static const struct command commands[] = {
    {"",
     "--from ADDR [--login L] [--client IP] [--client-name NAME] [--daemon-name N] "
     "[--against opendkim] [--config FILE]",
     "tells step by step whether the daemon would sign, and with what", explain},
    {NULL, NULL, NULL, NULL},
};

const struct noun explain_noun = {"explain", "tells who would sign, or why not", commands};
