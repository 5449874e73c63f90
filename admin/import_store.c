/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/import_store.h"

#include <stdlib.h>
#include <string.h>

#include "admin/rows.h"

bool import_store_has_private_key(const struct import_row *row)
{
    return row->pem.len > 0 || row->draft_count > 0;
}

bool import_store_is_of_key(const struct import_row *row)
{
    return row->selector != NULL || import_store_has_private_key(row);
}

enum status import_store_check_owner(const struct import_row *row, const struct domain *found,
                                     struct err *err)
{
    if (strcmp(found->tenant, row->domain.tenant) == 0)
        return ST_OK;
    return err_set(err, ST_CONFLICT, "domain %s: belongs to tenant %s", found->name, found->tenant);
}

/* The one that came with a private key; those that are made here are nobody's yet. */
static const struct keys_draft *given_key(const struct import_row *row)
{
    return row->draft_count > 0 && row->plan.count == 0 ? &row->drafts[0] : NULL;
}

enum status import_store_check_key(const struct import_row *row, const struct key *key,
                                   struct err *err)
{
    bool reserved = key->reserved != 0;
    bool signs = key->state == KEY_ACTIVE || (key->state > KEY_ACTIVE && !row->signs_now);
    if (!row->activate || (reserved == row->reserved && signs))
        return ST_OK;
    if (!signs && key->state < KEY_ACTIVE)
        return err_set(err, ST_CONFLICT,
                       "key %s %s: is there already, but not active yet: `inkan key activate`",
                       key->domain, key->selector);
    if (!signs)
        return err_set(err, ST_CONFLICT,
                       "key %s %s: is there already, but no longer active: give one with a new "
                       "selector",
                       key->domain, key->selector);
    return err_set(err, ST_CONFLICT,
                   reserved
                       ? "key %s %s: is there already, but reserved for rules: `inkan rule add` "
                         "with --selector lets it sign"
                       : "key %s %s: is there already, but not reserved for rules: revoke it, "
                         "and give one with a new selector",
                   key->domain, key->selector);
}

/* The key the row asks for, if its domain has it: by selector, or by its public half. */
static enum status find_key(struct store_tx *tx, const struct import_row *row, bool *found_out,
                            struct err *err)
{
    struct query query = {.kind = &kind_key};
    struct rows keys = {.kind = &kind_key};
    const struct keys_draft *draft = given_key(row);
    rows_where_text(&query, "domain", row->domain.name);
    if (row->selector != NULL)
        rows_where_text(&query, "selector", row->selector);
    enum status status = store_tx_find(tx, &query, rows_take, &keys, err);
    *found_out = false;
    for (size_t i = 0; status == ST_OK && i < keys.count; i++) {
        const struct key *key = rows_at(&keys, i);
        bool same = draft == NULL ||
                    span_equal(buf_span(&key->public_key), buf_span(&draft->key.public_key));
        if (row->selector != NULL && !same)
            status = err_set(err, ST_CONFLICT, "key %s %s: exists already, with another value",
                             key->domain, key->selector);
        else if (same && draft != NULL)
            status = import_store_check_key(row, key, err);
        *found_out = *found_out || same;
    }
    rows_clear(&keys);
    return status;
}

static enum status add_tenant(struct store_tx *tx, const char *name, struct err *err)
{
    struct tenant tenant = {.name = span_dup(span_str(name)), .expiry = -1};
    enum status status = tenant.name != NULL ? store_tx_get(tx, &kind_tenant, &tenant, err)
                                             : err_set(err, ST_TEMP, "no memory");
    if (status == ST_NOT_FOUND)
        status = store_tx_put(tx, &kind_tenant, &tenant, "tenant.add", err);
    kind_clear(&kind_tenant, &tenant);
    return status;
}

static enum status add_domain(struct store_tx *tx, const struct domain *domain, struct err *err)
{
    struct domain copy = {.name = NULL};
    enum status status = kind_copy(&kind_domain, domain, &copy, err);
    if (status == ST_OK)
        status = store_tx_put(tx, &kind_domain, &copy, "domain.add", err);
    kind_clear(&kind_domain, &copy);
    return status;
}

/* Drafts and records are copied, so that a transaction can be done again. */
static enum status add_keys(struct store_tx *tx, const struct import_batch *batch,
                            const struct import_row *row, const char *delegation, struct err *err)
{
    struct keys_place place = {.vault = batch->vault,
                               .domain = row->domain.name,
                               .tenant = row->domain.tenant,
                               .delegation = delegation,
                               .selector = row->selector,
                               .template = batch->settings->lifecycle.selector,
                               .activate = row->activate,
                               .seen = row->seen,
                               .reserved = row->reserved};
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < row->draft_count; i++) {
        struct keys_draft draft = {.secret = row->drafts[i].secret}; /* borrowed */
        status = kind_copy(&kind_key, &row->drafts[i].key, &draft.key, err);
        if (status == ST_OK)
            status = keys_add(tx, &place, &draft, err);
        kind_clear(&kind_key, &draft.key);
    }
    return status;
}

