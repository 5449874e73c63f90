/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom OpenDKIM takes for the author.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "opendkim/author.h"

static const struct author_case {
    const char *value, *user, *domain; /* user NULL: cannot be read */
} author_cases[] = {
    {"ann@example.com", "ann", "example.com"},
    {"Ann Bee <ann@example.com>", "ann", "example.com"},
    {"ann@example.com (Ann)", "ann", "example.com"},
    {"(x) ann (y) @ (z) example.com", "ann", " example.com"},
    {"\"Ann, Bee\" <ann@example.com>", "ann", "example.com"},
    {"\"a b\"@example.com", "\"a b\"", "example.com"},
    {"ann@example.com, bob@example.org", "ann", "example.com"},
    {"friends: ann@example.com, bob@example.org;", "ann", "example.com"},
    {"g: <x@a.test>, y@b.test;", "x", "a.test"},
    {"<@a.test,@b.test:ann@example.com>", "ann", "example.com"},
    {"ann@a@example.com", "ann", "example.com"},
    {"ann@example.com.", "ann", "example.com."},
    {"Ann@Example.COM", "Ann", "Example.COM"},
    {"ann@[192.0.2.1]", "ann", "[192.0.2.1]"},
    {"ann", "ann", ""},
    {"@example.com", "example.com", "example.com"},
    {"ann@", "ann", ""},
    {"<>", "", ""},
    {"", "", ""},
    {"undisclosed:;", "", ""},
    {"\"unclosed <ann@example.com>", NULL, NULL},
    {"(unclosed ann@example.com", NULL, NULL},
    {"ann@[192.0.2.1", NULL, NULL},
    {"a\\", "a\\", ""},
};

static void authors_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof author_cases / sizeof author_cases[0]; i++) {
        const struct author_case *one = &author_cases[i];
        struct buf user = BUF_INIT(0), domain = BUF_INIT(0);
        bool read = author_read(span_str(one->value), &user, &domain);
        if (read != (one->user != NULL))
            fail_msg("%s: read", one->value);
        if (read && (strcmp(buf_cstr(&user), one->user) != 0 ||
                     strcmp(buf_cstr(&domain), one->domain) != 0))
            fail_msg("%s: '%s' '%s'", one->value, buf_cstr(&user), buf_cstr(&domain));
        buf_clear(&user);
        buf_clear(&domain);
    }
}

static void any_octets_have_an_end(void **state)
{
    (void)state;
    static const char signs[] = "<>@,;:\\\"/[]?=() \tax\xff\0";
    char text[64];
    unsigned seed = 3;
    for (int turn = 0; turn < 200000; turn++) {
        struct buf user = BUF_INIT(0), domain = BUF_INIT(0);
        size_t len = (seed >> 8) % sizeof text;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1103515245U + 12345U;
            text[i] = signs[(seed >> 16) % (sizeof signs - 1)];
        }
        seed = seed * 1103515245U + 12345U;
        (void)author_read(span_of(text, len), &user, &domain);
        assert_true(user.len <= 2 * len && domain.len <= 2 * len);
        buf_clear(&user);
        buf_clear(&domain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authors_are_read),
        cmocka_unit_test(any_octets_have_an_end),
    };
    return cmocka_run_group_tests_name("opendkim_author", tests, NULL, NULL);
}
