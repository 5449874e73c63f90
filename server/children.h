/* SPDX-License-Identifier: Apache-2.0
 *
 * The supervisor's table of worker processes: who they are, which generation they belong to, and
 * what is due for them when (a restart, the end of their patience). No signals, no pipes, no
 * decisions about generations: those are supervisor.c's. One thread. Times are those of
 * clock_monotonic_ms.
 */
#ifndef INKAN_SERVER_CHILDREN_H
#define INKAN_SERVER_CHILDREN_H

#include <sys/types.h>

#include "base/bytes.h"

struct child {
    pid_t pid;           /* 0: not running */
    unsigned generation; /* 0: the place is free */
    bool ready;
    int64_t started_ms;
    int64_t backoff_ms; /* before the next restart */
    int64_t restart_ms; /* pid 0: when it is to be started */
    int64_t kill_ms;    /* when it has to be gone; 0: it may stay */
};

struct children {
    struct child *list;
    size_t count; /* places, free ones included */
};

/* A place for a worker of a generation, due to be started now. NULL when memory is short. */
struct child *children_add(struct children *children, unsigned generation,
                           int64_t now_ms) MUST_CHECK;
struct child *children_find(struct children *children, pid_t pid);
/* A worker of a generation that goes on has ended: when it is to be started again. After a life
 * of a minute it starts over with 100 ms; else twice as long as before, at most 10 s. */
void children_schedule(struct child *child, int64_t now_ms);
/* Frees the places of a generation's workers that do not run, and gives the others until
 * `kill_ms`. Generation 0: all. */
void children_dismiss(struct children *children, unsigned generation, int64_t kill_ms);
size_t children_running(const struct children *children, unsigned generation); /* 0: of all */
size_t children_ready(const struct children *children, unsigned generation);
/* Milliseconds until something is due, -1: nothing is. */
int children_wait_ms(const struct children *children, int64_t now_ms);
void children_clear(struct children *children);

#endif
