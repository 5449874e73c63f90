/* SPDX-License-Identifier: Apache-2.0 */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sql/foreign_backend.h"
#include "sql/postgres_connect.h"

enum { OID_BOOL = 16, PLACE_MAX = 16 * 1024 };

struct foreign_link {
    PGconn *pg;
    int64_t timeout_ms, deadline_ms;
};

static enum status append_key(struct span key, struct buf *out, struct err *err)
{
    (void)key, (void)err;
    buf_append_str(out, "$1");
    return ST_OK;
}

/* -- errors ------------------------------------------------------------------------------- */

static enum status late(struct err *err)
{
    return err_set(err, ST_TEMP, "postgresql: no answer by the deadline");
}

static enum status lost(const struct foreign_link *link, struct err *err)
{
    char text[ERR_TEXT_SIZE];
    return err_set(err, ST_TEMP, "postgresql: %s",
                   postgres_message(PQerrorMessage(link->pg), text, sizeof text));
}

/* By the class of the SQLSTATE (PostgreSQL manual, appendix A). */
static const struct {
    const char *state;
    enum status status;
} error_classes[] = {
    {"42501", ST_DENIED}, /* insufficient_privilege */
    {"42", ST_INVALID},   /* what the statement says */
    {"22", ST_INVALID},   /* a key that is no number */
    {"25006", ST_DENIED}, /* read_only_sql_transaction */
    {"57014", ST_TEMP},   /* query_canceled */
    {"08", ST_TEMP},      {"53", ST_TEMP}, {"57P", ST_TEMP}, {"58", ST_TEMP}, {"40", ST_TEMP},
};

static enum status fault(const struct foreign_link *link, const PGresult *result, struct err *err)
{
    char text[ERR_TEXT_SIZE];
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state == NULL || PQstatus(link->pg) == CONNECTION_BAD)
        return lost(link, err);
    postgres_message(message != NULL ? message : "", text, sizeof text);
    for (size_t i = 0; i < sizeof error_classes / sizeof error_classes[0]; i++) {
        if (strncmp(state, error_classes[i].state, strlen(error_classes[i].state)) == 0)
            return err_set(err, error_classes[i].status, "postgresql: %s", text);
    }
    return err_set(err, ST_BROKEN, "postgresql: %s (SQLSTATE %s)", text, state);
}

/* -- opening ------------------------------------------------------------------------------ */

/* As OpenDBX writes it: in quotes, but with backslashes as they are, so that libpq takes them for
 * escapes. A quote, with which it would fail, is taken for what it is. */
static void add_part(struct buf *place, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    buf_printf(place, " %s='", name);
    for (const char *c = value; *c != '\0'; c++) {
        bool escape = *c == '\\' && c[1] != '\0';
        if (!escape && (*c == '\\' || *c == '\''))
            buf_append_char(place, '\\');
        buf_append_char(place, *c);
        if (escape)
            buf_append_char(place, *++c);
    }
    buf_append_char(place, '\'');
}

static void forget_notice(void *arg, const char *message)
{
    (void)arg, (void)message;
}

static enum status open_link(const struct foreign_place *place, struct foreign_link **out,
                             struct err *err)
{
    const struct foreign_dsn *dsn = place->dsn;
    struct buf text = BUF_SECRET(PLACE_MAX);
    struct foreign_link *link = calloc(1, sizeof *link);
    add_part(&text, "host", dsn->host);
    add_part(&text, "port", dsn->port);
    add_part(&text, "dbname", dsn->database);
    add_part(&text, "user", dsn->user);
    add_part(&text, "password", dsn->password);
    enum status st = buf_check(&text, "URL", err);
    if (st == ST_OK && link == NULL)
        st = err_set(err, ST_TEMP, "no memory");
    if (st == ST_OK)
        st = postgres_connect(buf_cstr(&text), clock_monotonic_ms() + place->timeout_ms, &link->pg,
                              err);
    buf_clear(&text);
    if (st != ST_OK) {
        free(link);
        return st;
    }
    link->timeout_ms = place->timeout_ms;
    PQsetNoticeProcessor(link->pg, forget_notice, NULL);
    *out = link;
    return ST_OK;
}

static void close_link(struct foreign_link *link)
{
    PQfinish(link->pg);
    free(link);
}

/* -- statements --------------------------------------------------------------------------- */

static enum status flush(const struct foreign_link *link, struct err *err)
{
    int left;
    while ((left = PQflush(link->pg)) > 0) {
        if (!postgres_wait(link->pg, true, link->deadline_ms))
            return late(err);
        if (PQconsumeInput(link->pg) == 0)
            return lost(link, err);
    }
    return left == 0 ? ST_OK : lost(link, err);
}

