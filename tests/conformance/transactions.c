/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes are whole or not at all, seen by others only when committed, never lost to another
 * writer, and never without their audit event and change-feed row.
 */
#include "tests/conformance/suite.h"

#include <stdio.h>

static void lost_updates_are_conflicts(void **state)
{
    struct store *a = suite_open(1, SUITE_TIMEOUT_MS), *b = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(a, NULL, 0);
    struct domain ours = {0}, theirs = {0};
    (void)state;
    EXPECT(ST_OK, store_domain(a, names.domain, &ours, &err));
    EXPECT(ST_OK, store_domain(b, names.domain, &theirs, &err));
    suite_set(&kind_domain, &ours, "note", "ours");
    suite_set(&kind_domain, &theirs, "note", "theirs");
    EXPECT(ST_OK, suite_put(a, &kind_domain, &ours, "domain.set", &err));
    EXPECT(ST_CONFLICT, suite_put(b, &kind_domain, &theirs, "domain.set", &err));
    EXPECT(ST_OK, store_domain(b, names.domain, &theirs, &err));
    assert_string_equal(theirs.note, "ours");
    assert_int_equal(theirs.version, 2);
    kind_clear(&kind_domain, &ours);
    kind_clear(&kind_domain, &theirs);
    store_close(a);
    store_close(b);
}

