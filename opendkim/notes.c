/* SPDX-License-Identifier: Apache-2.0 */
#include "opendkim/notes.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

struct entry {
    struct note note;
    UT_hash_handle hh;
    char key[]; /* "file:line:text", whose end is the text */
};

struct file {
    UT_hash_handle hh;
    char name[];
};

struct notes {
    struct entry **list;
    size_t count, cap;
    struct entry *by_text;
    struct file *files;
    size_t of_grade[NOTES_GRADES];
    bool failed;
};

struct notes *notes_new(void)
{
    return calloc(1, sizeof(struct notes));
}

void notes_free(struct notes *notes)
{
    struct file *file;
    struct file *next;
    if (notes == NULL)
        return;
    HASH_CLEAR(hh, notes->by_text);
    for (size_t i = 0; i < notes->count; i++)
        free(notes->list[i]);
    HASH_ITER(hh, notes->files, file, next)
    {
        HASH_DEL(notes->files, file);
        free(file);
    }
    free(notes->list);
    free(notes);
}

/* The name kept once for all its notes; NULL when memory is short. */
static const char *keep_name(struct notes *notes, const char *name)
{
    struct file *file = NULL;
    size_t len = name == NULL ? 0 : strlen(name);
    if (len == 0)
        return "";
    HASH_FIND(hh, notes->files, name, len, file);
    if (file != NULL)
        return file->name;
    file = calloc(1, sizeof *file + len + 1);
    if (file == NULL)
        return NULL;
    memcpy(file->name, name, len);
    HASH_ADD_KEYPTR(hh, notes->files, file->name, len, file);
    if (file->hh.tbl == NULL) {
        free(file);
        return NULL;
    }
    return file->name;
}

static bool make_room(struct notes *notes)
{
    if (notes->count < notes->cap)
        return true;
    size_t cap = notes->cap == 0 ? 64 : notes->cap * 2;
    struct entry **list = realloc(notes->list, cap * sizeof(struct entry *));
    if (list == NULL)
        return false;
    notes->list = list;
    notes->cap = cap;
    return true;
}

/* What a terminal or a JSON document cannot show becomes `?`. */
static void append_clean(struct buf *out, struct span text)
{
    while (text.len > 0) {
        size_t len = span_utf8(text);
        unsigned char first = (unsigned char)text.data[0];
        bool control = first < 0x20 || first == 0x7f ||
                       (len == 2 && first == 0xc2 && (unsigned char)text.data[1] < 0xa0);
        if (len == 0 || control)
            buf_append_char(out, '?');
        else
            buf_append(out, text.data, len);
        text = span_from(text, len == 0 ? 1 : len);
    }
}

/* Puts in the note, unless it is there already. False when memory is short. */
static bool keep(struct notes *notes, const struct note *note, struct span key, size_t text_at)
{
    struct entry *entry = NULL;
    HASH_FIND(hh, notes->by_text, key.data, key.len, entry);
    if (entry != NULL)
        return true;
    notes->of_grade[note->grade]++;
    if (notes->count >= NOTES_MAX)
        return true;
    entry = calloc(1, sizeof *entry + key.len + 1);
    if (entry == NULL || !make_room(notes)) {
        free(entry);
        return false;
    }
    memcpy(entry->key, key.data, key.len);
    entry->note = *note;
    entry->note.text = entry->key + text_at;
    HASH_ADD_KEYPTR(hh, notes->by_text, entry->key, key.len, entry);
    if (entry->hh.tbl == NULL) {
        free(entry);
        return false;
    }
    notes->list[notes->count++] = entry;
    return true;
}

void notes_add(struct notes *notes, enum notes_grade grade, struct notes_place place,
               const char *fmt, ...)
{
    va_list args;
    struct buf text = BUF_INIT(0);
    struct buf key = BUF_INIT(0);
    struct err ignored;
    if (notes == NULL)
        return;
    struct note note = {.grade = grade, .file = keep_name(notes, place.file), .line = place.line};
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    if (text.len > NOTES_TEXT_MAX)
        buf_truncate(&text, NOTES_TEXT_MAX);
    buf_printf(&key, "%s:%zu:", note.file == NULL ? "" : note.file, place.line);
    size_t text_at = key.len;
    append_clean(&key, buf_span(&text));
    if (note.file == NULL || buf_check(&text, "note", &ignored) != ST_OK ||
        buf_check(&key, "note", &ignored) != ST_OK || !keep(notes, &note, buf_span(&key), text_at))
        notes->failed = true;
    buf_clear(&key);
    buf_clear(&text);
}

enum status notes_check(const struct notes *notes, struct err *err)
{
    if (notes != NULL && notes->failed)
        return err_set(err, ST_TEMP, "no memory for what is to be told of OpenDKIM's files");
    return ST_OK;
}

size_t notes_count(const struct notes *notes)
{
    return notes->count;
}

size_t notes_count_of(const struct notes *notes, enum notes_grade grade)
{
    return notes->of_grade[grade];
}

const struct note *notes_at(const struct notes *notes, size_t index)
{
    return &notes->list[index]->note;
}

const char *notes_grade_name(enum notes_grade grade)
{
    static const char *const names[NOTES_GRADES] = {"taken",        "changed", "refused",
                                                    "unverifiable", "unknown", "notice"};
    return names[grade];
}
