/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/postgres.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sql/arrays.h"
#include "sql/migrate.h"
#include "sql/oids.h"
#include "sql/postgres_connect.h"
#include "sql/records.h"

struct postgres_conn {
    struct sql_conn sql;
    PGconn *pg;
};

static struct postgres_conn *conn_of(struct driver_conn *base)
{
    return (struct postgres_conn *)base;
}

/* -- errors ------------------------------------------------------------------------------- */

/* By SQLSTATE, or its class of two characters (PostgreSQL manual, appendix A). */
static const struct {
    const char *state;
    enum status status;
    bool broken; /* another connection may do better */
} error_classes[] = {
    {"23505", ST_CONFLICT, false}, /* unique_violation */
    {"42710", ST_CONFLICT, false}, /* duplicate_object: made by somebody else just now */
    {"23", ST_INVALID, false},     /* other constraints */
    {"22", ST_INVALID, false},     /* data exceptions */
    {"P0001", ST_DENIED, false},   /* raised by our triggers */
    {"42501", ST_DENIED, false},   /* insufficient_privilege */
    {"40", ST_TEMP, false},        /* serialization failure, deadlock */
    {"55P03", ST_TEMP, false},     /* lock_not_available */
    {"57014", ST_TEMP, false},     /* query_canceled: statement_timeout */
    {"25006", ST_TEMP, true},      /* read_only_sql_transaction: this host is a standby now */
    {"25P03", ST_TEMP, true},      /* idle_in_transaction_session_timeout */
    {"57P", ST_TEMP, true},        /* shutting down, starting up */
    {"08", ST_TEMP, true},         /* connection exceptions */
    {"53", ST_TEMP, true},         /* out of disk, memory, connections */
    {"58", ST_TEMP, true},         /* system errors */
};

static enum status lost(struct postgres_conn *conn, struct err *err)
{
    char text[ERR_TEXT_SIZE];
    conn->sql.base.broken = true;
    return err_set(err, ST_TEMP, "postgresql: %s",
                   postgres_message(PQerrorMessage(conn->pg), text, sizeof text));
}

static enum status late(struct postgres_conn *conn, struct err *err)
{
    conn->sql.base.broken = true;
    return err_set(err, ST_TEMP, "postgresql: no answer by the deadline");
}

static enum status fault(struct postgres_conn *conn, const PGresult *result, struct err *err)
{
    char text[ERR_TEXT_SIZE];
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state == NULL || PQstatus(conn->pg) == CONNECTION_BAD)
        return lost(conn, err);
    if (strcmp(state, "23503") == 0) /* foreign_key_violation */
        return err_set(err, ST_INVALID, "it refers to a record that does not exist");
    postgres_message(message != NULL ? message : "", text, sizeof text);
    for (size_t i = 0; i < sizeof error_classes / sizeof error_classes[0]; i++) {
        if (strncmp(state, error_classes[i].state, strlen(error_classes[i].state)) != 0)
            continue;
        conn->sql.base.broken |= error_classes[i].broken;
        return err_set(err, error_classes[i].status, "postgresql: %s", text);
    }
    return err_set(err, ST_BROKEN, "postgresql: %s (SQLSTATE %s)", text, state);
}

/* -- sending and receiving ---------------------------------------------------------------- */

static enum status flush(struct postgres_conn *conn, struct err *err)
{
    int left;
    while ((left = PQflush(conn->pg)) > 0) {
        if (!postgres_wait(conn->pg, true, conn->sql.base.deadline_ms))
            return late(conn, err);
        if (PQconsumeInput(conn->pg) == 0)
            return lost(conn, err);
    }
    return left == 0 ? ST_OK : lost(conn, err);
}

/* The next result; NULL when there is none any more. */
static enum status next_result(struct postgres_conn *conn, PGresult **out, struct err *err)
{
    while (PQisBusy(conn->pg)) {
        if (!postgres_wait(conn->pg, false, conn->sql.base.deadline_ms))
            return late(conn, err);
        if (PQconsumeInput(conn->pg) == 0)
            return lost(conn, err);
    }
    *out = PQgetResult(conn->pg);
    return ST_OK;
}

struct cells {
    const PGresult *result;
};

static void cell(void *arg, size_t index, struct sql_value *out)
{
    const struct cells *cells = arg;
    int column = (int)index;
    uint64_t eight;
    uint32_t four;
    if (PQgetisnull(cells->result, 0, column)) {
        out->type = SQL_NULL;
        return;
    }
    const char *data = PQgetvalue(cells->result, 0, column);
    out->octets = span_of(data, (size_t)PQgetlength(cells->result, 0, column));
    switch (PQftype(cells->result, column)) {
    case OID_INT8:
        memcpy(&eight, data, sizeof eight);
        out->type = SQL_NUMBER;
        out->number = (int64_t)be64toh(eight);
        break;
    case OID_INT4:
        memcpy(&four, data, sizeof four);
        out->type = SQL_NUMBER;
        out->number = (int32_t)be32toh(four);
        break;
    default:
        out->type = PQftype(cells->result, column) == OID_BYTES ? SQL_BYTES : SQL_TEXT;
    }
}

