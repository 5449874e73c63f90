/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of the tiers
 *
 * A message makes up to two dozen names interesting: its author's domain and the parents of that,
 * its login's, what is said of all names. The cache holds an entry for each name by itself,
 * positive or negative, never an answer for a whole message: so one row of the change feed makes
 * exactly one entry obsolete, and a domain added tomorrow above a thousand known subdomains is
 * found at once.
 *
 *  1. The wanted name is looked for in the cache. For the usual message that is all.
 *  2. If it is not known (or no longer fresh), one thread goes on with all names of the question
 *     that are not; the others who want the same name wait for it. If there is a memcached layer
 *     it is asked first, one round trip. Its entries carry the position at which they were read
 *     too: one that was read before a change this worker knows of is no entry. What is fresh is
 *     taken into the cache; if the wanted name is among it, that is the answer.
 *  3. Else the store is asked for what is still not known, one round trip. All names of its answer,
 *     found or not, go into the cache and into memcached. What the cache has of a name, fresh or
 *     not, lends its parsed keys to the new entry as far as their envelopes are the very same.
 *  4. If the store cannot answer, the cache is asked again and an entry past its time counts; then
 *     once more with those that memcached had. Keys live for months and an outage lasts for
 *     minutes: stale beats nothing.
 *
 * The result of step 3 is used for the message that asked even if the cache refused to keep it
 * because the name changed meanwhile: it was true when the question was asked. The next
 * message asks again. A slow worker may write such a result to memcached after the change, over
 * a newer one or not: every worker that has read the feed sees by the position what it is.
 *
 * So memcached is of no use to a worker that has not read the feed. A new worker reads it from some
 * way back (store_history) before it takes anything from there, and takes nothing that was
 * read earlier than that.
 */
#include "storage/keyring_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static_assert((int)DRIVER_NAMES_MAX <= (int)SHARED_NAMES_MAX, "one question fits");

/* One find that the cache could not answer. */
struct search {
    struct keyring *keyring;
    const char *names[DRIVER_NAMES_MAX]; /* those not known, first the wanted one */
    size_t count;
    bool answered;       /* the wanted one is settled: */
    struct place *place; /* by this, or nothing */
    bool unreadable;     /* it is there, and nobody can say what it means */
};

enum status keyring_open(const struct keyring_options *options, struct keyring **out,
                         struct err *err)
{
    struct keyring *keyring = calloc(1, sizeof *keyring);
    if (keyring != NULL)
        keyring->cache = cache_new(&options->cache);
    if (keyring == NULL || keyring->cache == NULL) {
        keyring_close(keyring);
        return err_set(err, ST_TEMP, "no memory");
    }
    keyring->store = options->store;
    keyring->shared = options->shared;
    keyring->vault = options->vault;
    keyring->timeout_ms = options->timeout_ms;
    *out = keyring;
    return ST_OK;
}

void keyring_close(struct keyring *keyring)
{
    if (keyring == NULL)
        return;
    cache_free(keyring->cache);
    free(keyring);
}

void keyring_stats(struct keyring *keyring, struct cache_stats *out)
{
    cache_stats(keyring->cache, out);
    int64_t hits = atomic_load(&keyring->lent[CACHE_HIT]);
    int64_t negative_hits = atomic_load(&keyring->lent[CACHE_NEGATIVE]);
    out->hits -= hits;
    out->negative_hits -= negative_hits;
    out->stale_hits -= hits + negative_hits;
    out->misses -= atomic_load(&keyring->lent[CACHE_MISS]);
}

/* -- step 1 and 4: the cache -------------------------------------------------------------- */

typedef enum cache_answer getter(struct cache *cache, const char *name, int64_t now_ms,
                                 struct cache_value **value_out);

static enum cache_answer get(struct keyring *keyring, getter *get_value, const char *name,
                             struct place **out)
{
    struct cache_value *value = NULL;
    enum cache_answer answer = get_value(keyring->cache, name, clock_monotonic_ms(), &value);
    *out = (struct place *)value;
    return answer;
}

/* Of a name that no message has asked for now. */
static enum cache_answer peek(struct keyring *keyring, getter *get_value, const char *name,
                              struct place **out)
{
    enum cache_answer answer = get(keyring, get_value, name, out);
    atomic_fetch_add_explicit(&keyring->lent[answer], 1, memory_order_relaxed);
    return answer;
}

static bool is_known(struct keyring *keyring, const char *name)
{
    struct place *place = NULL;
    bool known = peek(keyring, cache_get, name, &place) != CACHE_MISS;
    place_unref(place);
    return known;
}

/* What is known of a name from elsewhere than the cache. */
struct finding {
    struct profile *profile;
    int64_t read_ms;
};

static struct moment moment_of(const struct finding *finding)
{
    return (struct moment){finding->profile->position, finding->read_ms};
}

