/* SPDX-License-Identifier: Apache-2.0
 *
 * The file that holds the supervisor's process id, for those who stop or reload by hand.
 */
#ifndef INKAN_SERVER_PIDFILE_H
#define INKAN_SERVER_PIDFILE_H

#include "base/bytes.h"

struct pidfile {
    char *path; /* NULL: none was asked for */
};

/* Writes the file anew; "" asks for none. ST_INVALID when it cannot be written. */
enum status pidfile_write(const char *path, struct pidfile *out, struct err *err) MUST_CHECK;
void pidfile_remove(struct pidfile *pidfile); /* and frees; a zeroed one is fine */

#endif
