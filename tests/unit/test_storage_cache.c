/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/cache.h"

struct thing {
    struct cache_value base;
    int number;
    int *freed;
};

static void free_thing(struct cache_value *value)
{
    struct thing *thing = (struct thing *)value;
    if (thing->freed != NULL)
        ++*thing->freed;
    free(thing);
}

static struct cache_value *thing_new(int number, size_t bytes, int *freed)
{
    struct thing *thing = calloc(1, sizeof *thing);
    atomic_init(&thing->base.refs, 1);
    thing->base.bytes = bytes;
    thing->base.free = free_thing;
    thing->number = number;
    thing->freed = freed;
    return &thing->base;
}

static struct cache *cache_of(size_t bytes, size_t negative_bytes)
{
    const struct cache_options options = {.bytes = bytes,
                                          .negative_bytes = negative_bytes,
                                          .ttl_ms = 100,
                                          .negative_ttl_ms = 10,
                                          .stale_ttl_ms = 1000};
    struct cache *cache = cache_new(&options);
    assert_non_null(cache);
    return cache;
}

static struct moment at(int64_t position)
{
    return (struct moment){.position = position};
}

/* Puts a value and gives the caller's own reference back. */
static void put(struct cache *cache, const char *name, int number, int64_t position)
{
    struct cache_value *value = thing_new(number, 100, NULL);
    cache_put(cache, name, value, at(position));
    cache_value_unref(value);
}

/* The number under a name at a time, -1: negative, 0: a miss. */
static int number_at(struct cache *cache, const char *name, int64_t now_ms)
{
    struct cache_value *value = NULL;
    enum cache_answer answer = cache_get(cache, name, now_ms, &value);
    if (answer != CACHE_HIT)
        return answer == CACHE_NEGATIVE ? -1 : 0;
    int number = ((struct thing *)value)->number;
    cache_value_unref(value);
    return number;
}

static void entries_live_for_their_time(void **state)
{
    struct cache *cache = cache_of(1 << 20, 1 << 20);
    struct cache_value *value = NULL;
    (void)state;
    put(cache, "a", 7, 1);
    cache_put(cache, "n", NULL, at(1));
    assert_int_equal(number_at(cache, "a", 99), 7);
    assert_int_equal(number_at(cache, "a", 100), 0);
    assert_int_equal(number_at(cache, "n", 9), -1);
    assert_int_equal(number_at(cache, "n", 10), 0);
    assert_int_equal(cache_get_stale(cache, "a", 1099, &value), CACHE_HIT);
    cache_value_unref(value);
    assert_int_equal(cache_get_stale(cache, "a", 1100, &value), CACHE_MISS);
    assert_int_equal(cache_get_stale(cache, "n", 1009, &value), CACHE_NEGATIVE);
    cache_free(cache);
}

static void the_bound_is_kept_and_the_least_used_goes(void **state)
{
    struct cache *cache = cache_of(100000, 1000);
    struct cache_stats stats;
    char name[16];
    (void)state;
    put(cache, "kept", 1, 1);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        put(cache, name, i + 2, 1);
        assert_int_equal(number_at(cache, "kept", 0), 1);
        cache_stats(cache, &stats);
        assert_true(stats.bytes <= 100000);
    }
    assert_true(stats.entries > 100);
    assert_int_equal(stats.evictions, 10001 - (int64_t)stats.entries);
    assert_int_equal(number_at(cache, "n0", 0), 0);
    assert_int_equal(number_at(cache, "n9999", 0), 10001);
    cache_free(cache);
}

static void negative_entries_cannot_push_real_ones_out(void **state)
{
    struct cache *cache = cache_of(10000, 10000);
    struct cache_stats stats;
    char name[16];
    (void)state;
    put(cache, "real", 1, 1);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        cache_put(cache, name, NULL, at(1));
    }
    cache_stats(cache, &stats);
    assert_int_equal(number_at(cache, "real", 0), 1);
    assert_true(stats.bytes <= 20000);
    assert_true(stats.negative_entries > 10);
    cache_free(cache);
}

