/* SPDX-License-Identifier: Apache-2.0
 *
 * How libmemcached is used, and why so
 *
 * A connection of libmemcached may know many servers. Here each server has a pool of its own
 * whose connections know that server only, and a router that never connects says which name
 * belongs to which (ketama, weighted). So it is always plain which server failed.
 *
 * libmemcached leaves failed servers alone too, but each connection of a pool by itself, in whole
 * seconds, and after a first time-out of its own; it is switched off (SERVER_TIMEOUT_LIMIT). Here
 * the server as a whole is left alone, and one thread at a time finds out whether it is back.
 * libmemcached can also give the names of a dead server to the others (REMOVE_FAILED_SERVERS);
 * that too is per connection, so two connections would disagree about where a name is kept.
 *
 * memcached_pool_fetch with a time-out counts from the start of the current second, so for
 * tens of milliseconds it mostly does not wait at all. A semaphore in front of the pool waits
 * instead, and the pool is asked only when it has something to give.
 *
 * A reply that came too late would be read as the answer to the next question: after any fault
 * the connection is closed. The first use of an idle connection to a server that was restarted
 * fails as well, so what did not fail by waiting is tried once more, connected anew.
 */
#include "storage/shared.h"

#include <errno.h>
#include <libmemcached/memcached.h>
#include <libmemcached/util.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/servers.h"
#include "storage/packed.h"
#include "storage/sealed.h"

enum {
    CONNECTIONS_MAX = 256,
    SKEW_MS = 60000,             /* clocks of hosts may differ by so much */
    RELATIVE_MAX_S = 30 * 86400, /* memcached takes a longer expiry for a date */
};

struct server {
    memcached_st *master; /* what the pool's connections are copies of */
    memcached_pool_st *pool;
    sem_t free;                    /* connections that can be had */
    _Atomic int64_t rest_until_ms; /* 0: it works, else left alone until then */
};

struct shared {
    struct sealed *sealed;
    memcached_st *router; /* constant once open: it is asked without a lock */
    int64_t timeout_ms, ttl_ms, negative_ttl_ms, stale_ttl_ms;
    _Atomic int64_t hits, misses, stale, errors, refused;
    size_t count;
    struct server servers[];
};

static void count_one(_Atomic int64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* -- opening and closing ------------------------------------------------------------------ */

static bool add_server(memcached_st *memcached, const struct server_name *name)
{
    memcached_return_t rc =
        name->host[0] == '/'
            ? memcached_server_add_unix_socket_with_weight(memcached, name->host, name->weight)
            : memcached_server_add_with_weight(memcached, name->host, name->port, name->weight);
    return rc == MEMCACHED_SUCCESS;
}

static bool set_behaviour(memcached_st *memcached, int64_t timeout_ms)
{
    const struct {
        memcached_behavior_t flag;
        int64_t value;
    } settings[] = {
        {MEMCACHED_BEHAVIOR_NO_BLOCK, 1},
        {MEMCACHED_BEHAVIOR_TCP_NODELAY, 1},
        {MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, timeout_ms},
        {MEMCACHED_BEHAVIOR_POLL_TIMEOUT, timeout_ms},
        {MEMCACHED_BEHAVIOR_SND_TIMEOUT, timeout_ms * 1000},
        {MEMCACHED_BEHAVIOR_RCV_TIMEOUT, timeout_ms * 1000},
        {MEMCACHED_BEHAVIOR_SERVER_TIMEOUT_LIMIT, INT32_MAX},
    };
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (memcached_behavior_set(memcached, settings[i].flag, (uint64_t)settings[i].value) !=
            MEMCACHED_SUCCESS)
            return false;
    }
    return true;
}

static bool open_server(struct server *server, const struct server_name *name,
                        const struct shared_options *options)
{
    size_t connections = options->connections < 1 ? 1 : options->connections;
    if (connections > CONNECTIONS_MAX)
        connections = CONNECTIONS_MAX;
    sem_init(&server->free, 0, (unsigned)connections);
    server->master = memcached_create(NULL);
    if (server->master != NULL && set_behaviour(server->master, options->timeout_ms) &&
        add_server(server->master, name))
        server->pool = memcached_pool_create(server->master, 1, (uint32_t)connections);
    return server->pool != NULL;
}

