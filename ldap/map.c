/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "ldap/escape.h"

enum { ED25519_PEM_MAX = 200 }; /* octets; the smallest RSA key has four times as many */

struct map {
    const struct settings_ldap *settings;
    const char *attributes[6]; /* NULL-terminated: what is asked for */
};

enum status map_open(struct directory *dir, const struct settings_ldap *settings, struct err *err)
{
    size_t count = 0;
    if (settings->map_filter[0] == '\0')
        return ST_OK;
    dir->map = calloc(1, sizeof *dir->map);
    if (dir->map == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    const char *const names[] = {settings->map_key, settings->map_domain, settings->map_selector,
                                 settings->map_active, settings->map_tenant};
    dir->map->settings = settings;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i][0] != '\0')
            dir->map->attributes[count++] = names[i];
    }
    return ST_OK;
}

void map_close(struct directory *dir)
{
    free(dir->map);
    dir->map = NULL;
}

const char *map_domain_attribute(const struct directory *dir)
{
    return dir->map->settings->map_domain;
}

void map_any_filter(const struct directory *dir, struct buf *out)
{
    buf_printf(out, "(%s=*)", dir->map->settings->map_key);
}

/* -- filters ------------------------------------------------------------------------------ */

/* Appends example.com as dc=example,dc=com. */
static void append_dn(struct span domain, struct buf *out)
{
    struct span label;
    for (bool first = true; domain.len > 0 && span_next(&domain, '.', &label); first = false) {
        if (!first)
            buf_append_char(out, ',');
        escape_rdn("dc", label, out);
    }
}

/* Appends the filter of the settings for one domain. */
static void append_filter(const struct map *map, struct span domain, struct buf *out)
{
    for (const char *c = map->settings->map_filter; *c != '\0'; c++) {
        struct buf dn = {0};
        if (c[0] == '%' && c[1] == 'D') {
            append_dn(domain, &dn);
            escape_filter(buf_span(&dn), out);
        } else if (c[0] == '%' && c[1] == 'd') {
            escape_filter(domain, out);
        } else {
            buf_append_char(out, *c);
            continue;
        }
        buf_clear(&dn);
        c++;
    }
}

/* -- one entry ---------------------------------------------------------------------------- */

struct mapped_key {
    char *selector; /* from an option of the attribute; NULL: the entry's */
    struct buf octets;
};

/* What an entry says. */
struct mapped {
    const struct map *map;
    char *domains[8], *tenant, *selector;
    size_t domain_count;
    bool inactive;
    struct mapped_key keys[4];
    size_t key_count;
};
enum { DOMAINS_MAX = 8, KEYS_MAX = 4 };

static void mapped_clear(struct mapped *mapped)
{
    for (size_t i = 0; i < mapped->domain_count; i++)
        free(mapped->domains[i]);
    for (size_t i = 0; i < mapped->key_count; i++) {
        free(mapped->keys[i].selector);
        buf_clear(&mapped->keys[i].octets);
    }
    free(mapped->tenant);
    free(mapped->selector);
}

static bool is(const char *setting, struct span attribute)
{
    return setting[0] != '\0' && span_equal_nocase(span_str(setting), attribute);
}

static enum status replace(char **to, struct span value, struct err *err)
{
    free(*to);
    *to = span_dup(value);
    return *to != NULL ? ST_OK : err_set(err, ST_TEMP, "ldap: no memory");
}

static enum status add_key(struct mapped *mapped, struct span option, struct span value,
                           struct err *err)
{
    struct mapped_key *key = &mapped->keys[mapped->key_count];
    if (mapped->key_count == KEYS_MAX)
        return err_set(err, ST_BROKEN, "ldap: more than %d keys in one entry", KEYS_MAX);
    *key = (struct mapped_key){.octets = BUF_SECRET(0)};
    buf_append_span(&key->octets, value);
    mapped->key_count++;
    if (option.len > 0 && replace(&key->selector, option, err) != ST_OK)
        return ST_TEMP;
    return buf_check(&key->octets, "private key", err);
}

/* `attribute` may have options: name;x-option. */
static enum status take_value(void *arg, const char *attribute, struct span value, struct err *err)
{
    struct mapped *mapped = arg;
    const struct settings_ldap *settings = mapped->map->settings;
    struct span whole = span_str(attribute), name = span_head(whole, span_find(whole, ';'));
    struct span option = span_from(whole, name.len + 1);
    if (is(settings->map_key, name))
        return add_key(
            mapped, span_has_prefix(option, SPAN_LIT("x-")) ? span_from(option, 2) : span_of("", 0),
            value, err);
    if (is(settings->map_domain, name) && mapped->domain_count < DOMAINS_MAX)
        return replace(&mapped->domains[mapped->domain_count++], value, err);
    if (is(settings->map_selector, name))
        return replace(&mapped->selector, value, err);
    if (is(settings->map_tenant, name))
        return replace(&mapped->tenant, value, err);
    if (is(settings->map_active, name))
        mapped->inactive = span_equal_nocase(value, SPAN_LIT("FALSE"));
    return ST_OK;
}

