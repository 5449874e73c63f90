/* SPDX-License-Identifier: Apache-2.0
 *
 * How libmemcached is used, and why so
 *
 * A connection of libmemcached may know many servers. Here each server has a pool of its own
 * whose connections know that server only, and a router that never connects says which name
 * belongs to which (ketama, weighted). So it is always plain which server failed.
 *
 * libmemcached could give the names of a dead server to the others (REMOVE_FAILED_SERVERS). Each
 * connection decides that by itself, so two of them would disagree about where a name is kept.
 *
 * Names are asked for in one command a server, and every server is asked before any is heard.
 */
#include "storage/shared.h"

#include <libmemcached/memcached.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/servers.h"
#include "storage/packed.h"
#include "storage/sealed.h"
#include "storage/shared_server.h"

enum {
    SKEW_MS = 60000,             /* clocks of hosts may differ by so much */
    RELATIVE_MAX_S = 30 * 86400, /* memcached takes a longer expiry for a date */
};

struct shared {
    struct sealed *sealed;
    memcached_st *router; /* constant once open: it is asked without a lock */
    int64_t timeout_ms, ttl_ms, negative_ttl_ms, stale_ttl_ms;
    _Atomic int64_t hits, misses, stale, errors, refused;
    size_t count;
    struct shared_server *servers[];
};

static void count_one(_Atomic int64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* -- opening and closing ------------------------------------------------------------------ */

static enum status open_all(struct shared *shared, const struct shared_options *options,
                            const struct server_name *names, size_t count, struct err *err)
{
    shared->router = memcached_create(NULL);
    bool good = shared->router != NULL &&
                memcached_behavior_set(shared->router, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1) ==
                    MEMCACHED_SUCCESS;
    while (good && shared->count < count) {
        const struct server_name *name = &names[shared->count];
        struct shared_server *server =
            shared_server_new(name, options->connections, options->timeout_ms);
        shared->servers[shared->count++] = server;
        good = server != NULL && shared_server_add(shared->router, name);
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
    for (size_t i = 0; i < shared->count; i++)
        shared_server_free(shared->servers[i]);
    memcached_free(shared->router);
    sealed_close(shared->sealed);
    free(shared);
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
    bool empty = profile_is_empty(&packed->profile);
    int64_t ttl_ms = empty ? shared->negative_ttl_ms : shared->ttl_ms;
    if (age_ms < -SKEW_MS || age_ms >= ttl_ms + shared->stale_ttl_ms) {
        profile_clear(&packed->profile);
        return;
    }
    entry->answer = empty ? CACHE_NEGATIVE : CACHE_HIT;
    entry->age_ms = age_ms < 0 ? 0 : age_ms;
    entry->fresh = entry->age_ms < ttl_ms;
    entry->profile = packed->profile;
}

static void take_value(const struct asking *asking, size_t index, struct span value)
{
    struct shared *shared = asking->shared;
    struct buf content = BUF_SECRET(PACKED_MAX);
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

static bool needed(const struct asking *asking, size_t server)
{
    for (size_t i = 0; i < asking->count; i++) {
        if (asking->server[i] == server)
            return true;
    }
    return false;
}

static void give(struct shared *shared, size_t server, memcached_st *conn, bool good)
{
    if (!good)
        count_one(&shared->errors);
    shared_server_give(shared->servers[server], conn, good);
}

void shared_get(struct shared *shared, const char *const *names, size_t count,
                struct shared_entry *entries)
{
    struct asking asking = {.shared = shared, .names = names, .entries = entries, .count = count};
    memcached_st *conns[SERVERS_MAX];
    bool sent[SERVERS_MAX];
    int64_t deadline_ms = clock_monotonic_ms() + shared->timeout_ms;
    begin_asking(&asking);
    /* Connections are taken in the order of the servers, by every thread, so no two can wait for
     * each other's. */
    for (size_t s = 0; s < shared->count; s++) {
        conns[s] = needed(&asking, s) ? shared_server_take(shared->servers[s], deadline_ms) : NULL;
        sent[s] = conns[s] != NULL && ask(&asking, s, conns[s]);
    }
    for (size_t s = 0; s < shared->count; s++) {
        if (conns[s] == NULL)
            continue;
        bool good = sent[s] && collect(&asking, conns[s]);
        if (!good && shared_server_renew(conns[s]))
            good = ask(&asking, s, conns[s]) && collect(&asking, conns[s]);
        give(shared, s, conns[s], good);
    }
    count_answers(&asking);
}

/* -- putting ------------------------------------------------------------------------------ */

/* Seconds until memcached may forget the entry, as it wants them; 0: not worth keeping. */
static time_t expiry_of(const struct shared *shared, const struct profile *profile)
{
    int64_t ttl_ms = profile_is_empty(profile) ? shared->negative_ttl_ms : shared->ttl_ms;
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
    size_t server = memcached_generate_hash(shared->router, key, strlen(key));
    memcached_st *conn =
        shared_server_take(shared->servers[server], clock_monotonic_ms() + shared->timeout_ms);
    if (conn == NULL)
        return;
    bool good = set(conn, key, value, expiry) ||
                (shared_server_renew(conn) && set(conn, key, value, expiry));
    give(shared, server, conn, good);
}

void shared_put(struct shared *shared, const char *name, const struct profile *profile)
{
    struct buf content = BUF_SECRET(PACKED_MAX), entry = {0};
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
