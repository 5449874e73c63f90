/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/against.h"
#include "admin/command.h"
#include "admin/explanation.h"

static enum status explain(struct admin *admin, const struct args *args, struct err *err)
{
    struct decision decision = {.policy = NULL};
    struct inquiry inquiry = {.client = NULL};
    struct explanation explanation = {.step_count = 0};
    if (against_wanted(args))
        return against_explain(admin, args, err);
    enum status status = decision_init(admin, &decision, err);
    if (status == ST_OK)
        status = inquiry_read(admin, args, &inquiry, err);
    if (status == ST_OK) {
        explanation_make(&decision, &inquiry, &explanation);
        explanation_tell(&admin->output, NULL, &explanation);
        status = decision_status(&decision);
        if (status != ST_OK && decision.trouble == ST_OK)
            status = ST_NOT_FOUND;
        err_clear(err); /* the answer has said why */
    }
    explanation_clear(&explanation);
    decision_clear(&decision);
    inquiry_clear(&inquiry);
    return status;
}

static const struct command commands[] = {
    {"",
     "[--from ADDR] [--sender ADDR] [--message FILE] [--envelope-from ADDR] [--login L] "
     "[--client IP] [--client-name NAME] [--daemon-name N] [--against opendkim] [--config FILE] "
     "[--list FILE] [--mail-log FILE] [--all]",
     "tells step by step whether the daemon would sign, and with what; beside it what OpenDKIM "
     "would do, also for a list of `AUTHOR [CLIENT [LOGIN]]` or for the mail of Postfix's log (its "
     "envelope senders count as authors, because From is not logged)",
     explain},
    {NULL, NULL, NULL, NULL},
};

const struct noun explain_noun = {"explain", "tells who would sign, or why not", commands};
