/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sets: rows, look-ups, and what is surprising in them.
 */
#include "tests/unit/test_opendkim_support.h"

#include <fnmatch.h>
#include <time.h>

#include "base/clock.h"
#include "opendkim/table.h"

static struct table *open_table(const char *spec, enum table_use use, struct notes *notes)
{
    struct table *table = NULL;
    struct err err = {0};
    struct table_options options = {
        .setting = "Set", .use = use, .base = test_folder, .notes = notes};
    if (table_open(spec, &options, &table, &err) != ST_OK)
        fail_msg("%s: %s", spec, err.text);
    return table;
}

/* What a key gives: its value, "" for a key without one, NULL for none. */
static const char *found(const struct table *table, const char *key)
{
    static char value[256];
    struct table_found answer;
    bool there = table_find(table, span_str(key), &answer, NULL) == ST_OK;
    snprintf(value, sizeof value, "%.*s", (int)answer.value.len,
             answer.value.data == NULL ? "" : answer.value.data);
    table_found_clear(&answer);
    return there ? value : NULL;
}

/* -- rows --------------------------------------------------------------------------------- */

static const struct row_case {
    const char *name, *spec, *content;
    enum table_use use;
    const char *rows; /* "key=value;" each, "key;" without a value */
} row_cases[] = {
    {"file: words and values", "file:set", "a b\nc  d e \n", TABLE_KEYS, "a=b;c=d e;"},
    {"file: no line end", "file:set", "a b", TABLE_KEYS, "a=b;"},
    {"file: white space around", "file:set", " \t a \t b \t \n", TABLE_KEYS, "a=b;"},
    {"file: CRLF", "file:set", "a b\r\n\r\n", TABLE_KEYS, "a=b;"},
    {"file: comments", "file:set", "# x\na b # y\n#", TABLE_KEYS, "a=b;"},
    {"file: # ends a line wherever it stands", "file:set", "a b#c\nd#e f\n", TABLE_KEYS, "a=b;d;"},
    {"file: no value", "file:set", "a\nb \n", TABLE_PEERS, "a;b;"},
    {"refile: words and values", "refile:set", "a b\nc  d e \n", TABLE_KEYS, "a=b;c=d e;"},
    {"refile: white space before the key", "refile:set", " a b\n\tc d\ne f\n", TABLE_KEYS, "e=f;"},
    {"refile: no value", "refile:set", "a\nb c\n", TABLE_RULES, "a;b=c;"},
    {"refile: an empty value", "refile:set", "a \nb\r\nc # d\n", TABLE_RULES, "a=;b=;c=;"},
    {"csl", "csl:a,b , c", "", TABLE_NAMES, "a;b;c;"},
    {"csl without its name", "a,b:c", "", TABLE_NAMES, "a;b:c;"},
    {"csl of one", "a", "", TABLE_NAMES, "a;"},
    {"csl with empty entries", "csl:,a,,b,", "", TABLE_NAMES, "a;b;"},
    {"csl with values", "csl:a=b, c = d=e ,f=", "", TABLE_KEYS, "a=b;c=d=e;f=;"},
    {"csl with several values", "csl:a=b|c |,d", "", TABLE_MACROS, "a=b;a=c;d;"},
    {"file with several values", "file:set", "a b|c d\ne\n", TABLE_MACROS, "a=b;a=c d;e;"},
    {"a scheme in any case", "FILE:set", "a b\n", TABLE_KEYS, "a=b;"},
};

static void rows_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof row_cases / sizeof row_cases[0]; i++) {
        struct buf rows = BUF_INIT(0);
        test_write_text("set", row_cases[i].content);
        struct table *table = open_table(row_cases[i].spec, row_cases[i].use, NULL);
        for (size_t j = 0; j < table_count(table); j++) {
            struct table_row row = table_row_at(table, j);
            buf_append_span(&rows, row.key);
            if (row.has_value)
                buf_append_char(&rows, '=');
            buf_append_span(&rows, row.value);
            buf_append_char(&rows, ';');
        }
        if (strcmp(buf_cstr(&rows), row_cases[i].rows) != 0)
            fail_msg("%s: %s", row_cases[i].name, buf_cstr(&rows));
        buf_clear(&rows);
        table_close(table);
    }
}

