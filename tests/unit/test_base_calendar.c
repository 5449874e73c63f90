/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows of days: which texts are some, and until when they last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/calendar.h"

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* date -u -d DATE +%s */
#define S_2026_12_17 INT64_C(1797465600)
#define S_2026_12_18 INT64_C(1797552000)
#define S_2027_01_06 INT64_C(1799193600)
#define S_2027_01_07 INT64_C(1799280000)
#define S_2027_07_01 INT64_C(1814400000)
#define S_2028_02_29 INT64_C(1835395200)
#define S_2028_03_01 INT64_C(1835481600)

static void texts_are_windows_or_not(void **state)
{
    static const struct {
        const char *text;
        enum status want;
    } cases[] = {
        {"", ST_OK},
        {"2026-12-18/2027-01-06", ST_OK},
        {" 2026-12-18 / 2027-01-06 , 07-01/07-01", ST_OK},
        {"12-18/01-06", ST_OK},
        {"02-29/03-01", ST_OK},
        {"2026-12-18", ST_INVALID},
        {"2026-12-18/01-06", ST_INVALID},
        {"2027-01-06/2026-12-18", ST_INVALID},
        {"2026-02-29/2026-03-01", ST_INVALID},
        {"02-30/03-01", ST_INVALID},
        {"13-01/13-02", ST_INVALID},
        {"00-10/01-10", ST_INVALID},
        {"2026-12-18/2027-01-06x", ST_INVALID},
        {"2026/12/18", ST_INVALID},
        {"1-1/2-2", ST_INVALID},
        {"12-18/01-06,,07-01/07-02", ST_INVALID},
        {"0000-01-01/2026-01-01", ST_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = {0};
        if (calendar_check(span_str(cases[i].text), &err) != cases[i].want)
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

static void times_are_in_them_or_not(void **state)
{
    static const struct {
        const char *windows;
        int64_t now, want;
    } cases[] = {
        {"", S_2026_12_18, 0},
        {"2026-12-18/2027-01-06", S_2026_12_18 - 1, 0},
        {"2026-12-18/2027-01-06", S_2026_12_18, S_2027_01_07},
        {"2026-12-18/2027-01-06", S_2027_01_07 - 1, S_2027_01_07},
        {"2026-12-18/2027-01-06", S_2027_01_07, 0},
        {"12-18/01-06", S_2026_12_17, 0},
        {"12-18/01-06", S_2026_12_18, S_2027_01_07},
        {"12-18/01-06", S_2027_01_06, S_2027_01_07},
        {"12-18/01-06", S_2027_01_07, 0},
        {"12-18/01-06", S_2027_07_01, 0},
        {"02-29/02-29", S_2028_02_29, S_2028_03_01},
        {"07-01/07-01", S_2027_07_01 + 86399, S_2027_07_01 + 86400},
        {"07-01/07-01", S_2027_07_01 + 86400, 0},
        {"01-06/01-06, 2026-12-18/2027-01-05", S_2027_01_06, S_2027_01_07},
        {"2026-12-17/2026-12-18, 12-18/01-06", S_2026_12_18, S_2027_01_07},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = calendar_until(span_str(cases[i].windows), cases[i].now);
        if (got != cases[i].want)
            fail_msg("%s at %lld: %lld", cases[i].windows, (long long)cases[i].now, (long long)got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_windows_or_not),
        cmocka_unit_test(times_are_in_them_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
