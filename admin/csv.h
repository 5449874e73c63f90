/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV as RFC 4180 has it: cells between commas; a cell in quotes may hold commas, line ends and,
 * doubled, quotes. Where a record ends and what its cells are, nothing of files. Pure; any
 * thread with its own structs.
 */
#ifndef INKAN_ADMIN_CSV_H
#define INKAN_ADMIN_CSV_H

#include "base/bytes.h"

enum { CSV_CELLS_MAX = 64 };

/* Where in a record one is; zeroed: at its start. */
struct csv_scan {
    enum { CSV_START, CSV_BARE, CSV_QUOTED, CSV_QUOTE } state;
};
/* Takes the next octet. True when it is the line feed that ends the record. */
bool csv_ends(struct csv_scan *scan, char c);

struct csv_cells {
    struct span cells[CSV_CELLS_MAX];
    size_t count;
};
/* Cuts a record without its line end into cells. They point into the record, in which quoted
 * cells are rewritten to what they mean. ST_INVALID names the cell: a quote that is not closed or
 * stands inside a bare cell, text behind a closing quote, too many cells. */
enum status csv_split(struct buf *record, struct csv_cells *out, struct err *err) MUST_CHECK;

#endif
