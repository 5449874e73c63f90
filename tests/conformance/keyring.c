/* SPDX-License-Identifier: Apache-2.0
 *
 * The store under the caches: what a session gets, how soon changes are in force, and what
 * happens while the store cannot answer. All of it once more with memcached between the two if
 * the environment names a server (INKAN_MEMCACHED).
 */
#include "tests/conformance/suite.h"

#include <pthread.h>
#include <stdio.h>

struct world {
    struct store *admin, *store;
    struct vault *vault;
    struct shared *shared;
    struct keyring *keyring;
};

static const char *memcached; /* NULL: without */

static struct keyring *open_keyring(const struct world *world, int64_t ttl_ms)
{
    const struct keyring_options options = {
        .store = world->store,
        .shared = world->shared,
        .vault = world->vault,
        .timeout_ms = 500,
        .cache = {.bytes = 1 << 20,
                  .negative_bytes = 1 << 16,
                  .ttl_ms = ttl_ms,
                  .negative_ttl_ms = ttl_ms,
                  .stale_ttl_ms = 60000},
    };
    struct keyring *keyring = NULL;
    EXPECT(ST_OK, keyring_open(&options, &keyring, &err));
    return keyring;
}

static void open_shared(struct world *world)
{
    const struct shared_options options = {.servers = memcached,
                                           .vault = world->vault,
                                           .connections = 4,
                                           .timeout_ms = 500,
                                           .ttl_ms = 60000,
                                           .negative_ttl_ms = 60000,
                                           .stale_ttl_ms = 60000};
    if (memcached != NULL)
        EXPECT(ST_OK, shared_open(&options, &world->shared, &err));
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    world->admin = suite_open(2, SUITE_TIMEOUT_MS);
    world->store = suite_open(1, 500);
    world->vault = suite_vault();
    open_shared(world);
    world->keyring = open_keyring(world, 60000);
    if (memcached != NULL)
        EXPECT(ST_OK, keyring_poll(world->keyring, &err)); /* or it would not be used */
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    keyring_close(world->keyring);
    shared_close(world->shared);
    vault_close(world->vault);
    store_close(world->store);
    store_close(world->admin);
    free(world);
    return 0;
}

static void expect_domain(struct keyring *keyring, const char *author, const char *domain,
                          size_t keys)
{
    struct signers *signers = NULL;
    EXPECT(ST_OK, suite_signers(keyring, author, &signers, &err));
    assert_string_equal(signers->domain, domain);
    assert_int_equal(signers->count, keys);
    assert_int_equal(signers->broken, 0);
    signers_unref(signers);
}

static void expect_none(struct keyring *keyring, const char *author)
{
    struct signers *signers = NULL;
    EXPECT(ST_NOT_FOUND, suite_signers(keyring, author, &signers, &err));
    assert_null(signers);
}

static void poll_feed(struct keyring *keyring)
{
    EXPECT(ST_OK, keyring_poll(keyring, &err));
}

static void change_domain(struct world *world, const char *name, int64_t status, int64_t subdomains)
{
    struct domain domain = {0};
    EXPECT(ST_OK, store_domain(world->admin, name, &domain, &err));
    domain.status = status;
    domain.subdomains = subdomains;
    EXPECT(ST_OK, suite_put(world->admin, &kind_domain, &domain, "domain.set", &err));
    kind_clear(&kind_domain, &domain);
}

static void keys_of_a_domain_sign(void **state)
{
    struct world *world = *state;
    struct suite_domain names = suite_add_domain(world->admin, world->vault, 2);
    struct signers *signers = NULL;
    const uint8_t digest[DKIM_DIGEST_SIZE] = {1};
    EXPECT(ST_OK, suite_signers(world->keyring, names.domain, &signers, &err));
    assert_int_equal(signers->count, 2);
    assert_int_equal(signers->list[0].algorithm, DKIM_RSA_SHA256);
    assert_int_equal(signers->list[1].algorithm, DKIM_ED25519_SHA256);
    for (size_t i = 0; i < 2; i++) {
        struct buf signature = {0};
        EXPECT(ST_OK, dkim_key_sign(signers->list[i].key, digest, &signature, &err));
        buf_clear(&signature);
    }
    assert_string_equal(signers->tenant, names.tenant);
    signers_unref(signers);
    struct cache_stats before, after;
    keyring_stats(world->keyring, &before);
    expect_domain(world->keyring, names.domain, names.domain, 2);
    keyring_stats(world->keyring, &after);
    assert_int_equal(after.hits, before.hits + 1);
    assert_int_equal(after.misses, before.misses);
}

