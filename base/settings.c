/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"
#include "base/settings_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, LINE_MAX_OCTETS = 8192, PROBLEMS_MAX = 1000 };

struct reader {
    const char *path;
    int line;
    const char *section; /* as the table spells it; NULL: none yet, or an unknown one */
    bool skipping;       /* in an unknown section: its keys cannot be judged */
    struct settings *settings;
    struct buf *problems, *warnings; /* either may be NULL */
    size_t faults;
    struct err *err;
};

const char *settings_path(const char *given)
{
    const char *environment = getenv("INKAN_CONF");
    if (given != NULL)
        return given;
    return environment != NULL && environment[0] != '\0' ? environment : "/etc/inkan/inkan.conf";
}

/* One sentence about the line at hand; the first also becomes the error text. A file that is
 * wrong throughout (a binary, say) is not answered with megabytes. */
PRINTF_LIKE(2, 3) static void problem(struct reader *r, const char *fmt, ...)
{
    struct buf text = BUF_INIT(0);
    va_list args;
    va_start(args, fmt);
    buf_printf(&text, "%s:%d: ", r->path, r->line);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    r->faults++;
    if (r->faults == 1)
        err_set(r->err, ST_INVALID, "%s", buf_cstr(&text));
    if (r->problems != NULL && r->faults <= PROBLEMS_MAX)
        buf_printf(r->problems, "%s\n", buf_cstr(&text));
    if (r->problems != NULL && r->faults == PROBLEMS_MAX + 1)
        buf_printf(r->problems, "%s: more faults follow\n", r->path);
    buf_clear(&text);
}

static const struct settings_entry *find_section(struct span name)
{
    for (size_t i = 0; i < settings_table_count; i++)
        if (span_equal(name, span_str(settings_table[i].section)))
            return &settings_table[i];
    return NULL;
}

/* A NULL section is any section. */
static const struct settings_entry *find_key(const char *section, struct span key)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct settings_entry *entry = &settings_table[i];
        if ((section == NULL || strcmp(section, entry->section) == 0) &&
            span_equal(key, span_str(entry->key)))
            return entry;
    }
    return NULL;
}

static struct span nearest_section(struct span name)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < settings_table_count; i++)
        nearest_offer(&nearest, span_str(settings_table[i].section));
    return nearest.best;
}

static struct span nearest_key(const char *section, struct span key)
{
    struct nearest nearest;
    nearest_init(&nearest, key);
    for (size_t i = 0; i < settings_table_count; i++)
        if (strcmp(settings_table[i].section, section) == 0)
            nearest_offer(&nearest, span_str(settings_table[i].key));
    return nearest.best;
}

static void read_section(struct reader *r, struct span line)
{
    if (line.data[line.len - 1] != ']') {
        problem(r, "the section has no ] at its end");
        r->skipping = true;
        return;
    }
    struct span name = span_trim(span_of(line.data + 1, line.len - 2));
    const struct settings_entry *entry = find_section(name);
    r->section = entry == NULL ? NULL : entry->section;
    r->skipping = entry == NULL;
    struct span nearest = nearest_section(name);
    if (entry == NULL)
        problem(r, "[%.*s]: no such section (nearest: [%.*s])", (int)name.len, name.data,
                (int)nearest.len, nearest.data);
}

/* The value stays out of these sentences: an unknown key may well hold a password. */
static void unknown_key(struct reader *r, struct span key)
{
    const struct settings_entry *elsewhere = find_key(NULL, key);
    const char *section = r->section == NULL ? "no section" : r->section;
    struct span nearest = nearest_key(section, key);
    if (elsewhere != NULL)
        problem(r, "[%s] %.*s: no such key here (it belongs to [%s])", section, (int)key.len,
                key.data, elsewhere->section);
    else if (r->section == NULL)
        problem(r, "%.*s: stands before the first [section]", (int)key.len, key.data);
    else
        problem(r, "[%s] %.*s: no such key (nearest: %.*s)", section, (int)key.len, key.data,
                (int)nearest.len, nearest.data);
}

static void read_value(struct reader *r, const struct settings_entry *entry, struct span value)
{
    struct err err = {0};
    int *first = &r->settings->lines[entry - settings_table];
    if (*first != 0) {
        problem(r, "[%s] %s: given twice (first in line %d)", entry->section, entry->key, *first);
        return;
    }
    *first = r->line;
    if (settings_value_read(entry, value, r->settings, &err) != ST_OK)
        problem(r, "[%s] %s: \"%.*s\": %s (allowed: %s)", entry->section, entry->key,
                (int)value.len, value.data, err.text, entry->allowed);
    else if (entry->dormant && r->warnings != NULL)
        buf_printf(r->warnings, "%s:%d: [%s] %s: has no effect in this version\n", r->path, r->line,
                   entry->section, entry->key);
}

static void read_key(struct reader *r, struct span line)
{
    size_t equals = span_find(line, '=');
    struct span key = span_trim(span_head(line, equals));
    if (equals == line.len || key.len == 0) {
        problem(r, "neither \"key = value\" nor \"[section]\"");
        return;
    }
    if (r->skipping)
        return;
    const struct settings_entry *entry = r->section == NULL ? NULL : find_key(r->section, key);
    if (entry == NULL)
        unknown_key(r, key);
    else
        read_value(r, entry, span_trim(span_from(line, equals + 1)));
}

