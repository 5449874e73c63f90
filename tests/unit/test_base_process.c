/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process.h"

static void own_mark(char out[PROCESS_MARK_SIZE])
{
    struct err err = {0};
    assert_int_equal(process_mark(out, &err), ST_OK);
}

static void who_asks_is_there(void **state)
{
    char mark[PROCESS_MARK_SIZE], again[PROCESS_MARK_SIZE];
    (void)state;
    own_mark(mark);
    own_mark(again);
    assert_string_equal(mark, again);
    assert_null(strchr(mark, ' '));
    assert_false(process_is_gone(mark));
}

/* A child writes its mark and waits until it is killed. */
static pid_t start_child(char mark[PROCESS_MARK_SIZE])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err err = {0};
        char own[PROCESS_MARK_SIZE] = "";
        if (process_mark(own, &err) != ST_OK || write(ends[1], own, sizeof own) != sizeof own)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ends[0], mark, PROCESS_MARK_SIZE), PROCESS_MARK_SIZE);
    close(ends[0]);
    close(ends[1]);
    return child;
}

static void a_killed_one_is_gone(void **state)
{
    char mark[PROCESS_MARK_SIZE];
    siginfo_t info;
    (void)state;
    pid_t child = start_child(mark);
    assert_false(process_is_gone(mark));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_true(process_is_gone(mark)); /* its parent has not taken notice yet */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(process_is_gone(mark));
}

/* The mark of this process with other numbers in it. */
static void alter(const char *mark, long pid, uint64_t later, char out[PROCESS_MARK_SIZE])
{
    uint64_t start;
    int length = 0;
    assert_int_equal(sscanf(mark, "%*d:%" SCNu64 ":%n", &start, &length), 1);
    snprintf(out, PROCESS_MARK_SIZE, "%ld:%" PRIu64 ":%.80s", pid, start + later, mark + length);
}

static void one_with_the_same_number_is_another(void **state)
{
    char mark[PROCESS_MARK_SIZE], other[PROCESS_MARK_SIZE];
    (void)state;
    own_mark(mark);
    alter(mark, (long)getpid(), 0, other);
    assert_string_equal(mark, other);
    alter(mark, (long)getpid(), 1, other);
    assert_true(process_is_gone(other));
    alter(mark, 0, 0, other); /* numbers begin with 1 */
    assert_true(process_is_gone(other));
}

static void of_elsewhere_nothing_is_known(void **state)
{
    char mark[PROCESS_MARK_SIZE];
    const char *const others[] = {"",    "x",        "1",
                                  "1:2", "1:2:",     "1:2:3",
                                  ":::", "-1:-1:-1", "99999999999999999999:99999999999999999999:x"};
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(process_is_gone(others[i]));
    own_mark(mark);
    char *boot = strrchr(mark, '-');
    boot[1] = boot[1] == '0' ? '1' : '0';
    assert_false(process_is_gone(mark));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_is_there),
        cmocka_unit_test(a_killed_one_is_gone),
        cmocka_unit_test(one_with_the_same_number_is_another),
        cmocka_unit_test(of_elsewhere_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