/* Takes one result: a row, the end, or an error. */
static enum status take_result(struct postgres_conn *conn, const PGresult *result,
                               sql_row_reader *read, void *arg, struct err *err)
{
    struct cells cells = {result};
    const struct sql_row row = {cell, &cells};
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        return read != NULL ? read(arg, &row, err) : ST_OK;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        conn->sql.changed = strtoll(PQcmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
        return ST_OK;
    default:
        return fault(conn, result, err);
    }
}

/* Reads to the end even after a reader said stop, so that the connection is good again. */
static enum status receive(struct postgres_conn *conn, sql_row_reader *read, void *arg,
                           struct err *err)
{
    enum status st = ST_OK;
    for (;;) {
        struct err more = {0};
        PGresult *result = NULL;
        enum status got = next_result(conn, &result, st == ST_OK ? err : &more);
        if (got != ST_OK)
            return st == ST_OK ? got : st;
        if (result == NULL)
            return st;
        if (st == ST_OK)
            st = take_result(conn, result, read, arg, err);
        PQclear(result);
    }
}

struct wire {
    Oid types[SQL_PARAMS_MAX];
    const char *values[SQL_PARAMS_MAX];
    int lengths[SQL_PARAMS_MAX], formats[SQL_PARAMS_MAX];
    char numbers[SQL_PARAMS_MAX][24];
};

static void encode(const struct sql_statement *statement, struct wire *wire)
{
    static const Oid types[] = {[SQL_NULL] = OID_TEXT,          [SQL_NUMBER] = OID_INT8,
                                [SQL_TEXT] = OID_TEXT,          [SQL_BYTES] = OID_BYTES,
                                [SQL_NUMBERS] = OID_INT8_ARRAY, [SQL_TEXTS] = OID_TEXT_ARRAY,
                                [SQL_BYTESES] = OID_BYTES_ARRAY};
    for (size_t i = 0; i < statement->count; i++) {
        const struct sql_value *value = &statement->params[i];
        wire->types[i] = types[value->type];
        wire->formats[i] = value->type != SQL_NUMBER;
        wire->lengths[i] = (int)value->octets.len;
        wire->values[i] = value->octets.data != NULL ? value->octets.data : "";
        if (value->type == SQL_NULL)
            wire->values[i] = NULL;
        if (value->type != SQL_NUMBER)
            continue;
        snprintf(wire->numbers[i], sizeof wire->numbers[i], "%" PRId64, value->number);
        wire->values[i] = wire->numbers[i];
    }
}

static enum status run(struct sql_conn *base, struct sql_statement *statement, sql_row_reader *read,
                       void *arg, struct err *err)
{
    struct postgres_conn *conn = conn_of(&base->base);
    struct wire wire;
    enum status st = buf_check(&statement->text, "statement", err);
    encode(statement, &wire);
    if (st == ST_OK &&
        PQsendQueryParams(conn->pg, buf_cstr(&statement->text), (int)statement->count, wire.types,
                          wire.values, wire.lengths, wire.formats, 1) == 0)
        st = lost(conn, err);
    if (st == ST_OK && PQsetSingleRowMode(conn->pg) == 0)
        st = lost(conn, err);
    if (st == ST_OK)
        st = flush(conn, err);
    if (st == ST_OK)
        st = receive(conn, read, arg, err);
    sql_clear(statement);
    return st;
}

enum status postgres_execute(struct driver_conn *base, const char *sql, struct err *err)
{
    struct postgres_conn *conn = conn_of(base);
    if (PQsendQuery(conn->pg, sql) == 0)
        return lost(conn, err);
    enum status st = flush(conn, err);
    return st == ST_OK ? receive(conn, NULL, NULL, err) : st;
}

/* -- open, close, schema ------------------------------------------------------------------ */

static void forget_notice(void *arg, const char *message)
{
    (void)arg, (void)message;
}

static void postgres_close(struct driver_conn *base)
{
    PQfinish(conn_of(base)->pg);
    free(base);
}

static enum status postgres_open(const struct driver_options *options, int64_t deadline_ms,
                                 struct driver_conn **out, struct err *err)
{
    struct postgres_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return err_set(err, ST_TEMP, "postgresql: no memory");
    conn->sql.base = (struct driver_conn){.driver = &postgres_driver, .deadline_ms = deadline_ms};
    conn->sql.run = run;
    enum status st = postgres_connect(options->url, deadline_ms, &conn->pg, err);
    if (st != ST_OK) {
        free(conn);
        return st;
    }
    PQsetNoticeProcessor(conn->pg, forget_notice, NULL);
    *out = &conn->sql.base;
    return ST_OK;
}