/* The domain that the first components of the entry's DN spell: dc=example,dc=com,ou=... */
static enum status domain_of_dn(struct directory *dir, LDAPMessage *entry, struct mapped *mapped,
                                struct err *err)
{
    LDAPDN dn = NULL;
    struct buf domain = {0};
    char *text = directory_dn(dir, entry);
    bool good = text != NULL && ldap_str2dn(text, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS;
    for (size_t i = 0; good && dn != NULL && dn[i] != NULL; i++) {
        const LDAPAVA *part = dn[i][0];
        struct span name = span_of(part->la_attr.bv_val, part->la_attr.bv_len);
        if (!span_equal_nocase(name, SPAN_LIT("dc")))
            break;
        if (domain.len > 0)
            buf_append_char(&domain, '.');
        buf_append(&domain, part->la_value.bv_val, part->la_value.bv_len);
    }
    ldap_dnfree(dn);
    ldap_memfree(text);
    enum status st = buf_check(&domain, "DN", err);
    if (st == ST_OK && domain.len > 0)
        st = replace(&mapped->domains[mapped->domain_count++], buf_span(&domain), err);
    buf_clear(&domain);
    return st;
}

static enum status read_mapped(struct directory *dir, LDAPMessage *entry, struct mapped *out,
                               struct err *err)
{
    *out = (struct mapped){.map = dir->map};
    enum status st = directory_values(dir, entry, take_value, out, err);
    if (st == ST_OK && dir->map->settings->map_domain[0] == '\0')
        st = domain_of_dn(dir, entry, out, err);
    for (size_t i = 0; i < out->domain_count; i++) {
        for (char *c = out->domains[i]; *c != '\0'; c++)
            *c = ascii_lower(*c);
    }
    return st;
}

/* Whether there is anything in it to sign with. */
static bool is_useful(const struct mapped *mapped)
{
    bool named = mapped->selector != NULL;
    for (size_t i = 0; i < mapped->key_count; i++)
        named = named || mapped->keys[i].selector != NULL;
    return !mapped->inactive && mapped->key_count > 0 && named;
}

/* -- records ------------------------------------------------------------------------------ */

static enum status set(const struct kind *kind, const char *field, void *record, const char *value,
                       struct err *err)
{
    return field_set_text(kind_field(kind, span_str(field)), record, span_str(value), err);
}

static const char *tenant_of(const struct mapped *mapped, const char *domain)
{
    return mapped->tenant != NULL ? mapped->tenant : domain;
}

static enum status make_tenant(const struct mapped *mapped, const char *domain, struct tenant *out,
                               struct err *err)
{
    out->version = 1;
    return set(&kind_tenant, "name", out, tenant_of(mapped, domain), err);
}

static enum status make_domain(const struct mapped *mapped, const char *name, struct domain *out,
                               struct err *err)
{
    out->version = 1;
    out->expiry = -1;
    enum status st = set(&kind_domain, "name", out, name, err);
    return st == ST_OK ? set(&kind_domain, "tenant", out, tenant_of(mapped, name), err) : st;
}

/* Which algorithm it is shows in the size; the vault sees to it that it is true. */
static enum status make_key(const struct mapped *mapped, size_t index, const char *domain,
                            struct key *out, struct err *err)
{
    const struct mapped_key *key = &mapped->keys[index];
    const char *selector = key->selector != NULL ? key->selector : mapped->selector;
    out->version = 1;
    out->state = KEY_ACTIVE;
    out->algorithm = key->octets.len <= ED25519_PEM_MAX;
    out->bits = out->algorithm ? 256 : 0;
    out->sealed.secret = true;
    buf_append_span(&out->sealed, buf_span(&key->octets));
    enum status st = buf_check(&out->sealed, "private key", err);
    if (st == ST_OK)
        st = set(&kind_key, "domain", out, domain, err);
    return st == ST_OK ? set(&kind_key, "selector", out, selector != NULL ? selector : "", err)
                       : st;
}

static bool has_selector(const struct mapped *mapped, size_t key)
{
    return mapped->keys[key].selector != NULL || mapped->selector != NULL;
}

/* -- the look-up -------------------------------------------------------------------------- */

struct lookup {
    const char *const *names;
    size_t count;
    struct profile *profiles;
};

static enum status add_to_profile(const struct mapped *mapped, const char *domain,
                                  struct profile *profile, struct err *err)
{
    enum status st = ST_OK;
    if (!profile->found) {
        st = make_domain(mapped, domain, &profile->domain, err);
        if (st == ST_OK)
            st = make_tenant(mapped, domain, &profile->tenant, err);
        profile->found = st == ST_OK;
    }
    for (size_t i = 0; i < mapped->key_count && st == ST_OK; i++) {
        if (!has_selector(mapped, i))
            continue;
        struct key *keys = realloc(profile->keys, (profile->key_count + 1) * sizeof *keys);
        if (keys == NULL)
            return err_set(err, ST_TEMP, "ldap: no memory");
        profile->keys = keys;
        keys[profile->key_count] = (struct key){0};
        st = make_key(mapped, i, domain, &keys[profile->key_count++], err);
    }
    return st;
}

static enum status take_looked_up(void *arg, struct directory *dir, LDAPMessage *entry,
                                  struct err *err)
{
    const struct lookup *lookup = arg;
    struct mapped mapped;
    enum status st = read_mapped(dir, entry, &mapped, err);
    for (size_t i = 0; st == ST_OK && is_useful(&mapped) && i < mapped.domain_count; i++) {
        for (size_t k = 0; k < lookup->count && st == ST_OK; k++) {
            if (strcmp(mapped.domains[i], lookup->names[k]) == 0)
                st = add_to_profile(&mapped, lookup->names[k], &lookup->profiles[k], err);
        }
    }
    mapped_clear(&mapped);
    return st;
}

static int last_selector_first(const void *a, const void *b)
{
    return strcmp(((const struct key *)b)->selector, ((const struct key *)a)->selector);
}

enum status map_lookup(struct driver_conn *conn, const char *const *names, size_t count,
                       struct profile *profiles, struct err *err)
{
    struct directory *dir = directory_of(conn);
    struct lookup lookup = {names, count, profiles};
    struct buf filter = {0};
    bool any = false;
    buf_append_str(&filter, "(|");
    for (size_t i = 0; i < count; i++) {
        if (names[i][0] == '\0')
            continue;
        append_filter(dir->map, span_str(names[i]), &filter);
        any = true;
    }
    buf_append_char(&filter, ')');
    const struct directory_search search = {.base = dir->root,
                                            .scope = LDAP_SCOPE_SUBTREE,
                                            .filter = buf_cstr(&filter),
                                            .attributes = dir->map->attributes};
    enum status st = any ? directory_search(dir, &search, take_looked_up, &lookup, err) : ST_OK;
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        if (profiles[i].key_count > 1)
            qsort(profiles[i].keys, profiles[i].key_count, sizeof(struct key), last_selector_first);
    }
    buf_clear(&filter);
    return st;
}

