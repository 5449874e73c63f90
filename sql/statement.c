/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/statement.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void sql_clear(struct sql_statement *statement)
{
    buf_clear(&statement->text);
    *statement = (struct sql_statement){0};
}

/* -- pieces ------------------------------------------------------------------------------- */

static void add(struct sql_statement *s, const char *text)
{
    buf_append_str(&s->text, text);
}

struct sql_value sql_value_of(const struct field *field, const void *record)
{
    switch (field->type) {
    case FIELD_TEXT: {
        const char *text = *field_text(field, record);
        return (struct sql_value){.type = SQL_TEXT, .octets = span_str(text ? text : "")};
    }
    case FIELD_ENUM: {
        const char *name = field->names[*field_int(field, record)];
        return (struct sql_value){.type = SQL_TEXT, .octets = span_str(name)};
    }
    case FIELD_BYTES:
        return (struct sql_value){.type = SQL_BYTES,
                                  .octets = buf_span(field_bytes(field, record))};
    default:
        return (struct sql_value){.type = SQL_NUMBER, .number = *field_int(field, record)};
    }
}

/* Statements are made all the time, and printf takes longer than all the rest. */
static void quoted(struct sql_statement *s, const char *before, const char *name)
{
    buf_append_str(&s->text, before);
    buf_append_char(&s->text, '"');
    buf_append_str(&s->text, name);
    buf_append_char(&s->text, '"');
}

/* Appends `$n` and its value. */
static void parameter(struct sql_statement *s, struct sql_value value)
{
    s->params[s->count++] = value;
    buf_append_char(&s->text, '$');
    if (s->count >= 10)
        buf_append_char(&s->text, (char)('0' + s->count / 10));
    buf_append_char(&s->text, (char)('0' + s->count % 10));
}
static_assert(SQL_PARAMS_MAX < 100, "two digits do");

static void number(struct sql_statement *s, int64_t n)
{
    parameter(s, (struct sql_value){.type = SQL_NUMBER, .number = n});
}

static void name_or_null(struct sql_statement *s, const char *name)
{
    parameter(s, (struct sql_value){.type = name != NULL ? SQL_TEXT : SQL_NULL,
                                    .octets = span_str(name)});
}

/* All columns of a kind: `"name"`, or of the view over several kinds `s."kind_name"`. */
static void columns(struct sql_statement *s, const struct kind *kind, bool of_view)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        if (!of_view) {
            quoted(s, i > 0 ? ", " : "", kind->fields[i].name);
            continue;
        }
        add(s, i > 0 ? ", s.\"" : "s.\"");
        add(s, kind->name);
        add(s, "_");
        add(s, kind->fields[i].name);
        add(s, "\"");
    }
}

static void where_key(struct sql_statement *s, const struct kind *kind, const void *record)
{
    const char *before = " WHERE ";
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if (!(field->flags & FIELD_KEY))
            continue;
        quoted(s, before, field->name);
        add(s, " = ");
        parameter(s, sql_value_of(field, record));
        before = " AND ";
    }
}

static void and_version(struct sql_statement *s, const struct kind *kind, const void *record)
{
    const struct field *version = kind_flagged(kind, FIELD_VERSION);
    add(s, " AND \"version\" = ");
    number(s, *field_int(version, record));
}

static void select_from(struct sql_statement *s, const struct kind *kind)
{
    add(s, "SELECT ");
    columns(s, kind, false);
    quoted(s, " FROM ", kind->name);
}

/* -- statements --------------------------------------------------------------------------- */

void sql_insert(struct sql_statement *s, const struct kind *kind, const void *record)
{
    const char *before = "";
    quoted(s, "INSERT INTO ", kind->name);
    add(s, " (");
    for (size_t i = 0; i < kind->field_count; i++) {
        if (kind->fields[i].flags & FIELD_SERIAL)
            continue;
        quoted(s, before, kind->fields[i].name);
        before = ", ";
    }
    before = ") VALUES (";
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if (field->flags & FIELD_SERIAL)
            continue;
        add(s, before);
        struct sql_value value = sql_value_of(field, record);
        if ((field->flags & FIELD_VERSION) && value.number == 0)
            value.number = 1;
        parameter(s, value);
        before = ", ";
    }
    add(s, ")");
    const struct field *serial = kind_flagged(kind, FIELD_SERIAL);
    if (serial != NULL)
        buf_printf(&s->text, " RETURNING \"%s\"", serial->name);
}

