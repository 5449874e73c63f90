/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "admin/command.h"
#include "admin/rotation.h"
#include "admin/rotation_status.h"
#include "admin/rows.h"
#include "base/clock.h"

enum { FAILURES_DEFAULT = 100 };

/* -- plan and run ------------------------------------------------------------------------------ */

struct options {
    struct rotation_options options;
    char domain[DKIM_DOMAIN_SIZE];
};

/* Those given on the command line must exist. */
static enum status check_scope(struct admin *admin, const struct options *in, struct err *err)
{
    struct store *store;
    struct domain domain = {.name = NULL};
    struct tenant tenant = {.name = NULL};
    enum status status = admin_store(admin, &store, err);
    if (status == ST_OK && in->options.domain != NULL)
        status = admin_named(store_domain(store, in->domain, &domain, err), err);
    if (status == ST_OK && in->options.tenant != NULL)
        status = admin_named(store_tenant(store, in->options.tenant, &tenant, err), err);
    kind_clear(&kind_domain, &domain);
    kind_clear(&kind_tenant, &tenant);
    return status;
}

static enum status read_options(struct admin *admin, const struct args *args, struct options *out,
                                struct err *err)
{
    const struct args_range any = {0, INT32_MAX};
    const char *domain = args_option(args, "--domain");
    enum status status = ST_OK;
    *out = (struct options){
        .options = {.tenant = args_option(args, "--tenant"), .max_failures = FAILURES_DEFAULT}};
    if (domain != NULL) {
        status = admin_domain_name(domain, out->domain, err);
        out->options.domain = out->domain;
    }
    if (status == ST_OK)
        status = args_number(args, "--limit", any, &out->options.limit, err);
    if (status == ST_OK)
        status = args_number(args, "--max-failures", any, &out->options.max_failures, err);
    return status == ST_OK ? check_scope(admin, out, err) : status;
}

static void tell(void *arg, const struct rotation_deed *deed)
{
    struct admin *admin = arg;
    char at[CLOCK_DATE_SIZE] = "";
    if (admin->output.json) {
        output_record(&admin->output, &rotation_deed_kind, deed);
        return;
    }
    if (deed->at > 0)
        clock_date(deed->at, at);
    output_line(&admin->output, "%s %s: %s%s%s%s%s (%s)", deed->domain, deed->selector, deed->deed,
                at[0] != '\0' ? " until " : "", at, deed->successor != NULL ? " " : "",
                deed->successor != NULL ? deed->successor : "", deed->reason);
}

static void sum_up(struct admin *admin, const struct rotation_options *options,
                   const struct rotation_counts *counts)
{
    const char *verb = options->plan || admin->dry_run ? "would change" : "changed";
    output_line(&admin->output, "due: %" PRId64 ", %s: %" PRId64 ", failed: %" PRId64,
                counts->looked, verb, counts->changed, counts->failed);
}

static enum status answer(const struct rotation_options *options,
                          const struct rotation_counts *counts, struct err *err)
{
    if (counts->stopped)
        return err_set(err, ST_NOT_FOUND,
                       "stopped after %" PRId64 " failures (--max-failures %" PRId64
                       "): nothing else was done, look at them first (inkan dns check)",
                       counts->failed, options->max_failures);
    if (counts->asked > 0 && counts->silent == counts->asked)
        return err_set(err, ST_TEMP, "DNS gave no answer for any of %" PRId64 " records",
                       counts->asked);
    return ST_OK;
}

static enum status go(struct admin *admin, const struct args *args, bool plan, struct err *err)
{
    struct options in;
    struct rotation_counts counts;
    enum status status = read_options(admin, args, &in, err);
    if (status != ST_OK)
        return status;
    in.options.plan = plan;
    in.options.told = tell;
    in.options.arg = admin;
    output_list_begin(&admin->output, NULL);
    status = rotation_run(admin, &in.options, &counts, err);
    if (status == ST_OK || counts.looked > 0) { /* what was done until it failed is told as well */
        output_list_end(&admin->output, &rotation_deed_kind);
        sum_up(admin, &in.options, &counts);
    }
    return status == ST_OK ? answer(&in.options, &counts, err) : status;
}

static enum status plan(struct admin *admin, const struct args *args, struct err *err)
{
    return go(admin, args, true, err);
}

static enum status run(struct admin *admin, const struct args *args, struct err *err)
{
    return go(admin, args, false, err);
}

/* -- status ------------------------------------------------------------------------------------ */

struct summary {
    int64_t overdue, overdue_since;
    char *overdue_domain, *overdue_selector; /* the one that has waited for longest */
    int64_t oldest_active_seconds;
};
static const struct field summary_fields[] = {
    OUTPUT_FIELD(struct summary, overdue, FIELD_INT, 0),
    OUTPUT_FIELD(struct summary, overdue_since, FIELD_TIME, 0),
    OUTPUT_FIELD(struct summary, overdue_domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct summary, overdue_selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct summary, oldest_active_seconds, FIELD_INT, 0),
};
static const struct kind summary_kind = OUTPUT_KIND("summary", struct summary, summary_fields);

struct tally {
    char *state, *algorithm;
    int64_t keys;
};
static const struct field tally_fields[] = {
    OUTPUT_FIELD(struct tally, state, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct tally, algorithm, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct tally, keys, FIELD_INT, 0),
};
static const struct kind tally_kind = OUTPUT_KIND("tally", struct tally, tally_fields);

