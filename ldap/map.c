/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "ldap/escape.h"
#include "ldap/mapped.h"

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

enum status map_domains(struct directory *dir, LDAPMessage *entry, directory_value *domain,
                        void *arg, struct err *err)
{
    struct mapped mapped;
    enum status st = mapped_read(dir, entry, dir->map->settings, &mapped, err);
    for (size_t i = 0; st == ST_OK && i < mapped.domain_count; i++)
        st = domain(arg, "domain", span_str(mapped.domains[i]), err);
    mapped_clear(&mapped);
    return st;
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

/* -- entries ------------------------------------------------------------------------------ */

struct entries {
    struct mapped *list;
    size_t count, room;
};

static void entries_clear(struct entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        mapped_clear(&entries->list[i]);
    free(entries->list);
    *entries = (struct entries){0};
}

static enum status take_entry(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    struct entries *entries = arg;
    if (entries->count == entries->room) {
        size_t room = entries->room == 0 ? 16 : 2 * entries->room;
        struct mapped *list = reallocarray(entries->list, room, sizeof *list);
        if (list == NULL)
            return err_set(err, ST_TEMP, "ldap: no memory");
        entries->list = list;
        entries->room = room;
    }
    struct mapped *mapped = &entries->list[entries->count];
    enum status st = mapped_read(dir, entry, dir->map->settings, mapped, err);
    if (st == ST_OK && mapped_is_useful(mapped))
        entries->count++;
    else
        mapped_clear(mapped);
    return st;
}

static int compare_dns(const void *a, const void *b)
{
    return strcmp(((const struct mapped *)a)->dn, ((const struct mapped *)b)->dn);
}

/* By their DNs: what two entries say, the first of them says. */
static enum status read_entries(struct directory *dir, const char *filter, struct entries *out,
                                struct err *err)
{
    const struct directory_search search = {.base = dir->root,
                                            .scope = LDAP_SCOPE_SUBTREE,
                                            .filter = filter,
                                            .attributes = dir->map->attributes};
    enum status st = directory_search(dir, &search, take_entry, out, err);
    if (out->count > 1)
        qsort(out->list, out->count, sizeof *out->list, compare_dns);
    return st;
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
    out->expiry = -1;
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
static enum status make_key(const struct mapped_key *key, const char *domain, struct key *out,
                            struct err *err)
{
    out->version = 1;
    out->state = KEY_ACTIVE;
    out->algorithm = key->octets.len <= ED25519_PEM_MAX;
    out->bits = out->algorithm ? 256 : 0;
    out->sealed.secret = true;
    buf_append_span(&out->sealed, buf_span(&key->octets));
    enum status st = buf_check(&out->sealed, "private key", err);
    if (st == ST_OK)
        st = set(&kind_key, "domain", out, domain, err);
    return st == ST_OK ? set(&kind_key, "selector", out, key->selector, err) : st;
}

/* -- the look-up -------------------------------------------------------------------------- */

static bool has_selector(const struct profile *profile, const char *selector)
{
    for (size_t i = 0; i < profile->key_count; i++) {
        if (strcmp(profile->keys[i].selector, selector) == 0)
            return true;
    }
    return false;
}

static enum status add_key(const struct mapped_key *key, const char *domain,
                           struct profile *profile, struct err *err)
{
    struct key *made = profile_add(profile, &kind_key);
    if (made == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    return make_key(key, domain, made, err);
}

static enum status add_to_profile(const struct mapped *mapped, const char *domain,
                                  struct profile *profile, struct err *err)
{
    enum status st = ST_OK;
    if (!profile->found) {
        profile->found = true;
        st = make_domain(mapped, domain, &profile->domain, err);
        if (st == ST_OK)
            st = make_tenant(mapped, domain, &profile->tenant, err);
    }
    for (size_t i = 0; i < mapped->key_count && st == ST_OK; i++) {
        if (!has_selector(profile, mapped->keys[i].selector))
            st = add_key(&mapped->keys[i], domain, profile, err);
    }
    return st;
}

static int last_selector_first(const void *a, const void *b)
{
    return strcmp(((const struct key *)b)->selector, ((const struct key *)a)->selector);
}

static enum status make_profile(const struct entries *entries, const char *name,
                                struct profile *profile, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < entries->count && st == ST_OK; i++) {
        const struct mapped *mapped = &entries->list[i];
        for (size_t k = 0; k < mapped->domain_count && st == ST_OK; k++) {
            if (strcmp(mapped->domains[k], name) == 0)
                st = add_to_profile(mapped, name, profile, err);
        }
    }
    if (profile->key_count > 1)
        qsort(profile->keys, profile->key_count, sizeof(struct key), last_selector_first);
    return st;
}

enum status map_lookup(struct driver_conn *conn, const char *const *names, size_t count,
                       struct profile *profiles, struct err *err)
{
    struct directory *dir = directory_of(conn);
    struct entries entries = {0};
    struct buf filter = {0};
    bool any = false;
    buf_append_str(&filter, "(|");
    for (size_t i = 0; i < count; i++) {
        if (names[i][0] == '\0' || strpbrk(names[i], "*#") != NULL) /* no domain has those */
            continue;
        append_filter(dir->map, span_str(names[i]), &filter);
        any = true;
    }
    buf_append_char(&filter, ')');
    enum status st = buf_check(&filter, "filter", err);
    if (st == ST_OK && any)
        st = read_entries(dir, buf_cstr(&filter), &entries, err);
    for (size_t i = 0; i < count && st == ST_OK; i++)
        st = make_profile(&entries, names[i], &profiles[i], err);
    entries_clear(&entries);
    buf_clear(&filter);
    return st;
}

/* -- all there is ------------------------------------------------------------------------- */

static enum status collect_one(const struct mapped *mapped, const char *domain, struct list *list,
                               struct err *err)
{
    bool keys = list->kind == &kind_key;
    enum status st = ST_OK;
    for (size_t i = 0; i < (keys ? mapped->key_count : 1) && st == ST_OK; i++) {
        void *record = list_new(list);
        if (record == NULL)
            st = err_set(err, ST_TEMP, "ldap: no memory");
        else if (keys)
            st = make_key(&mapped->keys[i], domain, record, err);
        else if (list->kind == &kind_tenant)
            st = make_tenant(mapped, domain, record, err);
        else
            st = make_domain(mapped, domain, record, err);
    }
    return st;
}

/* What an entry has said is freed at once: there may be many. */
static enum status collect_all(struct entries *entries, struct list *list, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < entries->count && st == ST_OK; i++) {
        struct mapped *mapped = &entries->list[i];
        for (size_t k = 0; k < mapped->domain_count && st == ST_OK; k++)
            st = collect_one(mapped, mapped->domains[k], list, err);
        mapped_clear(mapped);
    }
    return st;
}

void map_choose_active(struct list *keys)
{
    struct span domain = {0};
    bool chosen[2] = {false};
    for (size_t i = keys->count; i > 0; i--) {
        struct key *key = keys->records[i - 1];
        if (!span_equal(span_str(key->domain), domain))
            memset(chosen, 0, sizeof chosen);
        domain = span_str(key->domain);
        if (chosen[key->algorithm])
            key->state = KEY_PUBLISHED;
        chosen[key->algorithm] = true;
    }
}

enum status map_collect(struct directory *dir, struct list *list, struct err *err)
{
    struct buf filter = {0};
    struct entries entries = {0};
    if (list->kind != &kind_tenant && list->kind != &kind_domain && list->kind != &kind_key)
        return ST_OK;
    map_any_filter(dir, &filter);
    enum status st = buf_check(&filter, "filter", err);
    if (st == ST_OK)
        st = read_entries(dir, buf_cstr(&filter), &entries, err);
    if (st == ST_OK)
        st = collect_all(&entries, list, err);
    entries_clear(&entries);
    buf_clear(&filter);
    if (st == ST_OK)
        st = list_sort(list, false, err);
    if (st != ST_OK)
        return st;
    list_unique(list);
    if (list->kind == &kind_key)
        map_choose_active(list);
    return ST_OK;
}
