/* SPDX-License-Identifier: Apache-2.0
 *
 * Which files with secrets are read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secretfile.h"
#include "tests/unit/test_folder_support.h"

enum { LIMIT = 5000, OTHER_UID = 65534 };

static const struct {
    mode_t mode;
    uid_t owner;
    enum secretfile_readers readers;
    size_t size;
    enum status want;
    const char *text;
} cases[] = {
    {0600, 0, SECRETFILE_OWNER, 9, ST_OK, ""},
    {0400, 0, SECRETFILE_OWNER, LIMIT, ST_OK, ""},
    {0600, 0, SECRETFILE_OWNER, 0, ST_OK, ""},
    {0600, 0, SECRETFILE_OWNER, LIMIT + 1, ST_BROKEN, "over 5000 octets"},
    {0640, 0, SECRETFILE_OWNER, 9, ST_DENIED, "mode 0640 (must be 0600 or stricter)"},
    {0604, 0, SECRETFILE_OWNER, 9, ST_DENIED, "mode 0604 (must be 0600 or stricter)"},
    {0600, OTHER_UID, SECRETFILE_OWNER, 9, ST_DENIED,
     "belongs to uid 65534 (must be root or uid 0)"},
    {0640, 0, SECRETFILE_GROUP, 9, ST_OK, ""},
    {0660, 0, SECRETFILE_GROUP, 9, ST_DENIED,
     "mode 0660 (must be 0600 or stricter, or root's with 0640)"},
    {0644, 0, SECRETFILE_GROUP, 9, ST_DENIED,
     "mode 0644 (must be 0600 or stricter, or root's with 0640)"},
    {0640, OTHER_UID, SECRETFILE_GROUP, 9, ST_DENIED,
     "belongs to uid 65534 (must be root or uid 0)"},
};

static void make_file(const char *path, size_t i)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t k = 0; k < cases[i].size; k++)
        fputc('a', file);
    fclose(file);
    assert_int_equal(chown(path, cases[i].owner, 0) | chmod(path, cases[i].mode), 0);
}

static void only_what_nobody_else_reads_is_read(void **state)
{
    char folder[TEST_FOLDER_SIZE], path[96];
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    assert_true(test_folder_make(folder, "secretfile"));
    snprintf(path, sizeof path, "%s/file", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_SECRET(LIMIT);
        struct err err = {0};
        print_message("    %04o of %u, %zu octets\n", cases[i].mode, (unsigned)cases[i].owner,
                      cases[i].size);
        make_file(path, i);
        enum status status = secretfile_read(path, cases[i].readers, &out, &err);
        unlink(path);
        assert_int_equal(status, cases[i].want);
        assert_string_equal(err.text, cases[i].text);
        assert_true(status != ST_OK || out.len == cases[i].size);
        buf_clear(&out);
    }
    rmdir(folder);
}

/* A pipe that nobody writes to is no reason to wait. */
static void what_is_no_file_is_refused(void **state)
{
    char folder[TEST_FOLDER_SIZE], path[96];
    struct buf out = BUF_SECRET(LIMIT);
    struct err err = {0};
    (void)state;
    assert_true(test_folder_make(folder, "secretfile"));
    snprintf(path, sizeof path, "%s/file", folder);
    assert_int_equal(secretfile_read(path, SECRETFILE_OWNER, &out, &err), ST_BROKEN);
    assert_string_equal(err.text, "cannot open: No such file or directory");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(secretfile_read(path, SECRETFILE_OWNER, &out, &err), ST_DENIED);
    assert_string_equal(err.text, "not a regular file");
    assert_int_equal(secretfile_read(folder, SECRETFILE_OWNER, &out, &err), ST_DENIED);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_nobody_else_reads_is_read),
        cmocka_unit_test(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