static enum status postgres_schema(struct driver_conn *base, int *version_out, struct err *err)
{
    return sql_schema_version(base,
                              "SELECT count(*) FROM pg_catalog.pg_class"
                              " WHERE oid = to_regclass('\"migration\"')",
                              version_out, err);
}

/* -- transactions ------------------------------------------------------------------------- */

/* A connection that is dropped at its deadline leaves its statement behind in the server, which
 * would go on waiting for a lock while it holds others. So the server gets the deadline, too;
 * LOCAL to the transaction, as the next one may run in another session behind PgBouncer. The level
 * is said, because a server may have another default: turns want one where each statement sees
 * what was committed before it. Tables are not to be read as a whole: an import makes them grow
 * faster than the planner hears of it. */
static enum status postgres_begin(struct driver_conn *base, struct err *err)
{
    struct buf limit = {0};
    enum status st = sql_query_text(base, "BEGIN ISOLATION LEVEL READ COMMITTED", NULL, NULL, err);
    buf_printf(&limit, "%" PRId64 "ms", clock_left_ms(base->deadline_ms) + 1);
    if (st == ST_OK)
        st = sql_query_text(base,
                            "SELECT set_config('statement_timeout', $1, true),"
                            " set_config('lock_timeout', $1, true),"
                            " set_config('enable_seqscan', 'off', true)",
                            buf_cstr(&limit), NULL, err);
    buf_clear(&limit);
    if (st != ST_OK)
        base->broken = true;
    return st;
}

static void postgres_rollback(struct driver_conn *base)
{
    struct err err = {0};
    if (base->broken || sql_query_text(base, "ROLLBACK", NULL, NULL, &err) != ST_OK)
        base->broken = true;
}

/* What was answered counts, even if the connection ends behind it. */
static void finish_answer(struct postgres_conn *conn)
{
    PGresult *end = NULL;
    struct err err = {0};
    if (next_result(conn, &end, &err) != ST_OK || end != NULL)
        conn->sql.base.broken = true;
    PQclear(end);
}

/* A COMMIT that got no answer may have happened or not. One that PostgreSQL answers with
 * ROLLBACK has not: a statement before it had failed. */
static enum status postgres_commit(struct driver_conn *base, struct err *err)
{
    struct postgres_conn *conn = conn_of(base);
    PGresult *result = NULL;
    bool sent = PQsendQueryParams(conn->pg, "COMMIT", 0, NULL, NULL, NULL, NULL, 1) != 0;
    enum status st = sent ? flush(conn, err) : lost(conn, err);
    if (st == ST_OK)
        st = next_result(conn, &result, err);
    if (st == ST_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        st = fault(conn, result, err);
    else if (st == ST_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        st = err_set(err, ST_TEMP, "postgresql: the transaction was rolled back");
    PQclear(result);
    if (base->broken)
        return err_set(err, ST_UNSURE, "postgresql: the answer to the commit was lost");
    finish_answer(conn);
    return st;
}

/* The lock is that of the change feed's rows (migrations/postgres), so who has it need not wait
 * there. The event must be asked for in a statement of its own: the one that waits for the lock
 * sees what was there before it had to wait. */
static enum status postgres_turn(struct driver_conn *base, struct event *newest_out,
                                 struct err *err)
{
    enum status st = sql_query_text(
        base, "SELECT pg_advisory_xact_lock(hashtextextended('inkan change feed', 0))", NULL, NULL,
        err);
    return st == ST_OK ? sql_record_turn(base, newest_out, err) : st;
}

/* -- hearing of changes ------------------------------------------------------------------- */

static enum status postgres_watch(struct driver_conn *base, int *fd_out, struct err *err)
{
    *fd_out = PQsocket(conn_of(base)->pg);
    return sql_query_text(base, "LISTEN inkan_change", NULL, NULL, err);
}

static enum status postgres_watched(struct driver_conn *base, driver_row *row, void *arg,
                                    struct err *err)
{
    struct postgres_conn *conn = conn_of(base);
    (void)row, (void)arg; /* all changes go through the feed */
    PGnotify *note;
    if (PQconsumeInput(conn->pg) == 0)
        return lost(conn, err);
    while ((note = PQnotifies(conn->pg)) != NULL)
        PQfreemem(note);
    return ST_OK;
}

static const char *const schemes[] = {"postgresql", "postgres", NULL};

const struct driver postgres_driver = {
    .name = "postgresql",
    .schemes = schemes,
    .check = postgres_check,
    .open = postgres_open,
    .close = postgres_close,
    .migrate = sql_migrate,
    .schema = postgres_schema,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .fence = sql_record_fence,
    .rollback = postgres_rollback,
    .turn = postgres_turn,
    .get = sql_record_get,
    .find = sql_record_find,
    .put = sql_record_put,
    .add = sql_arrays_add,
    .del = sql_record_del,
    .lookup = sql_record_lookup_call,
    .changes = sql_record_changes,
    .history = SQL_HISTORY,
    .watch = postgres_watch,
    .watched = postgres_watched,
};
