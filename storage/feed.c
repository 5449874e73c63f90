/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/feed.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"

struct feed_row {
    const char *kind; /* "domain" or "tenant" */
    UT_hash_handle hh;
    char name[]; /* `kind|name`: a tenant may be called like a domain */
};

static const char *bare_name(const struct feed_row *row)
{
    return row->name + strlen(row->kind) + 1;
}

/* The name under which readers have what the record says. A place is told of like a domain: it is
 * the name of a cache entry. */
static struct span name_of(const struct kind *kind, const void *record, const char **sort_out)
{
    struct span place = kind_place_of(kind, record), domain = kind_domain_of(kind, record);
    *sort_out = place.len > 0 || domain.len > 0 ? "domain" : "tenant";
    return place.len > 0 ? place : domain.len > 0 ? domain : kind_tenant_of(kind, record);
}

enum status feed_note(struct feed *feed, const struct kind *kind, const void *record,
                      struct err *err)
{
    const char *sort = "domain";
    struct span name = name_of(kind, record, &sort);
    if (name.len == 0 || kind == &kind_event)
        return ST_OK;
    size_t len = strlen(sort) + 1 + name.len;
    struct feed_row *row = calloc(1, sizeof *row + len + 1), *old = NULL;
    if (row == NULL)
        return err_set(err, ST_TEMP, "no memory");
    row->kind = sort;
    memcpy(row->name, sort, strlen(sort));
    row->name[strlen(sort)] = '|';
    memcpy(row->name + strlen(sort) + 1, name.data, name.len);
    HASH_FIND_STR(feed->rows, row->name, old);
    if (old == NULL)
        HASH_ADD_STR(feed->rows, name, row);
    if (row->hh.tbl != NULL)
        return ST_OK;
    free(row);
    return old != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
}

/* Borrows the names. */
static struct change change_of(const struct feed_row *row, int64_t version)
{
    return (struct change){.kind = (char *)(uintptr_t)row->kind,
                           .name = (char *)(uintptr_t)bare_name(row),
                           .time = clock_now_s(),
                           .version = version};
}

static enum status put_each(const struct feed *feed, struct driver_conn *conn, struct err *err)
{
    enum status st = ST_OK;
    for (const struct feed_row *row = feed->rows; st == ST_OK && row != NULL; row = row->hh.next) {
        struct change change = change_of(row, 0);
        st = conn->driver->put(conn, &kind_change, &change, err);
    }
    return st;
}

static enum status add_all(const struct feed *feed, struct driver_conn *conn, struct err *err)
{
    size_t count = 0;
    struct change *changes = calloc(HASH_COUNT(feed->rows), sizeof *changes);
    void **records = calloc(HASH_COUNT(feed->rows), sizeof *records);
    enum status st = ST_TEMP;
    for (const struct feed_row *row = feed->rows; changes != NULL && records != NULL && row != NULL;
         row = row->hh.next) {
        changes[count] = change_of(row, 1);
        records[count] = &changes[count];
        count++;
    }
    if (count > 0)
        st = conn->driver->add(conn, &kind_change, records, count, err);
    else
        err_set(err, ST_TEMP, "no memory");
    free(changes);
    free(records);
    return st;
}

enum status feed_write(const struct feed *feed, struct driver_conn *conn, struct err *err)
{
    bool many = HASH_COUNT(feed->rows) > 1 && conn->driver->add != NULL;
    enum status st = many ? add_all(feed, conn, err) : put_each(feed, conn, err);
    return st == ST_OK ? ST_OK : err_context(err, "change feed");
}

void feed_clear(struct feed *feed)
{
    struct feed_row *each = NULL, *next = NULL;
    HASH_ITER(hh, feed->rows, each, next)
    {
        HASH_DEL(feed->rows, each);
        free(each);
    }
}
