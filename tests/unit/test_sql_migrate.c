/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "storage/store.h"
#include "tests/unit/test_store_support.h"

static void expect(enum status want, bool create, const char *part)
{
    struct driver_migration report;
    struct err err = {0};
    enum status st = migrate(create, &report, &err);
    if (st != want || strstr(err.text, part) == NULL)
        fail_msg("%s (%s) instead of %s (%s)", status_name(st), err.text, status_name(want), part);
}

static void a_new_store_gets_the_newest_schema(void **state)
{
    struct driver_migration report;
    struct err err = {0};
    (void)state;
    assert_int_equal(migrate(true, &report, &err), ST_OK);
    assert_int_equal(report.before, 0);
    assert_int_equal(report.after, STORE_SCHEMA_VERSION);
    expect(ST_CONFLICT, true, "exists already");
    assert_int_equal(migrate(false, &report, &err), ST_OK);
    assert_int_equal(report.before, STORE_SCHEMA_VERSION);
}

static void a_store_that_is_not_there_is_not_made_by_migrate(void **state)
{
    (void)state;
    expect(ST_NOT_FOUND, false, "no such data base");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_changed_migration_is_noticed(void **state)
{
    (void)state;
    expect(ST_OK, true, "");
    execute("UPDATE migration SET checksum = 'something else' WHERE version = 1");
    expect(ST_BROKEN, false, "0001_init was applied with another text");
}

static void a_newer_schema_is_left_alone(void **state)
{
    (void)state;
    expect(ST_OK, true, "");
    execute("INSERT INTO migration VALUES (9999, '9999_future', 'x', 0)");
    expect(ST_BROKEN, false, "schema version 9999");
}

static enum status check_store(struct err *err)
{
    const struct store_options options = {
        .url = url, .timeout_ms = 5000, .connections = 1, .actor = "test"};
    struct store *store = NULL;
    enum status st = store_open(&options, &store, err);
    if (st == ST_OK)
        st = store_check(store, err);
    store_close(store);
    return st;
}

/* What later migrations have added to the first. */
static const char older[] =
    "DROP VIEW place_now; DROP VIEW place; DROP VIEW signing; DROP INDEX key_active;"
    "DROP INDEX tenant_by_place;"
    "ALTER TABLE key DROP COLUMN reserved; ALTER TABLE tenant DROP COLUMN on_no_key;"
    "ALTER TABLE tenant DROP COLUMN subdomains; ALTER TABLE tenant DROP COLUMN canonicalization;"
    "ALTER TABLE tenant DROP COLUMN expiry; ALTER TABLE tenant DROP COLUMN headers;"
    "ALTER TABLE tenant DROP COLUMN oversign; ALTER TABLE tenant DROP COLUMN also_provider;"
    "ALTER TABLE tenant DROP COLUMN one_signature; ALTER TABLE tenant DROP COLUMN ed25519;"
    "CREATE UNIQUE INDEX key_active ON key (domain, algorithm) WHERE state = 'active';"
    "DROP INDEX event_by_name; DROP INDEX key_by_due; DROP TABLE lease;"
    "ALTER TABLE tenant DROP COLUMN on_unpublished; ALTER TABLE tenant DROP COLUMN algorithms;"
    "ALTER TABLE tenant DROP COLUMN freeze; ALTER TABLE domain DROP COLUMN freeze;"
    "ALTER TABLE tenant DROP COLUMN max_age; ALTER TABLE tenant DROP COLUMN soak;"
    "ALTER TABLE tenant DROP COLUMN overlap; ALTER TABLE tenant DROP COLUMN tombstone;"
    "ALTER TABLE domain DROP COLUMN algorithms; ALTER TABLE domain DROP COLUMN max_age;"
    "ALTER TABLE domain DROP COLUMN soak; ALTER TABLE domain DROP COLUMN overlap;"
    "ALTER TABLE domain DROP COLUMN tombstone; ALTER TABLE key DROP COLUMN shown;"
    "ALTER TABLE key DROP COLUMN checked; ALTER TABLE key DROP COLUMN ttl;"
    "ALTER TABLE key DROP COLUMN due; ALTER TABLE event DROP COLUMN hash;"
    "ALTER TABLE domain DROP COLUMN delegation; ALTER TABLE key DROP COLUMN target;"
    "CREATE VIEW signing AS SELECT 1;"
    "DELETE FROM migration WHERE version > 1";

static void an_older_schema_is_refused_until_it_is_migrated(void **state)
{
    struct err err = {0};
    (void)state;
    expect(ST_OK, true, "");
    execute(older);
    assert_int_equal(check_store(&err), ST_BROKEN);
    assert_non_null(strstr(err.text, "schema version 1 of"));
    assert_non_null(strstr(err.text, "run inkan store migrate"));
    expect(ST_CONFLICT, true, "exists already");
    expect(ST_OK, false, "");
    assert_int_equal(check_store(&err), ST_OK);
    execute(older); /* fails if it is not all there again */
}

static void other_kinds_of_store_are_refused(void **state)
{
    const struct driver_options options = {.url = "mysql://h/d"};
    struct driver_migration report = {.timeout_ms = 100};
    struct err err = {0};
    (void)state;
    assert_int_equal(sql_migrate(&options, &report, &err), ST_INVALID);
}

static void *migrate_thread(void *arg)
{
    struct driver_migration report;
    struct err err = {0};
    enum status st = migrate(true, &report, &err);
    *(enum status *)arg = st;
    return NULL;
}

/* Whoever comes second finds it done: applied once, whichever way the two interleave. */
static void two_programs_that_start_together_migrate_once(void **state)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    enum status answers[THREADS];
    size_t made = 0;
    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, migrate_thread, &answers[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(answers[i] == ST_OK || answers[i] == ST_CONFLICT);
        made += answers[i] == ST_OK;
    }
    assert_int_equal(made, 1);
    expect(ST_OK, false, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_store_gets_the_newest_schema, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_store_that_is_not_there_is_not_made_by_migrate,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_changed_migration_is_noticed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_newer_schema_is_left_alone, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_older_schema_is_refused_until_it_is_migrated,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(other_kinds_of_store_are_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(two_programs_that_start_together_migrate_once, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
