/* SPDX-License-Identifier: Apache-2.0
 *
 * A key's life as pure functions: which step an operator may make from which state, and what it
 * changes in the record. No store, no clock, no DNS: `now_s` is handed in. What is due by itself
 * is not decided here. Any thread.
 */
#ifndef INKAN_ADMIN_LIFECYCLE_H
#define INKAN_ADMIN_LIFECYCLE_H

#include "dkim/domain.h"
#include "storage/model.h"

enum lifecycle_step {
    LIFECYCLE_ACTIVATE, /* staged, published -> active */
    LIFECYCLE_RETIRE,   /* active -> retiring; the private key is wiped */
};

/* Makes the step in the record: state, its time, and the private key if the new state has none.
 * ST_DENIED, naming key, state and the states the step is for, when it is not allowed; the
 * record is then as it was. */
enum status lifecycle_step(enum lifecycle_step step, struct key *key, int64_t now_s,
                           struct err *err) MUST_CHECK;

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
