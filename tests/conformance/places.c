/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules and grants: a look-up of a name brings those whose place it is, and who has cached what is
 * there learns of changes from the feed.
 */
#include "tests/conformance/suite.h"

#include <stdio.h>

#include "storage/grant.h"
#include "storage/rule.h"

enum { MANY = 300 };

static struct rule add_rule(struct store *store, const char *pattern, const char *domain)
{
    struct rule rule = {0};
    EXPECT(ST_OK, rule_set_pattern(&rule, span_str(pattern), &err));
    suite_set(&kind_rule, &rule, "domain", domain);
    EXPECT(ST_OK, suite_put(store, &kind_rule, &rule, "rule.add", &err));
    return rule;
}

static struct grant add_grant(struct store *store, enum grant_type type, const char *subject,
                              const char *tenant)
{
    struct grant grant = {.one_signature = 1};
    EXPECT(ST_OK, grant_set_subject(&grant, type, span_str(subject), &err));
    suite_set(&kind_grant, &grant, "tenant", tenant);
    EXPECT(ST_OK, suite_put(store, &kind_grant, &grant, "grant.add", &err));
    return grant;
}

static void remove_record(struct store *store, const struct kind *kind, void *record)
{
    struct store_tx *tx = NULL;
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    EXPECT(ST_OK, store_tx_del(tx, kind, record, "test.remove", &err));
    EXPECT(ST_OK, store_commit(tx, &err));
    kind_clear(kind, record);
}

static void expect_equal(const struct kind *kind, const void *a, const void *b)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        if (!field_equal(&kind->fields[i], a, b))
            fail_msg("%s %s differs", kind->name, kind->fields[i].name);
    }
}

static void a_lookup_brings_what_has_its_place_there(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct vault *vault = suite_vault();
    struct suite_domain names = suite_add_domain(store, vault, 1);
    char author[300], everybody[300], below[300];
    (void)state;
    snprintf(author, sizeof author, "ann@%s", names.domain);
    snprintf(everybody, sizeof everybody, "@%s", names.domain);
    snprintf(below, sizeof below, ".%s", suite_name("d"));
    struct rule rule = add_rule(store, author, names.domain);
    struct rule other = add_rule(store, below, names.domain);
    struct grant grant = add_grant(store, GRANT_LOGIN, everybody, names.tenant);
    const char *wanted[] = {"nothing.example", names.domain, below + 1};
    struct profile profiles[3] = {0};
    EXPECT(ST_OK, store_lookup(store, wanted, 3, profiles, &err));
    assert_true(profile_is_empty(&profiles[0]));
    assert_true(profiles[1].found);
    assert_int_equal(profiles[1].key_count, 1);
    assert_int_equal(profiles[1].rule_count, 1);
    assert_int_equal(profiles[1].grant_count, 1);
    expect_equal(&kind_rule, &profiles[1].rules[0], &rule);
    expect_equal(&kind_grant, &profiles[1].grants[0], &grant);
    assert_false(profiles[2].found);
    assert_int_equal(profiles[2].rule_count, 1);
    expect_equal(&kind_rule, &profiles[2].rules[0], &other);
    int64_t position = profiles[0].position;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(profiles[i].position, position);
        profile_clear(&profiles[i]);
    }
    kind_clear(&kind_rule, &rule);
    kind_clear(&kind_rule, &other);
    kind_clear(&kind_grant, &grant);
    vault_close(vault);
    store_close(store);
}

