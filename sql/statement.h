/* SPDX-License-Identifier: Apache-2.0
 *
 * SQL text and its parameters, made from the tables of fields. One text serves every SQL data
 * base: `$n` parameters, quoted names. Values never become text, so nothing is escaped here.
 * Drivers bind `params` in order, run `text`, and hand each column of a row to sql_read.
 *
 * A statement borrows from the record or query it was made of. Any thread.
 */
#ifndef INKAN_SQL_STATEMENT_H
#define INKAN_SQL_STATEMENT_H

#include "storage/driver.h"

enum { SQL_PARAMS_MAX = 50 };

struct sql_value {
    enum {
        SQL_NULL,
        SQL_NUMBER,
        SQL_TEXT,
        SQL_BYTES,
        SQL_NUMBERS, /* and the next two: arrays in the form of PostgreSQL (sql/arrays.h) */
        SQL_TEXTS,
        SQL_BYTESES,
    } type;
    int64_t number;
    struct span octets; /* text and bytes; text is terminated as well */
};

struct sql_statement {
    struct buf text;
    struct sql_value params[SQL_PARAMS_MAX];
    size_t count;
};
void sql_clear(struct sql_statement *statement);

/* What the field of the record is to a data base. */
struct sql_value sql_value_of(const struct field *field, const void *record);
/* Version 0 becomes 1; returns the serial field if the kind has one. */
void sql_insert(struct sql_statement *statement, const struct kind *kind, const void *record);
/* Replaces the row that has the record's key and version; counts the version up. */
void sql_update(struct sql_statement *statement, const struct kind *kind, const void *record);
void sql_delete(struct sql_statement *statement, const struct kind *kind, const void *record);
/* All columns of one row, in table order. */
void sql_get(struct sql_statement *statement, const struct kind *kind, const void *record);
void sql_find(struct sql_statement *statement, const struct query *query);
void sql_changes(struct sql_statement *statement, const struct change_query *query);
/* The newest change-feed position (or NULL), the name asked for (or nothing), then the columns of
 * domain, tenant, key, rule and grant in table order, of which a row has either the first three or
 * one of the others. At least one row has the position. Up to DRIVER_NAMES_MAX names. */
void sql_lookup(struct sql_statement *statement, const char *const *names, size_t count);
/* The same by a function of the data base (migrations/postgres), which plans it once a session. */
void sql_lookup_call(struct sql_statement *statement, const char *const *names, size_t count);

/* Puts a column into its field. ST_BROKEN for what cannot stand there. */
enum status sql_read(const struct field *field, void *record, const struct sql_value *value,
                     struct err *err) MUST_CHECK;

/* Gathers the rows of sql_lookup into profiles. `cell` gives column `index` of the current row. */
struct sql_row {
    void (*cell)(void *arg, size_t index, struct sql_value *out);
    void *arg;
};
enum status sql_read_profile(const struct sql_row *row, const char *const *names, size_t count,
                             struct profile *profiles, struct err *err) MUST_CHECK;
/* Reads columns from `first` on into all the fields of a record. */
enum status sql_read_record(const struct sql_row *row, size_t first, const struct kind *kind,
                            void *record, struct err *err) MUST_CHECK;

#endif
