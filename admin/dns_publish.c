/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "admin/dns.h"
#include "admin/progress.h"
#include "admin/publish.h"
#include "admin/rows.h"

struct run {
    struct admin *admin;
    struct publish *publish;
    struct progress progress;
    int64_t counts[PUBLISH_ACTIONS];
};

/* How an action is called, and the verb that people are told it by. */
static const struct action {
    const char *name, *verb;
} actions[] = {
    [PUBLISH_ADDED] = {"added", "add"},        [PUBLISH_REPLACED] = {"replaced", "replace"},
    [PUBLISH_REMOVED] = {"removed", "remove"}, [PUBLISH_UNCHANGED] = {"unchanged", NULL},
    [PUBLISH_REFUSED] = {"refused", NULL},     [PUBLISH_FAILED] = {"failed", NULL},
};

struct publish_row {
    char *domain, *selector, *name, *action, *reason;
};

static const struct field row_fields[] = {
    OUTPUT_FIELD(struct publish_row, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct publish_row, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct publish_row, name, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct publish_row, action, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct publish_row, reason, FIELD_TEXT, 0),
};
static const struct kind row_kind = OUTPUT_KIND("publish", struct publish_row, row_fields);

static void tell_json(struct output *output, const struct key *key, struct publish_result *result)
{
    /* The tables of fields have no constant texts; nothing here is written to. */
    char *action = (char *)(uintptr_t)actions[result->action].name;
    struct publish_row row = {key->domain, key->selector, result->name, action, result->reason};
    output_record(output, &row_kind, &row);
}

/* What was left as it is, as it should be, is only counted. */
static void tell_people(struct admin *admin, const struct publish_result *result)
{
    const struct action *action = &actions[result->action];
    if (action->verb != NULL)
        admin_did(admin, action->verb, "record %s", result->name);
    else if (result->action == PUBLISH_UNCHANGED && result->reason[0] != '\0')
        output_line(&admin->output, "left record %s: %s", result->name, result->reason);
    else if (result->action != PUBLISH_UNCHANGED)
        admin_warn("%s record %s: %s", action->name, result->name, result->reason);
}

static void tell(struct run *run, const struct key *key, struct publish_result *result)
{
    if (result->action == PUBLISH_NOT_TRIED)
        return;
    run->counts[result->action]++;
    if (run->admin->output.json)
        tell_json(&run->admin->output, key, result);
    else
        tell_people(run->admin, result);
}

static enum status publish_page(void *arg, struct rows *page, struct err *err)
{
    struct run *run = arg;
    struct publish_result *results = calloc(page->count, sizeof *results);
    if (results == NULL)
        return err_set(err, ST_TEMP, "no memory");
    enum status status = publish_keys(run->publish, page->records, page->count, results, err);
    progress_end(&run->progress);
    for (size_t i = 0; i < page->count; i++)
        tell(run, rows_at(page, i), &results[i]);
    progress_add(&run->progress, (int64_t)page->count);
    free(results);
    return status;
}

/* What was said in full has an empty error. */
static enum status sum_up(const struct run *run, struct err *err)
{
    const int64_t *counts = run->counts;
    output_line(&run->admin->output,
                "%" PRId64 " added, %" PRId64 " replaced, %" PRId64 " removed, %" PRId64
                " unchanged, %" PRId64 " refused, %" PRId64 " failed",
                counts[PUBLISH_ADDED], counts[PUBLISH_REPLACED], counts[PUBLISH_REMOVED],
                counts[PUBLISH_UNCHANGED], counts[PUBLISH_REFUSED], counts[PUBLISH_FAILED]);
    if (counts[PUBLISH_FAILED] > 0)
        return err_set(err, ST_TEMP, "%s", "");
    if (counts[PUBLISH_REFUSED] > 0)
        return err_set(err, ST_CONFLICT, "%s", "");
    return ST_OK;
}

static enum status publish_all(struct run *run, const struct query *query, struct err *err)
{
    struct store *store;
    int64_t total = 0;
    enum status status = admin_store(run->admin, &store, err);
    if (status == ST_OK)
        status = rows_count(store, query, &total, err);
    if (status != ST_OK)
        return status;
    progress_begin(&run->progress, "publishing", total);
    output_list_begin(&run->admin->output, NULL);
    status = rows_walk(store, query, publish_page, run, err);
    progress_end(&run->progress);
    output_list_end(&run->admin->output, &row_kind); /* what was done is told in any case */
    return status == ST_OK ? sum_up(run, err) : status;
}

enum status dns_publish(struct admin *admin, const struct args *args, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    struct query query;
    struct run run = {.admin = admin};
    enum status status = dns_which_keys(admin, args, name, &query, err);
    if (status == ST_OK)
        status = publish_open(admin, &run.publish, err);
    if (status == ST_OK)
        status = publish_all(&run, &query, err);
    publish_close(run.publish);
    return status;
}
