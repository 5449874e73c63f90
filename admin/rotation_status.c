/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/rotation_status.h"

#include <stdio.h>
#include <string.h>

#include "admin/cursor.h"
#include "admin/rotation_internal.h"
#include "base/clock.h"

enum { OVERDUE_S = 86400 };

static const struct field alarm_fields[] = {
    OUTPUT_FIELD(struct rotation_alarm, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct rotation_alarm, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct rotation_alarm, alarm, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct rotation_alarm, advice, FIELD_TEXT, 0),
};
const struct kind rotation_alarm_kind = OUTPUT_KIND("alarm", struct rotation_alarm, alarm_fields);

static const struct {
    const char *name, *advice;
} alarms[] = {
    [LIFECYCLE_FINE] = {"fine", ""},
    [LIFECYCLE_GONE] = {"gone",
                        "DNS does not show its record, so what it signs fails: publish it (inkan "
                        "dns check, inkan dns records) or make another key sign"},
    [LIFECYCLE_OVERAGE] = {"old",
                           "it is older than max_age: publish the record of its successor, "
                           "or see why there is none (inkan rotate plan --domain); retire it "
                           "if its algorithm is no longer wanted"},
    [LIFECYCLE_STUCK] = {"stuck", "DNS has not come to show its record for a week, so it does not "
                                  "sign: publish it (inkan dns records) or revoke it"},
};

const char *rotation_alarm_name(enum lifecycle_alarm alarm)
{
    return alarms[alarm].name;
}

/* A walk over the keys, and beside it over the domains, which come in the same order. */
struct looking {
    struct rotation rotation;
    struct cursor domains;
    struct rotation_status *status;
    rotation_alarmed *alarmed;
    void *arg;
    int64_t now_s;
};

static void count(struct rotation_status *status, const struct key *key, int64_t now_s)
{
    status->keys[key->state][key->algorithm]++;
    if (key->state == KEY_ACTIVE && now_s - key->activated > status->oldest_active_s)
        status->oldest_active_s = now_s - key->activated;
    if (key->due == 0 || key->due >= now_s - OVERDUE_S)
        return;
    if (status->overdue++ == 0 || key->due < status->longest.due_s) {
        status->longest.due_s = key->due;
        snprintf(status->longest.domain, sizeof status->longest.domain, "%s", key->domain);
        snprintf(status->longest.selector, sizeof status->longest.selector, "%s", key->selector);
    }
}

/* Goes on to the domain of a key; one that was added or removed meanwhile may be missing. */
static enum status find_domain(struct looking *looking, const struct key *key,
                               const struct domain **out, struct err *err)
{
    const struct domain wanted = {.name = key->domain};
    void *record = NULL;
    *out = NULL;
    for (;;) {
        enum status status = cursor_peek(&looking->domains, &record, err);
        if (status != ST_OK || record == NULL)
            return status;
        int order = kind_compare(&kind_domain, record, &wanted);
        if (order == 0)
            *out = record;
        if (order >= 0)
            return ST_OK;
        cursor_next(&looking->domains);
    }
}

static enum status look_at(struct looking *looking, struct key *key, struct err *err)
{
    const struct domain *domain = NULL;
    struct rotation_policy policy;
    count(looking->status, key, looking->now_s);
    enum status status = find_domain(looking, key, &domain, err);
    if (status == ST_OK && domain != NULL)
        status = rotation_policy_of(&looking->rotation, domain, &policy, err);
    if (status != ST_OK || domain == NULL)
        return status;
    if (policy.suspended)
        policy.life.max_age_s = 0; /* it gets no successor, and signs nothing */
    enum lifecycle_alarm alarm = lifecycle_alarm(key, &policy.life, looking->now_s);
    looking->status->alarms[alarm]++;
    const struct rotation_alarm told = {.domain = key->domain,
                                        .selector = key->selector,
                                        .alarm = (char *)(uintptr_t)alarms[alarm].name,
                                        .advice = (char *)(uintptr_t)alarms[alarm].advice};
    return alarm == LIFECYCLE_FINE ? ST_OK : looking->alarmed(looking->arg, &told, err);
}

static enum status look_at_page(void *arg, struct rows *page, struct err *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < page->count; i++)
        status = look_at(arg, rows_at(page, i), err);
    return status;
}

enum status rotation_look(struct admin *admin, rotation_alarmed *alarmed, void *arg,
                          struct rotation_status *out, struct err *err)
{
    const struct query query = {.kind = &kind_key};
    struct looking looking = {.rotation = {.admin = admin},
                              .status = out,
                              .alarmed = alarmed,
                              .arg = arg,
                              .now_s = clock_now_s()};
    *out = (struct rotation_status){0};
    enum status status = admin_settings(admin, &looking.rotation.settings, err);
    if (status == ST_OK)
        status = admin_store(admin, &looking.rotation.store, err);
    if (status == ST_OK) {
        cursor_init(&looking.domains, looking.rotation.store, &kind_domain);
        status = rows_walk(looking.rotation.store, &query, look_at_page, &looking, err);
        cursor_clear(&looking.domains);
    }
    rotation_homes_free(looking.rotation.homes);
    return status;
}
