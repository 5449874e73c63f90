/* SPDX-License-Identifier: Apache-2.0
 *
 * What one reading of the settings makes: all that the workers forked with it need, opened while
 * the process is still root, and the pipe that tells them when a later generation has taken
 * over. Constant once made. Only the supervisor holds generations; workers inherit a copy.
 */
#ifndef INKAN_SERVER_GENERATION_H
#define INKAN_SERVER_GENERATION_H

#include "base/log.h"
#include "server/policy.h"
#include "server/privileges.h"

struct generation {
    unsigned number; /* 1, 2, ... */
    struct settings *settings;
    struct vault *vault;
    struct policy *policy, *shadow; /* the second as trust.shadow says, or NULL */
    struct privileges privileges;
    size_t workers;                /* how many there are to be */
    int retire_read, retire_write; /* closing the write end retires the workers */
};

/* Reads the settings file. Each fault (and each warning) is one line in the buffers. */
enum status generation_read(const char *path, struct settings **out, struct buf *problems,
                            struct buf *warnings) MUST_CHECK;
/* Logs each line of such a buffer. */
void generation_log(enum log_level level, const struct buf *lines);
/* Tests what the settings name without opening anything: lists, store URL, user and group. */
enum status generation_check(const struct settings *settings, struct err *err) MUST_CHECK;
/* Opens the vault and makes the rest. The settings are the generation's on ST_OK only. */
enum status generation_new(struct settings *settings, unsigned number, struct generation **out,
                           struct err *err) MUST_CHECK;
/* Its workers have what they need; those still there are retired. NULL is fine. */
void generation_free(struct generation *generation);

#endif
