/* SPDX-License-Identifier: Apache-2.0
 *
 * The store under memcached: what one worker learns serves the others, and nothing that is known
 * to have changed does, in whatever order readers and writers come. Needs a memcached server in
 * the environment as INKAN_MEMCACHED.
 */
#include "tests/conformance/suite.h"

#include <stdio.h>

struct world {
    struct store *admin, *store; /* the second has one connection, so it can be cut off */
    struct store_tx *cut;
    struct vault *vault;
    struct shared *shared, *impatient; /* the second finds everything past its time */
    struct suite_domain names;
    struct profile profile; /* of the domain as it was first */
};

static struct shared *open_shared(const struct vault *vault, int64_t ttl_ms)
{
    struct shared *shared = NULL;
    const struct shared_options options = {.servers = getenv("INKAN_MEMCACHED"),
                                           .vault = vault,
                                           .connections = 4,
                                           .timeout_ms = 500,
                                           .ttl_ms = ttl_ms,
                                           .negative_ttl_ms = ttl_ms,
                                           .stale_ttl_ms = 60000};
    EXPECT(ST_OK, shared_open(&options, &shared, &err));
    return shared;
}

/* A worker of its own: nothing in memory. */
static struct keyring *new_keyring(struct world *world, struct shared *shared, bool polled)
{
    const struct keyring_options options = {
        .store = world->store,
        .shared = shared,
        .vault = world->vault,
        .timeout_ms = SUITE_TIMEOUT_MS,
        .cache = {.bytes = 1 << 20,
                  .negative_bytes = 1 << 16,
                  .ttl_ms = 60000,
                  .negative_ttl_ms = 60000,
                  .stale_ttl_ms = 60000},
    };
    struct keyring *keyring = NULL;
    EXPECT(ST_OK, keyring_open(&options, &keyring, &err));
    if (polled)
        EXPECT(ST_OK, keyring_poll(keyring, &err));
    return keyring;
}

/* What a worker holds that read the domain when it was new, and is slow. */
static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    world->admin = suite_open(2, SUITE_TIMEOUT_MS);
    world->store = suite_open(1, SUITE_TIMEOUT_MS);
    world->vault = suite_vault();
    world->shared = open_shared(world->vault, 60000);
    world->impatient = open_shared(world->vault, 0);
    world->names = suite_add_domain(world->admin, world->vault, 1);
    const char *name = world->names.domain;
    EXPECT(ST_OK, store_lookup(world->admin, &name, 1, &world->profile, &err));
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    store_rollback(world->cut);
    profile_clear(&world->profile);
    shared_close(world->impatient);
    shared_close(world->shared);
    vault_close(world->vault);
    store_close(world->store);
    store_close(world->admin);
    free(world);
    return 0;
}

static void cut_off_the_store(struct world *world)
{
    EXPECT(ST_OK, store_begin(world->store, &world->cut, &err));
}

static void put_late(struct world *world)
{
    shared_put(world->shared, world->names.domain, &world->profile);
    const char *name = world->names.domain;
    struct shared_entry entry;
    shared_get(world->shared, &name, 1, &entry);
    assert_int_equal(entry.answer, CACHE_HIT); /* it is there, and old */
    assert_int_equal(entry.profile.position, world->profile.position);
    profile_clear(&entry.profile);
}

static void retire_key(struct world *world)
{
    struct key key = {0};
    EXPECT(ST_OK, store_key(world->admin, world->names.domain, world->profile.keys[0].selector,
                            &key, &err));
    key.state = KEY_RETIRING;
    buf_clear(&key.sealed);
    EXPECT(ST_OK, suite_put(world->admin, &kind_key, &key, "key.retire", &err));
    kind_clear(&kind_key, &key);
}

static void expect_keys(struct world *world, struct keyring *keyring, size_t keys)
{
    struct signers *signers = NULL;
    EXPECT(ST_OK, suite_signers(keyring, world->names.domain, &signers, &err));
    assert_int_equal(signers->count, keys);
    signers_unref(signers);
}

static void expect_no_answer(struct world *world, struct keyring *keyring)
{
    struct signers *signers = NULL;
    EXPECT(ST_TEMP, suite_signers(keyring, world->names.domain, &signers, &err));
    assert_null(signers);
}

static void what_one_worker_learned_serves_another(void **state)
{
    struct world *world = *state;
    struct keyring *a = new_keyring(world, world->shared, true);
    struct keyring *b = new_keyring(world, world->shared, true);
    expect_keys(world, a, 1);
    cut_off_the_store(world);
    expect_keys(world, b, 1);
    expect_keys(world, b, 1); /* from its own memory now */
    struct shared_stats stats;
    shared_stats(world->shared, &stats);
    assert_int_equal(stats.hits, 1);
    keyring_close(a);
    keyring_close(b);
}