static void a_tenant_comes_by_itself(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct tenant tenant = {0};
    char own[PROFILE_TENANT_SIZE], other[PROFILE_TENANT_SIZE];
    (void)state;
    assert_true(profile_tenant_name(names.tenant, own));
    assert_true(profile_tenant_name("nobody", other));
    suite_set(&kind_tenant, &tenant, "name", names.tenant);
    EXPECT(ST_OK, store_get(store, &kind_tenant, &tenant, &err));
    const char *wanted[] = {other, own, names.domain, names.tenant};
    struct profile profiles[4] = {0};
    EXPECT(ST_OK, store_lookup(store, wanted, 4, profiles, &err));
    assert_true(profile_is_empty(&profiles[0]));
    assert_false(profile_is_empty(&profiles[1]));
    assert_false(profiles[1].found);
    expect_equal(&kind_tenant, &profiles[1].tenant, &tenant);
    assert_true(profiles[2].found);
    expect_equal(&kind_tenant, &profiles[2].tenant, &tenant);
    assert_true(profile_is_empty(&profiles[3]));
    for (size_t i = 0; i < 4; i++)
        profile_clear(&profiles[i]);
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

static void all_of_a_place_come(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct vault *vault = suite_vault();
    struct suite_domain names = suite_add_domain(store, vault, 2);
    const char *name = names.domain;
    struct profile profile = {0};
    struct store_tx *tx = NULL;
    (void)state;
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    for (int i = 0; i < MANY; i++) {
        struct rule rule = {0};
        char pattern[300];
        snprintf(pattern, sizeof pattern, "u%d@%s", i, names.domain);
        EXPECT(ST_OK, rule_set_pattern(&rule, span_str(pattern), &err));
        suite_set(&kind_rule, &rule, "domain", names.domain);
        EXPECT(ST_OK, store_tx_put(tx, &kind_rule, &rule, "rule.add", &err));
        kind_clear(&kind_rule, &rule);
    }
    EXPECT(ST_OK, store_commit(tx, &err));
    EXPECT(ST_OK, store_lookup(store, &name, 1, &profile, &err));
    assert_int_equal(profile.rule_count, MANY);
    assert_int_equal(profile.key_count, 2);
    profile_clear(&profile);
    vault_close(vault);
    store_close(store);
}

/* Two rules of one pattern, with two domains; the same one twice is a conflict. */
static void a_pattern_may_have_a_rule_for_each_domain(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain first = suite_add_domain(store, NULL, 0);
    struct suite_domain second = suite_add_domain(store, NULL, 0);
    struct rule a = add_rule(store, first.domain, first.domain);
    struct rule b = add_rule(store, first.domain, second.domain);
    struct rule again = {0};
    (void)state;
    EXPECT(ST_OK, rule_set_pattern(&again, span_str(first.domain), &err));
    suite_set(&kind_rule, &again, "domain", first.domain);
    EXPECT(ST_CONFLICT, suite_put(store, &kind_rule, &again, "rule.add", &err));
    kind_clear(&kind_rule, &again);
    remove_record(store, &kind_rule, &a);
    EXPECT(ST_OK, store_get(store, &kind_rule, &b, &err));
    remove_record(store, &kind_rule, &b);
    store_close(store);
}

/* -- through the caches ------------------------------------------------------------------- */

struct tiers {
    struct store *admin, *store;
    struct vault *vault;
    struct keyring *keyring;
    struct suite_domain names;
};

static int setup(void **state)
{
    struct tiers *tiers = calloc(1, sizeof *tiers);
    tiers->admin = suite_open(1, SUITE_TIMEOUT_MS);
    tiers->store = suite_open(1, SUITE_TIMEOUT_MS);
    tiers->vault = suite_vault();
    tiers->names = suite_add_domain(tiers->admin, tiers->vault, 1);
    const struct keyring_options options = {
        .store = tiers->store,
        .vault = tiers->vault,
        .cache = {1 << 20, 1 << 20, 600000, 600000, 600000},
        .timeout_ms = SUITE_TIMEOUT_MS,
    };
    EXPECT(ST_OK, keyring_open(&options, &tiers->keyring, &err));
    EXPECT(ST_OK, keyring_poll(tiers->keyring, &err));
    *state = tiers;
    return 0;
}

static int teardown(void **state)
{
    struct tiers *tiers = *state;
    keyring_close(tiers->keyring);
    vault_close(tiers->vault);
    store_close(tiers->store);
    store_close(tiers->admin);
    free(tiers);
    return 0;
}

static struct place *place_of(const struct tiers *tiers, const char *name)
{
    const struct keyring_question question = {.names = {name}, .count = 1};
    struct place *place = NULL;
    EXPECT(ST_OK, keyring_find(tiers->keyring, &question, 0, &place, &err));
    return place;
}

static void expect_grant(const struct tiers *tiers, const struct grant_login *login, bool wanted)
{
    struct place *place = place_of(tiers, login->bucket);
    const struct grant *grant = place_grant(place, GRANT_LOGIN, login->subject);
    assert_int_equal(grant != NULL, wanted);
    if (wanted)
        assert_string_equal(grant->tenant, tiers->names.tenant);
    place_unref(place);
}

static void a_grant_is_in_force_after_one_poll(void **state)
{
    struct tiers *tiers = *state;
    struct grant_login login;
    char text[300];
    snprintf(text, sizeof text, "cust@%s", suite_name("d"));
    assert_true(grant_login(span_str(text), &login));
    expect_grant(tiers, &login, false);
    struct grant grant = add_grant(tiers->admin, GRANT_LOGIN, text, tiers->names.tenant);
    EXPECT(ST_OK, keyring_poll(tiers->keyring, &err));
    expect_grant(tiers, &login, true);
    remove_record(tiers->admin, &kind_grant, &grant);
    EXPECT(ST_OK, keyring_poll(tiers->keyring, &err));
    expect_grant(tiers, &login, false);
}

static void a_rule_is_in_force_after_one_poll(void **state)
{
    struct tiers *tiers = *state;
    char pattern[300];
    size_t count = 0;
    struct place *place = place_of(tiers, tiers->names.domain);
    snprintf(pattern, sizeof pattern, "ann@%s", tiers->names.domain);
    assert_null(place_rules(place, pattern, &count));
    place_unref(place);
    struct rule rule = add_rule(tiers->admin, pattern, tiers->names.domain);
    EXPECT(ST_OK, keyring_poll(tiers->keyring, &err));
    place = place_of(tiers, tiers->names.domain);
    assert_non_null(place_rules(place, pattern, &count));
    assert_int_equal(count, 1);
    assert_int_equal(place->signers->count, 1);
    place_unref(place);
    remove_record(tiers->admin, &kind_rule, &rule);
    EXPECT(ST_OK, keyring_poll(tiers->keyring, &err));
    place = place_of(tiers, tiers->names.domain);
    assert_null(place_rules(place, pattern, &count));
    place_unref(place);
}

/* Also that it exists at all. */
static void a_tenant_is_suspended_after_one_poll(void **state)
{
    struct tiers *tiers = *state;
    struct tenant tenant = {0};
    char name[PROFILE_TENANT_SIZE];
    suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
    assert_true(profile_tenant_name(tenant.name, name));
    assert_null(place_of(tiers, name));
    EXPECT(ST_OK, suite_put(tiers->admin, &kind_tenant, &tenant, "tenant.add", &err));
    EXPECT(ST_OK, keyring_poll(tiers->keyring, &err));
    struct place *place = place_of(tiers, name);
    assert_string_equal(place->tenant, tenant.name);
    assert_true(place->tenant_active);
    place_unref(place);
    tenant.status = ACCOUNT_SUSPENDED;
    EXPECT(ST_OK, suite_put(tiers->admin, &kind_tenant, &tenant, "tenant.suspend", &err));
    EXPECT(ST_OK, keyring_poll(tiers->keyring, &err));
    place = place_of(tiers, name);
    assert_false(place->tenant_active);
    place_unref(place);
    remove_record(tiers->admin, &kind_tenant, &tenant);
    EXPECT(ST_OK, keyring_poll(tiers->keyring, &err));
    assert_null(place_of(tiers, name));
}

static void networks_are_found_by_addresses(void **state)
{
    struct tiers *tiers = *state;
    struct network address;
    struct grant wide = add_grant(tiers->admin, GRANT_NETWORK, "10.20.0.0/16", tiers->names.tenant);
    struct grant narrow =
        add_grant(tiers->admin, GRANT_NETWORK, "10.20.30.0/24", tiers->names.tenant);
    EXPECT(ST_OK, keyring_poll(tiers->keyring, &err));
    struct place *place = place_of(tiers, RULE_ANYWHERE);
    EXPECT(ST_OK, networks_parse(SPAN_LIT("10.20.30.40"), &address, &err));
    assert_string_equal(place_network(place, &address)->subject, "10.20.30.0/24");
    EXPECT(ST_OK, networks_parse(SPAN_LIT("10.20.31.1"), &address, &err));
    assert_string_equal(place_network(place, &address)->subject, "10.20.0.0/16");
    EXPECT(ST_OK, networks_parse(SPAN_LIT("10.21.0.1"), &address, &err));
    assert_null(place_network(place, &address));
    place_unref(place);
    remove_record(tiers->admin, &kind_grant, &wide);
    remove_record(tiers->admin, &kind_grant, &narrow);
}

/* One question brings all of its names; afterwards nobody need ask for the others. */
static void one_question_asks_the_store_once(void **state)
{
    struct tiers *tiers = *state;
    const struct keyring_question question = {
        .names = {"unknown.example", tiers->names.domain, RULE_ANYWHERE}, .count = 3};
    struct cache_stats before, after;
    struct place *place = NULL;
    EXPECT(ST_OK, keyring_find(tiers->keyring, &question, 0, &place, &err));
    assert_null(place);
    keyring_stats(tiers->keyring, &before);
    EXPECT(ST_OK, keyring_find(tiers->keyring, &question, 1, &place, &err));
    assert_non_null(place->signers);
    place_unref(place);
    EXPECT(ST_OK, keyring_find(tiers->keyring, &question, 2, &place, &err));
    place_unref(place);
    keyring_stats(tiers->keyring, &after);
    assert_int_equal(after.misses, before.misses);
}

int suite_places(void)
{
    const struct CMUnitTest places[] = {
        cmocka_unit_test(a_lookup_brings_what_has_its_place_there),
        cmocka_unit_test(a_tenant_comes_by_itself),
        cmocka_unit_test(all_of_a_place_come),
        cmocka_unit_test(a_pattern_may_have_a_rule_for_each_domain),
        cmocka_unit_test_setup_teardown(a_grant_is_in_force_after_one_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(a_rule_is_in_force_after_one_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tenant_is_suspended_after_one_poll, setup, teardown),
        cmocka_unit_test_setup_teardown(networks_are_found_by_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(one_question_asks_the_store_once, setup, teardown),
    };
    return cmocka_run_group_tests(places, NULL, NULL);
}
