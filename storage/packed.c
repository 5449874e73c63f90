/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/packed.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_OCTETS = 4, NUMBER_OCTETS = 8, FLAG_OCTETS = 1 };

/* -- writing ------------------------------------------------------------------------------ */

static void write_number(struct buf *out, uint64_t number, int octets)
{
    for (int i = octets - 1; i >= 0; i--)
        buf_append_char(out, (char)(unsigned char)(number >> (8 * i)));
}

static void write_octets(struct buf *out, struct span octets)
{
    write_number(out, octets.len, LENGTH_OCTETS);
    buf_append_span(out, octets);
}

static void write_record(const struct kind *kind, const void *record, struct buf *out)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if (field->type == FIELD_TEXT)
            write_octets(out, span_str(*field_text(field, record)));
        else if (field->type == FIELD_BYTES)
            write_octets(out, buf_span(field_bytes(field, record)));
        else
            write_number(out, (uint64_t)*field_int(field, record), NUMBER_OCTETS);
    }
}

static void write_list(const struct kind *kind, const void *records, size_t count, struct buf *out)
{
    write_number(out, count, LENGTH_OCTETS);
    for (size_t i = 0; i < count; i++)
        write_record(kind, (const char *)records + i * kind->size, out);
}

void packed_write(const struct profile *profile, int64_t time_s, struct buf *out)
{
    write_number(out, (uint64_t)time_s, NUMBER_OCTETS);
    write_number(out, (uint64_t)profile->position, NUMBER_OCTETS);
    write_number(out, profile->found, FLAG_OCTETS);
    if (profile->found) {
        write_record(&kind_domain, &profile->domain, out);
        write_list(&kind_key, profile->keys, profile->key_count, out);
    }
    write_number(out, profile->tenant.name != NULL, FLAG_OCTETS);
    if (profile->tenant.name != NULL)
        write_record(&kind_tenant, &profile->tenant, out);
    write_list(&kind_rule, profile->rules, profile->rule_count, out);
    write_list(&kind_grant, profile->grants, profile->grant_count, out);
    if (out->len > PACKED_MAX)
        out->failed = ST_INVALID;
}

/* -- reading ------------------------------------------------------------------------------ */

/* What is still unread. */
struct reader {
    struct span rest;
    bool bad;
};

static uint64_t read_number(struct reader *reader, size_t octets)
{
    uint64_t number = 0;
    reader->bad = reader->bad || reader->rest.len < octets;
    for (size_t i = 0; !reader->bad && i < octets; i++)
        number = number << 8 | (unsigned char)reader->rest.data[i];
    if (!reader->bad)
        reader->rest = span_from(reader->rest, octets);
    return number;
}

static bool read_flag(struct reader *reader)
{
    uint64_t flag = read_number(reader, FLAG_OCTETS);
    reader->bad = reader->bad || flag > 1;
    return flag == 1;
}

static struct span read_octets(struct reader *reader, int64_t max)
{
    uint64_t len = read_number(reader, LENGTH_OCTETS);
    reader->bad = reader->bad || len > (uint64_t)max || len > reader->rest.len;
    if (reader->bad)
        return (struct span){NULL, 0};
    struct span octets = span_head(reader->rest, len);
    reader->rest = span_from(reader->rest, len);
    return octets;
}

static void read_text(struct reader *reader, const struct field *field, void *record)
{
    struct span text = read_octets(reader, field->max);
    if (span_find(text, '\0') < text.len)
        reader->bad = true;
    if (!reader->bad && text.len > 0 && field_set_text(field, record, text, NULL) != ST_OK)
        reader->bad = true;
}

static void read_bytes(struct reader *reader, const struct field *field, void *record)
{
    struct buf *bytes = field_bytes(field, record);
    bytes->secret = (field->flags & FIELD_SECRET) != 0;
    buf_append_span(bytes, read_octets(reader, field->max));
    reader->bad = reader->bad || bytes->failed != ST_OK;
}

static void read_int(struct reader *reader, const struct field *field, void *record)
{
    int64_t number = (int64_t)read_number(reader, NUMBER_OCTETS);
    int64_t max = field->max;
    if (field->type == FIELD_ENUM) {
        for (max = -1; field->names[max + 1] != NULL; max++)
            continue;
    }
    reader->bad = reader->bad || number < field->min || number > max;
    *field_int(field, record) = number;
}

static void read_record(struct reader *reader, const struct kind *kind, void *record)
{
    for (size_t i = 0; i < kind->field_count && !reader->bad; i++) {
        const struct field *field = &kind->fields[i];
        if (field->type == FIELD_TEXT)
            read_text(reader, field, record);
        else if (field->type == FIELD_BYTES)
            read_bytes(reader, field, record);
        else
            read_int(reader, field, record);
    }
}

/* Memory is taken one record after the other, so a count alone takes none. */
static void read_list(struct reader *reader, const struct kind *kind, struct profile *profile)
{
    uint64_t count = read_number(reader, LENGTH_OCTETS);
    for (uint64_t i = 0; i < count && !reader->bad; i++) {
        void *record = profile_add(profile, kind);
        reader->bad = record == NULL;
        if (!reader->bad)
            read_record(reader, kind, record);
    }
}

bool packed_read(struct span octets, struct packed *out)
{
    struct reader reader = {.rest = octets, .bad = octets.len > PACKED_MAX};
    out->time_s = (int64_t)read_number(&reader, NUMBER_OCTETS);
    out->profile.position = (int64_t)read_number(&reader, NUMBER_OCTETS);
    out->profile.found = read_flag(&reader);
    if (out->profile.found) {
        read_record(&reader, &kind_domain, &out->profile.domain);
        read_list(&reader, &kind_key, &out->profile);
    }
    if (read_flag(&reader))
        read_record(&reader, &kind_tenant, &out->profile.tenant);
    read_list(&reader, &kind_rule, &out->profile);
    read_list(&reader, &kind_grant, &out->profile);
    if (!reader.bad && reader.rest.len == 0)
        return true;
    profile_clear(&out->profile);
    *out = (struct packed){0};
    return false;
}

void packed_layout(struct buf *out)
{
    static const struct kind *const parts[] = {&kind_domain, &kind_key, &kind_tenant, &kind_rule,
                                               &kind_grant};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        buf_printf(out, "%s(", parts[i]->name);
        for (size_t j = 0; j < parts[i]->field_count; j++)
            buf_printf(out, "%s%s:%d", j > 0 ? "," : "", parts[i]->fields[j].name,
                       (int)parts[i]->fields[j].type);
        buf_append_char(out, ')');
    }
}
