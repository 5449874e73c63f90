/* SPDX-License-Identifier: Apache-2.0
 *
 * Generations and drain
 *
 * A generation is one reading of the settings together with the workers forked from it. There is
 * a current one, at times a candidate that is to follow it, and workers of retired ones that are
 * finishing. All share one listening socket, opened once before the first fork: that is why
 * [server] listen cannot change without a restart.
 *
 * A candidate takes over only when each of its workers has said, through the ready pipe, that
 * it serves. If one ends before that, the candidate is given up and nothing has changed; at the
 * first start there is nothing to fall back on and the supervisor ends with that worker's exit
 * code. Between the two moments both generations accept, so no connection waits for a reload.
 *
 * Workers are told by the end of file of two pipes whose write ends only the supervisor holds,
 * one of the generation (retire) and one of the service (stop). No message has to be delivered,
 * every worker sees it however late it looks, and the death of the supervisor says "stop" by
 * itself. A signal to the process would not do: libmilter's own handler for SIGTERM closes the
 * socket at its leisure, up to 5 s later, and SIGINT cuts its sessions.
 *
 * A retired worker leaves the listening socket at once, but a session that an MTA holds open
 * cannot be handed to another process: closing it between two messages would make Postfix defer
 * the rest of that SMTP session. So it goes on serving, new messages too, until its MTAs have
 * hung up or none has sent a message for the time of [server] drain (at most ten minutes).
 *
 * A stopped worker has nobody who follows it. It finishes the messages in work, answers those
 * that begin with "try again", and ends when none is left or [server] drain is over: what is in
 * work then is answered by a closed connection, and the MTA tries it again, too. The supervisor
 * kills what is still there two seconds later; a second SIGTERM kills at once.
 *
 * libmilter removes a unix socket when its listener ends. Workers cannot: they know it only by
 * a name that no longer leads anywhere (listener.c). The supervisor removes it when it stops.
 */
#include "server/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/channels.h"
#include "server/children.h"
#include "server/drain.h"
#include "server/generation.h"
#include "server/pidfile.h"
#include "server/session.h"
#include "server/worker.h"

enum { START_LIMIT_MS = 60000, KILL_GRACE_MS = 2000 };

struct supervisor {
    const char *path;
    struct generation *current, *candidate;
    int64_t candidate_limit_ms; /* when it must be ready */
    unsigned generations;       /* made so far */
    struct children children;
    struct counters *counters;
    struct listener listener;
    struct pidfile pidfile;
    struct channels channels;
    bool stopping, reload;
    int exit_code;
};

/* What the worker must not keep: as long as anybody holds the write end of a pipe, its end of
 * file is not seen. Its signals stay blocked until libmilter takes them over; a process group
 * of its own keeps a terminal's Ctrl-C from it. */
static void run_worker(struct supervisor *s, struct generation *g)
{
    struct worker_options options = {
        .settings = g->settings,
        .vault = g->vault,
        .policy = g->policy,
        .shadow = g->shadow,
        .privileges = &g->privileges,
        .counters = s->counters,
        .listener = &s->listener,
        .ready_fd = s->channels.ready_write,
        .retire_fd = g->retire_read,
        .stop_fd = s->channels.stop_read,
    };
    channels_leave_to_supervisor(&s->channels);
    if (s->current != NULL)
        channels_close_end(&s->current->retire_write);
    if (s->candidate != NULL)
        channels_close_end(&s->candidate->retire_write);
    setpgid(0, 0);
    log_open("inkand", g->settings);
    exit(worker_run(&options));
}

static struct generation *generation_of(const struct supervisor *s, const struct child *child)
{
    if (s->candidate != NULL && child->generation == s->candidate->number)
        return s->candidate;
    if (s->current != NULL && child->generation == s->current->number)
        return s->current;
    return NULL;
}

static void start_child(struct supervisor *s, struct child *child, int64_t now_ms)
{
    pid_t pid = fork();
    if (pid == 0)
        run_worker(s, generation_of(s, child));
    if (pid < 0) {
        log_text(LOG_LEVEL_ERROR, "no new worker: %s", strerror(errno));
        children_schedule(child, now_ms);
        return;
    }
    child->pid = pid;
    child->started_ms = now_ms;
}

static void stop(struct supervisor *s, int exit_code)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->exit_code = exit_code;
    const struct generation *g = s->current != NULL ? s->current : s->candidate;
    int64_t patience_ms = g == NULL ? 0 : g->settings->server.drain_ms + KILL_GRACE_MS;
    listener_close(&s->listener);
    channels_stop(&s->channels);
    children_dismiss(&s->children, 0, clock_monotonic_ms() + patience_ms);
}

