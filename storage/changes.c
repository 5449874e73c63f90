/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/changes.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { NAMES_MAX = 1024 };

struct changed {
    struct moment change;
    UT_hash_handle hh;
    char name[];
};

static void forget(struct changes *changes)
{
    struct changed *each = NULL, *next = NULL;
    HASH_ITER(hh, changes->names, each, next)
    {
        HASH_DEL(changes->names, each);
        free(each);
    }
}

void changes_clear(struct changes *changes)
{
    forget(changes);
    *changes = (struct changes){0};
}

static struct changed *add(struct changes *changes, const char *name)
{
    size_t len = strlen(name);
    struct changed *changed = NULL;
    if (HASH_COUNT(changes->names) < NAMES_MAX)
        changed = calloc(1, sizeof *changed + len + 1);
    if (changed != NULL) {
        memcpy(changed->name, name, len + 1);
        HASH_ADD_STR(changes->names, name, changed);
    }
    if (changed != NULL && changed->hh.tbl == NULL) {
        free(changed);
        return NULL;
    }
    return changed;
}

static void advance(struct moment *moment, struct moment to)
{
    if (moment->position < to.position)
        moment->position = to.position;
    if (moment->ms < to.ms)
        moment->ms = to.ms;
}

bool changes_moment_outdates(struct moment change, struct moment read)
{
    return read.position < change.position || (change.ms != 0 && read.ms <= change.ms);
}

void changes_note(struct changes *changes, const char *name, struct moment change)
{
    struct changed *changed = NULL;
    HASH_FIND_STR(changes->names, name, changed);
    if (changed == NULL)
        changed = add(changes, name);
    if (changed == NULL) {
        forget(changes);
        changes_note_all(changes, change);
    } else {
        advance(&changed->change, change);
    }
}

void changes_note_all(struct changes *changes, struct moment change)
{
    advance(&changes->floor, change);
}

bool changes_outdate(const struct changes *changes, const char *name, struct moment read)
{
    struct changed *changed = NULL;
    HASH_FIND_STR(changes->names, name, changed);
    return changes_moment_outdates(changes->floor, read) ||
           (changed != NULL && changes_moment_outdates(changed->change, read));
}
