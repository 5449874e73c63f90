/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/records.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static enum status run(struct driver_conn *base, struct sql_statement *statement,
                       sql_row_reader *read, void *arg, struct err *err)
{
    struct sql_conn *conn = (struct sql_conn *)base;
    return conn->run(conn, statement, read, arg, err);
}

/* -- reading ------------------------------------------------------------------------------ */

struct get_state {
    const struct kind *kind;
    void *found; /* a record of its own: the one asked with is still bound to the statement */
};

static enum status get_row(void *arg, const struct sql_row *row, struct err *err)
{
    struct get_state *state = arg;
    state->found = calloc(1, state->kind->size);
    if (state->found == NULL)
        return err_set(err, ST_TEMP, "no memory");
    return sql_read_record(row, 0, state->kind, state->found, err);
}

enum status sql_record_get(struct driver_conn *conn, const struct kind *kind, void *record,
                           struct err *err)
{
    struct sql_statement statement = {0};
    struct get_state state = {kind, NULL};
    sql_get(&statement, kind, record);
    enum status st = run(conn, &statement, get_row, &state, err);
    if (st == ST_OK && state.found == NULL)
        return err_set(err, ST_NOT_FOUND, "not found");
    if (st == ST_OK) {
        kind_clear(kind, record);
        memcpy(record, state.found, kind->size);
    } else if (state.found != NULL) {
        kind_clear(kind, state.found);
    }
    free(state.found);
    return st;
}

struct find_state {
    const struct kind *kind;
    driver_row *row;
    void *arg;
};

static enum status find_row(void *arg, const struct sql_row *row, struct err *err)
{
    const struct find_state *state = arg;
    void *record = calloc(1, state->kind->size);
    if (record == NULL)
        return err_set(err, ST_TEMP, "no memory");
    enum status st = sql_read_record(row, 0, state->kind, record, err);
    if (st == ST_OK)
        st = state->row(state->arg, record, err);
    kind_clear(state->kind, record);
    free(record);
    return st;
}

enum status sql_record_find(struct driver_conn *conn, const struct query *query, driver_row *row,
                            void *arg, struct err *err)
{
    struct sql_statement statement = {0};
    struct find_state state = {query->kind, row, arg};
    sql_find(&statement, query);
    return run(conn, &statement, find_row, &state, err);
}

enum status sql_record_changes(struct driver_conn *conn, const struct change_query *query,
                               driver_row *row, void *arg, struct err *err)
{
    struct sql_statement statement = {0};
    struct find_state state = {&kind_change, row, arg};
    sql_changes(&statement, query);
    return run(conn, &statement, find_row, &state, err);
}

struct lookup_state {
    const char *const *names;
    size_t count;
    struct profile *profiles;
};

static enum status lookup_row(void *arg, const struct sql_row *row, struct err *err)
{
    const struct lookup_state *state = arg;
    return sql_read_profile(row, state->names, state->count, state->profiles, err);
}

enum status sql_record_lookup(struct driver_conn *conn, const char *const *names, size_t count,
                              struct profile *profiles, struct err *err)
{
    struct sql_statement statement = {0};
    struct lookup_state state = {names, count, profiles};
    sql_lookup(&statement, names, count);
    return run(conn, &statement, lookup_row, &state, err);
}

enum status sql_record_lookup_call(struct driver_conn *conn, const char *const *names, size_t count,
                                   struct profile *profiles, struct err *err)
{
    struct sql_statement statement = {0};
    struct lookup_state state = {names, count, profiles};
    sql_lookup_call(&statement, names, count);
    return run(conn, &statement, lookup_row, &state, err);
}

static enum status first_cell(void *arg, const struct sql_row *row, struct err *err)
{
    struct sql_value value = {.type = SQL_NULL};
    row->cell(row->arg, 0, &value);
    buf_reset(arg);
    if (value.type == SQL_NUMBER)
        buf_printf(arg, "%" PRId64, value.number);
    else
        buf_append_span(arg, value.octets);
    return buf_check(arg, "answer", err);
}

enum status sql_query_text(struct driver_conn *conn, const char *text, const char *parameter,
                           struct buf *out, struct err *err)
{
    struct sql_statement statement = {0};
    buf_append_str(&statement.text, text);
    if (parameter != NULL)
        statement.params[statement.count++] =
            (struct sql_value){.type = SQL_TEXT, .octets = span_str(parameter)};
    return run(conn, &statement, out != NULL ? first_cell : NULL, out, err);
}

