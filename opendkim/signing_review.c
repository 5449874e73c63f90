/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "opendkim/signing_internal.h"

/* Keys that are patterns cost a walk each. */
enum { PATTERN_KEYS_MAX = 1000 };

static void note_setting(const struct signing *signing, const char *name, const char *text)
{
    const struct configuration *configuration = signing->options.configuration;
    if (configuration_find(configuration, name) != NULL)
        notes_add(signing->options.notes, NOTES_REFUSED, configuration_place(configuration, name),
                  "%s: %s", name, text);
}

/* Those that are not asked for beside a KeyTable. */
static void review_alone(const struct signing *signing)
{
    const struct configuration *configuration = signing->options.configuration;
    bool keys = configuration_find(configuration, "KeyTable") != NULL;
    for (size_t i = 0; i < configuration->count; i++) {
        const struct configuration_value *value = &configuration->list[i];
        if (value->known->fate == CONFIGURATION_ALONE && value->file[0] != '\0')
            notes_add(signing->options.notes, keys ? NOTES_NOTICE : NOTES_TAKEN,
                      (struct notes_place){value->file, value->line}, "%s: %s: %s",
                      value->known->name,
                      keys ? "needs nothing: OpenDKIM does not ask for it beside a KeyTable"
                           : "is taken over",
                      value->known->remark);
    }
}

static void review_settings(const struct signing *signing)
{
    const struct configuration *configuration = signing->options.configuration;
    const char *script = "what the script decides is not known here";
    note_setting(signing, "SetupPolicyScript", script);
    note_setting(signing, "ScreenPolicyScript", script);
    note_setting(signing, "FinalPolicyScript", script);
    review_alone(signing);
    if (configuration_flag(configuration, "MultipleSignatures"))
        notes_add(signing->options.notes, NOTES_NOTICE,
                  configuration_place(configuration, "MultipleSignatures"),
                  "MultipleSignatures: of three signatures and more OpenDKIM makes the first and "
                  "the last");
    if ((signing->mode & SIGNING_MODE_SIGN) == 0)
        notes_add(signing->options.notes, NOTES_NOTICE, configuration_place(configuration, "Mode"),
                  "Mode: without s OpenDKIM does not verify mail either that it would have signed");
}

static void note_row(const struct signing *signing, enum notes_grade grade,
                     const struct table_row *row, const char *text)
{
    notes_add(signing->options.notes, grade, row->place, "SigningTable: %.*s: %s",
              (int)span_head(row->key, 200).len, row->key.data, text);
}

/* A pattern where there are none. */
static void review_key(const struct signing *signing, const struct table_row *row,
                       enum table_type type)
{
    bool star = span_find(row->key, '*') < row->key.len;
    bool known =
        span_equal(row->key, SPAN_LIT("*")) || span_has_suffix_nocase(row->key, SPAN_LIT("@*"));
    if (type != TABLE_REFILE && star && !known)
        note_row(signing, NOTES_CHANGED, row,
                 "a pattern, which in a file: matches nobody (refile: is probably meant)");
    if (type != TABLE_REFILE && row->key.len > 1 && row->key.data[0] == '@')
        note_row(signing, NOTES_CHANGED, row,
                 "OpenDKIM asks for user@host and for host, and never for @host");
}

/* Whether the signer can be the i= of a signature as the key's domain. */
static bool is_within(struct span signer, struct span domain)
{
    size_t at = span_find(signer, '@');
    struct span rest = span_from(signer, at + 1);
    if (span_equal_nocase(rest, domain))
        return true;
    return rest.len > domain.len && rest.data[rest.len - domain.len - 1] == '.' &&
           span_has_suffix_nocase(rest, domain);
}

static void review_signer(const struct signing *signing, const struct table_row *row,
                          struct span signer, struct span value)
{
    struct keytable_entry entry;
    struct err ignored;
    if (signer.len == 0)
        return;
    if (span_find(signer, '@') == signer.len)
        note_row(signing, NOTES_NOTICE, row,
                 "the signer has no @; OpenDKIM passes such mail on unsigned");
    else if (span_find(signer, '%') == signer.len &&
             keytable_parse(value, &entry, &ignored) == ST_OK && !entry.any_domain &&
             !is_within(signer, entry.domain))
        note_row(signing, NOTES_NOTICE, row,
                 "the signer is not within the domain of the key; OpenDKIM leaves it out");
}

static void review_value(const struct signing *signing, const struct table_row *row)
{
    struct span parts[2];
    struct table_found found;
    struct err ignored;
    const struct table *keys = signing->sets[SIGNING_KEYS];
    if (!row->has_value || table_split(row->value, 2, parts) == 0 ||
        span_equal(parts[0], SPAN_LIT("%")))
        return;
    enum status status = table_find(keys, parts[0], &found, &ignored);
    if (status == ST_NOT_FOUND)
        note_row(signing, NOTES_REFUSED, row,
                 "its key is not in KeyTable; OpenDKIM answers 451 to all mail that it is for");
    else if (status == ST_OK && found.has_value)
        review_signer(signing, row, parts[1], found.value);
    table_found_clear(&found);
}

static void review_rules(const struct signing *signing)
{
    const struct table *rules = signing->sets[SIGNING_RULES];
    const struct table *keys = signing->sets[SIGNING_KEYS];
    if (rules == NULL || table_type_of(rules) == TABLE_FOREIGN)
        return;
    bool look = keys != NULL && table_type_of(keys) != TABLE_FOREIGN &&
                (table_type_of(keys) != TABLE_REFILE || table_count(rules) <= PATTERN_KEYS_MAX);
    for (size_t i = 0; i < table_count(rules); i++) {
        struct table_row row = table_row_at(rules, i);
        if (row.rest)
            continue;
        review_key(signing, &row, table_type_of(rules));
        if (look)
            review_value(signing, &row);
    }
}

void signing_review(const struct signing *signing)
{
    review_settings(signing);
    review_rules(signing);
}
