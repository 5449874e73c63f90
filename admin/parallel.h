/* SPDX-License-Identifier: Apache-2.0
 *
 * Work in equal parts, which do not depend on each other: on all cores that the process may use,
 * where each takes long to compute, as making keys does; or on more threads than that, where each
 * waits for servers.
 */
#ifndef INKAN_ADMIN_PARALLEL_H
#define INKAN_ADMIN_PARALLEL_H

#include <stddef.h>

/* One part; called from several threads at a time, once for each index. */
typedef void parallel_work(void *arg, size_t index);

/* Does the parts 0 to count - 1 and returns when all are done. Where no threads can be had the
 * caller's does everything. */
void parallel_run(size_t count, parallel_work *work, void *arg);

enum { PARALLEL_WAITERS = 32 };
/* The same, PARALLEL_WAITERS parts at a time. */
void parallel_wait(size_t count, parallel_work *work, void *arg);

#endif
