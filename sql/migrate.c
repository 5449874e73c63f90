/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/migrate.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sql/postgres.h"
#include "sql/records.h"
#include "sql/sqlite.h"

struct migration {
    int version;
    const char *name;
    const char *checksum; /* SHA-256 of the file, hexadecimal */
    const char *text;
};

#include "migrations_postgres.inc"
#include "migrations_sqlite.inc"

/* What a kind of store needs beyond its driver. */
struct backend {
    const struct driver *driver;
    enum status (*execute)(struct driver_conn *conn, const char *sql, struct err *err);
    const char *turns; /* first in the transaction: programs take turns */
    const char *table; /* makes the table of migrations */
    const struct migration *list;
    size_t count;
};

enum { STEP_MS = 600000 }; /* a migration may have to rewrite a large table */

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static const struct backend backends[] = {
    {&sqlite_driver, sqlite_execute, "SELECT 1", /* BEGIN IMMEDIATE lets one in */
     "CREATE TABLE IF NOT EXISTS \"migration\" (\"version\" INTEGER NOT NULL PRIMARY KEY,"
     " \"name\" TEXT NOT NULL, \"checksum\" TEXT NOT NULL, \"applied\" INTEGER NOT NULL) STRICT",
     migrations_sqlite, COUNT(migrations_sqlite)},
    {&postgres_driver, postgres_execute,
     "SELECT pg_advisory_xact_lock(hashtextextended('inkan migration', 0))",
     "CREATE TABLE IF NOT EXISTS \"migration\" (\"version\" BIGINT NOT NULL PRIMARY KEY,"
     " \"name\" TEXT NOT NULL, \"checksum\" TEXT NOT NULL, \"applied\" BIGINT NOT NULL)",
     migrations_postgres, COUNT(migrations_postgres)},
};

static bool has_scheme(const struct driver *driver, const char *url)
{
    struct span scheme = span_head(span_str(url), span_find(span_str(url), ':'));
    for (size_t i = 0; driver->schemes[i] != NULL; i++) {
        if (span_equal(scheme, span_str(driver->schemes[i])))
            return true;
    }
    return false;
}

static enum status find_backend(const char *url, const struct backend **out, struct err *err)
{
    for (size_t i = 0; i < COUNT(backends); i++) {
        if (has_scheme(backends[i].driver, url)) {
            *out = &backends[i];
            return ST_OK;
        }
    }
    return err_set(err, ST_INVALID,
                   "store.url: no migrations for this kind of store "
                   "(allowed: sqlite:, postgresql:)");
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
                                    " WHERE \"version\" = CAST($1 AS BIGINT)",
                                    buf_cstr(&version), &recorded, err);
    if (st == ST_OK && strcmp(buf_cstr(&recorded), migration->checksum) != 0)
        st = err_set(err, ST_BROKEN, "migration %s was applied with another text (checksum %.12s)",
                     migration->name, buf_cstr(&recorded));
    buf_clear(&recorded);
    buf_clear(&version);
    return st;
}

static enum status record(struct driver_conn *conn, const struct backend *backend,
                          const struct migration *migration, struct err *err)
{
    struct buf row = {0};
    buf_printf(&row,
               "INSERT INTO \"migration\" (\"version\", \"name\", \"checksum\", \"applied\")"
               " VALUES (%d, '%s', '%s', %lld)",
               migration->version, migration->name, migration->checksum, (long long)clock_now_s());
    enum status st = buf_check(&row, "migration", err);
    if (st == ST_OK)
        st = backend->execute(conn, buf_cstr(&row), err);
    buf_clear(&row);
    return st;
}

/* With `create`, who finds it done has lost the race to make the store. */
static enum status already(struct driver_conn *conn, const struct migration *migration, bool create,
                           struct err *err)
{
    if (create)
        return err_set(err, ST_CONFLICT, "another program is making this store");
    return check_applied(conn, migration, err);
}

static enum status apply_within(struct driver_conn *conn, const struct backend *backend,
                                const struct migration *migration, bool create, struct err *err)
{
    int version = 0;
    enum status st = backend->execute(conn, backend->turns, err);
    if (st == ST_OK)
        st = backend->execute(conn, backend->table, err);
    if (st == ST_OK)
        st = conn->driver->schema(conn, &version, err);
    if (st == ST_OK && version >= migration->version)
        return already(conn, migration, create, err);
    if (st == ST_OK)
        st = backend->execute(conn, migration->text, err);
    return st == ST_OK ? record(conn, backend, migration, err) : st;
}

/* One step in one transaction, in which the version is read again: of two programs that start
 * together each migration is applied by one. */
static enum status attempt(struct driver_conn *conn, const struct backend *backend,
                           const struct migration *migration, bool create, struct err *err)
{
    conn->deadline_ms = clock_monotonic_ms() + STEP_MS;
    enum status st = conn->driver->begin(conn, err);
    if (st != ST_OK)
        return st;
    st = apply_within(conn, backend, migration, create, err);
    if (st != ST_OK) {
        conn->driver->rollback(conn);
        return st == ST_CONFLICT ? st : err_context(err, "migration %s", migration->name);
    }
    return conn->driver->commit(conn, err);
}

/* The roles of PostgreSQL belong to all data bases of a server, in which programs do not take
 * turns. Who meets another one at making them finds them there at the second attempt. */
static enum status apply(struct driver_conn *conn, const struct backend *backend,
                         const struct migration *migration, bool create, struct err *err)
{
    enum status st = attempt(conn, backend, migration, create, err);
    return st == ST_CONFLICT ? attempt(conn, backend, migration, create, err) : st;
}

static enum status check_before(const struct driver_options *options, int newest, int version,
                                struct err *err)
{
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

static enum status migrate(struct driver_conn *conn, const struct backend *backend,
                           const struct driver_options *options, struct driver_migration *migration,
                           struct err *err)
{
    conn->deadline_ms = clock_monotonic_ms() + migration->timeout_ms;
    enum status st = conn->driver->schema(conn, &migration->before, err);
    migration->after = migration->before;
    if (st == ST_OK)
        st = check_before(options, backend->list[backend->count - 1].version, migration->before,
                          err);
    for (size_t i = 0; i < backend->count && st == ST_OK; i++)
        st = apply(conn, backend, &backend->list[i], options->create, err);
    if (st == ST_OK)
        st = conn->driver->schema(conn, &migration->after, err);
    return st;
}

enum status sql_migrate(const struct driver_options *options, struct driver_migration *migration,
                        struct err *err)
{
    const struct backend *backend = NULL;
    struct driver_conn *conn = NULL;
    int64_t deadline_ms = clock_monotonic_ms() + migration->timeout_ms;
    enum status st = find_backend(options->url, &backend, err);
    if (st == ST_OK)
        st = backend->driver->open(options, deadline_ms, &conn, err);
    if (st != ST_OK)
        return st;
    st = migrate(conn, backend, options, migration, err);
    conn->driver->close(conn);
    return st;
}
