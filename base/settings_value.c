/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings_table.h"

#include <inttypes.h>
#include <stdlib.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Values are printed with the last unit that divides them. Weeks stand first and are never
 * printed: people write 14d and expect to read it again. */
static const struct unit duration_units[] = {
    {"w", 604800000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};
static const struct unit size_units[] = {
    {"", 1},
    {"K", 1 << 10},
    {"M", 1 << 20},
    {"G", 1 << 30},
};

enum {
    DURATION_UNITS = sizeof duration_units / sizeof duration_units[0],
    SIZE_UNITS = sizeof size_units / sizeof size_units[0],
};

static void *member(const struct settings_entry *entry, struct settings *settings)
{
    return (char *)settings + entry->offset;
}

static const void *member_of(const struct settings_entry *entry, const struct settings *settings)
{
    return (const char *)settings + entry->offset;
}

char **settings_text_at(const struct settings_entry *entry, struct settings *settings)
{
    return member(entry, settings);
}

/* Cuts the digits at the start of *text off. */
static enum status digits(struct span *text, int base, int64_t *out, struct err *err)
{
    size_t used = 0;
    int64_t value = 0;
    for (; used < text->len && ascii_digit(text->data[used]); used++) {
        int digit = text->data[used] - '0';
        if (digit >= base)
            return err_set(err, ST_INVALID, "not an octal number");
        if (value > (INT64_MAX - digit) / base)
            return err_set(err, ST_INVALID, "too large");
        value = value * base + digit;
    }
    if (used == 0)
        return err_set(err, ST_INVALID, "not a number");
    *text = span_from(*text, used);
    *out = value;
    return ST_OK;
}

static enum status number_read(struct span text, int64_t *out, struct err *err)
{
    enum status status = digits(&text, 10, out, err);
    if (status == ST_OK && text.len > 0)
        status = err_set(err, ST_INVALID, "not a number");
    return status;
}

static enum status octal_read(struct span text, int64_t *out, struct err *err)
{
    enum status status = digits(&text, 8, out, err);
    if (status == ST_OK && text.len > 0)
        status = err_set(err, ST_INVALID, "not an octal number");
    return status;
}

static enum status scale(int64_t *value, struct span name, const struct unit *units, size_t count,
                         struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (!span_equal(name, span_str(units[i].name)))
            continue;
        if (*value > INT64_MAX / units[i].factor)
            return err_set(err, ST_INVALID, "too large");
        *value *= units[i].factor;
        return ST_OK;
    }
    return err_set(err, ST_INVALID, "%.*s is no unit", (int)span_head(name, 16).len, name.data);
}

enum status settings_parse_duration(struct span text, int64_t *ms_out, struct err *err)
{
    int64_t value = 0;
    enum status status = digits(&text, 10, &value, err);
    if (status == ST_OK && text.len == 0 && value > 0)
        status = err_set(err, ST_INVALID, "has no unit");
    else if (status == ST_OK && text.len > 0)
        status = scale(&value, text, duration_units, DURATION_UNITS, err);
    if (status == ST_OK)
        *ms_out = value;
    else
        err_context(err, "not a duration (a number with ms, s, m, h, d or w)");
    return status;
}

enum status settings_parse_seconds(struct span text, int64_t *s_out, struct err *err)
{
    int64_t ms = 0;
    enum status status = settings_parse_duration(text, &ms, err);
    if (status == ST_OK && ms % 1000 != 0)
        status = err_set(err, ST_INVALID, "not a whole number of seconds");
    if (status == ST_OK)
        *s_out = ms / 1000;
    return status;
}

enum status settings_parse_size(struct span text, int64_t *octets_out, struct err *err)
{
    int64_t value = 0;
    enum status status = digits(&text, 10, &value, err);
    if (status == ST_OK)
        status = scale(&value, text, size_units, SIZE_UNITS, err);
    if (status == ST_OK)
        *octets_out = value;
    else
        err_context(err, "not a size (a number, maybe with K, M or G)");
    return status;
}

enum status settings_parse_bool(struct span text, bool *out, struct err *err)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"off", "on"}, {"false", "true"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (int value = 0; value <= 1; value++)
            if (span_equal_nocase(text, span_str(words[i][value]))) {
                *out = value == 1;
                return ST_OK;
            }
    return err_set(err, ST_INVALID, "neither yes nor no");
}

static void units_print(int64_t value, const struct unit *units, size_t count, struct buf *out)
{
    size_t i = count - 1;
    while (value % units[i].factor != 0)
        i--;
    buf_printf(out, "%" PRId64 "%s", value == 0 ? 0 : value / units[i].factor,
               value == 0 ? "" : units[i].name);
}

static void number_print(int64_t value, struct buf *out)
{
    buf_printf(out, "%" PRId64, value);
}

static void octal_print(int64_t value, struct buf *out)
{
    buf_printf(out, "%04" PRIo64, (uint64_t)value);
}

