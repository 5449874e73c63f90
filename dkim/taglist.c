/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/taglist.h"

enum { COLUMNS_MAX = 76, INDENT = 8 /* a HTAB at the start of a line */ };

/* -- reading ------------------------------------------------------------------------------ */

/* ALPHA *ALNUMPUNC (RFC 6376 3.2) */
static bool is_tag_name(struct span name)
{
    if (!name.len || !ascii_alpha(name.data[0]))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        char c = name.data[i];
        if (!ascii_alpha(c) && !ascii_digit(c) && c != '_')
            return false;
    }
    return true;
}

/* VALCHAR and folding white space (RFC 6376 3.2), and UTF-8 by RFC 8616 4. A CR or LF stands
 * only in a CRLF before white space. */
static bool is_tag_value(struct span value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c == '\r') {
            if (value.len - i < 3 || value.data[i + 1] != '\n' || !ascii_wsp(value.data[i + 2]))
                return false;
            i += 2;
        } else if ((c >= 0 && c < 32 && c != '\t') || c == 127) {
            return false;
        }
    }
    return span_is_utf8(value);
}

static bool has_tag(const struct dkim_taglist *list, struct span name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (span_equal(list->tags[i].name, name))
            return true;
    }
    return false;
}

static enum status add_tag(struct dkim_taglist *list, struct span piece, struct err *err)
{
    size_t equals = span_find(piece, '=');
    struct dkim_tag tag = {span_trim(span_head(piece, equals)),
                           span_trim(span_from(piece, equals + 1))};

    if (equals == piece.len)
        return err_set(err, ST_INVALID, "no = in it");
    if (!is_tag_name(tag.name))
        return err_set(err, ST_INVALID, "not a tag name before the =");
    /* Trimming took white space; whether a line end in it folded is seen in the whole piece. */
    if (!is_tag_value(piece))
        return err_set(err, ST_INVALID, "an octet that no tag may hold");
    if (has_tag(list, tag.name))
        return err_set(err, ST_INVALID, "it stands twice");
    if (list->count == DKIM_TAGS_MAX)
        return err_set(err, ST_INVALID, "more than %d tags", DKIM_TAGS_MAX);
    list->tags[list->count++] = tag;
    return ST_OK;
}

enum status dkim_taglist_parse(struct span text, struct dkim_taglist *out, struct err *err)
{
    struct span rest = text, piece;

    out->count = 0;
    for (size_t number = 1; span_next(&rest, ';', &piece); number++) {
        /* The last semicolon may be followed by white space only. */
        if (!rest.data && number > 1 && !span_trim(piece).len && is_tag_value(piece))
            return ST_OK;
        enum status status = add_tag(out, piece, err);
        if (status != ST_OK)
            return err_context(err, "tag %zu", number);
    }
    return ST_OK;
}

const struct span *dkim_taglist_get(const struct dkim_taglist *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (span_equal(list->tags[i].name, span_str(name)))
            return &list->tags[i].value;
    }
    return NULL;
}

/* -- writing ------------------------------------------------------------------------------ */

void dkim_folder_init(struct dkim_folder *folder, struct buf *out, size_t column)
{
    *folder = (struct dkim_folder){out, column};
}

static void fold(struct dkim_folder *folder)
{
    buf_append(folder->out, "\r\n\t", 3);
    folder->column = INDENT;
}

static void write(struct dkim_folder *folder, struct span text)
{
    buf_append_span(folder->out, text);
    folder->column += text.len;
}

/* A space or a new line, and then `name=`, so that at least `wanted` octets more find room. */
static void begin_tag(struct dkim_folder *folder, const char *name, size_t wanted)
{
    struct span text = span_str(name);

    if (folder->column + 1 + text.len + 1 + wanted > COLUMNS_MAX)
        fold(folder);
    else
        write(folder, SPAN_LIT(" "));
    write(folder, text);
    write(folder, SPAN_LIT("="));
}

static void end_tag(struct dkim_folder *folder, bool last)
{
    if (!last)
        write(folder, SPAN_LIT(";"));
}

void dkim_folder_tag(struct dkim_folder *folder, const char *name, struct span value, bool last)
{
    begin_tag(folder, name, value.len + !last);
    write(folder, value);
    end_tag(folder, last);
}

static void write_broken_anywhere(struct dkim_folder *folder, struct span value)
{
    while (value.len) {
        /* One column is left for the semicolon. */
        if (folder->column + 1 >= COLUMNS_MAX)
            fold(folder);
        struct span line = span_head(value, COLUMNS_MAX - 1 - folder->column);
        write(folder, line);
        value = span_from(value, line.len);
    }
}

static void write_broken_after(struct dkim_folder *folder, struct span value, char separator)
{
    while (value.len) {
        struct span part = span_head(value, span_find(value, separator) + 1);
        if (folder->column + part.len + 1 > COLUMNS_MAX && folder->column > INDENT)
            fold(folder);
        write(folder, part);
        value = span_from(value, part.len);
    }
}

/* Where a line is broken before the tag does not depend on its value: dkim_sign writes b= once
 * empty, for the hash, and once with the signature. */
void dkim_folder_long_tag(struct dkim_folder *folder, const char *name, struct span value,
                          char separator, bool last)
{
    begin_tag(folder, name, 1);
    if (separator)
        write_broken_after(folder, value, separator);
    else
        write_broken_anywhere(folder, value);
    end_tag(folder, last);
}
