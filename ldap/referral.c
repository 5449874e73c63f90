/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/referral.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/settings.h"
#include "ldap/connect.h"

enum { LINKS_MAX = 8 }; /* other servers that one connection keeps connections to */

/* A connection to another server. */
struct referral_link {
    struct referral_link *next;
    char *host;
    LDAP *ld;
};

/* -- calls -------------------------------------------------------------------------------- */

static bool replace(char **text, const char *with)
{
    char *copy = strdup(with);
    if (copy == NULL)
        return false;
    free(*text);
    *text = copy;
    return true;
}

enum status referral_call_set(struct referral_call *call, const char *dn, const char *filter,
                              int scope, struct err *err)
{
    *call = (struct referral_call){.scope = scope};
    if (replace(&call->dn, dn) && (filter == NULL || replace(&call->filter, filter)))
        return ST_OK;
    referral_call_clear(call);
    return err_set(err, ST_TEMP, "ldap: no memory");
}

void referral_call_clear(struct referral_call *call)
{
    free(call->host);
    free(call->dn);
    free(call->filter);
    *call = (struct referral_call){0};
}

enum status referral_context(const struct referral_call *call, enum status st, struct err *err)
{
    if (st == ST_OK || call->host == NULL)
        return st;
    return err_context(err, "referred to %s", call->host);
}

enum status referral_list_add(struct referral_list *list, char **urls,
                              const struct referral_call *call, struct err *err)
{
    struct referral *grown = realloc(list->list, (list->count + 1) * sizeof *grown);
    struct referral new = {.urls = urls};
    enum status st = err_set(err, ST_TEMP, "ldap: no memory");
    if (grown != NULL) {
        list->list = grown;
        st = referral_call_set(&new.call, call->dn, call->filter, call->scope, err);
    }
    if (st != ST_OK) {
        ldap_memvfree((void **)urls);
        return st;
    }
    new.call.hops = call->hops;
    new.call.part = call->part;
    list->list[list->count++] = new;
    return ST_OK;
}

void referral_list_clear(struct referral_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        ldap_memvfree((void **)list->list[i].urls);
        referral_call_clear(&list->list[i].call);
    }
    free(list->list);
    *list = (struct referral_list){0};
}

/* -- URLs --------------------------------------------------------------------------------- */

/* The scheme, name and port of a server, or NULL. A socket of its own machine is none of ours. */
static char *host_of(const LDAPURLDesc *parts)
{
    struct buf text = {0};
    const char *name = parts->lud_host != NULL ? parts->lud_host : "";
    bool known = strcmp(parts->lud_scheme, "ldap") == 0 || strcmp(parts->lud_scheme, "ldaps") == 0;
    if (!known || name[0] == '\0' || parts->lud_port <= 0 || parts->lud_port > UINT16_MAX)
        return NULL;
    bool six = strchr(name, ':') != NULL;
    buf_printf(&text, "%s://%s%s%s:%d", parts->lud_scheme, six ? "[" : "", name, six ? "]" : "",
               parts->lud_port);
    return buf_take(&text);
}

/* libldap does not tell `base` from a URL without a scope, which leaves the call's as it is. */
static bool has_scope(const char *url)
{
    struct span rest = span_str(url);
    for (int i = 0; i < 2; i++)
        rest = span_from(rest, span_find(rest, '?') + 1);
    return rest.len > 0 && rest.data[0] != '?';
}

enum status referral_refuse(struct directory *dir, char *const *urls, struct err *err)
{
    LDAPURLDesc *parts = NULL;
    char *host = NULL;
    if (urls != NULL && urls[0] != NULL && ldap_url_parse(urls[0], &parts) == LDAP_URL_SUCCESS)
        host = host_of(parts);
    ldap_free_urldesc(parts);
    dir->base.broken = true; /* another of the servers of store.url may do better */
    enum status st = err_set(err, ST_TEMP,
                             "ldap: the server does not do this itself, it refers to %s "
                             "(ldap.referrals = yes follows it)",
                             host != NULL ? host : "another");
    free(host);
    return st;
}

/* -- connections -------------------------------------------------------------------------- */

static void free_link(struct referral_link *link)
{
    if (link->ld != NULL)
        ldap_unbind_ext(link->ld, NULL, NULL);
    free(link->host);
    free(link);
}

void referral_close(struct directory *dir)
{
    while (dir->links != NULL) {
        struct referral_link *link = dir->links;
        dir->links = link->next;
        free_link(link);
    }
}