static enum status next_result(const struct foreign_link *link, PGresult **out, struct err *err)
{
    while (PQisBusy(link->pg)) {
        if (!postgres_wait(link->pg, false, link->deadline_ms))
            return late(err);
        if (PQconsumeInput(link->pg) == 0)
            return lost(link, err);
    }
    *out = PQgetResult(link->pg);
    return ST_OK;
}

/* OpenDBX gives yes and no as 1 and 0. */
static struct span cell(const PGresult *result, int column)
{
    if (PQgetisnull(result, 0, column))
        return span_of(NULL, 0);
    const char *value = PQgetvalue(result, 0, column);
    if (PQftype(result, column) == OID_BOOL)
        return span_str(value[0] == 't' ? "1" : "0");
    return span_of(value, (size_t)PQgetlength(result, 0, column));
}

static enum status give_row(const PGresult *result, const struct foreign_statement *statement,
                            struct err *err)
{
    struct span cells[FOREIGN_CELLS_MAX];
    int count = PQnfields(result);
    count = count < FOREIGN_CELLS_MAX ? count : FOREIGN_CELLS_MAX;
    for (int i = 0; i < count; i++)
        cells[i] = cell(result, i);
    enum status st = statement->read(statement->arg, cells, (size_t)count, err);
    for (int i = 0; i < count; i++)
        bytes_wipe(PQgetvalue(result, 0, i), (size_t)PQgetlength(result, 0, i));
    return st;
}

static enum status take_result(const struct foreign_link *link, const PGresult *result,
                               const struct foreign_statement *statement, struct err *err)
{
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        return give_row(result, statement, err);
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        return ST_OK;
    default:
        return fault(link, result, err);
    }
}

/* Each row has the whole time again. Reads on when the reader has had enough, but gives no more. */
static enum status receive(struct foreign_link *link, const struct foreign_statement *statement,
                           struct err *err)
{
    enum status st = ST_OK;
    for (;;) {
        struct err more = {0};
        PGresult *result = NULL;
        link->deadline_ms = clock_monotonic_ms() + link->timeout_ms;
        enum status got = next_result(link, &result, st == ST_OK ? err : &more);
        if (got != ST_OK)
            return st == ST_OK ? got : st;
        if (result == NULL)
            return st;
        if (st == ST_OK)
            st = take_result(link, result, statement, err);
        PQclear(result);
    }
}

static enum status command(struct foreign_link *link, const char *text, struct err *err)
{
    const struct foreign_statement statement = {.text = text};
    link->deadline_ms = clock_monotonic_ms() + link->timeout_ms;
    if (PQsendQuery(link->pg, text) == 0)
        return lost(link, err);
    enum status st = flush(link, err);
    return st == ST_OK ? receive(link, &statement, err) : st;
}

/* The key is a parameter without a type, which PostgreSQL takes for what it is compared with, as it
 * does with a text in quotes. Values come as texts, as OpenDBX has them. */
static enum status query(struct foreign_link *link, const struct foreign_statement *statement,
                         struct err *err)
{
    char *key = statement->key != NULL ? span_dup(*statement->key) : NULL;
    const char *const values[] = {key};
    if (statement->key != NULL && key == NULL)
        return err_set(err, ST_TEMP, "no memory");
    bool sent = PQsendQueryParams(link->pg, statement->text, key != NULL, NULL, values, NULL, NULL,
                                  0) != 0 &&
                PQsetSingleRowMode(link->pg) != 0;
    free(key);
    if (!sent)
        return lost(link, err);
    enum status st = flush(link, err);
    return st == ST_OK ? receive(link, statement, err) : st;
}

/* A transaction of its own, so that a pooler may stand between; what it locks is free again while
 * nobody asks. */
static enum status run(struct foreign_link *link, const struct foreign_statement *statement,
                       struct err *err)
{
    struct err more = {0};
    enum status st = command(link, "BEGIN READ ONLY", err);
    if (st != ST_OK)
        return st;
    st = query(link, statement, err);
    if (st == ST_TEMP)
        return st;
    enum status ended = command(link, "ROLLBACK", st == ST_OK ? err : &more);
    return st == ST_OK ? ended : st;
}

const struct foreign_backend foreign_postgres = {
    .name = "pgsql",
    .append_key = append_key,
    .open = open_link,
    .run = run,
    .close = close_link,
};
