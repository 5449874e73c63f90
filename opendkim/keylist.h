/* SPDX-License-Identifier: Apache-2.0
 *
 * KeyList, which versions before 2.0 had instead of KeyTable and SigningTable: lines of
 * `pattern:domain:path`. The first pattern that matches the author's address (`*` for anything,
 * case does not matter) decides; the last part of the path is the selector, and the file may be
 * the path with .pem or .private behind it. Immutable once read: any thread.
 */
#ifndef INKAN_OPENDKIM_KEYLIST_H
#define INKAN_OPENDKIM_KEYLIST_H

#include "opendkim/notes.h"

struct keylist_row {
    char *pattern, *domain, *selector, *path;
    size_t line;
};

struct keylist {
    struct keylist_row *list;
    size_t count, cap;
};

/* Reads a file into a zeroed list; a line that is none is noted as refused and passed over. What
 * files_read says; the text names the file. Clear also after a failure. */
enum status keylist_read(const char *path, struct notes *notes, struct keylist *out,
                         struct err *err) MUST_CHECK;
void keylist_clear(struct keylist *list);
/* The row for an address, or NULL. */
const struct keylist_row *keylist_find(const struct keylist *list, struct span address);
/* Appends the name of the file that is there, or the path as it stands. */
void keylist_file(const struct keylist_row *row, struct buf *out);

#endif
