/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/records.h"

#include <jansson.h>
#include <stdlib.h>

static void write_zone(const struct record *record, struct buf *out);
static void write_oneline(const struct record *record, struct buf *out);
static void write_json(const struct record *record, struct buf *out);

static const struct format {
    const char *name, *head, *between, *tail;
    void (*write)(const struct record *record, struct buf *out);
} formats[] = {
    [RECORDS_ZONE] = {"zone", "", "", "", write_zone},
    [RECORDS_ONELINE] = {"oneline", "", "", "", write_oneline},
    [RECORDS_JSON] = {"json", "[", ",", "\n]\n", write_json},
};

enum { FORMAT_COUNT = sizeof formats / sizeof formats[0] };

enum status records_format_parse(struct span name, enum records_format *out, struct err *err)
{
    struct buf known = BUF_INIT(0);
    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (span_equal(name, span_str(formats[i].name))) {
            *out = (enum records_format)i;
            buf_clear(&known);
            return ST_OK;
        }
        buf_printf(&known, "%s%s", i == 0 ? "" : ", ", formats[i].name);
    }
    err_set(err, ST_INVALID, "%.*s: no such format (%s)", (int)span_head(name, 64).len, name.data,
            buf_cstr(&known));
    buf_clear(&known);
    return ST_INVALID;
}

enum status records_of_key(const struct records_key *key, struct record *out, struct err *err)
{
    out->value = BUF_INIT(0);
    enum status status = dkim_key_record_name(key->selector, key->domain, out->name, err);
    if (status != ST_OK)
        return status;
    dkim_key_record_write(key->algorithm, key->public_octets, &out->value);
    return buf_check(&out->value, "key record", err);
}

void records_clear(struct record *record)
{
    buf_clear(&record->value);
}

void records_begin(struct records_writer *writer, enum records_format format, struct buf *out)
{
    *writer = (struct records_writer){.format = format, .out = out};
    buf_append_str(out, formats[format].head);
}

void records_add(struct records_writer *writer, const struct record *record)
{
    const struct format *format = &formats[writer->format];
    if (writer->count++ > 0)
        buf_append_str(writer->out, format->between);
    format->write(record, writer->out);
}

void records_end(struct records_writer *writer)
{
    const struct format *format = &formats[writer->format];
    /* "[]" and not a bracket on a line of its own when there is nothing between them. */
    buf_append_str(writer->out, writer->count > 0 || *format->head == '\0' ? format->tail : "]\n");
}

/* Cuts the next character-string off *rest; an empty value is one empty string. */
static bool next_string(struct span *rest, struct span *string)
{
    if (rest->data == NULL)
        return false;
    *string = span_head(*rest, DKIM_TXT_STRING_MAX);
    *rest = rest->len > DKIM_TXT_STRING_MAX ? span_from(*rest, DKIM_TXT_STRING_MAX)
                                            : (struct span){NULL, 0};
    return true;
}

/* RFC 1035 5.1: a quote and a backslash are escaped, and what is not printable as \DDD. */
static void write_quoted(struct span string, struct buf *out)
{
    buf_append_char(out, '"');
    for (size_t i = 0; i < string.len; i++) {
        unsigned char c = (unsigned char)string.data[i];
        if (c < ' ' || c > '~')
            buf_printf(out, "\\%03u", c);
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_append_char(out, (char)c);
    }
    buf_append_char(out, '"');
}

static void write_zone(const struct record *record, struct buf *out)
{
    struct span rest = buf_span(&record->value);
    struct span string;
    buf_printf(out, "%s. IN TXT (", record->name);
    while (next_string(&rest, &string)) {
        buf_append_char(out, ' ');
        write_quoted(string, out);
    }
    buf_append_str(out, " )\n");
}

static void write_oneline(const struct record *record, struct buf *out)
{
    buf_printf(out, "%s ", record->name);
    buf_append_span(out, buf_span(&record->value));
    buf_append_char(out, '\n');
}

static void write_json(const struct record *record, struct buf *out)
{
    struct span value = buf_span(&record->value);
    struct span rest = value;
    struct span string;
    json_t *strings = json_array();
    while (next_string(&rest, &string))
        json_array_append_new(strings, json_stringn(string.data, string.len));
    json_t *object = json_pack("{s:s, s:s, s:s%, s:o}", "name", record->name, "type", "TXT",
                               "value", value.data, value.len, "strings", strings);
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    buf_append_str(out, "\n  ");
    if (text == NULL)
        out->failed = ST_TEMP;
    else
        buf_append_str(out, text);
    free(text);
}
