/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "storage/grant.h"
#include "storage/rule.h"

/* -- patterns ------------------------------------------------------------------------------ */

static const struct {
    const char *text, *pattern, *place;
} patterns[] = {
    {"example.com", "example.com", "example.com"},
    {"Example.COM", "example.com", "example.com"},
    {"Ann@Example.com", "ann@example.com", "example.com"},
    {"m\xc3\xbcller.example", "xn--mller-kva.example", "xn--mller-kva.example"},
    {".example.com", ".example.com", "example.com"},
    {"ann@.example.com", "ann@.example.com", "example.com"},
    {"ann@*", "ann@*", "*"},
    {"*", "*", "*"},
    {"a@b@example.com", "a@b@example.com", "example.com"},
    {"a b@example.com", "a b@example.com", "example.com"},
    {"localhost", "localhost", "localhost"},
    {".b.c.d.e.f.g.example.com", ".b.c.d.e.f.g.example.com", "b.c.d.e.f.g.example.com"},
};

static const struct {
    const char *text, *problem;
} bad_patterns[] = {
    {"", "pattern"},
    {"@example.com", "nothing stands before the @"},
    {"*@example.com", "every author there is example.com without *@"},
    {"*example.com", "*example.com"},
    {"ann@", "pattern"},
    {"ann@a..b", "a..b"},
    {".com", "2 to 8 labels"},
    {".a.b.c.d.e.f.g.example.com", "2 to 8 labels"},
    {"ann@.*", "pattern"},
    {"ann@[192.0.2.1]", "pattern"},
    {"an*@example.com", "cannot stand for a part"},
    {"\"a b\"@example.com", "without quotes"},
};

static void patterns_have_one_form_and_a_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct rule rule = {0};
        struct err err = {0};
        if (rule_set_pattern(&rule, span_str(patterns[i].text), &err) != ST_OK)
            fail_msg("%s: %s", patterns[i].text, err.text);
        assert_string_equal(rule.pattern, patterns[i].pattern);
        assert_string_equal(rule.place, patterns[i].place);
        kind_clear(&kind_rule, &rule);
    }
}

static void what_is_no_pattern_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_patterns / sizeof bad_patterns[0]; i++) {
        struct rule rule = {0};
        struct err err = {0};
        if (rule_set_pattern(&rule, span_str(bad_patterns[i].text), &err) != ST_INVALID)
            fail_msg("%s is taken", bad_patterns[i].text);
        if (strstr(err.text, bad_patterns[i].problem) == NULL)
            fail_msg("%s: %s", bad_patterns[i].text, err.text);
        assert_null(rule.pattern);
        kind_clear(&kind_rule, &rule);
    }
}

static void long_patterns_are_refused(void **state)
{
    char text[RULE_PATTERN_MAX + 16];
    struct rule rule = {0};
    struct err err = {0};
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text + RULE_PATTERN_MAX - 12, "@example.com", 13);
    assert_int_equal(rule_set_pattern(&rule, span_str(text), &err), ST_OK);
    assert_int_equal(strlen(rule.pattern), RULE_PATTERN_MAX);
    memmove(text + 1, text, strlen(text) + 1);
    assert_int_equal(rule_set_pattern(&rule, span_str(text), &err), ST_INVALID);
    kind_clear(&kind_rule, &rule);
}

/* -- identities ----------------------------------------------------------------------------- */

static const struct {
    const char *text, *identity; /* NULL: refused */
} identities[] = {
    {"@example.com", "@example.com"},
    {"@news.example.com", "@news.example.com"},
    {"ann@Example.com", "ann@example.com"},
    {"ann+news@a.example.com", "ann+news@a.example.com"},
    {"@example.net", NULL},
    {"@notexample.com", NULL},
    {"@com", NULL},
    {"example.com", NULL},
    {"", NULL},
    {"a b@example.com", NULL},
    {"a;d=x@example.com", NULL},
    {"ann@", NULL},
};

static void identities_are_at_or_below_the_domain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof identities / sizeof identities[0]; i++) {
        struct rule rule = {.domain = strdup("example.com")};
        struct err err = {0};
        enum status st = rule_set_identity(&rule, span_str(identities[i].text), &err);
        if (st != (identities[i].identity != NULL ? ST_OK : ST_INVALID))
            fail_msg("%s: %d %s", identities[i].text, st, err.text);
        if (st == ST_OK)
            assert_string_equal(rule.identity, identities[i].identity);
        else
            assert_null(rule.identity);
        kind_clear(&kind_rule, &rule);
    }
}

/* -- forms ------------------------------------------------------------------------------------ */

