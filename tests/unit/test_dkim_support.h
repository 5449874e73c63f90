/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of dkim/ share: cmocka with its includes, vectors as buffers.
 */
#ifndef INKAN_TEST_DKIM_SUPPORT_H
#define INKAN_TEST_DKIM_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Compares and, if they differ, names the case. */
#define CHECK_TEXT(name, got, want)                                                                \
    do {                                                                                           \
        if (strcmp((got), (want)) != 0)                                                            \
            fail_msg("%s: got \"%s\", want \"%s\"", (name), (got), (want));                        \
    } while (0)
#define CHECK_STATUS(name, got, want, err)                                                         \
    do {                                                                                           \
        enum status got_ = (got);                                                                  \
        if (got_ != (want))                                                                        \
            fail_msg("%s: got %s (%s), want %s", (name), status_name(got_), (err).text,            \
                     status_name(want));                                                           \
    } while (0)

/* The file tests/vectors/NAME. */
static inline struct buf vector(const char *name)
{
    struct buf out = BUF_INIT(0);
    char path[512], block[4096];
    size_t len;

    snprintf(path, sizeof path, "%s/%s", VECTORS, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s: cannot be opened", path);
    while ((len = fread(block, 1, sizeof block, file)) > 0)
        buf_append(&out, block, len);
    fclose(file);
    return out;
}

static inline void append_octets(void *buf, const void *data, size_t len)
{
    buf_append(buf, data, len);
}

#endif
