/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/calendar.h"
#include "base/settings.h"
#include "dkim/canon.h"
#include "dkim/domain.h"
#include "dkim/sign.h"
#include "storage/rule.h"

static const char *const status_names[] = {"active", "suspended", NULL};
static const char *const state_names[] = {"staged",  "published", "active", "retiring",
                                          "revoked", "destroyed", NULL};
static const char *const algorithm_names[] = {"rsa-sha256", "ed25519-sha256", NULL};
static const char *const shown_names[] = {"unknown", "right", "missing", "wrong", NULL};
static const char *const unpublished_names[] = {"sign", "provider", "unsigned", NULL};
static const char *const no_key_names[] = {"auto", "tempfail", "unsigned", "provider", NULL};
static const char *const ed25519_names[] = {"on", "off", NULL};
static const char *const grant_names[] = {"login", "network", "daemon", NULL};

enum {
    NOTE_MAX = 1024,
    ALGORITHMS_MAX = 64,
    FREEZE_MAX = 256,
    NAME_MAX_OCTETS = 64,
    HEADERS_MAX = 1024,
    DETAIL_MAX = 4096,
    HASH_MAX = 64
};
#define INT_MAX_VALUE (INT64_C(1) << 53) /* what JSON numbers carry exactly */

/* -- tests of single values --------------------------------------------------------------- */

static enum status check_tenant(struct span value, struct err *err)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        bool mark = c == '-' || c == '_' || c == '.';
        if (!ascii_alpha(c) && !ascii_digit(c) && !(mark && i > 0))
            return err_set(err, ST_INVALID,
                           "not a tenant name (letters, digits, and inside also . _ -)");
    }
    return ST_OK;
}

/* A name must already stand in the one form, or two rows could mean one domain. */
static enum status check_same(struct span value, const char *normal, struct err *err)
{
    if (!span_equal(value, span_str(normal)))
        return err_set(err, ST_INVALID, "must be written as %s", normal);
    return ST_OK;
}

static enum status check_domain(struct span value, struct err *err)
{
    char normal[DKIM_DOMAIN_SIZE];
    enum status st = dkim_domain_normalize(value, normal, err);
    return st == ST_OK ? check_same(value, normal, err) : st;
}

static enum status check_selector(struct span value, struct err *err)
{
    char normal[DKIM_DOMAIN_SIZE];
    enum status st = dkim_selector_normalize(value, normal, err);
    return st == ST_OK ? check_same(value, normal, err) : st;
}

static enum status check_canonicalization(struct span value, struct err *err)
{
    enum dkim_canon header, body;
    return dkim_canon_parse(value, &header, &body, err);
}

static enum status check_headers(struct span value, struct err *err)
{
    struct dkim_names *names = NULL;
    enum status st = dkim_names_parse(value, &names, err);
    dkim_names_free(names);
    return st;
}

static enum status check_algorithms(struct span value, struct err *err)
{
    return settings_parse_algorithms(value, err);
}

/* -- the tables --------------------------------------------------------------------------- */

#define TEXT(s, m, fl, hi, ck, hp)                                                                 \
    {                                                                                              \
        .name = #m, .type = FIELD_TEXT, .flags = (fl), .offset = offsetof(struct s, m),            \
        .max = (hi), .check = (ck), .help = (hp)                                                   \
    }
#define INTEGER(s, m, fl, lo, hi, hp)                                                              \
    {                                                                                              \
        .name = #m, .type = FIELD_INT, .flags = (fl), .offset = offsetof(struct s, m),             \
        .min = (lo), .max = (hi), .help = (hp)                                                     \
    }
#define SECONDS(s, m, fl, lo, hi, hp) INTEGER(s, m, (fl) | FIELD_SECONDS, lo, hi, hp)
#define BOOLEAN(s, m, fl, hp)                                                                      \
    {                                                                                              \
        .name = #m, .type = FIELD_BOOL, .flags = (fl), .offset = offsetof(struct s, m), .max = 1,  \
        .help = (hp)                                                                               \
    }
