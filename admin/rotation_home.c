/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "admin/rotation_internal.h"
#include "base/calendar.h"
#include "base/clock.h"

struct known_tenant {
    struct tenant tenant;
    UT_hash_handle hh; /* by tenant.name */
};

/* Keys come in the order of their domains, and there are far fewer tenants than domains. */
struct rotation_homes {
    struct domain domain; /* the one last looked up */
    struct known_tenant *tenants;
};

/* -- policy ---------------------------------------------------------------------------------- */

static int64_t first_set(int64_t of_domain, int64_t of_tenant, int64_t of_settings)
{
    return of_domain > 0 ? of_domain : of_tenant > 0 ? of_tenant : of_settings;
}

static const char *first_text(const char *of_domain, const char *of_tenant, const char *of_settings)
{
    if (of_domain != NULL && of_domain[0] != '\0')
        return of_domain;
    return of_tenant != NULL && of_tenant[0] != '\0' ? of_tenant : of_settings;
}

enum status rotation_policy(const struct settings *settings, const struct tenant *tenant,
                            const struct domain *domain, struct rotation_policy *out,
                            struct err *err)
{
    int64_t now_s = clock_now_s();
    out->suspended = domain->status == ACCOUNT_SUSPENDED || tenant->status == ACCOUNT_SUSPENDED;
    const char *freeze = first_text(domain->freeze, tenant->freeze, settings->lifecycle.freeze);
    out->life = (struct lifecycle_policy){
        .max_age_s = first_set(domain->max_age, tenant->max_age, settings->lifecycle.max_age_s),
        .soak_s = first_set(domain->soak, tenant->soak, settings->lifecycle.soak_s),
        .overlap_s = first_set(domain->overlap, tenant->overlap, settings->lifecycle.overlap_s),
        .tombstone_s =
            first_set(domain->tombstone, tenant->tombstone, settings->lifecycle.tombstone_s),
        .check_s = settings->lifecycle.check_s,
        .retry_s = settings->lifecycle.retry_s,
        .frozen_until_s = calendar_until(span_str(freeze), now_s),
        .publishes = settings->dns.update_server[0] != '\0',
    };
    const char *algorithms =
        first_text(domain->algorithms, tenant->algorithms, settings->lifecycle.algorithms);
    return keys_plan_parse(algorithms, 0, &out->plan, err);
}

/* -- domains and tenants ----------------------------------------------------------------------- */

static enum status load_domain(struct rotation *rotation, const char *name, struct err *err)
{
    struct domain *domain = &rotation->homes->domain;
    if (domain->name != NULL && strcmp(domain->name, name) == 0)
        return ST_OK;
    kind_clear(&kind_domain, domain);
    enum status status = store_domain(rotation->store, name, domain, err);
    if (status != ST_OK)
        kind_clear(&kind_domain, domain); /* else the next key of that name would find half of it */
    return status;
}

static enum status find_tenant(struct rotation *rotation, const char *name,
                               const struct tenant **out, struct err *err)
{
    struct known_tenant *known = NULL;
    HASH_FIND_STR(rotation->homes->tenants, name, known);
    if (known == NULL) {
        known = calloc(1, sizeof *known);
        if (known == NULL)
            return err_set(err, ST_TEMP, "no memory");
        enum status status = store_tenant(rotation->store, name, &known->tenant, err);
        if (status == ST_OK)
            HASH_ADD_KEYPTR(hh, rotation->homes->tenants, known->tenant.name,
                            strlen(known->tenant.name), known);
        if (known->hh.tbl == NULL) {
            kind_clear(&kind_tenant, &known->tenant);
            free(known);
            return status != ST_OK ? status : err_set(err, ST_TEMP, "no memory");
        }
    }
    *out = &known->tenant;
    return ST_OK;
}

static void choose_spec(const struct keys_plan *plan, struct rotation_turn *turn)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->specs[i].algorithm == (enum dkim_algorithm)turn->key->algorithm) {
            turn->spec = plan->specs[i];
            turn->evidence.wanted = true;
        }
    }
}

static enum status make_homes(struct rotation *rotation, struct err *err)
{
    if (rotation->homes == NULL)
        rotation->homes = calloc(1, sizeof *rotation->homes);
    return rotation->homes != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
}

enum status rotation_policy_of(struct rotation *rotation, const struct domain *domain,
                               struct rotation_policy *out, struct err *err)
{
    const struct tenant *tenant = NULL;
    enum status status = make_homes(rotation, err);
    if (status == ST_OK)
        status = find_tenant(rotation, domain->tenant, &tenant, err);
    return status == ST_OK ? rotation_policy(rotation->settings, tenant, domain, out, err) : status;
}

enum status rotation_settle(struct rotation *rotation, struct rotation_turn *turn, struct err *err)
{
    const struct tenant *tenant = NULL;
    struct rotation_policy policy;
    enum status status = make_homes(rotation, err);
    if (status != ST_OK)
        return status;
    const struct domain *domain = &rotation->homes->domain;
    status = load_domain(rotation, turn->key->domain, err);
    if (status == ST_OK)
        status = find_tenant(rotation, domain->tenant, &tenant, err);
    if (status == ST_OK)
        status = rotation_policy(rotation->settings, tenant, domain, &policy, err);
    if (status != ST_OK)
        return status;
    turn->policy = policy.life;
    turn->tenant = span_dup(span_str(tenant->name));
    turn->delegation = span_dup(span_str(domain->delegation));
    if (turn->tenant == NULL || turn->delegation == NULL)
        return err_set(err, ST_TEMP, "no memory");
    turn->evidence.suspended = policy.suspended;
    choose_spec(&policy.plan, turn);
    return ST_OK;
}

void rotation_homes_free(struct rotation_homes *homes)
{
    struct known_tenant *each = NULL, *next = NULL;
    if (homes == NULL)
        return;
    HASH_ITER(hh, homes->tenants, each, next)
    {
        HASH_DEL(homes->tenants, each);
        kind_clear(&kind_tenant, &each->tenant);
        free(each);
    }
    kind_clear(&kind_domain, &homes->domain);
    free(homes);
}
