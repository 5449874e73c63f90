/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_owner.h"

#include <stdlib.h>
#include <string.h>

/* What the store says of a name. */
struct owner {
    UT_hash_handle hh;
    char *tenant; /* NULL: the name is no domain there */
    bool suspended, tenant_suspended;
    char name[];
};

struct review {
    struct takeover *takeover;
    struct store *store;
    const char *tenant;
    struct owner *owners;    /* of all names that matter */
    struct owner *suspended; /* tenants, by their names */
};

/* -- the store ------------------------------------------------------------------------------ */

enum status takeover_owner_check(const char *tenant, struct err *err)
{
    struct tenant record = {.name = NULL};
    if (strcmp(tenant, "%") == 0)
        return ST_OK;
    enum status status =
        field_set_text(kind_field(&kind_tenant, SPAN_LIT("name")), &record, span_str(tenant), err);
    if (status == ST_OK)
        status = kind_check(&kind_tenant, &record, err);
    kind_clear(&kind_tenant, &record);
    return status == ST_OK ? ST_OK : err_context(err, "--tenant");
}

static void free_owners(struct owner *owners)
{
    struct owner *owner = NULL, *next = NULL;
    HASH_ITER(hh, owners, owner, next)
    {
        HASH_DEL(owners, owner);
        free(owner->tenant);
        free(owner);
    }
}

/* Adds a name unless it is there. */
static enum status add_name(struct owner **owners, const char *name, struct err *err)
{
    struct owner *owner = NULL;
    HASH_FIND_STR(*owners, name, owner);
    if (owner != NULL)
        return ST_OK;
    owner = calloc(1, sizeof *owner + strlen(name) + 1);
    if (owner == NULL)
        return err_set(err, ST_TEMP, "no memory");
    strcpy(owner->name, name);
    HASH_ADD_STR(*owners, name, owner);
    if (owner->hh.tbl != NULL)
        return ST_OK;
    free(owner);
    return err_set(err, ST_TEMP, "no memory");
}

static struct owner *find_owner(const struct review *review, const char *name)
{
    struct owner *owner = NULL;
    HASH_FIND_STR(review->owners, name, owner);
    return owner;
}

/* The names by which the policy looks for the owner of a pattern's authors. */
static size_t candidates(const struct takeover_pattern *pattern,
                         const char *names[DKIM_CANDIDATES_MAX])
{
    return pattern->level == RULE_EVERYWHERE ? 0 : dkim_domain_candidates(pattern->host, names);
}

static enum status add_names(struct review *review, const struct takeover_pattern *pattern,
                             struct err *err)
{
    const char *names[DKIM_CANDIDATES_MAX];
    size_t count = candidates(pattern, names);
    enum status status = ST_OK;
    for (size_t i = 0; i < pattern->count && status == ST_OK; i++)
        status = add_name(&review->owners, pattern->signers[i].key->domain, err);
    for (size_t i = 0; i < count && status == ST_OK; i++)
        status = add_name(&review->owners, names[i], err);
    return status;
}

static enum status take_suspended(void *arg, const void *record, struct err *err)
{
    struct review *review = arg;
    return add_name(&review->suspended, ((const struct tenant *)record)->name, err);
}

static enum status take_domain(void *arg, const void *record, struct err *err)
{
    const struct review *review = arg;
    const struct domain *domain = record;
    struct owner *owner = find_owner(review, domain->name), *suspended = NULL;
    if (owner == NULL || owner->tenant != NULL)
        return ST_OK;
    HASH_FIND_STR(review->suspended, domain->tenant, suspended);
    owner->suspended = domain->status == ACCOUNT_SUSPENDED;
    owner->tenant_suspended = suspended != NULL;
    owner->tenant = strdup(domain->tenant);
    return owner->tenant != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
}

