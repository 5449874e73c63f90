/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/sign.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 256, NAMES_TEXT_MAX = 16384 };

/* Every field of every message is looked up, so there is a sorted copy of the list. Lengths
 * are compared first: most names then differ without a look at their octets. */
struct dkim_names {
    char *text; /* the list in lower case; the spans point into it */
    size_t count;
    struct span list[NAMES_MAX];
    struct span sorted[NAMES_MAX];
};

/* Fields that are changed or removed on the way (RFC 6376 5.4 and 5.4.1, RFC 5322 3.6.3,
 * RFC 8601 5), or that sign themselves. */
static const char *const refused[] = {
    "arc-authentication-results",
    "arc-message-signature",
    "arc-seal",
    "authentication-results",
    "bcc",
    "dkim-signature",
    "received",
    "resent-bcc",
    "return-path",
};

static int compare(struct span a, struct span b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    for (size_t i = 0; i < a.len; i++) {
        char x = ascii_lower(a.data[i]), y = ascii_lower(b.data[i]);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static int compare_entries(const void *a, const void *b)
{
    return compare(*(const struct span *)a, *(const struct span *)b);
}

/* ftext (RFC 5322 2.2) but for the semicolon, which would end the tag in h=. */
static bool is_field_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] < 33 || name.data[i] > 126 || strchr(":;,", name.data[i]))
            return false;
    }
    return name.len > 0;
}

static enum status add_name(struct dkim_names *names, struct span name, struct err *err)
{
    if (!is_field_name(name))
        return err_set(err, ST_INVALID, "name %zu of the list is no header field name",
                       names->count + 1);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (span_equal(name, span_str(refused[i])))
            return err_set(err, ST_INVALID, "%s must not be signed", refused[i]);
    }
    for (size_t i = 0; i < names->count; i++) {
        if (span_equal(name, names->list[i]))
            return err_set(err, ST_INVALID, "%.*s stands twice", (int)name.len, name.data);
    }
    if (names->count == NAMES_MAX)
        return err_set(err, ST_INVALID, "more than %d header field names", NAMES_MAX);
    names->list[names->count++] = name;
    return ST_OK;
}

static enum status fill(struct dkim_names *names, struct err *err)
{
    struct span rest = span_str(names->text), name;

    if (!span_trim(rest).len)
        return ST_OK;
    while (span_next(&rest, ',', &name)) {
        enum status status = add_name(names, span_trim(name), err);
        if (status != ST_OK)
            return status;
    }
    memcpy(names->sorted, names->list, sizeof names->list);
    qsort(names->sorted, names->count, sizeof names->sorted[0], compare_entries);
    return ST_OK;
}

enum status dkim_names_parse(struct span list, struct dkim_names **out, struct err *err)
{
    *out = NULL;
    if (list.len > NAMES_TEXT_MAX || (list.len && memchr(list.data, '\0', list.len)))
        return err_set(err, ST_INVALID, "not a list of header field names");
    struct dkim_names *names = calloc(1, sizeof *names);
    if (!names || !(names->text = span_dup(list))) {
        free(names);
        return err_set(err, ST_TEMP, "no memory for a list of header field names");
    }
    for (char *at = names->text; *at; at++)
        *at = ascii_lower(*at);
    enum status status = fill(names, err);
    if (status == ST_OK)
        *out = names;
    else
        dkim_names_free(names);
    return status;
}

void dkim_names_free(struct dkim_names *names)
{
    if (!names)
        return;
    free(names->text);
    free(names);
}

bool dkim_names_contain(const struct dkim_names *names, struct span name)
{
    return names &&
           bsearch(&name, names->sorted, names->count, sizeof names->sorted[0], compare_entries);
}

size_t dkim_names_count(const struct dkim_names *names)
{
    return names ? names->count : 0;
}

struct span dkim_names_at(const struct dkim_names *names, size_t index)
{
    return names->list[index];
}
