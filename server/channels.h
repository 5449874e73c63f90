/* SPDX-License-Identifier: Apache-2.0
 *
 * What the supervisor hears and how it speaks to its workers: its signals as a descriptor, the
 * pipe on which workers report that they serve, and the pipe whose end of file stops them. Made
 * once, before the first fork. All descriptors close on exec.
 */
#ifndef INKAN_SERVER_CHANNELS_H
#define INKAN_SERVER_CHANNELS_H

#include "base/err.h"

struct channels {
    int signals; /* a signalfd of SIGTERM, SIGINT, SIGHUP and SIGCHLD, not blocking */
    int ready_read, ready_write; /* process ids (pid_t), reading does not block */
    int stop_read, stop_write;
};

/* Blocks the signals and opens the rest. Close also after a failure. */
enum status channels_open(struct channels *out, struct err *err) MUST_CHECK;
/* In a new worker: closes the supervisor's ends. The signals stay blocked. */
void channels_leave_to_supervisor(struct channels *channels);
/* Tells all workers of all generations to stop. */
void channels_stop(struct channels *channels);
void channels_close(struct channels *channels);
/* Closes a descriptor that is there (not -1) and forgets it. */
void channels_close_end(int *fd);

#endif
