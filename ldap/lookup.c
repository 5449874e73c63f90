/* SPDX-License-Identifier: Apache-2.0
 *
 * The look-up of a cold message: one search for cn=state, the domains and their keys, and the rules
 * and grants of the names. The tenant of a domain stands above it; a server with the deref overlay
 * sends it in the same answer, of others it is asked with a second search, as is a tenant that is
 * wanted by itself, which is seldom.
 *
 * What an account may not see is to it as if it were not there. Without its rules and grants mail
 * would be signed as nobody wants it, so cn=rules and cn=grants themselves must be in each answer.
 */
#include <stdlib.h>
#include <string.h>

#include "ldap/deref.h"
#include "ldap/entry.h"
#include "ldap/escape.h"
#include "ldap/layout.h"
#include "ldap/lookup.h"

struct lookup {
    const char *const *names;
    size_t count;
    struct profile *profiles;
    int64_t position;   /* -1: cn=state was not in the answer */
    bool rules, grants; /* so was cn=rules, cn=grants */
};

static struct profile *profile_named(const struct lookup *lookup, const char *name)
{
    for (size_t i = 0; i < lookup->count; i++) {
        if (span_equal_nocase(span_str(name), span_str(lookup->names[i])))
            return &lookup->profiles[i];
    }
    return NULL;
}

/* One entry that somebody made wrongly is the misfortune of its own domain, not of those whose
 * authors' domains are looked up together with it. */
static enum status spoil(struct profile *profile, const struct err *why, struct err *err)
{
    profile_clear(profile);
    profile->unreadable = span_dup(span_str(why->text));
    return profile->unreadable != NULL ? ST_OK : err_set(err, ST_TEMP, "ldap: no memory");
}

static bool is_one_of(const char *name, struct berval *const *values)
{
    for (; values != NULL && *values != NULL; values++)
        if (span_equal_nocase(span_str(name), span_of((*values)->bv_val, (*values)->bv_len)))
            return true;
    return false;
}

/* -- tenants ------------------------------------------------------------------------------ */

/* The tenant that is yet to be read for one of the names, or NULL. */
static const char *missing_tenant(const struct lookup *lookup, size_t index)
{
    const struct profile *profile = &lookup->profiles[index];
    if (profile->unreadable != NULL || profile->tenant.name != NULL)
        return NULL;
    return profile->found ? profile->domain.tenant : profile_tenant_of(lookup->names[index]);
}

/* One that cannot be read, and its domains. */
static enum status spoil_tenant(const struct lookup *lookup, struct directory *dir,
                                LDAPMessage *entry, struct err *err)
{
    const struct err why = *err;
    struct berval **names = ldap_get_values_len(dir->ld, entry, "inkanTenantName");
    enum status st = ST_OK;
    for (size_t i = 0; i < lookup->count && st == ST_OK; i++) {
        const char *missing = missing_tenant(lookup, i);
        if (missing != NULL && is_one_of(missing, names))
            st = spoil(&lookup->profiles[i], &why, err);
    }
    ldap_value_free_len(names);
    return st;
}

static enum status take_asked_tenant(void *arg, struct directory *dir, LDAPMessage *entry,
                                     struct err *err)
{
    const struct lookup *lookup = arg;
    struct tenant tenant = {0};
    enum status st = entry_read(dir, entry, &kind_tenant, &tenant, err);
    if (st == ST_BROKEN) {
        kind_clear(&kind_tenant, &tenant);
        return spoil_tenant(lookup, dir, entry, err);
    }
    for (size_t i = 0; i < lookup->count && st == ST_OK; i++) {
        const char *missing = missing_tenant(lookup, i);
        if (missing != NULL && span_equal(span_str(missing), span_str(tenant.name)))
            st = kind_copy(&kind_tenant, &tenant, &lookup->profiles[i].tenant, err);
    }
    kind_clear(&kind_tenant, &tenant);
    return st;
}

