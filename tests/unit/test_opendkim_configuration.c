/* SPDX-License-Identifier: Apache-2.0
 *
 * opendkim.conf: which line counts, what it says, what becomes of it, and what stops OpenDKIM.
 */
#include "tests/unit/test_opendkim_support.h"

#include "opendkim/configuration.h"

/* Written to a file, read, and asked for Selector ("-": not set). */
static const struct text_case {
    const char *name, *content, *selector;
} text_cases[] = {
    {"nothing", "", "-"},
    {"a value", "Selector s1\n", "s1"},
    {"no line end", "Selector s1", "s1"},
    {"any case", "sElEcToR s1\n", "s1"},
    {"tabs and blanks around", " \t Selector \t s1 \t \n", "s1"},
    {"inner blanks stay", "Selector a  b\n", "a  b"},
    {"the last line counts", "Selector s1\nMode s\nSelector s2\n", "s2"},
    {"a comment", "# Selector s1\n", "-"},
    {"# ends a line wherever it stands", "Selector s#1\n", "s"},
    {"CR ends a line", "Selector s1\r\n", "s1"},
    {"CR ends a line in the middle, too", "Selector s\rx\n", "s"},
    {"NUL ends a line", "Selector s1\n#\n", "s1"},
    {"an unknown line is passed over", "Selecter s0\nSelector s1\n", "s1"},
    {"a line without a value is passed over", "Selector s1\nSelector\n", "s1"},
    {"included before", "Include @/more\nSelector s1\n", "s1"},
    {"included behind", "Selector s1\nInclude @/more\n", "included"},
    {"included from a file that is not there", "Selector s1\nInclude @/none\n", "s1"},
};

static void lines_are_read(void **state)
{
    (void)state;
    test_write_text("more", "Selector included\n");
    for (size_t i = 0; i < sizeof text_cases / sizeof text_cases[0]; i++) {
        struct configuration configuration = {.list = NULL};
        struct err err = {0};
        test_write_text("conf", text_cases[i].content);
        if (configuration_read(test_path("conf"), NULL, &configuration, &err) != ST_OK)
            fail_msg("%s: %s", text_cases[i].name, err.text);
        const char *selector = configuration_text(&configuration, "Selector");
        if (strcmp(selector == NULL ? "-" : selector, text_cases[i].selector) != 0)
            fail_msg("%s: %s", text_cases[i].name, selector);
        configuration_clear(&configuration);
    }
}

static const struct stop_case {
    const char *content, *stop; /* "": it starts */
} stop_cases[] = {
    {"Mode s\n", ""},
    {"Selecter s1\n", "conf:1: Selecter: not a setting (is Selector meant?)"},
    {"Mode s\nSelector \n", "conf:2: Selector: has no value"},
    {"Selector # none\n", "conf:1: Selector: has no value"},
    {"SubDomains on\n", "conf:1: SubDomains: not a word that begins with"},
    {"SubDomains Nobody\n", ""},
    {"SubDomains true\n", ""},
    {"UMask 022\n", ""},
    {"UMask 0x1f\n", ""},
    {"UMask 2 2\n", "conf:1: UMask: not a number"},
    {"UMask x\n", "conf:1: UMask: not a number"},
    {"Include @/none\n", "conf:1: Include: "},
    {"Include @/loop\n", "more than 5 files"},
    {"Nonsense 1\nUMask x\n", "conf:1: Nonsense"},
    {"ADSPAction continue\n", ""},
    {"DefaultSender x\n", ""},
};

static void what_stops_opendkim_is_kept(void **state)
{
    (void)state;
    test_write_text("loop", "Include @/loop\n");
    for (size_t i = 0; i < sizeof stop_cases / sizeof stop_cases[0]; i++) {
        struct configuration configuration = {.list = NULL};
        struct err err = {0};
        test_write_text("conf", stop_cases[i].content);
        assert_int_equal(configuration_read(test_path("conf"), NULL, &configuration, &err), ST_OK);
        bool stops = stop_cases[i].stop[0] != '\0';
        if (stops != (configuration.stop[0] != '\0') ||
            strstr(configuration.stop, stop_cases[i].stop) == NULL)
            fail_msg("%s: %s", stop_cases[i].content, configuration.stop);
        configuration_clear(&configuration);
    }
}

