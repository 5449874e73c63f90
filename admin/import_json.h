/* SPDX-License-Identifier: Apache-2.0
 *
 * One line of JSON with its fields as texts. No error text quotes it: a private key may stand in
 * it (see also admin/secret_json.h). One thread.
 */
#ifndef INKAN_ADMIN_IMPORT_JSON_H
#define INKAN_ADMIN_IMPORT_JSON_H

#include <jansson.h>

#include "admin/import_row.h"

struct import_json {
    json_t *root;
    char numbers[IMPORT_FIELDS_MAX][24];
};
/* Reads the line into a zeroed struct; the values point into it. ST_INVALID for what is no object
 * of known fields with texts, whole numbers, true, false and null. Clear also after a failure. */
enum status import_json_read(struct span line, struct import_json *json, struct import_values *out,
                             struct err *err) MUST_CHECK;
void import_json_clear(struct import_json *json);

#endif
