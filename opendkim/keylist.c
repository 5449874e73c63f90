/* SPDX-License-Identifier: Apache-2.0 */
#include "opendkim/keylist.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "opendkim/files.h"

static void row_clear(struct keylist_row *row)
{
    free(row->pattern);
    free(row->domain);
    free(row->selector);
    free(row->path);
}

static enum status append(struct keylist *list, struct keylist_row *row, struct err *err)
{
    bool good =
        row->pattern != NULL && row->domain != NULL && row->selector != NULL && row->path != NULL;
    if (good && list->count == list->cap) {
        size_t cap = list->cap == 0 ? 32 : list->cap * 2;
        struct keylist_row *rows = realloc(list->list, cap * sizeof *rows);
        good = rows != NULL;
        if (good) {
            list->list = rows;
            list->cap = cap;
        }
    }
    if (!good) {
        row_clear(row);
        return err_set(err, ST_TEMP, "no memory for a KeyList");
    }
    list->list[list->count++] = *row;
    return ST_OK;
}

static struct span base_of(struct span path)
{
    struct span part;
    struct span last = path;
    struct span rest = path;
    while (span_next(&rest, '/', &part))
        last = part;
    if (span_has_suffix_nocase(last, SPAN_LIT(".private")))
        last.len -= sizeof ".private" - 1;
    else if (span_has_suffix_nocase(last, SPAN_LIT(".pem")))
        last.len -= sizeof ".pem" - 1;
    return last;
}

static enum status read_line(struct span line, struct notes_place place, struct notes *notes,
                             struct keylist *out, struct err *err)
{
    line = span_head(line, span_find(line, '\0'));
    line = span_trim(span_head(line, span_find(line, '#')));
    size_t first = span_find(line, ':');
    struct span rest = span_from(line, first + 1);
    size_t second = span_find(rest, ':');
    struct span path = span_trim(span_from(rest, second + 1));
    struct span selector = base_of(path);
    if (line.len == 0)
        return ST_OK;
    if (first == 0 || second == 0 || path.len == 0 || selector.len == 0) {
        notes_add(notes, NOTES_REFUSED, place,
                  "KeyList: not pattern:domain:path, which every line is");
        return ST_OK;
    }
    struct keylist_row row = {.pattern = span_dup(span_trim(span_head(line, first))),
                              .domain = span_dup(span_trim(span_head(rest, second))),
                              .selector = span_dup(selector),
                              .path = span_dup(path),
                              .line = place.line};
    return append(out, &row, err);
}

enum status keylist_read(const char *path, struct notes *notes, struct keylist *out,
                         struct err *err)
{
    struct buf text = BUF_INIT(FILES_TABLE_MAX);
    struct notes_place place = {path, 0};
    struct span line;
    enum status status = files_read(path, &text, err);
    if (status != ST_OK)
        err_context(err, "KeyList: %s", path);
    struct span rest = buf_span(&text);
    while (status == ST_OK && rest.len > 0 && span_next(&rest, '\n', &line)) {
        place.line++;
        status = read_line(line, place, notes, out, err);
    }
    buf_clear(&text);
    return status;
}

void keylist_clear(struct keylist *list)
{
    for (size_t i = 0; i < list->count; i++)
        row_clear(&list->list[i]);
    free(list->list);
    *list = (struct keylist){.list = NULL};
}

const struct keylist_row *keylist_find(const struct keylist *list, struct span address)
{
    const struct keylist_row *found = NULL;
    char *text = span_dup(address);
    for (size_t i = 0; text != NULL && found == NULL && i < list->count; i++)
        if (fnmatch(list->list[i].pattern, text, FNM_CASEFOLD | FNM_NOESCAPE) == 0)
            found = &list->list[i];
    free(text);
    return found;
}

void keylist_file(const struct keylist_row *row, struct buf *out)
{
    static const char *const endings[] = {"", ".pem", ".private"};
    size_t start = out->len;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        buf_truncate(out, start);
        buf_printf(out, "%s%s", row->path, endings[i]);
        if (access(buf_cstr(out), F_OK) == 0)
            return;
    }
    buf_truncate(out, start);
    buf_append_str(out, row->path);
}