static enum status open_all(struct shared *shared, const struct shared_options *options,
                            const struct server_name *names, size_t count, struct err *err)
{
    shared->router = memcached_create(NULL);
    bool good = shared->router != NULL &&
                memcached_behavior_set(shared->router, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1) ==
                    MEMCACHED_SUCCESS;
    while (good && shared->count < count) {
        const struct server_name *name = &names[shared->count];
        good = open_server(&shared->servers[shared->count++], name, options) &&
               add_server(shared->router, name);
    }
    return good ? ST_OK : err_set(err, ST_TEMP, "memcached: no memory");
}

enum status shared_open(const struct shared_options *options, struct shared **out, struct err *err)
{
    struct server_name *names = NULL;
    size_t count = 0;
    enum status st = servers_parse(span_str(options->servers), &names, &count, err);
    if (st != ST_OK)
        return err_context(err, "memcached");
    struct shared *shared = calloc(1, sizeof *shared + count * sizeof shared->servers[0]);
    if (shared != NULL) {
        shared->timeout_ms = options->timeout_ms;
        shared->ttl_ms = options->ttl_ms;
        shared->negative_ttl_ms = options->negative_ttl_ms;
        shared->stale_ttl_ms = options->stale_ttl_ms;
        st = open_all(shared, options, names, count, err);
    } else {
        st = err_set(err, ST_TEMP, "memcached: no memory");
    }
    free(names);
    if (st == ST_OK)
        st = sealed_open(options->vault, &shared->sealed, err);
    if (st != ST_OK) {
        shared_close(shared);
        return st;
    }
    *out = shared;
    return ST_OK;
}

void shared_close(struct shared *shared)
{
    if (shared == NULL)
        return;
    for (size_t i = 0; i < shared->count; i++) {
        (void)memcached_pool_destroy(shared->servers[i].pool);
        memcached_free(shared->servers[i].master);
        sem_destroy(&shared->servers[i].free);
    }
    memcached_free(shared->router);
    sealed_close(shared->sealed);
    free(shared);
}

/* -- connections -------------------------------------------------------------------------- */

/* Whether the server may be asked now. Of the threads that come when its rest is over, the first
 * prolongs it for the others and finds out. */
static bool awake(struct server *server)
{
    int64_t until_ms = atomic_load(&server->rest_until_ms), now_ms = clock_monotonic_ms();
    return until_ms == 0 ||
           (now_ms >= until_ms && atomic_compare_exchange_strong(&server->rest_until_ms, &until_ms,
                                                                 now_ms + SHARED_REST_MS));
}

/* A connection of the caller's own, or NULL: at rest, or all are busy until the deadline. */
static memcached_st *take(struct server *server, int64_t deadline_ms)
{
    const struct timespec until = clock_timespec(deadline_ms);
    if (atomic_load(&server->rest_until_ms) > clock_monotonic_ms())
        return NULL;
    while (sem_clockwait(&server->free, CLOCK_MONOTONIC, &until) != 0) {
        if (errno != EINTR)
            return NULL;
    }
    memcached_st *conn = awake(server) ? memcached_pool_fetch(server->pool, NULL, NULL) : NULL;
    if (conn == NULL)
        sem_post(&server->free);
    return conn;
}

/* Closes a connection after a fault, and tells whether another try may do better. */
static bool renew(memcached_st *conn)
{
    bool hung = memcached_last_error(conn) == MEMCACHED_TIMEOUT;
    memcached_quit(conn);
    return !hung;
}

static void give(struct shared *shared, struct server *server, memcached_st *conn, bool good)
{
    if (!good) {
        (void)renew(conn);
        count_one(&shared->errors);
        atomic_store(&server->rest_until_ms, clock_monotonic_ms() + SHARED_REST_MS);
    } else if (atomic_load(&server->rest_until_ms) != 0) {
        atomic_store(&server->rest_until_ms, 0);
    }
    (void)memcached_pool_release(server->pool, conn);
    sem_post(&server->free);
}

