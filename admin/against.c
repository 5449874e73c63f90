/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/against.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "opendkim/signing.h"

enum { MACROS_MAX = 4 };

#define CONFIGURATION "/etc/opendkim.conf"

/* -- the answer's tables ------------------------------------------------------------------ */

struct verdict {
    char *action, *reason;
};
static const struct field verdict_fields[] = {
    OUTPUT_FIELD(struct verdict, action, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct verdict, reason, FIELD_TEXT, 0),
};
static const struct kind kind_verdict = OUTPUT_KIND("verdict", struct verdict, verdict_fields);

static const struct field signature_fields[] = {
    OUTPUT_FIELD(struct signing_signature, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct signing_signature, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct signing_signature, identity, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct signing_signature, algorithm, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct signing_signature, key, FIELD_TEXT, 0),
};
static const struct kind kind_signature =
    OUTPUT_KIND("signature", struct signing_signature, signature_fields);

struct step {
    char *text;
};
static const struct field step_fields[] = {
    {.name = "step", .type = FIELD_TEXT, .offset = offsetof(struct step, text)},
};
static const struct kind kind_step = OUTPUT_KIND("step", struct step, step_fields);

struct remark {
    char *grade, *file;
    int64_t line;
    char *text;
};
static const struct field remark_fields[] = {
    OUTPUT_FIELD(struct remark, grade, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct remark, file, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct remark, line, FIELD_INT, 0),
    OUTPUT_FIELD(struct remark, text, FIELD_TEXT, 0),
};
static const struct kind kind_remark = OUTPUT_KIND("note", struct remark, remark_fields);
static const struct kind kind_nothing = {.name = "explanation"};

/* -- the question ------------------------------------------------------------------------- */

struct inquiry {
    struct signing_question question;
    struct signing_macro macros[MACROS_MAX];
    struct dkim_fields fields;
    struct sockaddr_storage address;
};

static void add_macro(struct inquiry *out, const char *name, const char *value)
{
    out->macros[out->question.macro_count++] = (struct signing_macro){name, value};
}

static enum status add_field(struct dkim_fields *fields, struct span name, const char *address,
                             struct err *err)
{
    struct buf value = BUF_INIT(0);
    if (address == NULL)
        return ST_OK;
    buf_printf(&value, " %s", address);
    enum status status = dkim_fields_add(fields, name, buf_span(&value), err);
    buf_clear(&value);
    return status;
}

static enum status read_client(const char *client, struct sockaddr_storage *out, struct err *err)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, client, &ipv4.sin_addr) == 1)
        memcpy(out, &ipv4, sizeof ipv4);
    else if (inet_pton(AF_INET6, client, &ipv6.sin6_addr) == 1)
        memcpy(out, &ipv6, sizeof ipv6);
    else
        return err_set(err, ST_INVALID, "--client: %.64s: not an IP address", client);
    return ST_OK;
}

/* Like a local client when nothing at all is said about it; else without --client like one whose
 * address is in no list. */
static enum status read_inquiry(const struct args *args, struct inquiry *out, struct err *err)
{
    const char *client = args_option(args, "--client");
    const char *login = args_option(args, "--login");
    const char *daemon_name = args_option(args, "--daemon-name");
    const char *host = args_option(args, "--client-name");
    const char *envelope = args_option(args, "--envelope-from");
    if (client == NULL && login == NULL && daemon_name == NULL && host == NULL)
        client = "127.0.0.1";
    if (login != NULL) {
        add_macro(out, "{auth_type}", "PLAIN");
        add_macro(out, "{auth_authen}", login);
    }
    if (daemon_name != NULL)
        add_macro(out, "{daemon_name}", daemon_name);
    if (envelope != NULL)
        add_macro(out, "{mail_addr}", envelope);
    enum status status =
        add_field(&out->fields, SPAN_LIT("From"), args_option(args, "--from"), err);
    if (status == ST_OK)
        status = add_field(&out->fields, SPAN_LIT("Sender"), args_option(args, "--sender"), err);
    if (status == ST_OK && client != NULL)
        status = read_client(client, &out->address, err);
    out->question.fields = &out->fields;
    out->question.address = (const struct sockaddr *)&out->address;
    out->question.host = host;
    out->question.macros = out->macros;
    return status;
}

