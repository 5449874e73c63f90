/* SPDX-License-Identifier: Apache-2.0
 *
 * The in-process cache: names to immutable, reference-counted values. Bounded by octets, with a
 * bound of its own for negative entries (names known not to exist), so that random sender
 * domains cannot push real ones out; a value that is larger than the bound of its shard is kept
 * alone there. Sharded locks, never held across I/O or while a value is
 * freed. Least recently used goes first.
 *
 * It also keeps two things right that a plain table would not:
 *  - single flight: of the threads that miss one name, one loads and the others wait for it;
 *  - the change feed: an entry carries the position at which it was read. A name that changed
 *    later is dropped at once, and a slow loader cannot bring the old value back. The same for
 *    groups: names whose values are out of date together.
 *
 * Any thread. The clock is the caller's (monotonic milliseconds).
 */
#ifndef INKAN_STORAGE_CACHE_H
#define INKAN_STORAGE_CACHE_H

#include <stdatomic.h>

#include "base/bytes.h"
#include "storage/changes.h"

/* A cached value starts with this. */
struct cache_value {
    atomic_uint refs;
    size_t bytes;      /* all memory it holds, for the bound */
    const char *group; /* what else than its name it depends on, its tenant; NULL: nothing */
    void (*free)(struct cache_value *value);
};
void cache_value_ref(struct cache_value *value);
void cache_value_unref(struct cache_value *value); /* frees with the last one; NULL is fine */

struct cache_options {
    size_t bytes;          /* of positive entries */
    size_t negative_bytes; /* of negative entries */
    int64_t ttl_ms, negative_ttl_ms, stale_ttl_ms;
};

struct cache;
struct cache *cache_new(const struct cache_options *options) MUST_CHECK; /* NULL: no memory */
void cache_free(struct cache *cache);

enum cache_answer {
    CACHE_HIT,      /* *value_out is the caller's reference */
    CACHE_NEGATIVE, /* known not to exist */
    CACHE_MISS,
};
/* A fresh entry. */
enum cache_answer cache_get(struct cache *cache, const char *name, int64_t now_ms,
                            struct cache_value **value_out);
/* The same, but entries past their time count for up to stale_ttl: for when the store cannot
 * answer. */
enum cache_answer cache_get_stale(struct cache *cache, const char *name, int64_t now_ms,
                                  struct cache_value **value_out);
/* Puts a value (the cache takes its own reference), or with NULL a negative entry, read at `read`.
 * Not kept if the name has changed since. */
void cache_put(struct cache *cache, const char *name, struct cache_value *value,
               struct moment read);

/* Single flight. CACHE_LEAD: the caller is to load `name` and then call cache_flight_end whatever
 * came of it. CACHE_LOADED: another thread was loading it and is done, look again. CACHE_FAILED:
 * the other thread could not, or the deadline has passed. */
enum cache_flight { CACHE_LEAD, CACHE_LOADED, CACHE_FAILED };
enum cache_flight cache_flight_begin(struct cache *cache, const char *name, int64_t deadline_ms);
void cache_flight_end(struct cache *cache, const char *name, bool loaded);

/* The name has changed: drops it, and refuses values read before. */
void cache_changed(struct cache *cache, const char *name, struct moment change);
/* The same for all names whose values are of that group, and for all names. */
void cache_group_changed(struct cache *cache, const char *group, struct moment change);
void cache_all_changed(struct cache *cache, struct moment change);
/* Any name may have changed until now, and nobody knows which: all entries are past their time,
 * and good for cache_get_stale only. */
void cache_all_doubted(struct cache *cache, int64_t now_ms);
/* Whether cache_put would refuse a value of that name and group (NULL: none): a change since then
 * is known. For values from elsewhere. */
bool cache_is_outdated(struct cache *cache, const char *name, const char *group,
                       struct moment read);

struct cache_stats {
    int64_t hits, misses, negative_hits, stale_hits, evictions;
    size_t bytes, entries, negative_entries;
};
void cache_stats(struct cache *cache, struct cache_stats *out);

#endif
