/* SPDX-License-Identifier: Apache-2.0
 *
 * How a worker stops serving without cutting anybody off. A thread of its own waits for the
 * supervisor's word, takes the worker's hand off the listening socket at once, waits until the
 * sessions are done or the time is up, and then makes smfi_main return.
 */
#ifndef INKAN_SERVER_DRAIN_H
#define INKAN_SERVER_DRAIN_H

#include <pthread.h>

#include "server/session.h"

/* How long a retired worker goes on for MTAs that never pause. */
enum { DRAIN_RETIRED_LIMIT_MS = 600000 };

struct drain {
    struct session_service *service;
    int64_t drain_ms;
    int listen_fd;
    int retire_fd, stop_fd; /* of struct worker_options */
    pthread_t main_thread;  /* the one in smfi_main */
    int left_fd;            /* an eventfd: smfi_main has returned */
    pthread_t thread;
};

/* Starts the thread; the first six members are the caller's to fill in, and the calling thread
 * must be the one that goes into smfi_main. */
enum status drain_start(struct drain *drain, struct err *err) MUST_CHECK;
/* To be called when smfi_main has returned, for whatever reason: waits until no message is in
 * work any more, or the time is up. False when connections are left: their threads still use
 * everything, so the process must end (_exit) without freeing anything. */
bool drain_finish(struct drain *drain);

#endif
