/* SPDX-License-Identifier: Apache-2.0
 *
 * Who the author is: address lists of RFC 5322 and 6532, and what is refused.
 */
#include "tests/unit/test_dkim_support.h"

#include "dkim/address.h"

/* The mailboxes as `local@domain|local@domain`. */
static void join(const struct dkim_mailboxes *mailboxes, struct buf *out)
{
    for (size_t i = 0; i < mailboxes->count; i++)
        buf_printf(out, "%s%s@%s", i ? "|" : "", mailboxes->list[i].local,
                   mailboxes->list[i].domain);
}

static void addresses_are_read(void **state)
{
    static const struct {
        const char *name, *in, *want;
    } cases[] = {
        {"bare", "a@example.com", "a@example.com"},
        {"case", " A.b@Example.COM", "A.b@example.com"},
        {"display name", "Joe Q. Public <joe@example.com>", "joe@example.com"},
        {"address in a quoted name", "\"a@x.com\" <b@y.com>", "b@y.com"},
        {"address in an encoded name", "=?utf-8?q?ceo=40bank.com?= <x@y.com>", "x@y.com"},
        {"address in a comment", "x@y.com (comment <z@w.com>)", "x@y.com"},
        {"nested comments", "a@b.com (c(d)e\\)()) ", "a@b.com"},
        {"comments everywhere", "(1)a(2).(3)b(4)@(5)c(6).(7)d(8)", "a.b@c.d"},
        {"comments in angle brackets", "(n) N (n) <(1)a@b.c(2)> (3)", "a@b.c"},
        {"spaces around dots", "a . b @ c . d", "a.b@c.d"},
        {"folded", " Joe\r\n <joe@example.com>", "joe@example.com"},
        {"folded in a quoted string", "\"a\r\n b\"@x.com", "a b@x.com"},
        {"quoted local part", "\"a b\"@x.com", "a b@x.com"},
        {"at sign in a quoted local part", "\"a@b\"@c.com", "a@b@c.com"},
        {"quoted pair", "\"a\\\"\\\\b\"@x.com", "a\"\\b@x.com"},
        {"quoted and plain", "\"a\".b@x.com", "a.b@x.com"},
        {"several", "a@b.com, C <c@d.com>,e@f.com", "a@b.com|c@d.com|e@f.com"},
        {"comma in a quoted name", "\"Public, Joe\" <j@x.com>", "j@x.com"},
        {"comma in a comment", "a@b.com (x, y@z.com), c@d.com", "a@b.com|c@d.com"},
        {"group", "Group: a@b.com, c@d.com;", "a@b.com|c@d.com"},
        {"group and more", "G: a@b.com;, x@y.com", "a@b.com|x@y.com"},
        {"group of named", "\"A, B\": A <a@b.com>, c@d.com; (end)", "a@b.com|c@d.com"},
        {"empty group", "undisclosed-recipients:;", ""},
        {"empty elements", ",a@b.com,,c@d.com,", "a@b.com|c@d.com"},
        {"no display name", "<a@b.com>", "a@b.com"},
        {"UTF-8 local part", "j\xc3\xb6rg@x.com", "j\xc3\xb6rg@x.com"},
        {"U-label domain",
         "a@b\xc3\xbc"
         "cher.example",
         "a@xn--bcher-kva.example"},
        {"Latin-1 display name", "Jos\xe9 <jose@x.com>", "jose@x.com"},
        {"all of atext", "!#$%&'*+-/=?^_`{|}~@x.com", "!#$%&'*+-/=?^_`{|}~@x.com"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_mailboxes mailboxes = {0};
        struct buf joined = BUF_INIT(0);
        struct err err = {0};
        CHECK_STATUS(cases[i].name, dkim_mailboxes_parse(span_str(cases[i].in), &mailboxes, &err),
                     ST_OK, err);
        join(&mailboxes, &joined);
        CHECK_TEXT(cases[i].name, buf_cstr(&joined), cases[i].want);
        buf_clear(&joined);
        dkim_mailboxes_clear(&mailboxes);
    }
}

static const struct {
    const char *name, *in;
} refused[] = {
    {"empty", ""},
    {"white space", " \t"},
    {"only commas", ",,"},
    {"only a comment", "(a@b.com)"},
    {"no domain", "joe"},
    {"no domain in brackets", "Joe <joe>"},
    {"no domain after the @", "joe@"},
    {"no local part", "@x.com"},
    {"empty brackets", "Joe <>"},
    {"empty local part", "\"\"@x.com"},
    {"two at signs", "a@b@c.com"},
    {"two at signs in brackets", "<a@b@c.com>"},
    {"address as name", "a@b.com <c@d.com>"},
    {"name after an address", "<a@b.com> Joe"},
    {"two in brackets", "<a@b.com> <c@d.com>"},
    {"two without a comma", "a@b.com c@d.com"},
    {"brackets in brackets", "<<a@b.com>>"},
    {"route", "<@a.com,@b.com:c@d.com>"},
    {"open bracket", "Joe <a@b.com"},
    {"close bracket", "a@b.com>"},
    {"open quote", "\"Joe <a@b.com>"},
    {"open comment", "a@b.com (x"},
    {"open nested comment", "a@b.com (x (y)"},
    {"close comment", "a@b.com )"},
    {"address literal", "a@[192.0.2.1]"},
    {"trailing dot", "a@b.com."},
    {"empty label", "a@b..com"},
    {"dot first", ".a@b.com"},
    {"dot last", "a.@b.com"},
    {"dots together", "a..b@c.com"},
    {"words without a dot", "a b@c.com"},
    {"quoted beside plain", "\"a\"b@c.com"},
    {"colon without a group", "a@b.com: c@d.com;"},
    {"group within a group", "G: H: a@b.com;;"},
    {"group without a name", ": a@b.com;"},
    {"group without end", "G: a@b.com"},
    {"semicolon", "a@b.com;"},
    {"group without comma behind", "G: a@b.com; c@d.com"},
    {"lone line feed", "Joe\n <a@b.com>"},
    {"line end without folding", "Joe\r\n<a@b.com>"},
    {"control character", "Joe\x01 <a@b.com>"},
    {"control character in quotes", "\"\x1b\"@b.com"},
    {"delete", "a\x7f@b.com"},
    {"backslash at the end", "\"a\\"},
    {"underlong UTF-8 local part", "\xc0\xaf@b.com"},
    {"Latin-1 local part", "jos\xe9@b.com"},
    {"bad domain", "a@-b.com"},
    {"bad UTF-8 domain", "a@\xff.com"},
    {"specials in an atom", "a[b]@c.com"},
};

static void addresses_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct dkim_mailboxes mailboxes = {0};
        struct err err = {0};
        CHECK_STATUS(refused[i].name,
                     dkim_mailboxes_parse(span_str(refused[i].in), &mailboxes, &err), ST_INVALID,
                     err);
        assert_int_equal(mailboxes.count, 0);
        dkim_mailboxes_clear(&mailboxes);
    }
}

