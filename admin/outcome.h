/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of a message, said so that inkan's decision and OpenDKIM's answer can be laid side
 * by side: signed and as whom, passed on, or deferred. Pure but for memory. One thread.
 *
 * Of the signatures d=, s=, i= and the algorithm are compared, as sets. Names have no case, i= only
 * in its local part; i= that says no more than its absence (`@` and d=, RFC 6376 3.5) is left out.
 */
#ifndef INKAN_ADMIN_OUTCOME_H
#define INKAN_ADMIN_OUTCOME_H

#include "admin/decision.h"
#include "opendkim/signing.h"

enum { OUTCOME_SIGNATURES_MAX = POLICY_SIGNATURES_MAX };

enum outcome_action {
    OUTCOME_SIGN,
    OUTCOME_PASS,     /* unsigned; whether signatures are verified does not matter */
    OUTCOME_TEMPFAIL, /* 4xx */
    OUTCOME_OTHER,    /* what only OpenDKIM does: reject, discard, not run at all */
};

struct outcome {
    enum outcome_action action;
    const char *word; /* of another action than to sign: "unsigned", "reject" */
    struct outcome_signature {
        char *domain, *selector;
        char *identity; /* "": none */
        char *algorithm;
    } list[OUTCOME_SIGNATURES_MAX]; /* in order, none twice */
    size_t count;
};

/* Into a zeroed outcome. ST_TEMP without memory. Clear it also after a failure. */
enum status outcome_of_answer(const struct signing_answer *answer, struct outcome *out,
                              struct err *err) MUST_CHECK;
enum status outcome_of_decision(const struct decision *decision, struct outcome *out,
                                struct err *err) MUST_CHECK;
void outcome_clear(struct outcome *outcome);

bool outcome_equal(const struct outcome *a, const struct outcome *b);
/* "s1@example.com, s2@example.com" (selector and d=, each pair once, by domains), or the word. */
void outcome_text(const struct outcome *outcome, struct buf *out);
/* How two differ, in a sentence about OpenDKIM and inkan; nothing when they are equal. */
void outcome_difference(const struct outcome *opendkim, const struct outcome *inkan,
                        struct buf *out);

#endif
