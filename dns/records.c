/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/records.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void write_record(const struct record *record, struct buf *out);
static write_record write_zone, write_oneline, write_json, write_nsupdate, write_powerdns,
    write_route53, write_cloudflare, write_octodns;

static const struct format {
    const char *name, *head, *between, *tail;
    write_record *write;
    /* Around the records of one domain; the first has its name in it, unless NULL. */
    const char *open, *close;
} formats[] = {
    [RECORDS_ZONE] = {"zone", "", "", "", write_zone, NULL, ""},
    [RECORDS_ONELINE] = {"oneline", "", "", "", write_oneline, NULL, ""},
    [RECORDS_JSON] = {"json", "[", ",", "\n]\n", write_json, NULL, ""},
    [RECORDS_NSUPDATE] = {"nsupdate", "", "", "", write_nsupdate, NULL, ""},
    [RECORDS_POWERDNS] = {"powerdns", "", ",", "", write_powerdns, "{\"name\":\"%s.\",\"rrsets\":[",
                          "]}\n"},
    [RECORDS_ROUTE53] = {"route53", "", ",", "", write_route53, "{\"Comment\":\"%s\",\"Changes\":[",
                         "]}\n"},
    [RECORDS_CLOUDFLARE] = {"cloudflare", "", ",", "", write_cloudflare, "{\"posts\":[", "]}\n"},
    [RECORDS_OCTODNS] = {"octodns", "", "", "", write_octodns, "---\n# %s.\n", ""},
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

/* The record at the name of the selector, without its value. */
static enum status begin_record(const struct records_key *key, enum records_type type,
                                struct record *out, struct err *err)
{
    out->type = type;
    out->value = BUF_INIT(0);
    out->before = BUF_INIT(0);
    out->ttl_s = RECORDS_TTL;
    snprintf(out->domain, sizeof out->domain, "%s", key->domain);
    return dkim_key_record_name(key->selector, key->domain, out->name, err);
}

/* Nothing is known of the zone of a target, but that the one above it is, or is in it. */
static void move_to_target(const char *target, struct record *record)
{
    const char *dot = strchr(target, '.');
    snprintf(record->name, sizeof record->name, "%s", target);
    snprintf(record->domain, sizeof record->domain, "%s", dot != NULL ? dot + 1 : target);
}

enum status records_of_key(const struct records_key *key, struct record *out, struct err *err)
{
    enum status status = begin_record(key, RECORDS_TXT, out, err);
    if (status != ST_OK)
        return status;
    if (key->target != NULL && key->target[0] != '\0')
        move_to_target(key->target, out);
    dkim_key_record_write(key->algorithm, key->public_octets, &out->value);
    return buf_check(&out->value, "key record", err);
}

enum status records_replace(struct record *gravestone, enum dkim_algorithm algorithm,
                            struct span public_octets, struct err *err)
{
    dkim_key_record_write(algorithm, public_octets, &gravestone->before);
    return buf_check(&gravestone->before, "key record", err);
}

enum status records_of_alias(const struct records_key *key, struct record *out, struct err *err)
{
    enum status status = begin_record(key, RECORDS_CNAME, out, err);
    if (status != ST_OK)
        return status;
    buf_append_str(&out->value, key->target);
    return buf_check(&out->value, "alias", err);
}

void records_clear(struct record *record)
{
    buf_clear(&record->value);
    buf_clear(&record->before);
}

void records_begin(struct records_writer *writer, enum records_format format, struct buf *out)
{
    *writer = (struct records_writer){.format = format, .out = out};
    buf_append_str(out, formats[format].head);
}

/* Between two records: the end of one domain and the beginning of the next, if they are told apart.
 */
static void go_on(struct records_writer *writer, const char *domain)
{
    const struct format *format = &formats[writer->format];
    if (format->open == NULL || (writer->count > 0 && strcmp(writer->domain, domain) == 0)) {
        buf_append_str(writer->out, writer->count > 0 ? format->between : "");
        return;
    }
    if (writer->count > 0)
        buf_append_str(writer->out, format->close);
    const char *name = strstr(format->open, "%s");
    buf_append(writer->out, format->open,
               name != NULL ? (size_t)(name - format->open) : strlen(format->open));
    if (name != NULL) {
        buf_append_str(writer->out, domain);
        buf_append_str(writer->out, name + 2);
    }
    snprintf(writer->domain, sizeof writer->domain, "%s", domain);
}

void records_add(struct records_writer *writer, const struct record *record)
{
    go_on(writer, record->domain);
    formats[writer->format].write(record, writer->out);
    writer->count++;
}

void records_end(struct records_writer *writer)
{
    const struct format *format = &formats[writer->format];
    if (writer->count > 0)
        buf_append_str(writer->out, format->close);
    /* "[]" and not a bracket on a line of its own when there is nothing between them. */
    buf_append_str(writer->out, writer->count > 0 || *format->head == '\0' ? format->tail : "]\n");
}

/* -- one record ----------------------------------------------------------------------------- */

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

static const char *const type_names[] = {[RECORDS_TXT] = "TXT", [RECORDS_CNAME] = "CNAME"};

/* A value of TXT as a master file has it: "..." "..." */
static void write_strings(struct span value, struct buf *out)
{
    struct span string;
    for (size_t i = 0; next_string(&value, &string); i++) {
        buf_append_str(out, i > 0 ? " " : "");
        write_quoted(string, out);
    }
}

/* The same of either type: strings, or a name with its final dot. */
static void write_data(const struct record *record, struct buf *out)
{
    if (record->type == RECORDS_TXT) {
        write_strings(buf_span(&record->value), out);
        return;
    }
    buf_append_span(out, buf_span(&record->value));
    buf_append_char(out, '.');
}

static void write_zone(const struct record *record, struct buf *out)
{
    bool alias = record->type == RECORDS_CNAME;
    buf_printf(out, "%s. IN %s ", record->name, type_names[record->type]);
    buf_append_str(out, alias ? "" : "( ");
    write_data(record, out);
    buf_append_str(out, alias ? "\n" : " )\n");
}

static void write_oneline(const struct record *record, struct buf *out)
{
    bool alias = record->type == RECORDS_CNAME;
    buf_printf(out, "%s %s", record->name, alias ? "CNAME " : "");
    buf_append_span(out, buf_span(&record->value));
    buf_append_str(out, alias ? ".\n" : "\n");
}

/* Takes the object over; NULL, because there was no memory, fails the buffer. */
static void write_object(json_t *object, struct buf *out)
{
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (text == NULL)
        out->failed = ST_TEMP;
    else
        buf_append_str(out, text);
    free(text);
}

static json_t *pack_strings(const struct record *record)
{
    struct span rest = buf_span(&record->value);
    struct span string;
    json_t *strings = json_array();
    while (next_string(&rest, &string))
        json_array_append_new(strings, json_stringn(string.data, string.len));
    return strings;
}

static void write_json(const struct record *record, struct buf *out)
{
    struct span value = buf_span(&record->value);
    json_t *strings = record->type == RECORDS_TXT ? pack_strings(record) : NULL;
    buf_append_str(out, "\n  ");
    write_object(json_pack("{s:s, s:s, s:s%, s:o*}", "name", record->name, "type",
                           type_names[record->type], "value", value.data, value.len, "strings",
                           strings),
                 out);
}

/* A line of nsupdate's about the TXT record that stood there before. */
static void write_before(const char *command, const struct record *record, struct buf *out)
{
    buf_printf(out, "%s %s. TXT ", command, record->name);
    write_strings(buf_span(&record->before), out);
    buf_append_char(out, '\n');
}

/* What is expected there, as dns/update.c says it: the server checks it in one step with the
 * change, so nobody else's record is lost. RFC 1034 3.6.2: nothing else stands where an alias does.
 * RFC 2136 3.4.2.2: a TXT record for a name that has a CNAME is passed over without a word. */
static void write_prerequisites(const struct record *record, struct buf *out)
{
    if (record->type == RECORDS_CNAME) {
        buf_printf(out, "prereq nxdomain %s.\n", record->name);
    } else if (record->before.len > 0) {
        write_before("prereq yxrrset", record, out);
        write_before("update delete", record, out);
    } else {
        buf_printf(out, "prereq nxrrset %s. CNAME\nprereq nxrrset %s. TXT\n", record->name,
                   record->name);
    }
}

static void write_nsupdate(const struct record *record, struct buf *out)
{
    write_prerequisites(record, out);
    buf_printf(out, "update add %s. %d %s ", record->name, record->ttl_s, type_names[record->type]);
    write_data(record, out);
    buf_append_str(out, "\nsend\n");
}

/* Gives the data as one text to a function that packs them. */
static void write_packed(const struct record *record,
                         json_t *(*pack)(const struct record *record, const char *data),
                         struct buf *out)
{
    struct buf data = BUF_INIT(0);
    write_data(record, &data);
    write_object(data.failed ? NULL : pack(record, buf_cstr(&data)), out);
    buf_clear(&data);
}

static json_t *pack_powerdns(const struct record *record, const char *data)
{
    return json_pack("{s:s+, s:s, s:i, s:s, s:[{s:s, s:b}]}", "name", record->name, ".", "type",
                     type_names[record->type], "ttl", record->ttl_s, "changetype", "REPLACE",
                     "records", "content", data, "disabled", 0);
}

static void write_powerdns(const struct record *record, struct buf *out)
{
    write_packed(record, pack_powerdns, out);
}

static json_t *pack_route53(const struct record *record, const char *data)
{
    return json_pack("{s:s, s:{s:s+, s:s, s:i, s:[{s:s}]}}", "Action", "UPSERT",
                     "ResourceRecordSet", "Name", record->name, ".", "Type",
                     type_names[record->type], "TTL", record->ttl_s, "ResourceRecords", "Value",
                     data);
}

static void write_route53(const struct record *record, struct buf *out)
{
    write_packed(record, pack_route53, out);
}

static json_t *pack_cloudflare(const struct record *record, const char *data)
{
    size_t dot = record->type == RECORDS_CNAME; /* names stand there without the final one */
    return json_pack("{s:s, s:s, s:s%, s:i}", "name", record->name, "type",
                     type_names[record->type], "content", data, strlen(data) - dot, "ttl",
                     record->ttl_s);
}

static void write_cloudflare(const struct record *record, struct buf *out)
{
    write_packed(record, pack_cloudflare, out);
}

/* octoDNS makes the strings itself, and wants each semicolon behind a backslash. Names are those
 * within the zone. */
static void write_octodns(const struct record *record, struct buf *out)
{
    size_t below = strlen(record->name) - strlen(record->domain);
    struct span value = buf_span(&record->value);
    buf_append_char(out, '\'');
    buf_append(out, record->name, below > 0 ? below - 1 : 0);
    buf_printf(out, "':\n  ttl: %d\n  type: %s\n  value: '", record->ttl_s,
               type_names[record->type]);
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == ';' || value.data[i] == '\'')
            buf_append_char(out, value.data[i] == ';' ? '\\' : '\'');
        buf_append_char(out, value.data[i]);
    }
    buf_append_str(out, record->type == RECORDS_CNAME ? ".'\n" : "'\n");
}
