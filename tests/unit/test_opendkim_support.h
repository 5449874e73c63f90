/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of an OpenDKIM in a folder of the test's own, and looking for notes.
 */
#ifndef INKAN_TESTS_OPENDKIM_SUPPORT_H
#define INKAN_TESTS_OPENDKIM_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "opendkim/notes.h"
#include "tests/unit/test_folder_support.h"

enum { TEST_PATH_SIZE = 256 };

static char test_folder[TEST_FOLDER_SIZE];

static inline int test_opendkim_setup(void **state)
{
    (void)state;
    return test_folder_make(test_folder, "opendkim") ? 0 : 1;
}

static inline int test_opendkim_teardown(void **state)
{
    (void)state;
    char path[TEST_PATH_SIZE + 64];
    const struct dirent *entry;
    DIR *folder = opendir(test_folder);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        snprintf(path, sizeof path, "%s/%.200s", test_folder, entry->d_name);
        unlink(path);
    }
    if (folder != NULL)
        closedir(folder);
    return rmdir(test_folder);
}

/* Where a file of that name is; good until the next call but one. */
static inline const char *test_path(const char *name)
{
    static char paths[4][TEST_PATH_SIZE];
    static int next;
    next = (next + 1) % 4;
    snprintf(paths[next], TEST_PATH_SIZE, "%s/%s", test_folder, name);
    return paths[next];
}

static inline void test_write(const char *name, struct span content)
{
    FILE *file = fopen(test_path(name), "wb");
    assert_non_null(file);
    if (content.len > 0)
        assert_int_equal(fwrite(content.data, 1, content.len, file), content.len);
    assert_int_equal(fclose(file), 0);
    chmod(test_path(name), 0600);
}

/* The text with each @ that stands for the folder put in: "@/keys". */
static inline void test_write_text(const char *name, const char *text)
{
    struct buf out = BUF_INIT(0);
    for (; *text != '\0'; text++) {
        if (text[0] == '@' && text[1] == '/')
            buf_append_str(&out, test_folder);
        else
            buf_append_char(&out, *text);
    }
    test_write(name, buf_span(&out));
    buf_clear(&out);
}

/* Whether something is noted of that line that contains the text. */
static inline bool test_noted(const struct notes *notes, size_t line, const char *text)
{
    for (size_t i = 0; i < notes_count(notes); i++)
        if (notes_at(notes, i)->line == line && strstr(notes_at(notes, i)->text, text) != NULL)
            return true;
    return false;
}

static inline void test_print_notes(const struct notes *notes)
{
    for (size_t i = 0; i < notes_count(notes); i++)
        print_message("%s %s:%zu: %s\n", notes_grade_name(notes_at(notes, i)->grade),
                      notes_at(notes, i)->file, notes_at(notes, i)->line, notes_at(notes, i)->text);
}

#endif
