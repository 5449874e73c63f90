/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/delegation.h"
#include "admin/lifecycle.h"
#include "dns/update.h"

struct publish {
    struct tsig_key key;
    struct update_server *server;
    uint32_t ttl_s;
    bool dry_run;
};

/* What is to be done for one key. */
struct plan {
    const struct key *key;
    struct publish_result *result;
    struct record record, gravestone; /* what may stand there of ours */
    struct span wanted;               /* what must: one of them, or nothing */
    enum publish_action action;
    struct span before; /* of a change */
    char zone[NAME_SIZE];
};

/* -- opening -------------------------------------------------------------------------------- */

enum status publish_open(struct admin *admin, struct publish **out, struct err *err)
{
    const struct settings *settings;
    enum status status = admin_settings(admin, &settings, err);
    if (status != ST_OK)
        return status;
    if (settings->dns.update_server[0] == '\0')
        return err_set(err, ST_INVALID,
                       "[dns] update_server is not set: there is no server to send updates to");
    struct publish *publish = calloc(1, sizeof *publish);
    if (publish == NULL)
        return err_set(err, ST_TEMP, "no memory");
    bool sign = settings->dns.tsig_key_file[0] != '\0';
    if (sign)
        status = tsig_read(settings->dns.tsig_key_file, &publish->key, err);
    const struct update_options options = {.server = settings->dns.update_server,
                                           .key = sign ? &publish->key : NULL,
                                           .timeout_ms = settings->dns.timeout_ms};
    if (status == ST_OK)
        status = update_open(&options, &publish->server, err);
    if (status != ST_OK) {
        publish_close(publish);
        return status;
    }
    publish->dry_run = admin->dry_run;
    publish->ttl_s = (uint32_t)settings->dns.ttl_s;
    *out = publish;
    return ST_OK;
}

void publish_close(struct publish *publish)
{
    if (publish == NULL)
        return;
    update_close(publish->server);
    tsig_clear(&publish->key);
    free(publish);
}

/* -- one key -------------------------------------------------------------------------------- */

static enum status make_records(struct plan *plan, struct err *err)
{
    const struct key *key = plan->key;
    enum key_state state = (enum key_state)key->state;
    struct records_key shown = {.domain = key->domain,
                                .selector = key->selector,
                                .target = key->target,
                                .algorithm = (enum dkim_algorithm)key->algorithm};
    enum status status = records_of_key(&shown, &plan->gravestone, err);
    shown.public_octets = buf_span(&key->public_key);
    if (status == ST_OK)
        status = records_of_key(&shown, &plan->record, err);
    if (status != ST_OK)
        return status;
    if (lifecycle_is_gravestone(state))
        plan->wanted = buf_span(&plan->gravestone.value);
    else if (lifecycle_has_record(state))
        plan->wanted = buf_span(&plan->record.value);
    snprintf(plan->result->name, sizeof plan->result->name, "%s", plan->record.name);
    return ST_OK;
}

static void decide(struct plan *plan, enum publish_action action, const char *reason)
{
    plan->action = action;
    snprintf(plan->result->reason, sizeof plan->result->reason, "%s", reason);
}

/* Whether a record that is not written as ours says the same to everybody who verifies. */
static bool says_the_same(const struct plan *plan, struct span value)
{
    struct dkim_key_record record;
    struct err err;
    bool same = dkim_key_record_parse(value, &record, &err) == ST_OK;
    if (same && lifecycle_is_gravestone((enum key_state)plan->key->state))
        same = record.revoked;
    else if (same)
        same = !record.revoked && record.sha256 && record.email && !record.testing &&
               record.algorithm == (enum dkim_algorithm)plan->key->algorithm &&
               span_equal(buf_span(&record.public_octets), buf_span(&plan->key->public_key));
    dkim_key_record_clear(&record);
    return same;
}

