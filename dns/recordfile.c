/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/recordfile.h"

#include <stdlib.h>
#include <string.h>

enum {
    VALUE_MAX = 65535, /* octets of all strings of one record, RFC 1035 3.2.1 */
    ALIASES_MAX = 8,   /* one after the other */
};

enum type { BARE, TXT, CNAME, OTHER };

struct entry {
    struct span name; /* into the text; without the final dot */
    bool alias;       /* the value is a name, without the final dot */
    struct buf value;
};

struct recordfile {
    char *text; /* what the names point into */
    struct entry *entries;
    size_t count, cap;
};

struct reader {
    struct span rest;
    size_t line;
};

static char peek(const struct reader *reader)
{
    return reader->rest.len > 0 ? reader->rest.data[0] : '\n';
}

static bool at_end(const struct reader *reader)
{
    return reader->rest.len == 0;
}

static void advance(struct reader *reader, size_t octets)
{
    for (size_t i = 0; i < octets && i < reader->rest.len; i++)
        if (reader->rest.data[i] == '\n')
            reader->line++;
    reader->rest = span_from(reader->rest, octets);
}

/* The rest of the line, which is left behind. */
static struct span take_line(struct reader *reader)
{
    struct span line = span_head(reader->rest, span_find(reader->rest, '\n'));
    advance(reader, line.len + 1);
    return line;
}