/* Makes a place of a finding (NULL when there is nothing) and caches it. What the cache has of the
 * name, fresh or not, lends its parsed keys. */
static enum status keep(struct keyring *keyring, const char *name, const struct finding *finding,
                        struct place **out, struct err *err)
{
    *out = NULL;
    if (!profile_is_empty(finding->profile)) {
        struct place *before = NULL;
        (void)peek(keyring, cache_get_stale, name, &before);
        enum status st = place_new(finding->profile, keyring->vault, before, out, err);
        place_unref(before);
        if (st != ST_OK)
            return st;
    }
    cache_put(keyring->cache, name, *out != NULL ? &(*out)->base : NULL, moment_of(finding));
    return ST_OK;
}

/* Keeps a finding on names[index]; that on the wanted name is the answer. */
static enum status settle(struct search *search, size_t index, const struct finding *finding,
                          struct err *err)
{
    struct place *place = NULL;
    const char *unreadable = finding->profile->unreadable;
    if (unreadable != NULL && index > 0)
        return ST_OK; /* it is asked for again, when it is wanted */
    if (unreadable != NULL)
        err_set(err, ST_BROKEN, "%s", unreadable);
    enum status st = unreadable != NULL
                         ? ST_BROKEN
                         : keep(search->keyring, search->names[index], finding, &place, err);
    search->unreadable = search->unreadable || (index == 0 && st == ST_BROKEN);
    if (index > 0) {
        place_unref(place);
        return ST_OK;
    }
    search->answered = st == ST_OK;
    search->place = place;
    return st;
}

static bool is_outdated(const struct search *search, size_t index, const struct finding *finding)
{
    return cache_is_outdated(search->keyring->cache, search->names[index],
                             finding->profile->tenant.name, moment_of(finding));
}

/* -- step 2: memcached -------------------------------------------------------------------- */

/* Ages are kept in seconds. */
static struct finding finding_of(struct shared_entry *entry)
{
    return (struct finding){&entry->profile, clock_monotonic_ms() - entry->age_ms - 1000};
}

/* What memcached has of the names and no known change contradicts. */
static void recall(const struct search *search, struct shared_entry *entries)
{
    struct keyring *keyring = search->keyring;
    for (size_t i = 0; i < search->count; i++)
        entries[i] = (struct shared_entry){.answer = CACHE_MISS};
    if (keyring->shared != NULL && atomic_load(&keyring->current))
        shared_get(keyring->shared, search->names, search->count, entries);
    for (size_t i = 0; i < search->count; i++) {
        const struct finding finding = finding_of(&entries[i]);
        if (entries[i].answer != CACHE_MISS && is_outdated(search, i, &finding)) {
            profile_clear(&entries[i].profile);
            entries[i].answer = CACHE_MISS;
        }
    }
}

/* What could not be made a place has lost a part of itself. */
static enum status forget(struct shared_entry *entry, const struct err *err)
{
    profile_clear(&entry->profile);
    entry->answer = CACHE_MISS;
    return err->code;
}

/* Takes what is fresh; what is left are the names to ask the store for. */
static enum status take_fresh(struct search *search, struct shared_entry *entries, struct err *err)
{
    size_t left = 0;
    for (size_t i = 0; i < search->count; i++) {
        const struct finding finding = finding_of(&entries[i]);
        if (entries[i].answer == CACHE_MISS || !entries[i].fresh)
            search->names[left] = search->names[i], entries[left++] = entries[i];
        else if (settle(search, i, &finding, err) != ST_OK && i == 0)
            return forget(&entries[i], err);
        else
            profile_clear(&entries[i].profile);
    }
    search->count = left;
    return ST_OK;
}

/* Puts what memcached had into the cache with its age, for a look at what is stale. */
static void keep_entries(const struct search *search, struct shared_entry *entries)
{
    for (size_t i = 0; i < search->count; i++) {
        struct place *place = NULL;
        struct err ignored = {0}; /* what the store said is the fault to report */
        const struct finding finding = finding_of(&entries[i]);
        if (entries[i].answer != CACHE_MISS &&
            keep(search->keyring, search->names[i], &finding, &place, &ignored) == ST_OK)
            place_unref(place);
    }
}

/* -- step 3: the store -------------------------------------------------------------------- */

/* Other workers are given what is not known to have changed since it was read. */
static void tell_others(const struct search *search, size_t index, const struct finding *finding)
{
    if (search->keyring->shared != NULL && finding->profile->unreadable == NULL &&
        !is_outdated(search, index, finding))
        shared_put(search->keyring->shared, search->names[index], finding->profile);
}

