/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of the tiers
 *
 * An author's domain has up to eight candidate names: itself, then its parents. The cache holds
 * an entry for each name by itself, positive or negative, never an answer for a whole author:
 * so one row of the change feed makes exactly one entry obsolete, and a domain added tomorrow
 * above a thousand known subdomains is found at once.
 *
 *  1. Walk the candidates through the cache, most specific first. The first positive entry that
 *     may sign here (the name itself, or a parent that allows subdomains) is the answer; if all
 *     are known and none may, the answer is no. For the usual message this is one hash look-up.
 *  2. At the first name that is not known (or no longer fresh), one thread goes on with all
 *     candidates at once; the others who want the same name wait for it. If there is a memcached
 *     layer it is asked first, one round trip. Its entries carry the position at which they were
 *     read too: one that was read before a change this worker knows of is no entry. If what is
 *     left and fresh decides the question, it is taken, into the cache as well.
 *  3. Else the store is asked for all candidates, one round trip. All names of its answer, found
 *     or not, go into the cache and into memcached. What the cache has of a name, fresh or not,
 *     lends its parsed keys to the new entry as far as their envelopes are the very same.
 *  4. If the store cannot answer, walk the cache again and count entries past their time; then
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
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* The candidate names of one question. */
struct question {
    const char *names[DKIM_CANDIDATES_MAX];
    size_t count;
};

static_assert((int)DKIM_CANDIDATES_MAX <= (int)SHARED_NAMES_MAX, "one question fits");

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

/* The author's domain itself always matches, a parent only if it allows subdomains. */
static bool may_sign(bool subdomains, size_t index)
{
    return index == 0 || subdomains;
}

typedef enum cache_answer getter(struct cache *cache, const char *name, int64_t now_ms,
                                 struct cache_value **value_out);

/* CACHE_HIT with a reference in *out, CACHE_NEGATIVE: no candidate may, CACHE_MISS: one is not
 * known. */
static enum cache_answer walk(struct keyring *keyring, const struct question *question, getter *get,
                              struct signers **out)
{
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < question->count; i++) {
        struct cache_value *value = NULL;
        enum cache_answer answer = get(keyring->cache, question->names[i], now_ms, &value);
        if (answer == CACHE_MISS)
            return CACHE_MISS;
        struct signers *signers = (struct signers *)value;
        if (answer == CACHE_HIT && may_sign(signers->subdomains, i)) {
            *out = signers;
            return CACHE_HIT;
        }
        signers_unref(signers);
    }
    return CACHE_NEGATIVE;
}

static enum status no_such_domain(const struct question *question, struct err *err)
{
    return err_set(err, ST_NOT_FOUND, "%s is not a domain of this service", question->names[0]);
}

/* What is known of a name from elsewhere than the cache. */
struct finding {
    const struct profile *profile;
    int64_t read_ms;
};

/* What the cache has of a name, fresh or not: only its parsed keys are of use. */
static struct signers *last_known(struct keyring *keyring, const char *name)
{
    struct cache_value *value = NULL;
    enum cache_answer answer = cache_get_stale(keyring->cache, name, clock_monotonic_ms(), &value);
    atomic_fetch_add_explicit(&keyring->lent[answer], 1, memory_order_relaxed);
    return (struct signers *)value;
}

static struct moment moment_of(const struct finding *finding)
{
    return (struct moment){finding->profile->position, finding->read_ms};
}

/* Makes signers of a finding (NULL when there is no such domain) and caches it. */
static enum status keep(struct keyring *keyring, const char *name, struct finding finding,
                        struct signers **out, struct err *err)
{
    *out = NULL;
    if (finding.profile->found) {
        struct signers *before = last_known(keyring, name);
        enum status st = signers_new(finding.profile, keyring->vault, before, out, err);
        signers_unref(before);
        if (st != ST_OK)
            return ST_TEMP;
    }
    cache_put(keyring->cache, name, *out != NULL ? &(*out)->base : NULL, moment_of(&finding));
    return ST_OK;
}

/* Keeps the findings on all names, and the first signers that may sign are the answer. */
static enum status settle(struct keyring *keyring, const struct question *question,
                          const struct finding *findings, struct signers **out, struct err *err)
{
    for (size_t i = 0; i < question->count; i++) {
        struct signers *signers = NULL;
        const char *unreadable = findings[i].profile->unreadable;
        if (unreadable != NULL && *out == NULL)
            return err_set(err, ST_BROKEN, "%s", unreadable);
        if (unreadable != NULL)
            continue; /* and what is not cached is asked for again */
        if (keep(keyring, question->names[i], findings[i], &signers, err) != ST_OK)
            return *out != NULL ? ST_OK : ST_TEMP;
        if (signers != NULL && *out == NULL && may_sign(signers->subdomains, i))
            *out = signers;
        else
            signers_unref(signers);
    }
    return *out != NULL ? ST_OK : no_such_domain(question, err);
}

/* -- step 2: memcached -------------------------------------------------------------------- */

/* Ages are kept in seconds. */
static struct finding finding_of(const struct shared_entry *entry)
{
    return (struct finding){&entry->profile, clock_monotonic_ms() - entry->age_ms - 1000};
}

static bool is_outdated(struct keyring *keyring, const char *name, const struct finding *finding)
{
    const char *tenant = finding->profile->found ? finding->profile->tenant.name : NULL;
    return cache_is_outdated(keyring->cache, name, tenant, moment_of(finding));
}