static void values_are_typed_and_have_defaults(void **state)
{
    (void)state;
    struct configuration configuration = {.list = NULL};
    test_write_text("conf", "SubDomains Yes\nSyslog 0\nUMask 022\nSignatureTTL 0x10\nFixCRLF tx\n");
    assert_int_equal(configuration_read(test_path("conf"), NULL, &configuration, NULL), ST_OK);
    assert_true(configuration_flag(&configuration, "SubDomains"));
    assert_true(configuration_flag(&configuration, "FixCRLF"));
    assert_false(configuration_flag(&configuration, "Syslog"));
    assert_true(configuration_flag(&configuration, "RequireSafeKeys"));
    assert_false(configuration_flag(&configuration, "MultipleSignatures"));
    assert_int_equal(configuration_number(&configuration, "UMask"), 18);
    assert_int_equal(configuration_number(&configuration, "SignatureTTL"), 16);
    assert_int_equal(configuration_number(&configuration, "MinimumKeyBits"), 1024);
    assert_string_equal(configuration_text(&configuration, "Mode"), "sv");
    assert_string_equal(configuration_text(&configuration, "InternalHosts"), "csl:127.0.0.1,::1");
    assert_null(configuration_text(&configuration, "KeyTable"));
    assert_null(configuration_find(&configuration, "Mode"));
    assert_int_equal(configuration_place(&configuration, "UMask").line, 3);
    assert_null(configuration_place(&configuration, "Mode").file);
    configuration_clear(&configuration);
}

static void settings_can_be_given(void **state)
{
    (void)state;
    struct configuration configuration = {.list = NULL};
    struct err err = {0};
    test_write_text("conf", "Mode v\nUMask 1\n");
    assert_int_equal(configuration_read(test_path("conf"), NULL, &configuration, &err), ST_OK);
    assert_int_equal(configuration_set(&configuration, "Mode", "s", &err), ST_OK);
    assert_int_equal(configuration_set(&configuration, "KeyTable", "/k", &err), ST_OK);
    assert_int_equal(configuration_set(&configuration, "UMask", "x", &err), ST_INVALID);
    assert_string_equal(err.text, "UMask: not a number");
    assert_int_equal(configuration_set(&configuration, "MTA", "", &err), ST_INVALID);
    assert_string_equal(configuration_text(&configuration, "Mode"), "s");
    assert_string_equal(configuration_text(&configuration, "KeyTable"), "/k");
    assert_int_equal(configuration_number(&configuration, "UMask"), 1);
    assert_string_equal(configuration_place(&configuration, "Mode").file, "");
    configuration_clear(&configuration);
}

/* Each file includes itself a hundred times: five levels of that would never end. */
static void includes_have_an_end(void **state)
{
    (void)state;
    struct configuration configuration = {.list = NULL};
    struct buf content = BUF_INIT(0);
    for (int i = 0; i < 100; i++)
        buf_printf(&content, "Include %s\n", test_path("many"));
    test_write("many", buf_span(&content));
    assert_int_equal(configuration_read(test_path("many"), NULL, &configuration, NULL), ST_OK);
    assert_in_range(configuration.file_count, 1, 1000);
    assert_true(configuration.stop[0] != '\0');
    configuration_clear(&configuration);
    buf_clear(&content);
}

static void each_line_has_its_fate(void **state)
{
    (void)state;
    static const enum notes_grade grades[] = {NOTES_TAKEN,  NOTES_CHANGED, NOTES_REFUSED,
                                              NOTES_NOTICE, NOTES_NOTICE,  NOTES_NOTICE,
                                              NOTES_UNKNOWN};
    struct configuration configuration = {.list = NULL};
    struct notes *notes = notes_new();
    test_write_text("conf", "Mode s\nMultipleSignatures yes\nBodyLengthDB x\nAuthservID x\n"
                            "Background yes\nLocalADSP x\nNonsense x\nLDAPBindPassword hush\n");
    assert_int_equal(configuration_read(test_path("conf"), notes, &configuration, NULL), ST_OK);
    for (size_t i = 0; i < sizeof grades / sizeof grades[0]; i++) {
        bool found = false;
        for (size_t j = 0; j < notes_count(notes); j++)
            found = found ||
                    (notes_at(notes, j)->line == i + 1 && notes_at(notes, j)->grade == grades[i]);
        if (!found)
            fail_msg("line %zu", i + 1);
    }
    assert_true(test_noted(notes, 6, "Debian"));
    assert_true(test_noted(notes, 8, "LDAPBindPassword"));
    assert_false(test_noted(notes, 8, "hush"));
    configuration_clear(&configuration);
    notes_free(notes);
}

