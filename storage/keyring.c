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
 *  2. At the first name that is not known (or no longer fresh), one thread goes to the store
 *     with all candidates at once, one round trip; the others who want the same name wait for
 *     it. All names of the answer, found or not, go into the cache.
 *  3. If the store cannot answer, walk the cache again and count entries past their time. Keys
 *     live for months and an outage lasts for minutes: stale beats nothing.
 *
 * The result of step 2 is used for the message that asked even if the cache refused to keep it
 * because the name changed meanwhile: it was true when the question was asked. The next
 * message asks again.
 */
#include "storage/keyring.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { FEED_PAGE = 1000 };

struct keyring {
    struct store *store;
    const struct vault *vault;
    struct cache *cache;
    int64_t timeout_ms;
    int64_t cursor; /* of the change feed; only the polling thread */
    bool polled;
};

/* The candidate names of one question and what is known of each. */
struct question {
    const char *names[DKIM_CANDIDATES_MAX];
    size_t count;
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
}

/* -- step 1 and 3: the cache -------------------------------------------------------------- */

/* The author's domain itself always matches, a parent only if it allows subdomains. */
static bool may_sign(const struct signers *signers, size_t index)
{
    return index == 0 || signers->subdomains;
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
        if (answer == CACHE_HIT && may_sign(signers, i)) {
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

/* -- step 2: the store -------------------------------------------------------------------- */

/* Makes signers of what was found, caches every name, and keeps the first that may sign. */
static enum status keep(struct keyring *keyring, const struct question *question,
                        const struct profile *profiles, struct signers **out, struct err *err)
{
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < question->count; i++) {
        struct signers *signers = NULL;
        if (profiles[i].found && signers_new(&profiles[i], keyring->vault, &signers, err) != ST_OK)
            return ST_TEMP;
        cache_put(keyring->cache, question->names[i], signers != NULL ? &signers->base : NULL,
                  profiles[i].position, now_ms);
        if (signers != NULL && *out == NULL && may_sign(signers, i))
            *out = signers;
        else
            signers_unref(signers);
    }
    return *out != NULL ? ST_OK : no_such_domain(question, err);
}

static enum status load(struct keyring *keyring, const struct question *question,
                        struct signers **out, struct err *err)
{
    struct profile profiles[DKIM_CANDIDATES_MAX] = {0};
    enum status st = store_lookup(keyring->store, question->names, question->count, profiles, err);
    if (st == ST_OK)
        st = keep(keyring, question, profiles, out, err);
    for (size_t i = 0; i < question->count; i++)
        profile_clear(&profiles[i]);
    return st;
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
        enum status st = ST_TEMP;
        if (flight == CACHE_LEAD) {
            st = load(keyring, &question, out, err);
            cache_flight_end(keyring->cache, domain, st == ST_OK || st == ST_NOT_FOUND);
        } else {
            st = err_set(err, ST_TEMP, "the look-up of %s by another session failed", domain);
        }
        bool answered = st == ST_OK || st == ST_NOT_FOUND;
        return answered ? st : answer_stale(keyring, &question, out, err);
    }
}

/* -- the change feed ---------------------------------------------------------------------- */

static bool of_tenant(const struct cache_value *value, void *arg)
{
    return strcmp(((const struct signers *)value)->tenant, arg) == 0;
}

struct page {
    struct keyring *keyring;
    size_t rows;
};

static enum status take_change(void *arg, const void *record, struct err *err)
{
    struct page *page = arg;
    const struct change *change = record;
    (void)err;
    if (strcmp(change->kind, "tenant") == 0)
        cache_drop(page->keyring->cache, of_tenant, change->name, change->position);
    else
        cache_changed(page->keyring->cache, change->name, change->position);
    page->keyring->cursor = change->position;
    page->rows++;
    return ST_OK;
}

/* What was cached before the feed was first looked at may have changed unseen. */
static enum status first_poll(struct keyring *keyring, struct err *err)
{
    enum status st = store_position(keyring->store, &keyring->cursor, err);
    if (st != ST_OK)
        return st;
    cache_drop(keyring->cache, NULL, NULL, keyring->cursor);
    keyring->polled = true;
    return ST_OK;
}

enum status keyring_poll(struct keyring *keyring, struct err *err)
{
    struct page page = {.keyring = keyring};
    if (!keyring->polled)
        return first_poll(keyring, err);
    do {
        const struct change_query query = {.cursor = keyring->cursor, .limit = FEED_PAGE};
        page.rows = 0;
        enum status st = store_changes(keyring->store, &query, take_change, &page, err);
        if (st != ST_OK)
            return st;
    } while (page.rows == FEED_PAGE);
    return ST_OK;
}
