/* SPDX-License-Identifier: Apache-2.0
 *
 * Frees sessions that libmilter has forgotten to serve.
 *
 * Debian's libmilter runs sessions on a pool of threads and counts a thread as idle until it has
 * really woken up. When two sessions have something to read at nearly the same moment, both may
 * be left to the same sleeping thread: it takes one, and the other waits until any thread of the
 * pool is done with its session. On a busy service that can be for ever.
 *
 * So a thread of ours looks ten times a second whether what an MTA has sent lies unread. If so
 * it opens and closes a connection to our own socket. libmilter starts a thread for it, which is
 * done with it at once, looks for sessions that are ready, and takes the forgotten one. Nobody
 * notices a connection too many: it comes and goes without a word.
 */
#ifndef INKAN_SERVER_RESCUE_H
#define INKAN_SERVER_RESCUE_H

#include <pthread.h>

#include "base/sockname.h"

struct rescue {
    const struct sockname *name; /* where we listen; borrowed */
    int *unread;                 /* by descriptor: octets that were waiting at the last look */
    int end_fd;                  /* an eventfd */
    pthread_t thread;
};

/* ST_TEMP when there is no memory or thread for it. */
enum status rescue_start(struct rescue *rescue, const struct sockname *name,
                         struct err *err) MUST_CHECK;
/* A zeroed struct, or one that did not start, is fine. */
void rescue_stop(struct rescue *rescue);

#endif
