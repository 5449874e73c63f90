/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/ahead.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* The records of one kind that belong to one name. */
struct ahead_group {
    UT_hash_handle hh;
    const struct kind *kind;
    struct ahead_item *items; /* by label */
    char name[];              /* kind, line feed, name */
};

struct ahead_item {
    UT_hash_handle hh;
    void *record;
    bool added;   /* is not in the data base yet */
    char label[]; /* of its kind */
};

/* What the records of a kind belong to. */
static const struct grouping {
    const struct kind *kind;
    const char *field;
    const char *also, *text; /* and have that text in that field; NULL: whatever they have */
} groupings[] = {
    {&kind_tenant, "name", NULL, NULL},   {&kind_domain, "name", NULL, NULL},
    {&kind_key, "domain", NULL, NULL},    {&kind_rule, "domain", NULL, NULL},
    {&kind_event, "name", "kind", "key"},
};
enum { GROUPINGS = sizeof groupings / sizeof groupings[0] };

static const struct grouping *grouping_of(const struct kind *kind)
{
    for (size_t i = 0; i < GROUPINGS; i++)
        if (groupings[i].kind == kind)
            return &groupings[i];
    return NULL;
}

/* -- groups ------------------------------------------------------------------------------- */

static void make_name(const struct kind *kind, const char *value, struct buf *out)
{
    buf_append_str(out, kind->name);
    buf_append_char(out, '\n');
    buf_append_str(out, value != NULL ? value : "");
}

static struct ahead_group *find_group(const struct ahead *ahead, const struct kind *kind,
                                      const char *value)
{
    struct buf name = {0};
    struct ahead_group *group = NULL;
    if (ahead->groups == NULL)
        return NULL;
    make_name(kind, value, &name);
    if (name.len > 0)
        HASH_FIND_STR(ahead->groups, buf_cstr(&name), group);
    buf_clear(&name);
    return group;
}

/* That of a record; NULL if it is not known. */
static struct ahead_group *group_of(const struct ahead *ahead, const struct kind *kind,
                                    const void *record)
{
    const struct grouping *grouping = ahead->groups != NULL ? grouping_of(kind) : NULL;
    if (grouping == NULL || grouping->also != NULL)
        return NULL;
    const struct field *field = kind_field(kind, span_str(grouping->field));
    return find_group(ahead, kind, *field_text(field, record));
}

static enum status add_group(struct ahead *ahead, const struct kind *kind, const char *value,
                             struct err *err)
{
    struct buf name = {0};
    make_name(kind, value, &name);
    struct ahead_group *group = calloc(1, sizeof *group + name.len + 1);
    if (group != NULL && buf_check(&name, kind->name, err) == ST_OK) {
        group->kind = kind;
        strcpy(group->name, buf_cstr(&name));
        HASH_ADD_STR(ahead->groups, name, group);
    }
    buf_clear(&name);
    if (group != NULL && group->hh.tbl != NULL)
        return ST_OK;
    free(group);
    return err_set(err, ST_TEMP, "no memory");
}

static void free_item(struct ahead_group *group, struct ahead_item *item)
{
    kind_free(group->kind, item->record);
    free(item);
}

static enum status keep(struct ahead_group *group, const void *record, bool added, struct err *err)
{
    struct buf label = {0};
    kind_label(group->kind, record, &label);
    struct ahead_item *item = calloc(1, sizeof *item + label.len + 1);
    enum status st = ST_TEMP;
    if (item != NULL)
        item->record = calloc(1, group->kind->size);
    if (item != NULL && item->record != NULL && buf_check(&label, "label", err) == ST_OK) {
        item->added = added;
        strcpy(item->label, buf_cstr(&label));
        st = kind_copy(group->kind, record, item->record, err);
        HASH_ADD_STR(group->items, label, item);
    } else {
        err_set(err, ST_TEMP, "no memory");
    }
    buf_clear(&label);
    if (item == NULL || item->hh.tbl != NULL)
        return st;
    free_item(group, item);
    return err_set(err, ST_TEMP, "no memory");
}

static struct ahead_item *find_item(const struct ahead_group *group, const void *record)
{
    struct buf label = {0};
    struct ahead_item *item = NULL;
    kind_label(group->kind, record, &label);
    if (label.len > 0)
        HASH_FIND_STR(group->items, buf_cstr(&label), item);
    buf_clear(&label);
    return item;
}

