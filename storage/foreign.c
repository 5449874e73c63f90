/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ldap/foreign.h"
#include "sql/foreign.h"

/* A reader that is not compiled in is a line that is not here. */
static const struct foreign_reader *const readers[] = {
    &foreign_sql_reader,
    &foreign_ldap_reader,
};

enum { READERS = sizeof readers / sizeof readers[0] };

/* -- which reader ------------------------------------------------------------------------- */

/* OpenDKIM does not mind the case of a scheme. */
static const struct foreign_reader *reader_of(struct span url)
{
    struct span scheme = span_head(url, span_find(url, ':'));
    for (size_t i = 0; i < READERS && scheme.len < url.len; i++) {
        for (const char *const *each = readers[i]->schemes; *each != NULL; each++) {
            if (span_equal_nocase(scheme, span_str(*each)))
                return readers[i];
        }
    }
    return NULL;
}

bool foreign_knows(struct span url)
{
    return reader_of(span_trim(url)) != NULL;
}

static enum status check(const struct foreign_options *options, struct err *err)
{
    if (options->columns == 0 || options->columns > FOREIGN_VALUES_MAX)
        return err_set(err, ST_BROKEN, "%zu values cannot be asked for (1 to %d)", options->columns,
                       FOREIGN_VALUES_MAX);
    if (options->url.len > FOREIGN_URL_MAX)
        return err_set(err, ST_INVALID, "a URL of %zu octets (at most %d)", options->url.len,
                       FOREIGN_URL_MAX);
    if (span_find(options->url, '\0') < options->url.len)
        return err_set(err, ST_INVALID, "a URL with a NUL in it");
    return ST_OK;
}

enum status foreign_open(const struct foreign_options *options, struct foreign **out,
                         struct err *err)
{
    struct foreign_options trimmed = *options;
    trimmed.url = span_trim(options->url);
    const struct foreign_reader *reader = reader_of(trimmed.url);
    enum status st = check(&trimmed, err);
    if (st != ST_OK)
        return st;
    if (reader == NULL)
        return err_set(err, ST_INVALID,
                       "not a table of an SQL data base or a directory (dsn:, "
                       "ldap:, ldaps: or ldapi:)");
    return reader->open(&trimmed, out, err);
}

/* -- a table ------------------------------------------------------------------------------ */

enum status foreign_look(struct foreign *table, struct span key, foreign_row_reader *read,
                         void *arg, struct err *err)
{
    if (key.len > FOREIGN_VALUE_MAX)
        return err_set(err, ST_INVALID, "a key of %zu octets (at most %d)", key.len,
                       FOREIGN_VALUE_MAX);
    if (span_find(key, '\0') < key.len)
        return err_set(err, ST_INVALID, "a key with a NUL in it");
    return table->reader->look(table, key, read, arg, err);
}

enum status foreign_walk(struct foreign *table, foreign_row_reader *read, void *arg,
                         struct err *err)
{
    return table->reader->walk(table, read, arg, err);
}

const char *foreign_note(const struct foreign *table, size_t index)
{
    return index < table->note_count ? table->notes[index] : NULL;
}

void foreign_close(struct foreign *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->note_count; i++)
        free(table->notes[i]);
    table->reader->close(table);
}

void foreign_add_note(struct foreign *table, const char *fmt, ...)
{
    char *note = NULL;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&note, fmt, args) < 0)
        note = NULL;
    va_end(args);
    bool known = note == NULL || table->note_count == FOREIGN_NOTES_MAX;
    for (size_t i = 0; i < table->note_count && !known; i++)
        known = strcmp(table->notes[i], note) == 0;
    if (known)
        free(note);
    else
        table->notes[table->note_count++] = note;
}

/* -- rows --------------------------------------------------------------------------------- */

void foreign_make_row(const struct foreign *table, const struct span *cells, size_t count,
                      char fault[ERR_TEXT_SIZE], struct foreign_row *out)
{
    *out = (struct foreign_row){.key = cells[0]};
    size_t values = count - 1 < table->columns ? count - 1 : table->columns;
    for (size_t i = 0; i <= values; i++) {
        if (cells[i].len <= FOREIGN_VALUE_MAX)
            continue;
        if (i == 0)
            snprintf(fault, ERR_TEXT_SIZE, "a key of more than %d octets", FOREIGN_VALUE_MAX);
        else
            snprintf(fault, ERR_TEXT_SIZE, "value %zu has more than %d octets", i,
                     FOREIGN_VALUE_MAX);
        out->key = i == 0 ? span_head(cells[0], 0) : cells[0];
        out->fault = fault;
        return;
    }
    for (size_t i = 0; i < values; i++)
        out->values[i] = cells[i + 1];
}

enum status foreign_keep_cell(struct foreign_kept *kept, size_t index, struct span cell,
                              struct err *err)
{
    cell = span_head(cell, FOREIGN_VALUE_MAX + 1);
    if (cell.data == NULL)
        return ST_OK;
    kept->octets[index] = span_dup(cell);
    if (kept->octets[index] == NULL)
        return err_set(err, ST_TEMP, "no memory");
    kept->cells[index] = span_of(kept->octets[index], cell.len);
    return ST_OK;
}

enum status foreign_keep(struct foreign_kept *kept, const struct span *cells, size_t count,
                         struct err *err)
{
    enum status st = ST_OK;
    if (kept->hits++ > 0)
        return ST_OK;
    kept->count = count <= FOREIGN_VALUES_MAX ? count : 1 + FOREIGN_VALUES_MAX;
    for (size_t i = 0; i < kept->count && st == ST_OK; i++)
        st = foreign_keep_cell(kept, i, cells[i], err);
    return st;
}

void foreign_forget(struct foreign_kept *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        if (kept->octets[i] != NULL)
            bytes_wipe(kept->octets[i], kept->cells[i].len);
        free(kept->octets[i]);
    }
    *kept = (struct foreign_kept){0};
}

enum status foreign_give(const struct foreign *table, struct foreign_kept *kept,
                         foreign_row_reader *read, void *arg, struct err *err)
{
    char fault[ERR_TEXT_SIZE];
    struct foreign_row row;
    if (kept->hits == 0)
        return err_set(err, ST_NOT_FOUND, "%s: no row for that key", table->name);
    foreign_make_row(table, kept->cells, kept->count, fault, &row);
    row.number = 1;
    row.more = kept->hits > 1;
    row.inactive = kept->inactive;
    enum status st = read(arg, &row, err);
    foreign_forget(kept);
    return st;
}
