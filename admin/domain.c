/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/command.h"
#include "admin/keys.h"
#include "admin/record.h"
#include "admin/rows.h"

/* -- add ------------------------------------------------------------------------------------ */

/* A domain that is about to be added, with its keys. */
struct addition {
    struct domain domain;
    struct tenant owner;
    struct keys_plan plan;
    struct keys_draft drafts[DKIM_ALGORITHMS];
    struct keys_place place;
};

static void clear_addition(struct addition *addition)
{
    kind_clear(&kind_domain, &addition->domain);
    kind_clear(&kind_tenant, &addition->owner);
    for (size_t i = 0; i < DKIM_ALGORITHMS; i++)
        keys_draft_clear(&addition->drafts[i]);
}

/* Asked before keys are made, because that takes long; the store asks again when it counts. */
static enum status check_free(struct store *store, const char *name, const char *tenant,
                              struct tenant *owner_out, struct err *err)
{
    struct domain domain = {.name = NULL};
    enum status status = admin_named(store_tenant(store, tenant, owner_out, err), err);
    if (status == ST_OK) {
        status = store_domain(store, name, &domain, err);
        if (status == ST_OK)
            status = err_set(err, ST_CONFLICT, "domain %s: exists already (tenant %s)", name,
                             domain.tenant);
        else if (status == ST_NOT_FOUND)
            status = ST_OK;
    }
    kind_clear(&kind_domain, &domain);
    return status;
}

static enum status fill_domain(const struct args *args, struct domain *out, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    enum status status = admin_domain_name(args->words[0], name, err);
    if (status != ST_OK)
        return status;
    *out = (struct domain){.name = span_dup(span_str(name)),
                           .tenant = span_dup(span_str(args_option(args, "--tenant"))),
                           .status = ACCOUNT_ACTIVE,
                           .expiry = -1};
    if (out->name == NULL || out->tenant == NULL)
        return err_set(err, ST_TEMP, "no memory");
    return ST_OK;
}

static enum status delegate(struct admin *admin, const struct args *args, struct domain *domain,
                            struct err *err)
{
    const struct settings *settings;
    if (!args_has(args, "--delegate"))
        return ST_OK;
    enum status status = admin_settings(admin, &settings, err);
    return status == ST_OK ? delegation_make(settings, &domain->delegation, err) : status;
}

static enum status prepare_keys(struct admin *admin, const struct args *args,
                                struct addition *addition, struct err *err)
{
    const struct settings *settings;
    if (args_has(args, "--no-key"))
        return ST_OK;
    enum status status =
        keys_plan_of(admin, args, addition->owner.algorithms, &addition->plan, err);
    if (status == ST_OK)
        status = admin_settings(admin, &settings, err);
    if (status == ST_OK)
        status = admin_vault(admin, &addition->place.vault, err);
    if (status != ST_OK)
        return status;
    addition->place.domain = addition->domain.name;
    addition->place.tenant = addition->domain.tenant;
    addition->place.delegation = addition->domain.delegation;
    addition->place.template = settings->lifecycle.selector;
    addition->place.activate = args_has(args, "--activate");
    for (size_t i = 0; status == ST_OK && i < addition->plan.count; i++)
        status = keys_generate(&addition->plan.specs[i], &addition->drafts[i], err);
    return status;
}

static enum status store_addition(struct store_tx *tx, void *arg, struct err *err)
{
    struct addition *addition = arg;
    enum status status = store_tx_put(tx, &kind_domain, &addition->domain, "domain.add", err);
    for (size_t i = 0; status == ST_OK && i < addition->plan.count; i++)
        status = keys_add(tx, &addition->place, &addition->drafts[i], err);
    return status;
}

static enum status answer_json(struct admin *admin, const struct addition *addition,
                               struct err *err)
{
    enum status status = ST_OK;
    output_begin(&admin->output, &kind_domain, &addition->domain);
    output_list_begin(&admin->output, "keys");
    for (size_t i = 0; status == ST_OK && i < addition->plan.count; i++)
        status = keys_show(&admin->output, &addition->drafts[i].key, err);
    output_list_end(&admin->output, &kind_key);
    output_end(&admin->output);
    return status;
}

static enum status answer_people(struct admin *admin, const struct addition *addition,
                                 struct err *err)
{
    enum status status = ST_OK;
    admin_did(admin, "add", "domain %s (tenant %s)", addition->domain.name,
              addition->domain.tenant);
    for (size_t i = 0; status == ST_OK && i < addition->plan.count; i++)
        status = keys_tell(admin, &addition->drafts[i].key, err);
    return status;
}

