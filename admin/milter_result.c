/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/milter_result.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { EDITS_MAX = 1000, BODY_MAX = 256 << 20 };

/* Cuts a terminated string off *data. */
static bool take_string(struct span *data, struct span *out)
{
    size_t end = span_find(*data, '\0');
    if (end == data->len)
        return false;
    *out = span_head(*data, end);
    *data = span_from(*data, end + 1);
    return true;
}

static bool take_index(struct span *data, uint32_t *out)
{
    if (data->len < sizeof *out)
        return false;
    memcpy(out, data->data, sizeof *out);
    *out = ntohl(*out);
    *data = span_from(*data, sizeof *out);
    return true;
}

static enum status malformed(const struct milter_response *response, struct err *err)
{
    return err_set(err, ST_BROKEN, "filter: malformed answer '%c'", response->code);
}

/* Kept as it will follow the colon; an empty value stays empty because it means removal. */
static char *edit_value(struct span value, bool leading_space)
{
    struct buf text = BUF_INIT(0);
    if (!leading_space && value.len > 0)
        buf_append_char(&text, ' ');
    buf_append_span(&text, value);
    return buf_take(&text);
}

static enum status add_edit(struct milter_result *result, const struct milter_response *response,
                            struct milter_edit edit, struct err *err)
{
    struct span data = response->data;
    struct span name, value;
    if (edit.kind != MILTER_ADD && !take_index(&data, &edit.index))
        return malformed(response, err);
    if (!take_string(&data, &name) || !take_string(&data, &value) || name.len == 0)
        return malformed(response, err);
    if (result->edit_count >= EDITS_MAX)
        return err_set(err, ST_BROKEN, "filter: more than %d changes of the header", EDITS_MAX);
    struct milter_edit *edits =
        reallocarray(result->edits, result->edit_count + 1, sizeof *result->edits);
    if (edits == NULL)
        return err_set(err, ST_TEMP, "no memory");
    result->edits = edits;
    edit.name = span_dup(name);
    edit.value = edit_value(value, response->leading_space);
    result->edits[result->edit_count++] = edit;
    if (edit.name == NULL || edit.value == NULL)
        return err_set(err, ST_TEMP, "no memory");
    return ST_OK;
}

static enum status take_insert(struct milter_result *result, const struct milter_response *response,
                               struct err *err)
{
    return add_edit(result, response, (struct milter_edit){.kind = MILTER_INSERT}, err);
}

static enum status take_add(struct milter_result *result, const struct milter_response *response,
                            struct err *err)
{
    return add_edit(result, response, (struct milter_edit){.kind = MILTER_ADD}, err);
}

static enum status take_change(struct milter_result *result, const struct milter_response *response,
                               struct err *err)
{
    return add_edit(result, response, (struct milter_edit){.kind = MILTER_CHANGE}, err);
}

static enum status take_body(struct milter_result *result, const struct milter_response *response,
                             struct err *err)
{
    result->body_replaced = true;
    result->body.limit = BODY_MAX;
    buf_append_span(&result->body, response->data);
    return buf_check(&result->body, "filter: new body", err);
}

/* Copies a terminated text, cut to the 256 octets of the result's members. */
static enum status take_text(char out[256], const struct milter_response *response, struct err *err)
{
    struct span data = response->data;
    struct span text;
    if (!take_string(&data, &text))
        return malformed(response, err);
    text = span_head(text, 255);
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return ST_OK;
}

static enum status take_quarantine(struct milter_result *result,
                                   const struct milter_response *response, struct err *err)
{
    return take_text(result->quarantine, response, err);
}

static enum status take_reply(struct milter_result *result, const struct milter_response *response,
                              struct err *err)
{
    enum status status = take_text(result->reply, response, err);
    if (status != ST_OK)
        return status;
    result->verdict = result->reply[0] == '4' ? MILTER_TEMPFAIL : MILTER_REJECT;
    return ST_OK;
}

typedef enum status response_handler(struct milter_result *result,
                                     const struct milter_response *response, struct err *err);