/* Those that the server did not send along, and those that are wanted by themselves. */
static enum status ask_for_tenants(struct directory *dir, struct lookup *lookup, struct err *err)
{
    struct buf filter = {0};
    size_t missing = 0;
    char **attributes = entry_attributes(&kind_tenant, false);
    buf_append_str(&filter, "(&(objectClass=inkanTenant)(|");
    for (size_t i = 0; i < lookup->count; i++) {
        const char *name = missing_tenant(lookup, i);
        if (name == NULL)
            continue;
        escape_equals("inkanTenantName", span_str(name), &filter);
        missing++;
    }
    buf_append_str(&filter, "))");
    const struct directory_search search = {.base = dir->root,
                                            .scope = LDAP_SCOPE_SUBTREE,
                                            .filter = buf_cstr(&filter),
                                            .attributes = (const char *const *)attributes};
    enum status st = attributes != NULL ? ST_OK : err_set(err, ST_TEMP, "ldap: no memory");
    if (st == ST_OK && missing > 0)
        st = directory_search(dir, &search, take_asked_tenant, lookup, err);
    entry_attributes_free(attributes);
    buf_clear(&filter);
    return st;
}

/* -- the search --------------------------------------------------------------------------- */

/* The profiles of the names that a domain's entry has; it may have several, or none of ours. */
static enum status spoil_domain(const struct lookup *lookup, struct directory *dir,
                                LDAPMessage *entry, struct err *err)
{
    const struct err why = *err;
    struct berval **names = ldap_get_values_len(dir->ld, entry, "inkanDomainName");
    enum status st = ST_OK;
    for (size_t i = 0; i < lookup->count && st == ST_OK; i++)
        if (is_one_of(lookup->names[i], names))
            st = spoil(&lookup->profiles[i], &why, err);
    ldap_value_free_len(names);
    return st;
}

static enum status take_domain(struct directory *dir, LDAPMessage *entry,
                               const struct lookup *lookup, struct err *err)
{
    struct domain domain = {0};
    enum status st = entry_read(dir, entry, &kind_domain, &domain, err);
    struct profile *profile =
        st == ST_OK && domain.name != NULL ? profile_named(lookup, domain.name) : NULL;
    if (profile != NULL && (profile->found || profile->unreadable != NULL)) {
        st = err_set(err, ST_BROKEN, "ldap: domain %s has a second entry below tenant %s",
                     domain.name, domain.tenant != NULL ? domain.tenant : "");
        profile = NULL;
    }
    if (profile == NULL) {
        kind_clear(&kind_domain, &domain);
        return st == ST_BROKEN ? spoil_domain(lookup, dir, entry, err) : st;
    }
    profile->found = true;
    profile->domain = domain;
    st = deref_take_tenant(dir, entry, &profile->tenant, err);
    if (st == ST_BROKEN) {
        const struct err why = *err;
        return spoil(profile, &why, err);
    }
    /* Whoever gave the domain to another tenant may have forgotten where its DN stands. */
    if (!span_equal(span_str(profile->tenant.name), span_str(domain.tenant)))
        kind_clear(&kind_tenant, &profile->tenant);
    return st;
}

/* A key that cannot be read is none: the others of its domain, and of others, are not to suffer. */
static enum status take_key(struct directory *dir, LDAPMessage *entry, const struct lookup *lookup,
                            struct err *err)
{
    struct key key = {0};
    struct err why = {0};
    enum status st = entry_read(dir, entry, &kind_key, &key, &why);
    bool whole = st == ST_OK && key.selector != NULL;
    struct profile *profile = whole && key.domain != NULL && key.state == KEY_ACTIVE
                                  ? profile_named(lookup, key.domain)
                                  : NULL;
    if (profile != NULL && profile->unreadable != NULL)
        profile = NULL;
    struct key *place = profile != NULL ? profile_add(profile, &kind_key) : NULL;
    if (place == NULL) {
        kind_clear(&kind_key, &key);
        return profile == NULL && st != ST_TEMP ? ST_OK : err_set(err, ST_TEMP, "ldap: no memory");
    }
    *place = key;
    return ST_OK;
}