static void names_that_do_not_exist_are_learned_too(void **state)
{
    struct world *world = *state;
    struct keyring *a = new_keyring(world, world->shared, true);
    struct keyring *b = new_keyring(world, world->shared, true);
    struct signers *signers = NULL;
    const char *unknown = suite_name("d");
    EXPECT(ST_NOT_FOUND, suite_signers(a, unknown, &signers, &err));
    cut_off_the_store(world);
    EXPECT(ST_NOT_FOUND, suite_signers(b, unknown, &signers, &err));
    keyring_close(a);
    keyring_close(b);
}

/* A reads the domain at position p; its key is retired at p + 1; B reads the feed; A, slow, writes
 * what it read to memcached. Nobody may sign with that key: not B, and not C, which starts
 * afterwards. */
static void a_late_writer_cannot_bring_a_retired_key_back(void **state)
{
    struct world *world = *state;
    struct keyring *b = new_keyring(world, world->shared, true);
    retire_key(world);
    EXPECT(ST_OK, keyring_poll(b, &err));
    put_late(world);
    expect_keys(world, b, 0);
    put_late(world);
    struct keyring *c = new_keyring(world, world->shared, true);
    expect_keys(world, c, 0);
    put_late(world);
    struct keyring *unpolled = new_keyring(world, world->shared, false);
    expect_keys(world, unpolled, 0);
    keyring_close(unpolled);
    keyring_close(c);
    keyring_close(b);
}

/* The same with the store away: no answer is better than that one. */
static void a_late_writer_is_not_believed_in_an_outage_either(void **state)
{
    struct world *world = *state;
    struct keyring *b = new_keyring(world, world->impatient, true);
    struct keyring *unpolled = new_keyring(world, world->shared, false);
    retire_key(world);
    EXPECT(ST_OK, keyring_poll(b, &err));
    put_late(world);
    cut_off_the_store(world);
    expect_no_answer(world, b);
    expect_no_answer(world, unpolled);
    keyring_close(unpolled);
    keyring_close(b);
}

static void a_late_writer_cannot_wake_a_suspended_tenant(void **state)
{
    struct world *world = *state;
    struct keyring *b = new_keyring(world, world->shared, true);
    struct tenant tenant = {0};
    struct signers *signers = NULL;
    EXPECT(ST_OK, store_tenant(world->admin, world->names.tenant, &tenant, &err));
    tenant.status = ACCOUNT_SUSPENDED;
    EXPECT(ST_OK, suite_put(world->admin, &kind_tenant, &tenant, "tenant.suspend", &err));
    EXPECT(ST_OK, keyring_poll(b, &err));
    put_late(world);
    EXPECT(ST_OK, suite_signers(b, world->names.domain, &signers, &err));
    assert_false(signers->tenant_active);
    signers_unref(signers);
    kind_clear(&kind_tenant, &tenant);
    keyring_close(b);
}

/* A new customer must not cost what memcached knows of all others. */
static void another_tenants_change_leaves_entries_good(void **state)
{
    struct world *world = *state;
    struct keyring *b = new_keyring(world, world->shared, true);
    put_late(world);
    (void)suite_add_domain(world->admin, world->vault, 0);
    EXPECT(ST_OK, keyring_poll(b, &err));
    cut_off_the_store(world);
    expect_keys(world, b, 1);
    keyring_close(b);
}

static void entries_past_their_time_serve_while_the_store_is_away(void **state)
{
    struct world *world = *state;
    struct keyring *b = new_keyring(world, world->impatient, true);
    struct cache_stats stats;
    put_late(world);
    cut_off_the_store(world);
    expect_keys(world, b, 1);
    keyring_stats(b, &stats);
    assert_int_equal(stats.stale_hits, 1);
    keyring_close(b);
}

/* What is in memory before the first look at the feed must not stay when it was changed since. */
static void what_changed_before_the_first_poll_is_dropped_by_it(void **state)
{
    struct world *world = *state;
    struct keyring *early = new_keyring(world, world->shared, false);
    expect_keys(world, early, 1);
    retire_key(world);
    expect_keys(world, early, 1); /* nobody told it */
    EXPECT(ST_OK, keyring_poll(early, &err));
    expect_keys(world, early, 0);
    keyring_close(early);
}

int suite_tiers(void)
{
    const struct CMUnitTest tiers[] = {
        cmocka_unit_test_setup_teardown(what_one_worker_learned_serves_another, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_do_not_exist_are_learned_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_writer_cannot_bring_a_retired_key_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_late_writer_is_not_believed_in_an_outage_either, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_late_writer_cannot_wake_a_suspended_tenant, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(another_tenants_change_leaves_entries_good, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(entries_past_their_time_serve_while_the_store_is_away,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_changed_before_the_first_poll_is_dropped_by_it, setup,
                                        teardown),
    };
    return getenv("INKAN_MEMCACHED") != NULL ? cmocka_run_group_tests(tiers, NULL, NULL) : 0;
}
