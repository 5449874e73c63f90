/* SPDX-License-Identifier: Apache-2.0
 *
 * The header: fields kept byte for byte, messages split, names looked up.
 */
#include "tests/unit/test_dkim_support.h"

#include "dkim/fields.h"

static void fields_are_kept(void **state)
{
    static const struct {
        const char *name, *field, *value, *text; /* text NULL: refused */
        size_t name_len;
    } cases[] = {
        {"plain", "Subject", " hi", "Subject: hi", 7},
        {"no space", "Subject", "hi", "Subject:hi", 7},
        {"empty value", "X", "", "X:", 1},
        {"white space before the colon", "Subject \t", " hi", "Subject \t: hi", 7},
        {"LF becomes CRLF", "A", " b\n\tc", "A: b\r\n\tc", 1},
        {"CRLF stays", "A", " b\r\n\tc\r\n d", "A: b\r\n\tc\r\n d", 1},
        {"fold before nothing but white space", "A", " b\n ", "A: b\r\n ", 1},
        {"CR alone", "A", " b\rc", NULL, 0},
        {"CR alone before white space", "A", " b\r\tc", NULL, 0},
        {"CR alone at the end", "A", " b\r", NULL, 0},
        {"CR before CRLF", "A", " b\r\r\n c", NULL, 0},
        {"LF that folds nothing", "A", " b\nc", NULL, 0},
        {"LF at the end", "A", " b\n", NULL, 0},
        {"two LF before white space", "A", " b\n\n c", NULL, 0},
        {"another field behind CRLF", "A", " b\r\nFrom: c", NULL, 0},
        {"another field behind CR", "A", " b\rFrom: c", NULL, 0},
        {"colon in value", "A", "b:c", "A:b:c", 1},
        {"empty name", "", "x", NULL, 0},
        {"white space as name", " ", "x", NULL, 0},
        {"space inside", "A b", "x", NULL, 0},
        {"colon inside", "A:b", "x", NULL, 0},
        {"control", "A\x01", "x", NULL, 0},
        {"not ASCII", "A\xc3\xbc", "x", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_fields fields = {0};
        struct err err = {0};
        CHECK_STATUS(
            cases[i].name,
            dkim_fields_add(&fields, span_str(cases[i].field), span_str(cases[i].value), &err),
            cases[i].text ? ST_OK : ST_INVALID, err);
        assert_int_equal(fields.count, cases[i].text ? 1 : 0);
        if (cases[i].text) {
            assert_true(span_equal(dkim_fields_text(&fields, 0), span_str(cases[i].text)));
            assert_int_equal(dkim_fields_name(&fields, 0).len, cases[i].name_len);
        }
        dkim_fields_clear(&fields);
    }
}

static void fields_have_limits(void **state)
{
    struct dkim_fields fields = {.max_count = 2, .max_bytes = 10};
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("A"), SPAN_LIT("123456789"), &err),
                     ST_INVALID);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("A"), SPAN_LIT("\n \n \n "), &err),
                     ST_INVALID);
    assert_int_equal(fields.text.len, 0);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("A"), SPAN_LIT("12345678"), &err), ST_OK);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("A"), SPAN_LIT(""), &err), ST_INVALID);
    dkim_fields_reset(&fields);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("A"), SPAN_LIT(""), &err), ST_OK);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("B"), SPAN_LIT(""), &err), ST_OK);
    assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("C"), SPAN_LIT(""), &err), ST_INVALID);
    dkim_fields_clear(&fields);
}