static void a_second_record_of_a_name_is_a_conflict(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct tenant tenant = {0};
    (void)state;
    suite_set(&kind_tenant, &tenant, "name", names.tenant);
    EXPECT(ST_CONFLICT, suite_put(store, &kind_tenant, &tenant, "tenant.add", &err));
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

static void references_are_kept(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct domain orphan = {.expiry = -1};
    struct tenant tenant = {0};
    struct store_tx *tx = NULL;
    (void)state;
    suite_set(&kind_domain, &orphan, "name", suite_name("d"));
    suite_set(&kind_domain, &orphan, "tenant", "nobody");
    EXPECT(ST_INVALID, suite_put(store, &kind_domain, &orphan, "domain.add", &err));
    EXPECT(ST_OK, store_tenant(store, names.tenant, &tenant, &err));
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    EXPECT(ST_DENIED, store_tx_del(tx, &kind_tenant, &tenant, "tenant.remove", &err));
    store_rollback(tx);
    EXPECT(ST_OK, store_tenant(store, names.tenant, &tenant, &err));
    kind_clear(&kind_domain, &orphan);
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

static void removal_needs_the_version_that_is_there(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct domain domain = {0};
    struct store_tx *tx = NULL;
    (void)state;
    EXPECT(ST_OK, store_domain(store, names.domain, &domain, &err));
    domain.version = 7;
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    EXPECT(ST_CONFLICT, store_tx_del(tx, &kind_domain, &domain, "domain.remove", &err));
    store_rollback(tx);
    domain.version = 1;
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    EXPECT(ST_OK, store_tx_del(tx, &kind_domain, &domain, "domain.remove", &err));
    EXPECT(ST_OK, store_commit(tx, &err));
    EXPECT(ST_NOT_FOUND, store_domain(store, names.domain, &domain, &err));
    kind_clear(&kind_domain, &domain);
    store_close(store);
}

static struct key rsa_key(const char *domain, const char *selector)
{
    struct key key = {.algorithm = DKIM_RSA_SHA256, .bits = 2048, .state = KEY_ACTIVE};
    suite_set(&kind_key, &key, "domain", domain);
    suite_set(&kind_key, &key, "selector", selector);
    buf_append_str(&key.public_key, "public");
    buf_append_str(&key.sealed, "sealed");
    return key;
}

static void never_two_active_keys_of_one_algorithm(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct vault *vault = suite_vault();
    struct suite_domain names = suite_add_domain(store, vault, 2);
    struct key second = rsa_key(names.domain, "second");
    (void)state;
    EXPECT(ST_CONFLICT, suite_put(store, &kind_key, &second, "key.new", &err));
    second.state = KEY_STAGED;
    EXPECT(ST_OK, suite_put(store, &kind_key, &second, "key.new", &err));
    second.state = KEY_ACTIVE;
    EXPECT(ST_CONFLICT, suite_put(store, &kind_key, &second, "key.activate", &err));
    kind_clear(&kind_key, &second);
    vault_close(vault);
    store_close(store);
}

/* Rules name them, so there is no doubt which of them signs. */
static void reserved_keys_are_active_beside_the_one_that_is_not(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct key reserved = rsa_key(names.domain, "reserved"), other = rsa_key(names.domain, "other"),
               ours = rsa_key(names.domain, "ours"), late = rsa_key(names.domain, "late");
    struct profile profile = {0};
    const char *const wanted[] = {names.domain};
    (void)state;
    reserved.reserved = other.reserved = 1;
    EXPECT(ST_OK, suite_put(store, &kind_key, &reserved, "key.add", &err));
    EXPECT(ST_OK, suite_put(store, &kind_key, &other, "key.add", &err));
    EXPECT(ST_OK, suite_put(store, &kind_key, &ours, "key.add", &err));
    EXPECT(ST_CONFLICT, suite_put(store, &kind_key, &late, "key.add", &err));
    late.reserved = 1;
    EXPECT(ST_OK, suite_put(store, &kind_key, &late, "key.add", &err));
    other.reserved = 0;
    EXPECT(ST_CONFLICT, suite_put(store, &kind_key, &other, "key.set", &err));
    EXPECT(ST_OK, store_lookup(store, wanted, 1, &profile, &err));
    assert_int_equal(profile.key_count, 4);
    for (size_t i = 0; i < profile.key_count; i++)
        assert_int_equal(profile.keys[i].reserved, strcmp(profile.keys[i].selector, "ours") != 0);
    profile_clear(&profile);
    kind_clear(&kind_key, &reserved);
    kind_clear(&kind_key, &other);
    kind_clear(&kind_key, &ours);
    kind_clear(&kind_key, &late);
    store_close(store);
}

static enum status count(void *arg, const void *record, struct err *err)
{
    (void)record;
    (void)err;
    ++*(int64_t *)arg;
    return ST_OK;
}

static int64_t count_events(struct store *store)
{
    struct query query = {.kind = &kind_event};
    int64_t events = 0;
    EXPECT(ST_OK, store_find(store, &query, count, &events, &err));
    return events;
}

static int64_t position(struct store *store)
{
    int64_t out = -1;
    EXPECT(ST_OK, store_position(store, &out, &err));
    return out;
}

static void rollback_leaves_nothing_behind(void **state)
{
    struct store *store = suite_open(2, SUITE_TIMEOUT_MS);
    struct tenant tenant = {0};
    struct store_tx *tx = NULL;
    (void)state;
    int64_t events = count_events(store), before = position(store);
    suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    EXPECT(ST_OK, store_tx_put(tx, &kind_tenant, &tenant, "tenant.add", &err));
    EXPECT(ST_OK, store_tx_get(tx, &kind_tenant, &tenant, &err));
    EXPECT(ST_NOT_FOUND, store_get(store, &kind_tenant, &tenant, &err));
    store_rollback(tx);
    EXPECT(ST_NOT_FOUND, store_get(store, &kind_tenant, &tenant, &err));
    assert_int_equal(count_events(store), events);
    assert_int_equal(position(store), before);
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

static enum status keep_event(void *arg, const void *record, struct err *err)
{
    kind_clear(&kind_event, arg);
    return kind_copy(&kind_event, record, arg, err);
}

static void last_event(struct store *store, struct event *out)
{
    struct query query = {.kind = &kind_event, .descending = true, .limit = 1};
    EXPECT(ST_OK, store_find(store, &query, keep_event, out, &err));
}

static void every_change_has_its_audit_event(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct domain domain = {0};
    struct event event = {0};
    struct store_tx *tx = NULL;
    (void)state;
    EXPECT(ST_OK, store_domain(store, names.domain, &domain, &err));
    suite_set(&kind_domain, &domain, "note", "new");
    domain.status = ACCOUNT_SUSPENDED;
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    store_tx_note(tx, "a remark");
    EXPECT(ST_OK, store_tx_put(tx, &kind_domain, &domain, "domain.suspend", &err));
    EXPECT(ST_OK, store_commit(tx, &err));
    last_event(store, &event);
    assert_string_equal(event.actor, "conformance");
    assert_string_equal(event.action, "domain.suspend");
    assert_string_equal(event.kind, "domain");
    assert_string_equal(event.name, names.domain);
    assert_string_equal(event.tenant, names.tenant);
    assert_string_equal(event.detail, "status: active -> suspended; note:  -> new; a remark");
    kind_clear(&kind_event, &event);
    kind_clear(&kind_domain, &domain);
    store_close(store);
}

static void sealed_octets_never_reach_the_audit_log(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct key key = {.bits = 2048, .state = KEY_STAGED};
    struct event event = {0};
    (void)state;
    suite_set(&kind_key, &key, "domain", names.domain);
    suite_set(&kind_key, &key, "selector", "s");
    buf_append_str(&key.public_key, "public");
    buf_append_str(&key.sealed, "TOPSECRET");
    EXPECT(ST_OK, suite_put(store, &kind_key, &key, "key.new", &err));
    last_event(store, &event);
    assert_non_null(strstr(event.detail, "sealed=(sealed)"));
    assert_null(strstr(event.detail, "TOPSECRET"));
    assert_string_equal(event.tenant, names.tenant);
    kind_clear(&kind_event, &event);
    kind_clear(&kind_key, &key);
    store_close(store);
}

static void events_are_never_changed_or_removed(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct event event = {0};
    struct store_tx *tx = NULL;
    (void)state;
    suite_add_domain(store, NULL, 0);
    last_event(store, &event);
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    EXPECT(ST_DENIED, store_tx_del(tx, &kind_event, &event, "event.remove", &err));
    store_rollback(tx);
    kind_clear(&kind_event, &event);
    store_close(store);
}

/* A second writer either waits for the first, no longer than its deadline, or is let in; then the
 * one that commits later is told that it came too late. */
static void of_two_writers_one_is_told(void **state)
{
    struct store *a = suite_open(1, SUITE_TIMEOUT_MS), *b = suite_open(1, 300);
    struct store_tx *first = NULL, *second = NULL;
    struct tenant tenant = {0}, same = {0};
    struct err why = {0};
    (void)state;
    suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
    suite_set(&kind_tenant, &same, "name", tenant.name);
    EXPECT(ST_OK, store_begin(a, &first, &err));
    EXPECT(ST_OK, store_tx_put(first, &kind_tenant, &tenant, "tenant.add", &err));
    int64_t start_ms = clock_monotonic_ms();
    enum status st = store_begin(b, &second, &why);
    if (st == ST_OK)
        st = store_tx_put(second, &kind_tenant, &same, "tenant.add", &why);
    int64_t took_ms = clock_monotonic_ms() - start_ms;
    if (st == ST_OK) {
        EXPECT(ST_OK, store_commit(second, &err));
        EXPECT(ST_TEMP, store_commit(first, &err));
    } else {
        suite_expect(st, ST_TEMP, &why, "the second writer");
        assert_in_range(took_ms, 200, 800);
        store_rollback(second);
        EXPECT(ST_OK, store_commit(first, &err));
    }
    same.version = 0;
    EXPECT(ST_CONFLICT, suite_put(b, &kind_tenant, &same, "tenant.add", &err));
    kind_clear(&kind_tenant, &tenant);
    kind_clear(&kind_tenant, &same);
    store_close(a);
    store_close(b);
}

int suite_transactions(void)
{
    const struct CMUnitTest transactions[] = {
        cmocka_unit_test(lost_updates_are_conflicts),
        cmocka_unit_test(a_second_record_of_a_name_is_a_conflict),
        cmocka_unit_test(references_are_kept),
        cmocka_unit_test(removal_needs_the_version_that_is_there),
        cmocka_unit_test(never_two_active_keys_of_one_algorithm),
        cmocka_unit_test(reserved_keys_are_active_beside_the_one_that_is_not),
        cmocka_unit_test(rollback_leaves_nothing_behind),
        cmocka_unit_test(every_change_has_its_audit_event),
        cmocka_unit_test(sealed_octets_never_reach_the_audit_log),
        cmocka_unit_test(events_are_never_changed_or_removed),
        cmocka_unit_test(of_two_writers_one_is_told),
    };
    return cmocka_run_group_tests(transactions, NULL, NULL);
}
