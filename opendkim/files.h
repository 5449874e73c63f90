/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading a file as a whole, where neither its owner nor its mode matters (keys of private use
 * have opendkim/safekeys.h besides). Any thread.
 */
#ifndef INKAN_OPENDKIM_FILES_H
#define INKAN_OPENDKIM_FILES_H

#include "base/bytes.h"

enum {
    FILES_TABLE_MAX = 512 * 1024 * 1024,
    FILES_CONFIGURATION_MAX = 64 * 1024 * 1024,
    FILES_KEY_MAX = 64 * 1024, /* OpenDKIM reads no more of a key */
};

/* Appends the content to `out`, whose limit is how large the file may be. ST_NOT_FOUND: there is
 * none; ST_INVALID: not a regular file, or too large; ST_BROKEN: it cannot be read. The text does
 * not name the file. */
enum status files_read(const char *path, struct buf *out, struct err *err) MUST_CHECK;

#endif