static void free_group(struct ahead_group *group)
{
    struct ahead_item *item = NULL, *next = NULL;
    HASH_ITER(hh, group->items, item, next)
    {
        HASH_DEL(group->items, item);
        free_item(group, item);
    }
    free(group);
}

void ahead_clear(struct ahead *ahead)
{
    struct ahead_group *group = NULL, *next = NULL;
    HASH_ITER(hh, ahead->groups, group, next)
    {
        HASH_DEL(ahead->groups, group);
        free_group(group);
    }
    *ahead = (struct ahead){.groups = NULL};
}

/* -- reading ------------------------------------------------------------------------------ */

struct taking {
    struct ahead *ahead;
    const struct kind *kind;
    const struct field *field;
};

static enum status take(void *arg, const void *record, struct err *err)
{
    const struct taking *taking = arg;
    const char *value = *field_text(taking->field, record);
    struct ahead_group *group = find_group(taking->ahead, taking->kind, value);
    if (group == NULL)
        return err_set(err, ST_BROKEN, "the store gave a %s nobody asked for", taking->kind->name);
    return keep(group, record, false, err);
}

static enum status ask(struct ahead *ahead, struct driver_conn *conn, const struct kind *kind,
                       const char *const *names, struct err *err)
{
    const struct grouping *grouping = grouping_of(kind);
    struct taking taking = {ahead, kind, kind_field(kind, span_str(grouping->field))};
    struct query query = {.kind = kind, .any_field = taking.field, .any = names};
    if (grouping->also != NULL)
        query.filters[query.filter_count++] = (struct query_filter){
            .field = kind_field(kind, span_str(grouping->also)), .text = grouping->text};
    return conn->driver->find(conn, &query, take, &taking, err);
}

enum status ahead_read(struct ahead *ahead, struct driver_conn *conn,
                       const struct ahead_wanted *wanted, struct err *err)
{
    enum status st = ST_OK;
    if (grouping_of(wanted->kind) == NULL)
        return err_set(err, ST_INVALID, "%s: is not read ahead", wanted->kind->name);
    for (size_t next = 0; st == ST_OK && next < wanted->count;) {
        const char *names[DRIVER_ANY_MAX] = {NULL};
        size_t count = 0;
        for (; st == ST_OK && next < wanted->count && count < DRIVER_ANY_MAX; next++) {
            if (find_group(ahead, wanted->kind, wanted->names[next]) != NULL)
                continue;
            names[count++] = wanted->names[next];
            st = add_group(ahead, wanted->kind, wanted->names[next], err);
        }
        if (st == ST_OK && count > 0)
            st = ask(ahead, conn, wanted->kind, names, err);
    }
    return st;
}

/* -- answering from memory ---------------------------------------------------------------- */

enum status ahead_get(const struct ahead *ahead, struct driver_conn *conn, const struct kind *kind,
                      void *record, struct err *err)
{
    const struct ahead_group *group = group_of(ahead, kind, record);
    if (group == NULL)
        return conn->driver->get(conn, kind, record, err);
    const struct ahead_item *item = find_item(group, record);
    if (item == NULL)
        return err_set(err, ST_NOT_FOUND, "not found");
    kind_clear(kind, record);
    return kind_copy(kind, item->record, record, err);
}

static bool is_text(const struct query_filter *filter, const char *field, const char *text)
{
    return strcmp(filter->field->name, field) == 0 &&
           (text == NULL || (filter->text != NULL && strcmp(filter->text, text) == 0));
}

const struct ahead_group *ahead_find(const struct ahead *ahead, const struct query *query)
{
    const struct grouping *grouping = ahead->groups != NULL ? grouping_of(query->kind) : NULL;
    const struct ahead_group *group = NULL;
    if (grouping == NULL || query->after != NULL || query->any != NULL || query->descending)
        return NULL;
    bool whole = grouping->also == NULL;
    for (size_t i = 0; i < query->filter_count; i++) {
        const struct query_filter *filter = &query->filters[i];
        if (is_text(filter, grouping->field, NULL))
            group = find_group(ahead, query->kind, filter->text);
        else if (!whole)
            whole = is_text(filter, grouping->also, grouping->text);
    }
    return whole ? group : NULL;
}

