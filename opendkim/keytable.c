/* SPDX-License-Identifier: Apache-2.0 */
#include "opendkim/keytable.h"

#include <string.h>

/* -- values ------------------------------------------------------------------------------- */

static bool names_file(struct span key)
{
    return span_has_prefix(key, SPAN_LIT("/")) || span_has_prefix(key, SPAN_LIT("./")) ||
           span_has_prefix(key, SPAN_LIT("../"));
}

enum status keytable_parse(struct span value, struct keytable_entry *out, struct err *err)
{
    static const char *const names[] = {"domain", "selector", "key"};
    struct span parts[3];
    size_t filled = table_split(value, 3, parts);
    for (size_t i = 0; i < 3; i++)
        if (i >= filled || parts[i].len == 0)
            return err_set(err, ST_INVALID, "no %s (a value is domain:selector:key)", names[i]);
    *out = (struct keytable_entry){.domain = parts[0], .selector = parts[1], .key = parts[2]};
    out->any_domain = span_equal(out->domain, SPAN_LIT("%"));
    out->is_file = names_file(out->key);
    out->has_percent = out->key.data[0] == '/' && span_find(out->key, '%') < out->key.len;
    return ST_OK;
}

void keytable_file(const struct keytable_entry *entry, struct span author_domain, struct buf *out)
{
    struct span domain = entry->any_domain ? author_domain : entry->domain;
    for (size_t i = 0; i < entry->key.len; i++) {
        if (entry->has_percent && entry->key.data[i] == '%')
            buf_append_span(out, domain);
        else
            buf_append_char(out, entry->key.data[i]);
    }
}

/* -- what is surprising ------------------------------------------------------------------- */

static bool has_edges(struct span s)
{
    return span_trim(s).len < s.len;
}

static void review_key(struct notes *notes, const struct table_row *row,
                       const struct keytable_entry *entry)
{
    struct span key = entry->key;
    size_t colon = span_find(key, ':');
    if (!entry->is_file && span_has_prefix(key, SPAN_LIT("MC4C")))
        notes_add(notes, NOTES_REFUSED, row->place,
                  "KeyTable: OpenDKIM cannot read an Ed25519 key that stands in the table; only a "
                  "file");
    else if (!entry->is_file && span_find(key, '/') < key.len && key.len < 256 &&
             !span_has_prefix(key, SPAN_LIT("-----")) && !span_has_prefix(key, SPAN_LIT("MII")))
        notes_add(notes, NOTES_REFUSED, row->place,
                  "KeyTable: the key begins neither with / nor with ./ and is taken for the key "
                  "itself, not for a file");
    if (entry->is_file && colon < key.len)
        notes_add(notes, NOTES_CHANGED, row->place,
                  "KeyTable: OpenDKIM 2.11 knows no fourth part; what follows the third colon "
                  "belongs to the name of the file");
    if (entry->has_percent && !entry->any_domain)
        notes_add(notes, NOTES_NOTICE, row->place,
                  "KeyTable: %% in the name of the file is replaced by %.*s, not by the author's "
                  "domain",
                  (int)span_head(entry->domain, 253).len, entry->domain.data);
}

static void review_row(struct notes *notes, const struct table_row *row)
{
    struct keytable_entry entry;
    struct err err;
    if (row->rest || !row->has_value)
        return; /* the table has said so */
    if (keytable_parse(row->whole, &entry, &err) != ST_OK) {
        notes_add(notes, NOTES_REFUSED, row->place, "KeyTable: %s", err.text);
        return;
    }
    if (has_edges(entry.domain) || has_edges(entry.selector) || has_edges(entry.key))
        notes_add(notes, NOTES_REFUSED, row->place,
                  "KeyTable: white space beside a colon belongs to what stands there; OpenDKIM "
                  "fails with it");
    if (span_find(entry.selector, '%') < entry.selector.len)
        notes_add(notes, NOTES_REFUSED, row->place,
                  "KeyTable: %% in a selector is not replaced by anything");
    review_key(notes, row, &entry);
}

void keytable_review(const struct table *table)
{
    if (table_type_of(table) == TABLE_REFILE)
        notes_add(table_notes(table), NOTES_NOTICE, table_place(table),
                  "KeyTable: its keys are patterns, and the first that matches the name of a key "
                  "counts");
    for (size_t i = 0; i < table_count(table); i++) {
        struct table_row row = table_row_at(table, i);
        review_row(table_notes(table), &row);
    }
}
