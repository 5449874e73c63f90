/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"
#include "storage/changes.h"

enum {
    SHARDS_MAX = 64,
    SHARD_BYTES = 1 << 20, /* a shard more for each MiB: small caches stay in one piece */
};

struct entry {
    struct cache_value *value; /* NULL: negative */
    struct moment read;
    size_t bytes;
    struct entry *prev, *next; /* in its list, most recently used first */
    UT_hash_handle hh;
    char name[];
};

struct flight {
    bool done, loaded;
    size_t waiting;
    UT_hash_handle hh;
    char name[];
};

/* Entries of one sort with their bound; both sorts of a shard share one hash table. */
struct list {
    struct entry *head;
    size_t bytes, limit, count;
};

struct shard {
    pthread_mutex_t lock;
    pthread_cond_t landed;
    struct entry *entries;
    struct list positive, negative;
    struct flight *flights;
    struct changes changes; /* of the shard's names, and of all groups */
    struct cache_stats stats;
};

struct cache {
    struct cache_options options;
    size_t count;
    struct shard shards[];
};

/* -- making and freeing ------------------------------------------------------------------- */

static void shard_init(struct shard *shard, const struct cache_options *options, size_t shards)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&shard->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&shard->landed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    shard->positive.limit = options->bytes / shards;
    shard->negative.limit = options->negative_bytes / shards;
}

struct cache *cache_new(const struct cache_options *options)
{
    size_t count = options->bytes / SHARD_BYTES;
    count = count < 1 ? 1 : count > SHARDS_MAX ? SHARDS_MAX : count;
    struct cache *cache = calloc(1, sizeof *cache + count * sizeof cache->shards[0]);
    if (cache == NULL)
        return NULL;
    cache->options = *options;
    cache->count = count;
    for (size_t i = 0; i < count; i++)
        shard_init(&cache->shards[i], options, count);
    return cache;
}

static struct list *list_of(struct shard *shard, const struct entry *entry)
{
    return entry->value != NULL ? &shard->positive : &shard->negative;
}

/* Takes an entry out and puts it on the chain of those to be freed without the lock. */
static void unlink_entry(struct shard *shard, struct entry *entry, struct entry **dead)
{
    struct list *list = list_of(shard, entry);
    HASH_DEL(shard->entries, entry);
    DL_DELETE(list->head, entry);
    list->bytes -= entry->bytes;
    list->count--;
    entry->next = *dead;
    *dead = entry;
}

static void free_entries(struct entry *dead)
{
    while (dead != NULL) {
        struct entry *next = dead->next;
        cache_value_unref(dead->value);
        free(dead);
        dead = next;
    }
}

void cache_free(struct cache *cache)
{
    if (cache == NULL)
        return;
    cache_all_changed(cache, (struct moment){.position = INT64_MAX});
    for (size_t i = 0; i < cache->count; i++) {
        changes_clear(&cache->shards[i].changes);
        pthread_cond_destroy(&cache->shards[i].landed);
        pthread_mutex_destroy(&cache->shards[i].lock);
    }
    free(cache);
}