#define TIME(s, m, fl, hp)                                                                         \
    {                                                                                              \
        .name = #m, .type = FIELD_TIME, .flags = (fl), .offset = offsetof(struct s, m),            \
        .max = INT64_C(1) << 40, .help = (hp)                                                      \
    }
#define ENUM(s, m, fl, nm, hp)                                                                     \
    {                                                                                              \
        .name = #m, .type = FIELD_ENUM, .flags = (fl), .offset = offsetof(struct s, m),            \
        .names = (nm), .help = (hp)                                                                \
    }
#define BYTES(s, m, fl, hi, hp)                                                                    \
    {                                                                                              \
        .name = #m, .type = FIELD_BYTES, .flags = (fl), .offset = offsetof(struct s, m),           \
        .max = (hi), .help = (hp)                                                                  \
    }
#define AGE_MAX (INT64_C(3650) * 86400)
#define EXPIRY_MAX (INT64_C(10) * 366 * 86400)
/* What a tenant or a domain may have otherwise than the settings. */
#define POLICY(s)                                                                                  \
    TEXT(s, algorithms, FIELD_SETTABLE | FIELD_WIDE, ALGORITHMS_MAX, check_algorithms,             \
         "keys that its new domains, and its keys' successors, are made by"),                      \
        SECONDS(s, max_age, FIELD_SETTABLE | FIELD_WIDE, 0, AGE_MAX,                               \
                "seconds after which a key is replaced; 0: as the settings say"),                  \
        SECONDS(s, soak, FIELD_SETTABLE | FIELD_WIDE, 0, AGE_MAX,                                  \
                "seconds that DNS shows a key before it signs; 0: as the settings say"),           \
        SECONDS(s, overlap, FIELD_SETTABLE | FIELD_WIDE, 0, AGE_MAX,                               \
                "seconds that a retired key's record stays; 0: as the settings say"),              \
        SECONDS(s, tombstone, FIELD_SETTABLE | FIELD_WIDE, 0, AGE_MAX,                             \
                "seconds that a revoked key's empty record stays; 0: as the settings say"),        \
        TEXT(s, freeze, FIELD_SETTABLE | FIELD_WIDE, FREEZE_MAX, calendar_check,                   \
             "days on which keys do not change by themselves; empty: as the settings say")
#define LIFE(s)                                                                                    \
    TIME(s, created, FIELD_WIDE, "when the record was added"),                                     \
        TIME(s, updated, FIELD_WIDE | FIELD_TOUCHED, "when it was last changed"),                  \
        INTEGER(s, version, FIELD_WIDE | FIELD_VERSION, 0, INT_MAX_VALUE, "changes so far")

#define KIND(s, table)                                                                             \
    const struct kind kind_##s = {#s, table, sizeof(table) / sizeof((table)[0]), sizeof(struct s)}

static const struct field tenant_fields[] = {
    TEXT(tenant, name, FIELD_KEY | FIELD_REQUIRED, NAME_MAX_OCTETS, check_tenant, "the tenant"),
    ENUM(tenant, status, 0, status_names, "suspended: none of its domains is signed for"),
    ENUM(tenant, on_unpublished, FIELD_SETTABLE | FIELD_WIDE, unpublished_names,
         "what is done with mail while DNS does not show the key"),
    ENUM(tenant, on_no_key, FIELD_SETTABLE | FIELD_WIDE, no_key_names,
         "what is done with mail when no key can be used"),
    BOOLEAN(tenant, subdomains, FIELD_SETTABLE | FIELD_WIDE,
            "all its domains also sign for authors below them"),
    TEXT(tenant, canonicalization, FIELD_SETTABLE | FIELD_WIDE | FIELD_NOCASE, 32,
         check_canonicalization, "header/body instead of the settings'"),
    SECONDS(tenant, expiry, FIELD_SETTABLE | FIELD_WIDE, -1, EXPIRY_MAX,
            "seconds from t= to x=; 0: no x=, -1: as the settings say"),
    TEXT(tenant, headers, FIELD_SETTABLE | FIELD_WIDE, HEADERS_MAX, check_headers,
         "header fields to sign instead of the settings'"),
    TEXT(tenant, oversign, FIELD_SETTABLE | FIELD_WIDE, HEADERS_MAX, check_headers,
         "header fields to sign once more than there are instead of the settings'"),
    BOOLEAN(tenant, also_provider, FIELD_SETTABLE | FIELD_WIDE,
            "sign.provider_domain signs its mail as well"),
    BOOLEAN(tenant, one_signature, FIELD_SETTABLE | FIELD_WIDE, "never more than one signature"),
    ENUM(tenant, ed25519, FIELD_SETTABLE | FIELD_WIDE, ed25519_names,
         "whether Ed25519 keys sign where there are any"),
    POLICY(tenant),
    TEXT(tenant, note, FIELD_SETTABLE, NOTE_MAX, NULL, "free text"),
    LIFE(tenant),
};
KIND(tenant, tenant_fields);

