/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/command.h"
#include "admin/record.h"
#include "admin/rows.h"

static enum status add(struct admin *admin, const struct args *args, struct err *err)
{
    struct tenant tenant = {.status = ACCOUNT_ACTIVE, .expiry = -1};
    const struct field *name = kind_field(&kind_tenant, SPAN_LIT("name"));
    enum status status = field_set_text(name, &tenant, span_str(args->words[0]), err);
    if (status == ST_OK)
        status = record_fill(&kind_tenant, &tenant, args, 1, err);
    if (status == ST_OK)
        status = admin_put(admin, &kind_tenant, &tenant, "tenant.add", err);
    if (status == ST_OK)
        record_changed(admin, &kind_tenant, &tenant, "add");
    kind_clear(&kind_tenant, &tenant);
    return status;
}

static enum status list(struct admin *admin, const struct args *args, struct err *err)
{
    struct query query = {.kind = &kind_tenant};
    (void)args;
    return record_list(admin, &query, err);
}

static enum status show(struct admin *admin, const struct args *args, struct err *err)
{
    return record_show(admin, &kind_tenant, args->words[0], err);
}

static enum status set(struct admin *admin, const struct args *args, struct err *err)
{
    return record_set(admin, &kind_tenant, args->words[0], args, err);
}

static enum status suspend(struct admin *admin, const struct args *args, struct err *err)
{
    return record_status(admin, &kind_tenant, args->words[0], ACCOUNT_SUSPENDED, err);
}

static enum status resume(struct admin *admin, const struct args *args, struct err *err)
{
    return record_status(admin, &kind_tenant, args->words[0], ACCOUNT_ACTIVE, err);
}

static enum status check_grants(struct store_tx *tx, const struct tenant *tenant, struct err *err)
{
    struct query query = {.kind = &kind_grant, .limit = 1};
    struct rows grants = {.kind = &kind_grant};
    rows_where_text(&query, "tenant", tenant->name);
    enum status status = store_tx_find(tx, &query, rows_take, &grants, err);
    if (status == ST_OK && grants.count > 0)
        status = err_set(err, ST_DENIED, "tenant %s still has grants (%s)", tenant->name,
                         ((const struct grant *)grants.records)->subject);
    rows_clear(&grants);
    return status;
}

static enum status delete_empty(struct store_tx *tx, void *arg, struct err *err)
{
    const struct tenant *tenant = arg;
    struct query query = {.kind = &kind_domain, .limit = 1};
    struct rows rows = {.kind = &kind_domain};
    rows_where_text(&query, "tenant", tenant->name);
    enum status status = store_tx_find(tx, &query, rows_take, &rows, err);
    if (status == ST_OK && rows.count > 0)
        status = err_set(err, ST_DENIED, "tenant %s still has domains (%s)", tenant->name,
                         ((const struct domain *)rows.records)->name);
    if (status == ST_OK)
        status = check_grants(tx, tenant, err);
    if (status == ST_OK)
        status = store_tx_del(tx, &kind_tenant, tenant, "tenant.remove", err);
    rows_clear(&rows);
    return status;
}

static enum status remove_one(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    struct tenant tenant = {.name = NULL};
    enum status status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = admin_named(store_tenant(store, args->words[0], &tenant, err), err);
    if (status == ST_OK)
        status = admin_agreed(admin, "this removes the tenant for good", err);
    if (status == ST_OK)
        status = admin_transaction(admin, delete_empty, &tenant, err);
    if (status == ST_OK)
        record_changed(admin, &kind_tenant, &tenant, "remove");
    kind_clear(&kind_tenant, &tenant);
    return status;
}

static const struct command commands[] = {
    {"add", "NAME [key=value...]", "adds a customer", add},
    {"list", "", "shows all tenants", list},
    {"show", "NAME", "shows one", show},
    {"set", "NAME key=value...",
     "changes settings of a tenant (canonicalization, expiry, headers, oversign, subdomains, "
     "ed25519, "
     "also_provider, one_signature, on_no_key, on_unpublished, algorithms, max_age, soak, overlap, "
     "tombstone, freeze, note)",
     set},
    {"suspend", "NAME", "stops signing for all its domains", suspend},
    {"resume", "NAME", "signs for them again", resume},
    {"remove", "NAME", "removes a tenant without domains", remove_one},
    {NULL, NULL, NULL, NULL},
};

const struct noun tenant_noun = {"tenant", "the customers", commands};
