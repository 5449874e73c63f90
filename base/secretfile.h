/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading files that hold secrets, which is refused where others could read them, too, or put
 * others in their place. What stands in them is for the callers. Any thread.
 */
#ifndef INKAN_BASE_SECRETFILE_H
#define INKAN_BASE_SECRETFILE_H

#include "base/bytes.h"

enum secretfile_readers {
    SECRETFILE_OWNER, /* mode 0600 or stricter */
    SECRETFILE_GROUP, /* of a file of root's the group as well, mode 0640 */
};

/* The content into a secret buffer, whose limit is how large the file may be. ST_BROKEN: missing,
 * unreadable, too large; ST_DENIED: not a regular file of root or the caller, or one that others
 * may read. The text does not name the file. */
enum status secretfile_read(const char *path, enum secretfile_readers readers, struct buf *out,
                            struct err *err) MUST_CHECK;

#endif
