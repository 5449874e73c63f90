/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/store.h"
#include "tests/unit/test_store_support.h"

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
    struct driver_migration report;
    struct err err = {0};
    (void)state;
    assert_int_equal(migrate(true, &report, &err), ST_OK);
    execute("INSERT INTO tenant (name, status, note, created, updated, version)"
            " VALUES ('acme', 'active', 'a' || char(7) || 'b', 1, 1, 1)");
    assert_int_equal(store_open(&options, &store, &err), ST_OK);
    assert_int_equal(store_tenant(store, "acme", &tenant, &err), ST_OK);
    assert_int_equal(store_begin(store, &tx, &err), ST_OK);
    if (store_tx_del(tx, &kind_tenant, &tenant, "tenant.remove", &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(store_commit(tx, &err), ST_OK);
    char detail[] = "status=active; on_unpublished=sign; on_no_key=auto; subdomains=no; "
                    "expiry=-1; also_provider=no; one_signature=no; ed25519=on; note=a\\x07b";
    assert_int_equal(store_find(store, &last, expect_detail, detail, &err), ST_OK);
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_with_control_characters_can_be_removed,
                                        make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
