/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's decision about a message, made here: the same policy, the same keyring, the same
 * order of questions. What `explain` tells and `sign` obeys. One thread.
 */
#ifndef INKAN_ADMIN_DECISION_H
#define INKAN_ADMIN_DECISION_H

#include "admin/admin.h"
#include "server/policy.h"

enum { DECISION_LOOKUPS_MAX = 3 };

struct decision {
    struct policy *policy;
    struct keyring *keyring;
    struct policy_decision author; /* the first half */
    struct policy_decision outcome;
    enum status found;       /* what the last look-up gave; ST_OK before the first */
    struct signers *signers; /* the last look-up's, borrowed; NULL when there are none */
    struct decision_lookup {
        char domain[DKIM_DOMAIN_SIZE];
        enum status found;
        char text[ERR_TEXT_SIZE]; /* why not */
        struct signers *signers;  /* NULL when there are none */
    } lookups[DECISION_LOOKUPS_MAX];
    size_t lookup_count;
};

/* Policy and keyring from the settings, into a zeroed decision. ST_INVALID and the faults of
 * store and vault. Clear with decision_clear also after a failure. */
enum status decision_init(struct admin *admin, struct decision *decision,
                          struct err *err) MUST_CHECK;
void decision_clear(struct decision *decision);

/* Decides about a message with this header. A refusal is an outcome, not an error. */
void decision_make(struct decision *decision, const struct policy_origin *origin,
                   const struct dkim_fields *fields);
/* The outcome as a status: ST_OK to sign, ST_NOT_FOUND to pass unsigned, else why the daemon
 * would answer `try again`: ST_TEMP, or ST_BROKEN for keys that do not open. */
enum status decision_status(const struct decision *decision);

#endif
