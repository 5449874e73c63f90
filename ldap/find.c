/* SPDX-License-Identifier: Apache-2.0
 *
 * A directory gives entries in no order and knows no "the next hundred after this one". So a find
 * first asks for the primary keys of all that match, sorts them, and then fetches the records in
 * portions. When there is a limit, what is left of the keys is kept with the connection: the next
 * find most likely asks for what comes after the last one given, and goes on with them. Records
 * added in between are not in it; those removed are passed over.
 */
#include "ldap/find.h"

#include <stdlib.h>

#include "ldap/entry.h"
#include "ldap/filter.h"
#include "ldap/list.h"
#include "ldap/map.h"
#include "ldap/transaction.h"

enum { PORTION = 100 };

struct walk {
    struct list keys;
    struct buf filter; /* what was asked for, and still must be so when records are fetched */
    bool descending;
    bool whole; /* they are not only keys, but all of the records */
    size_t next;
};

/* An access rule may hide what names a record; then it can neither be asked for nor be put in
 * order. */
static bool has_key(const struct kind *kind, const void *record)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if (field->flags & FIELD_KEY && field->type == FIELD_TEXT &&
            *field_text(field, record) == NULL)
            return false;
    }
    return true;
}

static enum status take_record(void *arg, struct directory *dir, LDAPMessage *entry,
                               struct err *err)
{
    struct list *list = arg;
    void *record = list_new(list);
    if (record == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    enum status st = entry_read(dir, entry, list->kind, record, err);
    if (st == ST_OK && !has_key(list->kind, record))
        list_drop(list);
    return st;
}

/* -- the keys of all that match ----------------------------------------------------------- */

static enum status search_keys(struct directory *dir, const char *filter, struct list *out,
                               struct err *err)
{
    char **attributes = entry_attributes(out->kind, true);
    if (attributes == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    const struct directory_search search = {.base = dir->root,
                                            .scope = LDAP_SCOPE_SUBTREE,
                                            .filter = filter,
                                            .attributes = (const char *const *)attributes};
    enum status st = directory_search(dir, &search, take_record, out, err);
    entry_attributes_free(attributes);
    return st;
}

/* Takes out what the open transaction has changed. */
static void drop_changed(const struct directory *dir, struct list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (transaction_pending(dir, list->kind, list->records[i]) == NULL)
            list->records[kept++] = list->records[i];
        else
            kind_free(list->kind, list->records[i]);
    }
    list->count = kept;
}

/* What the open transaction does to the list: its records in the place of those stored. */
static enum status apply_pending(const struct directory *dir, const struct query *query,
                                 struct list *keys, struct err *err)
{
    drop_changed(dir, keys);
    for (size_t i = 0; i < dir->tx->pending_count; i++) {
        const struct pending *pending = &dir->tx->pending[i];
        if (pending->kind != keys->kind || pending->dn == NULL ||
            !filter_matches(query, pending->record))
            continue;
        void *record = list_new(keys);
        if (record == NULL)
            return err_set(err, ST_TEMP, "ldap: no memory");
        enum status st = kind_copy(keys->kind, pending->record, record, err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* -- walks -------------------------------------------------------------------------------- */

static void free_walk(struct walk *walk)
{
    if (walk == NULL)
        return;
    list_clear(&walk->keys);
    buf_clear(&walk->filter);
    free(walk);
}

void find_forget(struct directory *dir)
{
    free_walk(dir->walk);
    dir->walk = NULL;
}

/* Whether the walk that was kept goes on right after the record that is asked for. */
static bool goes_on(const struct walk *walk, const struct query *query, const struct buf *filter)
{
    return walk != NULL && query->after != NULL && walk->keys.kind == query->kind &&
           walk->descending == query->descending && walk->next > 0 &&
           span_equal(buf_span(&walk->filter), buf_span(filter)) &&
           kind_compare(query->kind, walk->keys.records[walk->next - 1], query->after) == 0;
}

static bool comes_after(const struct query *query, const void *record)
{
    if (query->after == NULL)
        return true;
    int order = kind_compare(query->kind, record, query->after);
    return query->descending ? order < 0 : order > 0;
}

static void keep_matching(const struct query *query, struct list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (filter_matches(query, list->records[i]))
            list->records[kept++] = list->records[i];
        else
            kind_free(list->kind, list->records[i]);
    }
    list->count = kept;
}

static enum status collect(struct directory *dir, const struct query *query, struct walk *walk,
                           struct err *err)
{
    struct list *keys = &walk->keys;
    enum status st = ST_OK;
    if (dir->map != NULL) {
        walk->whole = true;
        st = map_collect(dir, keys, err);
        keep_matching(query, keys);
    } else {
        st = search_keys(dir, buf_cstr(&walk->filter), keys, err);
        if (st == ST_OK && dir->tx != NULL)
            st = apply_pending(dir, query, keys, err);
    }
    if (st == ST_OK)
        st = list_sort(keys, query->descending, err);
    if (st == ST_OK)
        list_unique(keys);
    return st;
}

/* Takes over `filter`. */
static enum status new_walk(struct directory *dir, const struct query *query, struct buf *filter,
                            struct walk **out, struct err *err)
{
    struct walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    *walk = (struct walk){.keys.kind = query->kind, .descending = query->descending};
    walk->filter = *filter;
    *filter = (struct buf){0};
    enum status st = collect(dir, query, walk, err);
    if (st != ST_OK) {
        free_walk(walk);
        return st;
    }
    while (walk->next < walk->keys.count && !comes_after(query, walk->keys.records[walk->next]))
        walk->next++;
    *out = walk;
    return ST_OK;
}

/* -- portions ----------------------------------------------------------------------------- */

/* `count` keys of a walk, from `first` on. */
struct portion {
    struct walk *walk;
    size_t first, count;
};

/* Who is given the records, and how many that were so far. */
struct receiver {
    driver_row *row;
    void *arg;
    size_t given;
};

static enum status fetch(struct directory *dir, const struct portion *portion, struct list *out,
                         struct err *err)
{
    const struct list *keys = &portion->walk->keys;
    struct buf filter = {0};
    char **attributes = entry_attributes(keys->kind, false);
    if (attributes == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    buf_append_str(&filter, "(&");
    buf_append_span(&filter, buf_span(&portion->walk->filter));
    buf_append_str(&filter, "(|");
    for (size_t i = 0; i < portion->count; i++)
        entry_filter(keys->kind, keys->records[portion->first + i], &filter);
    buf_append_str(&filter, "))");
    const struct directory_search search = {.base = dir->root,
                                            .scope = LDAP_SCOPE_SUBTREE,
                                            .filter = buf_cstr(&filter),
                                            .attributes = (const char *const *)attributes};
    enum status st = buf_check(&filter, "filter", err);
    if (st == ST_OK)
        st = directory_search(dir, &search, take_record, out, err);
    entry_attributes_free(attributes);
    buf_clear(&filter);
    return st;
}

/* Those of the open transaction are fetched from it. */
static enum status add_pending(const struct directory *dir, const struct portion *portion,
                               struct list *out, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; dir->tx != NULL && i < portion->count && st == ST_OK; i++) {
        const void *key = portion->walk->keys.records[portion->first + i];
        const struct pending *pending = transaction_pending(dir, out->kind, key);
        void *record = pending != NULL ? list_new(out) : NULL;
        if (record != NULL)
            st = kind_copy(out->kind, pending->record, record, err);
        else if (pending != NULL)
            st = err_set(err, ST_TEMP, "ldap: no memory");
    }
    return st;
}

static enum status hand_out(const struct list *records, size_t first, size_t count,
                            struct receiver *to, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = first; i < first + count && st == ST_OK; i++) {
        st = to->row(to->arg, records->records[i], err);
        to->given++;
    }
    return st;
}

/* Gives those of the next `count` that are still there. */
static enum status give_portion(struct directory *dir, struct walk *walk, size_t count,
                                struct receiver *to, struct err *err)
{
    struct list records = {.kind = walk->keys.kind};
    const struct portion portion = {walk, walk->next, count};
    walk->next += count;
    if (walk->whole)
        return hand_out(&walk->keys, portion.first, count, to, err);
    enum status st = fetch(dir, &portion, &records, err);
    drop_changed(dir, &records);
    if (st == ST_OK)
        st = add_pending(dir, &portion, &records, err);
    if (st == ST_OK)
        st = list_sort(&records, walk->descending, err);
    if (st == ST_OK) {
        list_unique(&records);
        st = hand_out(&records, 0, records.count, to, err);
    }
    list_clear(&records);
    return st;
}

/* Fewer than the limit are given only at the end: that is how a caller knows it. */
static enum status give(struct directory *dir, struct walk *walk, size_t limit, struct receiver *to,
                        struct err *err)
{
    enum status st = ST_OK;
    while (st == ST_OK && walk->next < walk->keys.count && (limit == 0 || to->given < limit)) {
        size_t count = walk->keys.count - walk->next;
        if (limit > 0 && count > limit - to->given)
            count = limit - to->given;
        st = give_portion(dir, walk, count < PORTION ? count : PORTION, to, err);
    }
    return st;
}

/* A walk outlives transactions: those made for its records would have to begin it anew each. */
static void keep_or_free(struct directory *dir, struct walk *walk, bool keep)
{
    if (dir->tx == NULL) {
        find_forget(dir);
        dir->walk = keep ? walk : NULL;
    }
    if (dir->walk != walk)
        free_walk(walk);
}

enum status find_records(struct driver_conn *conn, const struct query *query, driver_row *row,
                         void *arg, struct err *err)
{
    struct directory *dir = directory_of(conn);
    struct buf filter = {0};
    struct walk *walk = NULL;
    enum status st = ST_OK;
    filter_query(query, &filter);
    if (dir->tx == NULL && goes_on(dir->walk, query, &filter)) {
        walk = dir->walk;
        dir->walk = NULL;
    } else {
        st = new_walk(dir, query, &filter, &walk, err);
    }
    buf_clear(&filter);
    if (st == ST_OK)
        st = give(dir, walk, query->limit, &(struct receiver){row, arg, 0}, err);
    keep_or_free(dir, walk, st == ST_OK && query->limit > 0 && walk->next < walk->keys.count);
    return st;
}
