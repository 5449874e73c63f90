/* SPDX-License-Identifier: Apache-2.0 */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sql/foreign_backend.h"

enum { PROGRESS_STEPS = 2000 }; /* virtual machine steps between two looks at the clock */

struct foreign_link {
    sqlite3 *db;
    int64_t timeout_ms, deadline_ms;
};

/* OpenDBX doubles the backslashes of a key, which SQLite does not undo; so OpenDKIM misses rows
 * with a backslash in their key, which are found here. */
static enum status append_key(struct span key, struct buf *out, struct err *err)
{
    (void)key, (void)err;
    buf_append_str(out, "?1");
    return ST_OK;
}

static enum status fault(const struct foreign_link *link, struct err *err)
{
    switch (sqlite3_errcode(link->db)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        return err_set(err, ST_TEMP, "sqlite: no answer by the deadline");
    case SQLITE_CANTOPEN:
        return err_set(err, ST_NOT_FOUND, "sqlite: no such file, or it may not be read");
    case SQLITE_ERROR:
        return err_set(err, ST_INVALID, "sqlite: %s", sqlite3_errmsg(link->db));
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return err_set(err, ST_DENIED, "sqlite: %s", sqlite3_errmsg(link->db));
    case SQLITE_NOMEM:
        return err_set(err, ST_TEMP, "sqlite: no memory");
    default:
        return err_set(err, ST_BROKEN, "sqlite: %s", sqlite3_errmsg(link->db));
    }
}

static int past_deadline(void *arg)
{
    const struct foreign_link *link = arg;
    return clock_monotonic_ms() >= link->deadline_ms;
}

static void close_link(struct foreign_link *link)
{
    sqlite3_close(link->db);
    free(link);
}

/* OpenDBX takes the host for a folder and puts the name of the data base straight behind it. */
static enum status open_link(const struct foreign_place *place, struct foreign_link **out,
                             struct err *err)
{
    const struct foreign_dsn *dsn = place->dsn;
    struct buf path = {0};
    struct foreign_link *link = calloc(1, sizeof *link);
    if (dsn->host[0] != '/')
        buf_printf(&path, "%s/", place->directory);
    buf_printf(&path, "%s%s", dsn->host, dsn->database);
    enum status st = buf_check(&path, "path", err);
    if (st == ST_OK && link == NULL)
        st = err_set(err, ST_TEMP, "no memory");
    if (st != ST_OK) {
        free(link);
        buf_clear(&path);
        return st;
    }
    int rc = sqlite3_open_v2(buf_cstr(&path), &link->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                             NULL);
    if (rc != SQLITE_OK)
        st = link->db != NULL ? fault(link, err) : err_set(err, ST_TEMP, "no memory");
    if (st != ST_OK)
        st = err_context(err, "%s", buf_cstr(&path));
    buf_clear(&path);
    if (st != ST_OK) {
        close_link(link);
        return st;
    }
    link->timeout_ms = place->timeout_ms;
    sqlite3_progress_handler(link->db, PROGRESS_STEPS, past_deadline, link);
    *out = link;
    return ST_OK;
}

/* One NULL of SQL has no octets, and neither has an empty value; only the type tells. */
static struct span cell(sqlite3_stmt *stmt, int column)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return span_of(NULL, 0);
    const char *octets = sqlite3_column_blob(stmt, column);
    size_t len = (size_t)sqlite3_column_bytes(stmt, column);
    return span_of(octets != NULL ? octets : "", octets != NULL ? len : 0);
}

static enum status give_row(sqlite3_stmt *stmt, const struct foreign_statement *statement,
                            struct err *err)
{
    struct span cells[FOREIGN_CELLS_MAX];
    int count = sqlite3_column_count(stmt);
    count = count < FOREIGN_CELLS_MAX ? count : FOREIGN_CELLS_MAX;
    for (int i = 0; i < count; i++)
        cells[i] = cell(stmt, i);
    return statement->read(statement->arg, cells, (size_t)count, err);
}

static enum status step(struct foreign_link *link, sqlite3_stmt *stmt,
                        const struct foreign_statement *statement, struct err *err)
{
    enum status st = ST_OK;
    while (st == ST_OK) {
        link->deadline_ms = clock_monotonic_ms() + link->timeout_ms;
        int rc = sqlite3_step(stmt);
        if (rc == SQLITE_DONE)
            return ST_OK;
        st = rc == SQLITE_ROW ? give_row(stmt, statement, err) : fault(link, err);
    }
    return st;
}

static enum status run(struct foreign_link *link, const struct foreign_statement *statement,
                       struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *rest = "";
    enum status st = ST_OK;
    link->deadline_ms = clock_monotonic_ms() + link->timeout_ms;
    sqlite3_busy_timeout(link->db, (int)link->timeout_ms);
    if (sqlite3_prepare_v2(link->db, statement->text, -1, &stmt, &rest) != SQLITE_OK)
        return fault(link, err);
    if (rest[0] != '\0' || !sqlite3_stmt_readonly(stmt))
        st = err_set(err, ST_INVALID, "sqlite: more than one statement");
    if (st == ST_OK && statement->key != NULL &&
        sqlite3_bind_text(stmt, 1, statement->key->data != NULL ? statement->key->data : "",
                          (int)statement->key->len, SQLITE_STATIC) != SQLITE_OK)
        st = fault(link, err);
    if (st == ST_OK)
        st = step(link, stmt, statement, err);
    sqlite3_finalize(stmt);
    return st;
}

const struct foreign_backend foreign_sqlite = {
    .name = "sqlite3",
    .append_key = append_key,
    .open = open_link,
    .run = run,
    .close = close_link,
};
