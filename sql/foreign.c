/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql/foreign_backend.h"

enum {
    STATEMENT_MAX = 256 * 1024,
    THEIR_STATEMENT_MAX = 1023, /* OpenDKIM cuts what is longer */
};

struct sql_table {
    struct foreign base;
    const struct foreign_backend *backend;
    struct foreign_dsn dsn;
    struct foreign_link *link;
};

static struct sql_table *table_of(struct foreign *base)
{
    return (struct sql_table *)base;
}

static const struct foreign_backend *const backends[] = {
    &foreign_postgres,
    &foreign_sqlite,
    &foreign_mysql,
};

enum { BACKENDS = sizeof backends / sizeof backends[0] };

static enum status find_backend(struct sql_table *table, struct err *err)
{
    struct buf known = BUF_INIT(128);
    for (size_t i = 0; i < BACKENDS; i++) {
        if (strcmp(table->dsn.backend, backends[i]->name) == 0)
            table->backend = backends[i];
        buf_printf(&known, "%s%s", i > 0 ? ", " : "", backends[i]->name);
    }
    enum status st = table->backend != NULL
                         ? ST_OK
                         : err_set(err, ST_INVALID, "no such back end is known here (only %s)",
                                   buf_cstr(&known));
    buf_clear(&known);
    return st;
}

/* -- errors ------------------------------------------------------------------------------- */

