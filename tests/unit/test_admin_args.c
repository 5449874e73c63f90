/* SPDX-License-Identifier: Apache-2.0
 *
 * Command lines read by their usage lines.
 */
#include "tests/unit/test_dkim_support.h"

#include "admin/args.h"

static const char usage[] = "DOMAIN [EXTRA] --tenant T [--algorithm A[,A]] [--no-key]";

/* Words and options as one text: `a b --tenant=x --no-key=`. */
static void describe(const struct args *args, struct buf *out)
{
    for (size_t i = 0; i < args->word_count; i++)
        buf_printf(out, "%s%s", out->len > 0 ? " " : "", args->words[i]);
    for (size_t i = 0; i < args->option_count; i++)
        buf_printf(out, "%s%.*s=%s", out->len > 0 ? " " : "", (int)args->options[i].name.len,
                   args->options[i].name.data, args->options[i].value);
}

static void arguments_are_read(void **state)
{
    static const struct {
        const char *name, *usage, *argv[8];
        const char *want; /* "!..." is the fault */
    } cases[] = {
        {"words and options", usage, {"d", "--tenant", "t"}, "d --tenant=t"},
        {"options first", usage, {"--tenant", "t", "--no-key", "d"}, "d --tenant=t --no-key="},
        {"equals sign",
         usage,
         {"d", "--tenant=t", "--algorithm=a,b"},
         "d --tenant=t --algorithm=a,b"},
        {"empty value", usage, {"d", "--tenant="}, "d --tenant="},
        {"value with equals sign", usage, {"d", "--tenant=a=b"}, "d --tenant=a=b"},
        {"optional word", usage, {"d", "e", "--tenant", "t"}, "d e --tenant=t"},
        {"value with a hyphen", usage, {"d", "--tenant", "-x"}, "d --tenant=-x"},
        {"lone hyphen", usage, {"-", "--tenant", "-"}, "- --tenant=-"},
        {"end of options", usage, {"--tenant", "t", "--", "--no-key"}, "--no-key --tenant=t"},
        {"nothing wanted", "", {NULL}, ""},
        {"many words", "NAME key=value...", {"n", "a=1", "b=2"}, "n a=1 b=2"},
        {"many or none", "NAME [key=value...]", {"n"}, "n"},
        {"standard input", "[--records F] < message", {"--records", "f"}, "--records=f"},
        {"short option", "[-c FILE] NAME", {"-c", "f", "n"}, "n -c=f"},
        {"word missing", usage, {"--tenant", "t"}, "!DOMAIN is missing"},
        {"option missing", usage, {"d"}, "!--tenant is missing"},
        {"many missing", "NAME key=value...", {"n"}, "!key=value is missing"},
        {"value missing", usage, {"d", "--tenant"}, "!--tenant: a value must follow"},
        {"option as value", usage, {"d", "--tenant", "--no-key"}, "!--tenant: a value must follow"},
        {"value not wanted", usage, {"d", "--tenant=t", "--no-key=1"}, "!--no-key: takes no value"},
        {"twice", usage, {"d", "--tenant=t", "--tenant=u"}, "!--tenant: given twice"},
        {"unknown",
         usage,
         {"d", "--tennant", "t"},
         "!--tennant: unknown option (nearest: --tenant)"},
        {"too many words", usage, {"a", "b", "c", "--tenant=t"}, "!c: one word too many"},
        {"word for standard input", "< message", {"message"}, "!message: one word too many"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct args args;
        struct buf got = BUF_INIT(0);
        struct err err = {0};
        bool fault = cases[i].want[0] == '!';
        CHECK_STATUS(cases[i].name, args_parse(cases[i].usage, cases[i].argv, &args, &err),
                     fault ? ST_INVALID : ST_OK, err);
        if (!fault)
            describe(&args, &got);
        CHECK_TEXT(cases[i].name, fault ? err.text : buf_cstr(&got),
                   cases[i].want + (fault ? 1 : 0));
        buf_clear(&got);
    }
}

static void numbers_are_read(void **state)
{
    static const struct {
        const char *name, *argv[4];
        enum status want;
        int64_t number;
    } cases[] = {
        {"not given", {NULL}, ST_OK, -7},
        {"least", {"--bits", "1024"}, ST_OK, 1024},
        {"most", {"--bits=4096"}, ST_OK, 4096},
        {"below", {"--bits", "1023"}, ST_INVALID, -7},
        {"above", {"--bits", "4097"}, ST_INVALID, -7},
        {"no number", {"--bits", "many"}, ST_INVALID, -7},
        {"blank in front", {"--bits", " 2048"}, ST_INVALID, -7},
        {"more behind it", {"--bits", "2048x"}, ST_INVALID, -7},
        {"empty", {"--bits="}, ST_INVALID, -7},
        {"beyond int64_t", {"--bits", "99999999999999999999"}, ST_INVALID, -7},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct args args;
        struct err err = {0};
        struct args_range range = {1024, 4096};
        int64_t number = -7;
        CHECK_STATUS(cases[i].name, args_parse("[--bits N]", cases[i].argv, &args, &err), ST_OK,
                     err);
        CHECK_STATUS(cases[i].name, args_number(&args, "--bits", range, &number, &err),
                     cases[i].want, err);
        assert_int_equal(number, cases[i].number);
    }
}

static void too_many_words_are_refused(void **state)
{
    const char *argv[ARGS_WORDS_MAX + 2] = {NULL};
    struct args args;
    struct err err = {0};
    (void)state;
    for (size_t i = 0; i <= ARGS_WORDS_MAX; i++)
        argv[i] = "w";
    CHECK_STATUS("words", args_parse("W...", argv, &args, &err), ST_INVALID, err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_read),
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(too_many_words_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