static void types_are_found_as_opendkim_does(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        enum status status;
        const char *text;
    } cases[] = {
        {"::1,127.0.0.1", ST_INVALID, "begins with csl:"},
        {"mysql:x", ST_INVALID, "no data sets of the type \"mysql\""},
        {"dsn:mysql://u:hush@h/d", ST_DENIED, "of the type dsn cannot be read here"},
        {"LDAPS://h/dc=x", ST_DENIED, "of the type ldaps cannot"},
        {"lua:/x", ST_DENIED, "of the type lua cannot"},
        {"/none", ST_NOT_FOUND, "Set: file:/none: cannot be opened"},
        {"none.db", ST_NOT_FOUND, "Set: db:"},
        {"refile:none", ST_NOT_FOUND, "Set: refile:"},
        {"refile:set", ST_INVALID, "line 2: not a regular expression"},
        {"db:set", ST_INVALID, "not a data base of Berkeley's"},
    };
    test_write_text("set", "a b\n(a b\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct table *table = NULL;
        struct err err = {0};
        struct table_options options = {.setting = "Set", .base = test_folder};
        enum status status = table_open(cases[i].spec, &options, &table, &err);
        if (status != cases[i].status || strstr(err.text, cases[i].text) == NULL)
            fail_msg("%s: %s %s", cases[i].spec, status_name(status), err.text);
        assert_null(strstr(err.text, "hush"));
        assert_null(table);
    }
}

static void a_line_is_cut_after_1023_octets(void **state)
{
    (void)state;
    char content[3000];
    struct notes *notes = notes_new();
    memset(content, 'x', sizeof content);
    memcpy(content, "key ", 4);
    memcpy(content + 2000, " # no more\n", 11);
    test_write("set", span_of(content, 2011));
    struct table *table = open_table("file:set", TABLE_KEYS, notes);
    assert_int_equal(table_count(table), 2);
    struct table_row row = table_row_at(table, 0);
    assert_int_equal(row.value.len, 1023 - 4);
    assert_int_equal(row.whole.len, 2000 - 4);
    assert_false(row.rest);
    row = table_row_at(table, 1);
    assert_true(row.rest);
    assert_int_equal(row.key.len, 2000 - TABLE_LINE_MAX);
    assert_true(test_noted(notes, 1, "2010 octets"));
    assert_int_equal(notes_count(notes), 1);
    table_close(table);

    memset(content, ' ', TABLE_LINE_MAX);
    memcpy(content, "key x", 5);
    memcpy(content + TABLE_LINE_MAX, "\nb c\n", 5);
    test_write("set", span_of(content, TABLE_LINE_MAX + 5));
    table = open_table("file:set", TABLE_KEYS, notes);
    assert_int_equal(table_count(table), 2);
    assert_string_equal(found(table, "b"), "c");
    assert_int_equal(notes_count(notes), 1);
    table_close(table);
    notes_free(notes);
}

/* -- look-ups ----------------------------------------------------------------------------- */

static void files_are_asked_for_whole_keys(void **state)
{
    (void)state;
    struct notes *notes = notes_new();
    test_write_text("set", "A one\na two\nb three\n*c four\n\xc3\xa4 five\n");
    struct table *keys = open_table("file:set", TABLE_KEYS, notes);
    assert_string_equal(found(keys, "A"), "one");
    assert_string_equal(found(keys, "a"), "two");
    assert_null(found(keys, "xc"));
    assert_null(found(keys, "B"));
    assert_non_null(found(keys, "\xc3\xa4"));
    table_close(keys);
    struct table *rules = open_table("file:set", TABLE_RULES, notes);
    assert_string_equal(found(rules, "a"), "one");
    assert_string_equal(found(rules, "B"), "three");
    assert_null(found(rules, "\xc3\xa4"));
    assert_true(test_noted(notes, 2, "a stands in line 1 already"));
    assert_false(test_noted(notes, 3, "already"));
    table_close(rules);
    notes_free(notes);
}

static const struct pattern_case {
    const char *pattern, *text;
    bool matches, keys_match; /* in SigningTable, in KeyTable */
} pattern_cases[] = {
    {"a@x.test", "a@x.test", true, true},   {"a@x.test", "A@X.TEST", true, false},
    {"a@x.test", "a@xxtest", false, false}, {"*@x.test", "any@x.test", true, true},
    {"*@x.test", "@x.test", true, true},    {"*@x.test", "any@x.test.", false, false},
    {"*x.test", "u@notx.test", true, true}, {"*", "", true, true},
    {"a*b*c", "axxbxxc", true, true},       {"a*b*c", "acb", false, false},
    {"a*b*bc", "abbbc", true, true},        {"a+b@x", "a+b@x", true, true},
    {"a+b@x", "aab@x", false, false},       {"(ann|bob)@x", "bob@x", true, true},
    {"(ann|bob)@x", "BOB@x", true, false},  {"(ann|bob)@x", "carl@x", false, false},
    {"c?d@x", "cd@x", true, true},          {"c?d@x", "d@x", true, true},
    {"c?d@x", "c?d@x", false, false},       {"[xy]z@x", "yz@x", true, true},
    {"a{2}@x", "aa@x", true, true},         {"a|b", "axx", true, true},
    {"a\\.b", "a\\xb", true, true},         {"a$", "a", true, true},
    {"\xc3\xa4*", "\xc3\xa4x", true, true},
};