static bool passes(const struct query_filter *filter, const void *record)
{
    const struct field *field = filter->field;
    if (field->type == FIELD_TEXT)
        return span_equal(span_str(*field_text(field, record)), span_str(filter->text));
    int64_t number = *field_int(field, record);
    return filter->until ? number > 0 && number <= filter->number : number == filter->number;
}

static bool matches(const struct query *query, const void *record)
{
    for (size_t i = 0; i < query->filter_count; i++)
        if (!passes(&query->filters[i], record))
            return false;
    return true;
}

enum status ahead_each(const struct ahead_group *group, const struct query *query, driver_row *row,
                       void *arg, struct err *err)
{
    enum status st = ST_OK;
    size_t given = 0;
    for (const struct ahead_item *item = group->items; st == ST_OK && item != NULL;
         item = item->hh.next) {
        if (!matches(query, item->record))
            continue;
        st = row(arg, item->record, err);
        if (++given == query->limit)
            break;
    }
    return st;
}

/* -- writing ------------------------------------------------------------------------------ */

/* Those to be added of that kind. */
static size_t collect(const struct ahead *ahead, const struct kind *kind, struct ahead_item **items,
                      void **records)
{
    size_t count = 0;
    for (struct ahead_group *group = ahead->groups; group != NULL; group = group->hh.next)
        for (struct ahead_item *item = group->kind == kind ? group->items : NULL; item != NULL;
             item = item->hh.next)
            if (item->added) {
                items[count] = item;
                records[count++] = item->record;
            }
    return count;
}

static enum status write_kind(struct ahead *ahead, struct driver_conn *conn,
                              const struct kind *kind, struct err *err)
{
    struct ahead_item **items = calloc(ahead->pending, sizeof(struct ahead_item *));
    void **records = calloc(ahead->pending, sizeof *records);
    enum status st = ST_TEMP;
    if (items != NULL && records != NULL) {
        size_t count = collect(ahead, kind, items, records);
        st = count > 0 ? conn->driver->add(conn, kind, records, count, err) : ST_OK;
        for (size_t i = 0; st == ST_OK && i < count; i++)
            items[i]->added = false;
        ahead->pending -= st == ST_OK ? count : 0;
    } else {
        err_set(err, ST_TEMP, "no memory");
    }
    free(items);
    free(records);
    return st;
}

/* In the order in which records may refer to earlier ones. */
enum status ahead_write(struct ahead *ahead, struct driver_conn *conn, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; ahead->pending > 0 && st == ST_OK && kinds[i] != NULL; i++)
        st = write_kind(ahead, conn, kinds[i], err);
    return st;
}

static enum status copy_over(const struct kind *kind, const void *from, void *to, struct err *err)
{
    kind_clear(kind, to);
    return kind_copy(kind, from, to, err);
}

/* Anything but an addition goes to the data base, which must have all that came before. */
static enum status replace(struct ahead *ahead, struct driver_conn *conn, const struct kind *kind,
                           void *record, struct err *err)
{
    enum status st = ahead_write(ahead, conn, err);
    return st == ST_OK ? conn->driver->put(conn, kind, record, err) : st;
}

enum status ahead_put(struct ahead *ahead, struct driver_conn *conn, const struct kind *kind,
                      void *record, struct err *err)
{
    struct ahead_group *group = group_of(ahead, kind, record);
    int64_t *version = field_int(kind_flagged(kind, FIELD_VERSION), record);
    struct ahead_item *item = group != NULL ? find_item(group, record) : NULL;
    enum status st = ST_OK;
    if (group == NULL)
        return replace(ahead, conn, kind, record, err);
    if (item == NULL && *version == 0) {
        *version = 1;
        ahead->pending++;
        return keep(group, record, true, err);
    }
    if (item == NULL || *version != *field_int(kind_flagged(kind, FIELD_VERSION), item->record))
        return err_set(err, ST_CONFLICT, "changed by somebody else meanwhile");
    if (item->added)
        *version += 1;
    else
        st = replace(ahead, conn, kind, record, err);
    return st == ST_OK ? copy_over(kind, record, item->record, err) : st;
}

enum status ahead_del(struct ahead *ahead, struct driver_conn *conn, const struct kind *kind,
                      const void *record, struct err *err)
{
    enum status st = ahead_write(ahead, conn, err);
    ahead_clear(ahead);
    return st == ST_OK ? conn->driver->del(conn, kind, record, err) : st;
}
