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
    struct owner *owners;
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

static enum status read_owner(const struct review *review, struct owner *out, struct err *err)
{
    struct domain domain = {.name = NULL};
    struct tenant tenant = {.name = NULL};
    enum status status = store_domain(review->store, out->name, &domain, err);
    if (status == ST_OK) {
        out->suspended = domain.status == ACCOUNT_SUSPENDED;
        out->tenant = strdup(domain.tenant);
        status = out->tenant != NULL ? store_tenant(review->store, domain.tenant, &tenant, err)
                                     : err_set(err, ST_TEMP, "no memory");
        out->tenant_suspended = status == ST_OK && tenant.status == ACCOUNT_SUSPENDED;
    }
    kind_clear(&kind_domain, &domain);
    kind_clear(&kind_tenant, &tenant);
    return status == ST_NOT_FOUND ? ST_OK : status;
}

static enum status find_owner(struct review *review, const char *name, struct owner **out,
                              struct err *err)
{
    HASH_FIND_STR(review->owners, name, *out);
    if (*out != NULL)
        return ST_OK;
    struct owner *owner = calloc(1, sizeof *owner + strlen(name) + 1);
    if (owner == NULL)
        return err_set(err, ST_TEMP, "no memory");
    strcpy(owner->name, name);
    HASH_ADD_STR(review->owners, name, owner);
    if (owner->hh.tbl == NULL) {
        free(owner);
        return err_set(err, ST_TEMP, "no memory");
    }
    *out = owner;
    return read_owner(review, owner, err);
}

/* -- single signers ------------------------------------------------------------------------- */

/* Whose a domain of this import becomes. */
static const char *tenant_of(const struct review *review, const char *domain)
{
    return strcmp(review->tenant, "%") == 0 ? domain : review->tenant;
}

/* Whose the author's domain is when the import is done, as the policy looks for it: the nearest
 * name that is a domain. */
static enum status find_author_owner(struct review *review, const struct takeover_pattern *pattern,
                                     struct owner **out, const char **tenant_out, struct err *err)
{
    const char *names[DKIM_CANDIDATES_MAX];
    size_t count =
        pattern->level == RULE_EVERYWHERE ? 0 : dkim_domain_candidates(pattern->host, names);
    enum status status = ST_OK;
    *tenant_out = NULL;
    for (size_t i = 0; i < count && *tenant_out == NULL && status == ST_OK; i++) {
        status = find_owner(review, names[i], out, err);
        if (status == ST_OK && (*out)->tenant != NULL)
            *tenant_out = (*out)->tenant;
        else if (status == ST_OK && takeover_find_domain(review->takeover, names[i]) != NULL)
            *tenant_out = tenant_of(review, names[i]);
    }
    return status;
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

static enum status review_signer(struct review *review, const struct takeover_pattern *pattern,
                                 const struct takeover_key *key, bool *taken_out, struct err *err)
{
    struct owner *of_key = NULL, *of_author = NULL;
    const char *tenant = NULL;
    *taken_out = false;
    enum status status = find_owner(review, key->domain, &of_key, err);
    if (status != ST_OK || !takes_key(review, pattern, key, of_key))
        return status;
    tell_suspended(review, key->domain, of_key);
    status = find_author_owner(review, pattern, &of_author, &tenant, err);
    *taken_out = status == ST_OK && takes_author(review, pattern, key, of_author, tenant);
    return status;
}

static enum status review_pattern(struct review *review, struct takeover_pattern *pattern,
                                  struct err *err)
{
    enum status status = ST_OK;
    size_t count = 0;
    for (size_t i = 0; i < pattern->count; i++) {
        bool taken = false;
        struct takeover_signer signer = pattern->signers[i];
        pattern->signers[i] = (struct takeover_signer){NULL, NULL};
        if (status == ST_OK)
            status = review_signer(review, pattern, signer.key, &taken, err);
        if (taken)
            pattern->signers[count++] = signer;
        else
            free(signer.identity);
        if (taken)
            signer.key->used = true;
    }
    pattern->lost = pattern->lost || count < pattern->count;
    pattern->count = count;
    return status;
}

enum status takeover_owner_review(struct admin *admin, struct takeover *takeover,
                                  const char *tenant, struct err *err)
{
    struct review review = {.takeover = takeover, .tenant = tenant};
    enum status status = admin_store(admin, &review.store, err);
    for (struct takeover_pattern *each = takeover->patterns; each != NULL && status == ST_OK;
         each = each->hh.next)
        status = review_pattern(&review, each, err);
    free_owners(review.owners);
    if (status == ST_OK)
        takeover_drop_keys(takeover);
    return status;
}
