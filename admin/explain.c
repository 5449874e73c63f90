/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "admin/against.h"
#include "admin/command.h"
#include "admin/decision.h"

enum { STEPS_MAX = 64 };

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
    char *domain, *selector, *identity, *algorithm, *canonicalization;
    int64_t bits, expiry;
};
static const struct field usage_fields[] = {
    OUTPUT_FIELD(struct usage, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct usage, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct usage, identity, FIELD_TEXT, 0),
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
    struct policy_case c;
    struct dkim_fields fields;
    struct explained {
        char *step, *text;
    } steps[STEPS_MAX];
    size_t step_count;
};

static enum status resolve_client(const struct policy *policy, const struct args *args,
                                  struct question *out, struct err *err)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    struct span name = span_str(args_option(args, "--client-name"));
    const struct sockaddr *address = NULL;
    if (out->client != NULL && inet_pton(AF_INET, out->client, &ipv4.sin_addr) == 1)
        address = (const struct sockaddr *)&ipv4;
    else if (out->client != NULL && inet_pton(AF_INET6, out->client, &ipv6.sin6_addr) == 1)
        address = (const struct sockaddr *)&ipv6;
    else if (out->client != NULL)
        return err_set(err, ST_INVALID, "--client: %.64s: not an IP address", out->client);
    out->c.origin.peer = policy_peer_of(policy, address, name);
    return ST_OK;
}

static enum status add_field(struct dkim_fields *fields, struct span name, const char *address,
                             struct err *err)
{
    struct buf value = BUF_INIT(0);
    buf_printf(&value, " %s", address);
    enum status status =
        address != NULL ? dkim_fields_add(fields, name, buf_span(&value), err) : ST_OK;
    buf_clear(&value);
    return status;
}

static void take_step(void *arg, const char *step, const char *text)
{
    struct question *question = arg;
    if (question->step_count == STEPS_MAX)
        return;
    question->steps[question->step_count++] =
        (struct explained){span_dup(span_str(step)), span_dup(span_str(text))};
}

static enum status read_question(const struct policy *policy, const struct args *args,
                                 struct question *out, struct err *err)
{
    struct policy_origin *origin = &out->c.origin;
    out->client = args_option(args, "--client");
    origin->login = args_option(args, "--login");
    origin->daemon_name = args_option(args, "--daemon-name");
    if (out->client == NULL && origin->login == NULL && origin->daemon_name == NULL &&
        !args_has(args, "--client-name"))
        out->client = "127.0.0.1";
    out->c.envelope_from = args_option(args, "--envelope-from");
    out->c.fields = &out->fields;
    out->c.step = take_step;
    out->c.step_arg = out;
    enum status status =
        add_field(&out->fields, SPAN_LIT("From"), args_option(args, "--from"), err);
    if (status == ST_OK)
        status = add_field(&out->fields, SPAN_LIT("Sender"), args_option(args, "--sender"), err);
    return status == ST_OK ? resolve_client(policy, args, out, err) : status;
}

static void clear_question(struct question *question)
{
    for (size_t i = 0; i < question->step_count; i++) {
        free(question->steps[i].step);
        free(question->steps[i].text);
    }
    dkim_fields_clear(&question->fields);
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
    const struct policy_origin *origin = &question->c.origin;
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

static void tell_steps(struct output *output, const struct question *question)
{
    output_list_begin(output, "steps");
    tell_origin(output, question);
    for (size_t i = 0; i < question->step_count; i++)
        output_record(output, &kind_step,
                      &(struct step){question->steps[i].step, question->steps[i].text});
    output_list_end(output, &kind_step);
}

static void tell_key(struct output *output, const struct decision *decision, size_t index)
{
    struct dkim_sign_options options;
    struct buf canonicalization = BUF_INIT(0);
    policy_sign_options(decision->policy, &decision->outcome, index, 0, &options);
    buf_printf(&canonicalization, "%s/%s", dkim_canon_name(options.header_canon),
               dkim_canon_name(options.body_canon));
    struct usage usage = {.domain = span_dup(span_str(options.domain)),
                          .selector = span_dup(span_str(options.selector)),
                          .identity = span_dup(span_str(options.identity)),
                          .algorithm = span_dup(span_str(dkim_algorithm_name(options.algorithm))),
                          .canonicalization = buf_take(&canonicalization),
                          .bits = dkim_key_bits(options.signer_arg),
                          .expiry = options.expiry_s};
    output_record(output, &kind_usage, &usage);
    kind_clear(&kind_usage, &usage);
}

static void answer(struct output *output, const struct question *question,
                   const struct decision *decision)
{
    const struct policy_decision *outcome = &decision->outcome;
    bool signs = outcome->action == POLICY_SIGN && outcome->count > 0;
    struct explanation explanation = {
        .will_sign = signs,
        .reason = span_dup(span_str(outcome->reason)),
        .text = span_dup(span_str(outcome->text)),
        .domain =
            span_dup(span_str(signs ? outcome->signatures[0].signers->domain : outcome->domain)),
        .tenant =
            span_dup(span_str(signs ? outcome->signatures[0].signers->tenant : outcome->tenant)),
    };
    output_begin(output, &kind_explanation, &explanation);
    output_list_begin(output, "keys");
    for (size_t i = 0; signs && i < outcome->count; i++)
        tell_key(output, decision, i);
    output_list_end(output, &kind_usage);
    tell_steps(output, question);
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
        decision_make(&decision, &question.c);
        answer(&admin->output, &question, &decision);
        status = decision_status(&decision);
        if (status != ST_OK && decision.trouble == ST_OK)
            status = ST_NOT_FOUND;
        err_clear(err); /* the answer has said why */
    }
    decision_clear(&decision);
    clear_question(&question);
    return status;
}

static const struct command commands[] = {
    {"",
     "--from ADDR [--sender ADDR] [--envelope-from ADDR] [--login L] [--client IP] "
     "[--client-name NAME] [--daemon-name N] [--against opendkim] [--config FILE]",
     "tells step by step whether the daemon would sign, and with what", explain},
    {NULL, NULL, NULL, NULL},
};

const struct noun explain_noun = {"explain", "tells who would sign, or why not", commands};
