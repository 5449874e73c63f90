/* SPDX-License-Identifier: Apache-2.0
 *
 * A key's life as pure functions: which step may be made from which state and what it changes in
 * the record, and what is due for a key by itself. No store, no clock, no DNS: the time and what
 * DNS showed are handed in. Any thread.
 *
 *     staged --prove--> published --activate--> active --retire--> retiring --revoke--> revoked
 *        ^-------doubt------'                                                              |
 *                                                              destroyed <----destroy------'
 *
 * That is the end, but in a slot of a delegated domain the record of a destroyed key is made anew
 * for another key (keys_add), once nothing more is due for it.
 */
#ifndef INKAN_ADMIN_LIFECYCLE_H
#define INKAN_ADMIN_LIFECYCLE_H

#include "dkim/domain.h"
#include "storage/model.h"

enum lifecycle_step {
    LIFECYCLE_PROVE,    /* staged -> published: DNS shows the record */
    LIFECYCLE_DOUBT,    /* published -> staged: it no longer does */
    LIFECYCLE_ACTIVATE, /* staged, published -> active */
    LIFECYCLE_RETIRE,   /* active -> retiring; the private key is wiped */
    LIFECYCLE_REVOKE,   /* any before -> revoked; the private key is wiped */
    LIFECYCLE_DESTROY,  /* revoked -> destroyed */
};

/* Makes the step in the record: state, its time, the private key if the new state has none, and
 * what DNS was seen to show if it has to show something else now; the key is due at once.
 * ST_DENIED, naming key, state and the states the step is for, when it is not allowed; the record
 * is then as it was. */
enum status lifecycle_step(enum lifecycle_step step, struct key *key, int64_t now_s,
                           struct err *err) MUST_CHECK;
/* "key.prove": the action of its audit event. */
const char *lifecycle_action(enum lifecycle_step step);

/* -- what is due -------------------------------------------------------------------------- */

struct lifecycle_policy {
    int64_t max_age_s; /* by then a key has been replaced, unless it is reserved; 0: never */
    int64_t soak_s, overlap_s, tombstone_s;
    int64_t check_s, retry_s;
    int64_t frozen_until_s; /* seconds since 1970; 0: nothing is frozen now */
    bool publishes;         /* we bring the records to DNS ourselves */
};

/* What else is known about a key when its life goes on. */
struct lifecycle_evidence {
    bool asked;           /* DNS was asked just now, and showed */
    enum key_shown shown; /* this */
    bool successor;       /* a staged or published key of its domain and algorithm */
    bool suspended;       /* its domain or tenant */
    bool wanted;          /* the domain is to have keys of its algorithm */
    bool crowded;         /* it is delegated, and has no free slot for a successor */
};

enum lifecycle_task {
    LIFECYCLE_WAIT, /* nothing to do before at_s */
    LIFECYCLE_ASK,  /* DNS has to be asked, then this once more */
    LIFECYCLE_STEP, /* this step */
    LIFECYCLE_MAKE, /* a successor, for the key to be replaced in time */
    LIFECYCLE_OVER, /* nothing more, ever */
};

struct lifecycle_due {
    enum lifecycle_task task;
    enum lifecycle_step step;
    int64_t at_s;
    const char
        *reason; /* for people: "its record must have been shown for 7200 s" without numbers */
};

struct lifecycle_due lifecycle_next(const struct key *key, const struct lifecycle_policy *policy,
                                    const struct lifecycle_evidence *evidence, int64_t now_s);

/* What people should look at, the worst first. */
enum lifecycle_alarm {
    LIFECYCLE_FINE,
    LIFECYCLE_GONE,    /* DNS does not show the record of a key that signs, or has signed */
    LIFECYCLE_OVERAGE, /* an active key is older than policy */
    LIFECYCLE_STUCK,   /* DNS does not come to show the record of a new key */
};
enum { LIFECYCLE_ALARMS = LIFECYCLE_STUCK + 1 };
enum lifecycle_alarm lifecycle_alarm(const struct key *key, const struct lifecycle_policy *policy,
                                     int64_t now_s);

/* Whether DNS must show something at the selector of a key in that state, or is about to. */
bool lifecycle_has_record(enum key_state state);
/* Whether that is the gravestone, a record without a public key. */
bool lifecycle_is_gravestone(enum key_state state);

/* A selector made from a template: {date} is the day as YYYYMMDD (UTC), {alg} r or e, {n} the
 * number. ST_INVALID when the outcome is no selector. */
struct lifecycle_naming {
    const char *template;
    int64_t algorithm; /* enum dkim_algorithm */
    int64_t now_s;
    int number;
};
enum status lifecycle_selector(const struct lifecycle_naming *naming, char out[DKIM_DOMAIN_SIZE],
                               struct err *err) MUST_CHECK;
/* Whether another number gives another selector. */
bool lifecycle_is_numbered(const char *template);

#endif
