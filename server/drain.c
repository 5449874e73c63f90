/* SPDX-License-Identifier: Apache-2.0 */
#include "server/drain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { LOOK_EVERY_MS = 100, NUDGE_EVERY_MS = 20 };

static void on_nudge(int signal)
{
    (void)signal;
}

/* Interrupts the poll of libmilter's listener, which would sleep for up to 5 s. */
static void nudge(const struct drain *drain)
{
    pthread_kill(drain->main_thread, SIGUSR1);
}

static bool ended(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, timeout_ms) > 0;
}

/* An eventfd that nobody writes to takes the place of the listening socket under libmilter's
 * feet: no connection will ever be seen on it, and at its end libmilter finds no socket whose
 * path it might unlink. The socket itself lives on in the other workers. */
static void stop_accepting(const struct drain *drain)
{
    int on = 0;
    socklen_t len = sizeof on;
    /* Somebody's own SIGTERM may have made libmilter close it just now. */
    if (getsockopt(drain->listen_fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) != 0 || on == 0)
        return;
    int deaf = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (deaf < 0 || dup3(deaf, drain->listen_fd, O_CLOEXEC) < 0)
        log_text(LOG_LEVEL_ERROR, "the listening socket cannot be left: %s", strerror(errno));
    if (deaf >= 0)
        close(deaf);
    nudge(drain);
}

/* The last answer is written only after its call-back has returned, so a worker counts as quiet
 * when a whole look has passed in which no message was in work and none ended. */
static bool quiet(const struct session_service *service, unsigned *seen)
{
    unsigned now = atomic_load(&service->transactions_ended);
    bool same = now == *seen;
    *seen = now;
    return same && session_open_transactions(service) == 0;
}

/* Serves the connections there are until they are gone, or none has had a message in work for
 * the time of [server] drain. The word to stop ends it as well. */
static void retire(const struct drain *drain)
{
    const struct session_service *service = drain->service;
    int64_t limit_ms = clock_monotonic_ms() + DRAIN_RETIRED_LIMIT_MS;
    int64_t patience_ms = clock_monotonic_ms() + drain->drain_ms;
    unsigned seen = atomic_load(&service->transactions_ended);
    while (!ended(drain->stop_fd, LOOK_EVERY_MS) && clock_left_ms(limit_ms) > 0 &&
           clock_left_ms(patience_ms) > 0 && atomic_load(&service->connections) > 0)
        if (!quiet(service, &seen))
            patience_ms = clock_monotonic_ms() + drain->drain_ms;
}

/* Lets no more messages begin and gives those in work the time of [server] drain. */
static void finish_messages(const struct drain *drain)
{
    int64_t deadline_ms = clock_monotonic_ms() + drain->drain_ms;
    unsigned seen = atomic_load(&drain->service->transactions_ended);
    session_close(drain->service);
    while (atomic_load(&drain->service->connections) > 0 && clock_left_ms(deadline_ms) > 0) {
        poll(NULL, 0, LOOK_EVERY_MS);
        if (quiet(drain->service, &seen))
            break;
    }
}

/* libmilter's own signal thread takes the SIGTERM. It first notes that the end has come and
 * then waits for the listener, which is nudged until it has seen the note. */
static void leave_libmilter(const struct drain *drain)
{
    kill(getpid(), SIGTERM);
    do
        nudge(drain);
    while (!ended(drain->left_fd, NUDGE_EVERY_MS));
}

static void *drain_thread(void *arg)
{
    const struct drain *drain = arg;
    struct pollfd words[] = {
        {.fd = drain->stop_fd, .events = POLLIN},
        {.fd = drain->retire_fd, .events = POLLIN},
        {.fd = drain->left_fd, .events = POLLIN},
    };
    while (poll(words, 3, -1) < 0)
        continue;
    bool left = words[2].revents != 0;
    if (!left) {
        stop_accepting(drain);
        retire(drain);
    }
    finish_messages(drain);
    if (!left)
        leave_libmilter(drain);
    return NULL;
}

enum status drain_start(struct drain *drain, struct err *err)
{
    struct sigaction action = {.sa_handler = on_nudge};
    drain->main_thread = pthread_self();
    drain->left_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (drain->left_fd < 0 || sigaction(SIGUSR1, &action, NULL) != 0)
        return err_set(err, ST_TEMP, "worker: %s", strerror(errno));
    int failed = pthread_create(&drain->thread, NULL, drain_thread, drain);
    if (failed != 0) {
        close(drain->left_fd);
        return err_set(err, ST_TEMP, "worker: no thread: %s", strerror(failed));
    }
    return ST_OK;
}

bool drain_finish(struct drain *drain)
{
    eventfd_write(drain->left_fd, 1);
    pthread_join(drain->thread, NULL);
    close(drain->left_fd);
    int cut = session_open_transactions(drain->service);
    if (cut > 0)
        log_text(LOG_LEVEL_WARNING,
                 "the time to drain is up with %d messages in work: the MTA will try them again",
                 cut);
    return atomic_load(&drain->service->connections) == 0;
}