static const struct field domain_fields[] = {
    TEXT(domain, name, FIELD_KEY | FIELD_REQUIRED | FIELD_NOCASE, DKIM_DOMAIN_SIZE - 1,
         check_domain, "the signing domain (d=)"),
    TEXT(domain, tenant, FIELD_REQUIRED, NAME_MAX_OCTETS, check_tenant, "whose domain it is"),
    ENUM(domain, status, 0, status_names, "suspended: not signed for"),
    TEXT(domain, delegation, FIELD_WIDE | FIELD_NOCASE, DKIM_DOMAIN_SIZE - 1, check_domain,
         "what the targets of its keys' CNAMEs are named by; empty: not delegated"),
    BOOLEAN(domain, subdomains, FIELD_SETTABLE, "also signs for authors below the domain"),
    TEXT(domain, canonicalization, FIELD_SETTABLE | FIELD_WIDE | FIELD_NOCASE, 32,
         check_canonicalization, "header/body instead of the tenant's or the settings'"),
    SECONDS(domain, expiry, FIELD_SETTABLE | FIELD_WIDE, -1, EXPIRY_MAX,
            "seconds from t= to x=; 0: no x=, -1: as the tenant or the settings say"),
    POLICY(domain),
    TEXT(domain, note, FIELD_SETTABLE, NOTE_MAX, NULL, "free text"),
    LIFE(domain),
};
KIND(domain, domain_fields);

static const struct field key_fields[] = {
    TEXT(key, domain, FIELD_KEY | FIELD_REQUIRED | FIELD_NOCASE, DKIM_DOMAIN_SIZE - 1, check_domain,
         "the signing domain (d=)"),
    TEXT(key, selector, FIELD_KEY | FIELD_REQUIRED | FIELD_NOCASE, DKIM_DOMAIN_SIZE - 1,
         check_selector, "the selector (s=)"),
    ENUM(key, algorithm, 0, algorithm_names, "the signing algorithm (a=)"),
    INTEGER(key, bits, 0, 256, DKIM_RSA_BITS_MAX, "size of the key"),
    ENUM(key, state, 0, state_names, "where in its life the key is"),
    BOOLEAN(key, reserved, FIELD_WIDE, "signs only where a rule names its selector"),
    BYTES(key, public_key, FIELD_REQUIRED | FIELD_WIDE, 1024, "the public half, as p= has it"),
    TEXT(key, target, FIELD_WIDE | FIELD_NOCASE, DKIM_DOMAIN_SIZE - 1, check_domain,
         "where its record stands, if the selector's name is an alias"),
    TEXT(key, kek, FIELD_WIDE, 64, NULL, "the key-encryption key that sealed it"),
    BYTES(key, sealed, FIELD_SECRET | FIELD_WIDE, 8192, "the sealed private half"),
    TIME(key, created, 0, "when it was made"),
    TIME(key, published, FIELD_WIDE, "when DNS was seen to show it"),
    TIME(key, activated, 0, "when it began to sign"),
    TIME(key, retired, FIELD_WIDE, "when it ceased to sign"),
    TIME(key, revoked, FIELD_WIDE, "when its record became a gravestone"),
    TIME(key, destroyed, FIELD_WIDE, "when its record was removed"),
    ENUM(key, shown, FIELD_WIDE, shown_names, "what DNS was last seen to show"),
    TIME(key, checked, FIELD_WIDE | FIELD_QUIET, "when DNS was last asked"),
    SECONDS(key, ttl, FIELD_WIDE | FIELD_QUIET, 0, INT32_MAX, "seconds others may keep its record"),
    TIME(key, due, FIELD_WIDE | FIELD_QUIET, "when its life goes on by itself"),
    TIME(key, updated, FIELD_WIDE | FIELD_TOUCHED, "when it was last changed"),
    INTEGER(key, version, FIELD_WIDE | FIELD_VERSION, 0, INT_MAX_VALUE, "changes so far"),
};
KIND(key, key_fields);

