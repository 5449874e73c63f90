/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/explanation.h"

#include <stdlib.h>

struct summary {
    int64_t will_sign;
    char *action, *reason, *text, *domain, *tenant;
};
static const struct field summary_fields[] = {
    {.name = "signed", .type = FIELD_BOOL, .offset = offsetof(struct summary, will_sign)},
    OUTPUT_FIELD(struct summary, action, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct summary, reason, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct summary, text, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct summary, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct summary, tenant, FIELD_TEXT, 0),
};
static const struct kind kind_summary = OUTPUT_KIND("explanation", struct summary, summary_fields);

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

/* -- deciding ------------------------------------------------------------------------------- */

static void take_step(void *arg, const char *step, const char *text)
{
    struct explanation *explanation = arg;
    if (explanation->step_count == EXPLANATION_STEPS_MAX)
        return;
    explanation->steps[explanation->step_count++] =
        (struct explanation_step){span_dup(span_str(step)), span_dup(span_str(text))};
}

void explanation_make(struct decision *decision, const struct inquiry *inquiry,
                      struct explanation *out)
{
    *out = (struct explanation){
        .inquiry = inquiry,
        .decision = decision,
        .c = {.origin = {.peer = policy_peer_of(decision->policy, inquiry_address(inquiry),
                                                span_str(inquiry->client_name)),
                         .login = inquiry->login,
                         .daemon_name = inquiry->daemon_name},
              .fields = &inquiry->fields,
              .envelope_from = inquiry->envelope_from,
              .step = take_step,
              .step_arg = out},
    };
    decision_make(decision, &out->c);
}

void explanation_clear(struct explanation *explanation)
{
    for (size_t i = 0; i < explanation->step_count; i++) {
        free(explanation->steps[i].step);
        free(explanation->steps[i].text);
    }
    explanation->step_count = 0;
}

/* -- the answer ----------------------------------------------------------------------------- */

static void tell(struct output *output, const char *name, struct buf *text)
{
    char *step = span_dup(span_str(name));
    struct step row = {step, buf_take(text)};
    output_record(output, &kind_step, &row);
    kind_clear(&kind_step, &row);
}

static void tell_origin(struct output *output, const struct explanation *explanation)
{
    const struct policy_origin *origin = &explanation->c.origin;
    struct buf text = BUF_INIT(0);
    if (explanation->inquiry->client != NULL)
        buf_printf(&text, "client %s, %sin internal_hosts%s", explanation->inquiry->client,
                   origin->peer.internal ? "" : "not ", origin->peer.exempt ? ", exempt" : "");
    if (origin->login != NULL)
        buf_printf(&text, "%slogin %s", text.len > 0 ? "; " : "", origin->login);
    if (origin->daemon_name != NULL)
        buf_printf(&text, "%sdaemon name %s", text.len > 0 ? "; " : "", origin->daemon_name);
    tell(output, "origin", &text);
}

static void tell_steps(struct output *output, const struct explanation *explanation)
{
    output_list_begin(output, "steps");
    tell_origin(output, explanation);
    for (size_t i = 0; i < explanation->step_count; i++)
        output_record(output, &kind_step,
                      &(struct step){explanation->steps[i].step, explanation->steps[i].text});
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

void explanation_tell(struct output *output, const char *member,
                      const struct explanation *explanation)
{
    const struct policy_decision *outcome = &explanation->decision->outcome;
    bool signs = outcome->action == POLICY_SIGN && outcome->count > 0;
    const struct signers *signers = signs ? outcome->signatures[0].signers : NULL;
    struct summary summary = {
        .will_sign = signs,
        .action = span_dup(span_str(policy_action_name(outcome->action))),
        .reason = span_dup(span_str(outcome->reason)),
        .text = span_dup(span_str(outcome->text)),
        .domain = span_dup(span_str(signs ? signers->domain : outcome->domain)),
        .tenant = span_dup(span_str(signs ? signers->tenant : outcome->tenant)),
    };
    output_member_begin(output, member, &kind_summary, &summary);
    output_list_begin(output, "keys");
    for (size_t i = 0; signs && i < outcome->count; i++)
        tell_key(output, explanation->decision, i);
    output_list_end(output, &kind_usage);
    tell_steps(output, explanation);
    output_end(output);
    kind_clear(&kind_summary, &summary);
}
