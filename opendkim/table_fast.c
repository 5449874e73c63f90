/* SPDX-License-Identifier: Apache-2.0
 *
 * The first pattern that matches, without trying them all. A plain address is found by its text.
 * Most others end, behind their last `*`, with something that a text must end with as well
 * (`*@host`, `*@*.host`), or else begin with something before their first one (`ann@*`): they are
 * found by that and then tried. The rest, regular expressions, is tried one after the other.
 */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "opendkim/table_internal.h"

/* The rows of one such pattern, in order. */
struct entry {
    UT_hash_handle hh;
    size_t *rows;
    size_t count;
    char key[];
};

/* Entries of one kind, by a part of their patterns. */
struct part {
    struct entry *entries;
    size_t longest; /* of their keys */
};

enum { PART_WHOLE, PART_END, PART_BEGINNING, PARTS };

struct table_fast {
    struct part parts[PARTS];
    struct entry odd; /* rows of other patterns */
};

/* Doubles when the count comes to a power of two. */
static bool append(size_t **rows, size_t *count, size_t row)
{
    if ((*count & (*count - 1)) == 0) {
        size_t *grown = realloc(*rows, (*count > 0 ? 2 * *count : 1) * sizeof **rows);
        if (grown == NULL)
            return false;
        *rows = grown;
    }
    (*rows)[(*count)++] = row;
    return true;
}

static struct entry *find(const struct part *part, struct span key)
{
    struct entry *found = NULL;
    HASH_FIND(hh, part->entries, key.data, key.len, found);
    return found;
}

static struct entry *add_entry(struct part *part, struct span key)
{
    struct entry *entry = calloc(1, sizeof *entry + key.len + 1);
    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key.data, key.len);
    HASH_ADD_KEYPTR(hh, part->entries, entry->key, key.len, entry);
    if (entry->hh.tbl == NULL) {
        free(entry);
        return NULL;
    }
    part->longest = key.len > part->longest ? key.len : part->longest;
    return entry;
}

/* A copy in which case does not differ where the table says so. */
static struct span fold(const struct table *table, struct span text, char out[TABLE_LINE_MAX])
{
    bool nocase = table_nocase(table);
    for (size_t i = 0; i < text.len; i++)
        out[i] = nocase ? ascii_lower(text.data[i]) : text.data[i];
    return span_of(out, text.len);
}

/* By which part a pattern is found, or PARTS for none. */
static int key_of(const struct table_slot *slot, struct span pattern, struct span *key_out)
{
    size_t first = span_find(pattern, '*'), end = pattern.len;
    *key_out = pattern;
    if (slot->live || pattern.len == 0 || pattern.len > TABLE_LINE_MAX)
        return PARTS;
    if (first == pattern.len)
        return PART_WHOLE;
    while (pattern.data[end - 1] != '*')
        end--;
    *key_out = end < pattern.len ? span_from(pattern, end) : span_head(pattern, first);
    if (key_out->len == 0)
        return PARTS;
    return end < pattern.len ? PART_END : PART_BEGINNING;
}

static bool add_row(const struct table *table, size_t row)
{
    char folded[TABLE_LINE_MAX];
    const struct table_slot *slot = &table->slots[row];
    struct table_fast *fast = table->fast;
    struct span key;
    int kind = key_of(slot, table_octets(table, slot->key), &key);
    if (kind == PARTS)
        return append(&fast->odd.rows, &fast->odd.count, row);
    key = fold(table, key, folded);
    struct entry *entry = find(&fast->parts[kind], key);
    if (entry == NULL)
        entry = add_entry(&fast->parts[kind], key);
    return entry != NULL && append(&entry->rows, &entry->count, row);
}

enum status table_fast_make(struct table *table, struct err *err)
{
    bool whole = true;
    table->fast = calloc(1, sizeof *table->fast);
    for (size_t i = 0; table->fast != NULL && whole && i < table->count; i++)
        whole = add_row(table, i);
    if (table->fast == NULL || !whole)
        return err_set(err, ST_TEMP, "no memory for %zu patterns", table->count);
    return ST_OK;
}

void table_fast_free(struct table_fast *fast)
{
    struct entry *each = NULL, *next = NULL;
    for (int kind = 0; fast != NULL && kind < PARTS; kind++) {
        HASH_ITER(hh, fast->parts[kind].entries, each, next)
        {
            HASH_DEL(fast->parts[kind].entries, each);
            free(each->rows);
            free(each);
        }
    }
    if (fast != NULL)
        free(fast->odd.rows);
    free(fast);
}

/* -- looking ------------------------------------------------------------------------------ */

struct search {
    const struct table *table;
    const char *text;
    size_t from, best; /* rows: the first that counts, and the first that matches until now */
};

static size_t first_from(const struct entry *entry, size_t from)
{
    size_t low = 0, high = entry->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry->rows[middle] < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void try_rows(struct search *search, const struct entry *entry)
{
    if (entry == NULL)
        return;
    for (size_t i = first_from(entry, search->from);
         i < entry->count && entry->rows[i] < search->best; i++)
        if (table_slot_matches(search->table, &search->table->slots[entry->rows[i]], search->text))
            search->best = entry->rows[i];
}

/* Every end, or every beginning, that is short enough to be one of a pattern. */
static void try_part(struct search *search, int kind)
{
    char folded[TABLE_LINE_MAX];
    const struct part *part = &search->table->fast->parts[kind];
    struct span text = span_str(search->text);
    size_t len = text.len < part->longest ? text.len : part->longest;
    if (kind == PART_WHOLE && text.len > part->longest)
        return;
    text = kind == PART_END ? span_from(text, text.len - len) : span_head(text, len);
    text = fold(search->table, text, folded);
    if (kind == PART_WHOLE)
        try_rows(search, find(part, text));
    for (size_t i = 1; kind != PART_WHOLE && i <= len; i++)
        try_rows(search,
                 find(part, kind == PART_END ? span_from(text, len - i) : span_head(text, i)));
}

bool table_match(const struct table *table, const char *text, size_t *row)
{
    struct search search = {table, text, *row, table->count};
    for (int kind = 0; kind < PARTS; kind++)
        try_part(&search, kind);
    try_rows(&search, &table->fast->odd);
    *row = search.best < table->count ? search.best : *row;
    return search.best < table->count;
}