static struct shard *shard_of(struct cache *cache, const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (const char *p = name; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    return &cache->shards[(hash >> 32) % cache->count];
}

/* -- getting ------------------------------------------------------------------------------ */

static int64_t ttl_of(const struct cache *cache, const struct entry *entry)
{
    return entry->value != NULL ? cache->options.ttl_ms : cache->options.negative_ttl_ms;
}

static enum cache_answer get(struct cache *cache, const char *name, int64_t oldest_extra_ms,
                             int64_t now_ms, struct cache_value **value_out)
{
    struct shard *shard = shard_of(cache, name);
    struct entry *entry = NULL;
    enum cache_answer answer = CACHE_MISS;
    pthread_mutex_lock(&shard->lock);
    HASH_FIND_STR(shard->entries, name, entry);
    if (entry != NULL && now_ms - entry->read.ms < ttl_of(cache, entry) + oldest_extra_ms) {
        struct list *list = list_of(shard, entry);
        answer = entry->value != NULL ? CACHE_HIT : CACHE_NEGATIVE;
        if (entry->value != NULL) {
            cache_value_ref(entry->value);
            *value_out = entry->value;
        }
        if (list->head != entry) {
            DL_DELETE(list->head, entry);
            DL_PREPEND(list->head, entry);
        }
    }
    shard->stats.hits += answer == CACHE_HIT;
    shard->stats.negative_hits += answer == CACHE_NEGATIVE;
    shard->stats.misses += answer == CACHE_MISS;
    shard->stats.stale_hits += answer != CACHE_MISS && oldest_extra_ms > 0;
    pthread_mutex_unlock(&shard->lock);
    return answer;
}

enum cache_answer cache_get(struct cache *cache, const char *name, int64_t now_ms,
                            struct cache_value **value_out)
{
    return get(cache, name, 0, now_ms, value_out);
}

enum cache_answer cache_get_stale(struct cache *cache, const char *name, int64_t now_ms,
                                  struct cache_value **value_out)
{
    return get(cache, name, cache->options.stale_ttl_ms, now_ms, value_out);
}

/* -- putting ------------------------------------------------------------------------------ */

static bool outdated(const struct shard *shard, const char *name, const char *group,
                     struct moment read)
{
    return changes_outdate(&shard->changes, name, read) ||
           (group != NULL && changes_outdate(&shard->changes, group, read));
}

static struct entry *entry_new(const char *name, struct cache_value *value)
{
    size_t len = strlen(name);
    struct entry *entry = malloc(sizeof *entry + len + 1);
    if (entry == NULL)
        return NULL;
    *entry = (struct entry){.value = value};
    memcpy(entry->name, name, len + 1);
    entry->bytes = sizeof *entry + len + 1 + (value != NULL ? value->bytes : 0);
    if (value != NULL)
        cache_value_ref(value);
    return entry;
}

static void make_room(struct shard *shard, struct list *list, struct entry **dead)
{
    /* One that is larger than all the room is kept by itself, or it would be read for each message.
     */
    while (list->bytes > list->limit && list->head->next != NULL) {
        shard->stats.evictions++;
        unlink_entry(shard, list->head->prev, dead); /* utlist: the head's prev is the tail */
    }
}

static void add_entry(struct shard *shard, struct entry *entry, struct entry **dead)
{
    struct list *list = list_of(shard, entry);
    HASH_ADD_STR(shard->entries, name, entry);
    if (entry->hh.tbl == NULL) {
        entry->next = *dead;
        *dead = entry;
        return;
    }
    DL_PREPEND(list->head, entry);
    list->bytes += entry->bytes;
    list->count++;
    make_room(shard, list, dead);
}

void cache_put(struct cache *cache, const char *name, struct cache_value *value, struct moment read)
{
    struct shard *shard = shard_of(cache, name);
    struct entry *dead = NULL, *old = NULL, *entry = entry_new(name, value);
    if (entry == NULL)
        return; /* the next message loads it again */
    entry->read = read;
    pthread_mutex_lock(&shard->lock);
    HASH_FIND_STR(shard->entries, name, old);
    const char *group = value != NULL ? value->group : NULL;
    bool late =
        outdated(shard, name, group, read) || (old != NULL && old->read.position > read.position);
    if (old != NULL && !late)
        unlink_entry(shard, old, &dead);
    if (late)
        dead = entry;
    else
        add_entry(shard, entry, &dead);
    pthread_mutex_unlock(&shard->lock);
    free_entries(dead);
}

/* -- single flight ------------------------------------------------------------------------ */

/* Without memory others lead as well. */
static void add_flight(struct shard *shard, const char *name)
{
    size_t len = strlen(name);
    struct flight *flight = calloc(1, sizeof *flight + len + 1);
    if (flight == NULL)
        return;
    memcpy(flight->name, name, len + 1);
    HASH_ADD_STR(shard->flights, name, flight);
    if (flight->hh.tbl == NULL)
        free(flight);
}

/* Under the lock; gives the lock up while waiting. */
static bool wait_for(struct shard *shard, struct flight *flight, int64_t deadline_ms)
{
    const struct timespec until = clock_timespec(deadline_ms);
    flight->waiting++;
    while (!flight->done && pthread_cond_timedwait(&shard->landed, &shard->lock, &until) == 0)
        continue;
    flight->waiting--;
    bool loaded = flight->loaded;
    if (flight->done && flight->waiting == 0)
        free(flight);
    return loaded;
}

enum cache_flight cache_flight_begin(struct cache *cache, const char *name, int64_t deadline_ms)
{
    struct shard *shard = shard_of(cache, name);
    struct flight *flight = NULL;
    enum cache_flight answer = CACHE_LEAD;
    pthread_mutex_lock(&shard->lock);
    HASH_FIND_STR(shard->flights, name, flight);
    if (flight != NULL)
        answer = wait_for(shard, flight, deadline_ms) ? CACHE_LOADED : CACHE_FAILED;
    else
        add_flight(shard, name);
    pthread_mutex_unlock(&shard->lock);
    return answer;
}

void cache_flight_end(struct cache *cache, const char *name, bool loaded)
{
    struct shard *shard = shard_of(cache, name);
    struct flight *flight = NULL;
    pthread_mutex_lock(&shard->lock);
    HASH_FIND_STR(shard->flights, name, flight);
    if (flight != NULL) {
        HASH_DEL(shard->flights, flight);
        flight->done = true;
        flight->loaded = loaded;
        if (flight->waiting == 0)
            free(flight);
        else
            pthread_cond_broadcast(&shard->landed);
    }
    pthread_mutex_unlock(&shard->lock);
}

/* -- the change feed ---------------------------------------------------------------------- */

bool cache_is_outdated(struct cache *cache, const char *name, const char *group, struct moment read)
{
    struct shard *shard = shard_of(cache, name);
    pthread_mutex_lock(&shard->lock);
    bool is = outdated(shard, name, group, read);
    pthread_mutex_unlock(&shard->lock);
    return is;
}

void cache_changed(struct cache *cache, const char *name, struct moment change)
{
    struct shard *shard = shard_of(cache, name);
    struct entry *entry = NULL, *dead = NULL;
    pthread_mutex_lock(&shard->lock);
    changes_note(&shard->changes, name, change);
    HASH_FIND_STR(shard->entries, name, entry);
    if (entry != NULL && changes_moment_outdates(change, entry->read))
        unlink_entry(shard, entry, &dead);
    pthread_mutex_unlock(&shard->lock);
    free_entries(dead);
}

/* Drops what is outdated, of one group or (NULL) of all. */
static void drop_outdated(struct shard *shard, const char *group, struct moment change)
{
    struct entry *each = NULL, *next = NULL, *dead = NULL;
    pthread_mutex_lock(&shard->lock);
    if (group != NULL)
        changes_note(&shard->changes, group, change);
    else
        changes_note_all(&shard->changes, change);
    HASH_ITER(hh, shard->entries, each, next)
    {
        bool matches = group == NULL || (each->value != NULL && each->value->group != NULL &&
                                         strcmp(each->value->group, group) == 0);
        if (matches && changes_moment_outdates(change, each->read))
            unlink_entry(shard, each, &dead);
    }
    pthread_mutex_unlock(&shard->lock);
    free_entries(dead);
}

void cache_group_changed(struct cache *cache, const char *group, struct moment change)
{
    for (size_t i = 0; i < cache->count; i++)
        drop_outdated(&cache->shards[i], group, change);
}

void cache_all_changed(struct cache *cache, struct moment change)
{
    for (size_t i = 0; i < cache->count; i++)
        drop_outdated(&cache->shards[i], NULL, change);
}

void cache_all_doubted(struct cache *cache, int64_t now_ms)
{
    for (size_t i = 0; i < cache->count; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        changes_note_all(&shard->changes, (struct moment){.ms = now_ms});
        for (struct entry *each = shard->entries; each != NULL; each = each->hh.next) {
            int64_t past_ms = now_ms - ttl_of(cache, each);
            each->read.ms = each->read.ms < past_ms ? each->read.ms : past_ms;
        }
        pthread_mutex_unlock(&shard->lock);
    }
}

void cache_stats(struct cache *cache, struct cache_stats *out)
{
    *out = (struct cache_stats){0};
    for (size_t i = 0; i < cache->count; i++) {
        struct shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        out->hits += shard->stats.hits;
        out->misses += shard->stats.misses;
        out->negative_hits += shard->stats.negative_hits;
        out->stale_hits += shard->stats.stale_hits;
        out->evictions += shard->stats.evictions;
        out->bytes += shard->positive.bytes + shard->negative.bytes;
        out->entries += shard->positive.count;
        out->negative_entries += shard->negative.count;
        pthread_mutex_unlock(&shard->lock);
    }
}
