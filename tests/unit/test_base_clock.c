/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static const struct {
    const char *text;
    int64_t seconds; /* -1: not a date */
} dates[] = {
    {"1970-01-01", 0},
    {"2026-11-21", 1795219200},
    {"2026-11-21T12:00:00Z", 1795262400},
    {"2026-11-21t12:00:00z", 1795262400},
    {"2026-11-21 12:00:00Z", 1795262400},
    {"2026-11-21T12:00:00.999Z", 1795262400},
    {"2026-11-21T13:00:00+01:00", 1795262400},
    {"2026-11-21T06:30:00-05:30", 1795262400},
    {"2024-02-29", 1709164800},
    {"2016-12-31T23:59:60Z", 1483228800}, /* a leap second */
    {"", -1},
    {"yesterday", -1},
    {"2026", -1},
    {"2026-11-2", -1},
    {"2026-11-21x", -1},
    {"2026-11-21T", -1},
    {"2026-11-21T12:00", -1},
    {"2026-11-21T12:00:00", -1}, /* of which place? */
    {"2026-11-21T12:00:00.Z", -1},
    {"2026-11-21T12:00:00+0100", -1},
    {"2026-11-21T12:00:00+24:00", -1},
    {"2026-11-21T12:00:00Z ", -1},
    {"2026-11-21T24:00:00Z", -1},
    {"2026-11-21T12:60:00Z", -1},
    {"2026-11-21T12:00:61Z", -1},
    {"2026-13-01", -1},
    {"2026-00-01", -1},
    {"2026-02-29", -1},
    {"2026-11-31", -1},
    {"2026-11-00", -1},
    {"-026-11-21", -1},
    {" 2026-11-21", -1},
    {"1969-12-31", -1},
    {"1970-01-01T00:00:00+00:01", -1},
    {"2026\xc2\xad-11-21", -1},
};

static void dates_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        int64_t seconds = -1;
        bool read = clock_parse(dates[i].text, &seconds);
        print_message("    \"%s\"\n", dates[i].text);
        assert_int_equal(read, dates[i].seconds >= 0);
        if (read)
            assert_int_equal(seconds, dates[i].seconds);
    }
}

static void what_is_written_is_read_back(void **state)
{
    static const int64_t times[] = {0, 1, 951782399, 1795262400, INT64_C(253402300799)};
    char date[CLOCK_DATE_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        int64_t seconds = -1;
        clock_date(times[i], date);
        assert_true(clock_parse(date, &seconds));
        assert_int_equal(seconds, times[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
