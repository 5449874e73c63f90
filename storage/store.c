/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/store_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/drivers.h"

enum status store_open(const struct store_options *options, struct store **out, struct err *err)
{
    const struct driver *driver = NULL;
    enum status st = drivers_find(options->url, &driver, err);
    if (st != ST_OK)
        return st;
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return err_set(err, ST_TEMP, "no memory");
    store->driver = driver;
    store->timeout_ms = options->timeout_ms;
    store->ldap = options->ldap;
    store->url = span_dup(span_str(options->url));
    store->actor = span_dup(span_str(options->actor));
    size_t connections = options->connections;
    if (connections < 1 || connections > POOL_CONNECTIONS_MAX)
        connections = connections < 1 ? 1 : POOL_CONNECTIONS_MAX;
    const struct pool_options pool = {.driver = driver,
                                      .url = store->url,
                                      .ldap = options->ldap,
                                      .connections = connections,
                                      .schema = STORE_SCHEMA_VERSION,
                                      .writes = options->actor != NULL};
    if (store->url != NULL && store->actor != NULL)
        store->pool = pool_new(&pool);
    if (store->pool == NULL) {
        store_close(store);
        return err_set(err, ST_TEMP, "no memory");
    }
    *out = store;
    return ST_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    if (store->watcher != NULL)
        store->driver->close(store->watcher);
    pool_free(store->pool);
    free(store->url);
    free(store->actor);
    free(store);
}

const char *store_driver(const struct store *store)
{
    return store->driver->name;
}

const char *store_url(const struct store *store)
{
    return store->url;
}

int64_t store_errors(const struct store *store)
{
    return atomic_load_explicit(&store->errors, memory_order_relaxed);
}

bool store_up(const struct store *store)
{
    return !atomic_load_explicit(&store->down, memory_order_relaxed);
}

enum status store_counted(struct store *store, enum status st)
{
    bool failed = st == ST_TEMP || st == ST_UNSURE || st == ST_BROKEN;
    if (failed)
        atomic_fetch_add_explicit(&store->errors, 1, memory_order_relaxed);
    if (atomic_load_explicit(&store->down, memory_order_relaxed) != failed)
        atomic_store_explicit(&store->down, failed, memory_order_relaxed);
    return st;
}

enum status store_schema(struct store *store, int *version_out, struct err *err)
{
    const struct driver_options options = {
        .url = store->url, .ldap = store->ldap, .version = STORE_SCHEMA_VERSION};
    struct driver_conn *conn = NULL;
    int64_t deadline_ms = clock_monotonic_ms() + store->timeout_ms;
    enum status st = store->driver->open(&options, deadline_ms, &conn, err);
    if (st != ST_OK)
        return store_counted(store, st);
    conn->deadline_ms = deadline_ms;
    st = conn->driver->schema(conn, version_out, err);
    store->driver->close(conn);
    return store_counted(store, st);
}

/* -- reads -------------------------------------------------------------------------------- */

/* One read with its arguments; `row` counts what was handed out already. */
struct read {
    enum status (*call)(struct driver_conn *conn, struct read *read, struct err *err);
    const struct kind *kind;
    void *record;
    const struct query *query;
    const struct change_query *changes;
    const char *const *names;
    struct profile *profiles;
    size_t count;
    driver_row *row;
    void *arg;
    size_t rows;
};

static enum status count_row(void *arg, const void *record, struct err *err)
{
    struct read *read = arg;
    read->rows++;
    return read->row(read->arg, record, err);
}

/* A read that fails because its connection died is tried once more on another one, unless rows
 * were handed out already: the caller would see them twice. */
static enum status run_read(struct store *store, struct read *read, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + store->timeout_ms;
    for (bool again = false;; again = true) {
        struct driver_conn *conn = NULL;
        enum status st = pool_take(store->pool, deadline_ms, &conn, err);
        if (st != ST_OK)
            return store_counted(store, st);
        st = read->call(conn, read, err);
        bool retry = st == ST_TEMP && conn->broken && !again && read->rows == 0 &&
                     clock_left_ms(deadline_ms) > 0;
        pool_give(store->pool, conn);
        if (!retry)
            return store_counted(store, st);
    }
}

static enum status call_nothing(struct driver_conn *conn, struct read *read, struct err *err)
{
    (void)read;
    int version = 0;
    return conn->driver->schema(conn, &version, err);
}

static enum status call_get(struct driver_conn *conn, struct read *read, struct err *err)
{
    return conn->driver->get(conn, read->kind, read->record, err);
}

static enum status call_find(struct driver_conn *conn, struct read *read, struct err *err)
{
    return conn->driver->find(conn, read->query, count_row, read, err);
}

