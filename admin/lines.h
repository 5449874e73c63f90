/* SPDX-License-Identifier: Apache-2.0
 *
 * One line, or one CSV record, after the other from a file of any length, in memory that does
 * not grow with it. Lines may hold private keys, so all memory is wiped. One thread.
 */
#ifndef INKAN_ADMIN_LINES_H
#define INKAN_ADMIN_LINES_H

#include "base/bytes.h"

enum { LINES_OCTETS_MAX = 65536 }; /* of one line or record */

struct lines {
    int fd;
    bool csv;           /* set by the caller: line ends inside quotes belong to the record */
    struct buf text;    /* the line, without its end */
    int64_t number;     /* where it began, from 1 */
    int64_t size, done; /* octets of a regular file, 0: of something else; octets taken */
    int64_t next_number;
    struct buf chunk; /* read and not yet taken, from `at` on */
    size_t at;
    int fault; /* errno of a read that failed */
};

/* Opens a file, "-" for standard input, and passes over a byte order mark. ST_INVALID when it
 * cannot be read. Close with lines_close also after a failure. */
enum status lines_open(const char *path, struct lines *out, struct err *err) MUST_CHECK;
void lines_close(struct lines *lines);

/* The first octet that is not blank, which is not taken; -1 for a file without. */
int lines_peek(struct lines *lines);
/* Reads the next line. ST_NOT_FOUND at the end; ST_INVALID for one that is too long, which is
 * passed over; ST_TEMP when reading fails. */
enum status lines_next(struct lines *lines, struct err *err) MUST_CHECK;

#endif
