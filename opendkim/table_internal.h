/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files table*.c share: rows as places in one wiped block of octets, and how each type
 * of data set is read into them.
 */
#ifndef INKAN_OPENDKIM_TABLE_INTERNAL_H
#define INKAN_OPENDKIM_TABLE_INTERNAL_H

#include <regex.h>

#include "opendkim/table.h"

struct table_extent {
    size_t at, len;
};

struct table_slot {
    struct table_extent key, value, whole;
    size_t line;
    bool has_value, rest;
    bool live;        /* of a refile: a pattern in which more than * is not itself */
    regex_t *pattern; /* of some of those that are live */
};

struct table_index;

struct table {
    enum table_type type;
    struct table_options options;
    char *name;         /* for people */
    char *path;         /* of a file */
    struct buf content; /* secret */
    struct table_slot *slots;
    size_t count, cap;
    size_t compiled; /* patterns */
    struct table_index *index;
    const struct table_source *source;
    void *handle;
    bool loaded;
};

/* ST_TEMP without memory, ST_INVALID over TABLE_ROWS_MAX. */
enum status table_add(struct table *table, const struct table_slot *slot,
                      struct err *err) MUST_CHECK;
/* Appends both to the content and makes a row of them. */
enum status table_add_octets(struct table *table, struct span key, struct span value,
                             struct err *err) MUST_CHECK;
struct span table_octets(const struct table *table, struct table_extent extent);
void table_note(const struct table *table, enum notes_grade grade, size_t line, const char *fmt,
                ...) PRINTF_LIKE(4, 5);
bool table_nocase(const struct table *table);

/* table_lines.c: the content, which is a file's, as rows of file: or refile:. */
enum status table_read_lines(struct table *table, struct err *err) MUST_CHECK;
/* table_csl.c */
enum status table_read_csl(struct table *table, const char *list, struct err *err) MUST_CHECK;
/* A row for each part of a value with `|` between. */
enum status table_add_parts(struct table *table, const struct table_slot *slot,
                            struct err *err) MUST_CHECK;
/* table_berkeley.c */
enum status table_read_berkeley(struct table *table, struct err *err) MUST_CHECK;
/* table_index.c: first records by key; a note for each that is dead. */
enum status table_index_make(struct table *table, struct err *err) MUST_CHECK;
void table_index_free(struct table_index *index);
/* The first row with that key; false for none. */
bool table_index_find(const struct table *table, struct span key, size_t *row_out);
/* table_pattern.c: compiles the patterns that need it, and notes what is surprising. */
enum status table_patterns_make(struct table *table, struct err *err) MUST_CHECK;
void table_patterns_free(struct table *table);

#endif
