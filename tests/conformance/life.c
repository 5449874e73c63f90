/* SPDX-License-Identifier: Apache-2.0
 *
 * What the lives of keys need of a store: those that are due and no others, changes that are no
 * event, and leases that one of two gets.
 */
#include <stdio.h>

#include "tests/conformance/suite.h"

static void put_key(struct store *store, const char *domain, const char *selector, int64_t due_s)
{
    struct key key = {.algorithm = DKIM_RSA_SHA256, .bits = 2048, .due = due_s};
    suite_set(&kind_key, &key, "domain", domain);
    suite_set(&kind_key, &key, "selector", selector);
    buf_append_str(&key.public_key, "public");
    buf_append_str(&key.sealed, "sealed");
    EXPECT(ST_OK, suite_put(store, &kind_key, &key, "key.add", &err));
    kind_clear(&kind_key, &key);
}

struct seen {
    char selectors[8][32];
    size_t count;
};

static enum status see(void *arg, const void *record, struct err *err)
{
    struct seen *seen = arg;
    (void)err;
    snprintf(seen->selectors[seen->count++], sizeof seen->selectors[0], "%s",
             ((const struct key *)record)->selector);
    return ST_OK;
}

static void keys_that_are_due_are_found(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct query query = {.kind = &kind_key, .filter_count = 2};
    struct seen all = {.count = 0}, page = {.count = 0};
    const struct key after = {.domain = names.domain, .selector = (char *)(uintptr_t) "exactly"};
    (void)state;
    put_key(store, names.domain, "long-ago", 1);
    put_key(store, names.domain, "exactly", 1000);
    put_key(store, names.domain, "later", 1001);
    put_key(store, names.domain, "much-later", INT64_C(1) << 39);
    put_key(store, names.domain, "never", 0);
    query.filters[0].field = kind_field(&kind_key, SPAN_LIT("due"));
    query.filters[0].number = 1000;
    query.filters[0].until = true;
    query.filters[1].field = kind_field(&kind_key, SPAN_LIT("domain"));
    query.filters[1].text = names.domain;
    EXPECT(ST_OK, store_find(store, &query, see, &all, &err));
    assert_int_equal(all.count, 2);
    assert_string_equal(all.selectors[0], "exactly");
    assert_string_equal(all.selectors[1], "long-ago");
    query.after = &after;
    query.limit = 1;
    EXPECT(ST_OK, store_find(store, &query, see, &page, &err));
    assert_int_equal(page.count, 1);
    assert_string_equal(page.selectors[0], "long-ago");
    store_close(store);
}

static enum status count_one(void *count, const void *record, struct err *err)
{
    (void)record, (void)err;
    ++*(size_t *)count;
    return ST_OK;
}

static size_t count_events(struct store *store)
{
    const struct query query = {.kind = &kind_event};
    size_t count = 0;
    EXPECT(ST_OK, store_find(store, &query, count_one, &count, &err));
    return count;
}

static void a_quiet_change_is_no_event(void **state)
{
    struct store *store = suite_open(2, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct key key = {0};
    int64_t position = 0, later = 0;
    (void)state;
    put_key(store, names.domain, "s1", 1);
    EXPECT(ST_OK, store_key(store, names.domain, "s1", &key, &err));
    EXPECT(ST_OK, store_position(store, &position, &err));
    size_t events = count_events(store);
    key.due = 2000;
    key.checked = key.ttl = 300;
    EXPECT(ST_OK, suite_put(store, &kind_key, &key, "key.look", &err));
    EXPECT(ST_OK, store_position(store, &later, &err));
    assert_int_equal(later, position);
    assert_int_equal(count_events(store), events);
    kind_clear(&kind_key, &key);
    EXPECT(ST_OK, store_key(store, names.domain, "s1", &key, &err));
    assert_int_equal(key.due, 2000);
    assert_int_equal(key.version, 2);
    key.shown = KEY_SHOWN_MISSING;
    EXPECT(ST_OK, suite_put(store, &kind_key, &key, "key.look", &err));
    EXPECT(ST_OK, store_position(store, &later, &err));
    assert_true(later > position);
    assert_int_equal(count_events(store), events + 1);
    kind_clear(&kind_key, &key);
    store_close(store);
}

static struct lease new_lease(const char *name, const char *holder)
{
    struct lease lease = {.until = 1000};
    suite_set(&kind_lease, &lease, "name", name);
    suite_set(&kind_lease, &lease, "holder", holder);
    return lease;
}

static void one_of_two_gets_a_lease(void **state)
{
    struct store *store = suite_open(2, SUITE_TIMEOUT_MS);
    const char *name = suite_name("lease");
    struct lease first = new_lease(name, "a"), second = new_lease(name, "b"), found = {0};
    (void)state;
    EXPECT(ST_OK, suite_put(store, &kind_lease, &first, "lease.take", &err));
    EXPECT(ST_CONFLICT, suite_put(store, &kind_lease, &second, "lease.take", &err));
    second.version = first.version;
    first.until = second.until = 2000;
    EXPECT(ST_OK, suite_put(store, &kind_lease, &second, "lease.take", &err));
    EXPECT(ST_CONFLICT, suite_put(store, &kind_lease, &first, "lease.take", &err));
    suite_set(&kind_lease, &found, "name", name);
    EXPECT(ST_OK, store_get(store, &kind_lease, &found, &err));
    assert_string_equal(found.holder, "b");
    assert_int_equal(found.until, 2000);
    kind_clear(&kind_lease, &first);
    kind_clear(&kind_lease, &second);
    kind_clear(&kind_lease, &found);
    store_close(store);
}

int suite_life(void)
{
    const struct CMUnitTest life[] = {
        cmocka_unit_test(keys_that_are_due_are_found),
        cmocka_unit_test(a_quiet_change_is_no_event),
        cmocka_unit_test(one_of_two_gets_a_lease),
    };
    return cmocka_run_group_tests(life, NULL, NULL);
}
