/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/foreign_dsn.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1023 }; /* OpenDKIM cuts what is longer (BUFRSZ in its opendkim-db.c) */

/* -- escapes ------------------------------------------------------------------------------ */

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c != '\0' ? strchr(digits, ascii_lower(c)) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

static bool is_escape(struct span s, size_t at)
{
    return at + 2 < s.len && s.data[at] == '=' && hex(s.data[at + 1]) >= 0 &&
           hex(s.data[at + 2]) >= 0;
}

static bool has_escape(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_escape(s, i))
            return true;
    }
    return false;
}

/* False without memory, or if it has a NUL then. */
static bool unescape(struct span s, char **out)
{
    char *text = malloc(s.len + 1);
    size_t len = 0;
    if (text == NULL)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool escape = is_escape(s, i);
        text[len++] = escape ? (char)(16 * hex(s.data[i + 1]) + hex(s.data[i + 2])) : s.data[i];
        i += escape ? 2 : 0;
    }
    text[len] = '\0';
    if (strlen(text) == len) {
        *out = text;
        return true;
    }
    bytes_wipe(text, len);
    free(text);
    return false;
}

/* -- up to the options -------------------------------------------------------------------- */

static enum status wrong(struct err *err)
{
    return err_set(err, ST_INVALID,
                   "not a data base (dsn:BACKEND://[USER[:PASSWORD]@][PORT+]HOST/DATABASE/table=T"
                   "?keycol=K?datacol=A[,B]); one of : / @ + ? = in a part is written as =XX");
}

static enum status set(char **part, struct span text, bool escapes, struct err *err)
{
    if (text.len > TEXT_MAX)
        return err_set(err, ST_INVALID, "a part of %zu octets (at most %d)", text.len, TEXT_MAX);
    char *copy = NULL;
    if (!escapes)
        copy = span_dup(text);
    else if (!unescape(text, &copy))
        return err_set(err, ST_INVALID, "a part with =00 in it, or no memory");
    if (copy == NULL)
        return err_set(err, ST_TEMP, "no memory");
    bytes_wipe(*part, strlen(*part));
    free(*part);
    *part = copy;
    return ST_OK;
}

/* Up to the next punctuation, which is in *mark then; '\0' at the end. */
static struct span next_part(struct span rest, char *mark)
{
    size_t at = 0;
    while (at < rest.len && (strchr(":/@+?=", rest.data[at]) == NULL || is_escape(rest, at)))
        at++;
    *mark = at < rest.len ? rest.data[at] : '\0';
    return span_head(rest, at);
}

/* Which part it is depends on what follows it and on those that are known. */
static char **part_before(struct foreign_dsn *dsn, char mark)
{
    switch (mark) {
    case ':':
        return dsn->user[0] == '\0' ? &dsn->user : NULL;
    case '@':
        return dsn->user[0] == '\0' ? &dsn->user : &dsn->password;
    case '+':
        return &dsn->port;
    case '/':
        return dsn->host[0] == '\0' ? &dsn->host : &dsn->database;
    default:
        return NULL;
    }
}

/* OpenDKIM takes parts in any order, and so a part of a password with a : / + or @ in it for a host
 * or a port. No server is reached by that, and an error would show it. */
static bool may_follow(char before, char mark)
{
    switch (before) {
    case ':':
        return mark == '@';
    case '+':
    case '/':
        return mark == '/';
    default:
        return true;
    }
}

static bool is_port(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_digit(text.data[i]) && text.data[i] != ',')
            return false;
    }
    return true;
}

/* Leaves the options in *rest. */
static enum status read_place(struct foreign_dsn *dsn, struct span *rest, struct err *err)
{
    char **part = NULL;
    char before = '\0', mark;
    for (; part != &dsn->database; before = mark) {
        struct span text = next_part(*rest, &mark);
        part = part_before(dsn, mark);
        if (part == NULL || !may_follow(before, mark) || (mark == '+' && !is_port(text)))
            return wrong(err);
        dsn->escaped |= has_escape(text);
        enum status st = set(part, text, false, err);
        if (st != ST_OK)
            return st;
        *rest = span_from(*rest, text.len + 1);
    }
    return ST_OK;
}

/* -- options ------------------------------------------------------------------------------ */

/* What 2.11 makes of the letters a to f is not what its manual says. */
static bool has_small_escape(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_escape(s, i) && ((s.data[i + 1] >= 'a' && s.data[i + 1] <= 'f') ||
                                (s.data[i + 2] >= 'a' && s.data[i + 2] <= 'f')))
            return true;
    }
    return false;
}

