/* SPDX-License-Identifier: Apache-2.0
 *
 * A domain that is given to another tenant, and what else happens to it, to its keys and to both
 * tenants in the same transaction.
 */
#include "tests/conformance/suite.h"

/* A domain of tenant `from` with a staged and a published key, and a second tenant. */
struct scene {
    struct store *store;
    struct store_tx *tx; /* open */
    struct domain domain;
    struct key staged, published;
    struct tenant from, to;
};

static void fill_key(struct key *key, const char *domain, const char *selector, int64_t key_state)
{
    *key = (struct key){.algorithm = DKIM_RSA_SHA256, .bits = 2048, .state = key_state};
    suite_set(&kind_key, key, "domain", domain);
    suite_set(&kind_key, key, "selector", selector);
    buf_append_str(&key->public_key, "public");
    buf_append_str(&key->sealed, "sealed");
}

static struct tenant new_tenant(void)
{
    struct tenant tenant = {0};
    suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
    return tenant;
}

static struct scene begin(void)
{
    struct scene s = {.store = suite_open(2, SUITE_TIMEOUT_MS)};
    struct suite_domain names = suite_add_domain(s.store, NULL, 0);
    fill_key(&s.staged, names.domain, "staged", KEY_STAGED);
    fill_key(&s.published, names.domain, "published", KEY_PUBLISHED);
    s.to = new_tenant();
    EXPECT(ST_OK, suite_put(s.store, &kind_key, &s.staged, "key.new", &err));
    EXPECT(ST_OK, suite_put(s.store, &kind_key, &s.published, "key.new", &err));
    EXPECT(ST_OK, suite_put(s.store, &kind_tenant, &s.to, "tenant.add", &err));
    EXPECT(ST_OK, store_domain(s.store, names.domain, &s.domain, &err));
    EXPECT(ST_OK, store_tenant(s.store, names.tenant, &s.from, &err));
    EXPECT(ST_OK, store_begin(s.store, &s.tx, &err));
    return s;
}

static void end(struct scene *s)
{
    kind_clear(&kind_domain, &s->domain);
    kind_clear(&kind_key, &s->staged);
    kind_clear(&kind_key, &s->published);
    kind_clear(&kind_tenant, &s->from);
    kind_clear(&kind_tenant, &s->to);
    store_close(s->store);
}

static void put(struct scene *s, const struct kind *kind, void *record)
{
    EXPECT(ST_OK, store_tx_put(s->tx, kind, record, "test.put", &err));
}

static void del(struct scene *s, const struct kind *kind, const void *record)
{
    EXPECT(ST_OK, store_tx_del(s->tx, kind, record, "test.del", &err));
}

static void give_to(struct scene *s, const struct tenant *tenant)
{
    suite_set(&kind_domain, &s->domain, "tenant", tenant->name);
    put(s, &kind_domain, &s->domain);
}

static void note_key(struct scene *s, struct key *key, const char *text)
{
    buf_reset(&key->public_key);
    buf_append_str(&key->public_key, text);
    put(s, &kind_key, key);
}

static void commit(struct scene *s)
{
    EXPECT(ST_OK, store_commit(s->tx, &err));
    s->tx = NULL;
}

static void check_same(const struct kind *kind, const void *a, const void *b)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        if (!field_equal(&kind->fields[i], a, b))
            fail_msg("%s.%s is not what was put", kind->name, kind->fields[i].name);
    }
}

/* The store has what was put last. */
static void check_domain(const struct scene *s)
{
    struct domain found = {0};
    EXPECT(ST_OK, store_domain(s->store, s->domain.name, &found, &err));
    check_same(&kind_domain, &s->domain, &found);
    kind_clear(&kind_domain, &found);
}

static void check_key(const struct scene *s, const struct key *key)
{
    struct key found = {0};
    suite_set(&kind_key, &found, "domain", key->domain);
    suite_set(&kind_key, &found, "selector", key->selector);
    EXPECT(ST_OK, store_get(s->store, &kind_key, &found, &err));
    check_same(&kind_key, key, &found);
    kind_clear(&kind_key, &found);
}

static void check_gone(const struct scene *s, const struct kind *kind, const void *record)
{
    void *found = calloc(1, kind->size);
    EXPECT(ST_OK, kind_copy(kind, record, found, &err));
    EXPECT(ST_NOT_FOUND, store_get(s->store, kind, found, &err));
    kind_free(kind, found);
}

static void check_all(const struct scene *s)
{
    check_domain(s);
    check_key(s, &s->staged);
    check_key(s, &s->published);
}

/* -- changed again ------------------------------------------------------------------------ */

static void a_moved_domain_is_changed_again(void **state)
{
    struct scene s = begin();
    (void)state;
    give_to(&s, &s.to);
    suite_set(&kind_domain, &s.domain, "note", "again");
    put(&s, &kind_domain, &s.domain);
    commit(&s);
    check_all(&s);
    assert_int_equal(s.domain.version, 3);
    end(&s);
}

static void a_changed_domain_is_moved(void **state)
{
    struct scene s = begin();
    (void)state;
    suite_set(&kind_domain, &s.domain, "note", "first");
    put(&s, &kind_domain, &s.domain);
    give_to(&s, &s.to);
    commit(&s);
    check_all(&s);
    end(&s);
}

static void keys_of_a_moved_domain_are_changed(void **state)
{
    struct scene s = begin();
    (void)state;
    note_key(&s, &s.published, "before");
    give_to(&s, &s.to);
    note_key(&s, &s.published, "after");
    s.staged.state = KEY_ACTIVE;
    note_key(&s, &s.staged, "active");
    commit(&s);
    check_all(&s);
    assert_int_equal(s.published.version, 3);
    end(&s);
}

