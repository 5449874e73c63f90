/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_headers.h"

/* What OpenDKIM 2.11 signs without SignHeaders. */
#define USUAL                                                                                      \
    "From, Reply-To, Subject, Date, To, Cc, In-Reply-To, References, Resent-Date, Resent-From, "   \
    "Resent-Sender, Resent-To, Resent-Cc, List-Id, List-Help, List-Unsubscribe, "                  \
    "List-Subscribe, List-Post, List-Owner, List-Archive"

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

/* Which items of a list are added. */
struct choice {
    struct span removed, omitted; /* lists of what is not */
    bool plus;                    /* only those with a plus before them */
};

/* None twice. */
static void add_items(struct span list, const struct choice *choice, struct buf *out)
{
    struct span item;
    while (span_next(&list, ',', &item)) {
        item = span_trim(item);
        bool plus = span_has_prefix(item, SPAN_LIT("+"));
        if (plus)
            item = span_from(item, 1);
        bool wanted = item.len > 0 && item.data[0] != '-' && item.data[0] != '*' &&
                      (plus || !choice->plus) && !is_removed(choice->removed, item) &&
                      !has_item(choice->omitted, item) && !has_item(buf_span(out), item);
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

static bool is_set(const struct takeover_making *making, const char *name)
{
    return configuration_text(making->conf->configuration, name) != NULL;
}

/* `*` is what is signed without the list, then `+name` more and `-name` less; without it the list
 * is as it stands. From is always signed. */
static void choose(struct span list, struct span omitted, struct buf *out)
{
    bool usual = has_item(list, SPAN_LIT("*"));
    struct choice choice = {{NULL, 0}, omitted, false};
    if (usual) {
        choice.removed = list;
        add_items(SPAN_LIT(USUAL), &choice, out);
        choice.plus = true;
    }
    add_items(list, &choice, out);
    if (out->len == 0)
        buf_append_str(out, "From");
}

bool takeover_headers_sign(struct takeover_making *making, const char *value, struct buf *out)
{
    struct buf list = BUF_INIT(0), omitted = BUF_INIT(0);
    if (value == NULL)
        buf_append_char(&list, '*');
    bool made = value == NULL || read_list(making, "SignHeaders", &list);
    if (made && is_set(making, "OmitHeaders"))
        made = read_list(making, "OmitHeaders", &omitted);
    if (made)
        choose(buf_span(&list), buf_span(&omitted), out);
    buf_clear(&list);
    buf_clear(&omitted);
    return made;
}

bool takeover_headers_oversign(struct takeover_making *making, const char *value, struct buf *out)
{
    struct buf list = BUF_INIT(0);
    bool made = value == NULL || read_list(making, "OverSignHeaders", &list);
    if (made)
        add_items(buf_span(&list), &(struct choice){{NULL, 0}, {NULL, 0}, false}, out);
    buf_clear(&list);
    return made; /* without it nothing was */
}

bool takeover_headers_author(struct takeover_making *making, const char *value, struct buf *out)
{
    struct buf list = BUF_INIT(0);
    struct span first = {NULL, 0};
    if (value == NULL)
        buf_append_str(&list, "From");
    bool made = value == NULL || read_list(making, "SenderHeaders", &list);
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
