/* SPDX-License-Identifier: Apache-2.0
 *
 * A progress bar on standard error, if that is a terminal; nothing anywhere else. One thread.
 */
#ifndef INKAN_ADMIN_PROGRESS_H
#define INKAN_ADMIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what;
    int64_t done, total;
    int64_t drawn_ms; /* when it was last drawn */
    bool shown;       /* there is a terminal */
};

/* Total 0: nobody knows; only the count is shown then. */
void progress_begin(struct progress *progress, const char *what, int64_t total);
/* Draws at most ten times a second. */
void progress_add(struct progress *progress, int64_t steps);
/* Takes the bar away; the next step would draw it again. */
void progress_end(struct progress *progress);

#endif
