/* SPDX-License-Identifier: Apache-2.0
 *
 * Tag lists (RFC 6376 3.2): read strictly, written folded.
 */
#include "tests/unit/test_dkim_support.h"

#include "dkim/taglist.h"

static void lists_are_read(void **state)
{
    static const struct {
        const char *name, *in, *want; /* NULL: refused */
    } cases[] = {
        {"plain", "a=1;b=2", "a=1|b=2|"},
        {"last semicolon", "a=1; b=2;", "a=1|b=2|"},
        {"white space behind it", "a=1;\r\n\t ", "a=1|"},
        {"white space everywhere", " a = 1 ;\r\n b\t=\r\n 2 ", "a=1|b=2|"},
        {"empty value", "a=;b=", "a=|b=|"},
        {"inner white space", "a=1 2", "a=1 2|"},
        {"equals in a value", "p=ab==", "p=ab==|"},
        {"underscore and digits", "a_1=x", "a_1=x|"},
        {"case matters", "a=1;A=2", "a=1|A=2|"},
        {"UTF-8 (RFC 8616)", "d=b\xc3\xbc.example", "d=b\xc3\xbc.example|"},
        {"empty", "", NULL},
        {"only a semicolon", ";", NULL},
        {"two semicolons", "a=1;;b=2", NULL},
        {"two at the end", "a=1;;", NULL},
        {"no equals", "a=1;b", NULL},
        {"no name", "=1", NULL},
        {"digit first", "1a=1", NULL},
        {"underscore first", "_a=1", NULL},
        {"hyphen in a name", "a-b=1", NULL},
        {"space in a name", "a b=1", NULL},
        {"twice", "a=1;b=2;a=1", NULL},
        {"control", "a=\x01", NULL},
        {"delete", "a=\x7f", NULL},
        {"form feed", "a=1\f;b=2", NULL},
        {"lone LF", "a=1\n b=2", NULL},
        {"lone CR", "a=1\r b=2", NULL},
        {"CRLF without folding", "a=1\r\n2", NULL},
        {"CRLF at the end", "a=1;b=2\r\n", NULL},
        {"broken UTF-8", "a=\xff", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_taglist list;
        struct buf joined = BUF_INIT(0);
        struct err err = {0};
        CHECK_STATUS(cases[i].name, dkim_taglist_parse(span_str(cases[i].in), &list, &err),
                     cases[i].want ? ST_OK : ST_INVALID, err);
        for (size_t k = 0; cases[i].want && k < list.count; k++) {
            buf_append_span(&joined, list.tags[k].name);
            buf_append_char(&joined, '=');
            buf_append_span(&joined, list.tags[k].value);
            buf_append_char(&joined, '|');
        }
        if (cases[i].want)
            CHECK_TEXT(cases[i].name, buf_cstr(&joined), cases[i].want);
        buf_clear(&joined);
    }
}

static void lists_have_a_limit_and_a_nul_is_refused(void **state)
{
    struct dkim_taglist list;
    struct buf text = BUF_INIT(0);
    struct err err = {0};
    (void)state;
    for (int i = 0; i < DKIM_TAGS_MAX; i++)
        buf_printf(&text, "t%d=1;", i);
    assert_int_equal(dkim_taglist_parse(buf_span(&text), &list, &err), ST_OK);
    assert_non_null(dkim_taglist_get(&list, "t63"));
    assert_null(dkim_taglist_get(&list, "T63"));
    buf_append_str(&text, "x=1");
    assert_int_equal(dkim_taglist_parse(buf_span(&text), &list, &err), ST_INVALID);
    assert_int_equal(dkim_taglist_parse(span_of("a=1;\0", 5), &list, &err), ST_INVALID);
    assert_int_equal(dkim_taglist_parse(span_of("a=\0", 3), &list, &err), ST_INVALID);
    buf_clear(&text);
}

/* Every line fits, and what is written reads back. */
static void lists_are_folded(void **state)
{
    (void)state;
    for (size_t column = 0; column < 80; column++) {
        for (size_t len = 0; len < 200; len += 7) {
            struct buf out = BUF_INIT(0);
            struct dkim_folder folder;
            struct dkim_taglist list;
            char value[200], names[200];
            struct err err = {0};
            memset(value, 'A', sizeof value);
            for (size_t i = 0; i < len; i++)
                names[i] = i % 9 == 8 ? ':' : 'n';
            dkim_folder_init(&folder, &out, column);
            dkim_folder_tag(&folder, "v", SPAN_LIT("1"), false);
            dkim_folder_long_tag(&folder, "h", span_of(names, len), ':', false);
            dkim_folder_tag(&folder, "d", SPAN_LIT("example.com"), false);
            dkim_folder_long_tag(&folder, "b", span_of(value, len), 0, true);
            struct span rest = buf_span(&out), line;
            size_t start = column;
            while (span_next(&rest, '\n', &line)) {
                size_t width = start + line.len - (rest.data ? 1 : 0);
                assert_true(width <= (start == column && column > 76 ? column : 76));
                start = 7; /* a HTAB is one octet and eight columns */
            }
            assert_int_equal(dkim_taglist_parse(buf_span(&out), &list, &err), ST_OK);
            assert_int_equal(list.count, 4);
            size_t octets = 0;
            for (size_t i = 0; i < list.tags[3].value.len; i++)
                octets += list.tags[3].value.data[i] == 'A';
            assert_int_equal(octets, len);
            buf_clear(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read),
        cmocka_unit_test(lists_have_a_limit_and_a_nul_is_refused),
        cmocka_unit_test(lists_are_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
