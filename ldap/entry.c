/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ldap/escape.h"

/* -- names -------------------------------------------------------------------------------- */

/* Appends `public_key` as `PublicKey`. */
static size_t append_camel(const char *name, char out[ENTRY_NAME_SIZE], size_t len)
{
    bool first = true;
    for (; *name != '\0' && len + 1 < ENTRY_NAME_SIZE; name++) {
        if (*name != '_')
            out[len++] = first && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
        first = *name == '_';
    }
    out[len] = '\0';
    return len;
}

void entry_class(const struct kind *kind, char out[ENTRY_NAME_SIZE])
{
    append_camel(kind->name, out, (size_t)snprintf(out, ENTRY_NAME_SIZE, "inkan"));
}

void entry_attribute(const struct kind *kind, const struct field *field, char out[ENTRY_NAME_SIZE])
{
    entry_class(kind, out);
    append_camel(field->name, out, strlen(out));
}

char **entry_attributes(const struct kind *kind, bool only_key)
{
    char **list = calloc(kind->field_count + 1, sizeof *list);
    size_t count = 0;
    for (size_t i = 0; list != NULL && i < kind->field_count; i++) {
        char name[ENTRY_NAME_SIZE];
        if (only_key && !(kind->fields[i].flags & FIELD_KEY))
            continue;
        entry_attribute(kind, &kind->fields[i], name);
        list[count] = strdup(name);
        if (list[count++] == NULL) {
            entry_attributes_free(list);
            return NULL;
        }
    }
    return list;
}

void entry_attributes_free(char **attributes)
{
    for (size_t i = 0; attributes != NULL && attributes[i] != NULL; i++)
        free(attributes[i]);
    free(attributes);
}

/* The rest of an attribute's name behind `word`, NULL if it does not begin with it. Case and the
 * `_` of our words do not count. */
static const char *after(const char *attribute, const char *word)
{
    for (; *word != '\0'; word++) {
        if (*word == '_')
            continue;
        if (ascii_lower(*attribute++) != *word)
            return NULL;
    }
    return attribute;
}

static const struct field *field_named(const struct kind *kind, const char *attribute)
{
    const char *rest = after(attribute, "inkan");
    rest = rest != NULL ? after(rest, kind->name) : NULL;
    for (size_t i = 0; rest != NULL && i < kind->field_count; i++) {
        const char *end = after(rest, kind->fields[i].name);
        if (end != NULL && *end == '\0')
            return &kind->fields[i];
    }
    return NULL;
}

/* -- values ------------------------------------------------------------------------------- */

bool entry_value(const struct field *field, const void *record, struct buf *out)
{
    size_t before = out->len;
    switch (field->type) {
    case FIELD_TEXT: {
        const char *text = *field_text(field, record);
        buf_append_str(out, text != NULL ? text : "");
        return out->len > before;
    }
    case FIELD_BYTES:
        buf_append_span(out, buf_span(field_bytes(field, record)));
        return out->len > before;
    case FIELD_ENUM:
        buf_append_str(out, field->names[*field_int(field, record)]);
        return true;
    case FIELD_BOOL:
        buf_append_str(out, *field_int(field, record) != 0 ? "TRUE" : "FALSE");
        return true;
    default:
        buf_printf(out, "%" PRId64, *field_int(field, record));
        return true;
    }
}

static bool read_number(struct span value, int64_t *out)
{
    bool negative = value.len > 0 && value.data[0] == '-';
    uint64_t number = 0;
    if (!span_number(span_from(value, negative ? 1 : 0), INT64_MAX, &number))
        return false;
    *out = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

/* Upper and lower case are one to the schema. */
static bool read_name(const char *const *names, struct span value, int64_t *out)
{
    for (int64_t i = 0; names[i] != NULL; i++) {
        if (span_equal_nocase(value, span_str(names[i]))) {
            *out = i;
            return true;
        }
    }
    return false;
}

void entry_begin(const struct kind *kind, void *record)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if (field->type == FIELD_INT)
            *field_int(field, record) = field->flags & FIELD_VERSION ? 1 : field->min;
    }
}