/* The reload has failed; what was there goes on. */
static void give_up_candidate(struct supervisor *s, int exit_code)
{
    log_text(LOG_LEVEL_ERROR, "the new workers do not start: %s",
             s->current == NULL ? "giving up" : "the old ones go on with the old settings");
    children_dismiss(&s->children, s->candidate->number, clock_monotonic_ms() + KILL_GRACE_MS);
    if (s->current == NULL) {
        stop(s, exit_code);
        return;
    }
    generation_free(s->candidate);
    s->candidate = NULL;
}

static void promote_candidate(struct supervisor *s)
{
    struct generation *old = s->current;
    s->current = s->candidate;
    s->candidate = NULL;
    log_open("inkand", s->current->settings);
    if (old == NULL) {
        log_text(LOG_LEVEL_INFO, "ready: listening on %s, %zu workers",
                 s->current->settings->server.listen, s->current->workers);
        return;
    }
    log_text(LOG_LEVEL_INFO, "reloaded: %zu new workers serve, %zu old ones finish",
             s->current->workers, children_running(&s->children, old->number));
    children_dismiss(&s->children, old->number,
                     clock_monotonic_ms() + DRAIN_RETIRED_LIMIT_MS +
                         old->settings->server.drain_ms + KILL_GRACE_MS);
    generation_free(old);
}

static enum status start_candidate(struct supervisor *s, struct settings *settings, struct err *err)
{
    int64_t now_ms = clock_monotonic_ms();
    enum status status = generation_new(settings, s->generations + 1, &s->candidate, err);
    if (status != ST_OK)
        return status;
    s->generations++;
    s->candidate_limit_ms = now_ms + START_LIMIT_MS;
    for (size_t i = 0; i < s->candidate->workers; i++)
        if (children_add(&s->children, s->candidate->number, now_ms) == NULL)
            log_text(LOG_LEVEL_ERROR, "no memory for worker %zu", i);
    return ST_OK;
}

static void reload(struct supervisor *s)
{
    struct buf problems = BUF_INIT(0), warnings = BUF_INIT(0);
    struct settings *settings = NULL;
    struct err err = {0};
    s->reload = false;
    log_text(LOG_LEVEL_INFO, "reading the settings again from %s", s->path);
    enum status status = generation_read(s->path, &settings, &problems, &warnings);
    generation_log(LOG_LEVEL_ERROR, &problems);
    generation_log(LOG_LEVEL_WARNING, &warnings);
    if (status == ST_OK &&
        strcmp(settings->server.listen, s->current->settings->server.listen) != 0)
        log_text(LOG_LEVEL_WARNING, "[server] listen changes only with a restart: still %s",
                 s->current->settings->server.listen);
    if (status == ST_OK) {
        status = start_candidate(s, settings, &err);
        if (status != ST_OK)
            log_text(LOG_LEVEL_ERROR, "%s", err.text);
    }
    if (status != ST_OK) {
        settings_free(settings);
        log_text(LOG_LEVEL_ERROR, "the settings stay as they were");
    }
    buf_clear(&problems);
    buf_clear(&warnings);
}

static void on_signal(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->channels.signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            s->reload = true;
        } else if (info.ssi_signo != SIGCHLD && !s->stopping) {
            log_text(LOG_LEVEL_INFO, "stopping");
            stop(s, 0);
        } else if (info.ssi_signo != SIGCHLD) {
            children_dismiss(&s->children, 0, clock_monotonic_ms());
        }
    }
}

static void on_ready(struct supervisor *s)
{
    pid_t pid;
    while (read(s->channels.ready_read, &pid, sizeof pid) == (ssize_t)sizeof pid) {
        struct child *child = children_find(&s->children, pid);
        if (child != NULL)
            child->ready = true;
    }
}

static void log_end(const struct child *child, int how, bool wanted)
{
    if (WIFSIGNALED(how))
        log_text(LOG_LEVEL_ERROR, "worker %d was ended by signal %d (%s)", child->pid,
                 WTERMSIG(how), strsignal(WTERMSIG(how)));
    else
        log_text(wanted ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "worker %d ended with exit code %d",
                 child->pid, WEXITSTATUS(how));
}

