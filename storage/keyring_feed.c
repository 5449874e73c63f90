/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "storage/keyring_internal.h"

enum { FEED_PAGE = 1000 };

struct page {
    struct keyring *keyring;
    size_t rows;
};

/* Of a kind that is not known: anything may have changed. Other programs are said to have changed
 * "all" whenever the watch begins anew, as after an outage; the next one must find the keys. */
static void outdate(struct keyring *keyring, const struct change *change, struct moment moment)
{
    char tenant[PROFILE_TENANT_SIZE];
    if (strcmp(change->kind, "tenant") == 0) {
        cache_group_changed(keyring->cache, change->name, moment);
        if (profile_tenant_name(change->name, tenant)) /* there may have been none */
            cache_changed(keyring->cache, tenant, moment);
    } else if (strcmp(change->kind, "domain") == 0) {
        cache_changed(keyring->cache, change->name, moment);
    } else if (moment.ms != 0) {
        cache_all_doubted(keyring->cache, moment.ms);
    } else {
        cache_all_changed(keyring->cache, moment);
    }
}

static enum status take_change(void *arg, const void *record, struct err *err)
{
    struct page *page = arg;
    const struct change *change = record;
    (void)err;
    outdate(page->keyring, change, (struct moment){.position = change->position});
    page->keyring->cursor = change->position;
    page->rows++;
    return ST_OK;
}

/* The first poll starts some way back in the feed: what was cached until now was read after that
 * point and is dropped by its row if it has changed unseen, or was read before it and is dropped
 * here. */
static enum status begin_feed(struct keyring *keyring, struct err *err)
{
    int64_t newest = 0;
    enum status st = store_position(keyring->store, &newest, err);
    if (st != ST_OK)
        return st;
    int64_t history = store_history(keyring->store);
    keyring->cursor = newest > history ? newest - history : 0;
    cache_all_changed(keyring->cache, (struct moment){.position = keyring->cursor});
    keyring->begun = true;
    return ST_OK;
}

enum status keyring_poll(struct keyring *keyring, struct err *err)
{
    struct page page = {.keyring = keyring};
    enum status st = keyring->begun ? ST_OK : begin_feed(keyring, err);
    if (st != ST_OK)
        return st;
    do {
        const struct change_query query = {.cursor = keyring->cursor, .limit = FEED_PAGE};
        page.rows = 0;
        st = store_changes(keyring->store, &query, take_change, &page, err);
        if (st != ST_OK)
            return st;
    } while (page.rows == FEED_PAGE);
    atomic_store(&keyring->current, true);
    return ST_OK;
}

static enum status take_foreign(void *arg, const void *record, struct err *err)
{
    (void)err;
    outdate(arg, record, (struct moment){.ms = clock_monotonic_ms()});
    return ST_OK;
}

void keyring_listen(struct keyring *keyring)
{
    store_watched(keyring->store, take_foreign, keyring);
}