void referral_stay(struct directory *dir, LDAP *own)
{
    for (struct referral_link *link = dir->links; link != NULL; link = link->next) {
        if (link->ld == dir->ld)
            link->ld = NULL;
    }
    ldap_unbind_ext(own, NULL, NULL);
}

static struct referral_link *find_link(struct directory *dir, const char *host)
{
    struct referral_link *link = dir->links;
    while (link != NULL && (link->ld == NULL || strcmp(link->host, host) != 0))
        link = link->next;
    return link;
}

/* The newest comes first; the oldest goes when there are too many. */
static void keep_link(struct directory *dir, struct referral_link *link)
{
    struct referral_link **last = &dir->links;
    link->next = dir->links;
    dir->links = link;
    for (int count = 0; count < LINKS_MAX && *last != NULL; count++)
        last = &(*last)->next;
    if (*last != NULL) {
        free_link(*last);
        *last = NULL;
    }
}

/* What began as ldaps:// does not go on in the open, whatever ldap.starttls says of ldap://. */
static enum status open_link(struct directory *dir, const char *host, int64_t deadline_ms,
                             struct err *err)
{
    struct settings_ldap settings = *dir->settings;
    struct url url = {.count = 1, .tls = strncmp(host, "ldaps:", strlen("ldaps:")) == 0};
    struct referral_link *link = calloc(1, sizeof *link);
    enum status st = ST_OK;
    if (link == NULL || !replace(&link->host, host))
        st = err_set(err, ST_TEMP, "ldap: no memory");
    settings.starttls |= dir->tls;
    if (st == ST_OK) {
        url.hosts[0] = link->host;
        st = connect_any(&url, &settings, deadline_ms, &link->ld, err);
    }
    if (st == ST_OK) {
        keep_link(dir, link);
        dir->ld = link->ld;
    } else {
        free(link != NULL ? link->host : NULL);
        free(link);
    }
    return st;
}

/* -- following ---------------------------------------------------------------------------- */

static enum status take_parts(const char *url, const LDAPURLDesc *parts, struct referral_call *call,
                              struct err *err)
{
    bool good =
        parts->lud_dn == NULL || parts->lud_dn[0] == '\0' || replace(&call->dn, parts->lud_dn);
    if (call->filter != NULL && parts->lud_filter != NULL)
        good = good && replace(&call->filter, parts->lud_filter);
    if (call->filter != NULL && has_scope(url))
        call->scope = parts->lud_scope;
    return good ? ST_OK : err_set(err, ST_TEMP, "ldap: no memory");
}

static enum status go(struct directory *dir, const char *url, struct referral_call *call,
                      int64_t deadline_ms, struct err *err)
{
    LDAPURLDesc *parts = NULL;
    char *host = NULL;
    if (ldap_url_parse(url, &parts) == LDAP_URL_SUCCESS)
        host = host_of(parts);
    if (host == NULL) {
        ldap_free_urldesc(parts);
        return err_set(err, ST_BROKEN, "ldap: the server refers to what is no server's URL");
    }
    struct referral_link *link = find_link(dir, host);
    free(call->host);
    call->host = host;
    enum status st = ST_OK;
    if (link != NULL)
        dir->ld = link->ld;
    else
        st = open_link(dir, host, deadline_ms, err);
    st = referral_context(call, st, err);
    if (st == ST_OK)
        st = take_parts(url, parts, call, err);
    ldap_free_urldesc(parts);
    return st;
}

enum status referral_go(struct directory *dir, char *const *urls, struct referral_call *call,
                        struct err *err)
{
    enum status st = err_set(err, ST_BROKEN, "ldap: the server refers to nobody");
    size_t count = 0;
    while (urls[count] != NULL)
        count++;
    if (++call->hops > REFERRAL_HOPS_MAX)
        return err_set(err, ST_BROKEN,
                       "ldap: more than %d servers refer to each other, the last one to %.200s: do "
                       "they go in a circle?",
                       REFERRAL_HOPS_MAX, count > 0 ? urls[0] : "nobody");
    for (size_t i = 0; i < count && st != ST_OK; i++) {
        int64_t share_ms = clock_left_ms(dir->base.deadline_ms) / (int64_t)(count - i);
        st = go(dir, urls[i], call, clock_monotonic_ms() + share_ms, err);
    }
    return st;
}