static void size_print(int64_t value, struct buf *out)
{
    units_print(value, size_units, SIZE_UNITS, out);
}

static void milliseconds_print(int64_t value, struct buf *out)
{
    units_print(value, duration_units, DURATION_UNITS, out);
}

static void seconds_print(int64_t value, struct buf *out)
{
    milliseconds_print(value * 1000, out);
}

static const struct {
    enum status (*read)(struct span text, int64_t *out, struct err *err);
    void (*print)(int64_t value, struct buf *out);
} number_types[] = {
    [TYPE_NUMBER] = {number_read, number_print},
    [TYPE_OCTAL] = {octal_read, octal_print},
    [TYPE_SIZE] = {settings_parse_size, size_print},
    [TYPE_MILLISECONDS] = {settings_parse_duration, milliseconds_print},
    [TYPE_SECONDS] = {settings_parse_seconds, seconds_print},
};

/* Blanks do not count, so that a word that is a list may be written like other lists. */
static bool same_word(struct span word, struct span value)
{
    size_t at = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (ascii_wsp(value.data[i]))
            continue;
        if (at == word.len || word.data[at++] != ascii_lower(value.data[i]))
            return false;
    }
    return at == word.len;
}

static enum status word_read(const char *words, struct span value, int64_t *place_out,
                             struct span *word_out)
{
    struct span rest = span_str(words);
    *place_out = 0;
    for (; span_next(&rest, '|', word_out); (*place_out)++)
        if (same_word(*word_out, value))
            return ST_OK;
    return ST_NOT_FOUND;
}

static struct span word_at(const char *words, int64_t place)
{
    struct span rest = span_str(words);
    struct span word = SPAN_LIT("");
    while (place >= 0 && span_next(&rest, '|', &word))
        place--;
    return word;
}

static enum status text_set(const struct settings_entry *entry, struct span value,
                            struct settings *out, struct err *err)
{
    char *copy = span_dup(value);
    if (copy == NULL)
        return err_set(err, ST_TEMP, "no memory");
    char **text = settings_text_at(entry, out);
    free(*text);
    *text = copy;
    return ST_OK;
}

static enum status words_set(const struct settings_entry *entry, struct span value,
                             struct settings *out, struct err *err)
{
    int64_t place;
    struct span word;
    if (word_read(entry->words, value, &place, &word) != ST_OK)
        return err_set(err, ST_INVALID, "no such choice");
    if (entry->type == TYPE_WORD)
        return text_set(entry, word, out, err);
    *(int64_t *)member(entry, out) = place;
    return ST_OK;
}

/* The limits stand in the table as people write them, so they are read like values. */
static enum status number_set(const struct settings_entry *entry, struct span value,
                              struct settings *out, struct err *err)
{
    if (entry->words != NULL && span_equal(value, span_str(entry->words))) {
        *(int64_t *)member(entry, out) = 0;
        return ST_OK;
    }
    int64_t number = 0, least = 0, most = INT64_MAX;
    enum status status = number_types[entry->type].read(value, &number, err);
    if (status == ST_OK && entry->least != NULL)
        status = number_types[entry->type].read(span_str(entry->least), &least, err);
    if (status == ST_OK && entry->most != NULL)
        status = number_types[entry->type].read(span_str(entry->most), &most, err);
    if (status == ST_OK && (number < least || number > most))
        status = err_set(err, ST_INVALID, number < least ? "too small" : "too large");
    if (status == ST_OK)
        *(int64_t *)member(entry, out) = number;
    return status;
}

enum status settings_value_read(const struct settings_entry *entry, struct span value,
                                struct settings *out, struct err *err)
{
    if (value.len == 0 && !entry->optional)
        return err_set(err, ST_INVALID, "may not be empty");
    if (value.len > 0 && entry->check != NULL && entry->check(value, err) != ST_OK)
        return ST_INVALID;
    switch (entry->type) {
    case TYPE_TEXT:
        return text_set(entry, value, out, err);
    case TYPE_WORD:
    case TYPE_ENUM:
        return words_set(entry, value, out, err);
    case TYPE_BOOL:
        return settings_parse_bool(value, member(entry, out), err);
    default:
        return number_set(entry, value, out, err);
    }
}

void settings_value_print(const struct settings_entry *entry, const struct settings *settings,
                          struct buf *out)
{
    const void *place = member_of(entry, settings);
    switch (entry->type) {
    case TYPE_TEXT:
    case TYPE_WORD:
        buf_append_str(out, *(char *const *)place);
        break;
    case TYPE_ENUM:
        buf_append_span(out, word_at(entry->words, *(const int64_t *)place));
        break;
    case TYPE_BOOL:
        buf_append_str(out, *(const bool *)place ? "yes" : "no");
        break;
    default:
        if (entry->words != NULL && *(const int64_t *)place == 0)
            buf_append_str(out, entry->words);
        else
            number_types[entry->type].print(*(const int64_t *)place, out);
    }
}
