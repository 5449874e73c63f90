/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/foreign_url.h"

#include <stdlib.h>
#include <string.h>

#include "ldap/escape.h"

enum { DEPTH_MAX = 32 };

void foreign_url_clear(struct foreign_url *url)
{
    ldap_free_urldesc(url->search);
    url_clear(&url->servers);
    free(url->walk_filter);
    free(url->walk_attribute);
    *url = (struct foreign_url){0};
}

/* -- $d and $D ---------------------------------------------------------------------------- */

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

/* What else follows a $ OpenDKIM writes into the key instead. */
static bool dollars_are_good(const char *text)
{
    for (const char *at = text; (at = strchr(at, '$')) != NULL; at++) {
        if (at[1] != 'd' && at[1] != 'D')
            return false;
    }
    return true;
}

/* The value of an attribute in a DN, escaped as escape.h does it behind the attribute. */
static void escape_dn(struct span value, struct buf *out)
{
    struct buf named = {0};
    escape_rdn("", value, &named);
    buf_append_span(out, span_from(buf_span(&named), 1));
    buf_clear(&named);
}

typedef void escape(struct span value, struct buf *out);

static void append_components(struct span key, escape *how, struct buf *out)
{
    struct span part;
    const char *before = "dc=";
    for (struct span rest = key; key.len > 0 && span_next(&rest, '.', &part); before = ",dc=") {
        buf_append_str(out, before);
        how(part, out);
    }
}

static void expand(const char *text, struct span key, escape *how, struct buf *out)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c != '$') {
            buf_append_char(out, *c);
            continue;
        }
        c++;
        if (*c == 'd')
            how(key, out);
        else
            append_components(key, how, out);
    }
}

void foreign_url_base(const struct foreign_url *url, struct span key, struct buf *out)
{
    expand(url->search->lud_dn != NULL ? url->search->lud_dn : "", key, escape_dn, out);
}

/* libldap takes a filter without the outer parentheses, too; but nothing else may stand before. */
void foreign_url_filter(const struct foreign_url *url, struct span key, struct buf *out)
{
    const char *filter = url->search->lud_filter;
    if (filter == NULL || filter[0] == '\0')
        filter = "(objectClass=*)";
    expand(filter, key, escape_filter, out);
}

/* -- walks -------------------------------------------------------------------------------- */

/* Whether the place in the filter is within a (!...). */
static bool is_negated(const char *filter, size_t at)
{
    bool negated[DEPTH_MAX] = {false};
    size_t depth = 0;
    for (size_t i = 0; i < at; i++) {
        if (filter[i] == '(' && depth + 1 < DEPTH_MAX) {
            depth++;
            negated[depth] = negated[depth - 1] || filter[i + 1] == '!';
        } else if (filter[i] == ')' && depth > 0) {
            depth--;
        }
    }
    return negated[depth];
}

/* The attribute in front of `=$d)`, if that is the whole value; empty if not. */
static struct span attribute_before(const char *filter, size_t dollar)
{
    size_t end = dollar - 1, start = end;
    if (dollar == 0 || filter[end] != '=' ||
        (filter[dollar + 2] != ')' && filter[dollar + 2] != '\0'))
        return span_of(NULL, 0);
    while (start > 0 && (ascii_alpha(filter[start - 1]) || ascii_digit(filter[start - 1]) ||
                         strchr("-.;", filter[start - 1]) != NULL))
        start--;
    if (start > 0 && filter[start - 1] != '(')
        return span_of(NULL, 0);
    return span_of(filter + start, end - start);
}

static enum status plan_walk(struct foreign_url *url, struct err *err)
{
    const char *filter = url->search->lud_filter != NULL ? url->search->lud_filter : "";
    const char *found = strstr(filter, "$d");
    struct buf text = {0};
    struct span attribute = {0};
    if (found != NULL)
        attribute = attribute_before(filter, (size_t)(found - filter));
    if (url->base_has_key)
        url->no_walk = "the key is in the base of the search";
    else if (strstr(filter, "$D") != NULL)
        url->no_walk = "the filter has a $D";
    else if (count_of(filter, "$d") != 1)
        url->no_walk = found == NULL ? "the filter has no $d" : "the filter has more than one $d";
    else if (attribute.len == 0)
        url->no_walk = "the filter has $d not as the value of an attribute, (ATTRIBUTE=$d)";
    else if (is_negated(filter, (size_t)(found - filter)))
        url->no_walk = "the filter has $d within a (!...)";
    if (url->no_walk != NULL)
        return ST_OK;
    buf_printf(&text, "%.*s*%s", (int)(found - filter), filter, found + 2);
    url->walk_filter = buf_take(&text);
    url->walk_attribute = span_dup(attribute);
    return url->walk_filter != NULL && url->walk_attribute != NULL
               ? ST_OK
               : err_set(err, ST_TEMP, "no memory");
}

