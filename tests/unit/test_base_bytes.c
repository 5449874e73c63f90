/* SPDX-License-Identifier: Apache-2.0
 *
 * Status text, spans, buffers and dates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/clock.h"

static void err_context_puts_text_in_front(void **state)
{
    (void)state;
    struct err err = {0};
    assert_int_equal(err_set(&err, ST_INVALID, "not a %s", "label"), ST_INVALID);
    assert_int_equal(err_context(&err, "selector %s", "-x"), ST_INVALID);
    assert_int_equal(err_context(&err, "domain %s", "example.com"), ST_INVALID);
    assert_string_equal(err.text, "domain example.com: selector -x: not a label");
    err_clear(&err);
    assert_int_equal(err.code, ST_OK);
    assert_string_equal(err.text, "");
}

static void err_takes_its_own_text_as_argument(void **state)
{
    (void)state;
    struct err err = {0};
    err_set(&err, ST_TEMP, "down");
    err_set(&err, ST_BROKEN, "store: %s", err.text);
    assert_string_equal(err.text, "store: down");
    err_context(&err, "%s", err.text);
    assert_string_equal(err.text, "store: down: store: down");
}

static void err_cuts_and_stays_terminated(void **state)
{
    (void)state;
    struct err err;
    char text[400];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    err_set(&err, ST_TEMP, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_SIZE - 1);
    err_context(&err, "front");
    assert_int_equal(strlen(err.text), ERR_TEXT_SIZE - 1);
    assert_memory_equal(err.text, "front: xxx", 10);
    err_context(&err, "%s", text);
    assert_int_equal(strlen(err.text), ERR_TEXT_SIZE - 1);
    assert_int_equal(err_context(NULL, "x"), ST_BROKEN);
    assert_int_equal(err_set(NULL, ST_DENIED, "x"), ST_DENIED);
    err_clear(NULL);
}

static void status_classes_have_names_and_exit_codes(void **state)
{
    (void)state;
    static const struct {
        enum status code;
        const char *name;
        int exit_code;
    } cases[] = {
        {ST_OK, "ok", 0},          {ST_NOT_FOUND, "not_found", 1}, {ST_CONFLICT, "conflict", 3},
        {ST_DENIED, "denied", 3},  {ST_INVALID, "invalid", 2},     {ST_TEMP, "temp", 75},
        {ST_UNSURE, "unsure", 75}, {ST_BROKEN, "broken", 70},      {(enum status)99, "unknown", 70},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(status_name(cases[i].code), cases[i].name);
        assert_int_equal(status_exit_code(cases[i].code), cases[i].exit_code);
    }
}

static void spans_compare(void **state)
{
    (void)state;
    struct span none = span_str(NULL);
    assert_true(span_equal(none, SPAN_LIT("")));
    assert_true(span_equal_nocase(SPAN_LIT("From"), SPAN_LIT("fROM")));
    assert_false(span_equal_nocase(SPAN_LIT("a["), SPAN_LIT("a{")));
    assert_false(span_equal(SPAN_LIT("From"), SPAN_LIT("from")));
    assert_false(span_equal(SPAN_LIT("From"), SPAN_LIT("Fro")));
    assert_true(span_has_prefix(SPAN_LIT("inet:1"), SPAN_LIT("inet:")));
    assert_false(span_has_prefix(SPAN_LIT("ine"), SPAN_LIT("inet:")));
    assert_true(span_has_prefix(none, none));
    assert_true(span_has_suffix_nocase(SPAN_LIT("a.ORG"), SPAN_LIT(".org")));
    assert_false(span_has_suffix_nocase(SPAN_LIT("org"), SPAN_LIT(".org")));
    assert_int_equal(span_find(SPAN_LIT("a=b"), '='), 1);
    assert_int_equal(span_find(SPAN_LIT("ab"), '='), 2);
    assert_int_equal(span_find(none, '='), 0);
    assert_int_equal(span_from(SPAN_LIT("abc"), 7).len, 0);
    assert_null(span_from(none, 1).data);
    assert_int_equal(span_head(SPAN_LIT("abc"), 7).len, 3);
    assert_true(span_equal(span_trim(SPAN_LIT(" \t a b\r\n")), SPAN_LIT("a b")));
    assert_int_equal(span_trim(SPAN_LIT(" \r\n")).len, 0);
}

static void span_next_cuts_parts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *parts;
    } cases[] = {{"a,,b", "<a><><b>"}, {"", "<>"}, {"a", "<a>"}, {"a,", "<a><>"}, {",", "<><>"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf seen = BUF_INIT(0);
        struct span rest = span_str(cases[i].text);
        struct span part;
        while (span_next(&rest, ',', &part))
            buf_printf(&seen, "<%.*s>", (int)part.len, part.data);
        assert_string_equal(buf_cstr(&seen), cases[i].parts);
        buf_clear(&seen);
    }
    struct span none = span_str(NULL);
    assert_false(span_next(&none, ',', &none));
}

static void span_utf8_follows_rfc_3629(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span text;
        size_t len;
    } cases[] = {
        {"empty", SPAN_LIT(""), 0},
        {"ascii", SPAN_LIT("a"), 1},
        {"NUL", SPAN_LIT("\0"), 1},
        {"two octets", SPAN_LIT("\xc3\xa4x"), 2},
        {"three octets", SPAN_LIT("\xe2\x80\xa6"), 3},
        {"four octets", SPAN_LIT("\xf0\x9f\x98\x80"), 4},
        {"the last character", SPAN_LIT("\xf4\x8f\xbf\xbf"), 4},
        {"past the last", SPAN_LIT("\xf4\x90\x80\x80"), 0},
        {"continuation alone", SPAN_LIT("\x80"), 0},
        {"cut after one", SPAN_LIT("\xc3"), 0},
        {"cut after two", SPAN_LIT("\xe2\x80"), 0},
        {"cut after three", SPAN_LIT("\xf0\x9f\x98"), 0},
        {"broken in the middle", SPAN_LIT("\xe2\x28\xa6"), 0},
        {"broken at the end", SPAN_LIT("\xe2\x80\x28"), 0},
        {"overlong two", SPAN_LIT("\xc0\x80"), 0},
        {"overlong three", SPAN_LIT("\xe0\x9f\xbf"), 0},
        {"overlong four", SPAN_LIT("\xf0\x8f\xbf\xbf"), 0},
        {"surrogate", SPAN_LIT("\xed\xa0\x80"), 0},
        {"before the surrogates", SPAN_LIT("\xed\x9f\xbf"), 3},
        {"after the surrogates", SPAN_LIT("\xee\x80\x80"), 3},
        {"five octets", SPAN_LIT("\xf8\x88\x80\x80\x80"), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (span_utf8(cases[i].text) != cases[i].len)
            fail_msg("%s: %zu", cases[i].name, span_utf8(cases[i].text));
}

static void span_number_takes_digits_up_to_a_limit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t value;
    } cases[] = {
        {"0", 0, true, 0},
        {"1", 0, false, 0},
        {"65535", 65535, true, 65535},
        {"65536", 65535, false, 0},
        {"655350", 65535, false, 0},
        {"007", 9, true, 7},
        {"", 9, false, 0},
        {"-1", 9, false, 0},
        {"1 ", 9, false, 0},
        {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, false, 0},
        {"99999999999999999999", UINT64_MAX, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 0;
        bool good = span_number(span_str(cases[i].text), cases[i].max, &value);
        if (good != cases[i].good || (good && value != cases[i].value))
            fail_msg("%s up to %llu", cases[i].text, (unsigned long long)cases[i].max);
    }
}

static void span_dup_terminates(void **state)
{
    (void)state;
    char *copy = span_dup(span_head(SPAN_LIT("abc"), 2));
    assert_string_equal(copy, "ab");
    free(copy);
    copy = span_dup(span_str(NULL));
    assert_string_equal(copy, "");
    free(copy);
}

static void buf_grows(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(0);
    assert_string_equal(buf_cstr(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%03d,", i);
    buf_append_char(&b, '!');
    buf_append(&b, NULL, 0);
    assert_int_equal(b.len, 4001);
    assert_int_equal(buf_check(&b, "text", NULL), ST_OK);
    assert_memory_equal(buf_cstr(&b) + 3996, "999,!", 6);
    buf_truncate(&b, 3);
    buf_truncate(&b, 5);
    assert_string_equal(buf_cstr(&b), "000");
    char *taken = buf_take(&b);
    assert_string_equal(taken, "000");
    assert_null(b.data);
    free(taken);
    taken = buf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
}

static void buf_keeps_its_limit(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf b = BUF_INIT(4);
    buf_append_str(&b, "abcd");
    assert_int_equal(buf_check(&b, "text", &err), ST_OK);
    buf_append_char(&b, 'e');
    buf_append_char(&b, 'f');
    assert_null(buf_extend(&b, 1));
    assert_int_equal(b.len, 4);
    assert_int_equal(buf_check(&b, "text", &err), ST_INVALID);
    assert_string_equal(err.text, "text: longer than 4 octets");
    assert_string_equal(buf_cstr(&b), "");
    assert_null(buf_take(&b));
    buf_append_str(&b, "abc");
    buf_printf(&b, "%d", 10);
    assert_int_equal(b.failed, ST_INVALID);
    buf_reset(&b);
    buf_append_str(&b, "x");
    assert_string_equal(buf_cstr(&b), "x");
    buf_clear(&b);
    assert_null(buf_extend(&b, SIZE_MAX));
    buf_clear(&b);
}

static void secret_buf_is_wiped(void **state)
{
    (void)state;
    struct buf b = BUF_SECRET(0);
    buf_append_str(&b, "key material");
    buf_truncate(&b, 3);
    assert_memory_equal(b.data + 3, "\0\0\0\0\0\0\0\0\0", 9);
    buf_reset(&b);
    assert_memory_equal(b.data, "\0\0\0", 3);
    for (int i = 0; i < 100; i++)
        buf_append_str(&b, "0123456789");
    assert_int_equal(b.len, 1000);
    assert_memory_equal(buf_cstr(&b) + 990, "0123456789", 11);
    buf_clear(&b);
    assert_true(b.secret);
    char text[] = "secret";
    bytes_wipe(text, sizeof text);
    assert_memory_equal(text, "\0\0\0\0\0\0\0", sizeof text);
    bytes_wipe(NULL, 0);
}

static void dates_are_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},         {1795262400, "2026-11-21T12:00:00Z"},
        {951782399, "2000-02-28T23:59:59Z"}, {-1, "1969-12-31T23:59:59Z"},
        {INT64_MAX, "0000-00-00T00:00:00Z"}, {300000000000, "0000-00-00T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[CLOCK_DATE_SIZE];
        clock_date(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void deadlines_run_out(void **state)
{
    (void)state;
    int64_t now_ms = clock_monotonic_ms();
    assert_int_equal(clock_left_ms(now_ms - 1000), 0);
    assert_in_range(clock_left_ms(now_ms + 60000), 50000, 60000);
    struct timespec at = clock_timespec(12345);
    assert_int_equal(at.tv_sec, 12);
    assert_int_equal(at.tv_nsec, 345000000);
    assert_true(clock_monotonic_us() / 1000 >= now_ms);
    assert_true(clock_now_s() > 1600000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_context_puts_text_in_front),
        cmocka_unit_test(err_takes_its_own_text_as_argument),
        cmocka_unit_test(err_cuts_and_stays_terminated),
        cmocka_unit_test(status_classes_have_names_and_exit_codes),
        cmocka_unit_test(spans_compare),
        cmocka_unit_test(span_next_cuts_parts),
        cmocka_unit_test(span_utf8_follows_rfc_3629),
        cmocka_unit_test(span_number_takes_digits_up_to_a_limit),
        cmocka_unit_test(span_dup_terminates),
        cmocka_unit_test(buf_grows),
        cmocka_unit_test(buf_keeps_its_limit),
        cmocka_unit_test(secret_buf_is_wiped),
        cmocka_unit_test(dates_are_rfc_3339),
        cmocka_unit_test(deadlines_run_out),
    };
    return cmocka_run_group_tests_name("base_bytes", tests, NULL, NULL);
}
