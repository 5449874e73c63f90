/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/against_opendkim.h"

#include <stdlib.h>

#include "admin/remark.h"

enum { MACROS_MAX = 4, TIMEOUT_MS = 30000 };

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

/* -- asking ------------------------------------------------------------------------------- */

static enum status open_signing(struct against_opendkim *out, struct err *err)
{
    out->context = (struct takeover_context){&out->configuration, out->notes, TIMEOUT_MS};
    const struct signing_options options = {.configuration = &out->configuration,
                                            .notes = out->notes,
                                            .sources = takeover_sources,
                                            .source_count = TAKEOVER_SOURCES,
                                            .source_context = &out->context};
    return signing_open(&options, &out->signing, err);
}

enum status against_opendkim_open(const char *path, struct against_opendkim *out, struct err *err)
{
    out->notes = notes_new();
    if (out->notes == NULL)
        return err_set(err, ST_TEMP, "no memory for what is to be told");
    enum status status = configuration_read(path == NULL ? CONFIGURATION : path, out->notes,
                                            &out->configuration, err);
    return admin_named(status == ST_OK ? open_signing(out, err) : status, err);
}

void against_opendkim_close(struct against_opendkim *opendkim)
{
    signing_close(opendkim->signing);
    configuration_clear(&opendkim->configuration);
    notes_free(opendkim->notes);
}

struct macros {
    struct signing_macro list[MACROS_MAX];
    size_t count;
};

static void add_macro(struct macros *macros, const char *name, const char *value)
{
    if (value != NULL)
        macros->list[macros->count++] = (struct signing_macro){name, value};
}

/* Without a client like one whose address is in no list. */
enum status against_opendkim_ask(const struct against_opendkim *opendkim,
                                 const struct inquiry *inquiry, struct signing_answer *out,
                                 struct err *err)
{
    struct macros macros = {.count = 0};
    add_macro(&macros, "{auth_type}", inquiry->login != NULL ? "PLAIN" : NULL);
    add_macro(&macros, "{auth_authen}", inquiry->login);
    add_macro(&macros, "{daemon_name}", inquiry->daemon_name);
    add_macro(&macros, "{mail_addr}", inquiry->envelope_from);
    const struct signing_question question = {.fields = &inquiry->fields,
                                              .address = (const struct sockaddr *)&inquiry->ip,
                                              .host = inquiry->client_name,
                                              .macros = macros.list,
                                              .macro_count = macros.count};
    enum status status = signing_ask(opendkim->signing, &question, out, err);
    return status == ST_OK ? notes_check(opendkim->notes, err) : status;
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

void against_opendkim_tell(struct output *output, const struct against_opendkim *opendkim,
                           const struct signing_answer *answer)
{
    struct verdict verdict = {.action = span_dup(span_str(signing_action_name(answer->action))),
                              .reason = span_dup(span_str(answer->reason))};
    output_member_begin(output, "opendkim", &kind_verdict, &verdict);
    tell_signatures(output, answer);
    tell_steps(output, answer);
    remark_list_tell(output, opendkim->notes);
    output_end(output);
    kind_clear(&kind_verdict, &verdict);
}