/* Changes of the envelope are allowed and do not show in the message, so they are passed over. */
static const struct response_type {
    char code;
    enum milter_step step;
    enum milter_verdict verdict;
    response_handler *take;
} response_types[] = {
    {'c', MILTER_CONTINUE, MILTER_ACCEPT, NULL},
    {'s', MILTER_SKIP, MILTER_ACCEPT, NULL},
    {'a', MILTER_FINAL, MILTER_ACCEPT, NULL},
    {'r', MILTER_FINAL, MILTER_REJECT, NULL},
    {'t', MILTER_FINAL, MILTER_TEMPFAIL, NULL},
    {'d', MILTER_FINAL, MILTER_DISCARD, NULL},
    {'f', MILTER_FINAL, MILTER_TEMPFAIL, NULL}, /* connection failure */
    {'4', MILTER_FINAL, MILTER_TEMPFAIL, NULL}, /* shutdown: 421 */
    {'y', MILTER_FINAL, MILTER_REJECT, take_reply},
    {'p', MILTER_MORE, MILTER_ACCEPT, NULL}, /* progress */
    {'i', MILTER_MORE, MILTER_ACCEPT, take_insert},
    {'h', MILTER_MORE, MILTER_ACCEPT, take_add},
    {'m', MILTER_MORE, MILTER_ACCEPT, take_change},
    {'b', MILTER_MORE, MILTER_ACCEPT, take_body},
    {'q', MILTER_MORE, MILTER_ACCEPT, take_quarantine},
    {'+', MILTER_MORE, MILTER_ACCEPT, NULL}, /* add recipient */
    {'2', MILTER_MORE, MILTER_ACCEPT, NULL}, /* the same, with parameters */
    {'-', MILTER_MORE, MILTER_ACCEPT, NULL}, /* delete recipient */
    {'e', MILTER_MORE, MILTER_ACCEPT, NULL}, /* change sender */
};

enum status milter_result_take(struct milter_result *result, const struct milter_response *response,
                               enum milter_step *step_out, struct err *err)
{
    for (size_t i = 0; i < sizeof response_types / sizeof response_types[0]; i++) {
        const struct response_type *type = &response_types[i];
        if (type->code != response->code)
            continue;
        *step_out = type->step;
        if (type->step == MILTER_FINAL)
            result->verdict = type->verdict;
        return type->take == NULL ? ST_OK : type->take(result, response, err);
    }
    return err_set(err, ST_BROKEN, "filter: unknown answer 0x%02x",
                   (unsigned)(unsigned char)response->code);
}

void milter_result_clear(struct milter_result *result)
{
    for (size_t i = 0; i < result->edit_count; i++) {
        free(result->edits[i].name);
        free(result->edits[i].value);
    }
    free(result->edits);
    buf_clear(&result->body);
    *result = (struct milter_result){.verdict = MILTER_ACCEPT};
}

size_t milter_result_added(const struct milter_result *result, struct span name)
{
    size_t count = 0;
    for (size_t i = 0; i < result->edit_count; i++)
        if (result->edits[i].kind != MILTER_CHANGE &&
            span_equal_nocase(span_str(result->edits[i].name), name))
            count++;
    return count;
}

/* -- the message with its edits ------------------------------------------------------------ */

struct header_line {
    struct span name, value;
};

struct header {
    struct header_line *lines;
    size_t count;
};

static void header_insert(struct header *header, size_t at, struct header_line line)
{
    if (at > header->count)
        at = header->count;
    memmove(header->lines + at + 1, header->lines + at,
            (header->count - at) * sizeof *header->lines);
    header->lines[at] = line;
    header->count++;
}

/* A change of a field that is not there adds it, as Postfix and Sendmail do. */
static void header_change(struct header *header, uint32_t index, struct header_line line)
{
    uint32_t seen = 0;
    size_t at = 0;
    while (at < header->count && !(span_equal_nocase(header->lines[at].name, line.name) &&
                                   ++seen == (index == 0 ? 1 : index)))
        at++;
    if (at < header->count && line.value.len > 0) {
        header->lines[at] = line;
    } else if (at < header->count) {
        header->count--;
        memmove(header->lines + at, header->lines + at + 1,
                (header->count - at) * sizeof *header->lines);
    } else if (line.value.len > 0) {
        header_insert(header, header->count, line);
    }
}

static void header_edit(struct header *header, const struct milter_edit *edit)
{
    struct header_line line = {span_str(edit->name), span_str(edit->value)};
    if (edit->kind == MILTER_CHANGE)
        header_change(header, edit->index, line);
    else if (edit->kind == MILTER_ADD)
        header_insert(header, header->count, line);
    else
        header_insert(header, edit->index == 0 ? 0 : edit->index - 1, line);
}

static void write_line(const struct header_line *line, struct buf *out)
{
    buf_append_span(out, line->name);
    buf_append_char(out, ':');
    dkim_message_crlf(line->value, out);
    buf_append_str(out, "\r\n");
}

enum status milter_result_write(const struct milter_result *result,
                                const struct milter_message *message, struct buf *out,
                                struct err *err)
{
    const struct dkim_fields *fields = message->fields;
    struct header header = {
        .lines = reallocarray(NULL, fields->count + result->edit_count + 1, sizeof *header.lines)};
    if (header.lines == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < fields->count; i++)
        header.lines[header.count++] =
            (struct header_line){dkim_fields_name(fields, i), dkim_fields_value(fields, i)};
    for (size_t i = 0; i < result->edit_count; i++)
        header_edit(&header, &result->edits[i]);
    for (size_t i = 0; i < header.count; i++)
        write_line(&header.lines[i], out);
    buf_append_str(out, "\r\n");
    buf_append_span(out, result->body_replaced ? buf_span(&result->body) : message->body);
    free(header.lines);
    return buf_check(out, "message", err);
}