static enum status call_changes(struct driver_conn *conn, struct read *read, struct err *err)
{
    return conn->driver->changes(conn, read->changes, count_row, read, err);
}

static enum status call_lookup(struct driver_conn *conn, struct read *read, struct err *err)
{
    for (size_t i = 0; i < read->count; i++)
        profile_clear(&read->profiles[i]);
    return conn->driver->lookup(conn, read->names, read->count, read->profiles, err);
}

enum status store_check(struct store *store, struct err *err)
{
    struct read read = {.call = call_nothing};
    return run_read(store, &read, err);
}

enum status store_name_missing(enum status st, const struct kind *kind, const void *record,
                               struct err *err)
{
    if (st != ST_NOT_FOUND)
        return st;
    struct buf label = {0};
    kind_label(kind, record, &label);
    st = err_set(err, ST_NOT_FOUND, "%s %s: not found", kind->name, buf_cstr(&label));
    buf_clear(&label);
    return st;
}

enum status store_get(struct store *store, const struct kind *kind, void *record, struct err *err)
{
    struct read read = {.call = call_get, .kind = kind, .record = record};
    return store_name_missing(run_read(store, &read, err), kind, record, err);
}

enum status store_find(struct store *store, const struct query *query, driver_row *row, void *arg,
                       struct err *err)
{
    struct read read = {.call = call_find, .query = query, .row = row, .arg = arg};
    return run_read(store, &read, err);
}

enum status store_changes(struct store *store, const struct change_query *query, driver_row *row,
                          void *arg, struct err *err)
{
    struct read read = {.call = call_changes, .changes = query, .row = row, .arg = arg};
    return run_read(store, &read, err);
}

enum status store_lookup(struct store *store, const char *const *names, size_t count,
                         struct profile *profiles, struct err *err)
{
    struct read read = {.call = call_lookup, .names = names, .count = count, .profiles = profiles};
    return run_read(store, &read, err);
}

/* A look-up of no name answers with the position alone. */
enum status store_position(struct store *store, int64_t *position_out, struct err *err)
{
    const char *none = "";
    struct profile profile = {0};
    enum status st = store_lookup(store, &none, 1, &profile, err);
    *position_out = profile.position;
    profile_clear(&profile);
    return st;
}

int64_t store_history(const struct store *store)
{
    return store->driver->history;
}

/* -- typed reads -------------------------------------------------------------------------- */

static enum status get_by(struct store *store, const struct kind *kind, void *record,
                          const char *const *parts, struct err *err)
{
    size_t part = 0;
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if (!(field->flags & FIELD_KEY))
            continue;
        enum status st = field_set_text(field, record, span_str(parts[part++]), err);
        if (st != ST_OK)
            return st;
    }
    return store_get(store, kind, record, err);
}

enum status store_tenant(struct store *store, const char *name, struct tenant *out, struct err *err)
{
    return get_by(store, &kind_tenant, out, &name, err);
}

enum status store_domain(struct store *store, const char *name, struct domain *out, struct err *err)
{
    return get_by(store, &kind_domain, out, &name, err);
}

static enum status find_domain(struct store *store, const char *name,
                               const struct store_reader *reader, struct err *err)
{
    struct domain domain = {.name = NULL};
    enum status st = store_domain(store, name, &domain, err);
    if (st == ST_OK)
        st = reader->row(reader->arg, &domain, err);
    kind_clear(&kind_domain, &domain);
    return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status store_domains(struct store *store, const char *const *names, size_t count,
                          const struct store_reader *reader, struct err *err)
{
    bool many = store->driver->add != NULL;
    enum status st = ST_OK;
    for (size_t i = 0; !many && st == ST_OK && i < count; i++)
        st = find_domain(store, names[i], reader, err);
    for (size_t i = 0; many && st == ST_OK && i < count; i += DRIVER_ANY_MAX) {
        const char *any[DRIVER_ANY_MAX] = {NULL};
        const struct query query = {.kind = &kind_domain,
                                    .any_field = kind_field(&kind_domain, SPAN_LIT("name")),
                                    .any = any};
        size_t left = count - i;
        memcpy(any, names + i, (left < DRIVER_ANY_MAX ? left : DRIVER_ANY_MAX) * sizeof *any);
        st = store_find(store, &query, reader->row, reader->arg, err);
    }
    return st;
}

enum status store_key(struct store *store, const char *domain, const char *selector,
                      struct key *out, struct err *err)
{
    const char *const parts[] = {domain, selector};
    return get_by(store, &kind_key, out, parts, err);
}