static enum status query_number(struct driver_conn *conn, const char *text, uint64_t *out,
                                struct err *err)
{
    struct buf number = {0};
    enum status st = sql_query_text(conn, text, NULL, &number, err);
    if (st == ST_OK && !span_number(buf_span(&number), INT32_MAX, out))
        st = err_set(err, ST_BROKEN, "the schema version is not a number");
    buf_clear(&number);
    return st;
}

enum status sql_schema_version(struct driver_conn *conn, const char *exists, int *version_out,
                               struct err *err)
{
    uint64_t tables = 0, version = 0;
    enum status st = query_number(conn, exists, &tables, err);
    if (st == ST_OK && tables > 0)
        st = query_number(conn,
                          "SELECT CAST(coalesce(max(\"version\"), 0) AS BIGINT)"
                          " FROM \"migration\"",
                          &version, err);
    *version_out = (int)version;
    return st;
}

/* -- writing ------------------------------------------------------------------------------ */

static enum status take_serial(void *arg, const struct sql_row *row, struct err *err)
{
    struct sql_value value = {.type = SQL_NULL};
    row->cell(row->arg, 0, &value);
    if (value.type != SQL_NUMBER)
        return err_set(err, ST_BROKEN, "the store gave no number to a new record");
    *(int64_t *)arg = value.number;
    return ST_OK;
}

static enum status changed_one(struct driver_conn *base, struct err *err)
{
    if (((struct sql_conn *)base)->changed == 1)
        return ST_OK;
    return err_set(err, ST_CONFLICT, "changed by somebody else meanwhile");
}

static enum status insert(struct driver_conn *conn, const struct kind *kind, void *record,
                          struct err *err)
{
    struct sql_statement statement = {0};
    const struct field *serial = kind_flagged(kind, FIELD_SERIAL);
    int64_t number = 0;
    sql_insert(&statement, kind, record);
    enum status st = run(conn, &statement, serial != NULL ? take_serial : NULL, &number, err);
    if (st == ST_OK && serial != NULL)
        *field_int(serial, record) = number;
    return st;
}

static enum status update(struct driver_conn *conn, const struct kind *kind, const void *record,
                          struct err *err)
{
    struct sql_statement statement = {0};
    sql_update(&statement, kind, record);
    enum status st = run(conn, &statement, NULL, NULL, err);
    return st == ST_OK ? changed_one(conn, err) : st;
}

enum status sql_record_put(struct driver_conn *conn, const struct kind *kind, void *record,
                           struct err *err)
{
    int64_t *version = field_int(kind_flagged(kind, FIELD_VERSION), record);
    enum status st =
        *version == 0 ? insert(conn, kind, record, err) : update(conn, kind, record, err);
    if (st == ST_OK)
        *version += 1;
    return st;
}

enum status sql_record_add(struct driver_conn *conn, const struct kind *kind, void *const *records,
                           size_t count, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < count; i++)
        st = insert(conn, kind, records[i], err);
    return st;
}

enum status sql_record_del(struct driver_conn *conn, const struct kind *kind, const void *record,
                           struct err *err)
{
    struct sql_statement statement = {0};
    sql_delete(&statement, kind, record);
    enum status st = run(conn, &statement, NULL, NULL, err);
    /* What refuses a DELETE for its references is the same constraint that refuses an INSERT. */
    if (st == ST_INVALID)
        return err_set(err, ST_DENIED, "other records refer to it");
    return st == ST_OK ? changed_one(conn, err) : st;
}

enum status sql_record_fence(struct driver_conn *conn, struct err *err)
{
    struct change row = {.kind = strdup("turn"), .name = strdup("-")};
    enum status st = ST_TEMP;
    if (row.kind != NULL && row.name != NULL)
        st = sql_record_put(conn, &kind_change, &row, err);
    else
        err_set(err, ST_TEMP, "no memory");
    kind_clear(&kind_change, &row);
    return st;
}

static enum status keep_event(void *arg, const void *record, struct err *err)
{
    return kind_copy(&kind_event, record, arg, err);
}

enum status sql_record_turn(struct driver_conn *conn, struct event *newest_out, struct err *err)
{
    const struct query query = {.kind = &kind_event, .descending = true, .limit = 1};
    return sql_record_find(conn, &query, keep_event, newest_out, err);
}