static bool has(struct directory *dir, LDAPMessage *entry, const char *attribute)
{
    struct berval **values = ldap_get_values_len(dir->ld, entry, attribute);
    ldap_value_free_len(values);
    return values != NULL;
}

/* What an access rule hides may not be taken for what is not there. */
static enum status read_placed(struct directory *dir, LDAPMessage *entry, const struct kind *kind,
                               void *record, struct err *err)
{
    enum status st = entry_read(dir, entry, kind, record, err);
    if (st == ST_OK && kind == &kind_grant && !has(dir, entry, "inkanGrantType"))
        st = err_set(err, ST_BROKEN, "ldap: a grant has no inkanGrantType, or it is not shown");
    if (st == ST_OK && kind_check(kind, record, err) != ST_OK)
        st = err_set(err, ST_BROKEN, "ldap: %s", err->text);
    return st;
}

/* A rule or a grant. Without one that cannot be read the others of its place might allow what it
 * forbids, so nothing is known of that name. */
static enum status take_placed(struct directory *dir, LDAPMessage *entry, const struct kind *kind,
                               const struct lookup *lookup, struct err *err)
{
    char attribute[ENTRY_NAME_SIZE];
    entry_attribute(kind, kind_field(kind, SPAN_LIT("place")), attribute);
    struct berval **places = ldap_get_values_len(dir->ld, entry, attribute);
    enum status st = ST_OK;
    for (size_t i = 0; i < lookup->count && st == ST_OK; i++) {
        struct profile *profile = &lookup->profiles[i];
        if (profile->unreadable != NULL || !is_one_of(lookup->names[i], places))
            continue;
        void *record = profile_add(profile, kind);
        st = record != NULL ? read_placed(dir, entry, kind, record, err)
                            : err_set(err, ST_TEMP, "ldap: no memory");
        const struct err why = *err;
        if (st == ST_BROKEN)
            st = spoil(profile, &why, err);
    }
    ldap_value_free_len(places);
    return st;
}

static void take_register(struct directory *dir, LDAPMessage *entry, struct lookup *lookup)
{
    struct berval **names = ldap_get_values_len(dir->ld, entry, "cn");
    lookup->rules |= is_one_of("rules", names);
    lookup->grants |= is_one_of("grants", names);
    ldap_value_free_len(names);
}

/* What kind of entry it is shows in what it has. */
static enum status take_entry(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    struct lookup *lookup = arg;
    struct berval **position = ldap_get_values_len(dir->ld, entry, "inkanPosition");
    if (position != NULL) {
        uint64_t number = 0;
        if (position[0] != NULL &&
            span_number(span_of(position[0]->bv_val, position[0]->bv_len), INT64_MAX, &number))
            lookup->position = (int64_t)number;
        ldap_value_free_len(position);
        return ST_OK;
    }
    if (has(dir, entry, "inkanKeySelector"))
        return take_key(dir, entry, lookup, err);
    if (has(dir, entry, "inkanRulePattern"))
        return take_placed(dir, entry, &kind_rule, lookup, err);
    if (has(dir, entry, "inkanGrantSubject"))
        return take_placed(dir, entry, &kind_grant, lookup, err);
    if (has(dir, entry, "inkanDomainName"))
        return take_domain(dir, entry, lookup, err);
    take_register(dir, entry, lookup);
    return ST_OK;
}

/* Of two active keys of one algorithm, as there are for a moment while one follows the other, the
 * newer signs: the first of them is taken. */
static int newest_first(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->activated != y->activated)
        return x->activated > y->activated ? -1 : 1;
    return strcmp(x->selector, y->selector);
}

