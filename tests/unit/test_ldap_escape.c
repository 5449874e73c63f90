/* SPDX-License-Identifier: Apache-2.0
 *
 * Values in filters and names: what each octet becomes, and that libldap reads back what was
 * meant.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ldap.h>
#include <stdio.h>
#include <string.h>

#include "ldap/escape.h"

#define VALUE(text) text, sizeof(text) - 1

static const struct {
    const char *name, *value;
    size_t len;
    const char *filter, *rdn;
} cases[] = {
    {"nothing", VALUE(""), "", ""},
    {"a domain", VALUE("mail-1.example.com"), "mail-1.example.com", "mail-1.example.com"},
    {"NUL", VALUE("a\0b"), "a\\00b", "a\\00b"},
    {"NUL alone", VALUE("\0"), "\\00", "\\00"},
    {"what means something in a filter", VALUE("*()\\"), "\\2a\\28\\29\\5c", "*()\\5c"},
    {"what means something in a name", VALUE(",+\"<>;=#"), ",+\"<>;=#",
     "\\2c\\2b\\22\\3c\\3e\\3b\\3d\\23"},
    {"a filter in a filter", VALUE("*)(uid=*))(|(uid=*"),
     "\\2a\\29\\28uid=\\2a\\29\\29\\28|\\28uid=\\2a", "*)(uid\\3d*))(|(uid\\3d*"},
    {"a name in a name", VALUE("x,dc=example"), "x,dc=example", "x\\2cdc\\3dexample"},
    {"an escape in a value", VALUE("\\2a"), "\\5c2a", "\\5c2a"},
    {"a blank in front", VALUE(" a"), " a", "\\20a"},
    {"a blank behind", VALUE("a "), "a ", "a\\20"},
    {"a blank inside", VALUE("a b"), "a b", "a b"},
    {"blanks inside", VALUE("a  b"), "a  b", "a  b"},
    {"a blank alone", VALUE(" "), " ", "\\20"},
    {"blanks alone", VALUE("   "), "   ", "\\20 \\20"},
    {"two blanks in front", VALUE("  a"), "  a", "\\20 a"},
    {"a number sign in front", VALUE("#x"), "#x", "\\23x"},
    {"controls", VALUE("\t\r\n\x1b\x7f"), "\\09\\0d\\0a\\1b\\7f", "\\09\\0d\\0a\\1b\\7f"},
    {"UTF-8", VALUE("\xc3\xa4\xf0\x9f\x94\x91"), "\\c3\\a4\\f0\\9f\\94\\91",
     "\\c3\\a4\\f0\\9f\\94\\91"},
    {"octets that are no UTF-8", VALUE("\x80\xff"), "\\80\\ff", "\\80\\ff"},
    {"a quote", VALUE("'; --"), "'; --", "'\\3b --"},
    {"formats", VALUE("%s%n"), "%s%n", "%s%n"},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void expect(const char *name, struct buf *got, const char *before, const char *want,
                   const char *after)
{
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", before, want, after);
    if (strcmp(buf_cstr(got), text) != 0)
        fail_msg("%s: %s instead of %s", name, buf_cstr(got), text);
    buf_clear(got);
}

static void each_octet_becomes_what_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct span value = span_of(cases[i].value, cases[i].len);
        struct buf out = BUF_INIT(0);
        escape_filter(value, &out);
        expect(cases[i].name, &out, "", cases[i].filter, "");
        escape_equals("cn", value, &out);
        expect(cases[i].name, &out, "(cn=", cases[i].filter, ")");
        escape_rdn("cn", value, &out);
        expect(cases[i].name, &out, "cn=", cases[i].rdn, "");
    }
}

static void what_is_there_stays_there(void **state)
{
    struct buf out = BUF_INIT(0);
    (void)state;
    escape_rdn("cn", SPAN_LIT("a,"), &out);
    buf_append_char(&out, '+');
    escape_rdn("sn", SPAN_LIT(" "), &out);
    expect("two", &out, "", "cn=a\\2c+sn=\\20", "");
}

static void names_are_read_back_as_they_were(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct buf text = BUF_INIT(0);
        LDAPDN dn = NULL;
        if (span_is_utf8(span_of(cases[i].value, cases[i].len)) && cases[i].len > 0) {
            escape_rdn("cn", span_of(cases[i].value, cases[i].len), &text);
            buf_append_str(&text, ",dc=example");
            assert_int_equal(ldap_str2dn(buf_cstr(&text), &dn, LDAP_DN_FORMAT_LDAPV3), 0);
            assert_non_null(dn[0]);
            assert_null(dn[0][1]);
            assert_int_equal(dn[0][0]->la_value.bv_len, cases[i].len);
            assert_memory_equal(dn[0][0]->la_value.bv_val, cases[i].value, cases[i].len);
            assert_non_null(dn[1]);
            assert_null(dn[2]);
            ldap_dnfree(dn);
        }
        buf_clear(&text);
    }
}

int main(void)
{
    const struct CMUnitTest escape[] = {
        cmocka_unit_test(each_octet_becomes_what_it_should),
        cmocka_unit_test(what_is_there_stays_there),
        cmocka_unit_test(names_are_read_back_as_they_were),
    };
    return cmocka_run_group_tests(escape, NULL, NULL);
}
