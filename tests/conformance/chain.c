/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit events are chained: each is hashed with the one before it, whoever wrote that, and what is
 * taken back leaves no trace in the chain.
 */
#include "tests/conformance/suite.h"

#include <pthread.h>

#include "storage/chain.h"

struct inspection {
    struct chain chain;
    bool broken;
};

static enum status inspect(void *arg, const void *record, struct err *err)
{
    struct inspection *inspection = arg;
    enum chain_link link = CHAIN_FITS;
    enum status st = chain_add(&inspection->chain, record, &link, err);
    if (link != CHAIN_FITS)
        print_message("    event %lld does not fit\n",
                      (long long)((const struct event *)record)->id);
    inspection->broken = inspection->broken || link != CHAIN_FITS;
    return st;
}

/* All of the log; fails the test if it is not one chain. */
static struct chain walk(struct store *store)
{
    struct query query = {.kind = &kind_event};
    struct inspection inspection = {.broken = false};
    EXPECT(ST_OK, store_find(store, &query, inspect, &inspection, &err));
    assert_false(inspection.broken);
    assert_int_equal(inspection.chain.unchained, 0);
    return inspection.chain;
}

static void add_tenant(struct store *store, const char *name)
{
    struct tenant tenant = {0};
    suite_set(&kind_tenant, &tenant, "name", name);
    EXPECT(ST_OK, suite_put(store, &kind_tenant, &tenant, "tenant.add", &err));
    kind_clear(&kind_tenant, &tenant);
}

static void begin_tenant(struct store *store, const char *name, struct store_tx **tx)
{
    struct tenant tenant = {0};
    suite_set(&kind_tenant, &tenant, "name", name);
    EXPECT(ST_OK, store_begin(store, tx, &err));
    EXPECT(ST_OK, store_tx_put(*tx, &kind_tenant, &tenant, "tenant.add", &err));
    kind_clear(&kind_tenant, &tenant);
}

/* -- one writer ---------------------------------------------------------------------------- */

static void each_event_follows_the_one_before(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    (void)state;
    struct chain before = walk(store);
    suite_add_domain(store, NULL, 0);
    struct chain after = walk(store);
    assert_int_equal(after.events, before.events + 2);
    assert_int_equal(strlen(after.last), CHAIN_HASH_SIZE - 1);
    assert_string_not_equal(after.last, before.last);
    store_close(store);
}

static void what_is_taken_back_leaves_no_gap(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct store_tx *tx = NULL;
    (void)state;
    struct chain before = walk(store);
    begin_tenant(store, suite_name("t"), &tx);
    store_rollback(tx);
    assert_string_equal(walk(store).last, before.last);
    add_tenant(store, suite_name("t"));
    struct chain after = walk(store);
    assert_int_equal(after.events, before.events + 1);
    assert_string_equal(after.before, before.last);
    store_close(store);
}

