/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/filter.h"

#include <inttypes.h>
#include <string.h>

#include "ldap/entry.h"
#include "ldap/escape.h"

/* Whether an attribute that is not there means this value (ldap/entry.h). */
static bool is_default(const struct query_filter *filter)
{
    const struct field *field = filter->field;
    if (field->type == FIELD_TEXT)
        return filter->text[0] == '\0';
    if (field->flags & FIELD_VERSION)
        return filter->number == 1;
    return filter->number == (field->type == FIELD_INT ? field->min : 0);
}

static void append_value(const struct query_filter *filter, struct buf *out)
{
    switch (filter->field->type) {
    case FIELD_TEXT:
        buf_append_str(out, filter->text);
        break;
    case FIELD_ENUM:
        buf_append_str(out, filter->field->names[filter->number]);
        break;
    case FIELD_BOOL:
        buf_append_str(out, filter->number != 0 ? "TRUE" : "FALSE");
        break;
    default:
        buf_printf(out, "%" PRId64, filter->number);
    }
}

static void append_filter(const struct kind *kind, const struct query_filter *filter,
                          struct buf *out)
{
    char name[ENTRY_NAME_SIZE];
    struct buf value = {0};
    bool absent = is_default(filter);
    entry_attribute(kind, filter->field, name);
    if (filter->until) {
        buf_printf(out, "(%s>=1)(%s<=%" PRId64 ")", name, name, filter->number);
        return;
    }
    append_value(filter, &value);
    if (absent)
        buf_append_str(out, "(|");
    if (value.len > 0)
        escape_equals(name, buf_span(&value), out);
    if (absent)
        buf_printf(out, "(!(%s=*)))", name);
    buf_clear(&value);
}

void filter_query(const struct query *query, struct buf *out)
{
    char class[ENTRY_NAME_SIZE];
    entry_class(query->kind, class);
    buf_append_str(out, "(&");
    escape_equals("objectClass", span_str(class), out);
    for (size_t i = 0; i < query->filter_count; i++)
        append_filter(query->kind, &query->filters[i], out);
    buf_append_char(out, ')');
}

static bool same_value(const struct query_filter *filter, const void *record)
{
    if (filter->until)
        return *field_int(filter->field, record) > 0 &&
               *field_int(filter->field, record) <= filter->number;
    if (filter->field->type != FIELD_TEXT)
        return *field_int(filter->field, record) == filter->number;
    const char *text = *field_text(filter->field, record);
    return strcmp(text != NULL ? text : "", filter->text) == 0;
}

bool filter_matches(const struct query *query, const void *record)
{
    for (size_t i = 0; i < query->filter_count; i++)
        if (!same_value(&query->filters[i], record))
            return false;
    return true;
}
