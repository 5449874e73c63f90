/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker process: it gives up root, opens its own store and keyring, lets libmilter serve the
 * connections, follows the change feed, and leaves in order when told to. Forked by the
 * supervisor, which opened all that needs root and which alone decides when a worker ends.
 *
 * A worker is told by pipes whose other ends only the supervisor holds, so that its death tells,
 * too. It never ends for a fault of the data base.
 */
#ifndef INKAN_SERVER_WORKER_H
#define INKAN_SERVER_WORKER_H

#include "server/counters.h"
#include "server/listener.h"
#include "server/policy.h"
#include "server/privileges.h"

/* All borrowed. */
struct worker_options {
    const struct settings *settings;
    const struct vault *vault;
    const struct policy *policy, *shadow; /* the second may be NULL */
    const struct privileges *privileges;
    struct counters *counters;
    const struct listener *listener;
    int ready_fd;  /* the process id (pid_t) is written here once, when connections are served */
    int retire_fd; /* end of file: a new generation has taken over */
    int stop_fd;   /* end of file: the service ends, or the supervisor is gone */
};

/* Runs the worker in this (single-threaded) process and returns its exit code: 0 after a drain,
 * that of the class of the error when it cannot start or libmilter fails. Call exit with it. */
int worker_run(const struct worker_options *options);

#endif
