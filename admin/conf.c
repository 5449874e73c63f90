/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "storage/drivers.h"

struct sentence {
    char *text;
};
static const struct field sentence_fields[] = {
    OUTPUT_FIELD(struct sentence, text, FIELD_TEXT, 0),
};
static const struct kind kind_sentence = OUTPUT_KIND("sentence", struct sentence, sentence_fields);

struct verdict {
    char *path;
    int64_t ok;
};
static const struct field verdict_fields[] = {
    OUTPUT_FIELD(struct verdict, path, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct verdict, ok, FIELD_BOOL, 0),
};
static const struct kind kind_verdict = OUTPUT_KIND("settings", struct verdict, verdict_fields);

/* The lines as a list in JSON, as sentences on standard error for people. */
static void tell(struct output *output, const char *member, struct span lines)
{
    struct span line;
    if (!output->json) {
        admin_warn_lines(lines);
        return;
    }
    output_list_begin(output, member);
    while (span_next(&lines, '\n', &line)) {
        char *text = line.len == 0 ? NULL : span_dup(line);
        if (text != NULL)
            output_record(output, &kind_sentence, &(struct sentence){text});
        free(text);
    }
    output_list_end(output, &kind_sentence);
}

/* The line of the file that sets store.url, 0 when it is default. */
static int line_of_url(const struct settings *settings)
{
    struct settings_walk walk = {.settings = settings};
    struct settings_row row;
    int line = 0;
    while (settings_next(&walk, &row))
        if (strcmp(row.section, "store") == 0 && strcmp(row.key, "url") == 0)
            line = row.line;
    return line;
}

/* Which stores there are is not base's to know: only the drivers of this build say. */
static enum status check_store(const char *path, const struct settings *settings,
                               struct buf *problems, struct err *err)
{
    const struct driver *driver;
    enum status status = drivers_find(settings->store.url, &driver, err);
    if (status != ST_OK)
        buf_printf(problems, "%s:%d: %s\n", path, line_of_url(settings), err->text);
    return status;
}

static enum status check(struct admin *admin, const struct args *args, struct err *err)
{
    struct buf problems = BUF_INIT(0), warnings = BUF_INIT(0);
    const char *path = settings_path(admin->config);
    struct verdict verdict = {.path = span_dup(span_str(path))};
    (void)args;
    enum status status = settings_load(path, &problems, &warnings, &admin->settings, err);
    if (status == ST_OK)
        status = check_store(path, admin->settings, &problems, err);
    verdict.ok = status == ST_OK;
    if (admin->output.json)
        output_begin(&admin->output, &kind_verdict, &verdict);
    tell(&admin->output, "problems", buf_span(&problems));
    tell(&admin->output, "warnings", buf_span(&warnings));
    if (admin->output.json)
        output_end(&admin->output);
    else if (status == ST_OK)
        output_line(&admin->output, "%s: ok", path);
    if (problems.len > 0)
        err_set(err, status, "%s", ""); /* each was told */
    kind_clear(&kind_verdict, &verdict);
    buf_clear(&problems);
    buf_clear(&warnings);
    return status;
}

struct row {
    char *section, *key, *value, *source;
};
static const struct field row_fields[] = {
    OUTPUT_FIELD(struct row, section, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct row, key, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct row, source, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct row, value, FIELD_TEXT, 0),
};
static const struct kind kind_row = OUTPUT_KIND("setting", struct row, row_fields);

static void show_row(struct output *output, const struct settings_row *setting)
{
    struct buf source = BUF_INIT(0);
    if (setting->line == 0)
        buf_append_str(&source, "default");
    else
        buf_printf(&source, "line %d", setting->line);
    struct row row = {.section = span_dup(span_str(setting->section)),
                      .key = span_dup(span_str(setting->key)),
                      .value = span_dup(span_str(setting->value)),
                      .source = buf_take(&source)};
    output_record(output, &kind_row, &row);
    kind_clear(&kind_row, &row);
}

static enum status show(struct admin *admin, const struct args *args, struct err *err)
{
    struct settings_row setting;
    struct settings_walk walk = {.next = 0};
    (void)args;
    enum status status = admin_settings(admin, &walk.settings, err);
    if (status != ST_OK)
        return status;
    output_list_begin(&admin->output, NULL);
    while (settings_next(&walk, &setting))
        show_row(&admin->output, &setting);
    output_list_end(&admin->output, &kind_row);
    return ST_OK;
}

static const struct command commands[] = {
    {"check", "", "reads the settings and tells everything that is wrong with them", check},
    {"show", "", "shows every setting, its value and where it came from", show},
    {NULL, NULL, NULL, NULL},
};

const struct noun conf_noun = {"conf", "the settings", commands};
