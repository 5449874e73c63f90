/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/children.h"

static struct child *started(struct children *children, unsigned generation, pid_t pid)
{
    struct child *child = children_add(children, generation, 1000);
    assert_non_null(child);
    child->pid = pid;
    child->started_ms = 1000;
    return child;
}

static void test_restarts_wait_longer_each_time_up_to_ten_seconds(void **state)
{
    (void)state;
    static const int64_t expected_ms[] = {100,  200,  400,   800,   1600,
                                          3200, 6400, 10000, 10000, 10000};
    struct child child = {.generation = 1, .pid = 7, .started_ms = 5000, .ready = true};
    for (size_t i = 0; i < sizeof expected_ms / sizeof expected_ms[0]; i++) {
        child.pid = 7;
        children_schedule(&child, 5010);
        assert_int_equal(child.pid, 0);
        assert_false(child.ready);
        assert_int_equal(child.restart_ms, 5010 + expected_ms[i]);
    }
}

static void test_a_minute_of_life_forgets_the_back_off(void **state)
{
    (void)state;
    struct child child = {.generation = 1, .started_ms = 5000, .backoff_ms = 6400};
    children_schedule(&child, 5000 + 60000);
    assert_int_equal(child.backoff_ms, 100);
}

static void test_generations_are_counted_apart(void **state)
{
    (void)state;
    struct children children = {0};
    started(&children, 1, 11)->ready = true;
    started(&children, 1, 12);
    started(&children, 2, 21)->ready = true;
    assert_int_equal(children_running(&children, 0), 3);
    assert_int_equal(children_running(&children, 1), 2);
    assert_int_equal(children_ready(&children, 1), 1);
    assert_int_equal(children_ready(&children, 2), 1);
    assert_null(children_find(&children, 99));
    assert_int_equal(children_find(&children, 21)->generation, 2);
    children_clear(&children);
}

static void test_dismissal_frees_places_and_sets_deadlines(void **state)
{
    (void)state;
    struct children children = {0};
    started(&children, 1, 11);
    struct child *waiting = children_add(&children, 1, 1000);
    assert_non_null(waiting);
    started(&children, 2, 21);
    children_dismiss(&children, 1, 9000);
    assert_int_equal(children_find(&children, 11)->kill_ms, 9000);
    assert_int_equal(children_find(&children, 21)->kill_ms, 0);
    assert_int_equal(children_wait_ms(&children, 8000), 1000);
    /* a later word may only make it earlier */
    children_dismiss(&children, 0, 9500);
    assert_int_equal(children_find(&children, 11)->kill_ms, 9000);
    children_dismiss(&children, 0, 8500);
    assert_int_equal(children_find(&children, 11)->kill_ms, 8500);
    /* the free place is used again */
    size_t places = children.count;
    started(&children, 3, 31);
    assert_int_equal(children.count, places);
    children_clear(&children);
}

static void test_what_is_due_next(void **state)
{
    (void)state;
    struct children children = {0};
    assert_int_equal(children_wait_ms(&children, 1000), -1);
    started(&children, 1, 11);
    assert_int_equal(children_wait_ms(&children, 1000), -1);
    assert_non_null(children_add(&children, 1, 1500));
    assert_int_equal(children_wait_ms(&children, 1000), 500);
    assert_int_equal(children_wait_ms(&children, 2000), 0);
    children_clear(&children);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restarts_wait_longer_each_time_up_to_ten_seconds),
        cmocka_unit_test(test_a_minute_of_life_forgets_the_back_off),
        cmocka_unit_test(test_generations_are_counted_apart),
        cmocka_unit_test(test_dismissal_frees_places_and_sets_deadlines),
        cmocka_unit_test(test_what_is_due_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
