/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server is asked for that has to be asked: past the newest entryCSN, or by modifyTimestamp
 * the newest second until it is over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "ldap/newer.h"

static void expect_filter(const struct newer *newer, const char *want)
{
    struct buf got = BUF_INIT(0);
    newer_filter(newer, &got);
    assert_string_equal(buf_cstr(&got), want);
    buf_clear(&got);
}

static void start(struct newer *newer, const char *attribute)
{
    newer_start(newer);
    assert_null(newer->attribute);
    assert_true(clock_now_s() - newer->second >= 60 && clock_now_s() - newer->second < 120);
    newer->attribute = attribute;
}

static void by_csn_it_is_what_is_past_the_newest(void **state)
{
    static const char *const values[] = {
        "20991121120001.000000Z#000000#001#000000",
        "20991121120001.000000Z#000001#000#000000", /* the newest */
        "20991121120001.000000Z#000000#002#000000",
        "20991121120000.999999Z#000000#000#000000",
        "",
        "3099 and more than there is room for, which is no entryCSN of any server at all",
    };
    struct newer newer;
    (void)state;
    start(&newer, "entryCSN");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        newer_note(&newer, span_str(values[i]), 0);
    newer_done(&newer, INT64_MAX / 2);
    expect_filter(&newer, "(&(entryCSN>=20991121120001.000000Z#000001#000#000000)"
                          "(!(entryCSN=20991121120001.000000Z#000001#000#000000)))");
    newer_note(&newer, SPAN_LIT("30991121120001*)(cn=*"), 0);
    expect_filter(&newer, "(&(entryCSN>=30991121120001\\2a\\29\\28cn=\\2a)"
                          "(!(entryCSN=30991121120001\\2a\\29\\28cn=\\2a)))");
}

static void by_time_the_newest_second_is_asked_for_until_it_is_over(void **state)
{
    struct newer newer;
    (void)state;
    start(&newer, "modifyTimestamp");
    newer_note(&newer, SPAN_LIT("20991231235959Z"), 5000);
    expect_filter(&newer, "(modifyTimestamp>=20991231235957Z)");
    newer_done(&newer, 7999);
    newer_note(&newer, SPAN_LIT("20991231235959Z"), 7999);
    newer_note(&newer, SPAN_LIT("20991231235958Z"), 7999);
    expect_filter(&newer, "(modifyTimestamp>=20991231235957Z)");
    newer_done(&newer, 8000);
    expect_filter(&newer, "(modifyTimestamp>=21000101000000Z)");
    newer_note(&newer, SPAN_LIT("21000101000001Z"), 9000);
    newer_done(&newer, 8999);
    expect_filter(&newer, "(modifyTimestamp>=20991231235959Z)");
}

/* However long the server did not answer. */
static void by_time_it_is_not_over_before_it_was_asked_for_again(void **state)
{
    struct newer newer;
    (void)state;
    start(&newer, "modifyTimestamp");
    newer_note(&newer, SPAN_LIT("20991231235959Z"), 100000);
    newer_done(&newer, 1000);
    expect_filter(&newer, "(modifyTimestamp>=20991231235957Z)");
}

static void times_are_read_as_servers_write_them(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"20991231235959Z", true},
        {"20991231235959.5Z", true},
        {"20991231235959.000Z", true},
        {"20991231235959", false},
        {"209912312359Z", false},
        {"20991231235959+0100", false},
        {"2099-12-31T23:59:59", false},
        {"Z", false},
        {"", false},
        {" 9991231235959Z", false},
        {"-9991231235959Z", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct newer newer;
        start(&newer, "modifyTimestamp");
        newer_note(&newer, span_str(cases[i].text), 0);
        if ((newer.second == INT64_C(4102444799)) != cases[i].good)
            fail_msg("%s: %lld", cases[i].text, (long long)newer.second);
    }
}

int main(void)
{
    const struct CMUnitTest newer[] = {
        cmocka_unit_test(by_csn_it_is_what_is_past_the_newest),
        cmocka_unit_test(by_time_the_newest_second_is_asked_for_until_it_is_over),
        cmocka_unit_test(by_time_it_is_not_over_before_it_was_asked_for_again),
        cmocka_unit_test(times_are_read_as_servers_write_them),
    };
    return cmocka_run_group_tests(newer, NULL, NULL);
}