static void a_key_that_became_active_goes_with_its_domain(void **state)
{
    struct scene s = begin();
    struct key added = {0};
    (void)state;
    s.staged.state = KEY_ACTIVE;
    put(&s, &kind_key, &s.staged);
    give_to(&s, &s.to);
    fill_key(&added, s.domain.name, "added", KEY_STAGED);
    put(&s, &kind_key, &added);
    commit(&s);
    check_all(&s);
    check_key(&s, &added);
    kind_clear(&kind_key, &added);
    end(&s);
}

static void a_domain_is_moved_twice_or_back(void **state)
{
    for (int back = 0; back < 2; back++) {
        struct scene s = begin();
        struct tenant third = new_tenant();
        put(&s, &kind_tenant, &third);
        give_to(&s, &s.to);
        note_key(&s, &s.staged, "between");
        give_to(&s, back ? &s.from : &third);
        note_key(&s, &s.staged, "after");
        commit(&s);
        check_all(&s);
        kind_clear(&kind_tenant, &third);
        end(&s);
    }
    (void)state;
}

static void a_new_domain_is_moved(void **state)
{
    struct scene s = begin();
    struct domain new = {.expiry = -1};
    struct key key = {0};
    (void)state;
    suite_set(&kind_domain, &new, "name", suite_name("d"));
    suite_set(&kind_domain, &new, "tenant", s.from.name);
    fill_key(&key, new.name, "new", KEY_ACTIVE);
    put(&s, &kind_domain, &new);
    put(&s, &kind_key, &key);
    suite_set(&kind_domain, &new, "tenant", s.to.name);
    put(&s, &kind_domain, &new);
    note_key(&s, &key, "after");
    commit(&s);
    check_key(&s, &key);
    kind_clear(&kind_domain, &s.domain);
    s.domain = new;
    check_domain(&s);
    kind_clear(&kind_key, &key);
    end(&s);
}

/* -- and removed -------------------------------------------------------------------------- */

static void a_moved_domain_is_removed_with_its_keys(void **state)
{
    struct scene s = begin();
    (void)state;
    del(&s, &kind_key, &s.published);
    give_to(&s, &s.to);
    EXPECT(ST_DENIED, store_tx_del(s.tx, &kind_domain, &s.domain, "test.del", &err));
    store_rollback(s.tx);
    EXPECT(ST_OK, store_begin(s.store, &s.tx, &err));
    s.domain.version = 1;
    suite_set(&kind_domain, &s.domain, "tenant", s.from.name);
    del(&s, &kind_key, &s.published);
    give_to(&s, &s.to);
    del(&s, &kind_key, &s.staged);
    del(&s, &kind_domain, &s.domain);
    del(&s, &kind_tenant, &s.from);
    del(&s, &kind_tenant, &s.to);
    commit(&s);
    check_gone(&s, &kind_key, &s.staged);
    check_gone(&s, &kind_key, &s.published);
    check_gone(&s, &kind_domain, &s.domain);
    check_gone(&s, &kind_tenant, &s.from);
    check_gone(&s, &kind_tenant, &s.to);
    end(&s);
}

static void a_tenant_whose_domain_moved_to_a_new_one_is_removed(void **state)
{
    struct scene s = begin();
    struct tenant new = new_tenant();
    (void)state;
    EXPECT(ST_DENIED, store_tx_del(s.tx, &kind_tenant, &s.from, "test.del", &err));
    store_rollback(s.tx);
    EXPECT(ST_OK, store_begin(s.store, &s.tx, &err));
    put(&s, &kind_tenant, &new);
    give_to(&s, &s.to);
    give_to(&s, &new);
    del(&s, &kind_tenant, &s.from);
    del(&s, &kind_tenant, &s.to);
    commit(&s);
    check_gone(&s, &kind_tenant, &s.from);
    check_gone(&s, &kind_tenant, &s.to);
    check_all(&s);
    kind_clear(&kind_tenant, &new);
    end(&s);
}

static void no_second_domain_takes_the_name_of_one_that_moved(void **state)
{
    struct scene s = begin();
    struct domain second = {.expiry = -1};
    (void)state;
    suite_set(&kind_domain, &second, "name", s.domain.name);
    suite_set(&kind_domain, &second, "tenant", s.from.name);
    give_to(&s, &s.to);
    EXPECT(ST_CONFLICT, store_tx_put(s.tx, &kind_domain, &second, "domain.add", &err));
    store_rollback(s.tx);
    s.domain.version = 1;
    EXPECT(ST_OK, store_begin(s.store, &s.tx, &err));
    give_to(&s, &s.to);
    commit(&s);
    EXPECT(ST_CONFLICT, suite_put(s.store, &kind_domain, &second, "domain.add", &err));
    check_all(&s);
    kind_clear(&kind_domain, &second);
    end(&s);
}

int suite_moves(void)
{
    const struct CMUnitTest moves[] = {
        cmocka_unit_test(a_moved_domain_is_changed_again),
        cmocka_unit_test(a_changed_domain_is_moved),
        cmocka_unit_test(keys_of_a_moved_domain_are_changed),
        cmocka_unit_test(a_key_that_became_active_goes_with_its_domain),
        cmocka_unit_test(a_domain_is_moved_twice_or_back),
        cmocka_unit_test(a_new_domain_is_moved),
        cmocka_unit_test(a_moved_domain_is_removed_with_its_keys),
        cmocka_unit_test(a_tenant_whose_domain_moved_to_a_new_one_is_removed),
        cmocka_unit_test(no_second_domain_takes_the_name_of_one_that_moved),
    };
    return cmocka_run_group_tests(moves, NULL, NULL);
}
