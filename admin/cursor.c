/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/cursor.h"

enum { PAGE_SIZE = 500 };

void cursor_init(struct cursor *cursor, struct store *store, const struct kind *kind)
{
    *cursor = (struct cursor){.store = store,
                              .query = {.kind = kind, .limit = PAGE_SIZE},
                              .page = {.kind = kind},
                              .last = {.kind = kind}};
}

void cursor_clear(struct cursor *cursor)
{
    rows_clear(&cursor->page);
    rows_clear(&cursor->last);
}

/* Walking two stores side by side is only right if both keep the order. */
static enum status check_order(const struct cursor *cursor, struct err *err)
{
    const struct kind *kind = cursor->query.kind;
    const void *before = cursor->last.count > 0 ? rows_at(&cursor->last, 0) : NULL;
    for (size_t i = 0; i < cursor->page.count; i++) {
        const void *record = rows_at(&cursor->page, i);
        if (before != NULL && kind_compare(kind, before, record) >= 0)
            return err_set(err, ST_BROKEN, "%s does not give records of kind %s in their order",
                           store_driver(cursor->store), kind->name);
        before = record;
    }
    return ST_OK;
}

static enum status read_page(struct cursor *cursor, struct err *err)
{
    enum status status = ST_OK;
    if (cursor->page.count > 0) {
        rows_clear(&cursor->last);
        status = rows_take(&cursor->last, rows_at(&cursor->page, cursor->page.count - 1), err);
    }
    rows_clear(&cursor->page);
    cursor->at = 0;
    cursor->query.after = cursor->last.records;
    if (status == ST_OK)
        status = store_find(cursor->store, &cursor->query, rows_take, &cursor->page, err);
    cursor->ended = cursor->page.count < PAGE_SIZE;
    return status == ST_OK ? check_order(cursor, err) : status;
}

enum status cursor_peek(struct cursor *cursor, void **record_out, struct err *err)
{
    enum status status = ST_OK;
    if (cursor->at == cursor->page.count && !cursor->ended)
        status = read_page(cursor, err);
    bool behind = status != ST_OK || cursor->at == cursor->page.count;
    *record_out = behind ? NULL : rows_at(&cursor->page, cursor->at);
    return status;
}

void cursor_next(struct cursor *cursor)
{
    cursor->at++;
}
