/* SPDX-License-Identifier: Apache-2.0
 *
 * What storage/store.c (the pool and reads) and storage/store_tx.c (changes) share. Nobody else
 * includes this.
 */
#ifndef INKAN_STORAGE_STORE_INTERNAL_H
#define INKAN_STORAGE_STORE_INTERNAL_H

#include <stdatomic.h>

#include "storage/pool.h"
#include "storage/store.h"

struct store {
    const struct driver *driver;
    char *url, *actor;
    const struct settings_ldap *ldap;
    int64_t timeout_ms;
    struct pool *pool;
    _Atomic int64_t errors;
    atomic_bool down;
    struct driver_conn *watcher; /* NULL: none; with the next two, of the thread that watches */
    int watch_fd;
    int64_t watch_again_ms, watch_wait_ms;
};

/* Counts a failure of the data base, and whether it is up; gives `st` back. */
enum status store_counted(struct store *store, enum status st);
/* Makes ST_NOT_FOUND name the record. */
enum status store_name_missing(enum status st, const struct kind *kind, const void *record,
                               struct err *err);

#endif