/* -- getting ------------------------------------------------------------------------------ */

/* One call of shared_get. */
struct asking {
    struct shared *shared;
    const char *const *names;
    struct shared_entry *entries;
    size_t count;
    char keys[SHARED_NAMES_MAX][SEALED_NAME_SIZE];
    size_t server[SHARED_NAMES_MAX]; /* whose name it is */
};

enum { NO_SERVER = SERVERS_MAX };

static void begin_asking(struct asking *asking)
{
    const struct shared *shared = asking->shared;
    for (size_t i = 0; i < asking->count; i++) {
        char *key = asking->keys[i];
        asking->entries[i] = (struct shared_entry){.answer = CACHE_MISS};
        asking->server[i] = sealed_name(shared->sealed, asking->names[i], key)
                                ? memcached_generate_hash(shared->router, key, strlen(key))
                                : NO_SERVER;
    }
}

/* Sends the question for all names of one server. */
static bool ask(const struct asking *asking, size_t server, memcached_st *conn)
{
    const char *keys[SHARED_NAMES_MAX];
    size_t lens[SHARED_NAMES_MAX], count = 0;
    for (size_t i = 0; i < asking->count; i++) {
        if (asking->server[i] == server) {
            keys[count] = asking->keys[i];
            lens[count++] = SEALED_NAME_SIZE - 1;
        }
    }
    return memcached_mget(conn, keys, lens, count) == MEMCACHED_SUCCESS;
}

/* An entry that opened: how old is it, and is it good for anything? */
static void judge(const struct shared *shared, struct packed *packed, struct shared_entry *entry)
{
    int64_t age_ms = (clock_now_s() - packed->time_s) * 1000;
    int64_t ttl_ms = packed->profile.found ? shared->ttl_ms : shared->negative_ttl_ms;
    if (age_ms < -SKEW_MS || age_ms >= ttl_ms + shared->stale_ttl_ms) {
        profile_clear(&packed->profile);
        return;
    }
    entry->answer = packed->profile.found ? CACHE_HIT : CACHE_NEGATIVE;
    entry->age_ms = age_ms < 0 ? 0 : age_ms;
    entry->fresh = entry->age_ms < ttl_ms;
    entry->profile = packed->profile;
}

static void take_value(const struct asking *asking, size_t index, struct span value)
{
    struct shared *shared = asking->shared;
    struct buf content = BUF_INIT(PACKED_MAX);
    struct packed packed = {0};
    if (value.len <= PACKED_MAX + SEALED_EXTRA &&
        sealed_unwrap(shared->sealed, asking->names[index], value, &content) &&
        packed_read(buf_span(&content), &packed))
        judge(shared, &packed, &asking->entries[index]);
    else
        count_one(&shared->refused);
    buf_clear(&content);
}

/* Reads all that a server has to say to its question. */
static bool collect(const struct asking *asking, memcached_st *conn)
{
    memcached_return_t rc = MEMCACHED_FAILURE;
    memcached_result_st result;
    if (memcached_result_create(conn, &result) == NULL)
        return false;
    while (memcached_fetch_result(conn, &result, &rc) != NULL) {
        struct span key =
            span_of(memcached_result_key_value(&result), memcached_result_key_length(&result));
        for (size_t i = 0; i < asking->count; i++) {
            if (asking->entries[i].answer == CACHE_MISS &&
                span_equal(span_of(asking->keys[i], SEALED_NAME_SIZE - 1), key))
                take_value(
                    asking, i,
                    span_of(memcached_result_value(&result), memcached_result_length(&result)));
        }
    }
    memcached_result_free(&result);
    return (rc == MEMCACHED_END || rc == MEMCACHED_NOTFOUND) &&
           memcached_last_error(conn) == MEMCACHED_SUCCESS;
}

static void count_answers(const struct asking *asking)
{
    struct shared *shared = asking->shared;
    for (size_t i = 0; i < asking->count; i++) {
        const struct shared_entry *entry = &asking->entries[i];
        count_one(entry->answer == CACHE_MISS ? &shared->misses
                  : entry->fresh              ? &shared->hits
                                              : &shared->stale);
    }
}

