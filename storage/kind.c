/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be done with any record through the table of its kind.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/settings.h"
#include "dkim/crypto.h"
#include "storage/model.h"

const struct field *kind_field(const struct kind *kind, struct span name)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        if (span_equal(span_str(kind->fields[i].name), name))
            return &kind->fields[i];
    }
    return NULL;
}

const struct field *kind_flagged(const struct kind *kind, enum field_flag flag)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        if (kind->fields[i].flags & flag)
            return &kind->fields[i];
    }
    return NULL;
}

/* The tables hold offsets into structs that the caller owns and may write; whether a record is
 * const is the caller's business, as with strchr. */
static void *member(const struct field *field, const void *record)
{
    return (char *)(uintptr_t)record + field->offset;
}

char **field_text(const struct field *field, const void *record)
{
    return member(field, record);
}

int64_t *field_int(const struct field *field, const void *record)
{
    return member(field, record);
}

struct buf *field_bytes(const struct field *field, const void *record)
{
    return member(field, record);
}

enum status field_set_text(const struct field *field, void *record, struct span text,
                           struct err *err)
{
    char *copy = span_dup(text);
    if (copy == NULL)
        return err_set(err, ST_TEMP, "%s: no memory", field->name);
    free(*field_text(field, record));
    *field_text(field, record) = copy;
    return ST_OK;
}

/* -- text to field and back --------------------------------------------------------------- */

/* What does not fit is the largest or smallest number there is. */
static bool read_number(struct span text, int64_t *out)
{
    char digits[24] = "";
    char *end = NULL;
    if (text.len > 0 && text.len < sizeof digits)
        memcpy(digits, text.data, text.len);
    *out = strtoll(digits, &end, 10);
    return (digits[0] == '-' || ascii_digit(digits[0])) && *end == '\0';
}

static enum status int_from_text(const struct field *field, struct span text, int64_t *out,
                                 struct err *err)
{
    int64_t number = 0;
    if (!read_number(text, &number) || number < field->min || number > field->max)
        return err_set(err, ST_INVALID, "%s: not a number from %" PRId64 " to %" PRId64,
                       field->name, field->min, field->max);
    *out = number;
    return ST_OK;
}

static enum status seconds_from_text(const struct field *field, struct span text, int64_t *out,
                                     struct err *err)
{
    struct err why = {0};
    int64_t number = 0;
    bool good = read_number(text, &number) || settings_parse_seconds(text, &number, &why) == ST_OK;
    if (!good || number < field->min || number > field->max)
        return err_set(err, ST_INVALID,
                       "%s: not a duration from %" PRId64 " to %" PRId64
                       " seconds (a number of seconds, or one with s, m, h, d or w)",
                       field->name, field->min, field->max);
    *out = number;
    return ST_OK;
}

static enum status enum_from_text(const struct field *field, struct span text, int64_t *out,
                                  struct err *err)
{
    struct buf allowed = BUF_INIT(128);
    for (int64_t i = 0; field->names[i] != NULL; i++) {
        if (span_equal_nocase(text, span_str(field->names[i]))) {
            *out = i;
            buf_clear(&allowed);
            return ST_OK;
        }
        buf_printf(&allowed, "%s%s", i > 0 ? ", " : "", field->names[i]);
    }
    enum status st = err_set(err, ST_INVALID, "%s: not one of %s", field->name, buf_cstr(&allowed));
    buf_clear(&allowed);
    return st;
}

static enum status bool_from_text(const struct field *field, struct span text, int64_t *out,
                                  struct err *err)
{
    bool value = false;
    if (settings_parse_bool(text, &value, err) != ST_OK)
        return err_context(err, "%s", field->name);
    *out = value;
    return ST_OK;
}

enum status field_from_text(const struct field *field, void *record, struct span text,
                            struct err *err)
{
    switch (field->type) {
    case FIELD_TEXT:
        return field_set_text(field, record, text, err);
    case FIELD_INT:
    case FIELD_TIME:
        return (field->flags & FIELD_SECONDS ? seconds_from_text : int_from_text)(
            field, text, field_int(field, record), err);
    case FIELD_BOOL:
        return bool_from_text(field, text, field_int(field, record), err);
    case FIELD_ENUM:
        return enum_from_text(field, text, field_int(field, record), err);
    case FIELD_BYTES:
        break;
    }
    return err_set(err, ST_INVALID, "%s: cannot be given as text", field->name);
}