static void patterns_match_as_regular_expressions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pattern_cases / sizeof pattern_cases[0]; i++) {
        const struct pattern_case *one = &pattern_cases[i];
        struct buf content = BUF_INIT(0);
        size_t row = 0;
        /* Behind 1,500 other live patterns it is one of those that are not kept compiled. */
        for (int turn = 0; turn < 2; turn++) {
            buf_reset(&content);
            for (int j = 0; turn == 1 && j < 1500; j++)
                buf_append_str(&content, "(zzz) v\n");
            buf_printf(&content, "%s v\n", one->pattern);
            test_write("set", buf_span(&content));
            struct table *rules = open_table("refile:set", TABLE_RULES, NULL);
            struct table *keys = open_table("refile:set", TABLE_KEYS, NULL);
            row = 0;
            if (table_match(rules, one->text, &row) != one->matches)
                fail_msg("%s, %s: rules, turn %d", one->pattern, one->text, turn);
            if ((found(keys, one->text) != NULL) != one->keys_match)
                fail_msg("%s, %s: keys, turn %d", one->pattern, one->text, turn);
            table_close(rules);
            table_close(keys);
        }
        buf_clear(&content);
    }
}

static void matches_come_in_the_order_of_lines(void **state)
{
    (void)state;
    size_t row = 0;
    test_write_text("set", "x 1\na* 2\n*b 3\n*c 4\n");
    struct table *table = open_table("refile:set", TABLE_RULES, NULL);
    assert_true(table_match(table, "ab", &row));
    assert_int_equal(row, 1);
    row++;
    assert_true(table_match(table, "ab", &row));
    assert_int_equal(row, 2);
    row++;
    assert_false(table_match(table, "ab", &row));
    table_close(table);
}

/* -- surprises ---------------------------------------------------------------------------- */

static const struct note_case {
    const char *spec, *content;
    enum table_use use;
    const char *text; /* noted of line 1; NULL: nothing is */
} note_cases[] = {
    {"file:set", "a b # c\n", TABLE_KEYS, NULL},
    {"file:set", "a b#c\n", TABLE_KEYS, "# ends a line"},
    {"refile:set", "a b#c\n", TABLE_RULES, "# ends a line"},
    {"file:set", "a\n", TABLE_KEYS, "there is no value"},
    {"file:set", "a\n", TABLE_PEERS, NULL},
    {"refile:set", "a\n", TABLE_RULES, "crashes when a message matches"},
    {"refile:set", "a\n", TABLE_PEERS, NULL},
    {"refile:set", "a \n", TABLE_RULES, "the value is empty"},
    {"refile:set", " a b\n", TABLE_RULES, "begins with white space"},
    {"file:set", " a b\n", TABLE_RULES, NULL},
    {"refile:set", " # a comment\n", TABLE_RULES, NULL},
    {"refile:set", "a? b\n", TABLE_RULES, "as a regular expression"},
    {"refile:set", "*@a+b.test b\n", TABLE_RULES, NULL},
    {"refile:set", "*example.com b\n", TABLE_RULES, "matches user@notexample.com as well"},
    {"refile:set", "*.example.com b\n", TABLE_RULES, NULL},
    {"refile:set", "* b\n", TABLE_RULES, NULL},
};

static void surprises_are_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof note_cases / sizeof note_cases[0]; i++) {
        const struct note_case *one = &note_cases[i];
        struct notes *notes = notes_new();
        test_write_text("set", one->content);
        table_close(open_table(one->spec, one->use, notes));
        if (one->text == NULL ? notes_count(notes) > 0 : !test_noted(notes, 1, one->text)) {
            test_print_notes(notes);
            fail_msg("%s: %s", one->spec, one->content);
        }
        notes_free(notes);
    }
}

/* -- sources ------------------------------------------------------------------------------ */

static enum status rows_open(const char *spec, void *context, void **handle_out, struct err *err)
{
    if (strstr(spec, "down") != NULL)
        return err_set(err, ST_TEMP, "dsn: nobody answers");
    *handle_out = context;
    return ST_OK;
}

