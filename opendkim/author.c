/* SPDX-License-Identifier: Apache-2.0 */
#include "opendkim/author.h"

#include <stdlib.h>
#include <string.h>

enum token { TOKEN_NONE, TOKEN_WORD = 'x' }; /* else the character that it begins with */

/* What is gathered of an address: texts one after the other, and where the two of them begin that
 * count in the end. */
struct gathered {
    struct buf text;
    size_t user, domain; /* SIZE_MAX: none */
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_special(char c)
{
    return c != '\0' && strchr("<>@,;:\\\"/[]?=", c) != NULL;
}

static bool in_word(char c)
{
    return c != '\0' && !is_special(c) && !is_space(c) && c != '(';
}

/* The closing sign that belongs to an opening one before `p`, or the end of the text. */
static const char *closing(const char *p, char open, char close)
{
    int depth = 1;
    for (; *p != '\0'; p++) {
        if (*p == close && --depth == 0)
            break;
        if (*p == close)
            continue;
        if (*p == open)
            depth++;
        else if (*p == '\\' && p[1] != '\0')
            p++;
    }
    return p;
}

/* Past white space and comments; NULL: a comment has no end. */
static const char *skip_blanks(const char *p, bool *spaced)
{
    while (*p == '(' || is_space(*p)) {
        if (*p != '(') {
            *spaced = true;
            p++;
            continue;
        }
        p = closing(p + 1, '(', ')');
        if (*p == '\0')
            return NULL;
        p++;
    }
    return p;
}

/* The sign that tells what form the address has: `<`, or what ends a group's name or an address;
 * the end of the text when there is none. NULL: something has no end. */
static const char *deciding_sign(const char *p)
{
    const char *at = NULL;
    bool spaced = false;
    for (; *p != '\0'; p++) {
        p = skip_blanks(p, &spaced);
        if (p == NULL || *p == '\0')
            return p;
        if (*p == '"' || *p == '[') {
            p = closing(p + 1, '\0', *p == '"' ? '"' : ']');
            if (*p == '\0')
                return NULL;
        } else if (*p == '<') {
            return p;
        } else if (*p == ':' || *p == ';' || *p == ',') {
            return at != NULL ? at : p;
        } else if (*p == '@') {
            at = p;
        } else if (in_word(*p)) {
            while (in_word(p[1]))
                p++;
        }
    }
    return p;
}

/* The next token from *p on, whose end is *p afterwards. False: it has no end. */
static bool next_token(const char **p, int *type, struct span *out, bool *spaced)
{
    const char *start = skip_blanks(*p, spaced);
    *type = TOKEN_NONE;
    if (start == NULL)
        return false;
    const char *end = start;
    if (*start == '"' || *start == '[') {
        *type = *start;
        end = closing(start + 1, '\0', *start == '"' ? '"' : ']');
        if (*end == '\0')
            return false;
        end++;
    } else if (is_special(*start)) {
        *type = *start;
        end++;
    } else if (*start != '\0') {
        *type = TOKEN_WORD;
        while (in_word(*end))
            end++;
    }
    *out = span_of(start, (size_t)(end - start));
    *p = end;
    return true;
}

static void gather(struct gathered *gathered, struct span token)
{
    if (gathered->user == SIZE_MAX)
        gathered->user = gathered->text.len;
    buf_append_span(&gathered->text, token);
}

static void gather_at(struct gathered *gathered)
{
    buf_append_char(&gathered->text, '\0');
    gathered->domain = gathered->text.len;
}

/* Inside of < and >. */
static bool read_route(const char *p, struct gathered *gathered)
{
    int type = TOKEN_NONE;
    bool spaced = false;
    struct span token = {NULL, 0};
    while (next_token(&p, &type, &token, &spaced)) {
        if (type == '>' || type == TOKEN_NONE)
            return true;
        if (type == '@')
            gather_at(gathered);
        else if (type == ',' || type == ':')
            gathered->user = gathered->domain = SIZE_MAX; /* was a route */
        else
            gather(gathered, token);
    }
    return false;
}

static bool read_plain(const char *p, struct gathered *gathered)
{
    int type = TOKEN_NONE;
    bool spaced = false;
    struct span token = {NULL, 0};
    while (next_token(&p, &type, &token, &spaced)) {
        if (type == TOKEN_NONE || type == ',' || type == ';')
            return true;
        if (type == '@') {
            gather_at(gathered);
        } else {
            if (gathered->user != SIZE_MAX && type == TOKEN_WORD && spaced)
                buf_append_char(&gathered->text, ' ');
            gather(gathered, token);
        }
        spaced = false;
    }
    return false;
}

static bool read_address(const char *p, struct gathered *gathered)
{
    for (;;) {
        const char *sign = deciding_sign(p);
        if (sign == NULL)
            return false;
        if (*sign == '<')
            return read_route(sign + 1, gathered);
        if (*sign != ';' && *sign != ':' && *sign != ',')
            return read_plain(p, gathered);
        p = sign + 1; /* behind the name of a group */
    }
}

static void append_from(struct gathered *gathered, size_t at, struct buf *out)
{
    if (at != SIZE_MAX)
        buf_append_str(out, buf_cstr(&gathered->text) + at);
}

bool author_read(struct span value, struct buf *user_out, struct buf *domain_out)
{
    struct gathered gathered = {.user = SIZE_MAX, .domain = SIZE_MAX};
    char *text = span_dup(value);
    bool good = text != NULL && read_address(text, &gathered);
    good = good && gathered.text.failed == ST_OK;
    if (good) {
        append_from(&gathered, gathered.user, user_out);
        append_from(&gathered, gathered.domain, domain_out);
    }
    good = good && user_out->failed == ST_OK && domain_out->failed == ST_OK;
    buf_clear(&gathered.text);
    free(text);
    return good;
}
