/* SPDX-License-Identifier: Apache-2.0
 *
 * Names that changed and when, as far as a reader of old values must know: a table bounded in
 * size, and a floor for all that the table does not hold. Part of storage/cache.c; under the lock
 * of whoever owns it.
 */
#ifndef INKAN_STORAGE_CHANGES_H
#define INKAN_STORAGE_CHANGES_H

#include "base/bytes.h"

/* A place in the history of the store: what was read before that position of the change feed, or
 * not after that time, is outdated. Changes made by other programs have no position. */
struct moment {
    int64_t position;
    int64_t ms; /* monotonic; of a change 0: it has no time */
};
/* Whether what was read at `read` is outdated by a change at `change`. */
bool changes_moment_outdates(struct moment change, struct moment read);

struct changed;

/* Zeroed: nothing has changed. */
struct changes {
    struct changed *names;
    struct moment floor; /* of whatever name */
};

void changes_clear(struct changes *changes);
/* The name changed. A full table is replaced by the floor: more is called outdated than needs be,
 * never less. */
void changes_note(struct changes *changes, const char *name, struct moment change);
/* All names have. */
void changes_note_all(struct changes *changes, struct moment change);
/* Whether a value of that name is known to be outdated. */
bool changes_outdate(const struct changes *changes, const char *name, struct moment read);

#endif
