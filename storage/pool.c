/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { BACKOFF_MIN_MS = 100, BACKOFF_MAX_MS = 2000 };

struct pool {
    struct pool_options options;
    pthread_mutex_t lock;
    pthread_cond_t given;
    size_t open_count, idle_count;
    int64_t retry_at_ms, backoff_ms;
    struct driver_conn *idle[]; /* the last one given is taken first */
};

struct pool *pool_new(const struct pool_options *options)
{
    struct pool *pool = calloc(1, sizeof *pool + options->connections * sizeof *pool->idle);
    pthread_condattr_t monotonic;
    if (pool == NULL)
        return NULL;
    pool->options = *options;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->given, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return pool;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->idle_count; i++)
        pool->options.driver->close(pool->idle[i]);
    pthread_cond_destroy(&pool->given);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static enum status check_schema(const struct pool *pool, struct driver_conn *conn, struct err *err)
{
    int version = 0;
    enum status st = conn->driver->schema(conn, &version, err);
    if (st != ST_OK || version == pool->options.schema)
        return st;
    if (version > pool->options.schema)
        return err_set(err, ST_BROKEN,
                       "the store has schema version %d, this program knows versions up to %d: "
                       "use a newer inkan",
                       version, pool->options.schema);
    return err_set(err, ST_BROKEN, "the store has schema version %d of %d: run inkan store %s",
                   version, pool->options.schema, version == 0 ? "init" : "migrate");
}

static enum status connect(const struct pool *pool, int64_t deadline_ms, struct driver_conn **out,
                           struct err *err)
{
    const struct driver_options options = {.url = pool->options.url,
                                           .ldap = pool->options.ldap,
                                           .version = pool->options.schema,
                                           .writes = pool->options.writes};
    struct driver_conn *conn = NULL;
    enum status st = pool->options.driver->open(&options, deadline_ms, &conn, err);
    /* A store that is not there needs a person, not a retry. */
    if (st == ST_NOT_FOUND)
        err->code = st = ST_BROKEN;
    if (st != ST_OK)
        return st;
    conn->deadline_ms = deadline_ms;
    st = check_schema(pool, conn, err);
    if (st != ST_OK) {
        pool->options.driver->close(conn);
        return st;
    }
    *out = conn;
    return ST_OK;
}

/* Under the lock. ST_OK: *out is an idle connection, or NULL and a place for a new one was
 * taken. */
static enum status reserve(struct pool *pool, int64_t deadline_ms, struct driver_conn **out,
                           struct err *err)
{
    const struct timespec until = clock_timespec(deadline_ms);
    *out = NULL;
    while (pool->idle_count == 0 && pool->open_count == pool->options.connections) {
        if (pthread_cond_timedwait(&pool->given, &pool->lock, &until) != 0)
            return err_set(err, ST_TEMP, "all %zu connections to the store are busy",
                           pool->options.connections);
    }
    if (pool->idle_count > 0) {
        *out = pool->idle[--pool->idle_count];
        return ST_OK;
    }
    if (clock_monotonic_ms() < pool->retry_at_ms)
        return err_set(err, ST_TEMP, "the store did not answer just now");
    pool->open_count++;
    return ST_OK;
}

/* Under the lock: what a new connection's success or failure means for the next ones. */
static void account(struct pool *pool, enum status st)
{
    if (st == ST_OK) {
        pool->backoff_ms = 0;
        pool->retry_at_ms = 0;
        return;
    }
    pool->open_count--;
    pthread_cond_signal(&pool->given);
    if (st != ST_TEMP)
        return;
    pool->backoff_ms = pool->backoff_ms == 0 ? BACKOFF_MIN_MS : pool->backoff_ms * 2;
    if (pool->backoff_ms > BACKOFF_MAX_MS)
        pool->backoff_ms = BACKOFF_MAX_MS;
    pool->retry_at_ms = clock_monotonic_ms() + pool->backoff_ms;
}

enum status pool_take(struct pool *pool, int64_t deadline_ms, struct driver_conn **out,
                      struct err *err)
{
    struct err local = {0};
    struct driver_conn *conn = NULL;
    if (err == NULL)
        err = &local;
    pthread_mutex_lock(&pool->lock);
    enum status st = reserve(pool, deadline_ms, &conn, err);
    pthread_mutex_unlock(&pool->lock);
    if (st == ST_OK && conn == NULL) {
        st = connect(pool, deadline_ms, &conn, err);
        pthread_mutex_lock(&pool->lock);
        account(pool, st);
        pthread_mutex_unlock(&pool->lock);
    }
    if (st != ST_OK)
        return st;
    conn->deadline_ms = deadline_ms;
    *out = conn;
    return ST_OK;
}

/* Under the lock: takes all idle connections out. */
static size_t take_idle(struct pool *pool, struct driver_conn **out)
{
    size_t count = pool->idle_count;
    memcpy(out, pool->idle, count * sizeof(struct driver_conn *));
    pool->idle_count = 0;
    pool->open_count -= count;
    return count;
}

/* A connection that broke says that the server went away, and then the idle ones are dead as
 * well: each would cost the next caller a failure. */
static void drop(struct pool *pool, struct driver_conn *conn)
{
    struct driver_conn *idle[POOL_CONNECTIONS_MAX];
    pool->options.driver->close(conn);
    pthread_mutex_lock(&pool->lock);
    size_t count = take_idle(pool, idle);
    pool->open_count--;
    pthread_cond_broadcast(&pool->given);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < count; i++)
        pool->options.driver->close(idle[i]);
}

void pool_give(struct pool *pool, struct driver_conn *conn)
{
    if (conn->broken) {
        drop(pool, conn);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->idle[pool->idle_count++] = conn;
    pthread_cond_signal(&pool->given);
    pthread_mutex_unlock(&pool->lock);
}
