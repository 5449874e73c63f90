/* SPDX-License-Identifier: Apache-2.0 */
#include "server/counters.h"

#include <sys/mman.h>

struct counters *counters_new(void)
{
    void *memory = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void counters_free(struct counters *counters)
{
    if (counters != NULL)
        munmap(counters, sizeof *counters);
}

void counters_add(_Atomic int64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

const char *counters_result_name(enum counters_result result)
{
    static const char *const names[COUNTERS_RESULTS] = {"signed", "unsigned", "tempfail",
                                                        "aborted"};
    return names[result];
}
