/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/address.h"

#include <stdlib.h>
#include <string.h>

enum { DOMAIN_TEXT_MAX = 1024 };

/* The reader goes through the text once. What a run of words is (a display name, a local
 * part, a group's name) is only known at the special that follows, so the words are collected
 * as a local part and forgotten again if they were none. */
struct reader {
    struct span rest;
    const char *fault; /* the first one, NULL: none yet */
    enum status status;
    bool in_group;
};

struct words {
    size_t count;
    bool dotted; /* no two words without a dot between: can be a local part */
    bool dot_last;
    bool too_long;
    size_t len;
    char text[DKIM_LOCAL_MAX + 1];
};

static bool fail(struct reader *reader, const char *fault)
{
    if (!reader->fault) {
        reader->fault = fault;
        reader->status = ST_INVALID;
    }
    return false;
}

static int peek(const struct reader *reader)
{
    return reader->rest.len ? (unsigned char)reader->rest.data[0] : -1;
}

static void skip(struct reader *reader, size_t octets)
{
    reader->rest = span_from(reader->rest, octets);
}

static bool take(struct reader *reader, char c)
{
    if (peek(reader) != (unsigned char)c)
        return false;
    skip(reader, 1);
    return true;
}

static bool is_control(int c)
{
    return (c >= 0 && c < 32) || c == 127;
}

/* White space, or a line end that folds (RFC 5322 3.2.2); returns its octets. */
static size_t folding_space(const struct reader *reader)
{
    struct span s = reader->rest;

    if (s.len && ascii_wsp(s.data[0]))
        return 1;
    return s.len > 2 && s.data[0] == '\r' && s.data[1] == '\n' && ascii_wsp(s.data[2]) ? 3 : 0;
}

/* The octet after a backslash (RFC 5322 3.2.1). */
static bool skip_quoted_pair(struct reader *reader, char *c_out)
{
    int c = peek(reader);

    if (c < 0 || (is_control(c) && c != '\t'))
        return fail(reader, "a backslash before nothing that may be quoted");
    *c_out = (char)c;
    skip(reader, 1);
    return true;
}

/* RFC 5322 3.2.2. Comments nest, so their depth is counted. */
static bool skip_comment(struct reader *reader)
{
    size_t depth = 0;

    do {
        size_t space = folding_space(reader);
        int c = peek(reader);
        char quoted;
        if (c < 0)
            return fail(reader, "a comment without end");
        if (!space && is_control(c))
            return fail(reader, "a control character");
        skip(reader, space ? space : 1);
        if (c == '(')
            depth++;
        else if (c == ')')
            depth--;
        else if (c == '\\' && !skip_quoted_pair(reader, &quoted))
            return false;
    } while (depth);
    return true;
}

/* CFWS: false after a fault only. */
static bool skip_cfws(struct reader *reader)
{
    for (;;) {
        size_t space = folding_space(reader);
        if (space)
            skip(reader, space);
        else if (peek(reader) != '(')
            return true;
        else if (!skip_comment(reader))
            return false;
    }
}

/* RFC 5322 3.2.3 with RFC 6532 3.2. */
static bool is_atext(int c)
{
    return c > 32 && c != 127 && !strchr("()<>[]:;@\\,.\"", c);
}

static struct span take_atom(struct reader *reader)
{
    size_t len = 0;

    while (len < reader->rest.len && is_atext((unsigned char)reader->rest.data[len]))
        len++;
    struct span atom = span_head(reader->rest, len);
    skip(reader, len);
    return atom;
}

static void add_text(struct words *words, struct span text)
{
    if (text.len > DKIM_LOCAL_MAX - words->len) {
        words->too_long = true;
        return;
    }
    if (text.len)
        memcpy(words->text + words->len, text.data, text.len);
    words->len += text.len;
}

static bool take_quoted_string(struct reader *reader, struct words *words)
{
    skip(reader, 1);
    for (;;) {
        size_t space = folding_space(reader);
        int c = peek(reader);
        char octet = (char)c;
        if (c < 0)
            return fail(reader, "a quoted string without end");
        if (!space && is_control(c))
            return fail(reader, "a control character");
        if (space == 3) /* the line end is no part of the string (RFC 5322 3.2.4) */
            octet = reader->rest.data[2];
        skip(reader, space ? space : 1);
        if (c == '"')
            return true;
        if (c == '\\' && !skip_quoted_pair(reader, &octet))
            return false;
        add_text(words, span_of(&octet, 1));
    }
}

/* Collects words and dots up to something else. */
static bool take_words(struct reader *reader, struct words *words)
{
    *words = (struct words){.dotted = true};
    while (skip_cfws(reader)) {
        int c = peek(reader);
        if (c == '.') {
            words->dotted = words->dotted && words->count && !words->dot_last;
            words->dot_last = true;
            add_text(words, SPAN_LIT("."));
            skip(reader, 1);
            continue;
        }
        if (c != '"' && !is_atext(c))
            return true;
        words->dotted = words->dotted && (!words->count || words->dot_last);
        words->dot_last = false;
        words->count++;
        if (c != '"')
            add_text(words, take_atom(reader));
        else if (!take_quoted_string(reader, words))
            return false;
    }
    return false;
}