/* -- telling ------------------------------------------------------------------------------ */

static void tell_signatures(struct output *output, const struct signing_answer *answer)
{
    output_list_begin(output, "signatures");
    for (size_t i = 0; i < answer->count; i++)
        output_record(output, &kind_signature, &answer->list[i]);
    output_list_end(output, &kind_signature);
}

static void tell_steps(struct output *output, const struct signing_answer *answer)
{
    output_list_begin(output, "steps");
    for (size_t i = 0; i < answer->step_count; i++) {
        struct step step = {answer->steps[i]};
        output_record(output, &kind_step, &step);
    }
    output_list_end(output, &kind_step);
}

static void tell_notes(struct output *output, const struct notes *notes)
{
    output_list_begin(output, "notes");
    for (size_t i = 0; i < notes_count(notes); i++) {
        const struct note *note = notes_at(notes, i);
        struct remark remark = {.grade = span_dup(span_str(notes_grade_name(note->grade))),
                                .file = span_dup(span_str(note->file)),
                                .line = (int64_t)note->line,
                                .text = span_dup(span_str(note->text))};
        output_record(output, &kind_remark, &remark);
        kind_clear(&kind_remark, &remark);
    }
    output_list_end(output, &kind_remark);
}

static void tell(struct output *output, const struct signing_answer *answer,
                 const struct notes *notes)
{
    struct verdict verdict = {.action = span_dup(span_str(signing_action_name(answer->action))),
                              .reason = span_dup(span_str(answer->reason))};
    output_begin(output, &kind_nothing, NULL);
    output_member_begin(output, "opendkim", &kind_verdict, &verdict);
    tell_signatures(output, answer);
    tell_steps(output, answer);
    tell_notes(output, notes);
    output_end(output);
    output_end(output);
    kind_clear(&kind_verdict, &verdict);
}

/* -- the whole ---------------------------------------------------------------------------- */

bool against_wanted(const struct args *args)
{
    return args_has(args, "--against") || args_has(args, "--config");
}

static enum status ask(struct admin *admin, const struct configuration *configuration,
                       struct notes *notes, const struct inquiry *inquiry, struct err *err)
{
    struct signing *signing = NULL;
    struct signing_answer answer = {.count = 0};
    struct signing_options options = {.configuration = configuration, .notes = notes};
    enum status status = signing_open(&options, &signing, err);
    if (status == ST_OK)
        status = signing_ask(signing, &inquiry->question, &answer, err);
    if (status == ST_OK)
        status = notes_check(notes, err);
    if (status == ST_OK) {
        tell(&admin->output, &answer, notes);
        status = answer.action == SIGNING_SIGN ? ST_OK : ST_NOT_FOUND;
        err_clear(err); /* the answer has said why */
    }
    signing_answer_clear(&answer);
    signing_close(signing);
    return status;
}

static enum status check_arguments(const struct args *args, struct err *err)
{
    const char *against = args_option(args, "--against");
    if (against == NULL)
        return err_set(err, ST_INVALID, "--config goes with --against opendkim");
    if (strcmp(against, "opendkim") != 0)
        return err_set(err, ST_INVALID, "--against: %.40s: only opendkim is known", against);
    return ST_OK;
}

enum status against_explain(struct admin *admin, const struct args *args, struct err *err)
{
    struct inquiry inquiry = {.address = {.ss_family = AF_UNSPEC}};
    struct configuration configuration = {.list = NULL};
    const char *path = args_option(args, "--config");
    struct notes *notes = notes_new();
    enum status status = notes == NULL ? err_set(err, ST_TEMP, "no memory for what is to be told")
                                       : check_arguments(args, err);
    if (status == ST_OK)
        status = read_inquiry(args, &inquiry, err);
    if (status == ST_OK)
        status = admin_named(
            configuration_read(path == NULL ? CONFIGURATION : path, notes, &configuration, err),
            err);
    if (status == ST_OK)
        status = ask(admin, &configuration, notes, &inquiry, err);
    dkim_fields_clear(&inquiry.fields);
    configuration_clear(&configuration);
    notes_free(notes);
    return status;
}