void sql_update(struct sql_statement *s, const struct kind *kind, const void *record)
{
    buf_printf(&s->text, "UPDATE \"%s\" SET \"version\" = \"version\" + 1", kind->name);
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if (field->flags & (FIELD_KEY | FIELD_VERSION | FIELD_SERIAL))
            continue;
        quoted(s, ", ", field->name);
        add(s, " = ");
        parameter(s, sql_value_of(field, record));
    }
    where_key(s, kind, record);
    and_version(s, kind, record);
}

void sql_delete(struct sql_statement *s, const struct kind *kind, const void *record)
{
    buf_printf(&s->text, "DELETE FROM \"%s\"", kind->name);
    where_key(s, kind, record);
    and_version(s, kind, record);
}

void sql_get(struct sql_statement *s, const struct kind *kind, const void *record)
{
    select_from(s, kind);
    where_key(s, kind, record);
}

/* `("a", "b")` and, with a record, ` > ($1, $2)`: strictly after it in the order asked for. */
static void after_key(struct sql_statement *s, const struct query *query, const char *before)
{
    buf_printf(&s->text, "%s(", before);
    const char *comma = "";
    for (size_t i = 0; i < query->kind->field_count; i++) {
        if (!(query->kind->fields[i].flags & FIELD_KEY))
            continue;
        buf_printf(&s->text, "%s\"%s\"", comma, query->kind->fields[i].name);
        comma = ", ";
    }
    add(s, query->descending ? ") < (" : ") > (");
    comma = "";
    for (size_t i = 0; i < query->kind->field_count; i++) {
        if (!(query->kind->fields[i].flags & FIELD_KEY))
            continue;
        add(s, comma);
        parameter(s, sql_value_of(&query->kind->fields[i], query->after));
        comma = ", ";
    }
    add(s, ")");
}

static struct sql_value filter_value(const struct query_filter *filter)
{
    switch (filter->field->type) {
    case FIELD_TEXT:
        return (struct sql_value){.type = SQL_TEXT, .octets = span_str(filter->text)};
    case FIELD_ENUM:
        return (struct sql_value){.type = SQL_TEXT,
                                  .octets = span_str(filter->field->names[filter->number])};
    default:
        return (struct sql_value){.type = SQL_NUMBER, .number = filter->number};
    }
}

static void order_by_key(struct sql_statement *s, const struct query *query)
{
    const char *before = " ORDER BY ";
    for (size_t i = 0; i < query->kind->field_count; i++) {
        if (!(query->kind->fields[i].flags & FIELD_KEY))
            continue;
        buf_printf(&s->text, "%s\"%s\"%s", before, query->kind->fields[i].name,
                   query->descending ? " DESC" : "");
        before = ", ";
    }
}

static void any_of(struct sql_statement *s, const struct query *query, const char **before)
{
    quoted(s, *before, query->any_field->name);
    *before = " AND ";
    for (size_t i = 0; i < DRIVER_ANY_MAX; i++) {
        add(s, i > 0 ? ", " : " IN (");
        name_or_null(s, query->any[i]);
    }
    add(s, ")");
}

void sql_find(struct sql_statement *s, const struct query *query)
{
    const char *before = " WHERE ";
    select_from(s, query->kind);
    for (size_t i = 0; i < query->filter_count; i++) {
        const struct query_filter *filter = &query->filters[i];
        const char *name = filter->field->name;
        if (filter->until)
            buf_printf(&s->text, "%s\"%s\" > 0 AND \"%s\" <= ", before, name, name);
        else
            buf_printf(&s->text, "%s\"%s\" = ", before, name);
        parameter(s, filter_value(filter));
        before = " AND ";
    }
    if (query->any != NULL)
        any_of(s, query, &before);
    if (query->after != NULL)
        after_key(s, query, before);
    if (query->any == NULL)
        order_by_key(s, query);
    if (query->limit > 0) {
        add(s, " LIMIT ");
        number(s, (int64_t)query->limit);
    }
}

void sql_changes(struct sql_statement *s, const struct change_query *query)
{
    select_from(s, &kind_change);
    add(s, " WHERE \"position\" > ");
    number(s, query->cursor);
    add(s, " ORDER BY \"position\" LIMIT ");
    number(s, (int64_t)query->limit);
}

/* In the order in which sql_read_profile wants them. */
static const struct kind *const parts[] = {&kind_domain, &kind_tenant, &kind_key, &kind_rule,
                                           &kind_grant};
enum { PARTS = sizeof parts / sizeof parts[0] };

