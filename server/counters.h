/* SPDX-License-Identifier: Apache-2.0
 *
 * What inkand counts: one block of atomic numbers in memory that the supervisor makes before it
 * forks, so that all workers add to the same numbers, a worker that crashes takes none away, and
 * whoever reports them (a metrics page) reads one place. Not a log and not per tenant.
 *
 * Any thread of any process of the daemon. Numbers only ever grow.
 */
#ifndef INKAN_SERVER_COUNTERS_H
#define INKAN_SERVER_COUNTERS_H

#include <stdatomic.h>

#include "dkim/crypto.h"

enum counters_result {
    COUNTERS_SIGNED,
    COUNTERS_UNSIGNED,
    COUNTERS_TEMPFAIL,
    COUNTERS_ABORTED, /* the client or the MTA gave up before the end of the message */
    COUNTERS_RESULTS,
};

struct counters {
    _Atomic int64_t messages[COUNTERS_RESULTS];
    _Atomic int64_t signatures[DKIM_ALGORITHMS];
    _Atomic int64_t worker_restarts;
};

/* Zeroed shared memory; NULL when there is none. */
struct counters *counters_new(void) MUST_CHECK;
void counters_free(struct counters *counters); /* NULL is fine */
void counters_add(_Atomic int64_t *counter);
/* "signed", "unsigned", "tempfail", "aborted" */
const char *counters_result_name(enum counters_result result);

#endif
