/* SPDX-License-Identifier: Apache-2.0
 *
 * A program that runs beside us, is spoken to over its standard input and answers on its standard
 * output: no shell, nothing of our environment, and a file with secrets that exists in memory only.
 * Only sql/foreign_mysql.c uses it. One thread at a time.
 */
#ifndef INKAN_SQL_FOREIGN_CHILD_H
#define INKAN_SQL_FOREIGN_CHILD_H

#include <sys/types.h>

#include "base/bytes.h"

enum { FOREIGN_CHILD_COMPLAINT_MAX = 4096, FOREIGN_CHILD_SECRETS_FD = 3 };

struct foreign_child {
    pid_t pid;
    int in, out, complaints;                     /* its descriptors 0, 1 and 2 */
    char complaint[FOREIGN_CHILD_COMPLAINT_MAX]; /* what it has said on the last, terminated */
    size_t complaint_len;
};

/* Starts the first of the programs (NULL-terminated) that is there, in $PATH, with the arguments
 * behind its name (NULL-terminated) and with `secrets` to be read as /dev/fd/3. ST_NOT_FOUND: none
 * of them is there. ST_TEMP. foreign_child_stop ends it. */
enum status foreign_child_start(const char *const *programs, const char *const *arguments,
                                struct span secrets, struct foreign_child *out,
                                struct err *err) MUST_CHECK;
/* ST_TEMP: it does not take it by the deadline. ST_NOT_FOUND: it has ended. */
enum status foreign_child_write(struct foreign_child *child, struct span text, int64_t deadline_ms,
                                struct err *err) MUST_CHECK;
/* Appends what it says next, a few KiB at most. ST_TEMP: nothing by the deadline.
 * ST_NOT_FOUND: it will say no more. */
enum status foreign_child_read(struct foreign_child *child, struct buf *out, int64_t deadline_ms,
                               struct err *err) MUST_CHECK;
/* Ends it, at once or by the end of its input, and forgets what it said. One that could not be
 * started is fine. */
void foreign_child_stop(struct foreign_child *child, bool at_once);

#endif
