/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/sqlite.h"

#include <poll.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/clock.h"
#include "sql/migrate.h"
#include "sql/records.h"

enum { PROGRESS_STEPS = 2000 }; /* virtual machine steps between two looks at the clock */
enum { AGAIN_MS = 10 };

/* Prepared statements by their text: the texts are few, made from tables. */
struct prepared {
    char *text;
    sqlite3_stmt *stmt;
    UT_hash_handle hh;
};

struct sqlite_conn {
    struct sql_conn sql;
    sqlite3 *db;
    struct prepared *statements;
};

static struct sqlite_conn *conn_of(struct driver_conn *base)
{
    return (struct sqlite_conn *)base;
}

/* -- errors ------------------------------------------------------------------------------- */

static const struct {
    int code;
    enum status status;
} error_classes[] = {
    {SQLITE_CONSTRAINT_PRIMARYKEY, ST_CONFLICT},
    {SQLITE_CONSTRAINT_UNIQUE, ST_CONFLICT},
    {SQLITE_CONSTRAINT_FOREIGNKEY, ST_INVALID},
    {SQLITE_CONSTRAINT_TRIGGER, ST_DENIED},
    {SQLITE_CONSTRAINT, ST_INVALID},
    {SQLITE_BUSY, ST_TEMP},
    {SQLITE_LOCKED, ST_TEMP},
    {SQLITE_INTERRUPT, ST_TEMP},
    {SQLITE_NOMEM, ST_TEMP},
    {SQLITE_IOERR, ST_TEMP},
    {SQLITE_FULL, ST_TEMP},
    {SQLITE_CANTOPEN, ST_TEMP},
    {SQLITE_READONLY, ST_DENIED},
    {SQLITE_PERM, ST_DENIED},
    {SQLITE_AUTH, ST_DENIED},
    {SQLITE_TOOBIG, ST_INVALID},
};

static enum status class_of(int code)
{
    for (size_t i = 0; i < sizeof error_classes / sizeof error_classes[0]; i++) {
        if (error_classes[i].code == code || error_classes[i].code == (code & 0xff))
            return error_classes[i].status;
    }
    return ST_BROKEN;
}

/* Turns the connection's last error into a status; what is out of disk, time or memory leaves
 * the connection usable, an I/O error does not. */
static enum status fault(struct sqlite_conn *conn, struct err *err)
{
    int code = sqlite3_extended_errcode(conn->db);
    if ((code & 0xff) == SQLITE_IOERR)
        conn->sql.base.broken = true;
    if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_INTERRUPT)
        return err_set(err, ST_TEMP, "sqlite: still locked by another process at the deadline");
    if (code == SQLITE_CONSTRAINT_FOREIGNKEY)
        return err_set(err, ST_INVALID, "it refers to a record that does not exist");
    return err_set(err, class_of(code), "sqlite: %s", sqlite3_errmsg(conn->db));
}

static int past_deadline(void *arg)
{
    const struct sqlite_conn *conn = arg;
    return clock_monotonic_ms() >= conn->sql.base.deadline_ms;
}

/* -- statements --------------------------------------------------------------------------- */

static enum status prepare(struct sqlite_conn *conn, struct sql_statement *statement,
                           sqlite3_stmt **out, struct err *err)
{
    enum status st = buf_check(&statement->text, "statement", err);
    if (st != ST_OK)
        return st;
    const char *text = buf_cstr(&statement->text);
    struct prepared *found = NULL;
    HASH_FIND_STR(conn->statements, text, found);
    if (found == NULL) {
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v3(conn->db, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
            SQLITE_OK)
            return fault(conn, err);
        found = calloc(1, sizeof *found);
        char *copy = span_dup(buf_span(&statement->text));
        if (found != NULL && copy != NULL) {
            *found = (struct prepared){.text = copy, .stmt = stmt};
            HASH_ADD_KEYPTR(hh, conn->statements, found->text, strlen(found->text), found);
        }
        if (found == NULL || found->hh.tbl == NULL) {
            free(found);
            free(copy);
            sqlite3_finalize(stmt);
            return err_set(err, ST_TEMP, "sqlite: no memory");
        }
    }
    *out = found->stmt;
    return ST_OK;
}

