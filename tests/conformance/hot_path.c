/* SPDX-License-Identifier: Apache-2.0
 *
 * The look-up that every cold message makes, and the change feed that keeps caches honest.
 */
#include "tests/conformance/suite.h"

#include <poll.h>
#include <stdio.h>

static void lookup_gives_the_profile_of_each_name(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct vault *vault = suite_vault();
    struct suite_domain two = suite_add_domain(store, vault, 2);
    struct suite_domain none = suite_add_domain(store, vault, 0);
    const char *names[] = {"unknown.example", two.domain, "example", none.domain};
    struct profile profiles[4] = {0};
    (void)state;
    EXPECT(ST_OK, store_lookup(store, names, 4, profiles, &err));
    assert_false(profiles[0].found);
    assert_false(profiles[2].found);
    assert_true(profiles[1].found);
    assert_string_equal(profiles[1].domain.name, two.domain);
    assert_string_equal(profiles[1].tenant.name, two.tenant);
    assert_int_equal(profiles[1].key_count, 2);
    assert_true(profiles[3].found);
    assert_string_equal(profiles[3].domain.name, none.domain);
    assert_int_equal(profiles[3].key_count, 0);
    int64_t position = 0;
    EXPECT(ST_OK, store_position(store, &position, &err));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(profiles[i].position, position);
        profile_clear(&profiles[i]);
    }
    vault_close(vault);
    store_close(store);
}

/* Gives the columns of the look-up values that are not each other's. */
static void set_all(struct store *store, const struct suite_domain *names)
{
    struct domain domain = {0};
    struct tenant tenant = {0};
    EXPECT(ST_OK, store_domain(store, names->domain, &domain, &err));
    EXPECT(ST_OK, store_tenant(store, names->tenant, &tenant, &err));
    domain.subdomains = 1;
    domain.expiry = 777;
    domain.created = 1001;
    tenant.created = 2002;
    suite_set(&kind_domain, &domain, "canonicalization", "simple/relaxed");
    suite_set(&kind_domain, &domain, "note", "of the domain");
    suite_set(&kind_tenant, &tenant, "note", "of the tenant");
    EXPECT(ST_OK, suite_put(store, &kind_domain, &domain, "domain.set", &err));
    EXPECT(ST_OK, suite_put(store, &kind_domain, &domain, "domain.set", &err));
    EXPECT(ST_OK, suite_put(store, &kind_tenant, &tenant, "tenant.set", &err));
    kind_clear(&kind_domain, &domain);
    kind_clear(&kind_tenant, &tenant);
}

static void expect_equal(const struct kind *kind, const void *a, const void *b)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        if (!field_equal(&kind->fields[i], a, b))
            fail_msg("%s %s differs", kind->name, kind->fields[i].name);
    }
}

static void lookup_equals_what_get_gives(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct vault *vault = suite_vault();
    struct suite_domain names = suite_add_domain(store, vault, 1);
    const char *name = names.domain;
    struct profile profile = {0};
    struct domain domain = {0};
    struct tenant tenant = {0};
    struct key key = {0};
    (void)state;
    set_all(store, &names);
    EXPECT(ST_OK, store_lookup(store, &name, 1, &profile, &err));
    assert_int_equal(profile.key_count, 1);
    EXPECT(ST_OK, store_domain(store, names.domain, &domain, &err));
    EXPECT(ST_OK, store_tenant(store, names.tenant, &tenant, &err));
    EXPECT(ST_OK, store_key(store, names.domain, profile.keys[0].selector, &key, &err));
    expect_equal(&kind_domain, &domain, &profile.domain);
    expect_equal(&kind_tenant, &tenant, &profile.tenant);
    expect_equal(&kind_key, &key, &profile.keys[0]);
    kind_clear(&kind_domain, &domain);
    kind_clear(&kind_tenant, &tenant);
    kind_clear(&kind_key, &key);
    profile_clear(&profile);
    vault_close(vault);
    store_close(store);
}