/* Else it would be read for each message. The next one takes its place. */
static void a_value_over_the_bound_is_kept_alone(void **state)
{
    struct cache *cache = cache_of(1000, 1000);
    int freed = 0;
    (void)state;
    put(cache, "small", 1, 1);
    struct cache_value *value = thing_new(2, 5000, &freed);
    cache_put(cache, "large", value, at(1));
    cache_value_unref(value);
    assert_int_equal(number_at(cache, "large", 0), 2);
    assert_int_equal(number_at(cache, "small", 0), 0);
    assert_int_equal(freed, 0);
    put(cache, "small", 1, 1);
    assert_int_equal(freed, 1);
    assert_int_equal(number_at(cache, "small", 0), 1);
    cache_free(cache);
}

static void values_outlive_the_cache_while_used(void **state)
{
    struct cache *cache = cache_of(1 << 20, 1000);
    struct cache_value *value = thing_new(3, 10, NULL), *got = NULL;
    (void)state;
    cache_put(cache, "a", value, at(1));
    cache_value_unref(value);
    assert_int_equal(cache_get(cache, "a", 0, &got), CACHE_HIT);
    cache_free(cache);
    assert_int_equal(((struct thing *)got)->number, 3);
    cache_value_unref(got);
}

/* -- the change feed ---------------------------------------------------------------------- */

static void a_slow_loader_cannot_bring_an_old_value_back(void **state)
{
    struct cache *cache = cache_of(1 << 20, 1000);
    (void)state;
    put(cache, "a", 1, 5);
    cache_changed(cache, "a", at(6));
    assert_int_equal(number_at(cache, "a", 0), 0);
    put(cache, "a", 1, 5); /* read before the change, written after it */
    assert_int_equal(number_at(cache, "a", 0), 0);
    put(cache, "a", 2, 6);
    assert_int_equal(number_at(cache, "a", 0), 2);
    put(cache, "a", 1, 5); /* an older reading does not replace a newer one */
    assert_int_equal(number_at(cache, "a", 0), 2);
    put(cache, "b", 3, 5); /* other names are not concerned */
    assert_int_equal(number_at(cache, "b", 0), 3);
    cache_free(cache);
}

static void a_change_seen_late_spares_what_is_newer(void **state)
{
    struct cache *cache = cache_of(1 << 20, 1000);
    (void)state;
    put(cache, "a", 1, 9);
    cache_changed(cache, "a", at(7));
    assert_int_equal(number_at(cache, "a", 0), 1);
    cache_free(cache);
}

static void more_changes_than_are_remembered_refuse_old_readings_all_the_same(void **state)
{
    struct cache *cache = cache_of(1000, 1000);
    char name[16];
    (void)state;
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        cache_changed(cache, name, at(i + 1));
    }
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        put(cache, name, 1, i); /* read just before its change */
        assert_int_equal(number_at(cache, name, 0), 0);
    }
    put(cache, "n1", 1, 5000);
    assert_int_equal(number_at(cache, "n1", 0), 1);
    cache_free(cache);
}

static void put_grouped(struct cache *cache, const char *name, const char *group, int64_t position)
{
    struct cache_value *value = thing_new(1, 100, NULL);
    value->group = group;
    cache_put(cache, name, value, at(position));
    cache_value_unref(value);
}

static void a_group_goes_together(void **state)
{
    struct cache *cache = cache_of(8 << 20, 1 << 20);
    (void)state;
    put_grouped(cache, "a", "g", 3);
    put_grouped(cache, "b", "g", 4);
    put_grouped(cache, "c", "other", 3);
    put(cache, "d", 1, 3);
    cache_group_changed(cache, "g", at(4));
    assert_int_equal(number_at(cache, "a", 0), 0);
    assert_int_equal(number_at(cache, "b", 0), 1); /* had seen the change */
    assert_int_equal(number_at(cache, "c", 0), 1);
    assert_int_equal(number_at(cache, "d", 0), 1);
    put_grouped(cache, "e", "g", 3); /* a slow loader */
    assert_int_equal(number_at(cache, "e", 0), 0);
    put_grouped(cache, "e", "g", 4);
    assert_int_equal(number_at(cache, "e", 0), 1);
    cache_free(cache);
}

