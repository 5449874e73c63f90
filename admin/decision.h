/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's decision about a message, made here: the same policy, the same keyring, the same
 * order of questions. What `explain` tells and `sign` obeys. One thread.
 */
#ifndef INKAN_ADMIN_DECISION_H
#define INKAN_ADMIN_DECISION_H

#include "admin/admin.h"
#include "server/policy.h"

struct decision {
    struct policy *policy;
    struct keyring *keyring;
    struct keyring_view view;
    struct policy_decision outcome;
    enum status trouble; /* the last that the store had while deciding, else ST_OK */
};

/* Policy and keyring from the settings, into a zeroed decision. ST_INVALID and the faults of
 * store and vault. Clear with decision_clear also after a failure. */
enum status decision_init(struct admin *admin, struct decision *decision,
                          struct err *err) MUST_CHECK;
void decision_clear(struct decision *decision);

/* Decides about a message, whose `find` is set here; a decision made before is forgotten. A refusal
 * is an outcome, not an error. */
void decision_make(struct decision *decision, struct policy_case *c);
/* The outcome as a status: ST_OK to sign, ST_NOT_FOUND to pass unsigned, else why the daemon
 * would answer `try again`: ST_TEMP, or ST_BROKEN for keys that do not open. */
enum status decision_status(const struct decision *decision);

#endif
