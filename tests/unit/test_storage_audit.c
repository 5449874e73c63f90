/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "sql/migrate.h"
#include "sql/sqlite.h"
#include "storage/store.h"

static char folder[64], url[112];

static int make_store(void **state)
{
    const struct migrate_options options = {.url = url, .timeout_ms = 5000, .create = true};
    struct migrate_report report;
    struct err err = {0};
    (void)state;
    strcpy(folder, "/tmp/inkan-audit-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(url, sizeof url, "sqlite:%s/inkan.db", folder);
    return migrate_run(&options, &report, &err) == ST_OK ? 0 : -1;
}

static int remove_store(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[128];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s/inkan.db%s", folder, suffixes[i]);
        unlink(name);
    }
    return rmdir(folder);
}

/* As another program might. */
static void execute(const char *sql)
{
    const struct driver_options options = {.url = url};
    struct driver_conn *conn = NULL;
    struct err err = {0};
    assert_int_equal(sqlite_driver.open(&options, clock_monotonic_ms() + 5000, &conn, &err), ST_OK);
    if (sqlite_execute(conn, sql, &err) != ST_OK)
        fail_msg("%s", err.text);
    sqlite_driver.close(conn);
}

static enum status expect_detail(void *arg, const void *record, struct err *err)
{
    (void)err;
    assert_string_equal(((const struct event *)record)->detail, arg);
    return ST_OK;
}

static void a_record_with_control_characters_can_be_removed(void **state)
{
    const struct store_options options = {
        .url = url, .timeout_ms = 5000, .connections = 1, .actor = "test"};
    struct query last = {.kind = &kind_event, .descending = true, .limit = 1};
    struct store *store = NULL;
    struct store_tx *tx = NULL;
    struct tenant tenant = {0};
    struct err err = {0};
    (void)state;
    execute("INSERT INTO tenant VALUES ('acme', 'active', 'a' || char(7) || 'b', 1, 1, 1)");
    assert_int_equal(store_open(&options, &store, &err), ST_OK);
    assert_int_equal(store_tenant(store, "acme", &tenant, &err), ST_OK);
    assert_int_equal(store_begin(store, &tx, &err), ST_OK);
    if (store_tx_del(tx, &kind_tenant, &tenant, "tenant.remove", &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(store_commit(tx, &err), ST_OK);
    char detail[] = "status=active; note=a\\x07b";
    assert_int_equal(store_find(store, &last, expect_detail, detail, &err), ST_OK);
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_with_control_characters_can_be_removed, make_store,
                                        remove_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
