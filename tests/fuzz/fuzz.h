/* SPDX-License-Identifier: Apache-2.0
 *
 * What the fuzz targets share. A broken invariant is an abort, as libFuzzer wants it.
 */
#ifndef INKAN_TEST_FUZZ_H
#define INKAN_TEST_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct span fuzz_span(const uint8_t *data, size_t size)
{
    return span_of((const char *)data, size);
}

#endif
