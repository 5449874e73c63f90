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

void parallel_run(size_t count, parallel_work *work, void *arg)
{
    pthread_t threads[THREADS_MAX];
    size_t started = 0, wanted = core_count() - 1; /* the caller is one of them */
    struct parts parts = {.work = work, .arg = arg, .count = count};
    if (wanted > THREADS_MAX)
        wanted = THREADS_MAX;
    if (count > 0 && wanted > count - 1)
        wanted = count - 1;
    while (started < wanted && pthread_create(&threads[started], NULL, do_parts, &parts) == 0)
        started++;
    do_parts(&parts);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}
