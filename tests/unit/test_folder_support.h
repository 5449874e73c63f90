/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder of its own for one test.
 */
#ifndef INKAN_TESTS_FOLDER_SUPPORT_H
#define INKAN_TESTS_FOLDER_SUPPORT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEST_FOLDER_SIZE = 64, TEST_FOLDER_RANDOM = 6 };

/* Makes /tmp/inkan-NAME-RANDOM and writes its path; false when it cannot be made. mkdtemp wants six
 * of one letter for what it is to choose. */
static inline bool test_folder_make(char out[TEST_FOLDER_SIZE], const char *name)
{
    int len = snprintf(out, TEST_FOLDER_SIZE - TEST_FOLDER_RANDOM, "/tmp/inkan-%s-", name);
    memset(out + len, 'X', TEST_FOLDER_RANDOM);
    out[len + TEST_FOLDER_RANDOM] = '\0';
    return mkdtemp(out) != NULL;
}

#endif