static enum status bind(struct sqlite_conn *conn, sqlite3_stmt *stmt,
                        const struct sql_statement *statement, struct err *err)
{
    for (size_t i = 0; i < statement->count; i++) {
        const struct sql_value *value = &statement->params[i];
        const char *data = value->octets.data != NULL ? value->octets.data : "";
        int index = (int)i + 1, len = (int)value->octets.len, rc = SQLITE_OK;
        if (value->type == SQL_NUMBER)
            rc = sqlite3_bind_int64(stmt, index, value->number);
        else if (value->type == SQL_TEXT)
            rc = sqlite3_bind_text(stmt, index, data, len, SQLITE_STATIC);
        else if (value->type == SQL_BYTES)
            rc = sqlite3_bind_blob(stmt, index, data, len, SQLITE_STATIC);
        if (rc != SQLITE_OK)
            return fault(conn, err);
    }
    return ST_OK;
}

static void cell(void *arg, size_t index, struct sql_value *out)
{
    sqlite3_stmt *stmt = arg;
    int column = (int)index;
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_INTEGER:
        out->type = SQL_NUMBER;
        out->number = sqlite3_column_int64(stmt, column);
        break;
    case SQLITE_TEXT:
        out->type = SQL_TEXT;
        out->octets.data = (const char *)sqlite3_column_text(stmt, column);
        out->octets.len = (size_t)sqlite3_column_bytes(stmt, column);
        break;
    case SQLITE_BLOB:
        out->type = SQL_BYTES;
        out->octets.data = sqlite3_column_blob(stmt, column);
        out->octets.len = (size_t)sqlite3_column_bytes(stmt, column);
        break;
    default:
        out->type = SQL_NULL;
    }
}

static enum status run(struct sql_conn *base, struct sql_statement *statement, sql_row_reader *read,
                       void *arg, struct err *err)
{
    struct sqlite_conn *conn = conn_of(&base->base);
    sqlite3_stmt *stmt = NULL;
    sqlite3_busy_timeout(conn->db, (int)clock_left_ms(base->base.deadline_ms));
    enum status st = prepare(conn, statement, &stmt, err);
    if (st == ST_OK)
        st = bind(conn, stmt, statement, err);
    const struct sql_row row = {cell, stmt};
    while (st == ST_OK) {
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_DONE)
            break;
        st = rc == SQLITE_ROW ? ST_OK : fault(conn, err);
        if (st == ST_OK && read != NULL)
            st = read(arg, &row, err);
    }
    base->changed = sqlite3_changes(conn->db);
    if (stmt != NULL) {
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
    }
    sql_clear(statement);
    return st;
}

enum status sqlite_execute(struct driver_conn *base, const char *sql, struct err *err)
{
    struct sqlite_conn *conn = conn_of(base);
    sqlite3_busy_timeout(conn->db, (int)clock_left_ms(base->deadline_ms));
    return sqlite3_exec(conn->db, sql, NULL, NULL, NULL) == SQLITE_OK ? ST_OK : fault(conn, err);
}

/* -- open, close, schema ------------------------------------------------------------------ */

static void sqlite_close(struct driver_conn *base)
{
    struct sqlite_conn *conn = conn_of(base);
    struct prepared *each = NULL, *next = NULL;
    HASH_ITER(hh, conn->statements, each, next)
    {
        HASH_DEL(conn->statements, each);
        sqlite3_finalize(each->stmt);
        free(each->text);
        free(each);
    }
    sqlite3_close(conn->db);
    free(conn);
}

/* sqlite:PATH, also with the two slashes people are used to: sqlite:///PATH. */
static const char *path_of(const char *url)
{
    const char *path = url + strlen("sqlite:");
    return strncmp(path, "///", 3) == 0 ? path + 2 : path;
}

