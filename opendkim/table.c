/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "opendkim/files.h"
#include "opendkim/table_internal.h"

/* What 2.11 knows besides those that are read here. */
static const char *const schemes[] = {"dsn",      "ldap",   "ldapi",  "ldaps", "lua",
                                      "memcache", "repute", "socket", "mdb",   "erlang"};

/* -- shared ------------------------------------------------------------------------------- */

struct span table_octets(const struct table *table, struct table_extent extent)
{
    return span_of(table->content.data == NULL ? "" : table->content.data + extent.at, extent.len);
}

bool table_nocase(const struct table *table)
{
    return table->type != TABLE_BERKELEY && table->options.use != TABLE_KEYS &&
           table->options.use != TABLE_WORDS && table->options.use != TABLE_MACROS;
}

void table_note(const struct table *table, enum notes_grade grade, size_t line, const char *fmt,
                ...)
{
    va_list args;
    struct buf text = BUF_INIT(0);
    struct notes_place place = table->options.place;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    if (table->path != NULL)
        place = (struct notes_place){table->path, line};
    notes_add(table->options.notes, grade, place, "%s: %s", table->options.setting,
              buf_cstr(&text));
    buf_clear(&text);
}

enum status table_add(struct table *table, const struct table_slot *slot, struct err *err)
{
    if (table->count >= TABLE_ROWS_MAX)
        return err_set(err, ST_INVALID, "more than %d rows", TABLE_ROWS_MAX);
    if (table->count == table->cap) {
        size_t cap = table->cap == 0 ? 64 : table->cap * 2;
        struct table_slot *slots = realloc(table->slots, cap * sizeof *slots);
        if (slots == NULL)
            return err_set(err, ST_TEMP, "no memory for %zu rows", cap);
        table->slots = slots;
        table->cap = cap;
    }
    table->slots[table->count++] = *slot;
    return ST_OK;
}

enum status table_add_octets(struct table *table, struct span key, struct span value,
                             struct err *err)
{
    struct table_slot slot = {.line = table->count + 1, .has_value = true};
    slot.key = (struct table_extent){table->content.len, key.len};
    buf_append_span(&table->content, key);
    slot.value = (struct table_extent){table->content.len, value.len};
    buf_append_span(&table->content, value);
    slot.whole = slot.value;
    enum status status = buf_check(&table->content, "the data set", err);
    return status != ST_OK ? status : table_add(table, &slot, err);
}

/* -- opening ------------------------------------------------------------------------------ */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static const struct table_source *source_of(const struct table_options *options, struct span scheme)
{
    for (size_t i = 0; i < options->source_count; i++)
        if (span_equal_nocase(scheme, span_str(options->sources[i].scheme)))
            return &options->sources[i];
    return NULL;
}

static enum status type_of_scheme(struct table *table, struct span scheme, struct err *err)
{
    static const struct {
        const char *name;
        enum table_type type;
    } own[] = {
        {"file", TABLE_FILE}, {"refile", TABLE_REFILE}, {"csl", TABLE_CSL}, {"db", TABLE_BERKELEY}};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        table->type = own[i].type;
        if (span_equal_nocase(scheme, span_str(own[i].name)))
            return ST_OK;
    }
    table->type = TABLE_FOREIGN;
    table->source = source_of(&table->options, scheme);
    if (table->source != NULL)
        return ST_OK;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (span_equal_nocase(scheme, span_str(schemes[i])))
            return err_set(err, ST_DENIED, "data sets of the type %s cannot be read here",
                           schemes[i]);
    return err_set(err, ST_INVALID,
                   "OpenDKIM knows no data sets of the type \"%.*s\" (a list whose first entry has "
                   "a colon begins with csl:)",
                   (int)span_head(scheme, 32).len, scheme.data);
}

