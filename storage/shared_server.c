/* SPDX-License-Identifier: Apache-2.0
 *
 * libmemcached leaves failed servers alone too, but each connection of a pool by itself, in whole
 * seconds, and after a first time-out of its own; it is switched off (SERVER_TIMEOUT_LIMIT). Here
 * the server as a whole is left alone, and one thread at a time finds out whether it is back.
 *
 * memcached_pool_fetch with a time-out counts from the start of the current second, so for
 * tens of milliseconds it mostly does not wait at all. A semaphore in front of the pool waits
 * instead, and the pool is asked only when it has something to give.
 *
 * A reply that came too late must not be read as the answer to the next question. libmemcached
 * closes a connection after most faults; here it is closed after all of them. The first use of
 * an idle connection to a server that was restarted fails as well; shared_server_renew is for
 * trying once more.
 */
#include "storage/shared_server.h"

#include <errno.h>
#include <libmemcached/memcached.h>
#include <libmemcached/util.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "storage/shared.h"

enum { CONNECTIONS_MAX = 256 };

struct shared_server {
    memcached_st *master; /* what the pool's connections are copies of */
    memcached_pool_st *pool;
    sem_t free;                    /* connections that can be had */
    _Atomic int64_t rest_until_ms; /* 0: it works, else left alone until then */
};

bool shared_server_add(memcached_st *memcached, const struct server_name *name)
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

struct shared_server *shared_server_new(const struct server_name *name, size_t connections,
                                        int64_t timeout_ms)
{
    struct shared_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return NULL;
    connections = connections < 1 ? 1 : connections;
    connections = connections > CONNECTIONS_MAX ? CONNECTIONS_MAX : connections;
    sem_init(&server->free, 0, (unsigned)connections);
    server->master = memcached_create(NULL);
    if (server->master != NULL && set_behaviour(server->master, timeout_ms) &&
        shared_server_add(server->master, name))
        server->pool = memcached_pool_create(server->master, 1, (uint32_t)connections);
    if (server->pool == NULL) {
        shared_server_free(server);
        return NULL;
    }
    return server;
}

void shared_server_free(struct shared_server *server)
{
    if (server == NULL)
        return;
    (void)memcached_pool_destroy(server->pool);
    memcached_free(server->master);
    sem_destroy(&server->free);
    free(server);
}

/* Whether the server may be asked now. Of the threads that come when its rest is over, the first
 * prolongs it for the others and finds out. */
static bool awake(struct shared_server *server)
{
    int64_t until_ms = atomic_load(&server->rest_until_ms), now_ms = clock_monotonic_ms();
    return until_ms == 0 ||
           (now_ms >= until_ms && atomic_compare_exchange_strong(&server->rest_until_ms, &until_ms,
                                                                 now_ms + SHARED_REST_MS));
}

memcached_st *shared_server_take(struct shared_server *server, int64_t deadline_ms)
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

bool shared_server_renew(memcached_st *conn)
{
    bool hung = memcached_last_error(conn) == MEMCACHED_TIMEOUT;
    memcached_quit(conn);
    return !hung;
}

void shared_server_give(struct shared_server *server, memcached_st *conn, bool good)
{
    if (!good) {
        (void)shared_server_renew(conn);
        atomic_store(&server->rest_until_ms, clock_monotonic_ms() + SHARED_REST_MS);
    } else if (atomic_load(&server->rest_until_ms) != 0) {
        atomic_store(&server->rest_until_ms, 0);
    }
    (void)memcached_pool_release(server->pool, conn);
    sem_post(&server->free);
}
