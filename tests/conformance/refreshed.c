/* SPDX-License-Identifier: Apache-2.0
 *
 * Entries that are past their time and read anew: the parsed keys stay, as far as their envelopes
 * are the very same ones, and no other.
 */
#include "tests/conformance/suite.h"

struct world {
    struct store *admin;
    struct vault *vault;
    struct keyring *keyring; /* all its entries are past their time at once; knows of no change */
    struct suite_domain names;
    struct signers *before; /* of that domain, with two keys */
};

static struct signers *find(const struct world *world, size_t keys)
{
    struct signers *signers = NULL;
    EXPECT(ST_OK, suite_signers(world->keyring, world->names.domain, &signers, &err));
    assert_int_equal(signers->count, keys);
    return signers;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    world->admin = suite_open(2, SUITE_TIMEOUT_MS);
    world->vault = suite_vault();
    const struct keyring_options options = {
        .store = world->admin,
        .vault = world->vault,
        .timeout_ms = SUITE_TIMEOUT_MS,
        .cache = {.bytes = 1 << 20, .negative_bytes = 1 << 16, .stale_ttl_ms = 60000},
    };
    EXPECT(ST_OK, keyring_open(&options, &world->keyring, &err));
    world->names = suite_add_domain(world->admin, world->vault, 2);
    world->before = find(world, 2);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    signers_unref(world->before);
    keyring_close(world->keyring);
    vault_close(world->vault);
    store_close(world->admin);
    free(world);
    return 0;
}

/* The record of the domain's RSA key; kind_clear. */
static void rsa_key(const struct world *world, struct key *out)
{
    EXPECT(ST_OK, store_key(world->admin, world->names.domain, world->before->list[0].selector, out,
                            &err));
}

static void put_key(const struct world *world, struct key *key)
{
    EXPECT(ST_OK, suite_put(world->admin, &kind_key, key, "key.set", &err));
}

static void change_domain(const struct world *world, int64_t status, const char *tenant)
{
    struct domain domain = {0};
    EXPECT(ST_OK, store_domain(world->admin, world->names.domain, &domain, &err));
    domain.status = status;
    suite_set(&kind_domain, &domain, "tenant", tenant);
    EXPECT(ST_OK, suite_put(world->admin, &kind_domain, &domain, "domain.set", &err));
    kind_clear(&kind_domain, &domain);
}

static void an_entry_read_anew_keeps_its_parsed_keys(void **state)
{
    struct world *world = *state;
    const uint8_t digest[DKIM_DIGEST_SIZE] = {1};
    struct buf signature = {0};
    struct cache_stats stats;
    struct signers *after = find(world, 2);
    assert_ptr_not_equal(world->before, after);
    assert_int_equal(world->before->base.bytes, after->base.bytes);
    for (size_t i = 0; i < 2; i++) {
        assert_ptr_equal(world->before->list[i].key, after->list[i].key);
        assert_string_equal(world->before->list[i].selector, after->list[i].selector);
    }
    signers_unref(world->before);
    world->before = NULL;
    EXPECT(ST_OK, dkim_key_sign(after->list[0].key, digest, &signature, &err));
    buf_clear(&signature);
    signers_unref(after);
    keyring_stats(world->keyring, &stats); /* what was lent is no hit */
    assert_int_equal(stats.hits, 0);
    assert_int_equal(stats.stale_hits, 0);
    assert_int_equal(stats.misses, 2);
}

static void rotate(const struct world *world, struct key *key)
{
    key->state = KEY_RETIRING;
    buf_clear(&key->sealed);
    put_key(world, key);
    suite_add_key(world->admin, world->vault, &world->names, DKIM_RSA_SHA256);
}

/* The same private key in another envelope. */
static void seal_anew(const struct world *world, struct key *key)
{
    struct buf secret = BUF_SECRET(DKIM_PRIVATE_MAX);
    const char *tenant = world->names.tenant;
    EXPECT(ST_OK, vault_unseal_key(world->vault, tenant, key, &secret, &err));
    EXPECT(ST_OK, vault_seal_key(world->vault, tenant, buf_span(&secret), key, &err));
    put_key(world, key);
    buf_clear(&secret);
}

static void suspend_and_resume(const struct world *world, struct key *key)
{
    (void)key;
    change_domain(world, ACCOUNT_SUSPENDED, world->names.tenant);
    signers_unref(find(world, 0));
    change_domain(world, ACCOUNT_ACTIVE, world->names.tenant);
}

static void change_the_note(const struct world *world, struct key *key)
{
    (void)key;
    change_domain(world, ACCOUNT_ACTIVE, world->names.tenant);
}

/* What may happen to the RSA key of a domain meanwhile, and whether the parsed keys stay. */
static const struct {
    const char *name;
    void (*change)(const struct world *world, struct key *key);
    bool rsa, ed25519;
} changes[] = {
    {"rotated", rotate, false, true},
    {"sealed anew", seal_anew, false, true},
    {"suspended and resumed", suspend_and_resume, false, false},
    {"the domain changed", change_the_note, true, true},
};

static void only_the_very_same_envelope_is_not_opened_again(void **state)
{
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct world *world = *state;
        struct key key = {0};
        print_message("    %s\n", changes[i].name);
        rsa_key(world, &key);
        changes[i].change(world, &key);
        struct signers *after = find(world, 2);
        assert_int_equal(world->before->list[0].key == after->list[0].key, changes[i].rsa);
        assert_int_equal(world->before->list[1].key == after->list[1].key, changes[i].ed25519);
        signers_unref(world->before);
        world->before = after;
        kind_clear(&kind_key, &key);
    }
}

static void expect_broken(const struct world *world, size_t broken)
{
    struct signers *signers = find(world, 2 - broken);
    assert_int_equal(signers->broken, broken);
    signers_unref(signers);
}

/* A changed ciphertext, with nonce and tag as they were; then a domain that is another tenant's. */
static void what_does_not_open_does_not_sign_for_being_known(void **state)
{
    struct world *world = *state;
    struct suite_domain other = suite_add_domain(world->admin, world->vault, 0);
    struct key key = {0};
    rsa_key(world, &key);
    key.sealed.data[key.sealed.len / 2] ^= 1;
    put_key(world, &key);
    expect_broken(world, 1);
    change_domain(world, ACCOUNT_ACTIVE, other.tenant);
    expect_broken(world, 2);
    kind_clear(&kind_key, &key);
}

int suite_refreshed(void)
{
    const struct CMUnitTest refreshed[] = {
        cmocka_unit_test_setup_teardown(an_entry_read_anew_keeps_its_parsed_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_very_same_envelope_is_not_opened_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_does_not_open_does_not_sign_for_being_known, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(refreshed, NULL, NULL);
}
