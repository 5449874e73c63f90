/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON that may hold private keys: what jansson allocates is wiped when it frees it. This goes
 * for the whole process, so no JSON value may live across a change. One thread.
 */
#ifndef INKAN_ADMIN_SECRET_JSON_H
#define INKAN_ADMIN_SECRET_JSON_H

#include <jansson.h>

#include "base/bytes.h"

/* From the one to the other nothing else in the process may hand JSON memory to free(). */
void secret_json_begin(void);
void secret_json_end(void);

/* Appends the value as one line and drops the reference to it; NULL counts as no memory. */
void secret_json_append(json_t *json, struct buf *out);

#endif