/* What memcached has of all names and no known change contradicts. */
static void recall(struct keyring *keyring, const struct question *question,
                   struct shared_entry *entries)
{
    bool ask = keyring->shared != NULL && atomic_load(&keyring->current);
    for (size_t i = 0; i < question->count; i++)
        entries[i] = (struct shared_entry){.answer = CACHE_MISS};
    if (ask)
        shared_get(keyring->shared, question->names, question->count, entries);
    for (size_t i = 0; i < question->count; i++) {
        const struct finding finding = finding_of(&entries[i]);
        if (entries[i].answer != CACHE_MISS && is_outdated(keyring, question->names[i], &finding)) {
            profile_clear(&entries[i].profile);
            entries[i].answer = CACHE_MISS;
        }
    }
}

/* How many of the entries, from the first on, decide the question; 0: they do not. */
static size_t decisive(const struct question *question, const struct shared_entry *entries)
{
    for (size_t i = 0; i < question->count; i++) {
        if (entries[i].answer == CACHE_MISS || !entries[i].fresh)
            return 0;
        if (entries[i].answer == CACHE_HIT &&
            may_sign(entries[i].profile.domain.subdomains != 0, i))
            return i + 1;
    }
    return question->count;
}

static enum status take_entries(struct keyring *keyring, const struct question *question,
                                const struct shared_entry *entries, struct signers **out,
                                struct err *err)
{
    struct finding findings[DKIM_CANDIDATES_MAX];
    struct question decided = *question;
    decided.count = decisive(question, entries);
    for (size_t i = 0; i < decided.count; i++)
        findings[i] = finding_of(&entries[i]);
    return settle(keyring, &decided, findings, out, err);
}

/* Puts what memcached had into the cache with its age, for the walk over what is stale. */
static void keep_entries(struct keyring *keyring, const struct question *question,
                         const struct shared_entry *entries)
{
    for (size_t i = 0; i < question->count; i++) {
        struct signers *signers = NULL;
        struct err ignored = {0}; /* what the store said is the fault to report */
        if (entries[i].answer != CACHE_MISS &&
            keep(keyring, question->names[i], finding_of(&entries[i]), &signers, &ignored) == ST_OK)
            signers_unref(signers);
    }
}

/* -- step 3: the store -------------------------------------------------------------------- */

/* Other workers are given what is not known to have changed since it was read. */
static void tell_others(struct keyring *keyring, const char *name, const struct finding *finding)
{
    if (keyring->shared != NULL && finding->profile->unreadable == NULL &&
        !is_outdated(keyring, name, finding))
        shared_put(keyring->shared, name, finding->profile);
}

static enum status ask_store(struct keyring *keyring, const struct question *question,
                             struct signers **out, struct err *err)
{
    struct profile profiles[DKIM_CANDIDATES_MAX] = {0};
    struct finding findings[DKIM_CANDIDATES_MAX];
    int64_t start_ms = clock_monotonic_ms(); /* what is heard of later may not be in the answer */
    enum status st = store_lookup(keyring->store, question->names, question->count, profiles, err);
    for (size_t i = 0; i < question->count && st == ST_OK; i++) {
        findings[i] = (struct finding){&profiles[i], start_ms};
        tell_others(keyring, question->names[i], &findings[i]);
    }
    if (st == ST_OK)
        st = settle(keyring, question, findings, out, err);
    for (size_t i = 0; i < question->count; i++)
        profile_clear(&profiles[i]);
    return st;
}

/* -- the order ---------------------------------------------------------------------------- */

static bool answered(enum status st)
{
    return st == ST_OK || st == ST_NOT_FOUND;
}

static enum status answer_stale(struct keyring *keyring, const struct question *question,
                                struct signers **out, struct err *err)
{
    switch (walk(keyring, question, cache_get_stale, out)) {
    case CACHE_HIT:
        return ST_OK;
    case CACHE_NEGATIVE:
        return no_such_domain(question, err);
    case CACHE_MISS:
        break;
    }
    return err->code; /* what the store said stays the answer */
}

/* What the thread that leads does. *loaded_out tells those who wait whether to look again. */
static enum status load(struct keyring *keyring, const struct question *question,
                        struct signers **out, bool *loaded_out, struct err *err)
{
    struct shared_entry entries[DKIM_CANDIDATES_MAX];
    recall(keyring, question, entries);
    enum status st = decisive(question, entries) > 0
                         ? take_entries(keyring, question, entries, out, err)
                         : ask_store(keyring, question, out, err);
    *loaded_out = answered(st);
    if (!answered(st))
        st = answer_stale(keyring, question, out, err);
    if (!answered(st)) {
        keep_entries(keyring, question, entries);
        st = answer_stale(keyring, question, out, err);
    }
    for (size_t i = 0; i < question->count; i++)
        profile_clear(&entries[i].profile);
    return st;
}

enum status keyring_find(struct keyring *keyring, const char *domain, struct signers **out,
                         struct err *err)
{
    struct question question = {.count = 0};
    int64_t deadline_ms = 0;
    question.count = dkim_domain_candidates(domain, question.names);
    *out = NULL;
    for (;;) {
        enum cache_answer known = walk(keyring, &question, cache_get, out);
        if (known != CACHE_MISS)
            return known == CACHE_HIT ? ST_OK : no_such_domain(&question, err);
        if (deadline_ms == 0)
            deadline_ms = clock_monotonic_ms() + keyring->timeout_ms;
        enum cache_flight flight = cache_flight_begin(keyring->cache, domain, deadline_ms);
        if (flight == CACHE_LOADED && clock_left_ms(deadline_ms) > 0)
            continue;
        if (flight != CACHE_LEAD) {
            err_set(err, ST_TEMP, "the look-up of %s by another session failed", domain);
            return answer_stale(keyring, &question, out, err);
        }
        bool loaded = false;
        enum status st = load(keyring, &question, out, &loaded, err);
        cache_flight_end(keyring->cache, domain, loaded);
        return st;
    }
}