static const struct field rule_fields[] = {
    TEXT(rule, pattern, FIELD_KEY | FIELD_REQUIRED, RULE_PATTERN_MAX, NULL, "of author addresses"),
    TEXT(rule, domain, FIELD_KEY | FIELD_REQUIRED | FIELD_NOCASE, DKIM_DOMAIN_SIZE - 1,
         check_domain, "signs for them"),
    TEXT(rule, selector, FIELD_NOCASE, DKIM_DOMAIN_SIZE - 1, check_selector, "with this key only"),
    TEXT(rule, identity, 0, RULE_PATTERN_MAX, NULL, "with this i="),
    TEXT(rule, place, FIELD_REQUIRED | FIELD_WIDE, DKIM_DOMAIN_SIZE - 1, NULL,
         "what it is looked up by"),
    LIFE(rule),
};
KIND(rule, rule_fields);

static const struct field grant_fields[] = {
    ENUM(grant, type, FIELD_KEY, grant_names, "what the subject is"),
    TEXT(grant, subject, FIELD_KEY | FIELD_REQUIRED, RULE_PATTERN_MAX, NULL,
         "the login, network or daemon name"),
    TEXT(grant, tenant, FIELD_REQUIRED, NAME_MAX_OCTETS, check_tenant, "may sign for its domains"),
    BOOLEAN(grant, one_signature, FIELD_SETTABLE,
            "mail from there gets no more than one signature"),
    TEXT(grant, place, FIELD_REQUIRED | FIELD_WIDE, DKIM_DOMAIN_SIZE - 1, NULL,
         "what it is looked up by"),
    LIFE(grant),
};
KIND(grant, grant_fields);

static const struct field event_fields[] = {
    INTEGER(event, id, FIELD_KEY | FIELD_SERIAL, 0, INT_MAX_VALUE, "number of the event"),
    TIME(event, time, 0, "when"),
    TEXT(event, actor, FIELD_REQUIRED, 256, NULL, "who"),
    TEXT(event, action, FIELD_REQUIRED, 64, NULL, "did what"),
    TEXT(event, kind, FIELD_REQUIRED | FIELD_WIDE, 64, NULL, "to what kind of record"),
    TEXT(event, name, FIELD_REQUIRED, 640, NULL, "to which"),
    TEXT(event, tenant, FIELD_WIDE, NAME_MAX_OCTETS, NULL, "whose it is"),
    TEXT(event, detail, 0, DETAIL_MAX, NULL, "what changed"),
    TEXT(event, hash, FIELD_WIDE, HASH_MAX, NULL, "chains it to the event before"),
    INTEGER(event, version, FIELD_WIDE | FIELD_VERSION, 0, INT_MAX_VALUE, "always 1"),
};
KIND(event, event_fields);

static const struct field change_fields[] = {
    INTEGER(change, position, FIELD_KEY | FIELD_SERIAL, 0, INT_MAX_VALUE, "in the feed"),
    TEXT(change, kind, FIELD_REQUIRED, 64, NULL, "domain or tenant"),
    TEXT(change, name, FIELD_REQUIRED, DKIM_DOMAIN_SIZE - 1, NULL, "which"),
    TIME(change, time, 0, "when"),
    INTEGER(change, version, FIELD_WIDE | FIELD_VERSION, 0, INT_MAX_VALUE, "always 1"),
};
KIND(change, change_fields);