static bool blank(char c)
{
    return ascii_wsp(c) || c == '\r';
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static void skip_blanks(struct reader *reader)
{
    while (!at_end(reader) && blank(peek(reader)))
        advance(reader, 1);
}

static struct span take_word(struct reader *reader)
{
    size_t len = 0;
    while (len < reader->rest.len && !blank(reader->rest.data[len]) &&
           reader->rest.data[len] != '\n')
        len++;
    struct span word = span_head(reader->rest, len);
    advance(reader, len);
    skip_blanks(reader);
    return word;
}

static enum status fault(const struct reader *reader, const char *what, struct err *err)
{
    return err_set(err, ST_INVALID, "line %zu: %s", reader->line, what);
}

/* Reads one octet, escaped or not: \DDD is its decimal number, \X is X itself. */
static enum status take_octet(struct reader *reader, struct buf *out, struct err *err)
{
    struct span rest = reader->rest;
    if (rest.data[0] != '\\') {
        buf_append_char(out, rest.data[0]);
        advance(reader, 1);
        return ST_OK;
    }
    if (rest.len < 2)
        return fault(reader, "a backslash at the end", err);
    if (!ascii_digit(rest.data[1])) {
        buf_append_char(out, rest.data[1]);
        advance(reader, 2);
        return ST_OK;
    }
    if (rest.len < 4 || !ascii_digit(rest.data[2]) || !ascii_digit(rest.data[3]))
        return fault(reader, "a backslash wants three digits", err);
    int code = (rest.data[1] - '0') * 100 + (rest.data[2] - '0') * 10 + (rest.data[3] - '0');
    if (code > UINT8_MAX)
        return fault(reader, "an escape over \\255", err);
    buf_append_char(out, (char)code);
    advance(reader, 4);
    return ST_OK;
}

static enum status take_quoted(struct reader *reader, struct buf *out, struct err *err)
{
    enum status status = ST_OK;
    advance(reader, 1);
    while (status == ST_OK && peek(reader) != '"') {
        if (peek(reader) == '\n')
            return fault(reader, "a quoted string without its end", err);
        status = take_octet(reader, out, err);
    }
    advance(reader, 1);
    return status;
}

static enum status take_unquoted(struct reader *reader, struct buf *out, struct err *err)
{
    enum status status = ST_OK;
    while (status == ST_OK && !blank(peek(reader)) && !is_one_of(peek(reader), "\n\";()"))
        status = take_octet(reader, out, err);
    return status;
}

/* The strings of a record, joined, to the end of the line or of the parenthesis. */
static enum status take_strings(struct reader *reader, struct buf *out, struct err *err)
{
    enum status status = ST_OK;
    bool open = false;
    while (status == ST_OK && !at_end(reader) && (open || peek(reader) != '\n')) {
        char c = peek(reader);
        if (c == '"') {
            status = take_quoted(reader, out, err);
        } else if (c == ';') {
            advance(reader, span_find(reader->rest, '\n'));
        } else if (c == '(' || c == ')') {
            if (open == (c == '('))
                return fault(reader, "a parenthesis too many", err);
            open = c == '(';
            advance(reader, 1);
        } else if (blank(c) || c == '\n') {
            advance(reader, 1);
        } else {
            status = take_unquoted(reader, out, err);
        }
    }
    if (status == ST_OK && open)
        return fault(reader, "a parenthesis without its end", err);
    return status;
}

static bool is_word(struct span word, const char *name)
{
    return span_equal_nocase(word, span_str(name));
}

static bool is_number(struct span word)
{
    size_t digits = 0;
    while (digits < word.len && ascii_digit(word.data[digits]))
        digits++;
    return digits > 0 && digits == word.len;
}

/* Passes over `[TTL] [IN] TXT` (RFC 1035 5.1: or `[IN] [TTL] TXT`), CNAME likewise. BARE, with
 * nothing read, when a bare value follows instead. */
static enum status take_type(struct reader *reader, enum type *out, struct err *err)
{
    struct reader ahead = *reader;
    struct span word = take_word(&ahead);
    bool number = is_number(word);
    if (number)
        word = take_word(&ahead);
    bool class = is_word(word, "IN");
    if (class)
        word = take_word(&ahead);
    if (class && !number && is_number(word))
        word = take_word(&ahead);
    *out = is_word(word, "TXT")                          ? TXT
           : is_word(word, "CNAME")                      ? CNAME
           : is_word(word, "SOA") || is_word(word, "NS") ? OTHER
                                                         : BARE;
    if (*out != BARE)
        *reader = ahead;
    else if (number || class)
        return fault(reader, "only TXT records and CNAMEs are understood", err);
    return ST_OK;
}

static struct span without_dot(struct span name)
{
    return span_head(name, name.len - span_has_suffix_nocase(name, SPAN_LIT(".")));
}

static enum status add_entry(struct recordfile *file, struct span name, struct entry **out,
                             struct err *err)
{
    if (file->count == file->cap) {
        size_t cap = file->cap == 0 ? 16 : file->cap * 2;
        struct entry *entries = reallocarray(file->entries, cap, sizeof *entries);
        if (entries == NULL)
            return err_set(err, ST_TEMP, "no memory");
        file->entries = entries;
        file->cap = cap;
    }
    *out = &file->entries[file->count++];
    **out = (struct entry){.name = without_dot(name), .value = BUF_INIT(VALUE_MAX)};
    return ST_OK;
}

static enum status take_value(struct reader *reader, enum type type, struct buf *out,
                              struct err *err)
{
    if (type == CNAME)
        buf_append_span(out, without_dot(take_word(reader)));
    else if (type == TXT || type == OTHER || peek(reader) == '"' || peek(reader) == '(')
        return take_strings(reader, out, err);
    else
        buf_append_span(out, span_trim(take_line(reader)));
    return ST_OK;
}

static enum status take_record(struct reader *reader, struct recordfile *file, struct err *err)
{
    size_t line = reader->line;
    struct entry *entry = NULL;
    enum type type = BARE;
    enum status status = add_entry(file, take_word(reader), &entry, err);
    if (status == ST_OK)
        status = take_type(reader, &type, err);
    if (status != ST_OK)
        return status;
    entry->alias = type == CNAME;
    status = take_value(reader, type, &entry->value, err);
    if (status == ST_OK && buf_check(&entry->value, "record", err) != ST_OK)
        return err_context(err, "line %zu", line);
    if (status == ST_OK && entry->value.len == 0)
        return err_set(err, ST_INVALID, "line %zu: a name without a value", line);
    if (status == ST_OK && type == OTHER) {
        buf_clear(&entry->value);
        file->count--;
    }
    return status;
}

/* A line for nsupdate: `update add` before a record, or a command that is none. True: there is
 * nothing more in the line. */
static bool take_command(struct reader *reader)
{
    static const char *const commands[] = {"server", "zone", "ttl", "send", "show", "answer"};
    struct reader ahead = *reader;
    struct span word = take_word(&ahead);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (is_word(word, commands[i]))
            return true;
    if (!is_word(word, "update"))
        return false;
    word = take_word(&ahead);
    if (is_word(word, "add"))
        *reader = ahead;
    return is_word(word, "delete");
}

/* At the start of a line: whether it holds no record. */
static bool is_passed_over(const struct reader *reader)
{
    return is_one_of(peek(reader), ";#\n") || span_has_prefix(reader->rest, SPAN_LIT("$TTL"));
}

static enum status read_all(struct reader *reader, struct recordfile *file, struct err *err)
{
    enum status status = ST_OK;
    while (status == ST_OK) {
        skip_blanks(reader);
        if (at_end(reader))
            break;
        if (is_passed_over(reader) || take_command(reader))
            take_line(reader);
        else if (peek(reader) == '$')
            status = fault(reader, "no directive but $TTL is understood: write full names", err);
        else
            status = take_record(reader, file, err);
    }
    return status;
}

enum status recordfile_parse(struct span text, struct recordfile **out, struct err *err)
{
    struct recordfile *file = calloc(1, sizeof *file);
    char *copy = span_dup(text);
    if (file == NULL || copy == NULL) {
        free(file);
        free(copy);
        return err_set(err, ST_TEMP, "no memory");
    }
    file->text = copy;
    struct reader reader = {.rest = {copy, text.len}, .line = 1};
    enum status status = read_all(&reader, file, err);
    if (status == ST_OK)
        *out = file;
    else
        recordfile_free(file);
    return status;
}

void recordfile_free(struct recordfile *file)
{
    if (file == NULL)
        return;
    for (size_t i = 0; i < file->count; i++)
        buf_clear(&file->entries[i].value);
    free(file->entries);
    free(file->text);
    free(file);
}

static enum status find(const struct recordfile *file, struct span name, const struct entry **out,
                        struct err *err)
{
    int shown = (int)span_head(name, 160).len;
    *out = NULL;
    for (size_t i = 0; i < file->count; i++) {
        if (!span_equal_nocase(file->entries[i].name, name))
            continue;
        if (*out != NULL)
            return err_set(err, ST_INVALID, "%.*s: more than one record", shown, name.data);
        *out = &file->entries[i];
    }
    if (*out == NULL)
        return err_set(err, ST_NOT_FOUND, "%.*s: no record", shown, name.data);
    return ST_OK;
}

enum status recordfile_source(void *arg, const char *name, struct buf *txt_out, struct err *err)
{
    const struct entry *found = NULL;
    enum status status = find(arg, span_str(name), &found, err);
    for (int i = 0; status == ST_OK && found->alias; i++) {
        if (i == ALIASES_MAX)
            return err_set(err, ST_INVALID, "%.160s: too many aliases, one after the other", name);
        status = find(arg, buf_span(&found->value), &found, err);
    }
    if (status != ST_OK)
        return status;
    buf_append_span(txt_out, buf_span(&found->value));
    return buf_check(txt_out, "record", err);
}
