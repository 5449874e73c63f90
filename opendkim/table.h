/* SPDX-License-Identifier: Apache-2.0
 *
 * The data sets of OpenDKIM: `file:`, `refile:`, `csl:` and `db:` are read here, the others by
 * whoever hands over a struct table_source for them. Two uses: all rows in order, for an import,
 * and the look-ups that OpenDKIM makes, with its answers.
 *
 * How OpenDKIM 2.11 reads lines, and so do the rows: a line is cut after 1,023 octets and goes on
 * as another line, `#` ends it wherever it stands, and in `file:` the key is the first word and
 * the value all that follows, while in `refile:` the key ends at the first white space, so that a
 * line beginning with some has no key and is passed over. Keys of `refile:` are POSIX extended
 * regular expressions in which only `*`, `.` and `+` are taken literally or as wildcards. In all
 * of them the first record of a key is the one found.
 *
 * Values may be private keys: they stand in memory that is wiped, and in no error and no note.
 * After opening a table is constant, but look-ups in a table_source are its own: one thread.
 */
#ifndef INKAN_OPENDKIM_TABLE_H
#define INKAN_OPENDKIM_TABLE_H

#include "opendkim/notes.h"

enum table_type {
    TABLE_FILE,
    TABLE_REFILE,
    TABLE_CSL,
    TABLE_BERKELEY, /* db: */
    TABLE_FOREIGN,  /* dsn:, ldap: and the like */
};

/* What a data set is for decides how keys are compared, and what is worth a note. */
enum table_use {
    TABLE_KEYS,   /* KeyTable: case matters, each row has a value */
    TABLE_RULES,  /* SigningTable: each row has a value */
    TABLE_PEERS,  /* lists of hosts */
    TABLE_NAMES,  /* lists of domains, fields, addresses */
    TABLE_WORDS,  /* MTA: as TABLE_NAMES, but case matters */
    TABLE_MACROS, /* MacroList: case matters; values are several, with `|` between */
};

enum {
    TABLE_LINE_MAX = 1023,
    TABLE_BERKELEY_MAX = 1024, /* octets of a value in db: that OpenDKIM has room for */
    TABLE_ROWS_MAX = 20000000,
};

/* A row for somebody who walks a foreign data set; anything but ST_OK ends the walk. */
typedef enum status table_take(void *arg, struct span key, struct span value, struct err *err);

/* Data sets that are read elsewhere. A value is as it would stand in a file: what OpenDKIM reads
 * of several columns or attributes, with `:` between. The last of them may hold anything, line
 * ends included; those missing at the end are left out. Errors name the
 * data set and no password. */
struct table_source {
    const char *scheme; /* "dsn"; what stands before the first colon, in any case */
    /* `spec` is the whole data set, `context` what the source's owner put into the options. */
    enum status (*open)(const char *spec, void *context, void **handle_out, struct err *err);
    enum status (*each)(void *handle, table_take *take, void *arg, struct err *err);
    /* Appends to a secret buffer. ST_NOT_FOUND: no such key; ST_INVALID: OpenDKIM's look-up of this
     * key always fails; anything else: there is no answer now. */
    enum status (*find)(void *handle, struct span key, struct buf *value_out, struct err *err);
    void (*close)(void *handle);
};

/* All that it points to outlives the table. */
struct table_options {
    const char *setting; /* names the data set in errors and notes: "KeyTable" */
    enum table_use use;
    const char *base; /* BaseDirectory, where relative names of files begin; NULL: / */
    struct notes *notes;
    struct notes_place place;           /* of the setting */
    bool uncut;                         /* long lines are read whole, which OpenDKIM does not */
    const struct table_source *sources; /* others are refused */
    size_t source_count;
    void *source_context;
};

struct table;

/* Reads a data set as it stands in opendkim.conf, its type found as OpenDKIM finds it. ST_INVALID:
 * OpenDKIM would not start with it (the text says why); ST_DENIED: nothing here reads it;
 * ST_NOT_FOUND and ST_BROKEN for files; ST_TEMP when a foreign one does not answer or memory is
 * short. Errors begin with the setting's name. */
enum status table_open(const char *spec, const struct table_options *options, struct table **out,
                       struct err *err) MUST_CHECK;
void table_close(struct table *table); /* NULL is fine */

enum table_type table_type_of(const struct table *table);
/* "file:/etc/opendkim/KeyTable"; of a foreign one the scheme only. */
const char *table_name(const struct table *table);
/* Those of the options; may be NULL. */
struct notes *table_notes(const struct table *table);
/* Where the setting stands. */
struct notes_place table_place(const struct table *table);

struct table_row {
    struct span key, value; /* as OpenDKIM reads them */
    bool has_value;         /* an empty value is possible in refile: only */
    struct notes_place place;
    struct span whole; /* the value of a line that OpenDKIM cuts, uncut; else the same as value */
    bool rest;         /* comes of the end of such a line: nobody meant it to be a row */
};

/* The rows of what is read here, in order; a foreign one has none before table_load. */
size_t table_count(const struct table *table);
struct table_row table_row_at(const struct table *table, size_t index);
/* Reads all rows of a foreign data set, once; ST_OK for others. */
enum status table_load(struct table *table, struct err *err) MUST_CHECK;

struct table_found {
    struct span value;
    bool has_value;
    struct notes_place place;
    struct buf octets; /* of a foreign one, what `value` points into */
};
/* What OpenDKIM's look-up of a key gives (in refile: what the first pattern gives that matches).
 * ST_NOT_FOUND; ST_INVALID when OpenDKIM's look-up fails; what a source says. Clear with
 * table_found_clear in every case. */
enum status table_find(const struct table *table, struct span key, struct table_found *out,
                       struct err *err) MUST_CHECK;
void table_found_clear(struct table_found *found);
/* The first row of a refile from *row on whose pattern matches, into *row; false for none. */
bool table_match(const struct table *table, const char *text, size_t *row);

/* Splits a value at its first colons into at most `parts`; gives how many got something, and the
 * others are empty. What follows a last colon of nothing counts as nothing. */
size_t table_split(struct span value, size_t parts, struct span *out);

#endif
