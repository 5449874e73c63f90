/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/output.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "dkim/crypto.h"

enum { FLUSH_SIZE = 1 << 16, COLUMNS_MAX = 32 };

void output_init(struct output *output, FILE *file)
{
    *output = (struct output){.file = file};
}

void output_clear(struct output *output)
{
    buf_clear(&output->text);
    buf_clear(&output->rows);
}

static bool write_out(struct output *output)
{
    size_t len = output->text.len;
    bool good = len == 0 || fwrite(output->text.data, 1, len, output->file) == len;
    if (good)
        buf_reset(&output->text);
    return good;
}

/* Long listings do not stand in memory. A failure to write shows again at the end. */
static void flush_if_long(struct output *output)
{
    if (output->text.len >= FLUSH_SIZE)
        write_out(output);
}

enum status output_finish(struct output *output, struct err *err)
{
    if (output->json && output->depth > 0)
        buf_reset(&output->text);
    enum status status = buf_check(&output->text, "output", err);
    if (status != ST_OK)
        return status;
    errno = 0;
    if (!write_out(output) || fflush(output->file) != 0 || ferror(output->file))
        return err_set(err, ST_TEMP, "standard output: %s", strerror(errno));
    return ST_OK;
}

/* -- JSON ----------------------------------------------------------------------------------- */

/* What is not UTF-8 cannot stand in JSON: its octets above ASCII become question marks. */
static json_t *json_of_text(struct span text)
{
    json_t *json = json_stringn(text.len == 0 ? "" : text.data, text.len);
    char *ascii = json == NULL ? span_dup(text) : NULL;
    if (ascii == NULL)
        return json;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)ascii[i] > 0x7e)
            ascii[i] = '?';
    json = json_stringn(ascii, text.len);
    free(ascii);
    return json;
}

static json_t *json_of_field(const struct field *field, const void *record)
{
    int64_t number =
        field->type == FIELD_TEXT || field->type == FIELD_BYTES ? 0 : *field_int(field, record);
    if (field->type == FIELD_INT)
        return json_integer(number);
    if (field->type == FIELD_BOOL)
        return json_boolean(number != 0);
    if (field->type == FIELD_TIME && number == 0)
        return json_null();
    struct buf text = BUF_INIT(0);
    field_to_text(field, record, &text);
    json_t *json = json_of_text(buf_span(&text));
    buf_clear(&text);
    return json;
}

static void json_append(struct output *output, json_t *json)
{
    char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text == NULL)
        output->text.failed = ST_TEMP;
    else
        buf_append_str(&output->text, text);
    free(text);
    json_decref(json);
}

/* The comma before an element or a member, and the member's name. */
static void json_next(struct output *output, const char *member)
{
    if (output->depth == 0)
        return;
    struct output_level *level = &output->levels[output->depth - 1];
    if (level->count++ > 0)
        buf_append_str(&output->text, level->list ? "," : ", ");
    if (level->list)
        buf_append_str(&output->text, "\n");
    if (member != NULL)
        buf_printf(&output->text, "\"%s\": ", member);
}

/* -- for people ----------------------------------------------------------------------------- */

/* Characters, not octets, so that names in UTF-8 keep the columns straight. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* What a data base or a message holds may be meant for the terminal. C1 controls (U+0080 to
 * U+009F) act like an escape there. */
static void defuse(struct buf *text, size_t start)
{
    for (size_t i = start; i < text->len; i++) {
        unsigned char c = (unsigned char)text->data[i];
        bool c1 = i > start && (c & 0xe0) == 0x80 && text->data[i - 1] == '\xc2';
        if (c < ' ' || c == 0x7f || c1)
            text->data[i] = '?';
        if (c1)
            text->data[i - 1] = '?';
    }
}

static void append_field(const struct field *field, const void *record, struct buf *out)
{
    size_t start = out->len;
    field_to_text(field, record, out);
    defuse(out, start);
}

static bool has_column(const struct field *field)
{
    return (field->flags & (FIELD_WIDE | FIELD_SECRET)) == 0;
}

static void add_row(struct output *output, const struct kind *kind, const void *record)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        if (!has_column(&kind->fields[i]))
            continue;
        append_field(&kind->fields[i], record, &output->rows);
        buf_append_char(&output->rows, '\0');
    }
}

struct table {
    const char *heads[COLUMNS_MAX];
    int widths[COLUMNS_MAX];
    size_t columns;
};

static void measure(const struct kind *kind, const struct buf *rows, struct table *out)
{
    *out = (struct table){.columns = 0};
    for (size_t i = 0; i < kind->field_count && out->columns < COLUMNS_MAX; i++)
        if (has_column(&kind->fields[i]))
            out->heads[out->columns++] = kind->fields[i].name;
    for (size_t i = 0; i < out->columns; i++)
        out->widths[i] = width_of(out->heads[i]);
    size_t column = 0;
    for (size_t at = 0; at < rows->len; at += strlen(rows->data + at) + 1) {
        int width = width_of(rows->data + at);
        if (width > out->widths[column])
            out->widths[column] = width;
        column = (column + 1) % out->columns;
    }
}