static void lookup_takes_as_many_names_as_a_message_has(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain first = suite_add_domain(store, NULL, 0);
    struct suite_domain last = suite_add_domain(store, NULL, 0);
    const char *names[DRIVER_NAMES_MAX];
    char none[DRIVER_NAMES_MAX][8];
    struct profile profiles[DRIVER_NAMES_MAX] = {0};
    (void)state;
    for (size_t i = 0; i < DRIVER_NAMES_MAX; i++) {
        snprintf(none[i], sizeof none[i], "%zu", i);
        names[i] = none[i];
    }
    names[0] = first.domain;
    names[DRIVER_NAMES_MAX - 1] = last.domain;
    EXPECT(ST_OK, store_lookup(store, names, DRIVER_NAMES_MAX, profiles, &err));
    int64_t position = profiles[0].position;
    for (size_t i = 0; i < DRIVER_NAMES_MAX; i++) {
        assert_int_equal(profiles[i].found, i == 0 || i == DRIVER_NAMES_MAX - 1);
        assert_int_equal(profiles[i].position, position);
        profile_clear(&profiles[i]);
    }
    store_close(store);
}

/* The position as well: who caches that there is no such name must know as of when. */
static void lookup_of_names_that_do_not_exist_has_a_position(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    const char *names[] = {"unknown.example", "example"};
    struct profile profiles[2] = {0};
    (void)state;
    suite_add_domain(store, NULL, 0);
    EXPECT(ST_OK, store_lookup(store, names, 2, profiles, &err));
    for (size_t i = 0; i < 2; i++) {
        assert_false(profiles[i].found);
        assert_true(profiles[i].position > 0);
        profile_clear(&profiles[i]);
    }
    store_close(store);
}

static void lookup_leaves_out_keys_that_do_not_sign(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    const char *name = names.domain;
    (void)state;
    for (int64_t key_state = KEY_STAGED; key_state <= KEY_DESTROYED; key_state++) {
        struct key key = {.bits = 2048, .state = key_state};
        suite_set(&kind_key, &key, "domain", names.domain);
        suite_set(&kind_key, &key, "selector", suite_name("s"));
        buf_append_str(&key.public_key, "public");
        if (key_state <= KEY_ACTIVE)
            buf_append_str(&key.sealed, "sealed");
        EXPECT(ST_OK, suite_put(store, &kind_key, &key, "key.new", &err));
        kind_clear(&kind_key, &key);
    }
    struct profile profile = {0};
    EXPECT(ST_OK, store_lookup(store, &name, 1, &profile, &err));
    assert_int_equal(profile.key_count, 1);
    assert_int_equal(profile.keys[0].state, KEY_ACTIVE);
    profile_clear(&profile);
    store_close(store);
}

static void what_may_not_sign_has_no_private_half(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct key key = {.bits = 2048, .state = KEY_RETIRING};
    (void)state;
    suite_set(&kind_key, &key, "domain", names.domain);
    suite_set(&kind_key, &key, "selector", "s");
    buf_append_str(&key.public_key, "public");
    buf_append_str(&key.sealed, "sealed");
    EXPECT(ST_INVALID, suite_put(store, &kind_key, &key, "key.new", &err));
    kind_clear(&kind_key, &key);
    store_close(store);
}

struct feed {
    struct {
        char kind[16], name[128];
    } rows[16];
    size_t count;
    int64_t cursor;
};

static enum status take(void *arg, const void *record, struct err *err)
{
    struct feed *feed = arg;
    const struct change *change = record;
    (void)err;
    assert_true(feed->count < 16);
    assert_true(change->position > feed->cursor);
    feed->cursor = change->position;
    snprintf(feed->rows[feed->count].kind, sizeof feed->rows[0].kind, "%s", change->kind);
    snprintf(feed->rows[feed->count++].name, sizeof feed->rows[0].name, "%s", change->name);
    return ST_OK;
}