/* What makes a line no text at all, or NULL. */
static const char *line_fault(struct span line)
{
    size_t used;
    if (line.len > LINE_MAX_OCTETS)
        return "longer than 8192 octets";
    for (; line.len > 0; line = span_from(line, used)) {
        unsigned char c = (unsigned char)line.data[0];
        used = span_utf8(line);
        if (used == 0)
            return "not valid UTF-8";
        if (c == 0)
            return "holds a NUL byte";
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return "holds a control character";
    }
    return NULL;
}

static struct span without_comment(struct span line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.data[i] == '#' && (i == 0 || ascii_wsp(line.data[i - 1])))
            return span_head(line, i);
    return line;
}

static void read_line(struct reader *r, struct span line)
{
    if (span_has_suffix_nocase(line, SPAN_LIT("\r")))
        line.len--;
    const char *fault = line_fault(line);
    line = span_trim(without_comment(line));
    if (fault != NULL)
        problem(r, "%s", fault);
    else if (line.len > 0 && line.data[0] == '[')
        read_section(r, line);
    else if (line.len > 0)
        read_key(r, line);
}

static enum status read_all(struct reader *r, struct span text)
{
    struct span line;
    if (span_has_prefix(text, SPAN_LIT("\xef\xbb\xbf"))) /* a byte order mark */
        text = span_from(text, 3);
    while (span_next(&text, '\n', &line)) {
        r->line++;
        read_line(r, line);
    }
    if (r->warnings != NULL && buf_check(r->warnings, r->path, r->err) != ST_OK)
        return r->warnings->failed;
    return r->faults == 0 ? ST_OK : ST_INVALID;
}

static enum status read_descriptor(int fd, struct buf *text)
{
    char chunk[16384];
    ssize_t got;
    while ((got = read(fd, chunk, sizeof chunk)) != 0) {
        if (got < 0 && errno != EINTR)
            return ST_INVALID;
        if (got > 0)
            buf_append(text, chunk, (size_t)got);
        if (text->failed != ST_OK)
            break;
    }
    return ST_OK;
}

static enum status read_file(const char *path, struct buf *text, struct err *err)
{
    enum status status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read_descriptor(fd, text) != ST_OK)
        status = err_set(err, ST_INVALID, "%s: %s", path, strerror(errno));
    else if (text->failed == ST_INVALID)
        status = err_set(err, ST_INVALID, "%s: larger than 1 MiB", path);
    else
        status = buf_check(text, path, err);
    if (fd >= 0)
        close(fd);
    return status;
}

static enum status set_defaults(struct settings *settings, struct err *err)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct settings_entry *entry = &settings_table[i];
        enum status status = settings_value_read(entry, span_str(entry->fallback), settings, err);
        if (status == ST_OK)
            continue;
        err_context(err, "[%s] %s: default", entry->section, entry->key);
        return status == ST_TEMP ? ST_TEMP : ST_BROKEN;
    }
    return ST_OK;
}

static enum status load_file(struct settings *settings, struct buf *problems, struct buf *warnings,
                             struct err *err)
{
    struct buf text = BUF_INIT(FILE_MAX);
    struct reader reader = {.path = settings->path,
                            .settings = settings,
                            .problems = problems,
                            .warnings = warnings,
                            .err = err};
    enum status status = read_file(settings->path, &text, err);
    if (status == ST_OK)
        status = read_all(&reader, buf_span(&text));
    else if (problems != NULL && err != NULL)
        buf_printf(problems, "%s\n", err->text);
    buf_clear(&text);
    return status;
}

enum status settings_load(const char *path, struct buf *problems, struct buf *warnings,
                          struct settings **out, struct err *err)
{
    *out = NULL;
    struct settings *settings = calloc(1, sizeof *settings);
    if (settings == NULL)
        return err_set(err, ST_TEMP, "no memory for the settings");
    enum status status = set_defaults(settings, err);
    if (status == ST_OK && path != NULL) {
        settings->path = strdup(path);
        status = settings->path == NULL ? err_set(err, ST_TEMP, "no memory for the settings")
                                        : load_file(settings, problems, warnings, err);
    }
    if (status == ST_OK)
        *out = settings;
    else
        settings_free(settings);
    return status;
}

enum status settings_read(const char *name, struct span text, struct settings **out,
                          struct err *err)
{
    struct reader reader = {.path = name, .err = err};
    enum status status = settings_load(NULL, NULL, NULL, out, err);
    if (status != ST_OK)
        return status;
    reader.settings = *out;
    status = read_all(&reader, text);
    if (status == ST_OK)
        return ST_OK;
    settings_free(*out);
    *out = NULL;
    return status;
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < settings_table_count; i++)
        if (settings_table[i].type == TYPE_TEXT || settings_table[i].type == TYPE_WORD)
            free(*settings_text_at(&settings_table[i], settings));
    free(settings->path);
    free(settings);
}
