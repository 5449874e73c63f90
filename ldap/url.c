/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/url.h"

#include <ldap.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_MAX = 65535 };

void url_clear(struct url *url)
{
    for (size_t i = 0; i < url->count; i++)
        free(url->hosts[i]);
    free(url->base);
    *url = (struct url){0};
}

static enum status add_host(struct url *url, struct span scheme, struct span host, struct err *err)
{
    struct buf text = {0};
    if (url->count == URL_HOSTS_MAX)
        return err_set(err, ST_INVALID, "store.url: more than %d hosts", URL_HOSTS_MAX);
    if (host.len == 0)
        return err_set(err, ST_INVALID, "store.url: a host without a name");
    buf_printf(&text, "%.*s://%.*s", (int)scheme.len, scheme.data, (int)host.len, host.data);
    url->hosts[url->count] = buf_take(&text);
    if (url->hosts[url->count] == NULL)
        return err_set(err, ST_TEMP, "no memory");
    url->count++;
    return ST_OK;
}

static enum status no_directory(struct err *err)
{
    return err_set(err, ST_INVALID,
                   "store.url: not a directory (ldap://HOST[,HOST]/BASE, for example "
                   "ldap://ldap.example.net/ou=inkan,dc=example,dc=net)");
}

/* Each host must be one that libldap can read. */
static enum status check_hosts(const struct url *url, struct err *err)
{
    for (size_t i = 0; i < url->count; i++) {
        LDAPURLDesc *parts = NULL;
        int code = ldap_url_parse(url->hosts[i], &parts);
        bool good = code == LDAP_URL_SUCCESS && parts->lud_port >= 0 && parts->lud_port <= PORT_MAX;
        ldap_free_urldesc(parts);
        if (code == LDAP_URL_ERR_MEM)
            return err_set(err, ST_TEMP, "no memory");
        if (!good)
            return err_set(err, ST_INVALID, "store.url: host %zu is not HOST or HOST:PORT", i + 1);
    }
    return ST_OK;
}

static enum status read_base(const char *host, struct span base, char **out, struct err *err)
{
    struct buf text = {0};
    LDAPURLDesc *parts = NULL;
    LDAPDN dn = NULL;
    buf_printf(&text, "%s/%.*s", host, (int)base.len, base.data);
    int code = ldap_url_parse(buf_cstr(&text), &parts);
    buf_clear(&text);
    if (code == LDAP_URL_SUCCESS)
        *out = span_dup(span_str(parts->lud_dn));
    ldap_free_urldesc(parts);
    if (code != LDAP_URL_SUCCESS && code != LDAP_URL_ERR_MEM)
        return no_directory(err);
    if (*out == NULL)
        return err_set(err, ST_TEMP, "no memory");
    bool good = (*out)[0] != '\0' && ldap_str2dn(*out, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS;
    ldap_dnfree(dn);
    return good ? ST_OK
                : err_set(err, ST_INVALID,
                          "store.url: no base after the host (the DN below which inkan keeps its "
                          "entries)");
}

enum status url_read(const char *text, struct url *out, struct err *err)
{
    struct span whole = span_str(text), host;
    struct span scheme = span_head(whole, span_find(whole, ':'));
    struct span rest = span_from(whole, scheme.len);
    *out = (struct url){.tls = span_equal(scheme, SPAN_LIT("ldaps")),
                        .local = span_equal(scheme, SPAN_LIT("ldapi"))};
    if (!span_has_prefix(rest, SPAN_LIT("://")))
        return err_set(err, ST_INVALID, "store.url: no // after the scheme");
    rest = span_from(rest, 3);
    struct span hosts = span_head(rest, span_find(rest, '/'));
    struct span base = span_from(rest, hosts.len + 1);
    /* libldap knows more schemes, does not mind their case, and cuts a name at a NUL. What follows
     * a base in a URL belongs to a search. */
    if ((!out->tls && !out->local && !span_equal(scheme, SPAN_LIT("ldap"))) ||
        strstr(text, "%00") != NULL || strchr(text, '?') != NULL)
        return no_directory(err);
    enum status st = hosts.len > 0 ? ST_OK : err_set(err, ST_INVALID, "store.url: no host");
    if (span_find(hosts, '@') < hosts.len)
        st = err_set(err, ST_INVALID,
                     "store.url: no name or password stands here (see bind_dn and "
                     "bind_password_file in section ldap)");
    while (st == ST_OK && span_next(&hosts, ',', &host))
        st = add_host(out, scheme, host, err);
    if (st == ST_OK)
        st = check_hosts(out, err);
    if (st == ST_OK)
        st = read_base(out->hosts[0], base, &out->base, err);
    if (st != ST_OK)
        url_clear(out);
    return st;
}
