/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/rule.h"
#include "admin/command.h"
#include "admin/place.h"
#include "admin/record.h"
#include "admin/rows.h"

static enum status fill(const struct args *args, struct rule *out, struct err *err)
{
    char domain[DKIM_DOMAIN_SIZE], selector[DKIM_DOMAIN_SIZE] = "";
    const char *given = args_option(args, "--selector");
    const char *identity = args_option(args, "--identity");
    enum status status = rule_set_pattern(out, span_str(args->words[0]), err);
    if (status == ST_OK)
        status = admin_domain_name(args_option(args, "--domain"), domain, err);
    if (status == ST_OK)
        status =
            field_set_text(kind_field(&kind_rule, SPAN_LIT("domain")), out, span_str(domain), err);
    if (status == ST_OK && given != NULL &&
        dkim_selector_normalize(span_str(given), selector, err) != ST_OK)
        status = err_context(err, "--selector");
    if (status == ST_OK)
        status = field_set_text(kind_field(&kind_rule, SPAN_LIT("selector")), out,
                                span_str(selector), err);
    if (status == ST_OK && identity != NULL)
        status = rule_set_identity(out, span_str(identity), err);
    return status;
}

/* A rule that names a key which does not sign yet is fine: it is going to. */
static enum status check_key(struct admin *admin, struct store *store, const struct rule *rule,
                             struct err *err)
{
    struct key key = {.domain = span_dup(span_str(rule->domain)),
                      .selector = span_dup(span_str(rule->selector))};
    enum status status = key.domain != NULL && key.selector != NULL
                             ? admin_named(store_get(store, &kind_key, &key, err), err)
                             : err_set(err, ST_TEMP, "no memory");
    if (status == ST_OK && key.state != KEY_ACTIVE && !admin->output.json)
        admin_warn("note: key %s %s is not active; until then the rule signs nothing", key.domain,
                   key.selector);
    kind_clear(&kind_key, &key);
    return status;
}

static enum status check_pattern(struct store *store, const struct rule *rule, struct err *err)
{
    struct query query = {.kind = &kind_rule};
    int64_t count = 0;
    rows_where_text(&query, "pattern", rule->pattern);
    enum status status = rows_count(store, &query, &count, err);
    if (status == ST_OK && count >= RULE_SIGNERS_MAX)
        status =
            err_set(err, ST_DENIED, "rule %s: %d domains sign for it already, which is the most",
                    rule->pattern, RULE_SIGNERS_MAX);
    return status;
}

static enum status check(struct admin *admin, const struct rule *rule, struct err *err)
{
    struct store *store;
    struct domain domain = {.name = NULL};
    enum status status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = admin_named(store_domain(store, rule->domain, &domain, err), err);
    if (status == ST_OK && span_str(rule->selector).len > 0)
        status = check_key(admin, store, rule, err);
    if (status == ST_OK)
        status = check_pattern(store, rule, err);
    if (status == ST_OK)
        status = place_check_room(store, &kind_rule, rule->place, err);
    kind_clear(&kind_domain, &domain);
    return status;
}

static enum status add(struct admin *admin, const struct args *args, struct err *err)
{
    struct rule rule = {.pattern = NULL};
    enum status status = fill(args, &rule, err);
    if (status == ST_OK)
        status = check(admin, &rule, err);
    if (status == ST_OK)
        status = admin_put(admin, &kind_rule, &rule, "rule.add", err);
    if (status == ST_OK)
        record_changed(admin, &kind_rule, &rule, "add");
    kind_clear(&kind_rule, &rule);
    return status;
}

static enum status where_domain(const struct args *args, char name[DKIM_DOMAIN_SIZE],
                                struct query *query, struct err *err)
{
    const char *domain = args_option(args, "--domain");
    if (domain == NULL)
        return ST_OK;
    enum status status = admin_domain_name(domain, name, err);
    if (status == ST_OK)
        rows_where_text(query, "domain", name);
    return status;
}

static enum status list(struct admin *admin, const struct args *args, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    struct query query = {.kind = &kind_rule};
    enum status status = where_domain(args, name, &query, err);
    return status == ST_OK ? record_list(admin, &query, err) : status;
}

static enum status delete_all(struct store_tx *tx, void *arg, struct err *err)
{
    struct rows *rules = arg;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < rules->count; i++)
        status = store_tx_del(tx, &kind_rule, rows_at(rules, i), "rule.remove", err);
    return status;
}

/* All rules of the pattern, or the one for a domain. */
static enum status remove_all(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    char name[DKIM_DOMAIN_SIZE];
    struct rule pattern = {.pattern = NULL};
    struct query query = {.kind = &kind_rule};
    struct rows rules = {.kind = &kind_rule};
    enum status status = rule_set_pattern(&pattern, span_str(args->words[0]), err);
    rows_where_text(&query, "pattern", pattern.pattern);
    if (status == ST_OK)
        status = where_domain(args, name, &query, err);
    if (status == ST_OK)
        status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = store_find(store, &query, rows_take, &rules, err);
    if (status == ST_OK && rules.count == 0)
        status =
            admin_named(err_set(err, ST_NOT_FOUND, "rule %s: not found", pattern.pattern), err);
    if (status == ST_OK)
        status = admin_transaction(admin, delete_all, &rules, err);
    for (size_t i = 0; status == ST_OK && i < rules.count; i++)
        record_changed(admin, &kind_rule, rows_at(&rules, i), "remove");
    rows_clear(&rules);
    kind_clear(&kind_rule, &pattern);
    return status;
}

static const struct command commands[] = {
    {"add", "PATTERN --domain D [--selector S] [--identity I]",
     "lets a domain sign for authors (user@host, host, user@.domain, .domain, user@* or *), with "
     "one key only, and with an i= at or below it",
     add},
    {"list", "[--domain D]", "shows all rules", list},
    {"remove", "PATTERN [--domain D]", "removes the rules of a pattern", remove_all},
    {NULL, NULL, NULL, NULL},
};

const struct noun rule_noun = {"rule", "which domain signs for which authors", commands};
