/* SPDX-License-Identifier: Apache-2.0
 *
 * MySQL and MariaDB, through the client program that each of them has, which is not linked and need
 * not be there for anything else. It runs for as long as the connection is open, takes statements
 * on its standard input and writes rows in its batch form: cells with a tab between them, NUL, tab,
 * line end and backslash as \0, \t, \n and \\. What that form cannot tell is SQL's NULL from the
 * text NULL; both are taken for the first, as no table of OpenDKIM has anything of that name.
 *
 * Behind each statement another asks for a word that nobody can know: its row is the end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "sql/foreign_backend.h"
#include "sql/foreign_child.h"

enum {
    /* A line of the longest cells, all of it escaped, and what is read past it. */
    ANSWER_MAX = FOREIGN_CELLS_MAX * 2 * 1024 * 1024,
    FILE_MAX = 16 * 1024,
    WORD_SIZE = 33,
    COMPLAINT_SHOWN = 160,
};

struct foreign_link {
    struct foreign_child child;
    struct foreign_place place;
    char word[WORD_SIZE];
    struct buf text; /* what the client has said and was not read yet */
    size_t line_at;  /* where in the text the next line begins */
    bool ended;      /* the client has */
    bool refused;    /* because the server did not take a statement */
};

/* Most collations mind no case, and so does a text; X'...' would. */
static enum status append_key(struct span key, struct buf *out, struct err *err)
{
    (void)err;
    buf_append_char(out, '\'');
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];
        if (c == '\n' || c == '\r' || c == '\x1a') {
            buf_printf(out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 'Z');
            continue;
        }
        if (c == '\'' || c == '"' || c == '\\')
            buf_append_char(out, '\\');
        buf_append_char(out, c);
    }
    buf_append_char(out, '\'');
    return ST_OK;
}

/* -- errors ------------------------------------------------------------------------------- */

static const struct {
    const char *code; /* as the client writes it */
    enum status status;
} error_classes[] = {
    {"1044", ST_DENIED},  {"1045", ST_DENIED},    {"1130", ST_DENIED},  {"1142", ST_DENIED},
    {"1143", ST_DENIED},  {"1251", ST_DENIED},    {"1370", ST_DENIED},  {"1698", ST_DENIED},
    {"1792", ST_DENIED},  {"1049", ST_NOT_FOUND}, {"1054", ST_INVALID}, {"1064", ST_INVALID},
    {"1103", ST_INVALID}, {"1146", ST_INVALID},   {"1305", ST_INVALID}, {"1267", ST_INVALID},
    {"1040", ST_TEMP},    {"1053", ST_TEMP},      {"1205", ST_TEMP},    {"2002", ST_TEMP},
    {"2003", ST_TEMP},    {"2005", ST_TEMP},      {"2006", ST_TEMP},    {"2013", ST_TEMP},
    {"1969", ST_TEMP},
};

/* The last line that is one, or else the first: `ERROR 1045 (28000): Access denied...`, with `at
 * line 3` in between when it is of a statement, which is shown in front of it. */
static struct span error_line(struct span text)
{
    struct span line, found = {0};
    for (struct span rest = span_trim(text); span_next(&rest, '\n', &line);) {
        if (found.len == 0 || span_has_prefix(line, SPAN_LIT("ERROR ")))
            found = line;
    }
    return span_head(found, COMPLAINT_SHOWN);
}

static enum status fault(struct foreign_link *link, struct err *err)
{
    struct span line = error_line(span_str(link->child.complaint));
    char code[8] = "";
    enum status st = ST_BROKEN;
    if (line.len == 0)
        return err_set(err, ST_TEMP, "mysql: the client has ended");
    if (span_has_prefix(line, SPAN_LIT("ERROR ")))
        sscanf(line.data, "ERROR %7[0-9]", code);
    for (size_t i = 0; i < sizeof error_classes / sizeof error_classes[0]; i++) {
        if (strcmp(code, error_classes[i].code) == 0)
            st = error_classes[i].status;
    }
    link->refused = st != ST_TEMP;
    return err_set(err, st, "mysql: %.*s", (int)line.len, line.data);
}

