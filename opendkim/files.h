/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding a file, beneath another root directory too, and reading it as a whole, where neither its
 * owner nor its mode matters (keys of private use have opendkim/safekeys.h besides). Any thread.
 */
#ifndef INKAN_OPENDKIM_FILES_H
#define INKAN_OPENDKIM_FILES_H

#include <limits.h>

#include "base/bytes.h"

enum {
    FILES_TABLE_MAX = 512 * 1024 * 1024,
    FILES_CONFIGURATION_MAX = 64 * 1024 * 1024,
    FILES_KEY_MAX = 64 * 1024, /* OpenDKIM reads no more of a key */
};

/* Where a file really is, without symbolic links. The first `root_len` octets are the root
 * directory it was looked for beneath; 0: that is /. */
struct files_place {
    char path[PATH_MAX];
    size_t root_len;
};

/* Finds `path` as a process would whose root directory is `root` (NULL: /): a symbolic link to
 * /x leads to x in there, and no .. leaves it. ST_NOT_FOUND: there is none; ST_BROKEN: it cannot be
 * reached. The text does not name the file. */
enum status files_resolve(const char *root, const char *path, struct files_place *out,
                          struct err *err) MUST_CHECK;
/* Appends the content to `out`, whose limit is how large the file may be. ST_NOT_FOUND: there is
 * none; ST_INVALID: not a regular file, or too large; ST_BROKEN: it cannot be read. The text does
 * not name the file. */
enum status files_read(const char *path, struct buf *out, struct err *err) MUST_CHECK;

#endif
