/* SPDX-License-Identifier: Apache-2.0
 *
 * The first pattern that matches, without trying them all. Most patterns of a refile: are plain
 * addresses or `*@host`; what these match is known by the text, or by what stands behind its last
 * `@`. The others are tried one after the other.
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

struct table_fast {
    struct entry *plain; /* by the whole text, or by `@host`; no address begins with @ */
    size_t *odd;         /* rows of other patterns */
    size_t odd_count;
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

static struct entry *find(const struct table *table, struct span key)
{
    char folded[TABLE_LINE_MAX + 1];
    struct entry *found = NULL;
    bool nocase = table_nocase(table);
    if (key.len > TABLE_LINE_MAX)
        return NULL;
    for (size_t i = 0; i < key.len; i++)
        folded[i] = nocase ? ascii_lower(key.data[i]) : key.data[i];
    HASH_FIND(hh, table->fast->plain, folded, key.len, found);
    return found;
}

static struct entry *add_entry(const struct table *table, struct span key)
{
    bool nocase = table_nocase(table);
    struct entry *entry = calloc(1, sizeof *entry + key.len + 1);
    if (entry == NULL)
        return NULL;
    for (size_t i = 0; i < key.len; i++)
        entry->key[i] = nocase ? ascii_lower(key.data[i]) : key.data[i];
    HASH_ADD_KEYPTR(hh, table->fast->plain, entry->key, key.len, entry);
    if (entry->hh.tbl != NULL)
        return entry;
    free(entry);
    return NULL;
}

/* What a pattern is found by: itself without any `*`, `@host` for `*@host`, else nothing. */
static bool plain_key(const struct table_slot *slot, struct span pattern, struct span *key_out)
{
    size_t star = span_find(pattern, '*');
    *key_out = pattern;
    if (slot->live || pattern.len == 0 || pattern.len > TABLE_LINE_MAX)
        return false;
    if (star == pattern.len)
        return pattern.data[0] != '@';
    *key_out = span_from(pattern, 1);
    struct span host = span_from(pattern, 2);
    return star == 0 && pattern.len > 2 && pattern.data[1] == '@' &&
           span_find(host, '*') == host.len && span_find(host, '@') == host.len;
}

static bool add_row(const struct table *table, size_t row)
{
    const struct table_slot *slot = &table->slots[row];
    struct span key;
    if (!plain_key(slot, table_octets(table, slot->key), &key))
        return append(&table->fast->odd, &table->fast->odd_count, row);
    struct entry *entry = find(table, key);
    if (entry == NULL)
        entry = add_entry(table, key);
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
    if (fast == NULL)
        return;
    HASH_ITER(hh, fast->plain, each, next)
    {
        HASH_DEL(fast->plain, each);
        free(each->rows);
        free(each);
    }
    free(fast->odd);
    free(fast);
}

/* The first of the rows that is not before `from`; `most` if there is none below that. */
static size_t first_row(const struct entry *entry, size_t from, size_t most)
{
    for (size_t i = 0; entry != NULL && i < entry->count; i++)
        if (entry->rows[i] >= from)
            return entry->rows[i] < most ? entry->rows[i] : most;
    return most;
}

bool table_match(const struct table *table, const char *text, size_t *row)
{
    const struct table_fast *fast = table->fast;
    struct span whole = span_str(text);
    size_t at = whole.len;
    while (at > 0 && whole.data[at - 1] != '@')
        at--;
    size_t best = table->count;
    if (whole.len > 0 && whole.data[0] != '@') /* that would be the key of `*@host` */
        best = first_row(find(table, whole), *row, best);
    if (at > 0)
        best = first_row(find(table, span_from(whole, at - 1)), *row, best);
    for (size_t i = 0; i < fast->odd_count && fast->odd[i] < best; i++) {
        if (fast->odd[i] >= *row && table_slot_matches(table, &table->slots[fast->odd[i]], text)) {
            best = fast->odd[i];
            break;
        }
    }
    *row = best < table->count ? best : *row;
    return best < table->count;
}
