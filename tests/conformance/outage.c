/* SPDX-License-Identifier: Apache-2.0
 *
 * The server hangs, crashes and comes back: every call ends in time, and the same store works
 * again without being opened anew.
 */
#include "tests/conformance/suite.h"

#include <unistd.h>

enum {
    SHORT_MS = 1000, /* of a call while the server is in trouble */
    SLACK_MS = 1500, /* of a machine that stands still at times */
    COMMIT_MS = 500, /* less than a slowed commit takes */
    RECOVERY_MS = 5000
};

static enum status get_tenant(struct store *store, const char *name, struct err *err)
{
    struct tenant tenant = {0};
    enum status st = store_tenant(store, name, &tenant, err);
    kind_clear(&kind_tenant, &tenant);
    return st;
}

/* Fills the pool, so that the outage meets open connections. */
static void warm(struct store *store, const char *tenant)
{
    struct store_tx *a = NULL;
    EXPECT(ST_OK, store_begin(store, &a, &err));
    EXPECT(ST_OK, get_tenant(store, tenant, &err));
    store_rollback(a);
}

static void expect_recovery(struct store *store, const char *tenant)
{
    int64_t start_ms = clock_monotonic_ms();
    struct err err = {0};
    while (get_tenant(store, tenant, &err) != ST_OK) {
        if (clock_monotonic_ms() - start_ms > RECOVERY_MS)
            fail_msg("not back after %d ms: %s", RECOVERY_MS, err.text);
        usleep(50000);
    }
    warm(store, tenant);
}

/* A call with the server in trouble: ST_TEMP, and in time. */
static void expect_temp_in_time(struct store *store, const char *tenant)
{
    struct store_tx *tx = NULL;
    int64_t start_ms = clock_monotonic_ms();
    EXPECT(ST_TEMP, get_tenant(store, tenant, &err));
    assert_in_range(clock_monotonic_ms() - start_ms, 0, SHORT_MS + SLACK_MS);
    start_ms = clock_monotonic_ms();
    EXPECT(ST_TEMP, store_begin(store, &tx, &err));
    assert_in_range(clock_monotonic_ms() - start_ms, 0, SHORT_MS + SLACK_MS);
    assert_false(store_up(store));
}

static void a_server_that_hangs_is_left_at_the_deadline(void **state)
{
    suite_need(suite_commands.hang, "hang");
    struct store *store = suite_open(2, SHORT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    (void)state;
    warm(store, names.tenant);
    suite_do(suite_commands.hang);
    for (int i = 0; i < 3; i++)
        expect_temp_in_time(store, names.tenant);
    suite_do(suite_commands.resume);
    expect_recovery(store, names.tenant);
    store_close(store);
}

/* The tests after a failed one find a server that runs. */
static int resume(void **state)
{
    (void)state;
    if (suite_commands.resume != NULL)
        suite_do(suite_commands.resume);
    return 0;
}

static void a_server_that_went_and_came_back_is_found(void **state)
{
    suite_need(suite_commands.stop, "stop");
    struct store *store = suite_open(2, SHORT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    (void)state;
    warm(store, names.tenant);
    suite_do(suite_commands.stop);
    for (int i = 0; i < 3; i++)
        expect_temp_in_time(store, names.tenant);
    suite_do(suite_commands.start);
    expect_recovery(store, names.tenant);
    store_close(store);
}

/* All idle connections are dead after a restart that nobody noticed: no call may fail for it. */
static void a_restart_between_two_calls_is_not_noticed(void **state)
{
    suite_need(suite_commands.stop, "stop");
    struct store *store = suite_open(2, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    (void)state;
    warm(store, names.tenant);
    suite_do(suite_commands.stop);
    suite_do(suite_commands.start);
    EXPECT(ST_OK, get_tenant(store, names.tenant, &err));
    EXPECT(ST_OK, get_tenant(store, names.tenant, &err));
    store_close(store);
}

static struct store_tx *begin_with(struct store *store, struct tenant *tenant)
{
    struct store_tx *tx = NULL;
    suite_set(&kind_tenant, tenant, "name", suite_name("t"));
    EXPECT(ST_OK, store_begin(store, &tx, &err));
    EXPECT(ST_OK, store_tx_put(tx, &kind_tenant, tenant, "tenant.add", &err));
    return tx;
}

static void a_change_cut_short_by_a_crash_is_not_made(void **state)
{
    suite_need(suite_commands.stop, "stop");
    struct store *store = suite_open(2, SHORT_MS);
    struct tenant tenant = {0};
    (void)state;
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    struct store_tx *tx = begin_with(store, &tenant);
    suite_do(suite_commands.stop);
    struct err why = {0};
    assert_int_not_equal(store_commit(tx, &why), ST_OK);
    suite_do(suite_commands.start);
    expect_recovery(store, names.tenant);
    EXPECT(ST_NOT_FOUND, store_get(store, &kind_tenant, &tenant, &err));
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

/* The commit takes longer than its deadline and succeeds all the same, after the connection was
 * given up: the store must find out, and say so. */
static void a_commit_whose_answer_was_lost_is_looked_after(void **state)
{
    suite_need(suite_commands.slow, "slow the commits of");
    struct store *store = suite_open(2, COMMIT_MS);
    struct tenant tenant = {0};
    struct err why = {0};
    (void)state;
    suite_do(suite_commands.slow);
    struct store_tx *tx = begin_with(store, &tenant);
    enum status st = store_commit(tx, &why);
    suite_do(suite_commands.fast);
    suite_expect(st, ST_OK, &why, "store_commit");
    expect_recovery(store, tenant.name);
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

int suite_outage(void)
{
    const struct CMUnitTest outage[] = {
        cmocka_unit_test_teardown(a_server_that_hangs_is_left_at_the_deadline, resume),
        cmocka_unit_test(a_server_that_went_and_came_back_is_found),
        cmocka_unit_test(a_restart_between_two_calls_is_not_noticed),
        cmocka_unit_test(a_change_cut_short_by_a_crash_is_not_made),
        cmocka_unit_test(a_commit_whose_answer_was_lost_is_looked_after),
    };
    return cmocka_run_group_tests(outage, NULL, NULL);
}