static bool in_word(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Whether the name is the next word; the end of a text that was cut off may have a part of it. */
static bool begins_with_word(struct span rest, struct span name)
{
    size_t len = name.len < rest.len ? name.len : rest.len;
    return span_equal(span_head(rest, len), span_head(name, len)) &&
           (len == rest.len || !in_word(rest.data[len]));
}

/* Servers name the user whom they do not let in. */
static void hide_user(const char *user, struct err *err)
{
    struct buf shown = BUF_INIT(0);
    struct span name = span_str(user);
    bool inside = false;
    for (struct span rest = span_str(err->text); rest.len > 0;) {
        bool hidden = !inside && begins_with_word(rest, name);
        if (hidden)
            buf_append_str(&shown, "(user)");
        else
            buf_append_char(&shown, rest.data[0]);
        inside = !hidden && in_word(rest.data[0]);
        rest = span_from(rest, hidden ? name.len : 1);
    }
    err_set(err, err->code, "%s", shown.failed == ST_OK ? buf_cstr(&shown) : "no memory");
    buf_clear(&shown);
}

/* Puts the table in front of what a server said. */
static enum status told(const struct sql_table *table, struct err *err)
{
    if (err != NULL && table->dsn.user[0] != '\0')
        hide_user(table->dsn.user, err);
    return err_context(err, "%s", table->base.name);
}

/* -- statements --------------------------------------------------------------------------- */

/* Whether the text has the word outside of what is quoted. */
static bool has_word(const char *text, const char *word)
{
    struct span wanted = span_str(word), rest = span_str(text);
    char quote = '\0';
    bool inside = false;
    for (; rest.len > 0; rest = span_from(rest, 1)) {
        char c = rest.data[0];
        bool part = ascii_alpha(c) || ascii_digit(c) || c == '_';
        if (quote != '\0') {
            quote = c == quote ? '\0' : quote;
        } else if (c == '\'' || c == '"' || c == '`') {
            quote = c;
        } else if (part && !inside && span_equal_nocase(span_head(rest, wanted.len), wanted)) {
            char next = rest.len > wanted.len ? rest.data[wanted.len] : ' ';
            if (!ascii_alpha(next) && !ascii_digit(next) && next != '_')
                return true;
        }
        inside = part;
    }
    return false;
}

static enum status run(struct sql_table *table, struct buf *text, const struct span *key,
                       const struct foreign_statement *reader, struct err *err)
{
    struct foreign_statement statement = *reader;
    enum status st = buf_check(text, "statement", err);
    if (st == ST_OK && text->len > THEIR_STATEMENT_MAX)
        foreign_add_note(&table->base,
                         "%s: OpenDKIM cuts its statements after %d octets, where this one has %zu",
                         table->base.name, THEIR_STATEMENT_MAX, text->len);
    statement.text = buf_cstr(text);
    statement.key = key;
    if (st == ST_OK)
        st = table->backend->run(table->link, &statement, err);
    buf_clear(text);
    return st;
}

static enum status ignore(void *arg, const struct span *cells, size_t count, struct err *err)
{
    (void)arg, (void)cells, (void)count, (void)err;
    return ST_OK;
}

/* Whether the table is there, and the columns are. */
static enum status probe(struct sql_table *table, struct err *err)
{
    const struct foreign_dsn *dsn = &table->dsn;
    struct buf text = BUF_INIT(STATEMENT_MAX);
    buf_printf(&text, "SELECT %s,%s FROM %s WHERE 1 = 0", dsn->keycol, dsn->datacol, dsn->table);
    return run(table, &text, NULL, &(struct foreign_statement){.read = ignore}, err);
}

/* OpenDKIM pastes names as they stand, but its manual has them escaped. */
static enum status probe_both(struct sql_table *table, struct err *err)
{
    struct err first = {0};
    enum status st = probe(table, &first);
    if (st == ST_INVALID && foreign_dsn_names_escaped(&table->dsn)) {
        st = foreign_dsn_unescape_names(&table->dsn, err);
        if (st == ST_OK)
            st = probe(table, err);
        if (st == ST_OK)
            foreign_add_note(
                &table->base,
                "%s: =XX in table, keycol or datacol is read as the character it stands "
                "for; OpenDKIM 2.11 does not do that",
                table->base.name);
        return st;
    }
    if (st != ST_OK && err != NULL)
        *err = first;
    return st;
}

/* -- open and close ----------------------------------------------------------------------- */

static void close_table(struct foreign *base)
{
    struct sql_table *table = table_of(base);
    if (table->link != NULL)
        table->backend->close(table->link);
    foreign_dsn_clear(&table->dsn);
    free(table);
}

static void add_notes(struct sql_table *table)
{
    const struct foreign_dsn *dsn = &table->dsn;
    const char *name = table->base.name;
    if (dsn->small)
        foreign_add_note(&table->base,
                         "%s: =XX of the filter with small letters is read as the character it "
                         "stands for; OpenDKIM 2.11 makes another one of it",
                         name);
    if (dsn->filter == NULL)
        return;
    if (has_word(dsn->filter, "or"))
        foreign_add_note(
            &table->base,
            "%s: the filter has an OR: unless it is in parentheses, OpenDKIM finds rows "
            "for keys that are not theirs",
            name);
    foreign_add_note(&table->base,
                     "%s: OpenDKIM minds the filter in look-ups only, and checks all rows of the "
                     "table when it starts",
                     name);
}

static enum status connect(struct sql_table *table, const struct foreign_options *options,
                           struct err *err)
{
    const struct foreign_dsn *dsn = &table->dsn;
    struct foreign_place place = {.dsn = dsn,
                                  .directory =
                                      options->directory != NULL ? options->directory : "/",
                                  .timeout_ms = options->timeout_ms};
    snprintf(table->base.name, sizeof table->base.name, "dsn:%s://%s/%s/table=%s", dsn->backend,
             dsn->host, dsn->database, dsn->table);
    enum status st = table->backend->open(&place, &table->link, err);
    if (st == ST_OK)
        st = probe_both(table, err);
    if (st == ST_OK)
        return ST_OK;
    if (table->link != NULL)
        table->backend->close(table->link);
    table->link = NULL;
    return told(table, err);
}

/* A password of letters and =3D can be just that, or be meant as the manual has it. */
static enum status connect_both(struct sql_table *table, const struct foreign_options *options,
                                struct err *err)
{
    struct err first = {0};
    if (!table->dsn.escaped)
        return connect(table, options, err);
    if (connect(table, options, &first) == ST_OK) {
        foreign_add_note(&table->base,
                         "%s: =XX in front of the options is taken for the characters that stand "
                         "there, as OpenDKIM 2.11 does; newer versions do not",
                         table->base.name);
        return ST_OK;
    }
    enum status st = foreign_dsn_unescape_place(&table->dsn, err);
    if (st == ST_OK)
        st = connect(table, options, err);
    if (st == ST_OK)
        foreign_add_note(&table->base,
                         "%s: =XX in front of the options is read as the character it stands for; "
                         "OpenDKIM 2.11 does not do that",
                         table->base.name);
    return st;
}

static enum status open_table(const struct foreign_options *options, struct foreign **out,
                              struct err *err)
{
    struct sql_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return err_set(err, ST_TEMP, "no memory");
    table->base = (struct foreign){.reader = &foreign_sql_reader,
                                   .columns = options->columns,
                                   .timeout_ms = options->timeout_ms};
    struct span text = span_from(options->url, strlen("dsn:"));
    enum status st = foreign_dsn_read(text, &table->dsn, err);
    if (st == ST_OK)
        st = find_backend(table, err);
    if (st != ST_OK)
        st = err_context(err, "dsn");
    else
        st = connect_both(table, options, err);
    if (st == ST_OK) {
        add_notes(table);
        *out = &table->base;
        return ST_OK;
    }
    foreign_close(&table->base);
    return st;
}

/* -- look and walk ------------------------------------------------------------------------ */

/* In front of the values stands the key that was looked up. */
struct looking {
    struct span key;
    struct foreign_kept kept;
};

static enum status take_found(void *arg, const struct span *cells, size_t count, struct err *err)
{
    struct looking *looking = arg;
    struct span row[1 + FOREIGN_CELLS_MAX];
    row[0] = looking->key;
    memcpy(row + 1, cells, count * sizeof *cells);
    return foreign_keep(&looking->kept, row, count + 1, err);
}

static enum status look(struct foreign *base, struct span key, foreign_row_reader *read, void *arg,
                        struct err *err)
{
    struct sql_table *table = table_of(base);
    const struct foreign_dsn *dsn = &table->dsn;
    struct looking looking = {.key = key};
    struct buf text = BUF_INIT(STATEMENT_MAX);
    buf_printf(&text, "SELECT %s FROM %s WHERE %s = ", dsn->datacol, dsn->table, dsn->keycol);
    enum status st = table->backend->append_key(key, &text, err);
    if (dsn->filter != NULL)
        buf_printf(&text, " AND %s", dsn->filter);
    if (st == ST_OK)
        st = run(table, &text, &key,
                 &(struct foreign_statement){.read = take_found, .arg = &looking}, err);
    buf_clear(&text);
    if (st != ST_OK) {
        foreign_forget(&looking.kept);
        return told(table, err);
    }
    return foreign_give(base, &looking.kept, read, arg, err);
}

struct walking {
    const struct sql_table *table;
    foreign_row_reader *read;
    void *arg;
    size_t number;
    bool refused; /* by the reader, whose error it is */
};

static enum status take_walked(void *arg, const struct span *cells, size_t count, struct err *err)
{
    struct walking *walking = arg;
    char fault[ERR_TEXT_SIZE];
    struct foreign_row row;
    foreign_make_row(&walking->table->base, cells, count, fault, &row);
    row.number = ++walking->number;
    enum status st = walking->read(walking->arg, &row, err);
    walking->refused = st != ST_OK;
    return st;
}

/* A key that is NULL equals nothing, so no look-up finds it. */
static enum status walk(struct foreign *base, foreign_row_reader *read, void *arg, struct err *err)
{
    struct sql_table *table = table_of(base);
    const struct foreign_dsn *dsn = &table->dsn;
    struct walking walking = {.table = table, .read = read, .arg = arg};
    struct buf text = BUF_INIT(STATEMENT_MAX);
    const char *filter = dsn->filter != NULL ? dsn->filter : "";
    if (has_word(filter, "limit") || has_word(filter, "fetch"))
        return err_set(
            err, ST_INVALID,
            "%s: the filter limits how many rows there are, so they can only be looked up "
            "one by one: give the list of keys",
            base->name);
    buf_printf(&text, "SELECT %s,%s FROM %s WHERE %s IS NOT NULL%s%s", dsn->keycol, dsn->datacol,
               dsn->table, dsn->keycol, dsn->filter != NULL ? " AND " : "", filter);
    enum status st = run(table, &text, NULL,
                         &(struct foreign_statement){.read = take_walked, .arg = &walking}, err);
    return st == ST_OK || walking.refused ? st : told(table, err);
}

static const char *const schemes[] = {"dsn", NULL};

const struct foreign_reader foreign_sql_reader = {
    .schemes = schemes,
    .open = open_table,
    .look = look,
    .walk = walk,
    .close = close_table,
};