static const struct mistyped_case {
    const char *line, *said;
} mistyped_cases[] = {
    {"LDAPBindPassword=hush", "LDAPBindPassword: not a setting (is LDAPBindPassword meant?)"},
    {"LDAPBindPasword:hush x", "LDAPBindPasword: not a setting (is LDAPBindPassword meant?)"},
    {"On-Securty\xc3\xa4hush x", "On-Securty: not a setting (is On-Security meant?)"},
    {"=hush", "a line does not begin with the name of a setting"},
    {"Selector\"hush\"", "Selector: not a setting (is Selector meant?)"},
};

/* What is behind a mistyped name may be a secret. */
static void only_names_are_shown_of_mistyped_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistyped_cases / sizeof mistyped_cases[0]; i++) {
        struct configuration configuration = {.list = NULL};
        struct notes *notes = notes_new();
        test_write_text("conf", mistyped_cases[i].line);
        assert_int_equal(configuration_read(test_path("conf"), notes, &configuration, NULL), ST_OK);
        if (!test_noted(notes, 1, mistyped_cases[i].said) || test_noted(notes, 1, "hush") ||
            strstr(configuration.stop, "hush") != NULL) {
            test_print_notes(notes);
            fail_msg("%s: %s", mistyped_cases[i].line, configuration.stop);
        }
        configuration_clear(&configuration);
        notes_free(notes);
    }
}

static void what_is_surprising_is_noted(void **state)
{
    (void)state;
    struct configuration configuration = {.list = NULL};
    struct notes *notes = notes_new();
    test_write_text("conf", "Selector s#1\nMode s # a comment\nSelector s2\nInclude tmp\n");
    assert_int_equal(configuration_read(test_path("conf"), notes, &configuration, NULL), ST_OK);
    assert_true(test_noted(notes, 1, "# ends a line"));
    assert_true(test_noted(notes, 1, "line 3"));
    assert_false(test_noted(notes, 2, "# ends a line"));
    assert_true(test_noted(notes, 4, "relative"));
    configuration_clear(&configuration);
    notes_free(notes);
}

static void the_table_is_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < configuration_table_count; i++) {
        const struct configuration_known *known = &configuration_table[i];
        assert_ptr_equal(configuration_knows(span_str(known->name)), known);
        if (known->fallback == NULL)
            continue;
        if (known->type == CONFIGURATION_FLAG)
            assert_non_null(strstr("yes no", known->fallback));
        if (known->type == CONFIGURATION_NUMBER)
            assert_true(known->fallback[0] >= '0' && known->fallback[0] <= '9');
    }
    assert_null(configuration_knows(SPAN_LIT("Selecto")));
}

static void any_octets_are_read(void **state)
{
    (void)state;
    static const char signs[] = "\0\n\r\t #Mode Selector Include s\xff\xc3";
    static char content[200000];
    struct configuration configuration = {.list = NULL};
    struct err err;
    unsigned seed = 1;
    for (size_t i = 0; i < sizeof content; i++) {
        seed = seed * 1103515245U + 12345U;
        content[i] = signs[(seed >> 16) % (sizeof signs - 1)];
    }
    test_write("conf", span_of(content, sizeof content));
    assert_int_equal(configuration_read(test_path("conf"), NULL, &configuration, NULL), ST_OK);
    assert_true(configuration.stop[0] != '\0');
    configuration_clear(&configuration);
    assert_int_equal(configuration_read(test_path("none"), NULL, &configuration, &err),
                     ST_NOT_FOUND);
    configuration_clear(&configuration);
    assert_int_equal(configuration_read(test_folder, NULL, &configuration, &err), ST_INVALID);
    configuration_clear(&configuration);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(what_stops_opendkim_is_kept),
        cmocka_unit_test(values_are_typed_and_have_defaults),
        cmocka_unit_test(settings_can_be_given),
        cmocka_unit_test(includes_have_an_end),
        cmocka_unit_test(each_line_has_its_fate),
        cmocka_unit_test(only_names_are_shown_of_mistyped_lines),
        cmocka_unit_test(what_is_surprising_is_noted),
        cmocka_unit_test(the_table_is_in_order),
        cmocka_unit_test(any_octets_are_read),
    };
    return cmocka_run_group_tests_name("opendkim_configuration", tests, test_opendkim_setup,
                                       test_opendkim_teardown);
}
