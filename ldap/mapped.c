/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/mapped.h"

#include <stdlib.h>
#include <string.h>

#include "base/settings.h"

static void clear_key(struct mapped_key *key)
{
    free(key->selector);
    buf_clear(&key->octets);
}

void mapped_clear(struct mapped *mapped)
{
    for (size_t i = 0; i < mapped->domain_count; i++)
        free(mapped->domains[i]);
    for (size_t i = 0; i < mapped->key_count; i++)
        clear_key(&mapped->keys[i]);
    free(mapped->domains);
    free(mapped->keys);
    free(mapped->dn);
    free(mapped->tenant);
    free(mapped->selector);
    *mapped = (struct mapped){0};
}

bool mapped_is_useful(const struct mapped *mapped)
{
    return !mapped->inactive && mapped->domain_count > 0 && mapped->key_count > 0;
}

/* -- values ------------------------------------------------------------------------------- */

struct reading {
    const struct settings_ldap *settings;
    struct mapped *mapped;
};

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

/* A copy in lower case, NULL if it cannot be a value of the field. */
static enum status take_name(const struct field *field, struct span value, char **out,
                             struct err *err)
{
    enum status st = replace(out, value, err);
    if (st != ST_OK)
        return st;
    for (char *c = *out; *c != '\0'; c++)
        *c = ascii_lower(*c);
    if (value.len > 0 && value.len <= (size_t)field->max &&
        field->check(span_of(*out, value.len), NULL) == ST_OK)
        return ST_OK;
    free(*out);
    *out = NULL;
    return ST_OK;
}

static enum status take_selector(struct span value, char **out, struct err *err)
{
    return take_name(kind_field(&kind_key, SPAN_LIT("selector")), value, out, err);
}

/* Room for one more in a list that has `count`; NULL without memory. */
static void *grow(void *list, size_t count, size_t size)
{
    bool full = count == 0 || (count & (count - 1)) == 0; /* it has room for a power of two */
    return full ? reallocarray(list, count == 0 ? 1 : 2 * count, size) : list;
}

static enum status add_domain(struct mapped *mapped, struct span value, struct err *err)
{
    char *name = NULL;
    if (mapped->domain_count == MAPPED_MAX)
        return ST_OK;
    enum status st = take_name(kind_field(&kind_domain, SPAN_LIT("name")), value, &name, err);
    if (st != ST_OK || name == NULL)
        return st;
    char **domains = grow(mapped->domains, mapped->domain_count, sizeof *domains);
    if (domains == NULL) {
        free(name);
        return err_set(err, ST_TEMP, "ldap: no memory");
    }
    mapped->domains = domains;
    domains[mapped->domain_count++] = name;
    return ST_OK;
}

/* Without option the key has no selector yet; with one that cannot be a selector there is no
 * key. */
static enum status add_key(struct mapped *mapped, struct span option, struct span value,
                           struct err *err)
{
    struct mapped_key key = {.octets = BUF_SECRET(0)};
    bool named = span_has_prefix(option, SPAN_LIT("x-"));
    if (mapped->key_count == MAPPED_MAX)
        return ST_OK;
    enum status st = named ? take_selector(span_from(option, 2), &key.selector, err) : ST_OK;
    if (st != ST_OK || (named && key.selector == NULL))
        return st;
    struct mapped_key *keys = grow(mapped->keys, mapped->key_count, sizeof *keys);
    if (keys == NULL) {
        free(key.selector);
        return err_set(err, ST_TEMP, "ldap: no memory");
    }
    mapped->keys = keys;
    buf_append_span(&key.octets, value);
    keys[mapped->key_count++] = key;
    return buf_check(&key.octets, "private key", err);
}

/* `attribute` may have options: name;x-option. */
static enum status take_value(void *arg, const char *attribute, struct span value, struct err *err)
{
    const struct reading *reading = arg;
    const struct settings_ldap *settings = reading->settings;
    struct mapped *mapped = reading->mapped;
    struct span whole = span_str(attribute), name = span_head(whole, span_find(whole, ';'));
    if (is(settings->map_key, name))
        return add_key(mapped, span_from(whole, name.len + 1), value, err);
    if (is(settings->map_domain, name))
        return add_domain(mapped, value, err);
    if (is(settings->map_selector, name))
        return take_selector(value, &mapped->selector, err);
    if (is(settings->map_tenant, name))
        return replace(&mapped->tenant, value, err);
    if (is(settings->map_active, name))
        mapped->inactive = span_equal_nocase(value, SPAN_LIT("FALSE"));
    return ST_OK;
}

/* -- the whole ---------------------------------------------------------------------------- */

/* The domain that the first components of a DN spell: dc=example,dc=com,ou=... */
static enum status domain_of_dn(struct mapped *mapped, struct err *err)
{
    LDAPDN dn = NULL;
    struct buf domain = {0};
    bool good = ldap_str2dn(mapped->dn, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS;
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
    enum status st = buf_check(&domain, "DN", err);
    if (st == ST_OK)
        st = add_domain(mapped, buf_span(&domain), err);
    buf_clear(&domain);
    return st;
}

static int compare_octets(struct span a, struct span b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.data, b.data, len) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Values of an attribute have no order, so they are given one. */
static int compare_keys(const void *a, const void *b)
{
    const struct mapped_key *x = a, *y = b;
    int order = strcmp(x->selector, y->selector);
    return order != 0 ? order : compare_octets(buf_span(&x->octets), buf_span(&y->octets));
}

/* Gives the keys that do not name their selector that of the entry, or drops them. */
static enum status name_keys(struct mapped *mapped, struct err *err)
{
    size_t kept = 0;
    enum status st = ST_OK;
    for (size_t i = 0; i < mapped->key_count; i++) {
        struct mapped_key *key = &mapped->keys[i];
        if (key->selector == NULL && mapped->selector != NULL)
            st = replace(&key->selector, span_str(mapped->selector), err);
        if (key->selector != NULL)
            mapped->keys[kept++] = *key;
        else
            clear_key(key);
    }
    mapped->key_count = kept;
    if (kept > 1)
        qsort(mapped->keys, kept, sizeof *mapped->keys, compare_keys);
    return st;
}

enum status mapped_read(struct directory *dir, LDAPMessage *entry,
                        const struct settings_ldap *settings, struct mapped *out, struct err *err)
{
    struct reading reading = {settings, out};
    char *dn = directory_dn(dir, entry);
    *out = (struct mapped){.dn = span_dup(span_str(dn))};
    ldap_memfree(dn);
    enum status st = out->dn != NULL ? ST_OK : err_set(err, ST_TEMP, "ldap: no memory");
    if (st == ST_OK)
        st = directory_values(dir, entry, take_value, &reading, err);
    if (st == ST_OK && settings->map_domain[0] == '\0')
        st = domain_of_dn(out, err);
    if (st == ST_OK)
        st = name_keys(out, err);
    if (st != ST_OK)
        mapped_clear(out);
    return st;
}
