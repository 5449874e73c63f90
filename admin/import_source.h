/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of a file to import, whichever of the two forms it has: JSON lines (an object a line),
 * or CSV with a header line that names the fields. The file's ending decides (.csv, .json,
 * .jsonl, .ndjson), else its first octet: an opening brace begins JSON. One thread.
 */
#ifndef INKAN_ADMIN_IMPORT_SOURCE_H
#define INKAN_ADMIN_IMPORT_SOURCE_H

#include "admin/csv.h"
#include "admin/import_row.h"
#include "admin/lines.h"

struct import_source {
    const struct settings *settings; /* borrowed */
    struct lines lines;
    size_t columns[CSV_CELLS_MAX]; /* numbers of the fields of a CSV */
    size_t column_count;
};

/* Opens the file and reads the header of a CSV. ST_INVALID for a file that cannot be read or has
 * a column nobody knows. Close also after a failure. Between the two JSON is secret
 * (admin/secret_json.h). */
enum status import_source_open(const struct settings *settings, const char *path,
                               struct import_source *out, struct err *err) MUST_CHECK;
void import_source_close(struct import_source *source);

/* The next row; blank lines are none. ST_NOT_FOUND at the end; ST_INVALID for a bad row, after
 * which there may be others; ST_TEMP when reading fails. row->line is set except at the end. */
enum status import_source_next(struct import_source *source, struct import_row *row,
                               struct err *err) MUST_CHECK;

#endif
