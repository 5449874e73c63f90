/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_CAP = 64 };

struct span span_of(const char *data, size_t len)
{
    return (struct span){data, len};
}

struct span span_str(const char *s)
{
    return (struct span){s, s == NULL ? 0 : strlen(s)};
}

bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
            return false;
    return true;
}

bool span_has_prefix(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_equal(span_head(s, prefix.len), prefix);
}

bool span_has_suffix_nocase(struct span s, struct span suffix)
{
    return s.len >= suffix.len && span_equal_nocase(span_from(s, s.len - suffix.len), suffix);
}

size_t span_find(struct span s, char c)
{
    const char *found = s.len == 0 ? NULL : memchr(s.data, c, s.len);
    return found == NULL ? s.len : (size_t)(found - s.data);
}

struct span span_from(struct span s, size_t from)
{
    if (s.data == NULL)
        return s;
    if (from > s.len)
        from = s.len;
    return (struct span){s.data + from, s.len - from};
}

struct span span_head(struct span s, size_t len)
{
    return (struct span){s.data, len < s.len ? len : s.len};
}

static bool blank(char c)
{
    return ascii_wsp(c) || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.len > 0 && blank(s.data[s.len - 1]))
        s.len--;
    while (s.len > 0 && blank(s.data[0]))
        s = span_from(s, 1);
    return s;
}

bool span_next(struct span *rest, char sep, struct span *part)
{
    if (rest->data == NULL)
        return false;
    size_t end = span_find(*rest, sep);
    *part = span_head(*rest, end);
    *rest = end < rest->len ? span_from(*rest, end + 1) : (struct span){NULL, 0};
    return true;
}

/* The second octet of a character has narrower bounds after four of the first octets; these
 * rows are those of RFC 3629 section 4. */
static const struct utf8_row {
    unsigned char first_low, first_high, second_low, second_high;
    size_t len;
} utf8_rows[] = {
    {0x00, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool utf8_tail_fits(const struct utf8_row *row, const unsigned char *octets)
{
    if (row->len > 1 && (octets[1] < row->second_low || octets[1] > row->second_high))
        return false;
    for (size_t i = 2; i < row->len; i++)
        if (octets[i] < 0x80 || octets[i] > 0xbf)
            return false;
    return true;
}

size_t span_utf8(struct span s)
{
    const unsigned char *octets = (const unsigned char *)s.data;
    for (size_t i = 0; s.len > 0 && i < sizeof utf8_rows / sizeof utf8_rows[0]; i++) {
        const struct utf8_row *row = &utf8_rows[i];
        if (octets[0] >= row->first_low && octets[0] <= row->first_high)
            return s.len >= row->len && utf8_tail_fits(row, octets) ? row->len : 0;
    }
    return 0;
}

bool span_is_utf8(struct span s)
{
    while (s.len > 0) {
        size_t len = span_utf8(s);
        if (len == 0)
            return false;
        s = span_from(s, len);
    }
    return true;
}

bool span_number(struct span s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)s.data[i] - '0';
        if (!ascii_digit(s.data[i]) || digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return s.len > 0;
}

char *span_dup(struct span s)
{
    char *copy = malloc(s.len + 1);
    if (copy == NULL)
        return NULL;
    if (s.len > 0)
        memcpy(copy, s.data, s.len);
    copy[s.len] = '\0';
    return copy;
}

char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool ascii_alpha(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool ascii_wsp(char c)
{
    return c == ' ' || c == '\t';
}

static void release(struct buf *b)
{
    if (b->secret && b->data != NULL)
        bytes_wipe(b->data, b->cap);
    free(b->data);
}

/* Memory for `need` octets. A secret is moved by hand: realloc would leave a copy behind. */
static bool grow(struct buf *b, size_t need)
{
    size_t cap = b->cap == 0 ? BUF_FIRST_CAP : b->cap;
    while (cap < need)
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    char *data = b->secret ? malloc(cap) : realloc(b->data, cap);
    if (data == NULL) {
        b->failed = ST_TEMP;
        return false;
    }
    if (b->secret) {
        if (b->len > 0)
            memcpy(data, b->data, b->len);
        release(b);
    }
    b->data = data;
    b->cap = cap;
    return true;
}

/* One octet more than the content is always there, so that buf_cstr cannot fail. */
static bool reserve(struct buf *b, size_t more)
{
    if (b->failed != ST_OK)
        return false;
    if ((b->limit != 0 && more > b->limit - b->len) || more >= SIZE_MAX - b->len) {
        b->failed = ST_INVALID;
        return false;
    }
    size_t need = b->len + more + 1;
    return need <= b->cap || grow(b, need);
}

void *buf_extend(struct buf *b, size_t len)
{
    if (!reserve(b, len))
        return NULL;
    char *place = b->data + b->len;
    b->len += len;
    return place;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    char *place = buf_extend(b, len);
    if (place != NULL)
        memcpy(place, data, len);
}

void buf_append_span(struct buf *b, struct span s)
{
    buf_append(b, s.data, s.len);
}

void buf_append_str(struct buf *b, const char *s)
{
    buf_append_span(b, span_str(s));
}

void buf_append_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    if (len < 0 && b->failed == ST_OK)
        b->failed = ST_TEMP;
    if (len >= 0 && reserve(b, (size_t)len)) {
        vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
        b->len += (size_t)len;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

void buf_truncate(struct buf *b, size_t len)
{
    if (len >= b->len)
        return;
    if (b->secret)
        bytes_wipe(b->data + len, b->len - len);
    b->len = len;
}

enum status buf_check(const struct buf *b, const char *what, struct err *err)
{
    if (b->failed == ST_OK)
        return ST_OK;
    if (b->failed == ST_INVALID)
        return err_set(err, ST_INVALID, "%s: longer than %zu octets", what, b->limit);
    return err_set(err, b->failed, "%s: no memory", what);
}

const char *buf_cstr(struct buf *b)
{
    if (b->failed != ST_OK || b->data == NULL)
        return "";
    b->data[b->len] = '\0';
    return b->data;
}

char *buf_take(struct buf *b)
{
    char *text = NULL;
    if (reserve(b, 0)) {
        text = b->data;
        text[b->len] = '\0';
        b->data = NULL;
    }
    buf_clear(b);
    return text;
}

struct span buf_span(const struct buf *b)
{
    return (struct span){b->data, b->len};
}

void buf_reset(struct buf *b)
{
    if (b->secret && b->data != NULL)
        bytes_wipe(b->data, b->cap);
    b->len = 0;
    b->failed = ST_OK;
}

void buf_clear(struct buf *b)
{
    release(b);
    b->data = NULL;
    b->len = b->cap = 0;
    b->failed = ST_OK;
}

void bytes_wipe(void *data, size_t len)
{
    if (len > 0)
        explicit_bzero(data, len);
}