static void nul_is_refused_everywhere(void **state)
{
    static const struct span cases[] = {
        {"a\0@b.com", 8},     {"\"\0\"@b.com", 9}, {"\"\\\0\"@b.com", 10},
        {"a@b.com (\0)", 11}, {"a@b\0.com", 8},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_mailboxes mailboxes = {0};
        struct err err = {0};
        assert_int_equal(dkim_mailboxes_parse(cases[i], &mailboxes, &err), ST_INVALID);
        dkim_mailboxes_clear(&mailboxes);
    }
}

static void sizes_have_limits(void **state)
{
    struct dkim_mailboxes mailboxes = {0};
    struct buf text = BUF_INIT(0);
    struct err err = {0};
    (void)state;
    for (int i = 0; i < DKIM_MAILBOXES_MAX; i++)
        buf_append_str(&text, "a@b.com,");
    assert_int_equal(dkim_mailboxes_parse(buf_span(&text), &mailboxes, &err), ST_OK);
    assert_int_equal(mailboxes.count, DKIM_MAILBOXES_MAX);
    assert_int_equal(dkim_mailboxes_parse(SPAN_LIT("a@b.com"), &mailboxes, &err), ST_INVALID);
    assert_int_equal(mailboxes.count, DKIM_MAILBOXES_MAX);
    dkim_mailboxes_clear(&mailboxes);

    buf_reset(&text);
    for (int i = 0; i < DKIM_LOCAL_MAX; i++)
        buf_append_char(&text, 'a');
    buf_append_str(&text, "@b.com");
    assert_int_equal(dkim_mailboxes_parse(buf_span(&text), &mailboxes, &err), ST_OK);
    dkim_mailboxes_clear(&mailboxes);
    text.data[DKIM_LOCAL_MAX] = 'a';
    text.data[DKIM_LOCAL_MAX + 1] = '@';
    assert_int_equal(dkim_mailboxes_parse(buf_span(&text), &mailboxes, &err), ST_INVALID);
    dkim_mailboxes_clear(&mailboxes);

    /* A long display name is no local part, and deep comments are no recursion. */
    buf_reset(&text);
    for (int i = 0; i < 100000; i++)
        buf_append_str(&text, "(");
    for (int i = 0; i < 100000; i++)
        buf_append_str(&text, ")");
    for (int i = 0; i < 1000; i++)
        buf_append_str(&text, "word ");
    buf_append_str(&text, "<a@b.com>");
    assert_int_equal(dkim_mailboxes_parse(buf_span(&text), &mailboxes, &err), ST_OK);
    dkim_mailboxes_clear(&mailboxes);
    buf_clear(&text);
}

static void all_from_fields_count(void **state)
{
    struct dkim_fields fields = {0};
    struct dkim_mailboxes mailboxes = {0};
    struct buf joined = BUF_INIT(0);
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_mailboxes_of(&fields, SPAN_LIT("From"), &mailboxes, &err), ST_NOT_FOUND);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("From"), SPAN_LIT(" a@b.com"), &err), ST_OK);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("To"), SPAN_LIT(" x"), &err), ST_OK);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("FROM"), SPAN_LIT(" c@d.com"), &err), ST_OK);
    assert_int_equal(dkim_mailboxes_of(&fields, SPAN_LIT("From"), &mailboxes, &err), ST_OK);
    join(&mailboxes, &joined);
    assert_string_equal(buf_cstr(&joined), "a@b.com|c@d.com");
    dkim_mailboxes_clear(&mailboxes);

    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("from"), SPAN_LIT(" broken"), &err), ST_OK);
    assert_int_equal(dkim_mailboxes_of(&fields, SPAN_LIT("From"), &mailboxes, &err), ST_INVALID);
    assert_int_equal(mailboxes.count, 0);
    dkim_mailboxes_clear(&mailboxes);

    dkim_fields_reset(&fields);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("From"), SPAN_LIT(" g:;"), &err), ST_OK);
    assert_int_equal(dkim_mailboxes_of(&fields, SPAN_LIT("From"), &mailboxes, &err), ST_INVALID);
    dkim_mailboxes_clear(&mailboxes);
    dkim_fields_clear(&fields);
    buf_clear(&joined);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read),        cmocka_unit_test(addresses_are_refused),
        cmocka_unit_test(nul_is_refused_everywhere), cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(all_from_fields_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
