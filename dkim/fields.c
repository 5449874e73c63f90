/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/fields.h"

#include <stdlib.h>
#include <string.h>

/* Octets of `s` before its next CR or LF. */
static size_t line_length(struct span s)
{
    const char *lf = s.len ? memchr(s.data, '\n', s.len) : NULL;
    size_t len = lf ? (size_t)(lf - s.data) : s.len;
    const char *cr = len ? memchr(s.data, '\r', len) : NULL;

    return cr ? (size_t)(cr - s.data) : len;
}

static void append_crlf_lines(struct buf *out, struct span text)
{
    while (text.len) {
        size_t len = line_length(text);
        buf_append(out, text.data, len);
        text = span_from(text, len);
        if (!text.len)
            return;
        buf_append(out, "\r\n", 2);
        bool pair = text.len > 1 && text.data[0] == '\r' && text.data[1] == '\n';
        text = span_from(text, pair ? 2 : 1);
    }
}

void dkim_message_crlf(struct span message, struct buf *out)
{
    append_crlf_lines(out, message);
}

/* RFC 5322 4.5 allows white space before the colon: it is kept, but is no part of the name. */
static size_t name_length(struct span name)
{
    size_t len = name.len;

    while (len && ascii_wsp(name.data[len - 1]))
        len--;
    for (size_t i = 0; i < len; i++) {
        if (name.data[i] < 33 || name.data[i] > 126 || name.data[i] == ':')
            return 0;
    }
    return len;
}

/* Whether every line end of a value folds it (RFC 5322 2.2.3). */
static bool is_folded_well(struct span value)
{
    for (;;) {
        value = span_from(value, line_length(value));
        if (!value.len)
            return true;
        bool pair = value.len > 1 && value.data[0] == '\r' && value.data[1] == '\n';
        if (value.data[0] == '\r' && !pair)
            return false;
        value = span_from(value, pair ? 2 : 1);
        if (!value.len || !ascii_wsp(value.data[0]))
            return false;
    }
}

static enum status grow_list(struct dkim_fields *fields, struct err *err)
{
    if (fields->count < fields->cap)
        return ST_OK;
    size_t cap = fields->cap ? 2 * fields->cap : 32;
    struct dkim_field *list = reallocarray(fields->list, cap, sizeof *list);
    if (!list)
        return err_set(err, ST_TEMP, "no memory for %zu header fields", cap);
    fields->list = list;
    fields->cap = cap;
    return ST_OK;
}

enum status dkim_fields_add(struct dkim_fields *fields, struct span name, struct span value,
                            struct err *err)
{
    size_t name_len = name_length(name);
    if (!name_len)
        return err_set(err, ST_INVALID, "not a header field name");
    /* What is made of such an octet on the way decides which fields a reader sees. */
    if (!is_folded_well(value))
        return err_set(err, ST_INVALID, "a header field with a CR or LF that folds nothing");
    if (fields->max_count && fields->count >= fields->max_count)
        return err_set(err, ST_INVALID, "more than %zu header fields", fields->max_count);
    /* Line ends can at most double what is there, so this holds before memory is taken. */
    size_t room = fields->max_bytes - fields->text.len;
    if (fields->max_bytes && (name.len >= room || value.len > room - name.len - 1))
        return err_set(err, ST_INVALID, "a header of more than %zu octets", fields->max_bytes);
    enum status status = grow_list(fields, err);
    if (status != ST_OK)
        return status;

    size_t start = fields->text.len;
    buf_append_span(&fields->text, name);
    buf_append_char(&fields->text, ':');
    append_crlf_lines(&fields->text, value);
    status = buf_check(&fields->text, "header", err);
    if (status == ST_OK && fields->max_bytes && fields->text.len > fields->max_bytes)
        status = err_set(err, ST_INVALID, "a header of more than %zu octets", fields->max_bytes);
    if (status != ST_OK) {
        buf_truncate(&fields->text, start);
        return status;
    }
    fields->list[fields->count++] = (struct dkim_field){
        .start = start, .name_len = name_len, .colon = name.len, .len = fields->text.len - start};
    return ST_OK;
}

/* Octets of the first line of `s` without its CRLF; *next_out is where the next line starts. */
static size_t crlf_line(struct span s, size_t *next_out)
{
    for (size_t at = 0; at < s.len; at++) {
        const char *cr = memchr(s.data + at, '\r', s.len - at);
        if (!cr)
            break;
        at = (size_t)(cr - s.data);
        if (at + 1 < s.len && s.data[at + 1] == '\n') {
            *next_out = at + 2;
            return at;
        }
    }
    *next_out = s.len;
    return s.len;
}

/* Octets of the first field of `s`, with its continuation lines (RFC 5322 2.2.3). */
static size_t folded_field(struct span s, size_t *next_out, size_t *lines_out)
{
    size_t len = crlf_line(s, next_out);

    *lines_out = 1;
    while (len && *next_out < s.len && ascii_wsp(s.data[*next_out])) {
        size_t next;
        len = *next_out + crlf_line(span_from(s, *next_out), &next);
        *next_out += next;
        ++*lines_out;
    }
    return len;
}

enum status dkim_fields_split(struct span message, struct dkim_fields *fields,
                              struct span *body_out, struct err *err)
{
    size_t line = 1;

    *body_out = span_of(NULL, 0);
    while (message.len) {
        size_t next, lines;
        struct span field = span_head(message, folded_field(message, &next, &lines));
        message = span_from(message, next);
        if (!field.len) {
            *body_out = message;
            return ST_OK;
        }
        size_t colon = span_find(field, ':');
        if (colon == field.len)
            return err_set(err, ST_INVALID, "line %zu: not a header field", line);
        enum status status =
            dkim_fields_add(fields, span_head(field, colon), span_from(field, colon + 1), err);
        if (status != ST_OK)
            return err_context(err, "line %zu", line);
        line += lines;
    }
    return ST_OK;
}

struct span dkim_fields_text(const struct dkim_fields *fields, size_t index)
{
    const struct dkim_field *field = &fields->list[index];

    return span_of(fields->text.data + field->start, field->len);
}

struct span dkim_fields_name(const struct dkim_fields *fields, size_t index)
{
    return span_head(dkim_fields_text(fields, index), fields->list[index].name_len);
}

struct span dkim_fields_value(const struct dkim_fields *fields, size_t index)
{
    return span_from(dkim_fields_text(fields, index), fields->list[index].colon + 1);
}

size_t dkim_fields_count(const struct dkim_fields *fields, struct span name)
{
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++) {
        if (span_equal_nocase(dkim_fields_name(fields, i), name))
            count++;
    }
    return count;
}

size_t dkim_fields_from_bottom(const struct dkim_fields *fields, struct span name, size_t nth)
{
    for (size_t i = fields->count; i-- > 0;) {
        if (span_equal_nocase(dkim_fields_name(fields, i), name) && nth-- == 0)
            return i;
    }
    return SIZE_MAX;
}

void dkim_fields_reset(struct dkim_fields *fields)
{
    buf_reset(&fields->text);
    fields->count = 0;
}

void dkim_fields_clear(struct dkim_fields *fields)
{
    buf_clear(&fields->text);
    free(fields->list);
    fields->list = NULL;
    fields->count = fields->cap = 0;
}
