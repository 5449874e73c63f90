/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_report.h"

#include <stdlib.h>

#include "admin/remark.h"

/* -- the answer's tables ---------------------------------------------------------------------- */

struct sum {
    int64_t dry_run, keys, rules, added, existed, failed;
    int64_t taken, changed, refused, unverifiable, unknown, notice;
    char *conf;
};
static const struct field sum_fields[] = {
    {.name = "dry_run", .type = FIELD_BOOL, .offset = offsetof(struct sum, dry_run)},
    OUTPUT_FIELD(struct sum, keys, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, rules, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, added, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, existed, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, failed, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, taken, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, changed, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, refused, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, unverifiable, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, unknown, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, notice, FIELD_INT, 0),
    OUTPUT_FIELD(struct sum, conf, FIELD_TEXT, 0),
};
static const struct kind kind_sum = OUTPUT_KIND("import", struct sum, sum_fields);

struct taken_key {
    char *domain, *selector, *algorithm;
    int64_t bits, reserved;
};
static const struct field key_fields[] = {
    OUTPUT_FIELD(struct taken_key, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct taken_key, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct taken_key, algorithm, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct taken_key, bits, FIELD_INT, 0),
    OUTPUT_FIELD(struct taken_key, reserved, FIELD_BOOL, 0),
};
static const struct kind kind_taken_key = OUTPUT_KIND("key", struct taken_key, key_fields);

struct taken_rule {
    char *pattern, *domain, *selector, *identity;
};
static const struct field rule_fields[] = {
    OUTPUT_FIELD(struct taken_rule, pattern, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct taken_rule, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct taken_rule, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct taken_rule, identity, FIELD_TEXT, 0),
};
static const struct kind kind_taken_rule = OUTPUT_KIND("rule", struct taken_rule, rule_fields);

/* -- JSON ------------------------------------------------------------------------------------- */

static char *lent(const char *text)
{
    return (char *)(uintptr_t)text;
}

static struct sum sum_of(const struct admin *admin, const struct takeover_report *report)
{
    const struct takeover_store *store = report->store;
    const struct notes *notes = store->takeover->notes;
    return (struct sum){.dry_run = admin->dry_run,
                        .keys = HASH_COUNT(store->takeover->keys),
                        .rules = (int64_t)store->takeover->rule_count,
                        .added = store->added,
                        .existed = store->existed,
                        .failed = store->failed,
                        .taken = (int64_t)notes_count_of(notes, NOTES_TAKEN),
                        .changed = (int64_t)notes_count_of(notes, NOTES_CHANGED),
                        .refused = (int64_t)notes_count_of(notes, NOTES_REFUSED),
                        .unverifiable = (int64_t)notes_count_of(notes, NOTES_UNVERIFIABLE),
                        .unknown = (int64_t)notes_count_of(notes, NOTES_UNKNOWN),
                        .notice = (int64_t)notes_count_of(notes, NOTES_NOTICE)};
}

static void tell_records(struct output *output, const struct takeover *takeover)
{
    output_list_begin(output, "key_list");
    for (const struct takeover_key *key = takeover->keys; key != NULL; key = key->hh.next) {
        const struct key *draft = &key->material->draft.key;
        const char *algorithm = dkim_algorithm_name((enum dkim_algorithm)draft->algorithm);
        struct taken_key row = {key->domain, key->selector, lent(algorithm), draft->bits,
                                !key->own};
        output_record(output, &kind_taken_key, &row);
    }
    output_list_end(output, &kind_taken_key);
    output_list_begin(output, "rule_list");
    for (size_t i = 0; i < takeover->rule_count; i++) {
        const struct rule *rule = &takeover->rules[i];
        output_record(
            output, &kind_taken_rule,
            &(struct taken_rule){rule->pattern, rule->domain, rule->selector, rule->identity});
    }
    output_list_end(output, &kind_taken_rule);
}

static void tell_json(struct output *output, const struct takeover_report *report, struct sum *sum)
{
    const struct takeover *takeover = report->store->takeover;
    sum->conf = span_dup(report->conf);
    output_begin(output, &kind_sum, sum);
    remark_list_tell(output, takeover->notes);
    tell_records(output, takeover);
    output_end(output);
    free(sum->conf);
}

/* -- people -------------------------------------------------------------------------------------
 */

static void tell_note(struct output *output, const struct note *note)
{
    if (note->file[0] != '\0' && note->line > 0)
        output_line(output, "%s:%zu: %s: %s", note->file, note->line, notes_grade_name(note->grade),
                    note->text);
    else
        output_line(output, "%s%s%s: %s", note->file, note->file[0] != '\0' ? ": " : "",
                    notes_grade_name(note->grade), note->text);
}

static void tell_people(struct output *output, const struct takeover_report *report,
                        const struct sum *sum)
{
    const struct notes *notes = report->store->takeover->notes;
    for (size_t i = 0; i < notes_count(notes); i++)
        tell_note(output, notes_at(notes, i));
    output_line(output, "%lld taken, %lld changed, %lld refused, %lld unknown",
                (long long)sum->taken, (long long)sum->changed, (long long)sum->refused,
                (long long)sum->unknown);
    if (sum->unverifiable > 0)
        output_line(output, "%lld unverifiable", (long long)sum->unverifiable);
    output_line(output, "%lld keys and %lld rules: %lld %s, %lld existed, %lld failed%s",
                (long long)sum->keys, (long long)sum->rules, (long long)sum->added,
                sum->dry_run ? "would be added" : "added", (long long)sum->existed,
                (long long)sum->failed, sum->dry_run ? "; nothing was changed, --yes does it" : "");
}

void takeover_report_tell(struct admin *admin, const struct takeover_report *report)
{
    struct sum sum = sum_of(admin, report);
    if (admin->output.json)
        tell_json(&admin->output, report, &sum);
    else
        tell_people(&admin->output, report, &sum);
}
