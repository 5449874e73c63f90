/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_headers.h"

static void append_item(struct span item, struct buf *out)
{
    buf_append_str(out, out->len > 0 ? ", " : "");
    buf_append_span(out, item);
}

/* Whether a list has `word`, and not with a minus before it. */
static bool has_item(struct span list, struct span word)
{
    struct span item;
    while (span_next(&list, ',', &item)) {
        item = span_trim(item);
        if (item.len > 0 && item.data[0] == '+')
            item = span_from(item, 1);
        if (span_equal_nocase(item, word))
            return true;
    }
    return false;
}

static bool is_removed(struct span list, struct span word)
{
    struct span item;
    while (span_next(&list, ',', &item)) {
        item = span_trim(item);
        if (item.len > 0 && item.data[0] == '-' && span_equal_nocase(span_from(item, 1), word))
            return true;
    }
    return false;
}

/* Adds the items of a list that neither another list removes nor are there already. */
static void add_items(struct span list, struct span removed, struct span omitted, struct buf *out)
{
    struct span item;
    while (span_next(&list, ',', &item)) {
        item = span_trim(item);
        if (item.len > 0 && item.data[0] == '+')
            item = span_from(item, 1);
        bool wanted = item.len > 0 && item.data[0] != '-' && item.data[0] != '*' &&
                      !is_removed(removed, item) && !has_item(omitted, item) &&
                      !has_item(buf_span(out), item);
        if (wanted)
            append_item(item, out);
    }
}

/* Appends the names that a data set has, with commas between; false: there is none, or it cannot be
 * listed. */
static bool read_list(struct takeover_making *making, const char *name, struct buf *out)
{
    struct table *table = signing_table(making->conf->signing, name);
    struct err err = {0};
    if (table == NULL)
        return false;
    enum status status = table_load(table, &err);
    if (status == ST_OK && table_type_of(table) == TABLE_REFILE)
        status = err_set(&err, ST_INVALID, "is a table of patterns, which has no names to sign");
    for (size_t i = 0; status == ST_OK && i < table_count(table); i++)
        if (!table_row_at(table, i).rest)
            append_item(table_row_at(table, i).key, out);
    if (status == ST_OK)
        status = buf_check(out, name, &err);
    making->name = name;
    if (status != ST_OK)
        takeover_conf_fail(making, &err);
    return status == ST_OK;
}

/* `*` is what is signed anyway, `+name` more, `-name` less; a plain list is that list. */
static void make_list(struct takeover_making *making, struct span list, struct span omitted,
                      struct buf *out)
{
    if (has_item(list, SPAN_LIT("*")) || span_find(list, '+') < list.len ||
        span_find(list, '-') == 0)
        add_items(span_str(making->conf->settings->sign.headers), list, omitted, out);
    add_items(list, list, omitted, out);
}

static bool is_set(const struct takeover_making *making, const char *name)
{
    return configuration_text(making->conf->configuration, name) != NULL;
}

bool takeover_headers_sign(struct takeover_making *making, const char *value, struct buf *out)
{
    struct buf list = BUF_INIT(0), omitted = BUF_INIT(0);
    bool omits = is_set(making, "OmitHeaders");
    bool made = value != NULL || omits;
    if (value == NULL)
        buf_append_str(&list, "*");
    else
        made = read_list(making, "SignHeaders", &list);
    if (made && omits)
        made = read_list(making, "OmitHeaders", &omitted);
    if (made)
        make_list(making, buf_span(&list), buf_span(&omitted), out);
    buf_clear(&list);
    buf_clear(&omitted);
    return made && out->len > 0;
}

bool takeover_headers_oversign(struct takeover_making *making, const char *value, struct buf *out)
{
    struct buf list = BUF_INIT(0);
    bool made = value == NULL || read_list(making, "OverSignHeaders", &list);
    if (made)
        add_items(buf_span(&list), SPAN_LIT(""), SPAN_LIT(""), out);
    buf_clear(&list);
    return made; /* without it nothing was */
}

bool takeover_headers_author(struct takeover_making *making, const char *value, struct buf *out)
{
    struct buf list = BUF_INIT(0);
    struct span first = {NULL, 0};
    (void)value;
    bool made = read_list(making, "SenderHeaders", &list);
    struct span rest = buf_span(&list);
    made = made && span_next(&rest, ',', &first);
    if (made && !span_equal_nocase(span_trim(first), SPAN_LIT("From")))
        takeover_conf_note(making->conf, "SenderHeaders", NOTES_CHANGED,
                           "From is always asked first here");
    if (made)
        buf_append_str(out, has_item(buf_span(&list), SPAN_LIT("Sender")) ? "from,sender" : "from");
    buf_clear(&list);
    return made;
}
