/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "storage/drivers.h"

static const struct {
    const char *name, *url, *driver; /* NULL: refused */
    const char *part;                /* of the sentence */
} cases[] = {
    {"SQLite", "sqlite:/var/lib/inkan/inkan.db", "sqlite", NULL},
    {"SQLite with slashes", "sqlite:///var/lib/inkan/inkan.db", "sqlite", NULL},
    {"SQLite without a path", "sqlite:", NULL, "no path"},
    {"PostgreSQL", "postgresql://inkan@db1/inkan", "postgresql", NULL},
    {"its other name", "postgres://inkan@db1/inkan", "postgresql", NULL},
    {"several hosts", "postgresql://inkan@db1,db2:5433/inkan?target_session_attrs=any",
     "postgresql", NULL},
    {"a password file", "postgresql://inkan@db1/inkan?passfile=/etc/inkan/pgpass", "postgresql",
     NULL},
    {"a password", "postgresql://inkan:hunter2@db1/inkan", NULL, "passfile"},
    {"a password as an option", "postgresql://inkan@db1/inkan?password=hunter2", NULL, "passfile"},
    {"a password in a URL that libpq does not read", "postgresql://i:hunter2@[db1/%zz", NULL,
     "passfile"},
    {"an unknown option", "postgresql://inkan@db1/inkan?nonsense=1", NULL, "nonsense"},
    {"no such store", "mysql://inkan:hunter2@db1/inkan", NULL, "no driver for \"mysql:\""},
    {"no URL", "inkan.db", NULL, "no driver"},
    {"nothing", "", NULL, "no driver"},
};

static void urls_find_their_driver_or_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct driver *driver = NULL;
        struct err err = {0};
        enum status st = drivers_find(cases[i].url, &driver, &err);
        if ((st == ST_OK) != (cases[i].driver != NULL))
            fail_msg("%s: %s (%s)", cases[i].name, status_name(st), err.text);
        if (st == ST_OK) {
            assert_string_equal(driver->name, cases[i].driver);
            continue;
        }
        assert_int_equal(st, ST_INVALID);
        if (strstr(err.text, cases[i].part) == NULL || strstr(err.text, "hunter2") != NULL)
            fail_msg("%s: %s", cases[i].name, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_find_their_driver_or_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
