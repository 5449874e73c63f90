/* SPDX-License-Identifier: Apache-2.0
 *
 * A transaction that reads ahead and adds many records at once does what one does that asks and
 * writes one by one. Where a store gains nothing by it, it is one of those.
 */
#include "tests/conformance/suite.h"

#include <stdio.h>

#include "storage/chain.h"

enum { MANY = 3 * DRIVER_ANY_MAX / 2, NAME_MAX = 64 };

static struct store *store;
static struct {
    char tenant[NAME_MAX], domains[MANY][NAME_MAX], events[MANY][NAME_MAX];
    const char *domain_list[MANY], *event_list[MANY];
} names;

static int open_store(void **state)
{
    (void)state;
    store = suite_open(2, SUITE_TIMEOUT_MS);
    snprintf(names.tenant, sizeof names.tenant, "%s", suite_name("t"));
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names.domains[i], NAME_MAX, "%s", suite_name("d"));
        snprintf(names.events[i], NAME_MAX, "%.50s s1", names.domains[i]);
        names.domain_list[i] = names.domains[i];
        names.event_list[i] = names.events[i];
    }
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    store_close(store);
    return 0;
}

static void add_tenant(struct store_tx *tx)
{
    struct tenant tenant = {.expiry = -1};
    suite_set(&kind_tenant, &tenant, "name", names.tenant);
    EXPECT(ST_OK, store_tx_put(tx, &kind_tenant, &tenant, "tenant.add", &err));
    kind_clear(&kind_tenant, &tenant);
}

static enum status add_domain(struct store_tx *tx, const char *name, struct err *err)
{
    struct domain domain = {.expiry = -1};
    suite_set(&kind_domain, &domain, "name", name);
    suite_set(&kind_domain, &domain, "tenant", names.tenant);
    enum status st = store_tx_put(tx, &kind_domain, &domain, "domain.add", err);
    kind_clear(&kind_domain, &domain);
    return st;
}

static void fill_key(const char *domain, const char *selector, struct key *out)
{
    suite_set(&kind_key, out, "domain", domain);
    suite_set(&kind_key, out, "selector", selector);
    suite_set(&kind_key, out, "kek", "none");
    out->bits = 2048;
    buf_append_str(&out->public_key, "public");
    buf_append(&out->sealed, "\0\xff", 2);
}

/* Added, and changed in the same transaction. */
static void add_key(struct store_tx *tx, const char *domain, const char *selector)
{
    struct key key = {.state = KEY_STAGED};
    fill_key(domain, selector, &key);
    EXPECT(ST_OK, store_tx_put(tx, &kind_key, &key, "key.add", &err));
    assert_int_equal(key.version, 1);
    key.state = KEY_PUBLISHED;
    EXPECT(ST_OK, store_tx_put(tx, &kind_key, &key, "key.prove", &err));
    assert_int_equal(key.version, 2);
    kind_clear(&kind_key, &key);
}

static struct store_tx *begin_ahead(void)
{
    const char *tenants[] = {names.tenant};
    struct store_tx *tx = NULL;
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    EXPECT(ST_OK, store_tx_ahead(tx, &kind_tenant, tenants, 1, &err));
    EXPECT(ST_OK, store_tx_ahead(tx, &kind_domain, names.domain_list, MANY, &err));
    EXPECT(ST_OK, store_tx_ahead(tx, &kind_key, names.domain_list, MANY, &err));
    EXPECT(ST_OK, store_tx_ahead(tx, &kind_event, names.event_list, MANY, &err));
    return tx;
}

static enum status count(void *arg, const void *record, struct err *err)
{
    (void)record, (void)err;
    ++*(size_t *)arg;
    return ST_OK;
}

static struct query keys_of(const char *domain, int64_t state)
{
    return (struct query){
        .kind = &kind_key,
        .filters = {{.field = kind_field(&kind_key, SPAN_LIT("domain")), .text = domain},
                    {.field = kind_field(&kind_key, SPAN_LIT("state")), .number = state}},
        .filter_count = 2};
}

static size_t count_keys(struct store_tx *tx, const char *domain, int64_t state)
{
    struct query query = keys_of(domain, state);
    size_t found = 0;
    EXPECT(ST_OK, store_tx_find(tx, &query, count, &found, &err));
    return found;
}

static size_t count_events(const char *kind, const char *name)
{
    struct query query = {
        .kind = &kind_event,
        .filters = {{.field = kind_field(&kind_event, SPAN_LIT("kind")), .text = kind},
                    {.field = kind_field(&kind_event, SPAN_LIT("name")), .text = name}},
        .filter_count = 2};
    size_t found = 0;
    EXPECT(ST_OK, store_find(store, &query, count, &found, &err));
    return found;
}

static enum status take_event(void *arg, const void *record, struct err *err)
{
    enum chain_link link;
    enum status st = chain_add(arg, record, &link, err);
    if (st == ST_OK)
        assert_int_equal(link, CHAIN_FITS);
    return st;
}

static void expect_chain(void)
{
    struct chain chain = {.events = 0};
    const struct query query = {.kind = &kind_event};
    EXPECT(ST_OK, store_find(store, &query, take_event, &chain, &err));
}