static enum status read_filter(struct foreign_dsn *dsn, struct span text, struct err *err)
{
    free(dsn->filter);
    dsn->filter = NULL;
    if (!unescape(text, &dsn->filter))
        return err_set(err, ST_INVALID, "a filter with =00 in it, or no memory");
    dsn->small = has_small_escape(text);
    return ST_OK;
}

static enum status read_option(struct foreign_dsn *dsn, struct span text, struct err *err)
{
    struct span name = span_head(text, span_find(text, '='));
    struct span value = span_from(text, name.len + 1);
    const struct {
        const char *name;
        char **part;
    } options[] = {{"table", &dsn->table}, {"keycol", &dsn->keycol}, {"datacol", &dsn->datacol}};
    if (name.len == text.len)
        return ST_OK; /* as OpenDKIM does with what is none, or one it does not know */
    if (span_equal_nocase(name, SPAN_LIT("filter")))
        return read_filter(dsn, value, err);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (span_equal_nocase(name, span_str(options[i].name)))
            return set(options[i].part, value, false, err);
    }
    return ST_OK;
}

static enum status read_options(struct foreign_dsn *dsn, struct span rest, struct err *err)
{
    enum status st = ST_OK;
    for (struct span part; st == ST_OK && span_next(&rest, '?', &part);)
        st = read_option(dsn, part, err);
    if (st == ST_OK && (dsn->table[0] == '\0' || dsn->keycol[0] == '\0' || dsn->datacol[0] == '\0'))
        return err_set(err, ST_INVALID,
                       "table, keycol and datacol must all be given (a / in a part in "
                       "front of them is written as =2F)");
    return st;
}

/* -- the whole ---------------------------------------------------------------------------- */

static char **parts_of(struct foreign_dsn *dsn, size_t index)
{
    char **parts[] = {&dsn->backend,  &dsn->user,  &dsn->password, &dsn->port,   &dsn->host,
                      &dsn->database, &dsn->table, &dsn->keycol,   &dsn->datacol};
    return index < sizeof parts / sizeof parts[0] ? parts[index] : NULL;
}

void foreign_dsn_clear(struct foreign_dsn *dsn)
{
    char **part;
    for (size_t i = 0; (part = parts_of(dsn, i)) != NULL; i++) {
        if (*part != NULL)
            bytes_wipe(*part, strlen(*part));
        free(*part);
    }
    free(dsn->filter);
    *dsn = (struct foreign_dsn){0};
}

enum status foreign_dsn_read(struct span text, struct foreign_dsn *out, struct err *err)
{
    struct span backend = span_head(text, span_find(text, ':'));
    struct span rest = span_from(text, backend.len + 1);
    enum status st = ST_OK;
    char **part;
    *out = (struct foreign_dsn){0};
    for (size_t i = 0; (part = parts_of(out, i)) != NULL; i++) {
        *part = strdup("");
        if (*part == NULL)
            st = err_set(err, ST_TEMP, "no memory");
    }
    if (st == ST_OK && !span_has_prefix(rest, SPAN_LIT("//")))
        st = wrong(err);
    rest = span_from(rest, 2);
    if (st == ST_OK)
        st = set(&out->backend, backend, false, err);
    if (st == ST_OK)
        st = read_place(out, &rest, err);
    if (st == ST_OK)
        st = read_options(out, rest, err);
    if (st != ST_OK)
        foreign_dsn_clear(out);
    return st;
}

static enum status unescape_parts(char **const parts[], size_t count, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        struct span part = span_str(*parts[i]);
        st = set(parts[i], part, true, err);
    }
    return st;
}

enum status foreign_dsn_unescape_place(struct foreign_dsn *dsn, struct err *err)
{
    char **const parts[] = {&dsn->user, &dsn->password, &dsn->port, &dsn->host, &dsn->database};
    return unescape_parts(parts, sizeof parts / sizeof parts[0], err);
}

bool foreign_dsn_names_escaped(const struct foreign_dsn *dsn)
{
    return has_escape(span_str(dsn->table)) || has_escape(span_str(dsn->keycol)) ||
           has_escape(span_str(dsn->datacol));
}

enum status foreign_dsn_unescape_names(struct foreign_dsn *dsn, struct err *err)
{
    char **const parts[] = {&dsn->table, &dsn->keycol, &dsn->datacol};
    return unescape_parts(parts, sizeof parts / sizeof parts[0], err);
}