static enum status take_text(const struct field *field, void *record, struct span value,
                             struct err *err)
{
    enum status st = field_set_text(field, record, value, err);
    char *text = st == ST_OK && field->flags & FIELD_NOCASE ? *field_text(field, record) : NULL;
    for (; text != NULL && *text != '\0'; text++)
        *text = ascii_lower(*text);
    return st;
}

enum status entry_take(const struct kind *kind, void *record, const char *attribute,
                       struct span value, struct err *err)
{
    static const char *const booleans[] = {"FALSE", "TRUE", NULL};
    const struct field *field = field_named(kind, attribute);
    bool good = true;
    if (field == NULL)
        return ST_OK;
    switch (field->type) {
    case FIELD_TEXT:
        return take_text(field, record, value, err);
    case FIELD_BYTES:
        field_bytes(field, record)->secret = (field->flags & FIELD_SECRET) != 0;
        buf_reset(field_bytes(field, record));
        buf_append_span(field_bytes(field, record), value);
        return buf_check(field_bytes(field, record), attribute, err);
    case FIELD_ENUM:
        good = read_name(field->names, value, field_int(field, record));
        break;
    case FIELD_BOOL:
        good = read_name(booleans, value, field_int(field, record));
        break;
    default:
        good = read_number(value, field_int(field, record));
    }
    return good ? ST_OK : err_set(err, ST_BROKEN, "%s: not a value of it", attribute);
}

struct reading {
    const struct kind *kind;
    void *record;
};

static enum status take(void *arg, const char *attribute, struct span value, struct err *err)
{
    const struct reading *reading = arg;
    return entry_take(reading->kind, reading->record, attribute, value, err);
}

enum status entry_read(struct directory *dir, LDAPMessage *entry, const struct kind *kind,
                       void *record, struct err *err)
{
    struct reading reading = {kind, record};
    entry_begin(kind, record);
    enum status st = directory_values(dir, entry, take, &reading, err);
    if (st == ST_OK)
        return ST_OK;
    char *dn = directory_dn(dir, entry);
    err_context(err, "%s", dn != NULL ? dn : kind->name);
    ldap_memfree(dn);
    return st;
}

/* -- keys --------------------------------------------------------------------------------- */

typedef void append_part(const char *attribute, struct span value, struct buf *out);

static void append_key_part(const struct kind *kind, const struct field *field, const void *record,
                            append_part *append, struct buf *out)
{
    char name[ENTRY_NAME_SIZE];
    struct buf value = {0};
    entry_attribute(kind, field, name);
    entry_value(field, record, &value);
    append(name, buf_span(&value), out);
    buf_clear(&value);
}

void entry_filter(const struct kind *kind, const void *record, struct buf *out)
{
    buf_append_str(out, "(&");
    for (size_t i = 0; i < kind->field_count; i++)
        if (kind->fields[i].flags & FIELD_KEY)
            append_key_part(kind, &kind->fields[i], record, escape_equals, out);
    buf_append_char(out, ')');
}

void entry_version_filter(const struct kind *kind, const void *record, struct buf *out)
{
    const struct field *version = kind_flagged(kind, FIELD_VERSION);
    char name[ENTRY_NAME_SIZE];
    entry_attribute(kind, version, name);
    if (*field_int(version, record) == 1)
        buf_printf(out, "(|(%s=1)(!(%s=*)))", name, name);
    else
        append_key_part(kind, version, record, escape_equals, out);
}

/* A key stands below its domain, so the selector alone names it there. */
static bool in_rdn(const struct kind *kind, const struct field *field)
{
    return field->flags & FIELD_KEY &&
           !(kind == &kind_key && span_equal(span_str(field->name), SPAN_LIT("domain")));
}

void entry_rdn(const struct kind *kind, const void *record, struct buf *out)
{
    size_t before = out->len;
    for (size_t i = 0; i < kind->field_count; i++) {
        if (!in_rdn(kind, &kind->fields[i]))
            continue;
        if (out->len > before)
            buf_append_char(out, '+');
        append_key_part(kind, &kind->fields[i], record, escape_rdn, out);
    }
}
