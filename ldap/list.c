/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/list.h"

#include <stdlib.h>

#include "ldap/entry.h"

void list_clear(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        kind_free(list->kind, list->records[i]);
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

void list_drop(struct list *list)
{
    kind_free(list->kind, list->records[--list->count]);
}

/* A record and where it stood: qsort alone may turn equal ones round. */
struct place {
    void *record;
    size_t at;
};

struct order {
    const struct kind *kind;
    bool descending;
};

static int compare(const void *a, const void *b, void *arg)
{
    const struct order *order = arg;
    const struct place *x = a, *y = b;
    int by_key = kind_compare(order->kind, x->record, y->record);
    if (by_key != 0)
        return order->descending ? -by_key : by_key;
    return (x->at > y->at) - (x->at < y->at);
}

enum status list_sort(struct list *list, bool descending, struct err *err)
{
    struct order order = {list->kind, descending};
    if (list->count < 2)
        return ST_OK;
    struct place *places = calloc(list->count, sizeof *places);
    if (places == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    for (size_t i = 0; i < list->count; i++)
        places[i] = (struct place){list->records[i], i};
    qsort_r(places, list->count, sizeof *places, compare, &order);
    for (size_t i = 0; i < list->count; i++)
        list->records[i] = places[i].record;
    free(places);
    return ST_OK;
}

void list_unique(struct list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (kept > 0 && kind_compare(list->kind, list->records[kept - 1], list->records[i]) == 0)
            kind_free(list->kind, list->records[i]);
        else
            list->records[kept++] = list->records[i];
    }
    list->count = kept;
}