static void what_was_read_too_long_ago_is_forgotten_and_refused(void **state)
{
    struct cache *cache = cache_of(1 << 20, 1 << 20);
    (void)state;
    put(cache, "old", 1, 9);
    put(cache, "new", 1, 10);
    cache_put(cache, "none", NULL, at(9));
    cache_all_changed(cache, at(10));
    assert_int_equal(number_at(cache, "old", 0), 0);
    assert_int_equal(number_at(cache, "none", 0), 0);
    assert_int_equal(number_at(cache, "new", 0), 1);
    put(cache, "old", 1, 9);
    assert_int_equal(number_at(cache, "old", 0), 0);
    cache_free(cache);
}

static const struct {
    const char *what, *name, *group;
    int64_t position;
    bool outdated;
} readings[] = {
    {"before the floor", "x", NULL, 9, true},
    {"at the floor", "x", NULL, 10, false},
    {"a name before its change", "changed", NULL, 19, true},
    {"a name at its change", "changed", NULL, 20, false},
    {"a group before its change", "x", "group", 29, true},
    {"a group at its change", "x", "group", 30, false},
    {"another group", "x", "others", 29, false},
    {"a changed name in a changed group", "changed", "group", 25, true},
};

static void readings_before_a_known_change_are_outdated(void **state)
{
    struct cache *cache = cache_of(8 << 20, 1 << 20);
    (void)state;
    cache_all_changed(cache, at(10));
    cache_changed(cache, "changed", at(20));
    cache_group_changed(cache, "group", at(30));
    for (size_t i = 0; i < sizeof readings / sizeof readings[0]; i++) {
        print_message("    %s\n", readings[i].what);
        assert_int_equal(
            cache_is_outdated(cache, readings[i].name, readings[i].group, at(readings[i].position)),
            readings[i].outdated);
    }
    cache_free(cache);
}

/* Changes by other programs have a time and no position. */
static void what_was_read_before_a_foreign_change_is_dropped(void **state)
{
    struct cache *cache = cache_of(8 << 20, 1 << 20);
    (void)state;
    cache_put(cache, "a", NULL, (struct moment){5, 10});
    cache_put(cache, "b", NULL, (struct moment){5, 10});
    cache_changed(cache, "a", (struct moment){.ms = 10});
    assert_int_equal(number_at(cache, "a", 11), 0);
    assert_int_equal(number_at(cache, "b", 11), -1);
    cache_put(cache, "a", NULL, (struct moment){5, 10});
    assert_int_equal(number_at(cache, "a", 11), 0);
    cache_put(cache, "a", NULL, (struct moment){5, 11});
    assert_int_equal(number_at(cache, "a", 12), -1);
    cache_all_changed(cache, (struct moment){.ms = 11});
    assert_int_equal(number_at(cache, "a", 12), 0);
    assert_int_equal(number_at(cache, "b", 12), 0);
    assert_true(cache_is_outdated(cache, "x", NULL, (struct moment){5, 11}));
    assert_false(cache_is_outdated(cache, "x", NULL, (struct moment){5, 12}));
    cache_free(cache);
}

/* Whoever cannot tell what changed must not take the keys away from an outage. */
static void what_is_doubted_is_past_its_time_and_not_dropped(void **state)
{
    struct cache *cache = cache_of(8 << 20, 1 << 20);
    struct cache_value *value = NULL;
    (void)state;
    cache_put(cache, "a", NULL, (struct moment){5, 10});
    cache_all_doubted(cache, 11);
    assert_int_equal(number_at(cache, "a", 11), 0);
    assert_int_equal(cache_get_stale(cache, "a", 11, &value), CACHE_NEGATIVE);
    assert_int_equal(cache_get_stale(cache, "a", 11 + 1000, &value), CACHE_MISS);
    assert_true(cache_is_outdated(cache, "x", NULL, (struct moment){5, 11}));
    cache_put(cache, "a", NULL, (struct moment){5, 12});
    assert_int_equal(number_at(cache, "a", 12), -1);
    cache_free(cache);
}

