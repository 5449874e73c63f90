/* SPDX-License-Identifier: Apache-2.0
 *
 * A key's life: which steps an operator may make, and how selectors are named.
 */
#include "tests/unit/test_dkim_support.h"

#include "admin/lifecycle.h"
#include "dkim/crypto.h"

enum { NOW = 1795219200 }; /* 2026-11-21 00:00:00 UTC */

static void fill_key(struct key *key, enum key_state state)
{
    *key = (struct key){.domain = span_dup(SPAN_LIT("example.com")),
                        .selector = span_dup(SPAN_LIT("s1")),
                        .state = state,
                        .kek = span_dup(SPAN_LIT("k1"))};
    buf_append_str(&key->sealed, "sealed");
}

static void steps_are_allowed_or_refused(void **state)
{
    static const struct {
        enum key_state from;
        enum lifecycle_step step;
        enum status want;
        enum key_state to;
    } cases[] = {
        {KEY_STAGED, LIFECYCLE_ACTIVATE, ST_OK, KEY_ACTIVE},
        {KEY_PUBLISHED, LIFECYCLE_ACTIVATE, ST_OK, KEY_ACTIVE},
        {KEY_ACTIVE, LIFECYCLE_ACTIVATE, ST_DENIED, KEY_ACTIVE},
        {KEY_RETIRING, LIFECYCLE_ACTIVATE, ST_DENIED, KEY_RETIRING},
        {KEY_REVOKED, LIFECYCLE_ACTIVATE, ST_DENIED, KEY_REVOKED},
        {KEY_DESTROYED, LIFECYCLE_ACTIVATE, ST_DENIED, KEY_DESTROYED},
        {KEY_STAGED, LIFECYCLE_RETIRE, ST_DENIED, KEY_STAGED},
        {KEY_PUBLISHED, LIFECYCLE_RETIRE, ST_DENIED, KEY_PUBLISHED},
        {KEY_ACTIVE, LIFECYCLE_RETIRE, ST_OK, KEY_RETIRING},
        {KEY_RETIRING, LIFECYCLE_RETIRE, ST_DENIED, KEY_RETIRING},
        {KEY_REVOKED, LIFECYCLE_RETIRE, ST_DENIED, KEY_REVOKED},
        {KEY_DESTROYED, LIFECYCLE_RETIRE, ST_DENIED, KEY_DESTROYED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct key key;
        struct err err = {0};
        fill_key(&key, cases[i].from);
        CHECK_STATUS("step", lifecycle_step(cases[i].step, &key, NOW, &err), cases[i].want, err);
        assert_int_equal(key.state, cases[i].to);
        bool wiped = cases[i].want == ST_OK && cases[i].to == KEY_RETIRING;
        assert_int_equal(key.sealed.len, wiped ? 0 : strlen("sealed"));
        assert_int_equal(key.activated, cases[i].want == ST_OK && !wiped ? NOW : 0);
        assert_int_equal(key.retired, wiped ? NOW : 0);
        kind_clear(&kind_key, &key);
    }
}

static void a_refusal_names_key_and_state(void **state)
{
    struct key key;
    struct err err = {0};
    (void)state;
    fill_key(&key, KEY_REVOKED);
    CHECK_STATUS("refused", lifecycle_step(LIFECYCLE_ACTIVATE, &key, NOW, &err), ST_DENIED, err);
    CHECK_TEXT("refused", err.text,
               "key example.com s1 is revoked: only a staged or published key can be activated");
    kind_clear(&kind_key, &key);
}

static void dns_shows_what_the_state_says(void **state)
{
    static const struct {
        bool record, gravestone;
    } want[] = {
        [KEY_STAGED] = {true, false}, [KEY_PUBLISHED] = {true, false},
        [KEY_ACTIVE] = {true, false}, [KEY_RETIRING] = {true, false},
        [KEY_REVOKED] = {true, true}, [KEY_DESTROYED] = {false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_int_equal(lifecycle_has_record((enum key_state)i), want[i].record);
        assert_int_equal(lifecycle_is_gravestone((enum key_state)i), want[i].gravestone);
    }
}

static void selectors_are_named(void **state)
{
    static const struct {
        const char *name;
        struct lifecycle_naming naming;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"default", {"{date}{alg}{n}", DKIM_RSA_SHA256, NOW, 1}, "20261121r1"},
        {"ed25519", {"{date}{alg}{n}", DKIM_ED25519_SHA256, NOW, 12}, "20261121e12"},
        {"a second before", {"{date}", DKIM_RSA_SHA256, NOW - 1, 1}, "20261120"},
        {"text around", {"mx-{n}.dkim", DKIM_RSA_SHA256, NOW, 3}, "mx-3.dkim"},
        {"upper case", {"S{n}", DKIM_RSA_SHA256, NOW, 1}, "s1"},
        {"plain", {"default", DKIM_RSA_SHA256, NOW, 1}, "default"},
        {"unknown part", {"{year}{n}", DKIM_RSA_SHA256, NOW, 1}, NULL},
        {"open part", {"a{", DKIM_RSA_SHA256, NOW, 1}, NULL},
        {"empty", {"", DKIM_RSA_SHA256, NOW, 1}, NULL},
        {"no label", {"-{n}", DKIM_RSA_SHA256, NOW, 1}, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char selector[DKIM_DOMAIN_SIZE] = "";
        struct err err = {0};
        CHECK_STATUS(cases[i].name, lifecycle_selector(&cases[i].naming, selector, &err),
                     cases[i].want == NULL ? ST_INVALID : ST_OK, err);
        if (cases[i].want != NULL)
            CHECK_TEXT(cases[i].name, selector, cases[i].want);
    }
    assert_true(lifecycle_is_numbered("{date}{n}"));
    assert_false(lifecycle_is_numbered("{date}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_allowed_or_refused),
        cmocka_unit_test(a_refusal_names_key_and_state),
        cmocka_unit_test(dns_shows_what_the_state_says),
        cmocka_unit_test(selectors_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