/* Finds the type as OpenDKIM does: by what stands before a colon, unless a comma comes first. */
static enum status find_type(struct table *table, const char *spec, const char **rest_out,
                             struct err *err)
{
    const char *colon = strchr(spec, ':');
    const char *comma = strchr(spec, ',');
    *rest_out = spec;
    if (colon != NULL && (comma == NULL || comma > colon)) {
        *rest_out = colon + 1;
        return type_of_scheme(table, span_of(spec, (size_t)(colon - spec)), err);
    }
    if (ends_with(spec, ".db"))
        table->type = TABLE_BERKELEY;
    else
        table->type = spec[0] == '/' ? TABLE_FILE : TABLE_CSL;
    return ST_OK;
}

static enum status name_table(struct table *table, const char *rest, struct err *err)
{
    static const char *const names[] = {"file", "refile", "csl", "db"};
    struct buf path = BUF_INIT(0);
    struct buf name = BUF_INIT(0);
    if (table->type == TABLE_FOREIGN) {
        buf_printf(&name, "%s:", table->source->scheme);
    } else if (table->type == TABLE_CSL) {
        buf_append_str(&name, "csl:");
    } else {
        if (rest[0] != '/')
            buf_printf(&path, "%s/", table->options.base == NULL ? "" : table->options.base);
        buf_append_str(&path, rest);
        table->path = buf_take(&path);
        buf_printf(&name, "%s:%s", names[table->type], table->path == NULL ? "" : table->path);
    }
    table->name = buf_take(&name);
    if (table->name == NULL ||
        (table->type != TABLE_FOREIGN && table->type != TABLE_CSL && table->path == NULL))
        return err_set(err, ST_TEMP, "no memory for the name of a data set");
    return ST_OK;
}

static enum status read_rows(struct table *table, const char *spec, const char *rest,
                             struct err *err)
{
    enum status status = ST_OK;
    switch (table->type) {
    case TABLE_CSL:
        return table_read_csl(table, rest, err);
    case TABLE_BERKELEY:
        return table_read_berkeley(table, err);
    case TABLE_FOREIGN:
        return table->source->open(spec, table->options.source_context, &table->handle, err);
    default:
        status = files_read(table->path, &table->content, err);
        return status != ST_OK ? status : table_read_lines(table, err);
    }
}

static enum status open_table(struct table *table, const char *spec, struct err *err)
{
    const char *rest = NULL;
    enum status status = find_type(table, spec, &rest, err);
    if (status != ST_OK)
        return status;
    status = name_table(table, rest, err);
    if (status != ST_OK)
        return status;
    status = read_rows(table, spec, rest, err);
    if (status == ST_OK && table->type == TABLE_REFILE)
        status = table_patterns_make(table, err);
    if (status == ST_OK && table->type == TABLE_REFILE)
        status = table_fast_make(table, err);
    if (status == ST_OK && table->type != TABLE_REFILE && table->type != TABLE_FOREIGN)
        status = table_index_make(table, err);
    if (status == ST_OK || table->type == TABLE_FOREIGN) /* which names itself */
        return status;
    return err_context(err, "%s", table->name);
}

enum status table_open(const char *spec, const struct table_options *options, struct table **out,
                       struct err *err)
{
    struct table *table = calloc(1, sizeof *table);
    *out = NULL;
    if (table == NULL)
        return err_set(err, ST_TEMP, "%s: no memory for a data set", options->setting);
    table->options = *options;
    table->content = BUF_SECRET(FILES_TABLE_MAX);
    enum status status = open_table(table, spec, err);
    if (status == ST_OK) {
        *out = table;
        return ST_OK;
    }
    table_close(table);
    return err_context(err, "%s", options->setting);
}

void table_close(struct table *table)
{
    if (table == NULL)
        return;
    if (table->handle != NULL)
        table->source->close(table->handle);
    table_fast_free(table->fast);
    table_patterns_free(table);
    table_index_free(table->index);
    buf_clear(&table->content);
    free(table->slots);
    free(table->path);
    free(table->name);
    free(table);
}

