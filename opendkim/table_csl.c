/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "opendkim/table_internal.h"

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct table_extent trimmed(const struct table *table, struct table_extent extent)
{
    const char *data = table->content.data;
    while (extent.len > 0 && is_space(data[extent.at])) {
        extent.at++;
        extent.len--;
    }
    while (extent.len > 0 && is_space(data[extent.at + extent.len - 1]))
        extent.len--;
    return extent;
}

enum status table_add_parts(struct table *table, const struct table_slot *slot, struct err *err)
{
    struct table_slot part = *slot;
    struct table_extent rest = slot->value;
    enum status status = ST_OK;
    while (status == ST_OK && rest.len > 0) {
        size_t len = span_find(table_octets(table, rest), '|');
        part.value = trimmed(table, (struct table_extent){rest.at, len});
        part.whole = part.value;
        if (len > 0)
            status = table_add(table, &part, err);
        size_t used = len < rest.len ? len + 1 : len;
        rest = (struct table_extent){rest.at + used, rest.len - used};
    }
    return status;
}

static enum status add_entry(struct table *table, struct table_extent entry, struct err *err)
{
    struct span text = table_octets(table, entry);
    size_t sign = span_find(text, '=');
    struct table_slot slot = {.has_value = sign < text.len};
    slot.key = trimmed(table, (struct table_extent){entry.at, sign});
    if (slot.has_value)
        slot.value = (struct table_extent){entry.at + sign + 1, text.len - sign - 1};
    if (slot.has_value && table->options.use == TABLE_MACROS)
        return table_add_parts(table, &slot, err);
    slot.value = slot.whole = trimmed(table, slot.value);
    return table_add(table, &slot, err);
}

enum status table_read_csl(struct table *table, const char *list, struct err *err)
{
    buf_append_str(&table->content, list);
    enum status status = buf_check(&table->content, "a list", err);
    struct table_extent rest = {0, table->content.len};
    while (status == ST_OK && rest.len > 0) {
        size_t len = span_find(table_octets(table, rest), ',');
        if (len > 0)
            status = add_entry(table, (struct table_extent){rest.at, len}, err);
        size_t used = len < rest.len ? len + 1 : len;
        rest = (struct table_extent){rest.at + used, rest.len - used};
    }
    return status;
}