static enum status add(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    struct addition addition = {.plan = {.count = 0}};
    enum status status = fill_domain(args, &addition.domain, err);
    if (status == ST_OK && args_has(args, "--no-key") && args_has(args, "--activate"))
        status = err_set(err, ST_INVALID, "--activate: --no-key leaves nothing to activate");
    if (status == ST_OK)
        status = delegate(admin, args, &addition.domain, err);
    if (status == ST_OK)
        status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status =
            check_free(store, addition.domain.name, addition.domain.tenant, &addition.owner, err);
    if (status == ST_OK)
        status = prepare_keys(admin, args, &addition, err);
    if (status == ST_OK)
        status = admin_transaction(admin, store_addition, &addition, err);
    if (status == ST_OK)
        status = (admin->output.json ? answer_json : answer_people)(admin, &addition, err);
    clear_addition(&addition);
    return status;
}

/* -- the other verbs ------------------------------------------------------------------------ */

static enum status list(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    struct query query = {.kind = &kind_domain};
    const char *name = args_option(args, "--tenant");
    struct tenant tenant = {.name = NULL};
    enum status status = admin_store(admin, &store, err);
    if (status == ST_OK && name != NULL) {
        status = store_tenant(store, name, &tenant, err);
        rows_where_text(&query, "tenant", name);
    }
    kind_clear(&kind_tenant, &tenant);
    return status == ST_OK ? record_list(admin, &query, err) : status;
}

static enum status show(struct admin *admin, const struct args *args, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    enum status status = admin_domain_name(args->words[0], name, err);
    return status == ST_OK ? record_show(admin, &kind_domain, name, err) : status;
}

static enum status set(struct admin *admin, const struct args *args, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    enum status status = admin_domain_name(args->words[0], name, err);
    return status == ST_OK ? record_set(admin, &kind_domain, name, args, err) : status;
}

static enum status set_status(struct admin *admin, const struct args *args,
                              enum account_status wanted, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    enum status status = admin_domain_name(args->words[0], name, err);
    return status == ST_OK ? record_status(admin, &kind_domain, name, wanted, err) : status;
}

static enum status suspend(struct admin *admin, const struct args *args, struct err *err)
{
    return set_status(admin, args, ACCOUNT_SUSPENDED, err);
}

static enum status resume(struct admin *admin, const struct args *args, struct err *err)
{
    return set_status(admin, args, ACCOUNT_ACTIVE, err);
}

static enum status check_rules(struct store_tx *tx, const struct domain *domain, struct err *err)
{
    struct query query = {.kind = &kind_rule, .limit = 1};
    struct rows rules = {.kind = &kind_rule};
    rows_where_text(&query, "domain", domain->name);
    enum status status = store_tx_find(tx, &query, rows_take, &rules, err);
    if (status == ST_OK && rules.count > 0)
        status = err_set(err, ST_DENIED,
                         "domain %s: signs by rules (%s); see inkan rule list --domain %s",
                         domain->name, ((const struct rule *)rules.records)->pattern, domain->name);
    rows_clear(&rules);
    return status;
}

/* The domain and its keys go together, or a key would be left that nobody can find. */
static enum status delete_all(struct store_tx *tx, void *arg, struct err *err)
{
    const struct domain *domain = arg;
    struct query query = {.kind = &kind_key};
    struct rows keys = {.kind = &kind_key};
    rows_where_text(&query, "domain", domain->name);
    enum status status = check_rules(tx, domain, err);
    if (status == ST_OK)
        status = store_tx_find(tx, &query, rows_take, &keys, err);
    for (size_t i = 0; status == ST_OK && i < keys.count; i++)
        status = store_tx_del(tx, &kind_key, rows_at(&keys, i), "key.remove", err);
    if (status == ST_OK)
        status = store_tx_del(tx, &kind_domain, domain, "domain.remove", err);
    rows_clear(&keys);
    return status;
}

static enum status remove_one(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    char name[DKIM_DOMAIN_SIZE];
    struct domain domain = {.name = NULL};
    enum status status = admin_domain_name(args->words[0], name, err);
    if (status == ST_OK)
        status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = admin_named(store_domain(store, name, &domain, err), err);
    if (status == ST_OK)
        status = admin_agreed(admin, "this destroys the domain's private keys", err);
    if (status == ST_OK)
        status = admin_transaction(admin, delete_all, &domain, err);
    if (status == ST_OK)
        record_changed(admin, &kind_domain, &domain, "remove");
    kind_clear(&kind_domain, &domain);
    return status;
}

static const struct command commands[] = {
    {"add", "DOMAIN --tenant T [--algorithm A[,A]] [--bits N] [--delegate] [--no-key] [--activate]",
     "adds a signing domain and makes its keys", add},
    {"list", "[--tenant T]", "shows all domains", list},
    {"show", "DOMAIN", "shows one", show},
    {"set", "DOMAIN key=value...",
     "changes settings of a domain (subdomains, canonicalization, expiry, algorithms, max_age, "
     "soak, overlap, tombstone, freeze, note)",
     set},
    {"suspend", "DOMAIN", "stops signing for it", suspend},
    {"resume", "DOMAIN", "signs for it again", resume},
    {"remove", "DOMAIN", "removes a domain and its keys", remove_one},
    {NULL, NULL, NULL, NULL},
};

const struct noun domain_noun = {"domain", "the signing domains", commands};