static enum status rows_each(void *handle, table_take *take, void *arg, struct err *err)
{
    if (*(const int *)handle < 0)
        return err_set(err, ST_TEMP, "dsn: gone");
    enum status status = take(arg, SPAN_LIT("a"), SPAN_LIT("d:s:-----\nkey"), err);
    (*(int *)handle)++;
    return status != ST_OK ? status : take(arg, SPAN_LIT("b"), SPAN_LIT("d"), err);
}

static enum status rows_find(void *handle, struct span key, struct buf *value_out, struct err *err)
{
    (*(int *)handle)++;
    if (!span_equal(key, SPAN_LIT("a")))
        return err_set(err, ST_NOT_FOUND, "none");
    buf_append_str(value_out, "d:s:-----\nkey");
    return ST_OK;
}

static void rows_close(void *handle)
{
    (*(int *)handle)++;
}

static void others_can_bring_data_sets(void **state)
{
    (void)state;
    static const struct table_source source = {"dsn", rows_open, rows_each, rows_find, rows_close};
    int calls = 0;
    struct table *table = NULL;
    struct err err = {0};
    struct table_options options = {.setting = "KeyTable",
                                    .use = TABLE_KEYS,
                                    .sources = &source,
                                    .source_count = 1,
                                    .source_context = &calls};
    assert_int_equal(table_open("DSN:down", &options, &table, &err), ST_TEMP);
    assert_string_equal(err.text, "KeyTable: dsn: nobody answers");
    assert_int_equal(table_open("dsn:mysql://u:hush@h/d", &options, &table, &err), ST_OK);
    assert_string_equal(table_name(table), "dsn:");
    assert_string_equal(found(table, "a"), "d:s:-----\nkey");
    assert_null(found(table, "b"));
    assert_int_equal(table_count(table), 0);
    calls = -1;
    assert_int_equal(table_load(table, &err), ST_TEMP);
    assert_string_equal(err.text, "KeyTable: dsn: gone");
    calls = 2;
    assert_int_equal(table_load(table, &err), ST_OK);
    assert_int_equal(table_load(table, &err), ST_OK);
    assert_int_equal(table_count(table), 2);
    assert_true(span_equal(table_row_at(table, 0).value, SPAN_LIT("d:s:-----\nkey")));
    assert_int_equal(calls, 3);
    table_close(table);
    assert_int_equal(calls, 4);
}

/* -- parts, sizes, octets ----------------------------------------------------------------- */

