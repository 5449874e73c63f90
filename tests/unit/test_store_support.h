/* SPDX-License-Identifier: Apache-2.0
 *
 * A SQLite store in a folder of its own, for one test, and a way to do to it what another
 * program might. Include after cmocka.
 */
#ifndef INKAN_TESTS_STORE_SUPPORT_H
#define INKAN_TESTS_STORE_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "sql/migrate.h"
#include "sql/sqlite.h"
#include "tests/unit/test_folder_support.h"

static char folder[TEST_FOLDER_SIZE], path[96], url[112];

static int make_folder(void **state)
{
    (void)state;
    if (!test_folder_make(folder, "store"))
        return -1;
    snprintf(path, sizeof path, "%s/inkan.db", folder);
    snprintf(url, sizeof url, "sqlite:%s", path);
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[128];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    return rmdir(folder);
}

static enum status migrate(bool create, struct driver_migration *report, struct err *err)
{
    const struct driver_options options = {.url = url, .create = create};
    *report = (struct driver_migration){.timeout_ms = 5000};
    return sql_migrate(&options, report, err);
}

static void execute(const char *sql)
{
    const struct driver_options options = {.url = url};
    struct driver_conn *conn = NULL;
    struct err err = {0};
    assert_int_equal(sqlite_driver.open(&options, clock_monotonic_ms() + 5000, &conn, &err), ST_OK);
    if (sqlite_execute(conn, sql, &err) != ST_OK)
        fail_msg("%s", err.text);
    sqlite_driver.close(conn);
}

#endif
