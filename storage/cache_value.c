/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/cache.h"

void cache_value_ref(struct cache_value *value)
{
    atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);
}

void cache_value_unref(struct cache_value *value)
{
    if (value != NULL && atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel) == 1)
        value->free(value);
}