static void bytes_to_text(const struct field *field, const void *record, struct buf *out)
{
    const struct buf *bytes = field_bytes(field, record);
    if (!(field->flags & FIELD_SECRET))
        dkim_base64_encode(buf_span(bytes), out);
    else if (bytes->len > 0)
        buf_append_str(out, "(sealed)");
}

void field_to_text(const struct field *field, const void *record, struct buf *out)
{
    char date[CLOCK_DATE_SIZE];
    switch (field->type) {
    case FIELD_TEXT:
        buf_append_str(out, *field_text(field, record));
        break;
    case FIELD_INT:
        buf_printf(out, "%" PRId64, *field_int(field, record));
        break;
    case FIELD_BOOL:
        buf_append_str(out, *field_int(field, record) != 0 ? "yes" : "no");
        break;
    case FIELD_TIME:
        clock_date(*field_int(field, record), date);
        buf_append_str(out, *field_int(field, record) == 0 ? "" : date);
        break;
    case FIELD_ENUM:
        buf_append_str(out, field->names[*field_int(field, record)]);
        break;
    case FIELD_BYTES:
        bytes_to_text(field, record, out);
        break;
    }
}

bool field_equal(const struct field *field, const void *a, const void *b)
{
    switch (field->type) {
    case FIELD_TEXT:
        return span_equal(span_str(*field_text(field, a)), span_str(*field_text(field, b)));
    case FIELD_BYTES:
        return span_equal(buf_span(field_bytes(field, a)), buf_span(field_bytes(field, b)));
    default:
        return *field_int(field, a) == *field_int(field, b);
    }
}

/* -- checks ------------------------------------------------------------------------------- */

static enum status check_plain_text(const struct field *field, struct span text, struct err *err)
{
    for (size_t i = 0, step; i < text.len; i += step) {
        unsigned char c = (unsigned char)text.data[i];
        step = span_utf8(span_from(text, i));
        if (c < 0x20 || c == 0x7f)
            return err_set(err, ST_INVALID, "%s: control character 0x%02x", field->name, c);
        if (step == 0)
            return err_set(err, ST_INVALID, "%s: not UTF-8 at octet %zu", field->name, i + 1);
    }
    return ST_OK;
}

static enum status check_text(const struct field *field, const void *record, struct err *err)
{
    struct span text = span_str(*field_text(field, record));
    if (text.len == 0)
        return field->flags & FIELD_REQUIRED
                   ? err_set(err, ST_INVALID, "%s: must not be empty", field->name)
                   : ST_OK;
    if (text.len > (size_t)field->max)
        return err_set(err, ST_INVALID, "%s: %zu octets (at most %" PRId64 ")", field->name,
                       text.len, field->max);
    enum status st = check_plain_text(field, text, err);
    if (st == ST_OK && field->check != NULL && field->check(text, err) != ST_OK)
        st = err_context(err, "%s %.*s", field->name, (int)text.len, text.data);
    return st;
}

static enum status check_number(const struct field *field, const void *record, struct err *err)
{
    int64_t value = *field_int(field, record);
    if (field->type == FIELD_ENUM) {
        int64_t count = 0;
        while (field->names[count] != NULL)
            count++;
        if (value < 0 || value >= count)
            return err_set(err, ST_INVALID, "%s: %" PRId64 " has no name", field->name, value);
        return ST_OK;
    }
    if (value < field->min || value > field->max)
        return err_set(err, ST_INVALID, "%s: %" PRId64 " (from %" PRId64 " to %" PRId64 ")",
                       field->name, value, field->min, field->max);
    return ST_OK;
}

