/* SPDX-License-Identifier: Apache-2.0
 *
 * Domains and selectors in the one form, and the names looked up for an author.
 */
#include "tests/unit/test_dkim_support.h"

#include "dkim/domain.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void domains_are_normalized(void **state)
{
    static const struct {
        const char *name, *in, *want; /* NULL: refused */
    } cases[] = {
        {"plain", "example.com", "example.com"},
        {"upper case", "EXAMPLE.Com", "example.com"},
        {"one label", "localhost", "localhost"},
        {"underscore", "_dmarc.example.com", "_dmarc.example.com"},
        {"digits", "1.2.example", "1.2.example"},
        {"A-label", "xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"A-label in upper case", "XN--BCHER-KVA.example", "xn--bcher-kva.example"},
        {"U-label",
         "b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"},
        {"U-label in upper case",
         "B\xc3\x9c"
         "CHER.example",
         "xn--bcher-kva.example"},
        {"sharp s is kept",
         "stra\xc3\x9f"
         "e.example",
         "xn--strae-oqa.example"},
        {"label of 63", L63 ".com", L63 ".com"},
        {"label of 64", L63 "a.com", NULL},
        {"name of 253",
         L63 "." L63 "." L63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         L63 "." L63 "." L63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
        {"name of 254",
         L63 "." L63 "." L63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         NULL},
        {"empty", "", NULL},
        {"dot", ".", NULL},
        {"dot first", ".example.com", NULL},
        {"dot last", "example.com.", NULL},
        {"dots together", "example..com", NULL},
        {"hyphen first", "-example.com", NULL},
        {"hyphen last", "example-.com", NULL},
        {"space", "exam ple.com", NULL},
        {"star", "*.example.com", NULL},
        {"slash", "a/b.com", NULL},
        {"literal", "[192.0.2.1]", NULL},
        {"broken UTF-8",
         "b\xfc"
         "cher.example",
         NULL},
        {"full stops of other scripts at the end", "\xc3\xbc.example\xe3\x80\x82", NULL},
        {"forbidden by IDNA2008", "\xe2\x98\xba\xe2\x80\x8d.example", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[DKIM_DOMAIN_SIZE];
        struct err err = {0};
        CHECK_STATUS(cases[i].name, dkim_domain_normalize(span_str(cases[i].in), out, &err),
                     cases[i].want ? ST_OK : ST_INVALID, err);
        if (cases[i].want)
            CHECK_TEXT(cases[i].name, out, cases[i].want);
    }
}

static void nul_in_a_domain_is_refused(void **state)
{
    char out[DKIM_DOMAIN_SIZE];
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_domain_normalize(span_of("a\0b.com", 7), out, &err), ST_INVALID);
    assert_int_equal(dkim_domain_normalize(span_of("\xc3\xbc\0b.com", 8), out, &err), ST_INVALID);
}

static void selectors_are_normalized(void **state)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"s1", "s1"},       {"S2026-01.Rsa", "s2026-01.rsa"},
        {"a.b.c", "a.b.c"}, {"", NULL},
        {"-x", NULL},       {"x-", NULL},
        {"a..b", NULL},     {"a_b", NULL},
        {"a b", NULL},      {"a;b", NULL},
        {"a.", NULL},       {L63, L63},
        {L63 "a", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[DKIM_DOMAIN_SIZE];
        struct err err = {0};
        CHECK_STATUS(cases[i].in, dkim_selector_normalize(span_str(cases[i].in), out, &err),
                     cases[i].want ? ST_OK : ST_INVALID, err);
        if (cases[i].want)
            CHECK_TEXT(cases[i].in, out, cases[i].want);
    }
}

static void within_means_at_a_label(void **state)
{
    static const struct {
        const char *name, *domain;
        bool want;
    } cases[] = {
        {"example.com", "example.com", true},
        {"a.example.com", "example.com", true},
        {"a.b.example.com", "example.com", true},
        {"badexample.com", "example.com", false},
        {"example.com", "a.example.com", false},
        {"com", "example.com", false},
        {"example.com", "", false},
        {"", "example.com", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(dkim_domain_is_within(span_str(cases[i].name), span_str(cases[i].domain)),
                         cases[i].want);
}

static void candidates_go_up_to_two_labels(void **state)
{
    static const struct {
        const char *domain, *want;
    } cases[] = {
        {"com", "com"},
        {"example.com", "example.com"},
        {"a.example.com", "a.example.com example.com"},
        {"a.b.c.d.e.f.g.h",
         "a.b.c.d.e.f.g.h b.c.d.e.f.g.h c.d.e.f.g.h d.e.f.g.h e.f.g.h f.g.h g.h"},
        {"1.a.b.c.d.e.f.g.h", "1.a.b.c.d.e.f.g.h a.b.c.d.e.f.g.h b.c.d.e.f.g.h c.d.e.f.g.h "
                              "d.e.f.g.h e.f.g.h f.g.h g.h"},
        {"3.2.1.a.b.c.d.e.f.g.h", "3.2.1.a.b.c.d.e.f.g.h a.b.c.d.e.f.g.h b.c.d.e.f.g.h "
                                  "c.d.e.f.g.h d.e.f.g.h e.f.g.h f.g.h g.h"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *out[DKIM_CANDIDATES_MAX];
        struct buf joined = BUF_INIT(0);
        size_t count = dkim_domain_candidates(cases[i].domain, out);
        assert_true(count >= 1 && count <= DKIM_CANDIDATES_MAX);
        for (size_t k = 0; k < count; k++)
            buf_printf(&joined, "%s%s", k ? " " : "", out[k]);
        CHECK_TEXT(cases[i].domain, buf_cstr(&joined), cases[i].want);
        buf_clear(&joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domains_are_normalized),
        cmocka_unit_test(nul_in_a_domain_is_refused),
        cmocka_unit_test(selectors_are_normalized),
        cmocka_unit_test(within_means_at_a_label),
        cmocka_unit_test(candidates_go_up_to_two_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
