/* SPDX-License-Identifier: Apache-2.0
 *
 * inkan's own decision about a message with the steps that led to it (admin/decision.h), and how
 * `inkan explain` tells it. One thread.
 */
#ifndef INKAN_ADMIN_EXPLANATION_H
#define INKAN_ADMIN_EXPLANATION_H

#include "admin/decision.h"
#include "admin/inquiry.h"

enum { EXPLANATION_STEPS_MAX = 64 };

struct explanation {
    const struct inquiry *inquiry;
    struct decision *decision;
    struct policy_case c;
    struct explanation_step {
        char *step, *text;
    } steps[EXPLANATION_STEPS_MAX];
    size_t step_count;
};

/* Decides, into an explanation that is zeroed or was cleared; both others outlive it. A decision
 * made before is forgotten. Clear it afterwards. */
void explanation_make(struct decision *decision, const struct inquiry *inquiry,
                      struct explanation *out);
void explanation_clear(struct explanation *explanation);

/* An object with signed, action (sign, unsigned or tempfail), reason, text, domain, tenant, keys
 * and steps; `member` names it inside an object, NULL at the top. */
void explanation_tell(struct output *output, const char *member,
                      const struct explanation *explanation);

#endif
