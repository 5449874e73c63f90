/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "admin/command.h"
#include "admin/mail.h"
#include "admin/milter.h"

static enum status exchange(const struct args *args, const struct mail *mail,
                            struct milter_result *result, struct err *err)
{
    struct sockname name;
    struct milter_session *session = NULL;
    const char *socket = args_option(args, "--socket");
    struct milter_options options = {.socket = &name,
                                     .daemon_name = args_option(args, "--daemon-name"),
                                     .client_ip = args_option(args, "--client")};
    struct milter_message message = {.login = args_option(args, "--login"),
                                     .sender = args_option(args, "--from"),
                                     .fields = &mail->fields,
                                     .body = mail->body};
    enum status status = sockname_parse(span_str(socket), &name, err);
    if (status != ST_OK)
        return err_context(err, "--socket %.100s", socket);
    status = milter_open(&options, &session, err);
    if (status == ST_OK)
        status = milter_send(session, &message, result, err);
    milter_close(session);
    return status;
}

/* -- the answer ----------------------------------------------------------------------------- */

struct outcome {
    char *action, *reply, *quarantine;
    int64_t signatures;
};
static const struct field outcome_fields[] = {
    OUTPUT_FIELD(struct outcome, action, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct outcome, reply, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct outcome, quarantine, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct outcome, signatures, FIELD_INT, 0),
};
static const struct kind kind_outcome = OUTPUT_KIND("outcome", struct outcome, outcome_fields);

struct added {
    char *name, *value;
};
static const struct field added_fields[] = {
    OUTPUT_FIELD(struct added, name, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct added, value, FIELD_TEXT, 0),
};
static const struct kind kind_added = OUTPUT_KIND("added", struct added, added_fields);

static const struct span signature_name = SPAN_LIT("DKIM-Signature");

static void answer_json(struct output *output, struct milter_result *result)
{
    struct outcome outcome = {.action = span_dup(span_str(milter_verdict_name(result->verdict))),
                              .reply = span_dup(span_str(result->reply)),
                              .quarantine = span_dup(span_str(result->quarantine)),
                              .signatures = (int64_t)milter_result_added(result, signature_name)};
    output_begin(output, &kind_outcome, &outcome);
    output_list_begin(output, "added");
    for (size_t i = 0; i < result->edit_count; i++)
        if (result->edits[i].kind != MILTER_CHANGE)
            output_record(output, &kind_added,
                          &(struct added){result->edits[i].name, result->edits[i].value});
    output_list_end(output, &kind_added);
    output_end(output);
    kind_clear(&kind_outcome, &outcome);
}

static enum status answer_message(struct output *output, const struct mail *mail,
                                  const struct milter_result *result, struct err *err)
{
    struct milter_message message = {.fields = &mail->fields, .body = mail->body};
    struct buf text = BUF_INIT(0);
    enum status status = milter_result_write(result, &message, &text, err);
    if (status == ST_OK)
        mail_write(mail, buf_span(&text), output);
    buf_clear(&text);
    return status;
}

/* What the MTA would do instead of passing the message on. */
static const struct refusal {
    enum status status;
    const char *text;
} refusals[] = {
    [MILTER_ACCEPT] = {ST_OK, NULL},
    [MILTER_REJECT] = {ST_NOT_FOUND, "the daemon rejects the message"},
    [MILTER_TEMPFAIL] = {ST_TEMP, "the daemon says: try again later"},
    [MILTER_DISCARD] = {ST_NOT_FOUND, "the daemon discards the message"},
};

static enum status judge(const struct milter_result *result, struct err *err)
{
    const struct refusal *refusal = &refusals[result->verdict];
    const char *gap = result->reply[0] == '\0' ? "" : ": ";
    if (refusal->status != ST_OK)
        return err_set(err, refusal->status, "%s%s%s", refusal->text, gap, result->reply);
    if (milter_result_added(result, signature_name) == 0)
        return err_set(err, ST_NOT_FOUND, "the message came back unsigned");
    return ST_OK;
}

static enum status answer(struct admin *admin, const struct mail *mail,
                          struct milter_result *result, struct err *err)
{
    enum status status = ST_OK;
    if (admin->output.json)
        answer_json(&admin->output, result);
    else if (result->verdict == MILTER_ACCEPT)
        status = answer_message(&admin->output, mail, result, err);
    if (status == ST_OK && result->quarantine[0] != '\0')
        admin_warn("the daemon wants the message held: %s", result->quarantine);
    return status == ST_OK ? judge(result, err) : status;
}

static enum status probe(struct admin *admin, const struct args *args, struct err *err)
{
    struct mail mail = {.crlf = false};
    struct milter_result result = {.verdict = MILTER_ACCEPT};
    enum status status = mail_read(admin, "-", &mail, err);
    if (status == ST_OK)
        status = exchange(args, &mail, &result, err);
    if (status == ST_OK)
        status = answer(admin, &mail, &result, err);
    milter_result_clear(&result);
    mail_clear(&mail);
    return status;
}

static const struct command commands[] = {
    {"", "--socket S [--from A] [--login L] [--client IP] [--daemon-name N] < message",
     "sends a message through a running daemon and prints what becomes of it", probe},
    {NULL, NULL, NULL, NULL},
};

const struct noun probe_noun = {"probe", "sends a message through a daemon", commands};
