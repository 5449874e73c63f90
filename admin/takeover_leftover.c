/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "admin/takeover.h"

enum { LEFTOVERS_MAX = 1000 }; /* told one by one */

/* A name of a key, and how many rows of a KeyTable have it. */
struct name {
    UT_hash_handle hh;
    size_t rows;
    bool asked; /* by some row of a SigningTable */
    char text[];
};

/* -- names ---------------------------------------------------------------------------------- */

static void free_names(struct name *names)
{
    struct name *name = NULL, *next = NULL;
    HASH_ITER(hh, names, name, next)
    {
        HASH_DEL(names, name);
        free(name);
    }
}

/* A server may compare them without their case. */
static struct name *find_name(struct name **names, struct span text, bool nocase)
{
    struct name *found = NULL;
    struct name *name = calloc(1, sizeof *name + text.len + 1);
    for (size_t i = 0; name != NULL && i < text.len; i++)
        name->text[i] = nocase ? ascii_lower(text.data[i]) : text.data[i];
    if (name != NULL)
        HASH_FIND(hh, *names, name->text, text.len, found);
    if (name != NULL && found == NULL) {
        HASH_ADD_KEYPTR(hh, *names, name->text, text.len, name);
        if (name->hh.tbl != NULL)
            return name;
    }
    free(name);
    return found;
}

/* `%` asks for the author's domain. */
static enum status ask_hosts(const struct takeover *takeover, struct name **names, bool nocase,
                             struct err *err)
{
    for (const struct takeover_pattern *each = takeover->patterns; each != NULL;
         each = each->hh.next) {
        struct name *name = find_name(names, span_str(each->host), nocase);
        if (name == NULL)
            return err_set(err, ST_TEMP, "no memory");
        name->asked = true;
    }
    return ST_OK;
}

static enum status ask_rules(const struct takeover *takeover, const struct table *rules,
                             struct name **names, bool nocase, struct err *err)
{
    bool any = false;
    for (size_t i = 0; i < table_count(rules); i++) {
        struct span parts[2] = {{NULL, 0}, {NULL, 0}};
        struct table_row row = table_row_at(rules, i);
        (void)table_split(row.value, 2, parts);
        struct name *name = find_name(names, parts[0], nocase);
        if (name == NULL)
            return err_set(err, ST_TEMP, "no memory");
        name->asked = true;
        any = any || span_equal(parts[0], SPAN_LIT("%"));
    }
    return any ? ask_hosts(takeover, names, nocase, err) : ST_OK;
}

static enum status count_rows(const struct table *keys, struct name **names, bool nocase,
                              struct err *err)
{
    for (size_t i = 0; i < table_count(keys); i++) {
        struct name *name = find_name(names, table_row_at(keys, i).key, nocase);
        if (name == NULL)
            return err_set(err, ST_TEMP, "no memory");
        name->rows++;
    }
    return ST_OK;
}

/* Where the names of rows are patterns, the first that matches a name is asked for. */
static enum status ask_patterns(const struct table *keys, struct name **names, struct err *err)
{
    for (const struct name *each = *names; each != NULL; each = each->hh.next) {
        size_t row = 0;
        if (!each->asked || !table_match(keys, each->text, &row))
            continue;
        struct name *name = find_name(names, table_row_at(keys, row).key, false);
        if (name == NULL)
            return err_set(err, ST_TEMP, "no memory");
        name->asked = true;
    }
    return ST_OK;
}

/* -- notes ---------------------------------------------------------------------------------- */

static void note_rows(const struct takeover *takeover, const struct table *keys,
                      struct name **names, bool nocase)
{
    size_t count = 0;
    for (size_t i = 0; i < table_count(keys); i++) {
        struct table_row row = table_row_at(keys, i);
        const struct name *name = find_name(names, row.key, nocase);
        bool left = !row.rest && name != NULL && !name->asked;
        count += left;
        if (left && count <= LEFTOVERS_MAX)
            notes_add(takeover->notes, NOTES_NOTICE, row.place,
                      "KeyTable: %.*s: no row of SigningTable names it, so nothing is signed with "
                      "it, and it is not taken over",
                      (int)span_head(row.key, 300).len, row.key.data);
    }
    if (count > LEFTOVERS_MAX)
        notes_add(takeover->notes, NOTES_NOTICE, table_place(keys),
                  "KeyTable: no row of SigningTable names %zu more of its rows, which are not "
                  "taken over",
                  count - LEFTOVERS_MAX);
}

/* In a directory selectors are often names of keys, and two domains may have the same. */
static void note_doubles(const struct takeover *takeover, struct name **names, bool nocase)
{
    for (const struct takeover_pattern *each = takeover->patterns; each != NULL;
         each = each->hh.next) {
        if (each->wanted == NULL || each->count == 0)
            continue;
        const char *domain = each->signers[0].key->domain;
        const struct name *name = find_name(names, span_str(each->wanted), nocase);
        if (name != NULL && name->rows > 1 &&
            !dkim_domain_is_within(span_str(each->host), span_str(domain)))
            notes_add(takeover->notes, NOTES_CHANGED, each->place,
                      "%s: KeyTable has %zu rows called %s, and OpenDKIM takes the one it is given "
                      "first, of %s, for all of them; so does this",
                      each->text, name->rows, name->text, domain);
    }
}

enum status takeover_note_leftovers(const struct takeover *takeover, struct err *err)
{
    const struct table *rules = signing_table(takeover->signing, "SigningTable");
    const struct table *keys = signing_table(takeover->signing, "KeyTable");
    struct name *names = NULL;
    if (rules == NULL || keys == NULL)
        return ST_OK;
    bool foreign = table_type_of(keys) == TABLE_FOREIGN;
    enum status status = ask_rules(takeover, rules, &names, foreign, err);
    if (status == ST_OK && table_type_of(keys) == TABLE_REFILE)
        status = ask_patterns(keys, &names, err);
    if (status == ST_OK)
        status = count_rows(keys, &names, foreign, err);
    if (status == ST_OK)
        note_rows(takeover, keys, &names, foreign);
    if (status == ST_OK && foreign)
        note_doubles(takeover, &names, foreign);
    free_names(names);
    return status;
}
