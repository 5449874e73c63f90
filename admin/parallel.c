/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { THREADS_MAX = 64 };

struct parts {
    parallel_work *work;
    void *arg;
    size_t count;
    atomic_size_t next;
};

static void *do_parts(void *arg)
{
    struct parts *parts = arg;
    size_t index;
    while ((index = atomic_fetch_add(&parts->next, 1)) < parts->count)
        parts->work(parts->arg, index);
    return NULL;
}

static size_t core_count(void)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    if (sched_getaffinity(0, sizeof cores, &cores) != 0)
        return 1;
    return (size_t)CPU_COUNT(&cores);
}

/* On so many threads; the caller is one of them. */
static void run_on(size_t most, struct parts *parts)
{
    pthread_t threads[THREADS_MAX];
    size_t started = 0, wanted = most - 1;
    if (wanted > THREADS_MAX)
        wanted = THREADS_MAX;
    if (parts->count > 0 && wanted > parts->count - 1)
        wanted = parts->count - 1;
    while (started < wanted && pthread_create(&threads[started], NULL, do_parts, parts) == 0)
        started++;
    do_parts(parts);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

void parallel_run(size_t count, parallel_work *work, void *arg)
{
    struct parts parts = {.work = work, .arg = arg, .count = count};
    run_on(core_count(), &parts);
}

void parallel_wait(size_t count, parallel_work *work, void *arg)
{
    struct parts parts = {.work = work, .arg = arg, .count = count};
    run_on(PARALLEL_WAITERS, &parts);
}
