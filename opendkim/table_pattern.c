/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "opendkim/table_internal.h"

/* OpenDKIM has this much room for the expression that it makes of a pattern. */
enum { EXPRESSION_MAX = 1025, COMPILED_MAX = 1000 };

static bool is_live(char c)
{
    return c != '\0' && strchr("^$()[]{}|?\\", c) != NULL;
}

static bool has_live(struct span pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (is_live(pattern.data[i]))
            return true;
    return false;
}

static void make_expression(struct span pattern, struct buf *out)
{
    buf_append_char(out, '^');
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.data[i];
        if (c == '*')
            buf_append_char(out, '.');
        else if (c == '.' || c == '+')
            buf_append_char(out, '\\');
        buf_append_char(out, c);
    }
    buf_append_char(out, '$');
}

static int compile(const struct table *table, struct span key, regex_t *out)
{
    struct buf expression = BUF_INIT(0);
    int flags = REG_EXTENDED | REG_NOSUB | (table_nocase(table) ? REG_ICASE : 0);
    make_expression(key, &expression);
    int code = expression.failed == ST_OK ? regcomp(out, buf_cstr(&expression), flags) : REG_ESPACE;
    buf_clear(&expression);
    return code;
}

/* A compiled expression has some 15 KB: of a long table most are thrown away again, and compiled
 * anew when they may match. */
static enum status try_pattern(struct table *table, struct table_slot *slot, struct err *err)
{
    char fault[64] = "";
    regex_t *pattern = calloc(1, sizeof *pattern);
    if (pattern == NULL)
        return err_set(err, ST_TEMP, "no memory for a pattern");
    int code = compile(table, table_octets(table, slot->key), pattern);
    slot->live = true;
    if (code == 0 && table->compiled < COMPILED_MAX) {
        table->compiled++;
        slot->pattern = pattern;
        return ST_OK;
    }
    if (code == 0)
        regfree(pattern);
    else
        regerror(code, pattern, fault, sizeof fault);
    free(pattern);
    if (code == 0)
        return ST_OK;
    return err_set(err, ST_INVALID, "line %zu: not a regular expression: %s", slot->line, fault);
}

/* -- what is surprising ------------------------------------------------------------------- */

static void note_pattern(const struct table *table, const struct table_slot *slot)
{
    struct span key = table_octets(table, slot->key);
    struct span rest = span_from(key, 1);
    if (slot->rest)
        return;
    if (has_live(key))
        table_note(table, NOTES_NOTICE, slot->line,
                   "%.*s: only *, . and + are taken as they look, all else as a regular expression",
                   (int)span_head(key, 200).len, key.data);
    if (table->options.use != TABLE_RULES || key.len < 2 || key.data[0] != '*')
        return;
    if (rest.data[0] != '@' && rest.data[0] != '.' && span_find(rest, '*') == rest.len)
        table_note(table, NOTES_NOTICE, slot->line, "%.*s: matches user@not%.*s as well",
                   (int)span_head(key, 200).len, key.data, (int)span_head(rest, 200).len,
                   rest.data);
}

static size_t expression_len(struct span pattern)
{
    size_t len = pattern.len + 2;
    for (size_t i = 0; i < pattern.len; i++)
        len += pattern.data[i] == '*' || pattern.data[i] == '.' || pattern.data[i] == '+';
    return len;
}

enum status table_patterns_make(struct table *table, struct err *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < table->count; i++) {
        struct table_slot *slot = &table->slots[i];
        struct span key = table_octets(table, slot->key);
        if (expression_len(key) >= EXPRESSION_MAX)
            status = err_set(err, ST_INVALID, "line %zu: the pattern is too long", slot->line);
        else if (has_live(key))
            status = try_pattern(table, slot, err);
        if (status == ST_OK)
            note_pattern(table, slot);
    }
    return status;
}

void table_patterns_free(struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->slots[i].pattern != NULL)
            regfree(table->slots[i].pattern);
        free(table->slots[i].pattern);
    }
}

/* -- matching ----------------------------------------------------------------------------- */

static bool same(char a, char b, bool nocase)
{
    return nocase ? ascii_lower(a) == ascii_lower(b) : a == b;
}

/* What regexec would say of a pattern in which nothing but `*` is more than itself. */
static bool wildcards_match(struct span pattern, struct span text, bool nocase)
{
    size_t p = 0;
    size_t t = 0;
    size_t star = pattern.len; /* the last one seen, and where its turn began */
    size_t mark = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len && same(pattern.data[p], text.data[t], nocase)) {
            p++;
            t++;
        } else if (star < pattern.len) {
            p = star + 1;
            t = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}

/* Whether a text may match an expression at all: behind its last sign that is more than itself the
 * rest stands as it is, unless a backslash or a bar reaches over it. */
static bool may_match(struct span pattern, struct span text, bool nocase)
{
    size_t len = 0;
    if (span_find(pattern, '\\') < pattern.len || span_find(pattern, '|') < pattern.len)
        return true;
    while (len < pattern.len && !is_live(pattern.data[pattern.len - 1 - len]) &&
           pattern.data[pattern.len - 1 - len] != '*')
        len++;
    for (size_t i = 1; i <= len; i++)
        if (i > text.len || !same(pattern.data[pattern.len - i], text.data[text.len - i], nocase))
            return false;
    return true;
}

static bool live_matches(const struct table *table, const struct table_slot *slot, const char *text)
{
    regex_t pattern;
    struct span key = table_octets(table, slot->key);
    if (slot->pattern != NULL)
        return regexec(slot->pattern, text, 0, NULL, 0) == 0;
    if (!may_match(key, span_str(text), table_nocase(table)) || compile(table, key, &pattern) != 0)
        return false;
    bool matches = regexec(&pattern, text, 0, NULL, 0) == 0;
    regfree(&pattern);
    return matches;
}

bool table_match(const struct table *table, const char *text, size_t *row)
{
    bool nocase = table_nocase(table);
    struct span whole = span_str(text);
    for (size_t i = *row; i < table->count; i++) {
        const struct table_slot *slot = &table->slots[i];
        if (slot->live ? live_matches(table, slot, text)
                       : wildcards_match(table_octets(table, slot->key), whole, nocase)) {
            *row = i;
            return true;
        }
    }
    return false;
}