static void on_end(struct supervisor *s, struct child *child, int how)
{
    const struct generation *g = generation_of(s, child);
    bool wanted = s->stopping || g == NULL || child->kill_ms != 0;
    log_end(child, how, wanted);
    if (wanted) {
        *child = (struct child){0};
    } else if (g == s->candidate) {
        *child = (struct child){0};
        give_up_candidate(s, WIFEXITED(how) && WEXITSTATUS(how) != 0 ? WEXITSTATUS(how)
                                                                     : status_exit_code(ST_BROKEN));
    } else {
        children_schedule(child, clock_monotonic_ms());
        counters_add(&s->counters->worker_restarts);
        log_text(LOG_LEVEL_INFO, "a new worker starts in %lld ms", (long long)child->backoff_ms);
    }
}

static void reap(struct supervisor *s)
{
    pid_t pid;
    int how;
    while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
        struct child *child = children_find(&s->children, pid);
        if (child != NULL)
            on_end(s, child, how);
    }
}

static void do_what_is_due(struct supervisor *s)
{
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < s->children.count; i++) {
        struct child *child = &s->children.list[i];
        if (child->generation == 0)
            continue;
        if (child->pid == 0 && child->restart_ms <= now_ms) {
            start_child(s, child, now_ms);
        } else if (child->pid != 0 && child->kill_ms != 0 && child->kill_ms <= now_ms) {
            log_text(LOG_LEVEL_WARNING, "worker %d is killed", child->pid);
            kill(child->pid, SIGKILL);
            child->kill_ms = now_ms + KILL_GRACE_MS;
        }
    }
}

static void look_at_candidate(struct supervisor *s)
{
    if (s->candidate != NULL && !s->stopping) {
        if (children_ready(&s->children, s->candidate->number) == s->candidate->workers)
            promote_candidate(s);
        else if (clock_left_ms(s->candidate_limit_ms) == 0)
            give_up_candidate(s, status_exit_code(ST_TEMP));
    }
    if (s->reload && s->candidate == NULL && !s->stopping)
        reload(s);
}

static int wait_ms(const struct supervisor *s)
{
    int wait = children_wait_ms(&s->children, clock_monotonic_ms());
    if (s->candidate == NULL || s->stopping)
        return wait;
    int left = (int)clock_left_ms(s->candidate_limit_ms);
    return wait < 0 || left < wait ? left : wait;
}

static void serve(struct supervisor *s)
{
    struct pollfd events[] = {
        {.fd = s->channels.signals, .events = POLLIN},
        {.fd = s->channels.ready_read, .events = POLLIN},
    };
    while (!s->stopping || children_running(&s->children, 0) > 0) {
        do_what_is_due(s);
        poll(events, 2, wait_ms(s));
        on_signal(s);
        on_ready(s);
        reap(s);
        look_at_candidate(s);
    }
}

static enum status open_all(struct supervisor *s, struct settings *settings, struct err *err)
{
    enum status status = privileges_hide_memory(err);
    if (status == ST_OK)
        status = channels_open(&s->channels, err);
    s->counters = counters_new();
    if (status == ST_OK && s->counters == NULL)
        status = err_set(err, ST_TEMP, "no shared memory: %s", strerror(errno));
    if (status == ST_OK)
        status = session_register(err);
    if (status == ST_OK)
        status = start_candidate(s, settings, err);
    if (status != ST_OK) {
        settings_free(settings);
        return status;
    }
    status = listener_open(settings, s->candidate->privileges.socket_group, &s->listener, err);
    return status == ST_OK ? pidfile_write(settings->server.pid_file, &s->pidfile, err) : status;
}

static void close_all(struct supervisor *s)
{
    listener_close(&s->listener);
    pidfile_remove(&s->pidfile);
    channels_close(&s->channels);
    generation_free(s->candidate);
    generation_free(s->current);
    children_clear(&s->children);
    counters_free(s->counters);
}

int supervisor_run(const char *path, struct settings *settings)
{
    struct err err = {0};
    struct supervisor s = {
        .path = path,
        .listener = {.fd = -1},
        .channels = {-1, -1, -1, -1, -1},
    };
    bool log_elsewhere = settings->log.to == LOG_TO_SYSLOG;
    log_text(LOG_LEVEL_INFO, "inkand " INKAN_VERSION " started, settings of %s", path);
    enum status status = open_all(&s, settings, &err);
    if (status == ST_OK) {
        serve(&s);
        log_text(LOG_LEVEL_INFO, "stopped");
    } else {
        log_text(LOG_LEVEL_ERROR, "%s", err.text);
        if (log_elsewhere) /* whoever started it looks here first */
            fprintf(stderr, "inkand: %s\n", err.text);
        s.exit_code = status_exit_code(status);
    }
    close_all(&s);
    return s.exit_code;
}