/* The domain after an `@`, up to whatever is no part of it. */
static bool take_domain(struct reader *reader, char out[DKIM_DOMAIN_SIZE])
{
    char text[DOMAIN_TEXT_MAX];
    size_t len = 0;
    struct err err;

    do {
        if (!skip_cfws(reader))
            return false;
        if (peek(reader) == '[')
            return fail(reader, "an address literal instead of a domain");
        struct span atom = take_atom(reader);
        if (!atom.len)
            return fail(reader, "no domain after the @");
        if (atom.len + 1 > sizeof text - len)
            return fail(reader, "a domain that is too long");
        memcpy(text + len, atom.data, atom.len);
        len += atom.len;
        text[len++] = '.';
        if (!skip_cfws(reader))
            return false;
    } while (take(reader, '.'));
    if (dkim_domain_normalize(span_of(text, len - 1), out, &err) != ST_OK)
        return fail(reader, "a domain that is none");
    return true;
}

/* The `@domain` after a local part. */
static bool take_address(struct reader *reader, const struct words *words, struct dkim_mailbox *out)
{
    if (!take(reader, '@'))
        return fail(reader, "an address without a domain");
    if (!words->dotted || words->dot_last || !words->len)
        return fail(reader, "no local part before the @");
    if (words->too_long)
        return fail(reader, "a local part that is too long");
    if (memchr(words->text, '\0', words->len) || !span_is_utf8(span_of(words->text, words->len)))
        return fail(reader, "a local part that is not UTF-8");
    memcpy(out->local, words->text, words->len);
    out->local[words->len] = '\0';
    return take_domain(reader, out->domain);
}

static bool take_angle_address(struct reader *reader, struct dkim_mailbox *out)
{
    struct words words;

    skip(reader, 1);
    /* A route (RFC 5322 4.4) begins with @: readers disagree about who is meant. */
    if (!take_words(reader, &words) || !take_address(reader, &words, out))
        return false;
    return take(reader, '>') || fail(reader, "something other than > after the address");
}

enum element { NOTHING, MAILBOX, GROUP_NAME };

/* What the words before it turn out to be: an address, a mailbox with a display name, the name
 * of a group, or (RFC 5322 4.4) nothing at all between two commas. */
static bool take_element(struct reader *reader, struct dkim_mailbox *out, enum element *kind)
{
    struct words words;

    *kind = NOTHING;
    if (!take_words(reader, &words))
        return false;
    switch (peek(reader)) {
    case '@':
        *kind = MAILBOX;
        return take_address(reader, &words, out);
    case '<':
        *kind = MAILBOX;
        return take_angle_address(reader, out);
    case ':':
        if (!words.count || reader->in_group)
            return fail(reader, "a colon that begins no group");
        skip(reader, 1);
        *kind = GROUP_NAME;
        return reader->in_group = true;
    default:
        return (!words.count && !words.dot_last) || fail(reader, "an address without a domain");
    }
}

/* Goes on to the next element; *more is false at the end of the text. */
static bool take_separator(struct reader *reader, bool *more)
{
    *more = true;
    if (!skip_cfws(reader))
        return false;
    if (take(reader, ';')) {
        if (!reader->in_group)
            return fail(reader, "a semicolon that ends no group");
        reader->in_group = false;
        if (!skip_cfws(reader))
            return false;
    }
    if (take(reader, ','))
        return true;
    if (peek(reader) >= 0)
        return fail(reader, "something after an address that is no comma");
    *more = false;
    return !reader->in_group || fail(reader, "a group without end");
}

static bool append(struct dkim_mailboxes *out, const struct dkim_mailbox *mailbox,
                   struct reader *reader)
{
    if (out->count == DKIM_MAILBOXES_MAX)
        return fail(reader, "too many addresses");
    struct dkim_mailbox *list = reallocarray(out->list, out->count + 1, sizeof *list);
    if (!list) {
        fail(reader, "no memory");
        reader->status = ST_TEMP;
        return false;
    }
    out->list = list;
    list[out->count++] = *mailbox;
    return true;
}

enum status dkim_mailboxes_parse(struct span value, struct dkim_mailboxes *out, struct err *err)
{
    struct reader reader = {.rest = value};
    struct dkim_mailbox mailbox;
    size_t before = out->count;
    bool more = true, group = false;
    enum element kind;

    while (more && take_element(&reader, &mailbox, &kind)) {
        if (kind == GROUP_NAME) {
            group = true;
            continue;
        }
        if (kind == MAILBOX && !append(out, &mailbox, &reader))
            break;
        if (!take_separator(&reader, &more))
            break;
    }
    if (out->count == before && !group)
        fail(&reader, "no address");
    if (!reader.fault)
        return ST_OK;
    out->count = before;
    return err_set(err, reader.status, "at octet %zu: %s", value.len - reader.rest.len + 1,
                   reader.fault);
}

enum status dkim_mailboxes_of(const struct dkim_fields *fields, struct span name,
                              struct dkim_mailboxes *out, struct err *err)
{
    size_t before = out->count;
    bool any = false;

    for (size_t i = 0; i < fields->count; i++) {
        if (!span_equal_nocase(dkim_fields_name(fields, i), name))
            continue;
        any = true;
        if (dkim_mailboxes_parse(dkim_fields_value(fields, i), out, err) != ST_OK) {
            out->count = before;
            return err_context(err, "%.*s", (int)name.len, name.data);
        }
    }
    if (!any)
        return err_set(err, ST_NOT_FOUND, "no %.*s field", (int)name.len, name.data);
    if (out->count == before)
        return err_set(err, ST_INVALID, "%.*s: no address", (int)name.len, name.data);
    return ST_OK;
}

void dkim_mailboxes_clear(struct dkim_mailboxes *mailboxes)
{
    free(mailboxes->list);
    *mailboxes = (struct dkim_mailboxes){NULL, 0};
}
