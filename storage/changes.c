/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/changes.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { NAMES_MAX = 1024 };

struct changed {
    int64_t position;
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
    return changed;
}

void changes_note(struct changes *changes, const char *name, int64_t position)
{
    struct changed *changed = NULL;
    HASH_FIND_STR(changes->names, name, changed);
    if (changed == NULL)
        changed = add(changes, name);
    if (changed == NULL) {
        forget(changes);
        changes_forget_before(changes, position);
    } else if (changed->position < position) {
        changed->position = position;
    }
}

void changes_forget_before(struct changes *changes, int64_t position)
{
    if (changes->floor < position)
        changes->floor = position;
}

bool changes_outdate(const struct changes *changes, const char *name, int64_t position)
{
    struct changed *changed = NULL;
    HASH_FIND_STR(changes->names, name, changed);
    return position < changes->floor || (changed != NULL && position < changed->position);
}