static const struct field lease_fields[] = {
    TEXT(lease, name, FIELD_KEY | FIELD_REQUIRED, NAME_MAX_OCTETS, NULL, "of the work"),
    TEXT(lease, holder, FIELD_QUIET, 256, NULL, "who does it"),
    TIME(lease, until, FIELD_QUIET, "afterwards anybody may do it"),
    LIFE(lease),
};
KIND(lease, lease_fields);

const struct kind *const kinds[] = {&kind_tenant, &kind_domain, &kind_key,
                                    &kind_rule,   &kind_grant,  &kind_event,
                                    &kind_change, &kind_lease,  NULL};

/* -- profiles ----------------------------------------------------------------------------- */

/* The lists of a profile. */
struct part {
    const struct kind *kind;
    size_t records, count; /* where they are in struct profile */
};
static const struct part parts[] = {
    {&kind_key, offsetof(struct profile, keys), offsetof(struct profile, key_count)},
    {&kind_rule, offsetof(struct profile, rules), offsetof(struct profile, rule_count)},
    {&kind_grant, offsetof(struct profile, grants), offsetof(struct profile, grant_count)},
};
enum { PARTS = sizeof parts / sizeof parts[0] };

static char **records_of(const struct profile *profile, const struct part *part)
{
    return (char **)((uintptr_t)profile + part->records);
}

static size_t *count_of(const struct profile *profile, const struct part *part)
{
    return (size_t *)((uintptr_t)profile + part->count);
}

/* The room doubles: some names have thousands of records. */
void *profile_add(struct profile *profile, const struct kind *kind)
{
    const struct part *part = parts;
    while (part->kind != kind)
        part++;
    char **records = records_of(profile, part);
    size_t *count = count_of(profile, part);
    if ((*count & (*count - 1)) == 0) {
        char *grown = realloc(*records, (*count > 0 ? 2 * *count : 1) * kind->size);
        if (grown == NULL)
            return NULL;
        *records = grown;
    }
    char *record = *records + (*count)++ * kind->size;
    memset(record, 0, kind->size);
    return record;
}

bool profile_is_empty(const struct profile *profile)
{
    return !profile->found && profile->tenant.name == NULL && profile->rule_count == 0 &&
           profile->grant_count == 0;
}

bool profile_tenant_name(const char *tenant, char out[PROFILE_TENANT_SIZE])
{
    static_assert(PROFILE_TENANT_SIZE == sizeof PROFILE_TENANT + NAME_MAX_OCTETS, "any tenant's");
    int len = snprintf(out, PROFILE_TENANT_SIZE, "%s%s", PROFILE_TENANT, tenant);
    return len > 0 && len < PROFILE_TENANT_SIZE;
}

const char *profile_tenant_of(const char *name)
{
    size_t len = strlen(PROFILE_TENANT);
    return strncmp(name, PROFILE_TENANT, len) == 0 ? name + len : NULL;
}

void profile_drop_domain(struct profile *profile)
{
    const struct profile rest = {.rules = profile->rules,
                                 .rule_count = profile->rule_count,
                                 .grants = profile->grants,
                                 .grant_count = profile->grant_count};
    profile->rules = NULL;
    profile->grants = NULL;
    profile->rule_count = profile->grant_count = 0;
    profile_clear(profile);
    *profile = rest;
}

void profile_clear(struct profile *profile)
{
    kind_clear(&kind_domain, &profile->domain);
    kind_clear(&kind_tenant, &profile->tenant);
    for (size_t i = 0; i < PARTS; i++) {
        char *records = *records_of(profile, &parts[i]);
        for (size_t j = 0; j < *count_of(profile, &parts[i]); j++)
            kind_clear(parts[i].kind, records + j * parts[i].kind->size);
        free(records);
    }
    free(profile->unreadable);
    *profile = (struct profile){0};
}
