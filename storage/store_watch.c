/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "storage/store_internal.h"

enum { WAIT_MIN_MS = 1000, WAIT_MAX_MS = 60000 };

/* A standby cannot be listened to, so the next try may be far off. */
static void give_up(struct store *store)
{
    if (store->watcher != NULL)
        store->driver->close(store->watcher);
    store->watcher = NULL;
    store->watch_wait_ms = store->watch_wait_ms == 0 ? WAIT_MIN_MS : 2 * store->watch_wait_ms;
    if (store->watch_wait_ms > WAIT_MAX_MS)
        store->watch_wait_ms = WAIT_MAX_MS;
    store->watch_again_ms = clock_monotonic_ms() + store->watch_wait_ms;
}

static enum status begin(struct store *store)
{
    const struct driver_options options = {
        .url = store->url, .ldap = store->ldap, .version = STORE_SCHEMA_VERSION};
    struct err err = {0};
    int64_t deadline_ms = clock_monotonic_ms() + store->timeout_ms;
    enum status st = store->driver->open(&options, deadline_ms, &store->watcher, &err);
    if (st != ST_OK)
        return st;
    store->watcher->deadline_ms = deadline_ms;
    return store->driver->watch(store->watcher, &store->watch_fd, &err);
}

int store_watch(struct store *store)
{
    if (store->driver->watch == NULL)
        return -1;
    if (store->watcher == NULL && clock_monotonic_ms() >= store->watch_again_ms &&
        begin(store) != ST_OK)
        give_up(store);
    return store->watcher != NULL ? store->watch_fd : -1;
}

void store_watched(struct store *store, driver_row *row, void *arg)
{
    struct err err = {0};
    if (store->watcher == NULL)
        return;
    store->watcher->deadline_ms = clock_monotonic_ms() + store->timeout_ms;
    if (store->driver->watched(store->watcher, row, arg, &err) != ST_OK)
        give_up(store);
    else
        store->watch_wait_ms = 0;
}