static void messages_are_split(void **state)
{
    static const struct {
        const char *name, *message, *fields, *body; /* fields NULL: refused, body: the text */
    } cases[] = {
        {"plain", "A: 1\r\nB: 2\r\n\r\nbody", "A: 1|B: 2|", "body"},
        {"folded", "A: 1\r\n 2\r\n\t3\r\nB: 4\r\n\r\n", "A: 1\r\n 2\r\n\t3|B: 4|", ""},
        {"no body", "A: 1\r\n", "A: 1|", ""},
        {"no line end", "A: 1", "A: 1|", ""},
        {"empty", "", "", ""},
        {"body only", "\r\nbody\r\n", "", "body\r\n"},
        {"body begins with white space", "A: 1\r\n\r\n \tbody\r\n", "A: 1|", " \tbody\r\n"},
        {"fold of white space only", "A: 1\r\n \r\nB: 2\r\n\r\n", "A: 1\r\n |B: 2|", ""},
        {"no colon", "A: 1\r\nfoo\r\n\r\n", NULL, "line 2: not a header field"},
        {"no colon after a folded one", "A: 1\r\n 2\r\n 3\r\nfoo\r\n", NULL,
         "line 4: not a header field"},
        {"begins folded", " A: 1\r\n\r\n", NULL, "line 1: not a header field name"},
        {"mbox line", "From joe Mon\r\nA: 1\r\n\r\n", NULL, "line 1: not a header field"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_fields fields = {0};
        struct buf joined = BUF_INIT(0);
        struct span body;
        struct err err = {0};
        CHECK_STATUS(cases[i].name,
                     dkim_fields_split(span_str(cases[i].message), &fields, &body, &err),
                     cases[i].fields ? ST_OK : ST_INVALID, err);
        if (cases[i].fields) {
            for (size_t k = 0; k < fields.count; k++) {
                buf_append_span(&joined, dkim_fields_text(&fields, k));
                buf_append_char(&joined, '|');
            }
            CHECK_TEXT(cases[i].name, buf_cstr(&joined), cases[i].fields);
            assert_true(span_equal(body, span_str(cases[i].body)));
        } else {
            CHECK_TEXT(cases[i].name, err.text, cases[i].body);
        }
        buf_clear(&joined);
        dkim_fields_clear(&fields);
    }
}

static void names_are_found_from_the_bottom(void **state)
{
    struct dkim_fields fields = {0};
    struct span body;
    struct err err = {0};
    (void)state;
    assert_int_equal(
        dkim_fields_split(SPAN_LIT("A: 1\r\nB: 2\r\na : 3\r\nA: 4\r\n\r\n"), &fields, &body, &err),
        ST_OK);
    assert_int_equal(dkim_fields_count(&fields, SPAN_LIT("a")), 3);
    assert_int_equal(dkim_fields_count(&fields, SPAN_LIT("c")), 0);
    assert_int_equal(dkim_fields_from_bottom(&fields, SPAN_LIT("A"), 0), 3);
    assert_int_equal(dkim_fields_from_bottom(&fields, SPAN_LIT("A"), 1), 2);
    assert_int_equal(dkim_fields_from_bottom(&fields, SPAN_LIT("A"), 2), 0);
    assert_true(dkim_fields_from_bottom(&fields, SPAN_LIT("A"), 3) == SIZE_MAX);
    assert_true(span_equal(dkim_fields_value(&fields, 2), SPAN_LIT(" 3")));
    dkim_fields_clear(&fields);
}

static void line_ends_become_crlf(void **state)
{
    static const struct {
        const char *in, *want;
    } cases[] = {
        {"", ""},
        {"a", "a"},
        {"a\nb\n", "a\r\nb\r\n"},
        {"a\rb", "a\r\nb"},
        {"\r\n", "\r\n"},
        {"\n\r", "\r\n\r\n"},
        {"\r\r\n", "\r\n\r\n"},
        {"a\r", "a\r\n"},
        {"\n\n", "\r\n\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = BUF_INIT(0);
        dkim_message_crlf(span_str(cases[i].in), &out);
        CHECK_TEXT(cases[i].in, buf_cstr(&out), cases[i].want);
        buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_kept),       cmocka_unit_test(fields_have_limits),
        cmocka_unit_test(messages_are_split),    cmocka_unit_test(names_are_found_from_the_bottom),
        cmocka_unit_test(line_ends_become_crlf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
