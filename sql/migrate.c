/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/migrate.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sql/records.h"
#include "sql/sqlite.h"

struct migration {
    int version;
    const char *name;
    const char *checksum; /* SHA-256 of the file, hexadecimal */
    const char *text;
};

#include "migrations_sqlite.inc"

enum { MIGRATIONS = sizeof migrations / sizeof migrations[0] };

static enum status open_store(const struct migrate_options *options, struct driver_conn **out,
                              struct err *err)
{
    const struct driver_options driver = {.url = options->url, .create = options->create};
    int64_t deadline_ms = clock_monotonic_ms() + options->timeout_ms;
    if (strncmp(options->url, "sqlite:", strlen("sqlite:")) != 0)
        return err_set(err, ST_INVALID, "%s: this build knows only sqlite: stores", options->url);
    return sqlite_driver.open(&driver, deadline_ms, out, err);
}

/* A migration that was recorded with another text than ours means that one of the two trees was
 * changed after the fact; nobody can say what the tables look like then. */
static enum status check_applied(struct driver_conn *conn, const struct migration *migration,
                                 struct err *err)
{
    struct buf recorded = {0}, version = {0};
    buf_printf(&version, "%d", migration->version);
    enum status st = sql_query_text(conn,
                                    "SELECT \"checksum\" FROM \"migration\""
                                    " WHERE \"version\" = CAST($1 AS INTEGER)",
                                    buf_cstr(&version), &recorded, err);
    if (st == ST_OK && strcmp(buf_cstr(&recorded), migration->checksum) != 0)
        st = err_set(err, ST_BROKEN, "migration %s was applied with another text (checksum %.12s)",
                     migration->name, buf_cstr(&recorded));
    buf_clear(&recorded);
    buf_clear(&version);
    return st;
}

static enum status record(struct driver_conn *conn, const struct migration *migration,
                          struct err *err)
{
    struct buf row = {0};
    buf_printf(&row,
               "INSERT INTO \"migration\" (\"version\", \"name\", \"checksum\", \"applied\")"
               " VALUES (%d, '%s', '%s', %lld)",
               migration->version, migration->name, migration->checksum, (long long)clock_now_s());
    enum status st = buf_check(&row, "migration", err);
    if (st == ST_OK)
        st = sqlite_execute(conn, buf_cstr(&row), err);
    buf_clear(&row);
    return st;
}

/* One step in one transaction, in which the version is read again: two programs that start
 * together apply each migration once. */
static enum status apply(struct driver_conn *conn, const struct migration *migration,
                         struct err *err)
{
    int version = 0;
    enum status st = conn->driver->begin(conn, err);
    if (st != ST_OK)
        return st;
    st = sqlite_execute(conn,
                        "CREATE TABLE IF NOT EXISTS \"migration\" ("
                        "\"version\" INTEGER NOT NULL PRIMARY KEY, \"name\" TEXT NOT NULL,"
                        "\"checksum\" TEXT NOT NULL, \"applied\" INTEGER NOT NULL) STRICT",
                        err);
    if (st == ST_OK)
        st = conn->driver->schema(conn, &version, err);
    if (st == ST_OK && version >= migration->version)
        st = check_applied(conn, migration, err);
    else if (st == ST_OK) {
        st = sqlite_execute(conn, migration->text, err);
        if (st == ST_OK)
            st = record(conn, migration, err);
    }
    if (st != ST_OK) {
        conn->driver->rollback(conn);
        return err_context(err, "migration %s", migration->name);
    }
    return conn->driver->commit(conn, err);
}

static enum status check_before(const struct migrate_options *options, int version, struct err *err)
{
    int newest = migrations[MIGRATIONS - 1].version;
    if (version > newest)
        return err_set(err, ST_BROKEN,
                       "the store has schema version %d, this program knows versions up to %d: "
                       "use a newer inkan",
                       version, newest);
    if (options->create && version > 0)
        return err_set(err, ST_CONFLICT, "the store exists already (schema version %d)", version);
    if (!options->create && version == 0)
        return err_set(err, ST_NOT_FOUND, "the store is empty (inkan store init makes it)");
    return ST_OK;
}

enum status migrate_run(const struct migrate_options *options, struct migrate_report *report,
                        struct err *err)
{
    struct driver_conn *conn = NULL;
    enum status st = open_store(options, &conn, err);
    if (st != ST_OK)
        return st;
    conn->deadline_ms = clock_monotonic_ms() + options->timeout_ms;
    st = conn->driver->schema(conn, &report->before, err);
    report->after = report->before;
    if (st == ST_OK)
        st = check_before(options, report->before, err);
    for (size_t i = 0; i < MIGRATIONS && st == ST_OK; i++)
        st = apply(conn, &migrations[i], err);
    if (st == ST_OK)
        st = conn->driver->schema(conn, &report->after, err);
    conn->driver->close(conn);
    return st;
}