/* One record stands there. */
static void decide_over(struct plan *plan, struct span standing)
{
    bool key_record = span_equal(standing, buf_span(&plan->record.value));
    bool gravestone = span_equal(standing, buf_span(&plan->gravestone.value));
    plan->before = key_record ? buf_span(&plan->record.value) : buf_span(&plan->gravestone.value);
    if (plan->wanted.len == 0 && (key_record || gravestone))
        decide(plan, PUBLISH_REMOVED, "");
    else if (plan->wanted.len == 0)
        decide(plan, PUBLISH_UNCHANGED, "somebody else's record stands there");
    else if (span_equal(standing, plan->wanted))
        decide(plan, PUBLISH_UNCHANGED, "");
    else if (key_record || (gravestone && delegation_has(plan->key)))
        decide(plan, PUBLISH_REPLACED, "");
    else if (says_the_same(plan, standing))
        decide(plan, PUBLISH_UNCHANGED, "a record that says the same stands there");
    else
        decide(plan, PUBLISH_REFUSED, "somebody else's record stands there");
}

static void decide_by(struct plan *plan, const struct query_answer *standing)
{
    char reason[ERR_TEXT_SIZE];
    enum publish_action blocked = plan->wanted.len == 0 ? PUBLISH_UNCHANGED : PUBLISH_REFUSED;
    plan->before = (struct span){NULL, 0};
    if (standing->alias[0] != '\0') {
        snprintf(reason, sizeof reason, "a CNAME to %.150s stands there", standing->alias);
        decide(plan, blocked, reason);
    } else if (standing->text_count == 1) {
        decide_over(plan, buf_span(&standing->texts[0]));
    } else if (standing->text_count > 1) {
        snprintf(reason, sizeof reason, "%zu TXT records stand there", standing->text_count);
        decide(plan, blocked, reason);
    } else {
        decide(plan, plan->wanted.len == 0 ? PUBLISH_UNCHANGED : PUBLISH_ADDED, "");
    }
}

static bool is_change(enum publish_action action)
{
    return action == PUBLISH_ADDED || action == PUBLISH_REPLACED || action == PUBLISH_REMOVED;
}

/* What to do, by what stands there, and in which zone. */
static enum status look(struct publish *publish, struct plan *plan, struct err *err)
{
    struct query_answer standing;
    const char *name = plan->record.name;
    bool wildcard = false;
    enum status status = update_look(publish->server, name, &standing, err);
    if (status == ST_OK)
        decide_by(plan, &standing);
    /* A wildcard may hold our very gravestone, for all keys that never were. */
    if (status == ST_OK && (plan->action == PUBLISH_REFUSED || plan->action == PUBLISH_REMOVED))
        status = update_is_wildcard(publish->server, name, &standing, &wildcard, err);
    if (wildcard) {
        decide(plan, plan->wanted.len == 0 ? PUBLISH_UNCHANGED : PUBLISH_ADDED, "");
        plan->before = (struct span){NULL, 0};
    }
    if (status == ST_OK && is_change(plan->action))
        status = update_zone(publish->server, name, plan->zone, err);
    query_clear(&standing);
    return status;
}

/* A fault of one record is its result; only that nobody answers is everybody's. */
static enum status absorb(const struct publish *publish, struct plan *plan, enum status status,
                          struct err *err)
{
    if (status == ST_OK)
        return ST_OK;
    bool refused = status == ST_NOT_FOUND || status == ST_CONFLICT || status == ST_DENIED ||
                   status == ST_INVALID;
    bool failed = status == ST_TEMP && !update_is_away(publish->server);
    if (!refused && !failed)
        return status;
    decide(plan, refused ? PUBLISH_REFUSED : PUBLISH_FAILED, err->text);
    plan->result->action = plan->action;
    plan->result->elsewhere = status == ST_NOT_FOUND;
    err_clear(err);
    return ST_OK;
}

static enum status prepare(struct publish *publish, struct plan *plan, struct err *err)
{
    enum status status = make_records(plan, err);
    if (status == ST_OK)
        status = look(publish, plan, err);
    if (status == ST_NOT_FOUND && plan->wanted.len == 0) {
        decide(plan, PUBLISH_UNCHANGED, "");
        status = ST_OK;
    }
    if (status == ST_OK && (publish->dry_run || !is_change(plan->action)))
        plan->result->action = plan->action;
    return absorb(publish, plan, status, err);
}

