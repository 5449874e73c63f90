/* SPDX-License-Identifier: Apache-2.0 */
#include "server/worker.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "server/drain.h"
#include "server/rescue.h"
#include "server/session.h"
#include "storage/keyring.h"

enum {
    FEED_PERIOD_MS = 1000,
    FEED_LOG_PERIOD_MS = 60000,
    DESCRIPTORS_WANTED = 65536,
    SHARED_CONNECTIONS = 8, /* of a worker, to each memcached */
    SHARED_TIMEOUT_MS = 50,
};

struct worker {
    const struct worker_options *options;
    struct store *store;
    struct shared *shared; /* NULL: no memcached */
    struct keyring *keyring;
    struct session_service service;
    struct drain drain;
    struct rescue rescue;
    pthread_t feed;
    bool feed_runs;
    int feed_end_fd; /* an eventfd: the feed thread is to end */
};

/* A session of libmilter takes a descriptor and a thread; the soft limit is often 1024. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS_WANTED)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Negative entries get a share of their own, small because each is small. */
static struct cache_options cache_options(const struct settings *settings)
{
    return (struct cache_options){
        .bytes = (size_t)settings->cache.memory,
        .negative_bytes = (size_t)settings->cache.memory / 16,
        .ttl_ms = settings->cache.ttl_ms,
        .negative_ttl_ms = settings->cache.negative_ttl_ms,
        .stale_ttl_ms = settings->cache.stale_ttl_ms,
    };
}

static enum status open_shared(struct worker *w, struct err *err)
{
    const struct settings *settings = w->options->settings;
    const struct shared_options shared = {
        .servers = settings->cache.memcached,
        .vault = w->options->vault,
        .connections = SHARED_CONNECTIONS,
        .timeout_ms = SHARED_TIMEOUT_MS,
        .ttl_ms = settings->cache.ttl_ms,
        .negative_ttl_ms = settings->cache.negative_ttl_ms,
        .stale_ttl_ms = settings->cache.stale_ttl_ms,
    };
    return settings->cache.memcached[0] != '\0' ? shared_open(&shared, &w->shared, err) : ST_OK;
}

static enum status open_storage(struct worker *w, struct err *err)
{
    const struct settings *settings = w->options->settings;
    struct store_options store = {
        .url = settings->store.url,
        .timeout_ms = settings->store.timeout_ms,
        .connections = (size_t)settings->store.connections,
        .ldap = &settings->ldap,
    };
    enum status status = store_open(&store, &w->store, err);
    if (status == ST_OK)
        status = open_shared(w, err);
    if (status != ST_OK)
        return status;
    struct keyring_options keyring = {
        .store = w->store,
        .shared = w->shared,
        .vault = w->options->vault,
        .cache = cache_options(settings),
        .timeout_ms = settings->store.timeout_ms,
    };
    return keyring_open(&keyring, &w->keyring, err);
}

/* The change feed: keys that were retired or domains suspended leave the cache within a second.
 * While the store is away the cursor stays where it is, so nothing is missed. */
/* False when the thread is to end; true after a second, or as soon as the store tells of a change.
 */
static bool wait_for_change(struct worker *w)
{
    struct pollfd words[] = {
        {.fd = w->feed_end_fd, .events = POLLIN},
        {.fd = store_watch(w->store), .events = POLLIN}, /* poll passes over -1 */
    };
    return poll(words, 2, FEED_PERIOD_MS) <= 0 || words[0].revents == 0;
}

static void *feed_thread(void *arg)
{
    struct worker *w = arg;
    _Atomic int64_t logged_ms = 0;
    bool away = false;
    do {
        struct err err = {0};
        (void)store_watch(w->store);
        keyring_listen(w->keyring); /* at once: a new watch puts in doubt what was read before */
        bool failed = keyring_poll(w->keyring, &err) != ST_OK;
        if (failed && log_once_in(&logged_ms, FEED_LOG_PERIOD_MS))
            log_text(LOG_LEVEL_ERROR, "store: %s (keys in memory go on signing)", err.text);
        if (away && !failed)
            log_text(LOG_LEVEL_INFO, "store: answers again");
        away = failed;
    } while (wait_for_change(w));
    return NULL;
}

static enum status start_feed(struct worker *w, struct err *err)
{
    w->feed_end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->feed_end_fd < 0)
        return err_set(err, ST_TEMP, "worker: %s", strerror(errno));
    int failed = pthread_create(&w->feed, NULL, feed_thread, w);
    if (failed != 0)
        return err_set(err, ST_TEMP, "worker: no thread: %s", strerror(failed));
    w->feed_runs = true;
    return ST_OK;
}

static void fill_in(struct worker *w)
{
    const struct worker_options *o = w->options;
    w->service.message = (struct message_services){
        .settings = o->settings,
        .policy = o->policy,
        .shadow = o->shadow,
        .keyring = w->keyring,
        .counters = o->counters,
    };
    w->service.tcp = o->listener->name.family != SOCKNAME_UNIX;
    w->drain = (struct drain){
        .service = &w->service,
        .drain_ms = o->settings->server.drain_ms,
        .listen_fd = o->listener->fd,
        .retire_fd = o->retire_fd,
        .stop_fd = o->stop_fd,
    };
}

static enum status start(struct worker *w, struct err *err)
{
    enum status status = privileges_drop(w->options->privileges, err);
    if (status != ST_OK)
        return status;
    raise_descriptors();
    status = open_storage(w, err);
    if (status != ST_OK)
        return status;
    fill_in(w);
    session_serve(&w->service);
    status = start_feed(w, err);
    if (status == ST_OK)
        status = rescue_start(&w->rescue, &w->options->listener->name, err);
    return status == ST_OK ? drain_start(&w->drain, err) : status;
}

static void stop_all(struct worker *w)
{
    rescue_stop(&w->rescue);
    if (w->feed_end_fd >= 0) {
        eventfd_write(w->feed_end_fd, 1);
        if (w->feed_runs)
            pthread_join(w->feed, NULL);
        close(w->feed_end_fd);
    }
    keyring_close(w->keyring);
    shared_close(w->shared);
    store_close(w->store);
}

int worker_run(const struct worker_options *options)
{
    struct err err = {0};
    pid_t pid = getpid();
    struct worker worker = {.options = options, .feed_end_fd = -1};
    enum status status = start(&worker, &err);
    if (status != ST_OK) {
        log_text(LOG_LEVEL_ERROR, "worker: cannot start: %s", err.text);
        stop_all(&worker);
        return status_exit_code(status);
    }
    if (write(options->ready_fd, &pid, sizeof pid) != (ssize_t)sizeof pid)
        log_text(LOG_LEVEL_ERROR, "worker: the supervisor does not listen: %s", strerror(errno));
    int code = smfi_main() == MI_SUCCESS ? 0 : status_exit_code(ST_BROKEN);
    if (code != 0)
        log_text(LOG_LEVEL_ERROR, "worker: libmilter gave up");
    if (!drain_finish(&worker.drain))
        _exit(code);
    stop_all(&worker);
    return code;
}