/* -- all there is ------------------------------------------------------------------------- */

static enum status collect_keys(const struct mapped *mapped, const char *domain, struct list *list,
                                struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < mapped->key_count && st == ST_OK; i++) {
        struct key *key = has_selector(mapped, i) ? list_new(list) : NULL;
        if (key != NULL)
            st = make_key(mapped, i, domain, key, err);
        else if (has_selector(mapped, i))
            st = err_set(err, ST_TEMP, "ldap: no memory");
    }
    return st;
}

static enum status collect_one(const struct mapped *mapped, const char *domain, struct list *list,
                               struct err *err)
{
    if (list->kind == &kind_key)
        return collect_keys(mapped, domain, list, err);
    void *record = list_new(list);
    if (record == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    return list->kind == &kind_tenant ? make_tenant(mapped, domain, record, err)
                                      : make_domain(mapped, domain, record, err);
}

static enum status take_collected(void *arg, struct directory *dir, LDAPMessage *entry,
                                  struct err *err)
{
    struct mapped mapped;
    enum status st = read_mapped(dir, entry, &mapped, err);
    for (size_t i = 0; st == ST_OK && is_useful(&mapped) && i < mapped.domain_count; i++)
        st = collect_one(&mapped, mapped.domains[i], arg, err);
    mapped_clear(&mapped);
    return st;
}

enum status map_collect(struct directory *dir, struct list *list, struct err *err)
{
    struct buf filter = {0};
    bool known =
        list->kind == &kind_tenant || list->kind == &kind_domain || list->kind == &kind_key;
    map_any_filter(dir, &filter);
    const struct directory_search search = {.base = dir->root,
                                            .scope = LDAP_SCOPE_SUBTREE,
                                            .filter = buf_cstr(&filter),
                                            .attributes = dir->map->attributes};
    enum status st = known ? directory_search(dir, &search, take_collected, list, err) : ST_OK;
    buf_clear(&filter);
    return st;
}
