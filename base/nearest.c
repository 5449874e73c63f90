/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

enum { LENGTH_MAX = 64 }; /* longer names are compared by their beginning */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time. */
static size_t distance(struct span a, struct span b)
{
    size_t row[LENGTH_MAX + 1];
    a = span_head(a, LENGTH_MAX);
    b = span_head(b, LENGTH_MAX);
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t corner = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t above = row[j + 1];
            size_t changed = ascii_lower(a.data[i]) != ascii_lower(b.data[j]);
            row[j + 1] = smallest(above + 1, row[j] + 1, corner + changed);
            corner = above;
        }
    }
    return row[b.len];
}

void nearest_init(struct nearest *nearest, struct span wanted)
{
    *nearest = (struct nearest){.wanted = wanted, .distance = SIZE_MAX};
}

void nearest_offer(struct nearest *nearest, struct span known)
{
    size_t away = distance(nearest->wanted, known);
    if (away >= nearest->distance)
        return;
    nearest->distance = away;
    nearest->best = known;
}