static enum status check_bytes(const struct field *field, const void *record, struct err *err)
{
    const struct buf *bytes = field_bytes(field, record);
    if (bytes->len > (size_t)field->max)
        return err_set(err, ST_INVALID, "%s: %zu octets (at most %" PRId64 ")", field->name,
                       bytes->len, field->max);
    if (bytes->len == 0 && (field->flags & FIELD_REQUIRED))
        return err_set(err, ST_INVALID, "%s: must not be empty", field->name);
    return ST_OK;
}

static enum status check_field(const struct field *field, const void *record, struct err *err)
{
    switch (field->type) {
    case FIELD_TEXT:
        return check_text(field, record, err);
    case FIELD_BYTES:
        return check_bytes(field, record, err);
    default:
        return check_number(field, record, err);
    }
}

enum status kind_check(const struct kind *kind, const void *record, struct err *err)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        if (check_field(&kind->fields[i], record, err) != ST_OK)
            return err_context(err, "%s", kind->name);
    }
    return ST_OK;
}

/* -- whole records ------------------------------------------------------------------------ */

void kind_clear(const struct kind *kind, void *record)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if (field->type == FIELD_TEXT)
            free(*field_text(field, record));
        else if (field->type == FIELD_BYTES)
            buf_clear(field_bytes(field, record));
    }
    memset(record, 0, kind->size);
}

static enum status copy_field(const struct field *field, const void *from, void *to,
                              struct err *err)
{
    if (field->type == FIELD_TEXT) {
        if (*field_text(field, from) == NULL)
            return ST_OK;
        return field_set_text(field, to, span_str(*field_text(field, from)), err);
    }
    if (field->type == FIELD_BYTES) {
        field_bytes(field, to)->secret = (field->flags & FIELD_SECRET) != 0;
        buf_append_span(field_bytes(field, to), buf_span(field_bytes(field, from)));
        return buf_check(field_bytes(field, to), field->name, err);
    }
    *field_int(field, to) = *field_int(field, from);
    return ST_OK;
}

enum status kind_copy(const struct kind *kind, const void *from, void *to, struct err *err)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        enum status st = copy_field(&kind->fields[i], from, to, err);
        if (st != ST_OK) {
            kind_clear(kind, to);
            return st;
        }
    }
    return ST_OK;
}

void kind_free(const struct kind *kind, void *record)
{
    if (record != NULL)
        kind_clear(kind, record);
    free(record);
}

static const char *text_of(const struct field *field, const void *record)
{
    const char *text = *field_text(field, record);
    return text != NULL ? text : "";
}

static int compare_field(const struct field *field, const void *a, const void *b)
{
    if (field->type == FIELD_TEXT)
        return strcmp(text_of(field, a), text_of(field, b));
    int64_t left = *field_int(field, a), right = *field_int(field, b);
    if (field->type == FIELD_ENUM)
        return strcmp(field->names[left], field->names[right]);
    return (left > right) - (left < right);
}

int kind_compare(const struct kind *kind, const void *a, const void *b)
{
    int order = 0;
    for (size_t i = 0; order == 0 && i < kind->field_count; i++)
        if (kind->fields[i].flags & FIELD_KEY)
            order = compare_field(&kind->fields[i], a, b);
    return order;
}

void kind_label(const struct kind *kind, const void *record, struct buf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i < kind->field_count; i++) {
        if (!(kind->fields[i].flags & FIELD_KEY))
            continue;
        if (out->len > start)
            buf_append_char(out, ' ');
        field_to_text(&kind->fields[i], record, out);
    }
}

static struct span text_named(const struct kind *kind, const char *name, const void *record)
{
    const struct field *field = kind_field(kind, span_str(name));
    return field != NULL ? span_str(*field_text(field, record)) : (struct span){0};
}

struct span kind_domain_of(const struct kind *kind, const void *record)
{
    return text_named(kind, kind == &kind_domain ? "name" : "domain", record);
}

struct span kind_tenant_of(const struct kind *kind, const void *record)
{
    return text_named(kind, kind == &kind_tenant ? "name" : "tenant", record);
}

struct span kind_place_of(const struct kind *kind, const void *record)
{
    return text_named(kind, "place", record);
}
