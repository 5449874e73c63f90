/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "opendkim/table_internal.h"

struct table_index {
    UT_hash_handle hh;
    size_t row;
    char key[]; /* in lower case where case does not matter */
};

static void fold(const struct table *table, struct span key, char *out)
{
    bool nocase = table_nocase(table);
    for (size_t i = 0; i < key.len; i++)
        out[i] = nocase ? ascii_lower(key.data[i]) : key.data[i];
}

static void note_dead(const struct table *table, size_t row, size_t first)
{
    enum table_use use = table->options.use;
    if (use != TABLE_KEYS && use != TABLE_RULES)
        return;
    struct table_row dead = table_row_at(table, row);
    if (!dead.rest)
        table_note(table, NOTES_NOTICE, table->slots[row].line,
                   "%.*s stands in line %zu already, and the first line counts",
                   (int)span_head(dead.key, 300).len, dead.key.data, table->slots[first].line);
}

static enum status add(struct table *table, size_t row, struct err *err)
{
    struct span key = table_octets(table, table->slots[row].key);
    struct table_index *found = NULL;
    struct table_index *entry = calloc(1, sizeof *entry + key.len + 1);
    if (entry == NULL)
        return err_set(err, ST_TEMP, "no memory for %zu keys", table->count);
    fold(table, key, entry->key);
    entry->row = row;
    HASH_FIND(hh, table->index, entry->key, key.len, found);
    if (found != NULL) {
        note_dead(table, row, found->row);
        free(entry);
        return ST_OK;
    }
    HASH_ADD_KEYPTR(hh, table->index, entry->key, key.len, entry);
    if (entry->hh.tbl != NULL)
        return ST_OK;
    free(entry);
    return err_set(err, ST_TEMP, "no memory for %zu keys", table->count);
}

enum status table_index_make(struct table *table, struct err *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < table->count; i++)
        status = add(table, i, err);
    return status;
}

void table_index_free(struct table_index *index)
{
    struct table_index *entry;
    struct table_index *next;
    HASH_ITER(hh, index, entry, next)
    {
        HASH_DEL(index, entry);
        free(entry);
    }
}

bool table_index_find(const struct table *table, struct span key, size_t *row_out)
{
    struct table_index *found = NULL;
    char *folded = malloc(key.len + 1);
    if (folded == NULL)
        return false;
    fold(table, key, folded);
    HASH_FIND(hh, table->index, folded, key.len, found);
    free(folded);
    if (found != NULL)
        *row_out = found->row;
    return found != NULL;
}