static enum status read_domains(struct review *review, struct err *err)
{
    const char **names = calloc(HASH_COUNT(review->owners) + 1, sizeof *names);
    const struct store_reader reader = {take_domain, review};
    size_t count = 0;
    if (names == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (const struct owner *each = review->owners; each != NULL; each = each->hh.next)
        names[count++] = each->name;
    enum status status = store_domains(review->store, names, count, &reader, err);
    free(names);
    return status;
}

/* Asks for all names at once, which spares a data base on a network an answer for each. */
static enum status read_owners(struct review *review, struct err *err)
{
    struct query suspended = {.kind = &kind_tenant, .filter_count = 1};
    suspended.filters[0] = (struct query_filter){
        .field = kind_field(&kind_tenant, SPAN_LIT("status")), .number = ACCOUNT_SUSPENDED};
    enum status status = store_find(review->store, &suspended, take_suspended, review, err);
    for (const struct takeover_pattern *each = review->takeover->patterns;
         each != NULL && status == ST_OK; each = each->hh.next)
        status = add_names(review, each, err);
    return status == ST_OK ? read_domains(review, err) : status;
}

/* -- single signers ------------------------------------------------------------------------- */

/* Whose a domain of this import becomes. */
static const char *tenant_of(const struct review *review, const char *domain)
{
    return strcmp(review->tenant, "%") == 0 ? domain : review->tenant;
}

/* Whose the author's domain is when the import is done, as the policy looks for it: the nearest
 * name that is a domain. NULL: nobody's. */
static const char *find_author_tenant(const struct review *review,
                                      const struct takeover_pattern *pattern,
                                      const struct owner **out)
{
    const char *names[DKIM_CANDIDATES_MAX];
    size_t count = candidates(pattern, names);
    for (size_t i = 0; i < count; i++) {
        *out = find_owner(review, names[i]);
        if ((*out)->tenant != NULL)
            return (*out)->tenant;
        if (takeover_find_domain(review->takeover, names[i]) != NULL)
            return tenant_of(review, names[i]);
    }
    return NULL;
}

/* Whether the key of a signer may become one of the store's. */
static bool takes_key(struct review *review, const struct takeover_pattern *pattern,
                      const struct takeover_key *key, const struct owner *owner)
{
    struct notes *notes = review->takeover->notes;
    const char *tenant = tenant_of(review, key->domain);
    struct err why = {0};
    if (owner->tenant != NULL && strcmp(owner->tenant, tenant) != 0)
        notes_add(notes, NOTES_REFUSED, pattern->place,
                  "%s: is not taken over, with s=%s d=%s: domain %s belongs to tenant %s here",
                  pattern->text, key->selector, key->domain, key->domain, owner->tenant);
    else if (takeover_owner_check(tenant, &why) != ST_OK)
        notes_add(notes, NOTES_REFUSED, pattern->place,
                  "%s: is not taken over, with s=%s d=%s: the domain's name is too long for a "
                  "tenant's: import it with --tenant and another name",
                  pattern->text, key->selector, key->domain);
    else
        return true;
    return false;
}

/* Whether a key may sign for the pattern's authors, whose tenant is `tenant`. Two tenants that are
 * both made by this import are one user's. */
static bool takes_author(struct review *review, const struct takeover_pattern *pattern,
                         const struct takeover_key *key, const struct owner *owner,
                         const char *tenant)
{
    struct notes *notes = review->takeover->notes;
    bool each = strcmp(review->tenant, "%") == 0;
    bool same = tenant != NULL && strcmp(tenant, tenant_of(review, key->domain)) == 0;
    bool made = tenant != NULL && takeover_find_domain(review->takeover, owner->name) != NULL &&
                strcmp(tenant, tenant_of(review, owner->name)) == 0;
    if (same || pattern->level == RULE_EVERYWHERE || (tenant == NULL && !each))
        return true;
    if (tenant == NULL || made) {
        notes_add(notes, NOTES_CHANGED, pattern->place,
                  "%s: is signed for with the key of another tenant, s=%s d=%s, for whoever sends "
                  "it; here with tenant_check = enforce only for the provider's own hosts%s",
                  pattern->text, key->selector, key->domain,
                  tenant == NULL ? " and that tenant" : "");
        return true;
    }
    notes_add(notes, NOTES_REFUSED, pattern->place,
              "%s: is not taken over, with s=%s d=%s: domain %s belongs to tenant %s here, for "
              "whose authors no other tenant's key is to sign",
              pattern->text, key->selector, key->domain, owner->name, tenant);
    return false;
}

/* -- patterns ------------------------------------------------------------------------------- */

static void tell_suspended(struct review *review, const char *name, const struct owner *owner)
{
    struct takeover_domain *domain = takeover_find_domain(review->takeover, name);
    domain->suspended = owner->suspended ? "domain" : owner->tenant_suspended ? "tenant" : NULL;
}

/* Whether a signer may be taken over. */
static bool takes(struct review *review, const struct takeover_pattern *pattern,
                  const struct takeover_key *key)
{
    const struct owner *of_key = find_owner(review, key->domain), *of_author = NULL;
    if (!takes_key(review, pattern, key, of_key))
        return false;
    tell_suspended(review, key->domain, of_key);
    const char *tenant = find_author_tenant(review, pattern, &of_author);
    return takes_author(review, pattern, key, of_author, tenant);
}

static void review_pattern(struct review *review, struct takeover_pattern *pattern)
{
    size_t count = 0;
    for (size_t i = 0; i < pattern->count; i++) {
        struct takeover_signer signer = pattern->signers[i];
        pattern->signers[i] = (struct takeover_signer){NULL, NULL};
        if (takes(review, pattern, signer.key)) {
            pattern->signers[count++] = signer;
            signer.key->used = true;
        } else {
            free(signer.identity);
        }
    }
    pattern->lost = pattern->lost || count < pattern->count;
    pattern->count = count;
}

enum status takeover_owner_review(struct admin *admin, struct takeover *takeover,
                                  const char *tenant, struct err *err)
{
    struct review review = {.takeover = takeover, .tenant = tenant};
    enum status status = admin_store(admin, &review.store, err);
    if (status == ST_OK)
        status = read_owners(&review, err);
    for (struct takeover_pattern *each = takeover->patterns; each != NULL && status == ST_OK;
         each = each->hh.next)
        review_pattern(&review, each);
    free_owners(review.owners);
    free_owners(review.suspended);
    if (status == ST_OK)
        takeover_drop_keys(takeover);
    return status;
}