/* Whether a key signs for the domain whose place the row's is going to take. */
static enum status find_predecessor(struct store_tx *tx, const struct import_row *row,
                                    bool *found_out, struct err *err)
{
    struct query query = {.kind = &kind_key};
    struct rows keys = {.kind = &kind_key};
    const struct keys_draft *draft = given_key(row);
    *found_out = false;
    if (draft == NULL || !row->activate || row->reserved)
        return ST_OK;
    rows_where_text(&query, "domain", row->domain.name);
    rows_where_number(&query, "algorithm", draft->key.algorithm);
    rows_where_number(&query, "state", KEY_ACTIVE);
    enum status status = store_tx_find(tx, &query, rows_take, &keys, err);
    for (size_t i = 0; i < keys.count; i++)
        *found_out = *found_out || ((const struct key *)rows_at(&keys, i))->reserved == 0;
    rows_clear(&keys);
    return status;
}

/* One that is there must say the same; one that is not makes the row an addition. */
static enum status add_rule(struct store_tx *tx, const struct rule *wanted, bool *there_io,
                            struct err *err)
{
    struct rule found = {.pattern = NULL};
    enum status status = kind_copy(&kind_rule, wanted, &found, err);
    if (status == ST_OK)
        status = store_tx_get(tx, &kind_rule, &found, err);
    bool same = status == ST_OK &&
                span_equal(span_str(found.selector), span_str(wanted->selector)) &&
                span_equal(span_str(found.identity), span_str(wanted->identity));
    if (status == ST_OK && !same)
        status = err_set(err, ST_CONFLICT, "rule %s: is there already, and says something else",
                         wanted->pattern);
    if (status == ST_NOT_FOUND) {
        *there_io = false;
        status = store_tx_put(tx, &kind_rule, &found, "rule.add", err);
    }
    kind_clear(&kind_rule, &found);
    return status;
}

enum status import_store_row(struct store_tx *tx, const struct import_batch *batch,
                             const struct import_row *row, enum import_outcome *outcome_out,
                             struct err *err)
{
    bool there = false, succeeds = false;
    const char *delegation = row->domain.delegation;
    struct domain found = {.name = span_dup(span_str(row->domain.name))};
    if (found.name == NULL)
        return err_set(err, ST_TEMP, "no memory");
    enum status status = store_tx_get(tx, &kind_domain, &found, err);
    if (status == ST_NOT_FOUND) {
        status = batch->make_tenants ? add_tenant(tx, row->domain.tenant, err) : ST_OK;
        if (status == ST_OK)
            status = add_domain(tx, &row->domain, err);
    } else if (status == ST_OK) {
        there = !import_store_is_of_key(row);
        delegation = found.delegation;
        status = import_store_check_owner(row, &found, err);
        if (status == ST_OK && !there)
            status = find_key(tx, row, &there, err);
        if (status == ST_OK && !there)
            status = find_predecessor(tx, row, &succeeds, err);
    }
    if (status == ST_OK && !there)
        status = add_keys(tx, batch, row, delegation, err);
    for (size_t i = 0; status == ST_OK && i < row->rule_count; i++)
        status = add_rule(tx, row->rules[i], &there, err);
    *outcome_out = there ? IMPORT_EXISTED : succeeds ? IMPORT_SUCCEEDED : IMPORT_ADDED;
    kind_clear(&kind_domain, &found);
    return status;
}

/* -- many rows ------------------------------------------------------------------------------ */

/* The names of what the rows may ask for; those of keys' events are owned. */
struct names {
    const char *domains[IMPORT_BATCH_ROWS], *tenants[IMPORT_BATCH_ROWS];
    char *events[IMPORT_BATCH_ROWS];
    size_t count, event_count;
    bool rules;
};

static enum status collect(const struct import_row *rows, size_t count, struct names *out,
                           struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].outcome != IMPORT_PENDING)
            continue;
        out->domains[out->count] = rows[i].domain.name;
        out->tenants[out->count++] = rows[i].domain.tenant;
        out->rules = out->rules || rows[i].rule_count > 0;
        if (rows[i].selector == NULL)
            continue;
        if (asprintf(&out->events[out->event_count], "%s %s", rows[i].domain.name,
                     rows[i].selector) < 0)
            return err_set(err, ST_TEMP, "no memory");
        out->event_count++;
    }
    return ST_OK;
}

static enum status look(struct store_tx *tx, const struct names *names, struct err *err)
{
    const char *const *events = (const char *const *)names->events;
    enum status status = store_tx_ahead(tx, &kind_tenant, names->tenants, names->count, err);
    if (status == ST_OK)
        status = store_tx_ahead(tx, &kind_domain, names->domains, names->count, err);
    if (status == ST_OK)
        status = store_tx_ahead(tx, &kind_key, names->domains, names->count, err);
    if (status == ST_OK && names->rules)
        status = store_tx_ahead(tx, &kind_rule, names->domains, names->count, err);
    return status == ST_OK ? store_tx_ahead(tx, &kind_event, events, names->event_count, err)
                           : status;
}

enum status import_store_look_ahead(struct store_tx *tx, const struct import_row *rows,
                                    size_t count, struct err *err)
{
    struct names names = {.count = 0};
    enum status status = collect(rows, count, &names, err);
    if (status == ST_OK)
        status = look(tx, &names, err);
    for (size_t i = 0; i < names.event_count; i++)
        free(names.events[i]);
    return status;
}
