/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/csv.h"

bool csv_ends(struct csv_scan *scan, char c)
{
    if (scan->state == CSV_QUOTED) {
        scan->state = c == '"' ? CSV_QUOTE : CSV_QUOTED;
        return false;
    }
    if (c == '"' && scan->state != CSV_BARE)
        scan->state = CSV_QUOTED; /* a cell's first quote, or the second of a doubled one */
    else
        scan->state = c == ',' ? CSV_START : CSV_BARE;
    return c == '\n';
}

/* A quoted cell whose opening quote is at *at: moves its content over the quote and leaves *at
 * behind the closing one. */
static bool take_quoted(struct buf *record, size_t *at, struct span *out)
{
    char *to = record->data + *at;
    const char *start = to, *from = to + 1, *end = record->data + record->len;
    for (; from < end; from++) {
        if (*from == '"' && (from + 1 == end || from[1] != '"'))
            break;
        from += *from == '"';
        *to++ = *from;
    }
    *out = span_of(start, (size_t)(to - start));
    *at = (size_t)(from - record->data) + 1;
    return from < end;
}

static bool take_bare(const struct buf *record, size_t *at, struct span *out)
{
    struct span rest = span_from(buf_span(record), *at);
    *out = span_head(rest, span_find(rest, ','));
    *at += out->len;
    return span_find(*out, '"') == out->len;
}

static enum status take_cell(struct buf *record, size_t *at, size_t number, struct span *out,
                             struct err *err)
{
    bool quoted = *at < record->len && record->data[*at] == '"';
    if (quoted && !take_quoted(record, at, out))
        return err_set(err, ST_INVALID, "cell %zu: the quote is not closed", number);
    if (!quoted && !take_bare(record, at, out))
        return err_set(err, ST_INVALID, "cell %zu: a quote inside a cell that is not quoted",
                       number);
    if (*at < record->len && record->data[*at] != ',')
        return err_set(err, ST_INVALID, "cell %zu: text behind the closing quote", number);
    return ST_OK;
}

enum status csv_split(struct buf *record, struct csv_cells *out, struct err *err)
{
    enum status status = ST_OK;
    size_t at = 0;
    bool more = true;
    out->count = 0;
    for (; status == ST_OK && more; at++) {
        if (out->count == CSV_CELLS_MAX)
            return err_set(err, ST_INVALID, "more than %d cells", CSV_CELLS_MAX);
        status = take_cell(record, &at, out->count + 1, &out->cells[out->count], err);
        out->count++;
        more = at < record->len;
    }
    return status;
}
