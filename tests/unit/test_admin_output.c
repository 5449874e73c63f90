/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers for people and as JSON from one description.
 */
#include "tests/unit/test_dkim_support.h"

#include "admin/output.h"

struct thing {
    char *name;
    int64_t count, good, seen, state;
    struct buf octets, secret;
    char *wide;
};
static const char *const state_names[] = {"old", "new", NULL};
static const struct field fields[] = {
    OUTPUT_FIELD(struct thing, name, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct thing, count, FIELD_INT, 0),
    OUTPUT_FIELD(struct thing, good, FIELD_BOOL, 0),
    OUTPUT_FIELD(struct thing, seen, FIELD_TIME, 0),
    {.name = "state",
     .type = FIELD_ENUM,
     .offset = offsetof(struct thing, state),
     .names = state_names},
    OUTPUT_FIELD(struct thing, octets, FIELD_BYTES, FIELD_WIDE),
    OUTPUT_FIELD(struct thing, secret, FIELD_BYTES, FIELD_SECRET),
    OUTPUT_FIELD(struct thing, wide, FIELD_TEXT, FIELD_WIDE),
};
static const struct kind kind = OUTPUT_KIND("thing", struct thing, fields);

static char first_name[] = "b\xc3\xbc"
                           "cher",
            second_name[] = "a \"b\"", wide[] = "w";
static char octets[] = "abc";

static struct thing first(void)
{
    return (struct thing){.name = first_name,
                          .count = -5,
                          .good = 1,
                          .seen = 1795219200,
                          .state = 1,
                          .octets = {.data = octets, .len = 3},
                          .secret = {.data = octets, .len = 3},
                          .wide = wide};
}

static struct thing second(void)
{
    return (struct thing){.name = second_name};
}

#define FIRST_JSON                                                                                 \
    "{\"name\": \"b\xc3\xbc"                                                                       \
    "cher\", \"count\": -5, \"good\": true, \"seen\": \"2026-11-21T00:00:00Z\", "                  \
    "\"state\": \"new\", \"octets\": \"YWJj\", \"wide\": \"w\"}"
#define SECOND_JSON                                                                                \
    "{\"name\": \"a \\\"b\\\"\", \"count\": 0, \"good\": false, \"seen\": null, "                  \
    "\"state\": \"old\", \"octets\": \"\", \"wide\": \"\"}"

static void write_object(struct output *output)
{
    struct thing thing = first();
    output_record(output, &kind, &thing);
}

static void write_empty_list(struct output *output)
{
    output_list_begin(output, NULL);
    output_list_end(output, &kind);
}

static void write_list(struct output *output)
{
    struct thing one = first(), two = second();
    output_list_begin(output, NULL);
    output_record(output, &kind, &one);
    output_record(output, &kind, &two);
    output_list_end(output, &kind);
}

static void write_nested(struct output *output)
{
    struct thing one = first(), two = second();
    output_begin(output, &kind, &one);
    output_text(output, "more", SPAN_LIT("text"));
    output_list_begin(output, "things");
    output_record(output, &kind, &two);
    output_list_end(output, &kind);
    output_end(output);
}

static void write_line(struct output *output)
{
    output_line(output, "%d things", 3);
}

static void write_broken_text(struct output *output)
{
    static char broken[] = "a\xff";
    output_record(output, &kind, &(struct thing){.name = broken});
}

static void write_controls(struct output *output)
{
    static char name[] = "a\x1b[31m\x7f\xc2\x9b"
                         "b\xc3\x9f";
    output_list_begin(output, NULL);
    output_record(output, &kind, &(struct thing){.name = name});
    output_list_end(output, &kind);
    output_line(output, "%s", name);
}

static void write_unfinished(struct output *output)
{
    output_list_begin(output, NULL);
}

static void both_forms_are_written(void **state)
{
    static const struct {
        const char *name;
        void (*write)(struct output *output);
        const char *people, *json; /* NULL: not looked at */
    } cases[] = {
        {"object", write_object,
         "name: b\xc3\xbc"
         "cher\ncount: -5\ngood: yes\nseen: 2026-11-21T00:00:00Z\nstate: new\noctets: YWJj\n"
         "wide: w\n",
         FIRST_JSON "\n"},
        {"empty list", write_empty_list, "", "[]\n"},
        {"list", write_list,
         "name    count  good  seen                  state\n"
         "b\xc3\xbc"
         "cher  -5     yes   2026-11-21T00:00:00Z  new\n"
         "a \"b\"   0      no                          old\n",
         "[\n" FIRST_JSON ",\n" SECOND_JSON "\n]\n"},
        {"nested", write_nested, NULL, NULL},
        {"line", write_line, "3 things\n", ""},
        {"not UTF-8", write_broken_text, NULL,
         "{\"name\": \"a?\", \"count\": 0, \"good\": false, \"seen\": null, \"state\": \"old\", "
         "\"octets\": \"\", \"wide\": \"\"}\n"},
        {"controls of a terminal", write_controls,
         "name         count  good  seen  state\n"
         "a?[31m???b\xc3\x9f  0      no          old\na?[31m???b\xc3\x9f\n",
         NULL},
        {"unfinished document", write_unfinished, "", ""},
    };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(cases); i++) {
        bool json = i % 2 == 1;
        const char *want = json ? cases[i / 2].json : cases[i / 2].people;
        char *text = NULL;
        size_t size = 0;
        struct output output;
        struct err err = {0};
        FILE *file = open_memstream(&text, &size);
        output_init(&output, file);
        output.json = json;
        cases[i / 2].write(&output);
        CHECK_STATUS(cases[i / 2].name, output_finish(&output, &err), ST_OK, err);
        fclose(file);
        if (want != NULL)
            CHECK_TEXT(cases[i / 2].name, text, want);
        output_clear(&output);
        free(text);
    }
}

static void secrets_are_in_neither_form(void **state)
{
    (void)state;
    for (int json = 0; json < 2; json++) {
        char *text = NULL;
        size_t size = 0;
        struct output output;
        struct err err = {0};
        FILE *file = open_memstream(&text, &size);
        output_init(&output, file);
        output.json = json == 1;
        write_nested(&output);
        CHECK_STATUS("finish", output_finish(&output, &err), ST_OK, err);
        fclose(file);
        assert_null(strstr(text, "secret"));
        assert_non_null(strstr(text, json == 1 ? "\"things\": [" : "more: text\n\nname"));
        output_clear(&output);
        free(text);
    }
}

static void a_full_disk_is_an_error(void **state)
{
    struct output output;
    struct err err = {0};
    (void)state;
    FILE *file = fopen("/dev/full", "w");
    assert_non_null(file);
    output_init(&output, file);
    write_object(&output);
    CHECK_STATUS("full", output_finish(&output, &err), ST_TEMP, err);
    output_clear(&output);
    fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_are_written),
        cmocka_unit_test(secrets_are_in_neither_form),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
