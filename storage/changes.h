/* SPDX-License-Identifier: Apache-2.0
 *
 * Names that changed and when, as far as a reader of old values must know: a table bounded in
 * size, and a floor for all that the table does not hold. Part of storage/cache.c; under the lock
 * of whoever owns it.
 */
#ifndef INKAN_STORAGE_CHANGES_H
#define INKAN_STORAGE_CHANGES_H

#include "base/bytes.h"

struct changed;

/* Zeroed: nothing has changed. */
struct changes {
    struct changed *names;
    int64_t floor; /* what was read before this position is outdated whatever its name */
};

void changes_clear(struct changes *changes);
/* The name changed at that position of the change feed. A full table is replaced by the floor:
 * more is called outdated than needs be, never less. */
void changes_note(struct changes *changes, const char *name, int64_t position);
/* Nothing read before the position counts any more. */
void changes_forget_before(struct changes *changes, int64_t position);
/* Whether a value of that name, read at that position, is known to be outdated. */
bool changes_outdate(const struct changes *changes, const char *name, int64_t position);

#endif