static char **lookup_attributes(void)
{
    static const struct kind *const all[] = {&kind_domain, &kind_key, &kind_rule, &kind_grant};
    enum { KINDS = sizeof all / sizeof all[0] };
    size_t count = 0, most = 3;
    for (size_t k = 0; k < KINDS; k++)
        most += all[k]->field_count;
    char **out = calloc(most, sizeof *out);
    if (out != NULL) {
        out[count++] = strdup("inkanPosition");
        out[count++] = strdup("cn");
    }
    for (size_t k = 0; out != NULL && k < KINDS; k++) {
        for (size_t i = 0; i < all[k]->field_count; i++) {
            char name[ENTRY_NAME_SIZE];
            entry_attribute(all[k], &all[k]->fields[i], name);
            out[count++] = strdup(name);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (out[i] == NULL)
            return NULL; /* a few octets are lost with all memory gone */
    }
    return out;
}

/* Other names have marks that no domain has, and the server need not look for one. */
static bool is_domain(struct span name)
{
    return span_find(name, '*') == name.len && span_find(name, '#') == name.len;
}

static void make_filter(const struct lookup *lookup, struct buf *out)
{
    buf_append_str(out, "(|(objectClass=inkanState)(objectClass=inkanRegister)");
    for (size_t i = 0; i < lookup->count; i++) {
        struct span name = span_str(lookup->names[i]);
        if (name.len == 0)
            continue;
        if (is_domain(name)) {
            escape_equals("inkanDomainName", name, out);
            escape_equals("inkanKeyDomain", name, out);
        }
        escape_equals("inkanRulePlace", name, out);
        escape_equals("inkanGrantPlace", name, out);
    }
    buf_append_char(out, ')');
}

static enum status search(struct directory *dir, struct lookup *lookup, struct err *err)
{
    struct buf filter = {0};
    LDAPControl *control = NULL;
    enum status st = ST_OK;
    if (dir->lookup == NULL && (dir->lookup = lookup_attributes()) == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    if (dir->derefs)
        st = deref_control(dir, &control, err);
    make_filter(lookup, &filter);
    const struct directory_search search = {.base = dir->root,
                                            .scope = LDAP_SCOPE_SUBTREE,
                                            .filter = buf_cstr(&filter),
                                            .attributes = (const char *const *)dir->lookup,
                                            .control = control};
    if (st == ST_OK)
        st = directory_search(dir, &search, take_entry, lookup, err);
    ldap_control_free(control);
    buf_clear(&filter);
    return st;
}

/* A domain without its tenant signs for nobody; but it is there, and no parent's tenant gets what
 * belongs to it. */
static enum status orphan(struct profile *profile, struct err *err)
{
    const struct field *name = kind_field(&kind_tenant, SPAN_LIT("name"));
    profile->tenant.status = ACCOUNT_SUSPENDED;
    profile->tenant.expiry = -1;
    return field_set_text(name, &profile->tenant, span_str(profile->domain.tenant), err);
}

/* A key without its domain is nothing. */
static enum status finish(struct lookup *lookup, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < lookup->count && st == ST_OK; i++) {
        struct profile *profile = &lookup->profiles[i];
        if (profile->found && profile->tenant.name == NULL)
            st = orphan(profile, err);
        else if (profile->unreadable == NULL && profile->tenant.name == NULL)
            profile_drop_domain(profile);
        if (profile->key_count > 1)
            qsort(profile->keys, profile->key_count, sizeof *profile->keys, newest_first);
        profile->position = lookup->position;
    }
    return st;
}

enum status lookup_profiles(struct driver_conn *conn, const char *const *names, size_t count,
                            struct profile *profiles, struct err *err)
{
    struct directory *dir = directory_of(conn);
    struct lookup lookup = {names, count, profiles, -1, false, false};
    enum status st = search(dir, &lookup, err);
    if (st == ST_NOT_FOUND || (st == ST_OK && lookup.position < 0))
        return err_set(err, ST_BROKEN, "ldap: there is no store at %s (inkan store init)",
                       dir->root);
    if (st == ST_OK && !(lookup.rules && lookup.grants))
        return err_set(err, ST_BROKEN,
                       "ldap: cn=%s,%s is not shown to this account, which must read all below it "
                       "(docs/ldap.md, Access)",
                       lookup.rules ? "grants" : "rules", dir->root);
    if (st == ST_OK)
        st = ask_for_tenants(dir, &lookup, err);
    if (st == ST_OK)
        st = finish(&lookup, err);
    return st;
}