/* After a fault in talking to the client. */
static enum status broken(struct foreign_link *link, enum status st, struct err *err)
{
    link->ended = true;
    return st == ST_NOT_FOUND ? fault(link, err) : err_context(err, "mysql");
}

/* -- lines -------------------------------------------------------------------------------- */

/* The next line without its end, which stands in the text until the next is asked for. */
static enum status next_line(struct foreign_link *link, int64_t deadline_ms, struct span *out,
                             struct err *err)
{
    size_t looked = link->line_at;
    for (;;) {
        struct span rest = span_from(buf_span(&link->text), looked);
        size_t end = span_find(rest, '\n');
        if (end < rest.len) {
            size_t len = looked + end - link->line_at;
            *out = span_of(link->text.data + link->line_at, len);
            link->line_at += len + 1;
            return ST_OK;
        }
        if (link->line_at > 0) {
            size_t kept = link->text.len - link->line_at;
            memmove(link->text.data, link->text.data + link->line_at, kept);
            buf_truncate(&link->text, kept);
            link->line_at = 0;
        }
        looked = link->text.len;
        enum status st = foreign_child_read(&link->child, &link->text, deadline_ms, err);
        if (st != ST_OK)
            return broken(link, st, err);
    }
}

/* Undoes the escapes where they stand. */
static struct span unescape(char *cell, size_t len)
{
    size_t to = 0;
    if (len == 4 && memcmp(cell, "NULL", 4) == 0)
        return span_of(NULL, 0);
    for (size_t from = 0; from < len; from++) {
        char c = cell[from];
        if (c == '\\' && from + 1 < len) {
            c = cell[++from];
            c = (char)(c == '0' ? '\0' : c == 't' ? '\t' : c == 'n' ? '\n' : c);
        }
        cell[to++] = c;
    }
    return span_of(cell, to);
}

static size_t split(struct span line, struct span cells[FOREIGN_CELLS_MAX])
{
    size_t count = 0;
    for (struct span part; count < FOREIGN_CELLS_MAX && span_next(&line, '\t', &part); count++)
        cells[count] = unescape((char *)(uintptr_t)part.data, part.len);
    return count;
}

/* -- statements --------------------------------------------------------------------------- */

static enum status send(struct foreign_link *link, const char *text, struct err *err)
{
    struct buf octets = {0};
    int64_t deadline_ms = clock_monotonic_ms() + link->place.timeout_ms;
    if (link->ended)
        return err_set(err, ST_TEMP, "mysql: the client has ended");
    buf_printf(&octets, "%s;\nSELECT '%s';\n", text, link->word);
    enum status st = buf_check(&octets, "statement", err);
    if (st == ST_OK)
        st = foreign_child_write(&link->child, buf_span(&octets), deadline_ms, err);
    buf_clear(&octets);
    return st == ST_OK ? ST_OK : broken(link, st, err);
}

/* Reads to the end when the reader has had enough, but gives no more. */
static enum status receive(struct foreign_link *link, const struct foreign_statement *statement,
                           struct err *err)
{
    enum status st = ST_OK;
    for (;;) {
        struct err more = {0};
        struct span line, cells[FOREIGN_CELLS_MAX];
        int64_t deadline_ms = clock_monotonic_ms() + link->place.timeout_ms;
        enum status got = next_line(link, deadline_ms, &line, st == ST_OK ? err : &more);
        if (got != ST_OK)
            return st == ST_OK ? got : st;
        if (span_equal(line, span_str(link->word)))
            return st;
        size_t count = split(line, cells);
        if (st == ST_OK)
            st = statement->read(statement->arg, cells, count, err);
    }
}

/* -- opening ------------------------------------------------------------------------------ */

/* In quotes, with what means something there escaped. A line end would begin another setting. */
static void add_setting(struct buf *file, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    buf_printf(file, "%s=\"", name);
    for (const char *c = value; *c != '\0'; c++) {
        bool line_end = *c == '\n' || *c == '\r';
        if (line_end || *c == '"' || *c == '\\')
            buf_append_char(file, '\\');
        buf_append_char(file, !line_end ? *c : *c == '\n' ? 'n' : 'r');
    }
    buf_append_str(file, "\"\n");
}

