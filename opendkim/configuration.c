/* SPDX-License-Identifier: Apache-2.0 */
#include "opendkim/configuration.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "opendkim/files.h"

enum {
    LEVELS_MAX = 5, /* an Include in the sixth file is too deep */
    FILES_MAX = 1000,
};

struct reader {
    struct configuration *out;
    struct notes *notes;
    const char *file;
    size_t line;
    int level;
};

static enum status read_file(struct reader *reader, const char *path, struct err *err);

static struct notes_place here(const struct reader *reader)
{
    return (struct notes_place){reader->file, reader->line};
}

/* The first reason is what OpenDKIM says before it ends. */
static void stop(struct reader *reader, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void stop(struct reader *reader, const char *fmt, ...)
{
    va_list args;
    struct buf text = BUF_INIT(0);
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    notes_add(reader->notes, NOTES_UNKNOWN, here(reader), "%s; OpenDKIM does not start with it",
              buf_cstr(&text));
    if (reader->out->stop[0] == '\0') {
        struct err first;
        err_set(&first, ST_INVALID, "%s:%zu: %s", reader->file, reader->line, buf_cstr(&text));
        memcpy(reader->out->stop, first.text, sizeof first.text);
    }
    buf_clear(&text);
}

const struct configuration_known *configuration_knows(struct span name)
{
    for (size_t i = 0; i < configuration_table_count; i++)
        if (span_equal_nocase(name, span_str(configuration_table[i].name)))
            return &configuration_table[i];
    return NULL;
}

/* -- one value ---------------------------------------------------------------------------- */

static bool read_flag(const char *text, bool *out)
{
    *out = strchr("tTyY1", text[0]) != NULL;
    return *out || strchr("fFnN0", text[0]) != NULL;
}

static bool read_number(const char *text, int64_t *out)
{
    char *end = NULL;
    *out = (int)strtol(text, &end, 0); /* what does not fit is cut, as there */
    return *end == '\0';
}

static bool read_value(struct configuration_value *value)
{
    switch (value->known->type) {
    case CONFIGURATION_FLAG:
        return read_flag(value->text, &value->flag);
    case CONFIGURATION_NUMBER:
        return read_number(value->text, &value->number);
    default:
        return true;
    }
}

static const char *allowed(enum configuration_type type)
{
    return type == CONFIGURATION_FLAG ? "a word that begins with y, t, 1, n, f or 0" : "a number";
}

static enum status keep(struct reader *reader, const struct configuration_value *value,
                        struct err *err)
{
    struct configuration *out = reader->out;
    if (out->count == out->cap) {
        size_t cap = out->cap == 0 ? 32 : out->cap * 2;
        struct configuration_value *list = realloc(out->list, cap * sizeof *list);
        if (list == NULL)
            return err_set(err, ST_TEMP, "no memory for the settings of %s", reader->file);
        out->list = list;
        out->cap = cap;
    }
    out->list[out->count++] = *value;
    return ST_OK;
}

/* -- notes -------------------------------------------------------------------------------- */

static void note_fate(const struct reader *reader, const struct configuration_known *known)
{
    static const struct {
        enum notes_grade grade;
        const char *text;
    } fates[] = {
        [CONFIGURATION_TAKEN] = {NOTES_TAKEN, "is taken over"},
        [CONFIGURATION_CHANGED] = {NOTES_CHANGED, "is different here"},
        [CONFIGURATION_REFUSED] = {NOTES_REFUSED, "cannot be taken over"},
        [CONFIGURATION_VERIFYING] = {NOTES_NOTICE, "matters only to verifying"},
        [CONFIGURATION_SERVICE] = {NOTES_NOTICE, "needs nothing"},
        [CONFIGURATION_REMOVED] = {NOTES_NOTICE, "is not known to OpenDKIM 2.11"},
    };
    if (known->fate == CONFIGURATION_ALONE)
        return;
    notes_add(reader->notes, fates[known->fate].grade, here(reader), "%s: %s%s%s", known->name,
              fates[known->fate].text, known->remark == NULL ? "" : ": ",
              known->remark == NULL ? "" : known->remark);
    if (known->foreign)
        notes_add(reader->notes, NOTES_NOTICE, here(reader),
                  "%s: the OpenDKIM 2.11 of Debian 12 does not start with it", known->name);
}

static void note_former(const struct reader *reader, const struct configuration_known *known)
{
    for (size_t i = reader->out->count; i > 0; i--) {
        const struct configuration_value *former = &reader->out->list[i - 1];
        if (former->known != known)
            continue;
        notes_add(reader->notes, NOTES_NOTICE, (struct notes_place){former->file, former->line},
                  "%s: line %zu of %s says it again, and the last line counts", known->name,
                  reader->line, reader->file);
        return;
    }
}

/* Shown is what may be a name: in `LDAPBindPassword=x` the rest is a secret. */
static void refuse_name(struct reader *reader, struct span word)
{
    struct nearest nearest;
    struct span name = span_head(word, 0);
    while (name.len < word.len && (ascii_alpha(word.data[name.len]) ||
                                   ascii_digit(word.data[name.len]) || word.data[name.len] == '-'))
        name.len++;
    if (name.len == 0) {
        stop(reader, "a line does not begin with the name of a setting");
        return;
    }
    nearest_init(&nearest, name);
    for (size_t i = 0; i < configuration_table_count; i++)
        nearest_offer(&nearest, span_str(configuration_table[i].name));
    stop(reader, "%.*s: not a setting (is %.*s meant?)", (int)span_head(name, 64).len, name.data,
         (int)nearest.best.len, nearest.best.data);
}

/* -- lines -------------------------------------------------------------------------------- */

static enum status include(struct reader *reader, const char *path, struct err *err)
{
    struct reader inner = *reader;
    struct err fault;
    inner.level++;
    if (inner.level > LEVELS_MAX) {
        stop(reader, "Include: more than %d files one in the other", LEVELS_MAX);
        return ST_OK;
    }
    if (reader->out->file_count >= FILES_MAX) {
        stop(reader, "Include: more than %d files", FILES_MAX);
        return ST_OK;
    }
    if (path[0] != '/')
        notes_add(reader->notes, NOTES_NOTICE, here(reader),
                  "Include: %s is relative to wherever OpenDKIM is started, not to this file; read "
                  "from /",
                  path);
    enum status status = read_file(&inner, path, &fault);
    if (status == ST_OK || status == ST_TEMP)
        return status == ST_OK ? ST_OK : err_set(err, status, "%s", fault.text);
    stop(reader, "Include: %s", fault.text);
    return ST_OK;
}

static enum status read_setting(struct reader *reader, const struct configuration_known *known,
                                struct span text, struct err *err)
{
    struct configuration_value value = {
        .known = known, .text = span_dup(text), .file = reader->file, .line = reader->line};
    enum status status = ST_OK;
    if (value.text == NULL)
        return err_set(err, ST_TEMP, "no memory for the settings of %s", reader->file);
    if (known->type == CONFIGURATION_INCLUDE) {
        note_fate(reader, known);
        status = include(reader, value.text, err);
        free(value.text);
        return status;
    }
    if (!read_value(&value)) {
        stop(reader, "%s: not %s", known->name, allowed(known->type));
        free(value.text);
        return ST_OK;
    }
    note_fate(reader, known);
    note_former(reader, known);
    status = keep(reader, &value, err);
    if (status != ST_OK)
        free(value.text);
    return status;
}

static struct span trim_wsp(struct span s)
{
    while (s.len > 0 && ascii_wsp(s.data[0]))
        s = span_from(s, 1);
    while (s.len > 0 && ascii_wsp(s.data[s.len - 1]))
        s.len--;
    return s;
}

static enum status read_line(struct reader *reader, struct span line, struct err *err)
{
    struct span kept = line;
    for (const char *end = "\r#"; *end != '\0'; end++)
        kept = span_head(kept, span_find(kept, *end));
    kept = trim_wsp(span_head(kept, span_find(kept, '\0')));
    if (kept.len == 0)
        return ST_OK;
    size_t len = 0;
    while (len < kept.len && !ascii_wsp(kept.data[len]))
        len++;
    struct span name = span_head(kept, len);
    struct span text = trim_wsp(span_from(kept, len));
    const struct configuration_known *known = configuration_knows(name);
    size_t sign = span_find(line, '#');
    if (sign < line.len && sign > 0 && !ascii_wsp(line.data[sign - 1]))
        notes_add(reader->notes, NOTES_NOTICE, here(reader),
                  "# ends a line wherever it stands; what follows it is not read");
    if (known == NULL)
        refuse_name(reader, name);
    else if (text.len == 0)
        stop(reader, "%s: has no value", known->name);
    else
        return read_setting(reader, known, text, err);
    return ST_OK;
}

/* -- files -------------------------------------------------------------------------------- */

static const char *keep_file(struct configuration *out, const char *path)
{
    char **files = realloc(out->files, (out->file_count + 1) * sizeof(char *));
    if (files == NULL)
        return NULL;
    out->files = files;
    files[out->file_count] = span_dup(span_str(path));
    return files[out->file_count] == NULL ? NULL : files[out->file_count++];
}

static enum status read_file(struct reader *reader, const char *path, struct err *err)
{
    struct buf text = BUF_SECRET(FILES_CONFIGURATION_MAX);
    struct buf absolute = BUF_INIT(0);
    struct span line;
    if (path[0] != '/' && reader->level > 0)
        buf_append_char(&absolute, '/');
    buf_append_str(&absolute, path);
    reader->file = keep_file(reader->out, buf_cstr(&absolute));
    enum status status = ST_OK;
    if (reader->file == NULL)
        status = err_set(err, ST_TEMP, "no memory for the name of a file");
    else if (files_read(reader->file, &text, err) != ST_OK)
        status = err_context(err, "%s", reader->file);
    struct span rest = buf_span(&text);
    for (reader->line = 1; status == ST_OK && rest.len > 0 && span_next(&rest, '\n', &line);
         reader->line++)
        status = read_line(reader, line, err);
    buf_clear(&text);
    buf_clear(&absolute);
    return status;
}

enum status configuration_read(const char *path, struct notes *notes, struct configuration *out,
                               struct err *err)
{
    struct reader reader = {.out = out, .notes = notes};
    return read_file(&reader, path, err);
}

enum status configuration_set(struct configuration *configuration, const char *name,
                              const char *text, struct err *err)
{
    const char *file = NULL;
    struct reader reader = {.out = configuration};
    struct configuration_value value = {.known = configuration_knows(span_str(name))};
    assert(value.known != NULL && value.known->type != CONFIGURATION_INCLUDE);
    if (text[0] == '\0')
        return err_set(err, ST_INVALID, "%s: has no value", name);
    file = keep_file(configuration, "");
    value.file = reader.file = file;
    value.text = span_dup(span_str(text));
    enum status status = ST_OK;
    if (file == NULL || value.text == NULL)
        status = err_set(err, ST_TEMP, "no memory for the setting %s", name);
    else if (!read_value(&value))
        status = err_set(err, ST_INVALID, "%s: not %s", name, allowed(value.known->type));
    else
        status = keep(&reader, &value, err);
    if (status != ST_OK)
        free(value.text);
    return status;
}

void configuration_clear(struct configuration *configuration)
{
    for (size_t i = 0; i < configuration->count; i++) {
        bytes_wipe(configuration->list[i].text, strlen(configuration->list[i].text));
        free(configuration->list[i].text);
    }
    for (size_t i = 0; i < configuration->file_count; i++)
        free(configuration->files[i]);
    free(configuration->list);
    free(configuration->files);
    *configuration = (struct configuration){.list = NULL};
}

/* -- asking ------------------------------------------------------------------------------- */

const struct configuration_value *configuration_find(const struct configuration *configuration,
                                                     const char *name)
{
    for (size_t i = configuration->count; i > 0; i--)
        if (strcmp(configuration->list[i - 1].known->name, name) == 0)
            return &configuration->list[i - 1];
    return NULL;
}

const char *configuration_text(const struct configuration *configuration, const char *name)
{
    const struct configuration_value *value = configuration_find(configuration, name);
    const struct configuration_known *known = configuration_knows(span_str(name));
    assert(known != NULL);
    return value != NULL ? value->text : known->fallback;
}

bool configuration_flag(const struct configuration *configuration, const char *name)
{
    bool flag = false;
    const char *text = configuration_text(configuration, name);
    return text != NULL && read_flag(text, &flag) && flag;
}

int64_t configuration_number(const struct configuration *configuration, const char *name)
{
    int64_t number = 0;
    const char *text = configuration_text(configuration, name);
    return text != NULL && read_number(text, &number) ? number : 0;
}

struct notes_place configuration_place(const struct configuration *configuration, const char *name)
{
    const struct configuration_value *value = configuration_find(configuration, name);
    return value == NULL ? (struct notes_place){NULL, 0}
                         : (struct notes_place){value->file, value->line};
}