/* -- the changes ---------------------------------------------------------------------------- */

/* Which of the plans are still to be done, those of one zone together. */
struct todo {
    struct plan **plans;
    struct update_change *changes; /* one for each */
    size_t count;
};

static int compare_zones(const void *a, const void *b)
{
    const struct plan *const *left = a, *const *right = b;
    int order = strcmp((*left)->zone, (*right)->zone);
    return order != 0 ? order : strcmp((*left)->record.name, (*right)->record.name);
}

static enum status take_outcomes(const struct publish *publish, struct plan **plans,
                                 const struct update_zone_changes *sent, struct err *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; i < sent->count; i++) {
        const struct update_change *change = &sent->changes[i];
        if (change->status == ST_OK) {
            plans[i]->result->action = plans[i]->action;
        } else {
            *err = change->err;
            enum status grave = absorb(publish, plans[i], change->status, err);
            status = status == ST_OK ? grave : status;
        }
    }
    return status;
}

/* The changes of the zone of the first plan; *count_out is how many they are. */
static enum status send_zone(struct publish *publish, const struct todo *todo, size_t *count_out,
                             struct err *err)
{
    struct plan **plans = todo->plans;
    struct update_zone_changes part = {
        .zone = plans[0]->zone, .ttl_s = publish->ttl_s, .changes = todo->changes};
    while (part.count < todo->count && strcmp(plans[part.count]->zone, part.zone) == 0) {
        const struct plan *plan = plans[part.count];
        part.changes[part.count++] = (struct update_change){
            .name = plan->record.name, .before = plan->before, .after = plan->wanted};
    }
    *count_out = part.count;
    /* What it gives is the gravest of the outcomes, which are taken one by one. */
    if (update_send(publish->server, &part, err) != ST_OK)
        err_clear(err);
    return take_outcomes(publish, plans, &part, err);
}

static enum status send_all(struct publish *publish, const struct todo *todo, struct err *err)
{
    enum status status = ST_OK;
    for (size_t done = 0, sent = 0; status == ST_OK && done < todo->count; done += sent) {
        struct todo rest = {todo->plans + done, todo->changes + done, todo->count - done};
        status = send_zone(publish, &rest, &sent, err);
    }
    return status;
}

static enum status send_changes(struct publish *publish, struct plan *plans, size_t count,
                                struct err *err)
{
    struct todo todo = {calloc(count, sizeof *todo.plans), calloc(count, sizeof *todo.changes), 0};
    enum status status = ST_OK;
    if (todo.plans == NULL || todo.changes == NULL)
        status = err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; status == ST_OK && i < count; i++)
        if (plans[i].result->action == PUBLISH_NOT_TRIED)
            todo.plans[todo.count++] = &plans[i];
    if (status == ST_OK && todo.count > 0) {
        qsort(todo.plans, todo.count, sizeof *todo.plans, compare_zones);
        status = send_all(publish, &todo, err);
    }
    free(todo.plans);
    free(todo.changes);
    return status;
}

/* -- all ------------------------------------------------------------------------------------ */

enum status publish_keys(struct publish *publish, const struct key *keys, size_t count,
                         struct publish_result *results, struct err *err)
{
    struct plan *plans = calloc(count > 0 ? count : 1, sizeof *plans);
    enum status status = plans != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < count; i++)
        results[i] = (struct publish_result){.action = PUBLISH_NOT_TRIED};
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        plans[i].key = &keys[i];
        plans[i].result = &results[i];
        status = prepare(publish, &plans[i], err);
    }
    if (status == ST_OK)
        status = send_changes(publish, plans, count, err);
    for (size_t i = 0; plans != NULL && i < count; i++) {
        records_clear(&plans[i].record);
        records_clear(&plans[i].gravestone);
    }
    free(plans);
    return status;
}
