/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/list.h"

#include <stdlib.h>

#include "ldap/entry.h"

void list_free_record(const struct kind *kind, void *record)
{
    if (record != NULL)
        kind_clear(kind, record);
    free(record);
}

void list_clear(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        list_free_record(list->kind, list->records[i]);
    free(list->records);
    *list = (struct list){.kind = list->kind};
}

void *list_new(struct list *list)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 16 : 2 * list->room;
        void **records = realloc(list->records, room * sizeof *records);
        if (records == NULL)
            return NULL;
        list->records = records;
        list->room = room;
    }
    void *record = calloc(1, list->kind->size);
    if (record != NULL)
        list->records[list->count++] = record;
    return record;
}

static int compare(const void *a, const void *b, void *kind)
{
    return entry_compare(kind, *(void *const *)a, *(void *const *)b);
}

void list_sort(struct list *list, bool descending)
{
    if (list->count == 0)
        return;
    qsort_r(list->records, list->count, sizeof *list->records, compare,
            (void *)(uintptr_t)list->kind);
    for (size_t i = 0; descending && i < list->count / 2; i++) {
        void *other = list->records[list->count - 1 - i];
        list->records[list->count - 1 - i] = list->records[i];
        list->records[i] = other;
    }
}

void list_unique(struct list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (kept > 0 && entry_compare(list->kind, list->records[kept - 1], list->records[i]) == 0)
            list_free_record(list->kind, list->records[i]);
        else
            list->records[kept++] = list->records[i];
    }
    list->count = kept;
}