static enum status start(struct foreign_link *link, struct err *err)
{
    static const char *const programs[] = {"mariadb", "mysql", NULL};
    static const char *const arguments[] = {"--defaults-file=/dev/fd/3",
                                            "--batch",
                                            "--skip-column-names",
                                            "--binary-mode",
                                            "--quick",
                                            "--unbuffered",
                                            "--disable-reconnect",
                                            NULL};
    const struct foreign_dsn *dsn = link->place.dsn;
    struct buf file = BUF_SECRET(FILE_MAX);
    buf_printf(&file, "[client]\ndefault-character-set=utf8mb4\n");
    add_setting(&file, "host", dsn->host);
    add_setting(&file, "port", dsn->port);
    add_setting(&file, "user", dsn->user);
    add_setting(&file, "password", dsn->password);
    buf_append_str(&file, "[mysql]\n");
    add_setting(&file, "database", dsn->database);
    enum status st = buf_check(&file, "URL", err);
    if (st == ST_OK)
        st = foreign_child_start(programs, arguments, buf_span(&file), &link->child, err);
    buf_clear(&file);
    if (st == ST_NOT_FOUND)
        return err_set(err, ST_BROKEN,
                       "mysql: neither the program mariadb nor mysql is there: install the package "
                       "mariadb-client");
    return st;
}

static enum status make_word(char word[WORD_SIZE], struct err *err)
{
    unsigned char octets[(WORD_SIZE - 1) / 2];
    if (getrandom(octets, sizeof octets, 0) != (ssize_t)sizeof octets)
        return err_set(err, ST_TEMP, "mysql: no random numbers");
    for (size_t i = 0; i < sizeof octets; i++)
        snprintf(word + 2 * i, 3, "%02x", octets[i]);
    return ST_OK;
}

/* The client would take what is behind them for another statement. */
static enum status check_texts(const struct foreign_dsn *dsn, struct err *err)
{
    const char *const texts[] = {dsn->table, dsn->keycol, dsn->datacol,
                                 dsn->filter != NULL ? dsn->filter : ""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strpbrk(texts[i], ";\r\n") != NULL)
            return err_set(err, ST_INVALID, "mysql: a ; or a line end in table, columns or filter");
    return ST_OK;
}

static void close_link(struct foreign_link *link)
{
    foreign_child_stop(&link->child, link->ended);
    buf_clear(&link->text);
    free(link);
}

/* OpenDBX sets the same mode, in which "..." are names and || joins texts. */
static enum status prepare(struct foreign_link *link, struct err *err)
{
    const struct foreign_statement statement = {
        .text = "SET SESSION sql_mode='ANSI';\nSET SESSION TRANSACTION READ ONLY"};
    enum status st = send(link, statement.text, err);
    return st == ST_OK ? receive(link, &statement, err) : st;
}

static enum status open_link(const struct foreign_place *place, struct foreign_link **out,
                             struct err *err)
{
    enum status st = check_texts(place->dsn, err);
    if (st != ST_OK)
        return st;
    struct foreign_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return err_set(err, ST_TEMP, "no memory");
    *link = (struct foreign_link){.place = *place,
                                  .child = {.in = -1, .out = -1, .complaints = -1},
                                  .text = BUF_SECRET(ANSWER_MAX)};
    st = make_word(link->word, err);
    if (st == ST_OK)
        st = start(link, err);
    if (st == ST_OK)
        st = prepare(link, err);
    if (st != ST_OK) {
        close_link(link);
        return st;
    }
    *out = link;
    return ST_OK;
}

/* The client ends at the first statement that the server refuses, so the next needs another. The
 * names may have been unescaped since it was opened. */
static enum status run(struct foreign_link *link, const struct foreign_statement *statement,
                       struct err *err)
{
    enum status st = check_texts(link->place.dsn, err);
    if (st == ST_OK && link->refused) {
        foreign_child_stop(&link->child, true);
        buf_reset(&link->text);
        link->line_at = 0;
        link->ended = link->refused = false;
        st = start(link, err);
        if (st == ST_OK)
            st = prepare(link, err);
    }
    if (st == ST_OK)
        st = send(link, statement->text, err);
    return st == ST_OK ? receive(link, statement, err) : st;
}

const struct foreign_backend foreign_mysql = {
    .name = "mysql",
    .append_key = append_key,
    .open = open_link,
    .run = run,
    .close = close_link,
};
