/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/import_source.h"

#include "admin/import_json.h"
#include "admin/secret_json.h"

static const struct {
    struct span ending;
    bool csv;
} endings[] = {
    {SPAN_LIT(".csv"), true},
    {SPAN_LIT(".json"), false},
    {SPAN_LIT(".jsonl"), false},
    {SPAN_LIT(".ndjson"), false},
};

static bool is_csv(const char *path, int first)
{
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (span_has_suffix_nocase(span_str(path), endings[i].ending))
            return endings[i].csv;
    return first != '{' && first != '[';
}

/* -- CSV ------------------------------------------------------------------------------------ */

static enum status take_column(struct import_source *source, struct span name, struct err *err)
{
    size_t index = 0;
    enum status status = import_field_find(span_trim(name), &index, err);
    for (size_t i = 0; status == ST_OK && i < source->column_count; i++)
        if (source->columns[i] == index)
            status = err_set(err, ST_INVALID, "%.*s: stands there twice",
                             (int)span_head(name, 64).len, name.data);
    source->columns[source->column_count++] = index;
    return status;
}

static enum status read_header(struct import_source *source, struct err *err)
{
    struct csv_cells cells = {.count = 0};
    enum status status = lines_next(&source->lines, err);
    if (status == ST_NOT_FOUND)
        return ST_OK; /* an empty file has no rows */
    if (status == ST_OK)
        status = csv_split(&source->lines.text, &cells, err);
    for (size_t i = 0; status == ST_OK && i < cells.count; i++)
        status = take_column(source, cells.cells[i], err);
    return status == ST_OK ? ST_OK : err_context(err, "the header line");
}

static enum status read_csv(struct import_source *source, struct import_row *row, struct err *err)
{
    struct import_values values = {.texts = {{.len = 0}}};
    struct csv_cells cells;
    enum status status = csv_split(&source->lines.text, &cells, err);
    if (status != ST_OK)
        return status;
    if (cells.count != source->column_count)
        return err_set(err, ST_INVALID, "%zu cells, and the header line has %zu", cells.count,
                       source->column_count);
    for (size_t i = 0; i < cells.count; i++)
        values.texts[source->columns[i]] = cells.cells[i];
    return import_row_read(source->settings, &values, row, err);
}

/* -- JSON ----------------------------------------------------------------------------------- */

static enum status read_json(struct import_source *source, struct import_row *row, struct err *err)
{
    struct import_values values = {.texts = {{.len = 0}}};
    struct import_json json = {.root = NULL};
    enum status status = import_json_read(buf_span(&source->lines.text), &json, &values, err);
    if (status == ST_OK)
        status = import_row_read(source->settings, &values, row, err);
    import_json_clear(&json);
    return status;
}

/* -- both ----------------------------------------------------------------------------------- */

enum status import_source_open(const struct settings *settings, const char *path,
                               struct import_source *out, struct err *err)
{
    secret_json_begin();
    *out = (struct import_source){.settings = settings};
    enum status status = lines_open(path, &out->lines, err);
    if (status != ST_OK)
        return status;
    out->lines.csv = is_csv(path, lines_peek(&out->lines));
    if (out->lines.csv && read_header(out, err) != ST_OK)
        return err_context(err, "%s:%lld", path, (long long)out->lines.number);
    return ST_OK;
}

void import_source_close(struct import_source *source)
{
    lines_close(&source->lines);
    secret_json_end();
}

enum status import_source_next(struct import_source *source, struct import_row *row,
                               struct err *err)
{
    enum status status;
    do
        status = lines_next(&source->lines, err);
    while (status == ST_OK && span_trim(buf_span(&source->lines.text)).len == 0);
    row->line = source->lines.number;
    if (status != ST_OK)
        return status;
    return (source->lines.csv ? read_csv : read_json)(source, row, err);
}