static enum status open_failed(struct sqlite_conn *conn, const char *path, struct err *err)
{
    int code = conn->db != NULL ? sqlite3_extended_errcode(conn->db) : SQLITE_NOMEM;
    int system_error = conn->db != NULL ? sqlite3_system_errno(conn->db) : 0;
    if ((code & 0xff) == SQLITE_CANTOPEN && system_error == 2 /* ENOENT */)
        return err_set(err, ST_NOT_FOUND, "sqlite: %s: no such data base (inkan store init)", path);
    return err_set(err, class_of(code), "sqlite: %s: %s", path,
                   conn->db != NULL ? sqlite3_errmsg(conn->db) : "no memory");
}

/* SQLite itself does not wait when two programs that make a data base change its mode at once. */
static enum status use_wal(struct sqlite_conn *conn, struct err *err)
{
    for (;;) {
        enum status st = sqlite_execute(&conn->sql.base, "PRAGMA journal_mode = WAL", err);
        if (st != ST_TEMP || clock_left_ms(conn->sql.base.deadline_ms) == 0)
            return st;
        poll(NULL, 0, AGAIN_MS);
    }
}

static enum status configure(struct sqlite_conn *conn, bool create, struct err *err)
{
    sqlite3_extended_result_codes(conn->db, 1);
    sqlite3_progress_handler(conn->db, PROGRESS_STEPS, past_deadline, conn);
    enum status st = ST_OK;
    if (create)
        st = use_wal(conn, err);
    if (st == ST_OK)
        st = sqlite_execute(&conn->sql.base,
                            "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
                            "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON",
                            err);
    return st;
}

static enum status sqlite_check(const char *url, struct err *err)
{
    if (path_of(url)[0] == '\0')
        return err_set(err, ST_INVALID, "store.url: no path (sqlite:/path/to/file)");
    return ST_OK;
}

static enum status sqlite_open(const struct driver_options *options, int64_t deadline_ms,
                               struct driver_conn **out, struct err *err)
{
    const char *path = path_of(options->url);
    struct sqlite_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return err_set(err, ST_TEMP, "sqlite: no memory");
    conn->sql.base = (struct driver_conn){.driver = &sqlite_driver, .deadline_ms = deadline_ms};
    conn->sql.run = run;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int rc =
        sqlite3_open_v2(path, &conn->db, flags | (options->create ? SQLITE_OPEN_CREATE : 0), NULL);
    enum status st =
        rc == SQLITE_OK ? configure(conn, options->create, err) : open_failed(conn, path, err);
    if (st != ST_OK) {
        sqlite_close(&conn->sql.base);
        return st;
    }
    *out = &conn->sql.base;
    return ST_OK;
}

static enum status sqlite_schema(struct driver_conn *base, int *version_out, struct err *err)
{
    return sql_schema_version(base, "SELECT count(*) FROM sqlite_schema WHERE name = 'migration'",
                              version_out, err);
}

/* -- transactions ------------------------------------------------------------------------- */

static enum status sqlite_begin(struct driver_conn *conn, struct err *err)
{
    return sqlite_execute(conn, "BEGIN IMMEDIATE", err);
}

static void sqlite_rollback(struct driver_conn *base)
{
    struct sqlite_conn *conn = conn_of(base);
    if (!sqlite3_get_autocommit(conn->db) &&
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
        base->broken = true;
}

/* SQLite never leaves it open whether a commit happened, so this never answers ST_UNSURE. */
static enum status sqlite_commit(struct driver_conn *conn, struct err *err)
{
    enum status st = sqlite_execute(conn, "COMMIT", err);
    if (st != ST_OK)
        sqlite_rollback(conn);
    return st;
}

static const char *const schemes[] = {"sqlite", NULL};

const struct driver sqlite_driver = {
    .name = "sqlite",
    .schemes = schemes,
    .check = sqlite_check,
    .open = sqlite_open,
    .close = sqlite_close,
    .migrate = sql_migrate,
    .schema = sqlite_schema,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .fence = sql_record_fence,
    .rollback = sqlite_rollback,
    .turn = sql_record_turn, /* BEGIN IMMEDIATE lets one in */
    .get = sql_record_get,
    .find = sql_record_find,
    .put = sql_record_put,
    .add = sql_record_add,
    .del = sql_record_del,
    .lookup = sql_record_lookup,
    .changes = sql_record_changes,
    .history = SQL_HISTORY,
};