typedef void tally_told(void *arg, const struct tally *tally);

static void each_tally(const struct rotation_status *look, tally_told *told, void *arg)
{
    const struct field *state = kind_field(&kind_key, SPAN_LIT("state"));
    for (size_t s = 0; s < ROTATION_STATES; s++) {
        for (size_t a = 0; a < DKIM_ALGORITHMS; a++) {
            const char *algorithm = dkim_algorithm_name((enum dkim_algorithm)a);
            const struct tally tally = {.state = (char *)(uintptr_t)state->names[s],
                                        .algorithm = (char *)(uintptr_t)algorithm,
                                        .keys = look->keys[s][a]};
            told(arg, &tally);
        }
    }
}

static void write_tally(void *output, const struct tally *tally)
{
    if (tally->keys > 0)
        output_record(output, &tally_kind, tally);
}

/* The names are those of docs/rotation.md, "Alarms". */
static void write_metric(void *out, const struct tally *tally)
{
    buf_printf(out, "inkan_keys{state=\"%s\",algorithm=\"%s\"} %" PRId64 "\n", tally->state,
               tally->algorithm, tally->keys);
}

static void answer_metrics(struct output *output, const struct rotation_status *look)
{
    struct buf text = BUF_INIT(0);
    buf_append_str(&text, "# TYPE inkan_keys gauge\n");
    each_tally(look, write_metric, &text);
    buf_printf(&text,
               "# TYPE inkan_key_oldest_active_seconds gauge\n"
               "inkan_key_oldest_active_seconds %" PRId64 "\n"
               "# TYPE inkan_rotation_overdue gauge\ninkan_rotation_overdue %" PRId64 "\n"
               "# TYPE inkan_key_alarms gauge\n",
               look->oldest_active_s, look->overdue);
    for (int alarm = LIFECYCLE_FINE + 1; alarm < LIFECYCLE_ALARMS; alarm++)
        buf_printf(&text, "inkan_key_alarms{alarm=\"%s\"} %" PRId64 "\n",
                   rotation_alarm_name((enum lifecycle_alarm)alarm), look->alarms[alarm]);
    output_raw(output, buf_span(&text));
    buf_clear(&text);
}

static void answer_people(struct output *output, const struct rotation_status *look,
                          const struct rows *alarms)
{
    output_list_begin(output, NULL);
    each_tally(look, write_tally, output);
    output_list_end(output, &tally_kind);
    for (size_t i = 0; i < alarms->count; i++) {
        const struct rotation_alarm *alarm = rows_at(alarms, i);
        output_line(output, "%s %s: %s: %s", alarm->domain, alarm->selector, alarm->alarm,
                    alarm->advice);
    }
    if (look->overdue > 0) {
        char since[CLOCK_DATE_SIZE];
        clock_date(look->longest.due_s, since);
        output_line(output,
                    "%s %s: overdue since %s, and %" PRId64 " keys in all for more than a day: see "
                    "whether a timer starts inkan rotate run, and what it says",
                    look->longest.domain, look->longest.selector, since, look->overdue);
    }
}

static void answer_json(struct output *output, const struct rotation_status *look,
                        const struct rows *alarms)
{
    const struct summary summary = {.overdue = look->overdue,
                                    .overdue_since = look->longest.due_s,
                                    .overdue_domain = (char *)(uintptr_t)look->longest.domain,
                                    .overdue_selector = (char *)(uintptr_t)look->longest.selector,
                                    .oldest_active_seconds = look->oldest_active_s};
    output_begin(output, &summary_kind, &summary);
    output_list_begin(output, "keys");
    each_tally(look, write_tally, output);
    output_list_end(output, &tally_kind);
    output_list_begin(output, "alarms");
    for (size_t i = 0; i < alarms->count; i++)
        output_record(output, &rotation_alarm_kind, rows_at(alarms, i));
    output_list_end(output, &rotation_alarm_kind);
    output_end(output);
}

static enum status take_alarm(void *alarms, const struct rotation_alarm *alarm, struct err *err)
{
    return rows_take(alarms, alarm, err);
}

/* An alarm is an answer that is no. */
static enum status status_of_keys(struct admin *admin, const struct args *args, struct err *err)
{
    struct rotation_status look;
    struct rows alarms = {.kind = &rotation_alarm_kind};
    enum status status = rotation_look(admin, take_alarm, &alarms, &look, err);
    if (status == ST_OK && args_has(args, "--metrics"))
        answer_metrics(&admin->output, &look);
    else if (status == ST_OK)
        (admin->output.json ? answer_json : answer_people)(&admin->output, &look, &alarms);
    bool fine = alarms.count == 0 && look.overdue == 0;
    rows_clear(&alarms);
    return status != ST_OK || fine || args_has(args, "--metrics") ? status : ST_NOT_FOUND;
}

static const struct command commands[] = {
    {"plan", "[--tenant T] [--domain D] [--limit N]",
     "shows which keys are due, and for what; asks no DNS", plan},
    {"run", "[--tenant T] [--domain D] [--limit N] [--max-failures N]",
     "makes all lives of keys go on that are due", run},
    {"status", "[--metrics]",
     "counts keys, and says which need somebody (exit 1); --metrics: for Prometheus",
     status_of_keys},
    {NULL, NULL, NULL, NULL},
};

const struct noun rotate_noun = {"rotate", "keys that follow each other", commands};
