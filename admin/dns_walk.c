/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "admin/cursor.h"
#include "admin/dns.h"
#include "admin/keys.h"

enum { PAGE_KEYS = 500 };

/* The keys, and beside them the delegated domains: a store is asked for one kind after the other.
 */
struct walk {
    struct admin *admin;
    struct store *store;
    struct rows domains;
    struct cursor keys;
    struct rows page; /* keys that the visitor has not seen yet */
    rows_visitor *visit;
    void *arg;
};

/* -- slots ------------------------------------------------------------------------------------ */

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* Which algorithms a domain without keys is to have keys of. */
static enum status find_plan(struct walk *walk, const struct domain *domain, struct keys_plan *out,
                             struct err *err)
{
    const struct settings *settings;
    struct tenant tenant = {.name = NULL};
    const char *algorithms = domain->algorithms;
    enum status status = admin_settings(walk->admin, &settings, err);
    if (status == ST_OK && !is_set(algorithms)) {
        status = store_tenant(walk->store, domain->tenant, &tenant, err);
        algorithms = is_set(tenant.algorithms) ? tenant.algorithms : settings->lifecycle.algorithms;
    }
    if (status == ST_OK)
        status = keys_plan_parse(algorithms, 0, out, err);
    kind_clear(&kind_tenant, &tenant);
    if (status != ST_NOT_FOUND && status != ST_INVALID)
        return status;
    admin_warn("%s: its slots are not known: %s", domain->name, err->text);
    err_clear(err);
    return ST_OK;
}

/* The keys of one domain within the page: those from `start` on. */
struct part {
    struct rows *page;
    size_t start;
};

static bool has_selector(const struct part *part, const char *selector)
{
    for (size_t i = part->start; i < part->page->count; i++)
        if (strcmp(((const struct key *)rows_at(part->page, i))->selector, selector) == 0)
            return true;
    return false;
}

static enum status add_free(const struct part *part, const struct domain *domain, int64_t algorithm,
                            struct err *err)
{
    enum status status = ST_OK;
    for (int number = 1; status == ST_OK && number <= DELEGATION_SLOTS; number++) {
        char selector[DELEGATION_SELECTOR_SIZE];
        const struct delegation_slot slot = {domain->name, domain->delegation, algorithm, number};
        delegation_selector(algorithm, number, selector);
        if (!has_selector(part, selector))
            status = dns_slots_add(&slot, part->page, err);
    }
    return status;
}

static int compare_keys(const void *a, const void *b)
{
    return kind_compare(&kind_key, a, b);
}

/* Slots that no key has, of the algorithms that there are keys of; of those that there are to be
 * keys of while there is none. */
static enum status add_slots(struct walk *walk, const struct domain *domain, size_t start,
                             struct err *err)
{
    const struct part part = {&walk->page, start};
    bool wanted[DKIM_ALGORITHMS] = {false};
    struct keys_plan plan = {.count = 0};
    enum status status = ST_OK;
    for (size_t i = start; i < walk->page.count; i++)
        wanted[((const struct key *)rows_at(&walk->page, i))->algorithm] = true;
    if (start == walk->page.count)
        status = find_plan(walk, domain, &plan, err);
    for (size_t i = 0; status == ST_OK && i < plan.count; i++)
        wanted[plan.specs[i].algorithm] = true;
    for (int64_t algorithm = 0; status == ST_OK && algorithm < DKIM_ALGORITHMS; algorithm++)
        if (wanted[algorithm])
            status = add_free(&part, domain, algorithm, err);
    if (status == ST_OK && start < walk->page.count)
        qsort(rows_at(&walk->page, start), walk->page.count - start, sizeof(struct key),
              compare_keys);
    return status;
}

/* -- the walk --------------------------------------------------------------------------------- */

static enum status pass_on(struct walk *walk, size_t least, struct err *err)
{
    if (walk->page.count < least)
        return ST_OK;
    enum status status = walk->visit(walk->arg, &walk->page, err);
    rows_clear(&walk->page);
    return status;
}

static bool is_of_last_domain(const struct rows *page, const struct key *key)
{
    const struct key *last = page->count > 0 ? rows_at(page, page->count - 1) : NULL;
    return last != NULL && strcmp(last->domain, key->domain) == 0;
}

/* Takes the keys of all domains before this one (NULL: of all) into the page, and with `its_own`
 * those of the domain instead. */
static enum status take_keys(struct walk *walk, const char *domain, bool its_own, struct err *err)
{
    void *record;
    enum status status = cursor_peek(&walk->keys, &record, err);
    while (status == ST_OK && record != NULL) {
        const struct key *key = record;
        int order = domain == NULL ? -1 : strcmp(key->domain, domain);
        if (order > 0 || (order == 0 && !its_own))
            break;
        if (!is_of_last_domain(&walk->page, key))
            status = pass_on(walk, PAGE_KEYS, err);
        if (status == ST_OK)
            status = rows_take(&walk->page, key, err);
        cursor_next(&walk->keys);
        if (status == ST_OK)
            status = cursor_peek(&walk->keys, &record, err);
    }
    return status;
}

/* Domains and keys are read at different times: there may be keys of one that came or went
 * meanwhile. */
static enum status take_domain(struct walk *walk, const struct domain *domain, struct err *err)
{
    enum status status = take_keys(walk, domain->name, false, err);
    if (status == ST_OK)
        status = pass_on(walk, PAGE_KEYS, err);
    size_t start = walk->page.count;
    if (status == ST_OK)
        status = take_keys(walk, domain->name, true, err);
    return status == ST_OK ? add_slots(walk, domain, start, err) : status;
}

static enum status take_all(struct walk *walk, struct err *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < walk->domains.count; i++)
        status = take_domain(walk, rows_at(&walk->domains, i), err);
    if (status == ST_OK)
        status = take_keys(walk, NULL, true, err);
    return status == ST_OK ? pass_on(walk, 1, err) : status;
}

static enum status take_delegated(void *arg, struct rows *page, struct err *err)
{
    struct walk *walk = arg;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < page->count; i++) {
        const struct domain *domain = rows_at(page, i);
        if (is_set(domain->delegation))
            status = rows_take(&walk->domains, domain, err);
    }
    return status;
}

enum status dns_walk(struct admin *admin, const char *domain, rows_visitor *visit, void *arg,
                     struct err *err)
{
    struct query query = {.kind = &kind_domain};
    struct walk walk = {.admin = admin,
                        .domains = {.kind = &kind_domain},
                        .page = {.kind = &kind_key},
                        .visit = visit,
                        .arg = arg};
    enum status status = admin_store(admin, &walk.store, err);
    if (status != ST_OK)
        return status;
    cursor_init(&walk.keys, walk.store, &kind_key);
    if (domain[0] != '\0') {
        rows_where_text(&query, "name", domain);
        rows_where_text(&walk.keys.query, "domain", domain);
    }
    status = rows_walk(walk.store, &query, take_delegated, &walk, err);
    if (status == ST_OK)
        status = take_all(&walk, err);
    rows_clear(&walk.page);
    rows_clear(&walk.domains);
    cursor_clear(&walk.keys);
    return status;
}