static void parents_sign_only_where_they_allow_it(void **state)
{
    struct world *world = *state;
    struct suite_domain names = suite_add_domain(world->admin, world->vault, 1);
    char below[256], deeper[300];
    snprintf(below, sizeof below, "news.%s", names.domain);
    snprintf(deeper, sizeof deeper, "a.b.%s", below);
    poll_feed(world->keyring);
    expect_none(world->keyring, below);
    change_domain(world, names.domain, ACCOUNT_ACTIVE, 1);
    poll_feed(world->keyring);
    expect_domain(world->keyring, below, names.domain, 1);
    expect_domain(world->keyring, deeper, names.domain, 1);
    expect_domain(world->keyring, names.domain, names.domain, 1);
    expect_none(world->keyring, "example");
}

static void a_change_is_in_force_after_one_poll(void **state)
{
    struct world *world = *state;
    poll_feed(world->keyring);
    const char *unknown = suite_name("d");
    expect_none(world->keyring, unknown);
    struct suite_domain names = suite_add_domain(world->admin, world->vault, 1);
    expect_domain(world->keyring, names.domain, names.domain, 1);
    change_domain(world, names.domain, ACCOUNT_SUSPENDED, 0);
    expect_domain(world->keyring, names.domain, names.domain, 1); /* not polled yet */
    poll_feed(world->keyring);
    struct signers *signers = NULL;
    EXPECT(ST_OK, suite_signers(world->keyring, names.domain, &signers, &err));
    assert_false(signers->domain_active);
    assert_int_equal(signers->count, 0);
    signers_unref(signers);
}

static void a_domain_added_after_it_was_missed_is_found(void **state)
{
    struct world *world = *state;
    struct tenant tenant = {0};
    struct domain domain = {.expiry = -1};
    poll_feed(world->keyring);
    suite_set(&kind_domain, &domain, "name", suite_name("d"));
    expect_none(world->keyring, domain.name);
    suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
    suite_set(&kind_domain, &domain, "tenant", tenant.name);
    EXPECT(ST_OK, suite_put(world->admin, &kind_tenant, &tenant, "tenant.add", &err));
    EXPECT(ST_OK, suite_put(world->admin, &kind_domain, &domain, "domain.add", &err));
    poll_feed(world->keyring);
    expect_domain(world->keyring, domain.name, domain.name, 0);
    kind_clear(&kind_tenant, &tenant);
    kind_clear(&kind_domain, &domain);
}

static void suspending_a_tenant_stops_all_its_domains(void **state)
{
    struct world *world = *state;
    struct suite_domain names = suite_add_domain(world->admin, world->vault, 1);
    struct tenant tenant = {0};
    poll_feed(world->keyring);
    expect_domain(world->keyring, names.domain, names.domain, 1);
    EXPECT(ST_OK, store_tenant(world->admin, names.tenant, &tenant, &err));
    tenant.status = ACCOUNT_SUSPENDED;
    EXPECT(ST_OK, suite_put(world->admin, &kind_tenant, &tenant, "tenant.suspend", &err));
    poll_feed(world->keyring);
    struct signers *signers = NULL;
    EXPECT(ST_OK, suite_signers(world->keyring, names.domain, &signers, &err));
    assert_false(signers->tenant_active);
    signers_unref(signers);
    kind_clear(&kind_tenant, &tenant);
}

