/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/name.h"

#include <string.h>

enum { WIRE_MAX = 255, LABEL_MAX = 63 };

static bool is_plain(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '_';
}

static char *write_escape(unsigned octet, char *out)
{
    *out++ = '\\';
    *out++ = (char)('0' + octet / 100);
    *out++ = (char)('0' + octet / 10 % 10);
    *out++ = (char)('0' + octet % 10);
    return out;
}

/* Writes a label and gives the end of it. A name of at most WIRE_MAX octets always fits. */
static char *write_label(struct span label, char *out)
{
    for (size_t i = 0; i < label.len; i++) {
        char c = label.data[i];
        if (is_plain(c))
            *out++ = ascii_lower(c);
        else
            out = write_escape((unsigned char)c, out);
    }
    return out;
}

bool name_of_wire(struct span wire, char out[NAME_SIZE])
{
    char *end = out;
    out[0] = '\0';
    wire = span_head(wire, WIRE_MAX);
    while (wire.len > 0 && wire.data[0] != 0) {
        size_t len = (unsigned char)wire.data[0];
        if (len > LABEL_MAX || len >= wire.len)
            wire.len = len = 0;
        if (end != out)
            *end++ = '.';
        end = write_label(span_head(span_from(wire, 1), len), end);
        wire = span_from(wire, len + 1);
    }
    bool whole = wire.len > 0;
    *(whole ? end : out) = '\0';
    return whole;
}

bool name_of_text(const char *text, char out[NAME_SIZE])
{
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '.')
        len--;
    bool fits = len < NAME_SIZE;
    for (size_t i = 0; fits && i < len; i++)
        out[i] = ascii_lower(text[i]);
    out[fits ? len : 0] = '\0';
    return fits;
}

const char *name_parent(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL ? dot + 1 : name + strlen(name);
}

bool name_is_within(const char *name, const char *zone)
{
    size_t len = strlen(name), zone_len = strlen(zone);
    if (zone_len == 0)
        return true;
    return len >= zone_len && strcmp(name + len - zone_len, zone) == 0 &&
           (len == zone_len || name[len - zone_len - 1] == '.');
}
