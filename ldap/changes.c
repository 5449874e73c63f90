/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/changes.h"

#include <inttypes.h>
#include <stdlib.h>

#include "ldap/layout.h"

struct rows {
    struct change *list;
    size_t count;
};

/* Those of one transaction, and the position of the last. */
struct transaction_rows {
    struct rows *rows;
    size_t first; /* in rows */
    int64_t last_position;
};

static enum status add_row(struct rows *rows, struct span value, struct err *err)
{
    uint64_t number = 0;
    struct span part, rest = value;
    bool good = span_next(&rest, ' ', &part) && span_number(part, INT32_MAX, &number) &&
                span_next(&rest, ' ', &part) && rest.len > 0;
    struct change *list = realloc(rows->list, (rows->count + 1) * sizeof *list);
    if (list != NULL)
        rows->list = list;
    if (!good)
        return err_set(err, ST_BROKEN, "ldap: a row of the change feed: not readable");
    struct change row = {
        .position = (int64_t)number, .kind = span_dup(part), .name = span_dup(rest), .version = 1};
    if (list == NULL || row.kind == NULL || row.name == NULL) {
        kind_clear(&kind_change, &row);
        return err_set(err, ST_TEMP, "ldap: a row of the change feed: no memory");
    }
    list[rows->count++] = row;
    return ST_OK;
}

static enum status take_row(void *arg, const char *attribute, struct span value, struct err *err)
{
    struct transaction_rows *rows = arg;
    uint64_t number = 0;
    if (span_equal_nocase(span_str(attribute), SPAN_LIT("inkanChanged")))
        return add_row(rows->rows, value, err);
    if (span_equal_nocase(span_str(attribute), SPAN_LIT("inkanPosition")) &&
        span_number(value, INT64_MAX, &number))
        rows->last_position = (int64_t)number;
    return ST_OK;
}

/* Positions follow each other up to that of the last row. */
static enum status take_rows(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    struct rows *rows = arg;
    struct transaction_rows all = {rows, rows->count, 0};
    enum status st = directory_values(dir, entry, take_row, &all, err);
    int64_t count = (int64_t)(rows->count - all.first);
    for (size_t i = all.first; i < rows->count; i++) {
        rows->list[i].position += all.last_position - count + 1;
        rows->list[i].time = all.last_position / 1000000;
    }
    return st;
}

static int by_position(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    return (x->position > y->position) - (x->position < y->position);
}

static enum status give_rows(const struct rows *rows, const struct change_query *query,
                             driver_row *row, void *arg, struct err *err)
{
    enum status st = ST_OK;
    size_t given = 0;
    for (size_t i = 0; i < rows->count && st == ST_OK && given < query->limit; i++) {
        if (rows->list[i].position <= query->cursor)
            continue;
        st = row(arg, &rows->list[i], err);
        given++;
    }
    return st;
}

enum status changes_read(struct driver_conn *conn, const struct change_query *query,
                         driver_row *row, void *arg, struct err *err)
{
    static const char *const attributes[] = {"inkanPosition", "inkanChanged", NULL};
    struct directory *dir = directory_of(conn);
    struct rows rows = {0};
    struct buf dn = {0}, filter = {0};
    layout_dn(dir, LAYOUT_CHANGES, &dn);
    buf_printf(&filter, "(inkanPosition>=%" PRId64 ")", query->cursor + 1);
    const struct directory_search search = {.base = buf_cstr(&dn),
                                            .scope = LDAP_SCOPE_ONELEVEL,
                                            .filter = buf_cstr(&filter),
                                            .attributes = attributes};
    enum status st = directory_search(dir, &search, take_rows, &rows, err);
    if (st == ST_OK && rows.count > 0) {
        qsort(rows.list, rows.count, sizeof *rows.list, by_position);
        st = give_rows(&rows, query, row, arg, err);
    }
    for (size_t i = 0; i < rows.count; i++)
        kind_clear(&kind_change, &rows.list[i]);
    free(rows.list);
    buf_clear(&dn);
    buf_clear(&filter);
    return st;
}