static void values_are_split_at_their_first_colons(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        size_t filled;
        const char *parts[3];
    } cases[] = {
        {"a:b:c", 3, {"a", "b", "c"}},
        {"a:b:c:d", 3, {"a", "b", "c:d"}},
        {"a:b", 2, {"a", "b", ""}},
        {"a:b:", 2, {"a", "b", ""}},
        {"a::c", 3, {"a", "", "c"}},
        {":b:c", 3, {"", "b", "c"}},
        {"", 0, {"", "", ""}},
        {":", 1, {"", "", ""}},
        {"a : b:c", 3, {"a ", " b", "c"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct span parts[3];
        assert_int_equal(table_split(span_str(cases[i].value), 3, parts), cases[i].filled);
        for (size_t j = 0; j < 3; j++)
            assert_true(span_equal(parts[j], span_str(cases[i].parts[j])));
    }
}

static void a_hundred_thousand_lines_are_fast(void **state)
{
    (void)state;
    struct buf content = BUF_INIT(0);
    char key[64];
    for (int i = 0; i < 100000; i++)
        buf_printf(&content, "*@d%d.test s._domainkey.d%d.test\n", i, i);
    test_write("set", buf_span(&content));
    int64_t started_ms = clock_monotonic_ms();
    struct table *file = open_table("file:set", TABLE_RULES, NULL);
    for (int i = 0; i < 100000; i++) {
        snprintf(key, sizeof key, "*@D%d.test", i);
        assert_non_null(found(file, key));
    }
    struct table *refile = open_table("refile:set", TABLE_RULES, NULL);
    for (size_t i = 0; i < 10; i++) {
        size_t row = 0;
        assert_true(table_match(refile, "a@d99999.test", &row));
        assert_int_equal(row, 99999);
    }
    assert_in_range(clock_monotonic_ms() - started_ms, 0, 5000);
    table_close(file);
    table_close(refile);
    buf_clear(&content);
}

/* Every pattern is looked for by a text that it alone matches. */
static clock_t clock_of_matches(const char *form, int count)
{
    struct buf content = BUF_INIT(0);
    char text[64];
    for (int i = 0; i < count; i++) {
        for (const char *c = form; *c != '\0'; c++) {
            if (*c == '#')
                buf_printf(&content, "%d", i);
            else
                buf_append_char(&content, *c);
        }
        buf_append_str(&content, " v\n");
    }
    test_write("set", buf_span(&content));
    struct table *table = open_table("refile:set", TABLE_RULES, NULL);
    clock_t started = clock();
    for (int i = 0; i < count; i++) {
        size_t row = 0;
        snprintf(text, sizeof text, "u%d@x.d%d.test", i, i);
        assert_true(table_match(table, text, &row));
        assert_int_equal(row, i);
    }
    clock_t used = clock() - started;
    table_close(table);
    buf_clear(&content);
    return used;
}

static void patterns_of_any_form_are_found_by_their_text(void **state)
{
    (void)state;
    static const char *const forms[] = {"*@*.d#.test", "*.d#.test",    "*@x.d#.test", "*x.d#.test",
                                        "u#@*",        "u#@*.d#.test", "u*.d#.test",  "u#@*.test"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        clock_t one = clock_of_matches(forms[i], 10000);
        clock_t four = clock_of_matches(forms[i], 40000);
        if (four > 10 * one + CLOCKS_PER_SEC / 10)
            fail_msg("%s: %ld and %ld ticks", forms[i], (long)one, (long)four);
    }
}

static size_t draw(unsigned *seed, size_t below)
{
    *seed = *seed * 1103515245U + 12345U;
    return (*seed >> 16) % below;
}

/* Of these signs only * is more than itself, for fnmatch as for OpenDKIM. */
static void make_text(unsigned *seed, const char *signs, char out[16])
{
    size_t len = 1 + draw(seed, 9);
    for (size_t i = 0; i < len; i++)
        out[i] = signs[draw(seed, strlen(signs))];
    out[len] = '\0';
}

static void the_first_that_matches_is_found(void **state)
{
    (void)state;
    unsigned seed = 11;
    char patterns[20][16], text[16];
    for (int turn = 0; turn < 300; turn++) {
        struct buf content = BUF_INIT(0);
        for (size_t i = 0; i < 20; i++) {
            make_text(&seed, "*a.@", patterns[i]);
            buf_printf(&content, "%s v\n", patterns[i]);
        }
        test_write("set", buf_span(&content));
        struct table *table = open_table("refile:set", TABLE_RULES, NULL);
        for (int ask = 0; ask < 50; ask++) {
            size_t from = (size_t)ask % 7, row = from, first = from;
            make_text(&seed, "a.@", text);
            while (first < 20 && fnmatch(patterns[first], text, 0) != 0)
                first++;
            if (table_match(table, text, &row) != (first < 20) || (first < 20 && row != first))
                fail_msg("%s in\n%s: %zu and not %zu", text, buf_cstr(&content), row, first);
        }
        table_close(table);
        buf_clear(&content);
    }
}

static void any_octets_are_rows(void **state)
{
    (void)state;
    static const char signs[] = "\0\n\r\t #:*%@,=|!ab\xff\xc3\v";
    static char content[300000];
    struct notes *notes = notes_new();
    unsigned seed = 7;
    for (size_t i = 0; i < sizeof content; i++) {
        seed = seed * 1103515245U + 12345U;
        content[i] = signs[(seed >> 16) % (sizeof signs - 1)];
    }
    for (size_t i = 0; i < 50000; i++) /* a long line among them */
        content[100000 + i] = content[100000 + i] == '\n' ? 'x' : content[100000 + i];
    test_write("set", span_of(content, sizeof content));
    for (enum table_use use = TABLE_KEYS; use <= TABLE_MACROS; use++) {
        table_close(open_table("file:set", use, notes));
        table_close(open_table("refile:set", use, notes));
    }
    assert_true(test_noted(notes, 1, "") || notes_count(notes) > 0);
    notes_free(notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read),
        cmocka_unit_test(types_are_found_as_opendkim_does),
        cmocka_unit_test(a_line_is_cut_after_1023_octets),
        cmocka_unit_test(files_are_asked_for_whole_keys),
        cmocka_unit_test(patterns_match_as_regular_expressions),
        cmocka_unit_test(matches_come_in_the_order_of_lines),
        cmocka_unit_test(surprises_are_noted),
        cmocka_unit_test(others_can_bring_data_sets),
        cmocka_unit_test(values_are_split_at_their_first_colons),
        cmocka_unit_test(a_hundred_thousand_lines_are_fast),
        cmocka_unit_test(patterns_of_any_form_are_found_by_their_text),
        cmocka_unit_test(the_first_that_matches_is_found),
        cmocka_unit_test(any_octets_are_rows),
    };
    return cmocka_run_group_tests_name("opendkim_table", tests, test_opendkim_setup,
                                       test_opendkim_teardown);
}
