/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "admin/command.h"
#include "admin/decision.h"
#include "admin/mail.h"
#include "base/clock.h"
#include "dkim/sign.h"

/* The signatures of one message, one a key. */
struct signing {
    struct dkim_sign_options options[POLICY_SIGNATURES_MAX];
    struct buf values[POLICY_SIGNATURES_MAX];
    size_t count;
};

static enum status make_signatures(const struct mail *mail, struct signing *signing,
                                   struct dkim_bodies *bodies, struct err *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < signing->count; i++)
        status = dkim_sign_want(&signing->options[i], bodies, err);
    if (status != ST_OK)
        return status;
    dkim_bodies_add(bodies, mail->body.data, mail->body.len);
    status = dkim_bodies_end(bodies, err);
    for (size_t i = 0; status == ST_OK && i < signing->count; i++)
        status = dkim_sign(&signing->options[i], &mail->fields, bodies, &signing->values[i], err);
    return status;
}

static enum status sign_mail(const struct mail *mail, const struct decision *decision,
                             struct signing *signing, struct err *err)
{
    struct dkim_bodies *bodies = dkim_bodies_new();
    if (bodies == NULL)
        return err_set(err, ST_TEMP, "no memory");
    signing->count = decision->outcome.count;
    for (size_t i = 0; i < signing->count; i++)
        policy_sign_options(decision->policy, &decision->outcome, i, clock_now_s(),
                            &signing->options[i]);
    enum status status = make_signatures(mail, signing, bodies, err);
    dkim_bodies_free(bodies);
    return status;
}

/* -- answers -------------------------------------------------------------------------------- */

struct summary {
    char *domain, *tenant;
};
static const struct field summary_fields[] = {
    OUTPUT_FIELD(struct summary, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct summary, tenant, FIELD_TEXT, 0),
};
static const struct kind kind_summary = OUTPUT_KIND("summary", struct summary, summary_fields);

struct signature {
    char *selector;
    char *name, *value; /* of the field */
};
static const struct field signature_fields[] = {
    OUTPUT_FIELD(struct signature, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct signature, name, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct signature, value, FIELD_TEXT, 0),
};
static const struct kind kind_signature =
    OUTPUT_KIND("signature", struct signature, signature_fields);

static char field_name[] = "DKIM-Signature";

static void answer_json(struct output *output, const struct decision *decision,
                        struct signing *signing)
{
    const struct policy_signature *signatures = decision->outcome.signatures;
    const struct signers *signers = signatures[0].signers;
    output_begin(output, &kind_summary, &(struct summary){signers->domain, signers->tenant});
    output_list_begin(output, "signatures");
    for (size_t i = 0; i < signing->count; i++) {
        char *value = span_dup(buf_span(&signing->values[i]));
        output_record(output, &kind_signature,
                      &(struct signature){signatures[i].signer->selector, field_name, value});
        free(value);
    }
    output_list_end(output, &kind_signature);
    output_end(output);
}

/* The message itself goes out as it came in, octet for octet. */
static void answer_message(struct output *output, const struct mail *mail,
                           const struct signing *signing)
{
    for (size_t i = 0; i < signing->count; i++)
        mail_write_field(mail, field_name, buf_span(&signing->values[i]), output);
    output_raw(output, buf_span(&mail->raw));
}

static enum status sign_and_answer(struct admin *admin, const struct mail *mail,
                                   const struct decision *decision, struct err *err)
{
    struct signing signing = {.count = 0};
    enum status status = decision_status(decision);
    if (status != ST_OK)
        return err_set(err, status, "not signed: %s", decision->outcome.text);
    if (decision->outcome.broken != NULL)
        admin_warn("warning: %s", decision->outcome.broken->broken_text);
    status = sign_mail(mail, decision, &signing, err);
    if (status == ST_OK && admin->output.json)
        answer_json(&admin->output, decision, &signing);
    else if (status == ST_OK)
        answer_message(&admin->output, mail, &signing);
    for (size_t i = 0; i < POLICY_SIGNATURES_MAX; i++)
        buf_clear(&signing.values[i]);
    return status;
}

/* Who may read the private keys may sign for every domain, like an internal host. */
static enum status sign(struct admin *admin, const struct args *args, struct err *err)
{
    struct mail mail = {.crlf = false};
    struct decision decision = {.policy = NULL};
    struct policy_case c = {.origin = {.provider = true}, .fields = &mail.fields};
    (void)args;
    enum status status = decision_init(admin, &decision, err);
    if (status == ST_OK)
        status = mail_read(admin, "-", &mail, err);
    if (status == ST_OK) {
        decision_make(&decision, &c);
        status = sign_and_answer(admin, &mail, &decision, err);
    }
    decision_clear(&decision);
    mail_clear(&mail);
    return status;
}

static const struct command commands[] = {
    {"", "< message", "signs a message with the store's keys and prints it", sign},
    {NULL, NULL, NULL, NULL},
};

const struct noun sign_noun = {"sign", "signs a message without a daemon", commands};
