/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/against.h"

#include <string.h>

#include "admin/against_many.h"
#include "admin/against_opendkim.h"
#include "admin/explanation.h"
#include "admin/outcome.h"

struct comparison {
    int64_t same;
    char *difference;
};
static const struct field comparison_fields[] = {
    OUTPUT_FIELD(struct comparison, same, FIELD_BOOL, 0),
    OUTPUT_FIELD(struct comparison, difference, FIELD_TEXT, 0),
};
static const struct kind kind_comparison =
    OUTPUT_KIND("comparison", struct comparison, comparison_fields);
static const struct kind kind_nothing = {.name = "explanation"};

/* -- arguments ---------------------------------------------------------------------------- */

/* Without --against they mean nothing. */
static const char *const companions[] = {"--config", "--list", "--mail-log", "--all"};

bool against_wanted(const struct args *args)
{
    bool wanted = args_has(args, "--against");
    for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++)
        wanted = wanted || args_has(args, companions[i]);
    return wanted;
}

static enum status check_many(const struct args *args, struct err *err)
{
    static const char *const of_one[] = {"--from",   "--message",     "--sender", "--envelope-from",
                                         "--client", "--client-name", "--login"};
    bool list = args_has(args, "--list"), log = args_has(args, "--mail-log");
    if (list && log)
        return err_set(err, ST_INVALID, "give --list or --mail-log, not both");
    if (!list && !log)
        return args_has(args, "--all")
                   ? err_set(err, ST_INVALID, "--all goes with --list or --mail-log")
                   : ST_OK;
    for (size_t i = 0; i < sizeof of_one / sizeof of_one[0]; i++)
        if (args_has(args, of_one[i]))
            return err_set(err, ST_INVALID, "%s does not go with %s, which says that itself",
                           of_one[i], list ? "--list" : "--mail-log");
    return ST_OK;
}

static enum status check_arguments(const struct args *args, struct err *err)
{
    const char *against = args_option(args, "--against");
    for (size_t i = 0; against == NULL && i < sizeof companions / sizeof companions[0]; i++)
        if (args_has(args, companions[i]))
            return err_set(err, ST_INVALID, "%s goes with --against opendkim", companions[i]);
    if (against != NULL && strcmp(against, "opendkim") != 0)
        return err_set(err, ST_INVALID, "--against: %.40s: only opendkim is known", against);
    return check_many(args, err);
}

/* -- one message -------------------------------------------------------------------------- */

/* Both answers about one message. */
struct sides {
    struct inquiry inquiry;
    struct decision decision;
    struct explanation explanation;
    struct against_opendkim opendkim;
    struct signing_answer answer;
    struct outcome theirs, ours;
};

static enum status ask(struct admin *admin, const struct args *args, struct sides *sides,
                       struct err *err)
{
    enum status status = inquiry_read(admin, args, &sides->inquiry, err);
    if (status == ST_OK)
        status = against_opendkim_open(args_option(args, "--config"), &sides->opendkim, err);
    if (status == ST_OK)
        status = against_opendkim_ask(&sides->opendkim, &sides->inquiry, &sides->answer, err);
    if (status == ST_OK)
        status = decision_init(admin, &sides->decision, err);
    if (status != ST_OK)
        return status;
    explanation_make(&sides->decision, &sides->inquiry, &sides->explanation);
    status = outcome_of_answer(&sides->answer, &sides->theirs, err);
    return status == ST_OK ? outcome_of_decision(&sides->decision, &sides->ours, err) : status;
}

/* What one was about must come last for people; JSON has no order. */
static void tell(struct output *output, const struct sides *sides)
{
    struct buf difference = BUF_INIT(0);
    outcome_difference(&sides->theirs, &sides->ours, &difference);
    struct comparison comparison = {.same = outcome_equal(&sides->theirs, &sides->ours),
                                    .difference = span_dup(buf_span(&difference))};
    output_begin(output, output->json ? &kind_comparison : &kind_nothing, &comparison);
    output_line(output, "OpenDKIM:");
    against_opendkim_tell(output, &sides->opendkim, &sides->answer);
    output_line(output, "%s", "");
    output_line(output, "inkan:");
    explanation_tell(output, "inkan", &sides->explanation);
    output_end(output);
    output_line(output, "%s", "");
    if (comparison.same)
        output_line(output, "same");
    else
        output_line(output, "different: %s", buf_cstr(&difference));
    kind_clear(&kind_comparison, &comparison);
    buf_clear(&difference);
}

static enum status explain_one(struct admin *admin, const struct args *args, struct err *err)
{
    struct sides sides = {.inquiry = {.client = NULL}};
    enum status status = ask(admin, args, &sides, err);
    if (status == ST_OK) {
        tell(&admin->output, &sides);
        status = outcome_equal(&sides.theirs, &sides.ours) ? ST_OK : ST_NOT_FOUND;
        if (sides.decision.trouble != ST_OK)
            status = sides.decision.trouble;
        err_clear(err); /* the answer has said why */
    }
    outcome_clear(&sides.theirs);
    outcome_clear(&sides.ours);
    signing_answer_clear(&sides.answer);
    explanation_clear(&sides.explanation);
    decision_clear(&sides.decision);
    against_opendkim_close(&sides.opendkim);
    inquiry_clear(&sides.inquiry);
    return status;
}

enum status against_explain(struct admin *admin, const struct args *args, struct err *err)
{
    enum status status = check_arguments(args, err);
    if (status != ST_OK)
        return status;
    bool many = args_has(args, "--list") || args_has(args, "--mail-log");
    return many ? against_many(admin, args, err) : explain_one(admin, args, err);
}