void shared_get(struct shared *shared, const char *const *names, size_t count,
                struct shared_entry *entries)
{
    struct asking asking = {.shared = shared, .names = names, .entries = entries, .count = count};
    memcached_st *conns[SERVERS_MAX];
    bool sent[SERVERS_MAX];
    int64_t deadline_ms = clock_monotonic_ms() + shared->timeout_ms;
    begin_asking(&asking);
    /* All are asked before any is heard. Connections are taken in the order of the servers, by
     * every thread, so no two can wait for each other's. */
    for (size_t s = 0; s < shared->count; s++) {
        bool needed = false;
        for (size_t i = 0; i < count; i++)
            needed = needed || asking.server[i] == s;
        conns[s] = needed ? take(&shared->servers[s], deadline_ms) : NULL;
        sent[s] = conns[s] != NULL && ask(&asking, s, conns[s]);
    }
    for (size_t s = 0; s < shared->count; s++) {
        if (conns[s] == NULL)
            continue;
        bool good = sent[s] && collect(&asking, conns[s]);
        if (!good && renew(conns[s]))
            good = ask(&asking, s, conns[s]) && collect(&asking, conns[s]);
        give(shared, &shared->servers[s], conns[s], good);
    }
    count_answers(&asking);
}

/* -- putting ------------------------------------------------------------------------------ */

/* Seconds until memcached may forget the entry, as it wants them; 0: not worth keeping. */
static time_t expiry_of(const struct shared *shared, const struct profile *profile)
{
    int64_t ttl_ms = profile->found ? shared->ttl_ms : shared->negative_ttl_ms;
    int64_t seconds = (ttl_ms + shared->stale_ttl_ms + 999) / 1000;
    return seconds > RELATIVE_MAX_S ? clock_now_s() + seconds : seconds;
}

static bool set(memcached_st *conn, const char *key, struct span value, time_t expiry)
{
    switch (memcached_set(conn, key, strlen(key), value.data, value.len, expiry, 0)) {
    case MEMCACHED_SUCCESS:
    case MEMCACHED_NOTSTORED:
    case MEMCACHED_E2BIG:
    case MEMCACHED_SERVER_ERROR:
    case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE:
        return true; /* an answer: the server is well, whether it has room or not */
    default:
        return false;
    }
}

static void send_entry(struct shared *shared, const char *key, struct span value, time_t expiry)
{
    struct server *server =
        &shared->servers[memcached_generate_hash(shared->router, key, strlen(key))];
    memcached_st *conn = take(server, clock_monotonic_ms() + shared->timeout_ms);
    if (conn == NULL)
        return;
    bool good = set(conn, key, value, expiry) || (renew(conn) && set(conn, key, value, expiry));
    give(shared, server, conn, good);
}

void shared_put(struct shared *shared, const char *name, const struct profile *profile)
{
    struct buf content = BUF_INIT(PACKED_MAX), entry = {0};
    char key[SEALED_NAME_SIZE];
    time_t expiry = expiry_of(shared, profile);
    packed_write(profile, clock_now_s(), &content);
    if (expiry > 0 && content.failed == ST_OK && sealed_name(shared->sealed, name, key) &&
        sealed_wrap(shared->sealed, name, buf_span(&content), &entry))
        send_entry(shared, key, buf_span(&entry), expiry);
    buf_clear(&content);
    buf_clear(&entry);
}

void shared_stats(const struct shared *shared, struct shared_stats *out)
{
    *out = (struct shared_stats){
        .hits = atomic_load_explicit(&shared->hits, memory_order_relaxed),
        .misses = atomic_load_explicit(&shared->misses, memory_order_relaxed),
        .stale = atomic_load_explicit(&shared->stale, memory_order_relaxed),
        .errors = atomic_load_explicit(&shared->errors, memory_order_relaxed),
        .refused = atomic_load_explicit(&shared->refused, memory_order_relaxed),
    };
}