static void a_key_moved_to_another_domain_does_not_open(void **state)
{
    struct world *world = *state;
    struct suite_domain from = suite_add_domain(world->admin, world->vault, 1);
    struct suite_domain to = suite_add_domain(world->admin, world->vault, 0);
    struct signers *signers = NULL;
    const char *name = from.domain;
    struct profile profile = {0};
    struct key moved = {0};
    EXPECT(ST_OK, store_lookup(world->admin, &name, 1, &profile, &err));
    EXPECT(ST_OK, kind_copy(&kind_key, &profile.keys[0], &moved, &err));
    moved.version = 0;
    suite_set(&kind_key, &moved, "domain", to.domain);
    EXPECT(ST_OK, suite_put(world->admin, &kind_key, &moved, "key.new", &err));
    EXPECT(ST_OK, suite_signers(world->keyring, to.domain, &signers, &err));
    assert_int_equal(signers->count, 0);
    assert_int_equal(signers->broken, 1);
    assert_non_null(strstr(signers->broken_text, to.domain));
    signers_unref(signers);
    kind_clear(&kind_key, &moved);
    profile_clear(&profile);
}

/* The keyring's only connection is taken, so its store cannot answer. */
static void stale_entries_are_served_while_the_store_cannot_answer(void **state)
{
    struct world *world = *state;
    struct suite_domain known = suite_add_domain(world->admin, world->vault, 1);
    struct suite_domain cold = suite_add_domain(world->admin, world->vault, 1);
    struct keyring *keyring = open_keyring(world, 0);
    struct store_tx *tx = NULL;
    struct signers *signers = NULL;
    expect_domain(keyring, known.domain, known.domain, 1);
    EXPECT(ST_OK, store_begin(world->store, &tx, &err));
    expect_domain(keyring, known.domain, known.domain, 1);
    int64_t start_ms = clock_monotonic_ms();
    EXPECT(ST_TEMP, suite_signers(keyring, cold.domain, &signers, &err));
    assert_in_range(clock_monotonic_ms() - start_ms, 400, 1000);
    struct cache_stats stats;
    keyring_stats(keyring, &stats);
    assert_int_equal(stats.stale_hits, 1);
    store_rollback(tx);
    expect_domain(keyring, cold.domain, cold.domain, 1);
    keyring_close(keyring);
}

struct asker {
    struct keyring *keyring;
    const char *domain;
    pthread_t thread;
};

static void *ask(void *arg)
{
    const struct asker *asker = arg;
    struct signers *signers = NULL;
    struct err err = {0};
    enum status st = suite_signers(asker->keyring, asker->domain, &signers, &err);
    signers_unref(signers);
    return st == ST_OK ? (void *)asker : NULL;
}

static void threads_that_miss_one_name_ask_once(void **state)
{
    enum { THREADS = 16 };
    struct world *world = *state;
    struct suite_domain names = suite_add_domain(world->admin, world->vault, 1);
    struct asker askers[THREADS];
    struct store_tx *tx = NULL;
    EXPECT(ST_OK, store_begin(world->store, &tx, &err));
    for (size_t i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){.keyring = world->keyring, .domain = names.domain};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    store_rollback(tx);
    for (size_t i = 0; i < THREADS; i++) {
        void *result = NULL;
        pthread_join(askers[i].thread, &result);
        assert_non_null(result);
    }
    struct cache_stats stats;
    keyring_stats(world->keyring, &stats);
    assert_int_equal(stats.entries, 1);
}

int suite_keyring(void)
{
    const struct CMUnitTest keyring[] = {
        cmocka_unit_test_setup_teardown(keys_of_a_domain_sign, setup, teardown),
        cmocka_unit_test_setup_teardown(parents_sign_only_where_they_allow_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_is_in_force_after_one_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(a_domain_added_after_it_was_missed_is_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(suspending_a_tenant_stops_all_its_domains, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_moved_to_another_domain_does_not_open, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(stale_entries_are_served_while_the_store_cannot_answer,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(threads_that_miss_one_name_ask_once, setup, teardown),
    };
    memcached = NULL;
    int failed = cmocka_run_group_tests(keyring, NULL, NULL);
    memcached = getenv("INKAN_MEMCACHED");
    if (memcached != NULL)
        failed += cmocka_run_group_tests_name("keyring with memcached", keyring, NULL, NULL);
    return failed;
}
