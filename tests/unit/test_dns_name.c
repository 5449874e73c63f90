/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of the DNS: from the wire, as text, one within the other.
 */
#include "tests/unit/test_dkim_support.h"

#include "dns/name.h"

static void names_are_read_from_the_wire(void **state)
{
    static const struct {
        const char *name;
        struct span wire;
        const char *want; /* NULL: none */
    } cases[] = {
        {"the root", SPAN_LIT("\0"), ""},
        {"one label", SPAN_LIT("\3com\0"), "com"},
        {"capitals", SPAN_LIT("\3WwW\7EXAMPLE\0"), "www.example"},
        {"underscore", SPAN_LIT("\1s\12_domainkey\1a\0"), "s._domainkey.a"},
        {"a dot in a label", SPAN_LIT("\3a.b\1c\0"), "a\\046b.c"},
        {"octets that are no text", SPAN_LIT("\4\0\377\\ \0"), "\\000\\255\\092\\032"},
        {"what follows", SPAN_LIT("\1a\0\1b\0"), "a"},
        {"nothing", {NULL, 0}, NULL},
        {"no end", SPAN_LIT("\1a"), NULL},
        {"a label beyond the end", SPAN_LIT("\5abc\0"), NULL},
        {"a label up to the end", SPAN_LIT("\3abc"), NULL},
        {"compressed", SPAN_LIT("\1a\300\0"), NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char name[NAME_SIZE];
        print_message("    %s\n", cases[i].name);
        assert_int_equal(name_of_wire(cases[i].wire, name), cases[i].want != NULL);
        assert_string_equal(name, cases[i].want != NULL ? cases[i].want : "");
    }
}

/* 255 octets, none of them plain, is the longest text; one octet more is no name. */
static void the_longest_name_fits(void **state)
{
    static const unsigned char labels[] = {63, 63, 63, 61};
    unsigned char wire[256] = {0};
    char name[NAME_SIZE];
    size_t at = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(labels); i++) {
        wire[at++] = labels[i];
        memset(wire + at, 0xff, labels[i]);
        at += labels[i];
    }
    assert_int_equal(at + 1, 255);
    assert_true(name_of_wire(span_of((char *)wire, 255), name));
    assert_int_equal(strlen(name), 4 * 250 + 3);
    wire[at - labels[3] - 1]++;
    wire[at] = 0xff;
    wire[at + 1] = 0;
    assert_false(name_of_wire(span_of((char *)wire, 256), name));
}

static void text_is_brought_into_the_one_form(void **state)
{
    char name[NAME_SIZE], long_name[NAME_SIZE + 1];
    (void)state;
    assert_true(name_of_text("A.Example.", name));
    assert_string_equal(name, "a.example");
    assert_true(name_of_text(".", name));
    assert_string_equal(name, "");
    memset(long_name, 'a', NAME_SIZE);
    long_name[NAME_SIZE] = '\0';
    assert_false(name_of_text(long_name, name));
}

static void names_are_within_zones(void **state)
{
    static const struct {
        const char *name, *zone;
        bool want;
    } cases[] = {
        {"a.example", "example", true}, {"example", "example", true},
        {"example", "", true},          {"", "", true},
        {"xexample", "example", false}, {"example", "a.example", false},
        {"", "example", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(name_is_within(cases[i].name, cases[i].zone), cases[i].want);
    assert_string_equal(name_parent("a.b.c"), "b.c");
    assert_string_equal(name_parent("c"), "");
    assert_string_equal(name_parent(""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_from_the_wire),
        cmocka_unit_test(the_longest_name_fits),
        cmocka_unit_test(text_is_brought_into_the_one_form),
        cmocka_unit_test(names_are_within_zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
