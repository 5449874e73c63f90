/* SPDX-License-Identifier: Apache-2.0
 *
 * The known name nearest to one that is not known, for error texts. Offer every known name,
 * then read `best`. Pure; any thread with its own struct.
 */
#ifndef INKAN_BASE_NEAREST_H
#define INKAN_BASE_NEAREST_H

#include "base/bytes.h"

struct nearest {
    struct span wanted;
    struct span best; /* empty until something was offered */
    size_t distance;  /* of best, in single-letter changes */
};

void nearest_init(struct nearest *nearest, struct span wanted);
void nearest_offer(struct nearest *nearest, struct span known);

#endif
