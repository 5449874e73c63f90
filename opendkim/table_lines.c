/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "opendkim/table_internal.h"

/* One line as OpenDKIM gets it: of a longer line of the file it is a piece. */
struct piece {
    struct span text;  /* without line end */
    struct span whole; /* of the first piece: the line of the file */
    size_t line;
    bool first, last;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct span trim_left(struct span s)
{
    while (s.len > 0 && is_space(s.data[0]))
        s = span_from(s, 1);
    return s;
}

static struct span trim(struct span s)
{
    s = trim_left(s);
    while (s.len > 0 && is_space(s.data[s.len - 1]))
        s.len--;
    return s;
}

static size_t word_len(struct span s)
{
    size_t len = 0;
    while (len < s.len && !is_space(s.data[len]))
        len++;
    return len;
}

/* What is left of a line: `#` ends it, and so does NUL. */
static struct span before_comment(struct span line)
{
    line = span_head(line, span_find(line, '\0'));
    return span_head(line, span_find(line, '#'));
}

static struct table_extent extent_of(const struct table *table, struct span s)
{
    return (struct table_extent){s.len == 0 ? 0 : (size_t)(s.data - table->content.data), s.len};
}

static bool wants_values(const struct table *table)
{
    return table->options.use == TABLE_KEYS || table->options.use == TABLE_RULES;
}

/* -- what is surprising ------------------------------------------------------------------- */

static void note_signs(const struct table *table, const struct piece *piece)
{
    size_t nul = span_find(piece->text, '\0');
    size_t sign = span_find(span_head(piece->text, nul), '#');
    if (nul < piece->text.len)
        table_note(table, NOTES_NOTICE, piece->line,
                   "there is a NUL in the line; OpenDKIM reads nothing behind it");
    if (sign > 0 && sign < nul && !is_space(piece->text.data[sign - 1]))
        table_note(table, NOTES_NOTICE, piece->line,
                   "# ends a line wherever it stands; what follows it is not read");
}

static void note_cut(const struct table *table, const struct piece *piece)
{
    if (piece->first && !piece->last)
        table_note(table, NOTES_CHANGED, piece->line,
                   "the line has %zu octets; OpenDKIM cuts it after %d and reads what follows as "
                   "another line",
                   piece->whole.len, TABLE_LINE_MAX);
}

static void note_no_value(const struct table *table, const struct piece *piece)
{
    if (!wants_values(table) || !piece->first)
        return;
    if (table->type == TABLE_REFILE && table->options.use == TABLE_RULES)
        table_note(table, NOTES_REFUSED, piece->line,
                   "there is no value; OpenDKIM crashes when a message matches");
    else
        table_note(table, NOTES_REFUSED, piece->line, "there is no value");
}

/* -- rows --------------------------------------------------------------------------------- */

static enum status add_row(struct table *table, struct table_slot *slot, const struct piece *piece,
                           struct err *err)
{
    slot->line = piece->line;
    slot->rest = !piece->first;
    slot->whole = slot->value;
    if (piece->first && !piece->last) {
        struct span whole = trim(before_comment(piece->whole));
        slot->whole = extent_of(table, trim(span_from(whole, word_len(whole))));
    }
    if (table->options.uncut && slot->rest)
        return ST_OK;
    if (table->options.uncut)
        slot->value = slot->whole;
    slot->has_value = slot->has_value || slot->value.len > 0;
    if (!slot->has_value)
        note_no_value(table, piece);
    else if (slot->value.len == 0 && wants_values(table) && piece->first)
        table_note(table, NOTES_REFUSED, piece->line, "the value is empty");
    if (slot->has_value && table->options.use == TABLE_MACROS && table->type == TABLE_FILE)
        return table_add_parts(table, slot, err);
    return table_add(table, slot, err);
}

static enum status read_file_piece(struct table *table, const struct piece *piece, struct err *err)
{
    struct span kept = trim(before_comment(piece->text));
    size_t len = word_len(kept);
    struct span value = trim(span_from(kept, len));
    struct table_slot slot = {.key = extent_of(table, span_head(kept, len)),
                              .value = extent_of(table, value),
                              .has_value = value.len > 0};
    return kept.len == 0 ? ST_OK : add_row(table, &slot, piece, err);
}

static enum status read_refile_piece(struct table *table, const struct piece *piece,
                                     struct err *err)
{
    struct span kept = before_comment(piece->text);
    size_t len = word_len(kept);
    struct span value = trim(span_from(kept, len));
    struct table_slot slot = {.key = extent_of(table, span_head(kept, len)),
                              .value = extent_of(table, value),
                              .has_value = len < kept.len};
    if (len == 0 && trim(kept).len > 0 && (piece->first || !table->options.uncut))
        table_note(table, NOTES_NOTICE, piece->line,
                   "the line begins with white space; in a refile: OpenDKIM passes it over");
    return len == 0 ? ST_OK : add_row(table, &slot, piece, err);
}

/* -- lines -------------------------------------------------------------------------------- */

static enum status read_line(struct table *table, struct span line, size_t number, struct err *err)
{
    struct piece piece = {.whole = line, .line = number, .first = true};
    enum status status = ST_OK;
    while (status == ST_OK && !piece.last) {
        piece.text = span_head(line, TABLE_LINE_MAX);
        line = span_from(line, piece.text.len);
        piece.last = line.len == 0;
        note_signs(table, &piece);
        note_cut(table, &piece);
        status = table->type == TABLE_REFILE ? read_refile_piece(table, &piece, err)
                                             : read_file_piece(table, &piece, err);
        piece.first = false;
    }
    return status;
}

enum status table_read_lines(struct table *table, struct err *err)
{
    struct span line;
    struct span rest = buf_span(&table->content);
    enum status status = ST_OK;
    for (size_t number = 1; status == ST_OK && rest.len > 0 && span_next(&rest, '\n', &line);
         number++)
        status = read_line(table, line, number, err);
    return status;
}