/* No line ends in blanks, also when its last cells are empty. */
static void end_row(struct buf *text)
{
    while (text->len > 0 && text->data[text->len - 1] == ' ')
        buf_truncate(text, text->len - 1);
    buf_append_char(text, '\n');
}

static void write_cell(struct output *output, const struct table *table, size_t column,
                       const char *text)
{
    bool last = column + 1 == table->columns;
    buf_append_str(&output->text, text);
    if (last)
        end_row(&output->text);
    else
        buf_printf(&output->text, "%*s", table->widths[column] - width_of(text) + 2, "");
}

static void write_table(struct output *output, const struct kind *kind)
{
    struct table table;
    if (output->rows.len == 0)
        return;
    measure(kind, &output->rows, &table);
    if (output->depth > 0)
        buf_append_char(&output->text, '\n');
    for (size_t i = 0; i < table.columns; i++)
        write_cell(output, &table, i, table.heads[i]);
    size_t column = 0;
    for (size_t at = 0; at < output->rows.len; at += strlen(output->rows.data + at) + 1) {
        write_cell(output, &table, column, output->rows.data + at);
        column = (column + 1) % table.columns;
        flush_if_long(output);
    }
    buf_reset(&output->rows);
}

/* -- both ----------------------------------------------------------------------------------- */

static void push(struct output *output, bool list)
{
    output->levels[output->depth++] = (struct output_level){.list = list};
}

static bool in_list(const struct output *output)
{
    return output->depth > 0 && output->levels[output->depth - 1].list;
}

void output_list_begin(struct output *output, const char *member)
{
    if (output->json) {
        json_next(output, member);
        buf_append_char(&output->text, '[');
    }
    push(output, true);
}

void output_list_end(struct output *output, const struct kind *kind)
{
    struct output_level level = output->levels[--output->depth];
    if (!output->json) {
        write_table(output, kind);
        return;
    }
    buf_append_str(&output->text, level.count > 0 ? "\n]" : "]");
    if (output->depth == 0)
        buf_append_char(&output->text, '\n');
}

void output_text(struct output *output, const char *member, struct span value)
{
    if (output->json) {
        json_next(output, member);
        json_append(output, json_of_text(value));
        return;
    }
    if (output->depth > 1)
        return; /* a row of a table has its columns only */
    buf_printf(&output->text, "%s: ", member);
    size_t start = output->text.len;
    buf_append_span(&output->text, value);
    defuse(&output->text, start);
    buf_append_char(&output->text, '\n');
}

void output_texts(struct output *output, const char *member, const char *const *texts, size_t count)
{
    if (output->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(list, json_of_text(span_str(texts[i])));
        json_next(output, member);
        json_append(output, list);
        return;
    }
    for (size_t i = 0; i < count; i++)
        output_text(output, member, span_str(texts[i]));
}

static void write_members(struct output *output, const struct kind *kind, const void *record)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if ((field->flags & FIELD_SECRET) != 0)
            continue;
        if (output->json) {
            json_next(output, field->name);
            json_append(output, json_of_field(field, record));
            continue;
        }
        buf_printf(&output->text, "%s: ", field->name);
        append_field(field, record, &output->text);
        buf_append_char(&output->text, '\n');
    }
}

void output_begin(struct output *output, const struct kind *kind, const void *record)
{
    output_member_begin(output, NULL, kind, record);
}

void output_member_begin(struct output *output, const char *member, const struct kind *kind,
                         const void *record)
{
    bool row = in_list(output) && !output->json;
    if (output->json) {
        json_next(output, member);
        buf_append_char(&output->text, '{');
    }
    push(output, false);
    if (row)
        add_row(output, kind, record);
    else
        write_members(output, kind, record);
}

void output_end(struct output *output)
{
    output->depth--;
    if (!output->json)
        return;
    buf_append_str(&output->text, output->depth == 0 ? "}\n" : "}");
    flush_if_long(output);
}

void output_record(struct output *output, const struct kind *kind, const void *record)
{
    output_begin(output, kind, record);
    output_end(output);
}

void output_line(struct output *output, const char *fmt, ...)
{
    if (output->json)
        return;
    size_t start = output->text.len;
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&output->text, fmt, args);
    va_end(args);
    defuse(&output->text, start);
    buf_append_char(&output->text, '\n');
}

void output_raw(struct output *output, struct span octets)
{
    buf_append_span(&output->text, octets);
    flush_if_long(output);
}