static enum status ask_store(struct search *search, struct err *err)
{
    struct profile profiles[DRIVER_NAMES_MAX] = {0};
    int64_t start_ms = clock_monotonic_ms(); /* what is heard of later may not be in the answer */
    enum status st =
        store_lookup(search->keyring->store, search->names, search->count, profiles, err);
    for (size_t i = 0; i < search->count && st == ST_OK; i++) {
        const struct finding finding = {&profiles[i], start_ms};
        tell_others(search, i, &finding);
        st = settle(search, i, &finding, err);
    }
    for (size_t i = 0; i < search->count; i++)
        profile_clear(&profiles[i]);
    return st;
}

/* -- the order ---------------------------------------------------------------------------- */

static enum status answer_stale(struct keyring *keyring, const char *name, struct place **out,
                                const struct err *err)
{
    bool known = get(keyring, cache_get_stale, name, out) != CACHE_MISS;
    return known ? ST_OK : err->code; /* what the store said stays the answer */
}

/* What the thread that leads does. *loaded_out tells those who wait whether to look again. */
static enum status load(struct search *search, struct place **out, bool *loaded_out,
                        struct err *err)
{
    struct shared_entry entries[DRIVER_NAMES_MAX];
    const char *wanted = search->names[0];
    recall(search, entries);
    enum status st = take_fresh(search, entries, err);
    if (st == ST_OK && !search->answered)
        st = ask_store(search, err);
    *loaded_out = search->answered;
    *out = search->place;
    bool stale = !search->answered && !search->unreadable; /* which is for a store that is away */
    if (stale)
        st = answer_stale(search->keyring, wanted, out, err);
    if (stale && st != ST_OK) {
        keep_entries(search, entries);
        st = answer_stale(search->keyring, wanted, out, err);
    }
    for (size_t i = 0; i < search->count; i++)
        profile_clear(&entries[i].profile);
    return st;
}

static void begin_search(struct search *search, struct keyring *keyring,
                         const struct keyring_question *question, size_t wanted)
{
    *search = (struct search){.keyring = keyring, .names = {question->names[wanted]}, .count = 1};
    for (size_t i = 0; i < question->count; i++) {
        if (i != wanted && !is_known(keyring, question->names[i]))
            search->names[search->count++] = question->names[i];
    }
}

/* The view's deadline is set by the first name that the cache has not. */
static enum status find(struct keyring_view *view, const struct keyring_question *question,
                        size_t wanted, struct place **out, struct err *err)
{
    struct keyring *keyring = view->keyring;
    const char *name = question->names[wanted];
    for (;;) {
        if (get(keyring, cache_get, name, out) != CACHE_MISS)
            return ST_OK;
        if (view->deadline_ms == 0)
            view->deadline_ms = clock_monotonic_ms() + keyring->timeout_ms;
        if (clock_left_ms(view->deadline_ms) <= 0) {
            err_set(err, ST_TEMP, "the store has not answered in time");
            return answer_stale(keyring, name, out, err);
        }
        enum cache_flight flight = cache_flight_begin(keyring->cache, name, view->deadline_ms);
        if (flight == CACHE_LOADED && clock_left_ms(view->deadline_ms) > 0)
            continue;
        if (flight != CACHE_LEAD) {
            err_set(err, ST_TEMP, "the look-up of %s by another session failed", name);
            return answer_stale(keyring, name, out, err);
        }
        struct search search;
        bool loaded = false;
        begin_search(&search, keyring, question, wanted);
        enum status st = load(&search, out, &loaded, err);
        cache_flight_end(keyring->cache, name, loaded);
        return st;
    }
}

enum status keyring_find(struct keyring *keyring, const struct keyring_question *question,
                         size_t wanted, struct place **out, struct err *err)
{
    struct keyring_view view;
    keyring_view_begin(&view, keyring);
    return find(&view, question, wanted, out, err);
}

/* -- views -------------------------------------------------------------------------------- */

void keyring_view_begin(struct keyring_view *view, struct keyring *keyring)
{
    view->keyring = keyring;
    view->deadline_ms = 0;
    view->count = 0;
}

enum status keyring_view_find(struct keyring_view *view, const struct keyring_question *question,
                              size_t wanted, const struct place **out, struct err *err)
{
    const char *name = question->names[wanted];
    struct place *place = NULL;
    for (size_t i = 0; i < view->count; i++) {
        if (strcmp(view->seen[i].name, name) == 0) {
            *out = view->seen[i].place;
            return ST_OK;
        }
    }
    if (view->count == KEYRING_VIEW_MAX)
        return err_set(err, ST_BROKEN, "a message asks for more than %d names", KEYRING_VIEW_MAX);
    enum status st = find(view, question, wanted, &place, err);
    if (st != ST_OK)
        return st;
    snprintf(view->seen[view->count].name, sizeof view->seen[0].name, "%s", name);
    view->seen[view->count++].place = place;
    *out = place;
    return ST_OK;
}

void keyring_view_end(struct keyring_view *view)
{
    while (view->count > 0)
        place_unref(view->seen[--view->count].place);
}