static void the_change_feed_names_what_changed_in_order(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct vault *vault = suite_vault();
    struct feed feed = {.count = 0};
    (void)state;
    EXPECT(ST_OK, store_position(store, &feed.cursor, &err));
    struct change_query query = {.cursor = feed.cursor, .limit = 16};
    EXPECT(ST_OK, store_changes(store, &query, take, &feed, &err));
    assert_int_equal(feed.count, 0);
    struct suite_domain names = suite_add_domain(store, vault, 1);
    EXPECT(ST_OK, store_changes(store, &query, take, &feed, &err));
    assert_int_equal(feed.count, 3);
    static const char *const sorts[] = {"tenant", "domain", "domain"};
    const char *expected[] = {names.tenant, names.domain, names.domain};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(feed.rows[i].kind, sorts[i]);
        assert_string_equal(feed.rows[i].name, expected[i]);
    }
    int64_t position = 0;
    EXPECT(ST_OK, store_position(store, &position, &err));
    assert_int_equal(position, feed.cursor);
    query.limit = 1;
    feed = (struct feed){.count = 0};
    EXPECT(ST_OK, store_changes(store, &query, take, &feed, &err));
    assert_int_equal(feed.count, 1);
    assert_string_equal(feed.rows[0].name, names.tenant);
    vault_close(vault);
    store_close(store);
}

static void a_transaction_names_each_domain_once(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct feed feed = {.count = 0};
    struct store_tx *tx = NULL;
    (void)state;
    EXPECT(ST_OK, store_position(store, &feed.cursor, &err));
    const struct change_query query = {.cursor = feed.cursor, .limit = 16};
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    for (int i = 0; i < 3; i++) {
        struct key key = {.bits = 2048, .state = KEY_STAGED};
        suite_set(&kind_key, &key, "domain", names.domain);
        suite_set(&kind_key, &key, "selector", suite_name("s"));
        buf_append_str(&key.public_key, "public");
        buf_append_str(&key.sealed, "sealed");
        EXPECT(ST_OK, store_tx_put(tx, &kind_key, &key, "key.new", &err));
        kind_clear(&kind_key, &key);
    }
    EXPECT(ST_OK, store_commit(tx, &err));
    EXPECT(ST_OK, store_changes(store, &query, take, &feed, &err));
    assert_int_equal(feed.count, 1);
    assert_string_equal(feed.rows[0].name, names.domain);
    store_close(store);
}

enum { SETTLED_MS = 100 };

static enum status pass_over(void *arg, const void *record, struct err *err)
{
    (void)arg, (void)record, (void)err;
    return ST_OK;
}

/* Where the data base can tell of changes, it does so at once. */
static void a_change_wakes_whoever_watches(void **state)
{
    struct store *writer = suite_open(1, SUITE_TIMEOUT_MS);
    struct store *watcher = suite_open(1, SUITE_TIMEOUT_MS);
    struct pollfd word = {.fd = store_watch(watcher), .events = POLLIN};
    (void)state;
    if (word.fd < 0 || suite_commands.deaf != NULL) {
        print_message("    skipped: this kind of store is polled\n");
        store_close(writer);
        store_close(watcher);
        skip();
    }
    while (poll(&word, 1, SETTLED_MS) == 1) /* what is said at the beginning is no change */
        store_watched(watcher, pass_over, NULL);
    suite_add_domain(writer, NULL, 0);
    assert_int_equal(poll(&word, 1, SUITE_TIMEOUT_MS), 1);
    store_watched(watcher, pass_over, NULL);
    assert_int_equal(store_watch(watcher), word.fd);
    store_close(writer);
    store_close(watcher);
}

int suite_hot_path(void)
{
    const struct CMUnitTest hot_path[] = {
        cmocka_unit_test(lookup_gives_the_profile_of_each_name),
        cmocka_unit_test(lookup_equals_what_get_gives),
        cmocka_unit_test(lookup_takes_as_many_names_as_a_message_has),
        cmocka_unit_test(lookup_of_names_that_do_not_exist_has_a_position),
        cmocka_unit_test(lookup_leaves_out_keys_that_do_not_sign),
        cmocka_unit_test(what_may_not_sign_has_no_private_half),
        cmocka_unit_test(the_change_feed_names_what_changed_in_order),
        cmocka_unit_test(a_transaction_names_each_domain_once),
        cmocka_unit_test(a_change_wakes_whoever_watches),
    };
    return cmocka_run_group_tests(hot_path, NULL, NULL);
}