static void lookup_columns(struct sql_statement *s)
{
    add(s, "SELECT s.\"position\", s.\"place\"");
    for (size_t i = 0; i < PARTS; i++) {
        add(s, ", ");
        columns(s, parts[i], true);
    }
}

/* Always as many parameters, so that the text is one text. */
static void lookup_names(struct sql_statement *s, const char *const *names, size_t count)
{
    for (size_t i = 0; i < DRIVER_NAMES_MAX; i++) {
        add(s, i > 0 ? ", " : "");
        name_or_null(s, i < count ? names[i] : NULL);
    }
}

/* The place without a name is the row with the position. */
void sql_lookup(struct sql_statement *s, const char *const *names, size_t count)
{
    lookup_columns(s);
    add(s, " FROM \"place_now\" s WHERE s.\"place\" IN ('', ");
    lookup_names(s, names, count);
    add(s, ")");
}

void sql_lookup_call(struct sql_statement *s, const char *const *names, size_t count)
{
    lookup_columns(s);
    add(s, " FROM \"place_of\"(");
    lookup_names(s, names, count);
    add(s, ") s");
}

/* -- rows --------------------------------------------------------------------------------- */

static enum status read_enum(const struct field *field, void *record, struct span name,
                             struct err *err)
{
    for (int64_t i = 0; field->names[i] != NULL; i++) {
        if (span_equal(name, span_str(field->names[i]))) {
            *field_int(field, record) = i;
            return ST_OK;
        }
    }
    return err_set(err, ST_BROKEN, "%s: unknown value in the store", field->name);
}

enum status sql_read(const struct field *field, void *record, const struct sql_value *value,
                     struct err *err)
{
    switch (field->type) {
    case FIELD_TEXT:
        return field_set_text(field, record, value->octets, err);
    case FIELD_ENUM:
        return read_enum(field, record, value->octets, err);
    case FIELD_BYTES:
        buf_reset(field_bytes(field, record));
        buf_append_span(field_bytes(field, record), value->octets);
        return buf_check(field_bytes(field, record), field->name, err);
    default:
        if (value->type != SQL_NUMBER)
            return err_set(err, ST_BROKEN, "%s: not a number in the store", field->name);
        *field_int(field, record) = value->number;
        return ST_OK;
    }
}

enum status sql_read_record(const struct sql_row *row, size_t first, const struct kind *kind,
                            void *record, struct err *err)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        struct sql_value value = {.type = SQL_NULL};
        row->cell(row->arg, first + i, &value);
        if (sql_read(&kind->fields[i], record, &value, err) != ST_OK)
            return err_context(err, "%s", kind->name);
    }
    return ST_OK;
}

static struct profile *profile_named(struct span name, const char *const *names, size_t count,
                                     struct profile *profiles)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(name, span_str(names[i])))
            return &profiles[i];
    }
    return NULL;
}

/* What a row brings for one part of a profile. Its first field is never NULL in a record. */
static enum status read_part(const struct sql_row *row, size_t first, const struct kind *kind,
                             struct profile *profile, struct err *err)
{
    struct sql_value value = {.type = SQL_NULL};
    row->cell(row->arg, first, &value);
    if (value.type == SQL_NULL || (kind == &kind_domain && profile->found) ||
        (kind == &kind_tenant && profile->tenant.name != NULL))
        return ST_OK;
    void *record = kind == &kind_domain   ? (void *)&profile->domain
                   : kind == &kind_tenant ? (void *)&profile->tenant
                                          : profile_add(profile, kind);
    if (record == NULL)
        return err_set(err, ST_TEMP, "no memory");
    profile->found = profile->found || kind == &kind_domain;
    return sql_read_record(row, first, kind, record, err);
}

enum status sql_read_profile(const struct sql_row *row, const char *const *names, size_t count,
                             struct profile *profiles, struct err *err)
{
    struct sql_value position = {.type = SQL_NULL}, name = position;
    enum status st = ST_OK;
    row->cell(row->arg, 0, &position);
    row->cell(row->arg, 1, &name);
    for (size_t i = 0; i < count && position.type != SQL_NULL; i++)
        profiles[i].position = position.number;
    if (name.type == SQL_NULL || name.octets.len == 0)
        return ST_OK;
    struct profile *profile = profile_named(name.octets, names, count, profiles);
    if (profile == NULL)
        return err_set(err, ST_BROKEN, "the store gave a name nobody asked for");
    for (size_t i = 0, first = 2; i < PARTS && st == ST_OK; first += parts[i++]->field_count)
        st = read_part(row, first, parts[i], profile, err);
    return st;
}
