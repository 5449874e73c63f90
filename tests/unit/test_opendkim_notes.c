/* SPDX-License-Identifier: Apache-2.0
 *
 * Notes: kept once, in order, and fit to be shown.
 */
#include "tests/unit/test_opendkim_support.h"

#include "base/clock.h"

static void notes_are_kept_once_and_in_order(void **state)
{
    (void)state;
    struct notes *notes = notes_new();
    struct notes_place here = {"a", 1}, below = {"a", 2}, elsewhere = {"b", 1};
    notes_add(notes, NOTES_TAKEN, here, "one %d", 1);
    notes_add(notes, NOTES_CHANGED, here, "two");
    notes_add(notes, NOTES_TAKEN, here, "one 1");
    notes_add(notes, NOTES_TAKEN, below, "one 1");
    notes_add(notes, NOTES_TAKEN, elsewhere, "one 1");
    notes_add(notes, NOTES_UNKNOWN, (struct notes_place){NULL, 0}, "one 1");
    assert_int_equal(notes_count(notes), 5);
    assert_int_equal(notes_count_of(notes, NOTES_TAKEN), 3);
    assert_int_equal(notes_count_of(notes, NOTES_REFUSED), 0);
    assert_string_equal(notes_at(notes, 0)->text, "one 1");
    assert_string_equal(notes_at(notes, 1)->text, "two");
    assert_int_equal(notes_at(notes, 2)->line, 2);
    assert_string_equal(notes_at(notes, 3)->file, "b");
    assert_string_equal(notes_at(notes, 4)->file, "");
    assert_int_equal(notes_check(notes, NULL), ST_OK);
    notes_free(notes);
    notes_free(NULL);
    notes_add(NULL, NOTES_TAKEN, here, "nobody listens");
}

static void texts_can_be_shown(void **state)
{
    (void)state;
    char long_text[NOTES_TEXT_MAX + 100];
    struct notes *notes = notes_new();
    struct notes_place here = {"a", 1};
    notes_add(notes, NOTES_NOTICE, here, "%s", "a\033[1m\x80\n\xc2\x9b \xc3\xa4");
    assert_string_equal(notes_at(notes, 0)->text, "a?[1m??? \xc3\xa4");
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    notes_add(notes, NOTES_NOTICE, here, "%s", long_text);
    assert_int_equal(strlen(notes_at(notes, 1)->text), NOTES_TEXT_MAX);
    notes_free(notes);
}

static void a_hundred_thousand_are_fast(void **state)
{
    (void)state;
    struct notes *notes = notes_new();
    int64_t started_ms = clock_monotonic_ms();
    for (size_t turn = 0; turn < 2; turn++)
        for (size_t i = 1; i <= 100000; i++)
            notes_add(notes, NOTES_NOTICE, (struct notes_place){"file", i}, "the same surprise");
    assert_int_equal(notes_count(notes), 100000);
    assert_in_range(clock_monotonic_ms() - started_ms, 0, 5000);
    notes_free(notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notes_are_kept_once_and_in_order),
        cmocka_unit_test(texts_can_be_shown),
        cmocka_unit_test(a_hundred_thousand_are_fast),
    };
    return cmocka_run_group_tests_name("opendkim_notes", tests, NULL, NULL);
}
