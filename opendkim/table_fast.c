/* SPDX-License-Identifier: Apache-2.0
 *
 * The first pattern that matches, without trying them all. A plain address is found by its text,
 * any other by what stands before its first `*` and behind its last one, and then tried: a text
 * must begin and end like that. Regular expressions are tried one after the other.
 */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "opendkim/table_internal.h"

/* Entries by a part of their patterns. */
struct part {
    struct entry *entries;
    size_t longest; /* of the keys */
};

/* The rows of one kind of pattern, in order; those of a beginning are found by their ends. */
struct entry {
    UT_hash_handle hh;
    struct part ends;
    size_t *rows;
    size_t count;
    char key[];
};

struct table_fast {
    struct part plain, beginnings;
    struct entry odd;
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

/* NULL without memory. */
static struct entry *find_or_add(struct part *part, struct span key)
{
    struct entry *entry = find(part, key);
    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry + key.len + 1);
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

/* A copy in which case does not differ where the table says so; NULL without memory. */
static char *fold(const struct table *table, struct span text)
{
    char *folded = span_dup(text);
    for (size_t i = 0; folded != NULL && table_nocase(table) && i < text.len; i++)
        folded[i] = ascii_lower(folded[i]);
    return folded;
}

static struct entry *entry_of(struct table_fast *fast, struct span pattern)
{
    size_t star = span_find(pattern, '*'), end = pattern.len;
    if (star == pattern.len)
        return find_or_add(&fast->plain, pattern);
    while (pattern.data[end - 1] != '*')
        end--;
    struct entry *beginning = find_or_add(&fast->beginnings, span_head(pattern, star));
    return beginning != NULL ? find_or_add(&beginning->ends, span_from(pattern, end)) : NULL;
}

static bool add_row(const struct table *table, size_t row)
{
    const struct table_slot *slot = &table->slots[row];
    struct span pattern = table_octets(table, slot->key);
    char *folded = fold(table, pattern);
    struct entry *entry = &table->fast->odd;
    if (folded != NULL && !slot->live)
        entry = entry_of(table->fast, span_of(folded, pattern.len));
    bool added = folded != NULL && entry != NULL && append(&entry->rows, &entry->count, row);
    free(folded);
    return added;
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

static void free_entry(struct part *part, struct entry *entry)
{
    HASH_DEL(part->entries, entry);
    free(entry->rows);
    free(entry);
}

static void free_ends(struct part *part)
{
    struct entry *each = NULL, *next = NULL;
    HASH_ITER(hh, part->entries, each, next)
    {
        free_entry(part, each);
    }
}

void table_fast_free(struct table_fast *fast)
{
    struct entry *each = NULL, *next = NULL;
    if (fast == NULL)
        return;
    HASH_ITER(hh, fast->beginnings.entries, each, next)
    {
        free_ends(&each->ends);
        free_entry(&fast->beginnings, each);
    }
    free_ends(&fast->plain);
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

static void try_ends(struct search *search, const struct part *ends, struct span text)
{
    size_t longest = text.len < ends->longest ? text.len : ends->longest;
    for (size_t len = 0; len <= longest; len++)
        try_rows(search, find(ends, span_from(text, text.len - len)));
}

bool table_match(const struct table *table, const char *text, size_t *row)
{
    const struct table_fast *fast = table->fast;
    struct search search = {table, text, *row, table->count};
    char *folded = fold(table, span_str(text));
    struct span whole = span_str(folded);
    if (folded != NULL)
        try_rows(&search, find(&fast->plain, whole));
    for (size_t len = 0; folded != NULL && len <= whole.len && len <= fast->beginnings.longest;
         len++) {
        const struct entry *beginning = find(&fast->beginnings, span_head(whole, len));
        if (beginning != NULL)
            try_ends(&search, &beginning->ends, span_from(whole, len));
    }
    try_rows(&search, &fast->odd);
    free(folded);
    *row = search.best < table->count ? search.best : *row;
    return search.best < table->count;
}