/* -- reading ------------------------------------------------------------------------------ */

/* Up to the slash in front of the base. Without a host OpenDKIM asks this machine. */
static enum status add_server(struct url *servers, const char *text, struct err *err)
{
    struct span whole = span_str(text);
    struct span scheme = span_head(whole, span_find(whole, ':'));
    struct span rest = span_from(whole, scheme.len + strlen("://"));
    struct span host = span_head(rest, strcspn(rest.len > 0 ? rest.data : "", "/?"));
    bool tls = span_equal_nocase(scheme, SPAN_LIT("ldaps"));
    bool local = span_equal_nocase(scheme, SPAN_LIT("ldapi"));
    struct buf name = {0};
    if (servers->count > 0 && (servers->tls != tls || servers->local != local))
        return err_set(err, ST_INVALID, "servers with unlike schemes (all ldap, ldaps or ldapi)");
    if (local && host.len == 0)
        return err_set(err, ST_INVALID, "ldapi:// without the name of a socket");
    if (span_find(host, '@') < host.len)
        return err_set(err, ST_INVALID, "no name or password stands here (see LDAPBindUser)");
    servers->tls = tls;
    servers->local = local;
    bool named = host.len > 0 && host.data[0] != ':';
    buf_printf(&name, "%s://%s%.*s",
               tls     ? "ldaps"
               : local ? "ldapi"
                       : "ldap",
               named ? "" : "localhost", (int)host.len, host.data);
    servers->hosts[servers->count] = buf_take(&name);
    if (servers->hosts[servers->count] == NULL)
        return err_set(err, ST_TEMP, "no memory");
    servers->count++;
    return ST_OK;
}

static enum status check_search(struct foreign_url *url, struct err *err)
{
    const LDAPURLDesc *search = url->search;
    const char *base = search->lud_dn != NULL ? search->lud_dn : "";
    const char *filter = search->lud_filter != NULL ? search->lud_filter : "";
    if (search->lud_attrs == NULL || search->lud_attrs[0] == NULL)
        return err_set(err, ST_INVALID, "no attributes behind the base");
    if (!dollars_are_good(base) || !dollars_are_good(filter))
        return err_set(err, ST_INVALID, "a $ that is neither $d nor $D");
    url->base_has_key = strchr(base, '$') != NULL;
    return plan_walk(url, err);
}

static enum status read_one(struct foreign_url *out, const char *text, struct err *err)
{
    LDAPURLDesc *parts = NULL;
    if (strstr(text, "%00") != NULL || ldap_url_parse(text, &parts) != LDAP_URL_SUCCESS)
        return err_set(err, ST_INVALID,
                       "not an LDAP URL "
                       "(ldap://HOST/BASE?ATTRIBUTE[,ATTRIBUTE]?SCOPE?FILTER)");
    enum status st = ST_OK;
    if (out->servers.count < URL_HOSTS_MAX) /* OpenDKIM leaves out what is more as well */
        st = add_server(&out->servers, text, err);
    if (out->search == NULL)
        out->search = parts;
    else
        ldap_free_urldesc(parts);
    return st;
}

enum status foreign_url_read(struct span text, struct foreign_url *out, struct err *err)
{
    enum status st = ST_OK;
    *out = (struct foreign_url){0};
    for (struct span rest = span_trim(text), part; st == ST_OK && rest.len > 0;
         rest = span_trim(rest)) {
        size_t len = 0;
        while (len < rest.len && !ascii_wsp(rest.data[len]))
            len++;
        part = span_head(rest, len);
        rest = span_from(rest, len);
        char *one = span_dup(part);
        st = one != NULL ? read_one(out, one, err) : err_set(err, ST_TEMP, "no memory");
        free(one);
    }
    if (st == ST_OK && out->search == NULL)
        st = err_set(err, ST_INVALID, "no URL");
    if (st == ST_OK)
        st = check_search(out, err);
    if (st != ST_OK)
        foreign_url_clear(out);
    return st;
}