/* -- single flight ------------------------------------------------------------------------ */

enum { THREADS = 8, ROUNDS = 200 };

struct race {
    struct cache *cache;
    atomic_int loading, loads;
    char name[16];
};

static void *load_or_wait(void *arg)
{
    struct race *race = arg;
    int64_t deadline_ms = clock_monotonic_ms() + 10000;
    while (number_at(race->cache, race->name, 0) == 0) {
        enum cache_flight flight = cache_flight_begin(race->cache, race->name, deadline_ms);
        if (flight == CACHE_FAILED)
            return NULL;
        if (flight == CACHE_LOADED)
            continue;
        bool alone = atomic_fetch_add(&race->loading, 1) == 0;
        /* Another leader may have loaded it between our look and our lead. */
        if (number_at(race->cache, race->name, 0) == 0) {
            atomic_fetch_add(&race->loads, 1);
            put(race->cache, race->name, 1, 1);
        }
        atomic_fetch_sub(&race->loading, 1);
        cache_flight_end(race->cache, race->name, true);
        if (!alone)
            return NULL;
    }
    return race;
}

static void one_thread_loads_while_the_others_wait(void **state)
{
    struct race race = {.cache = cache_of(1 << 20, 1000)};
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        snprintf(race.name, sizeof race.name, "n%d", round);
        atomic_store(&race.loads, 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, load_or_wait, &race), 0);
        for (int i = 0; i < THREADS; i++) {
            void *result = NULL;
            pthread_join(threads[i], &result);
            assert_non_null(result);
        }
        assert_int_equal(atomic_load(&race.loads), 1);
    }
    cache_free(race.cache);
}

static void *wait_shortly(void *arg)
{
    struct race *race = arg;
    enum cache_flight flight = cache_flight_begin(race->cache, "slow", clock_monotonic_ms() + 50);
    return flight == CACHE_FAILED ? race : NULL;
}

static void waiting_ends_at_the_deadline(void **state)
{
    struct race race = {.cache = cache_of(1 << 20, 1000)};
    pthread_t thread;
    void *result = NULL;
    (void)state;
    assert_int_equal(cache_flight_begin(race.cache, "slow", 0), CACHE_LEAD);
    assert_int_equal(pthread_create(&thread, NULL, wait_shortly, &race), 0);
    pthread_join(thread, &result);
    assert_non_null(result);
    cache_flight_end(race.cache, "slow", true);
    assert_int_equal(cache_flight_begin(race.cache, "slow", 0), CACHE_LEAD);
    cache_flight_end(race.cache, "slow", false);
    cache_free(race.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_live_for_their_time),
        cmocka_unit_test(the_bound_is_kept_and_the_least_used_goes),
        cmocka_unit_test(negative_entries_cannot_push_real_ones_out),
        cmocka_unit_test(a_value_over_the_bound_is_kept_alone),
        cmocka_unit_test(values_outlive_the_cache_while_used),
        cmocka_unit_test(a_slow_loader_cannot_bring_an_old_value_back),
        cmocka_unit_test(a_change_seen_late_spares_what_is_newer),
        cmocka_unit_test(more_changes_than_are_remembered_refuse_old_readings_all_the_same),
        cmocka_unit_test(a_group_goes_together),
        cmocka_unit_test(what_was_read_too_long_ago_is_forgotten_and_refused),
        cmocka_unit_test(readings_before_a_known_change_are_outdated),
        cmocka_unit_test(what_was_read_before_a_foreign_change_is_dropped),
        cmocka_unit_test(what_is_doubted_is_past_its_time_and_not_dropped),
        cmocka_unit_test(one_thread_loads_while_the_others_wait),
        cmocka_unit_test(waiting_ends_at_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
