/* SPDX-License-Identifier: Apache-2.0
 *
 * Schema versions: ours is accepted, a newer one is refused with a sentence. Runs last, because
 * it leaves the store with a newer schema.
 */
#include "tests/conformance/suite.h"

static void our_schema_is_accepted(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    int version = 0;
    (void)state;
    EXPECT(ST_OK, store_check(store, &err));
    EXPECT(ST_OK, store_schema(store, &version, &err));
    assert_int_equal(version, STORE_SCHEMA_VERSION);
    store_close(store);
}

static void a_newer_schema_is_refused_with_a_sentence(void **state)
{
    suite_need(suite_commands.newer, "raise the schema of");
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct tenant tenant = {.name = strdup("x")};
    struct err refused = {0};
    (void)state;
    suite_do(suite_commands.newer);
    suite_expect(store_check(store, &refused), ST_BROKEN, &refused, "store_check");
    assert_non_null(strstr(refused.text, "use a newer inkan"));
    EXPECT(ST_BROKEN, store_get(store, &kind_tenant, &tenant, &err));
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

int suite_schema(void)
{
    const struct CMUnitTest schema[] = {
        cmocka_unit_test(our_schema_is_accepted),
        cmocka_unit_test(a_newer_schema_is_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(schema, NULL, NULL);
}
