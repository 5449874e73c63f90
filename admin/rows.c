/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/rows.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_SIZE = 500 };

void *rows_at(const struct rows *rows, size_t index)
{
    return (char *)rows->records + index * rows->kind->size;
}

enum status rows_take(void *arg, const void *record, struct err *err)
{
    struct rows *rows = arg;
    if (rows->count == rows->cap) {
        size_t cap = rows->cap == 0 ? 16 : rows->cap * 2;
        void *records = reallocarray(rows->records, cap, rows->kind->size);
        if (records == NULL)
            return err_set(err, ST_TEMP, "no memory");
        rows->records = records;
        rows->cap = cap;
    }
    void *place = rows_at(rows, rows->count++);
    memset(place, 0, rows->kind->size);
    return kind_copy(rows->kind, record, place, err);
}

void rows_clear(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        kind_clear(rows->kind, rows_at(rows, i));
    free(rows->records);
    rows->records = NULL;
    rows->count = rows->cap = 0;
}

static struct query_filter *add_filter(struct query *query, const char *field)
{
    struct query_filter *filter = &query->filters[query->filter_count++];
    *filter = (struct query_filter){.field = kind_field(query->kind, span_str(field))};
    return filter;
}

void rows_where_text(struct query *query, const char *field, const char *text)
{
    add_filter(query, field)->text = text;
}

void rows_where_number(struct query *query, const char *field, int64_t number)
{
    add_filter(query, field)->number = number;
}

void rows_where_until(struct query *query, const char *field, int64_t time_s)
{
    struct query_filter *filter = add_filter(query, field);
    filter->until = true;
    filter->number = time_s;
}

enum status rows_walk(struct store *store, const struct query *query, rows_visitor *visit,
                      void *arg, struct err *err)
{
    struct query page_query = *query;
    struct rows page = {.kind = query->kind}, last = {.kind = query->kind};
    enum status status = ST_OK;
    bool more = true;
    page_query.limit = query->limit == 0 ? PAGE_SIZE : query->limit;
    while (status == ST_OK && more) {
        status = store_find(store, &page_query, rows_take, &page, err);
        more = page.count == page_query.limit;
        rows_clear(&last);
        if (status == ST_OK && more)
            status = rows_take(&last, rows_at(&page, page.count - 1), err);
        if (status == ST_OK && page.count > 0)
            status = visit(arg, &page, err);
        page_query.after = last.records;
        more = more && !page.enough;
        rows_clear(&page);
    }
    rows_clear(&last);
    return status;
}

static enum status count_page(void *arg, struct rows *page, struct err *err)
{
    (void)err;
    *(int64_t *)arg += (int64_t)page->count;
    return ST_OK;
}

enum status rows_count(struct store *store, const struct query *query, int64_t *count_out,
                       struct err *err)
{
    *count_out = 0;
    return rows_walk(store, query, count_page, count_out, err);
}
