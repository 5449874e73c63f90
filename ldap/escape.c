/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/escape.h"

#include <string.h>

static bool plain(char c)
{
    return c >= 0x20 && c < 0x7f;
}

static void append(char c, bool as_is, struct buf *out)
{
    if (as_is)
        buf_append_char(out, c);
    else
        buf_printf(out, "\\%02x", (unsigned char)c);
}

/* Whether c is one of `marks`; strchr would find a NUL as well. */
static bool is_one_of(char c, const char *marks)
{
    return c != '\0' && strchr(marks, c) != NULL;
}

void escape_filter(struct span value, struct buf *out)
{
    for (size_t i = 0; i < value.len; i++)
        append(value.data[i], plain(value.data[i]) && !is_one_of(value.data[i], "*()\\"), out);
}

void escape_equals(const char *attribute, struct span value, struct buf *out)
{
    buf_printf(out, "(%s=", attribute);
    escape_filter(value, out);
    buf_append_char(out, ')');
}

void escape_rdn(const char *attribute, struct span value, struct buf *out)
{
    buf_printf(out, "%s=", attribute);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        bool at_end = i == 0 || i + 1 == value.len;
        append(c, plain(c) && !is_one_of(c, "\"+,;<=>\\#") && !(c == ' ' && at_end), out);
    }
}