/* -- rows --------------------------------------------------------------------------------- */

enum table_type table_type_of(const struct table *table)
{
    return table->type;
}

const char *table_name(const struct table *table)
{
    return table->name;
}

struct notes *table_notes(const struct table *table)
{
    return table->options.notes;
}

struct notes_place table_place(const struct table *table)
{
    return table->options.place;
}

size_t table_count(const struct table *table)
{
    return table->count;
}

static struct notes_place place_of(const struct table *table, size_t line)
{
    return table->path == NULL ? table->options.place : (struct notes_place){table->path, line};
}

struct table_row table_row_at(const struct table *table, size_t index)
{
    const struct table_slot *slot = &table->slots[index];
    return (struct table_row){.key = table_octets(table, slot->key),
                              .value = table_octets(table, slot->value),
                              .has_value = slot->has_value,
                              .place = place_of(table, slot->line),
                              .whole = table_octets(table, slot->whole),
                              .rest = slot->rest};
}

static enum status take_row(void *arg, struct span key, struct span value, struct err *err)
{
    return table_add_octets(arg, key, value, err);
}

enum status table_load(struct table *table, struct err *err)
{
    if (table->type != TABLE_FOREIGN || table->loaded)
        return ST_OK;
    enum status status = table->source->each(table->handle, take_row, table, err);
    table->loaded = status == ST_OK;
    return status == ST_OK ? ST_OK : err_context(err, "%s", table->options.setting);
}

/* -- look-ups ----------------------------------------------------------------------------- */

static enum status find_foreign(const struct table *table, struct span key, struct table_found *out,
                                struct err *err)
{
    enum status status = table->source->find(table->handle, key, &out->octets, err);
    if (status == ST_OK)
        status = buf_check(&out->octets, "a value", err);
    if (status == ST_OK) {
        out->value = buf_span(&out->octets);
        out->has_value = true;
        out->place = table->options.place;
    }
    return status;
}

static bool find_pattern(const struct table *table, struct span key, size_t *row)
{
    char *text = span_dup(key);
    bool found = text != NULL && table_match(table, text, row);
    free(text);
    return found;
}

enum status table_find(const struct table *table, struct span key, struct table_found *out,
                       struct err *err)
{
    size_t row = 0;
    *out = (struct table_found){.octets = BUF_SECRET(FILES_TABLE_MAX)};
    /* Rules are asked for in ASCII only; patterns are not asked this way. */
    for (size_t i = 0; table->options.use == TABLE_RULES && i < key.len; i++)
        if ((unsigned char)key.data[i] >= 0x80)
            return err_set(err, ST_NOT_FOUND, "not in ASCII");
    if (table->type == TABLE_FOREIGN)
        return find_foreign(table, key, out, err);
    if (!(table->type == TABLE_REFILE ? find_pattern(table, key, &row)
                                      : table_index_find(table, key, &row)))
        return err_set(err, ST_NOT_FOUND, "no such key in %s", table->name);
    struct table_row found = table_row_at(table, row);
    if (table->type == TABLE_BERKELEY && found.value.len > TABLE_BERKELEY_MAX)
        return err_set(err, ST_INVALID, "OpenDKIM has no room for a value of %zu octets",
                       found.value.len);
    out->value = found.value;
    out->has_value = found.has_value;
    out->place = found.place;
    return ST_OK;
}

void table_found_clear(struct table_found *found)
{
    buf_clear(&found->octets);
    *found = (struct table_found){.has_value = false};
}

size_t table_split(struct span value, size_t parts, struct span *out)
{
    size_t filled = 0;
    for (size_t i = 0; i < parts; i++)
        out[i] = (struct span){"", 0};
    for (; filled < parts && value.len > 0; filled++) {
        size_t len = filled + 1 < parts ? span_find(value, ':') : value.len;
        out[filled] = span_head(value, len);
        value = span_from(value, len + 1);
    }
    return filled;
}