static void what_is_added_is_seen_at_once_and_kept(void **state)
{
    struct key key = {.state = KEY_STAGED};
    struct store_tx *tx = begin_ahead();
    (void)state;
    add_tenant(tx);
    for (size_t i = 0; i < MANY; i++)
        EXPECT(ST_OK, add_domain(tx, names.domains[i], &err));
    for (size_t i = 0; i < MANY; i++)
        add_key(tx, names.domains[i], "s1");
    assert_int_equal(count_keys(tx, names.domains[7], KEY_PUBLISHED), 1);
    assert_int_equal(count_keys(tx, names.domains[7], KEY_STAGED), 0);
    EXPECT(ST_OK, store_commit(tx, &err));
    EXPECT(ST_OK, store_key(store, names.domains[MANY - 1], "s1", &key, &err));
    assert_int_equal(key.version, 2);
    assert_int_equal(key.state, KEY_PUBLISHED);
    assert_int_equal(key.bits, 2048);
    assert_true(span_equal(buf_span(&key.sealed), span_of("\0\xff", 2)));
    kind_clear(&kind_key, &key);
    assert_int_equal(count_events("key", names.events[3]), 2);
    assert_int_equal(count_events("domain", names.domains[3]), 1);
    expect_chain();
}

static void what_is_there_is_found_and_changed(void **state)
{
    struct key key = {.state = KEY_STAGED};
    struct domain domain = {.name = NULL};
    struct store_tx *tx = begin_ahead();
    (void)state;
    EXPECT(ST_CONFLICT, add_domain(tx, names.domains[0], &err));
    store_rollback(tx);
    tx = begin_ahead();
    suite_set(&kind_domain, &domain, "name", names.domains[0]);
    EXPECT(ST_OK, store_tx_get(tx, &kind_domain, &domain, &err));
    add_key(tx, names.domains[0], "s2");
    domain.subdomains = 1;
    EXPECT(ST_OK, store_tx_put(tx, &kind_domain, &domain, "domain.set", &err));
    EXPECT(ST_OK, store_tx_get(tx, &kind_domain, &domain, &err));
    assert_int_equal(domain.version, 2);
    assert_int_equal(count_keys(tx, names.domains[0], KEY_PUBLISHED), 2);
    EXPECT(ST_OK, store_commit(tx, &err));
    EXPECT(ST_OK, store_key(store, names.domains[0], "s2", &key, &err));
    EXPECT(ST_OK, store_domain(store, names.domains[0], &domain, &err));
    assert_int_equal(domain.subdomains, 1);
    kind_clear(&kind_key, &key);
    kind_clear(&kind_domain, &domain);
    expect_chain();
}

static void what_is_removed_is_gone(void **state)
{
    struct key key = {.state = KEY_STAGED};
    struct store_tx *tx = begin_ahead();
    (void)state;
    suite_set(&kind_key, &key, "domain", names.domains[1]);
    suite_set(&kind_key, &key, "selector", "s1");
    EXPECT(ST_OK, store_tx_get(tx, &kind_key, &key, &err));
    add_key(tx, names.domains[1], "s3");
    EXPECT(ST_OK, store_tx_del(tx, &kind_key, &key, "key.remove", &err));
    EXPECT(ST_NOT_FOUND, store_tx_get(tx, &kind_key, &key, &err));
    assert_int_equal(count_keys(tx, names.domains[1], KEY_PUBLISHED), 1);
    EXPECT(ST_OK, store_commit(tx, &err));
    kind_clear(&kind_key, &key);
}

/* Somebody else adds one of the domains meanwhile, where the store lets two in at a time. */
static void another_writer_makes_a_conflict_of_all(void **state)
{
    struct store *other = suite_open(1, 300);
    struct store_tx *tx = NULL, *second = NULL;
    struct domain domain = {.name = NULL};
    struct err why = {0};
    (void)state;
    names.domain_list[0] = strcpy(names.domains[0], suite_name("d"));
    names.domain_list[1] = strcpy(names.domains[1], suite_name("d"));
    tx = begin_ahead();
    EXPECT(ST_OK, add_domain(tx, names.domains[0], &err));
    EXPECT(ST_OK, add_domain(tx, names.domains[1], &err));
    enum status st = store_begin(other, &second, &why);
    if (st == ST_OK)
        st = add_domain(second, names.domains[1], &why);
    st = st == ST_OK ? store_commit(second, &why) : (store_rollback(second), st);
    enum status ours = store_commit(tx, &why);
    assert_true(st == ST_OK ? ours == ST_CONFLICT || ours == ST_TEMP : ours == ST_OK);
    EXPECT(st == ST_OK ? ST_NOT_FOUND : ST_OK,
           store_domain(store, names.domains[0], &domain, &err));
    kind_clear(&kind_domain, &domain);
    store_close(other);
}

int suite_ahead(void)
{
    const struct CMUnitTest ahead[] = {
        cmocka_unit_test(what_is_added_is_seen_at_once_and_kept),
        cmocka_unit_test(what_is_there_is_found_and_changed),
        cmocka_unit_test(what_is_removed_is_gone),
        cmocka_unit_test(another_writer_makes_a_conflict_of_all),
    };
    return cmocka_run_group_tests(ahead, open_store, close_store);
}
