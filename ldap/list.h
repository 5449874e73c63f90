/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of one kind, collected to be put in order.
 */
#ifndef INKAN_LDAP_LIST_H
#define INKAN_LDAP_LIST_H

#include "storage/model.h"

struct list {
    const struct kind *kind;
    void **records;
    size_t count, room;
};

/* Frees all records; the kind stays. */
void list_clear(struct list *list);
/* A new zeroed record at the end; NULL without memory. */
void *list_new(struct list *list) MUST_CHECK;
/* Frees the record at the end. */
void list_drop(struct list *list);
/* By primary key. Records that are equal stay in the order they have, also if descending. */
enum status list_sort(struct list *list, bool descending, struct err *err) MUST_CHECK;
/* Of a sorted list: frees all but the first of equal records. */
void list_unique(struct list *list);

#endif