/* More than are kept in memory. */
static void a_transaction_of_very_many_events_is_one_chain(void **state)
{
    enum { EVENTS = 1003 };
    struct store *store = suite_open(1, 10 * SUITE_TIMEOUT_MS);
    struct store_tx *tx = NULL;
    struct tenant tenant = {0};
    (void)state;
    struct chain before = walk(store);
    suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    for (int i = 0; i < EVENTS; i++) {
        suite_set(&kind_tenant, &tenant, "note", i % 2 == 0 ? "even" : "odd");
        EXPECT(ST_OK, store_tx_put(tx, &kind_tenant, &tenant, "tenant.set", &err));
    }
    EXPECT(ST_OK, store_commit(tx, &err));
    assert_int_equal(walk(store).events, before.events + EVENTS);
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

static void what_tells_of_no_record_is_chained_too(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct store_tx *tx = NULL;
    struct event event = {.time = 1,
                          .actor = "someone",
                          .action = "store.watch",
                          .kind = "store",
                          .name = "here",
                          .hash = "of another store"};
    (void)state;
    struct chain before = walk(store);
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    EXPECT(ST_OK, store_tx_event(tx, &event, &err));
    EXPECT(ST_OK, store_commit(tx, &err));
    struct chain after = walk(store);
    assert_int_equal(after.events, before.events + 1);
    assert_string_equal(after.before, before.last);
    assert_int_equal(after.last_time, 1);
    store_close(store);
}

/* -- several ------------------------------------------------------------------------------- */

/* The second begins before the first has committed, wherever the data base lets it. */
static void writers_that_overlap_are_one_behind_the_other(void **state)
{
    struct store *a = suite_open(1, SUITE_TIMEOUT_MS), *b = suite_open(1, 300);
    struct store_tx *first = NULL, *second = NULL;
    struct err why = {0};
    struct tenant tenant = {0};
    (void)state;
    struct chain before = walk(a);
    begin_tenant(a, suite_name("t"), &first);
    suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
    enum status st = store_begin(b, &second, &why);
    if (st == ST_OK)
        st = store_tx_put(second, &kind_tenant, &tenant, "tenant.add", &why);
    EXPECT(ST_OK, store_commit(first, &err));
    int64_t committed = 1;
    if (st == ST_OK)
        committed += store_commit(second, &why) == ST_OK;
    else
        store_rollback(second);
    assert_int_equal(walk(a).events, before.events + committed);
    kind_clear(&kind_tenant, &tenant);
    store_close(a);
    store_close(b);
}

enum { WRITERS = 4, CHANGES = 15 };

struct writer {
    pthread_t thread;
    char names[CHANGES][32];
    int committed;
    struct err unwanted;
};

static enum status add(struct store *store, const char *name, struct err *err)
{
    struct tenant tenant = {.name = strdup(name)};
    enum status st = suite_put(store, &kind_tenant, &tenant, "tenant.add", err);
    kind_clear(&kind_tenant, &tenant);
    return st;
}

/* Who comes too late does it again, as people do. */
static void *keep_writing(void *arg)
{
    struct writer *writer = arg;
    struct store *store = suite_open(1, 5 * SUITE_TIMEOUT_MS);
    int64_t until_ms = clock_monotonic_ms() + INT64_C(30000);
    for (int i = 0; i < CHANGES;) {
        struct err why = {0};
        enum status st = add(store, writer->names[i], &why);
        writer->committed += st == ST_OK;
        i += st == ST_OK;
        if (st == ST_OK || (st == ST_TEMP && clock_monotonic_ms() < until_ms))
            continue;
        writer->unwanted = why;
        break;
    }
    store_close(store);
    return NULL;
}

static void many_writers_at_once_make_one_chain(void **state)
{
    static struct writer writers[WRITERS];
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    (void)state;
    struct chain before = walk(store);
    for (int i = 0; i < WRITERS; i++)
        for (int k = 0; k < CHANGES; k++)
            strcpy(writers[i].names[k], suite_name("t"));
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i].thread, NULL, keep_writing, &writers[i]), 0);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        suite_expect(writers[i].unwanted.code, ST_OK, &writers[i].unwanted, "a writer");
        assert_int_equal(writers[i].committed, CHANGES);
    }
    assert_int_equal(walk(store).events, before.events + WRITERS * CHANGES);
    store_close(store);
}

/* -- copies -------------------------------------------------------------------------------- */

static enum status keep(void *arg, const void *record, struct err *err)
{
    kind_clear(&kind_event, arg);
    return kind_copy(&kind_event, record, arg, err);
}

static void last_event(struct store *store, struct event *out)
{
    struct query query = {.kind = &kind_event, .descending = true, .limit = 1};
    EXPECT(ST_OK, store_find(store, &query, keep, out, &err));
}

/* An event that follows the newest one, as another store has made it. */
static void a_copied_event_keeps_its_hash_and_the_chain_goes_on(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct store_tx *tx = NULL;
    struct event event = {0};
    char hash[CHAIN_HASH_SIZE];
    (void)state;
    add_tenant(store, suite_name("t"));
    last_event(store, &event);
    EXPECT(ST_OK, chain_hash(event.hash, &event, hash, &err));
    suite_set(&kind_event, &event, "hash", hash);
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    EXPECT(ST_OK, store_tx_copy(tx, &kind_event, &event, &err));
    EXPECT(ST_OK, store_commit(tx, &err));
    assert_string_equal(walk(store).last, hash);
    add_tenant(store, suite_name("t"));
    assert_string_equal(walk(store).before, hash);
    kind_clear(&kind_event, &event);
    store_close(store);
}

int suite_chain(void)
{
    const struct CMUnitTest chain[] = {
        cmocka_unit_test(each_event_follows_the_one_before),
        cmocka_unit_test(what_is_taken_back_leaves_no_gap),
        cmocka_unit_test(a_transaction_of_very_many_events_is_one_chain),
        cmocka_unit_test(what_tells_of_no_record_is_chained_too),
        cmocka_unit_test(writers_that_overlap_are_one_behind_the_other),
        cmocka_unit_test(many_writers_at_once_make_one_chain),
        cmocka_unit_test(a_copied_event_keeps_its_hash_and_the_chain_goes_on),
    };
    return cmocka_run_group_tests(chain, NULL, NULL);
}