static void forms_are_what_patterns_are(void **state)
{
    char out[RULE_PATTERN_MAX + 1], local[RULE_PATTERN_MAX];
    (void)state;
    assert_true(rule_form(RULE_AT, "Ann", "example.com", out));
    assert_string_equal(out, "ann@example.com");
    assert_true(rule_form(RULE_AT, NULL, "example.com", out));
    assert_string_equal(out, "example.com");
    assert_true(rule_form(RULE_ABOVE, "ann", "example.com", out));
    assert_string_equal(out, "ann@.example.com");
    assert_true(rule_form(RULE_ABOVE, NULL, "example.com", out));
    assert_string_equal(out, ".example.com");
    assert_true(rule_form(RULE_EVERYWHERE, "ann", "*", out));
    assert_string_equal(out, "ann@*");
    memset(local, 'a', sizeof local);
    local[sizeof local - 1] = '\0';
    assert_false(rule_form(RULE_AT, local, "example.com", out));
}

/* -- grants ----------------------------------------------------------------------------------- */

static const struct {
    enum grant_type type;
    const char *text, *subject, *place; /* place "#": a bucket; subject NULL: refused */
} grants[] = {
    {GRANT_LOGIN, "web17", "web17", "#"},
    {GRANT_LOGIN, "Ann@Example.COM", "ann@example.com", "#"},
    {GRANT_LOGIN, "@Example.com", "@example.com", "example.com"},
    {GRANT_LOGIN, "DOMAIN\\user", "DOMAIN\\user", "#"},
    {GRANT_LOGIN, "User@no domain", "User@no domain", "#"},
    {GRANT_LOGIN, "WEB17", "WEB17", "#"},
    {GRANT_LOGIN, "", NULL, NULL},
    {GRANT_LOGIN, "@", NULL, NULL},
    {GRANT_LOGIN, "@no domain", NULL, NULL},
    {GRANT_NETWORK, "192.0.2.0/24", "192.0.2.0/24", "*"},
    {GRANT_NETWORK, "192.0.2.7", "192.0.2.7", "*"},
    {GRANT_NETWORK, "192.0.2.7/32", "192.0.2.7", "*"},
    {GRANT_NETWORK, "2001:DB8::/32", "2001:db8::/32", "*"},
    {GRANT_NETWORK, "::ffff:192.0.2.0/120", "192.0.2.0/24", "*"},
    {GRANT_NETWORK, "192.0.2.1/24", NULL, NULL},
    {GRANT_NETWORK, "example.com", NULL, NULL},
    {GRANT_NETWORK, "", NULL, NULL},
    {GRANT_DAEMON, "smtp-in", "smtp-in", "*"},
    {GRANT_DAEMON, "", NULL, NULL},
};

static void subjects_have_one_form_and_a_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof grants / sizeof grants[0]; i++) {
        struct grant grant = {0};
        struct err err = {0};
        enum status st = grant_set_subject(&grant, grants[i].type, span_str(grants[i].text), &err);
        if (st != (grants[i].subject != NULL ? ST_OK : ST_INVALID))
            fail_msg("%s: %d %s", grants[i].text, st, err.text);
        if (st == ST_OK) {
            assert_string_equal(grant.subject, grants[i].subject);
            if (strcmp(grants[i].place, "#") == 0)
                assert_true(span_has_prefix(span_str(grant.place), SPAN_LIT("login#")));
            else
                assert_string_equal(grant.place, grants[i].place);
        }
        kind_clear(&kind_grant, &grant);
    }
}

/* Stores hold them: a hash that changes would leave grants where nobody looks. */
static void the_places_of_logins_are_for_ever(void **state)
{
    static const struct {
        const char *login, *bucket;
    } cases[] = {{"web17", "login#375"}, {"ann@example.com", "login#145"}, {"x", "login#087"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct grant_login login;
        assert_true(grant_login(span_str(cases[i].login), &login));
        assert_string_equal(login.bucket, cases[i].bucket);
    }
}

static void logins_are_looked_up_as_they_were_granted(void **state)
{
    struct grant_login login;
    char text[GRANT_SUBJECT_MAX + 2];
    (void)state;
    assert_true(grant_login(SPAN_LIT("Ann@EXAMPLE.com"), &login));
    assert_string_equal(login.subject, "ann@example.com");
    assert_string_equal(login.domain, "example.com");
    assert_string_equal(login.everybody, "@example.com");
    assert_true(grant_login(SPAN_LIT("web17"), &login));
    assert_string_equal(login.domain, "");
    assert_string_equal(login.everybody, "");
    assert_false(grant_login(SPAN_LIT(""), &login));
    memset(text, 'a', sizeof text);
    assert_true(grant_login(span_of(text, GRANT_SUBJECT_MAX), &login));
    assert_false(grant_login(span_of(text, GRANT_SUBJECT_MAX + 1), &login));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_have_one_form_and_a_place),
        cmocka_unit_test(what_is_no_pattern_is_refused),
        cmocka_unit_test(long_patterns_are_refused),
        cmocka_unit_test(identities_are_at_or_below_the_domain),
        cmocka_unit_test(forms_are_what_patterns_are),
        cmocka_unit_test(subjects_have_one_form_and_a_place),
        cmocka_unit_test(the_places_of_logins_are_for_ever),
        cmocka_unit_test(logins_are_looked_up_as_they_were_granted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
