/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/settings_table.h"

/* Only what says who may sign can be tried beside what holds, and not the trial itself. */
static const struct settings_entry *find_entry(struct span key)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct settings_entry *entry = &settings_table[i];
        if (strcmp(entry->section, "trust") == 0 && strcmp(entry->key, "shadow") != 0 &&
            span_equal(key, span_str(entry->key)))
            return entry;
    }
    return NULL;
}

static enum status set_one(struct span pair, struct settings *settings, struct err *err)
{
    size_t equals = span_find(pair, '=');
    struct span key = span_trim(span_head(pair, equals));
    const struct settings_entry *entry = find_entry(key);
    if (equals == pair.len || entry == NULL)
        return err_set(err, ST_INVALID, "%.*s: no setting of [trust] with its value",
                       (int)span_head(key, 100).len, key.data);
    enum status status =
        settings_value_read(entry, span_trim(span_from(pair, equals + 1)), settings, err);
    return status == ST_OK ? ST_OK : err_context(err, "%s", entry->key);
}

static enum status set_all(struct span pairs, struct settings *settings, struct err *err)
{
    enum status status = ST_OK;
    struct span pair;
    while (status == ST_OK && span_next(&pairs, ';', &pair)) {
        if (span_trim(pair).len > 0)
            status = set_one(span_trim(pair), settings, err);
    }
    return status;
}

enum status settings_check_shadow(struct span value, struct err *err)
{
    struct settings *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL)
        return err_set(err, ST_TEMP, "no memory for the settings");
    enum status status = set_all(value, scratch, err);
    settings_free(scratch);
    return status;
}

/* The texts of a copy are its own. */
static enum status copy(const struct settings *settings, struct settings *out, struct err *err)
{
    bool whole = true;
    *out = *settings;
    out->path = NULL;
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct settings_entry *entry = &settings_table[i];
        if (entry->type != TYPE_TEXT && entry->type != TYPE_WORD)
            continue;
        char **text = settings_text_at(entry, out);
        *text = *text != NULL ? strdup(*text) : NULL;
        whole = whole && *text != NULL;
    }
    return whole ? ST_OK : err_set(err, ST_TEMP, "no memory for the settings");
}

enum status settings_shadow(const struct settings *settings, struct settings **out, struct err *err)
{
    *out = NULL;
    if (settings->trust.shadow[0] == '\0')
        return ST_OK;
    struct settings *shadow = calloc(1, sizeof *shadow);
    if (shadow == NULL)
        return err_set(err, ST_TEMP, "no memory for the settings");
    enum status status = copy(settings, shadow, err);
    if (status == ST_OK)
        status = set_all(span_str(settings->trust.shadow), shadow, err);
    if (status == ST_OK)
        *out = shadow;
    else
        settings_free(shadow);
    return status;
}
