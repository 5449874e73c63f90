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

static enum status write_row(const struct feed_row *row, struct driver_conn *conn, struct err *err)
{
    struct change change = {.time = clock_now_s()};
    change.kind = span_dup(span_str(row->kind));
    change.name = span_dup(span_str(bare_name(row)));
    enum status st = ST_TEMP;
    if (change.kind != NULL && change.name != NULL)
        st = conn->driver->put(conn, &kind_change, &change, err);
    else
        err_set(err, ST_TEMP, "no memory");
    kind_clear(&kind_change, &change);
    return st;
}

enum status feed_write(const struct feed *feed, struct driver_conn *conn, struct err *err)
{
    for (const struct feed_row *row = feed->rows; row != NULL; row = row->hh.next) {
        if (write_row(row, conn, err) != ST_OK)
            return err_context(err, "change feed");
    }
    return ST_OK;
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
