/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/watch.h"

#include <lber.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ldap/map.h"

enum { CSN_SIZE = 64, LOOK_BACK_S = 60 };

struct watch {
    const struct directory *dir;
    ldap_sync_t *sync;     /* NULL: the server is asked */
    bool fresh;            /* nothing was given yet: what changed before is not known */
    size_t taken;          /* messages of the server that tells */
    char newest[CSN_SIZE]; /* entryCSN of the newest entry seen */
    driver_row *row;       /* of the call under way, as the next */
    void *arg;
    enum status status;
    struct err *err;
};

/* -- rows --------------------------------------------------------------------------------- */

static void give(struct watch *watch, const char *kind, const char *name)
{
    struct change change = {.kind = (char *)(uintptr_t)kind, .name = (char *)(uintptr_t)name};
    if (watch->status == ST_OK && watch->row != NULL)
        watch->status = watch->row(watch->arg, &change, watch->err);
}

/* The attributes that say what an entry is about, the first of them that it has. */
static const struct {
    const char *attribute, *kind;
} subjects[] = {
    {"inkanKeyDomain", "domain"},
    {"inkanDomainName", "domain"},
    {"inkanTenantName", "tenant"},
};
enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

/* A copy of the first value, for the caller to free; NULL: there is none. */
static char *value_of(LDAP *ld, LDAPMessage *entry, const char *attribute)
{
    struct berval **values = ldap_get_values_len(ld, entry, attribute);
    char *copy = NULL;
    if (values != NULL && values[0] != NULL)
        copy = span_dup(span_of(values[0]->bv_val, values[0]->bv_len));
    ldap_value_free_len(values);
    return copy;
}

/* An entry of another schema than ours may be of several domains. */
static void give_mapped(struct watch *watch, LDAP *ld, LDAPMessage *entry)
{
    struct berval **names = ldap_get_values_len(ld, entry, map_domain_attribute(watch->dir));
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        char *name = span_dup(span_of(names[i]->bv_val, names[i]->bv_len));
        for (char *c = name; c != NULL && *c != '\0'; c++)
            *c = ascii_lower(*c);
        give(watch, name != NULL ? "domain" : "all", name != NULL ? name : "-");
        free(name);
    }
    if (names == NULL)
        give(watch, "all", "-");
    ldap_value_free_len(names);
}

static void give_entry(struct watch *watch, LDAP *ld, LDAPMessage *entry)
{
    if (watch->dir->map != NULL) {
        give_mapped(watch, ld, entry);
        return;
    }
    for (size_t i = 0; i < SUBJECTS; i++) {
        char *name = value_of(ld, entry, subjects[i].attribute);
        if (name == NULL)
            continue;
        give(watch, subjects[i].kind, name);
        free(name);
        return;
    }
}

/* Of an entry that is gone only the name is left. A domain or tenant in it is enough, whichever
 * the entry was: a key is named below its domain. */
static bool give_named(struct watch *watch, LDAPDN dn, const char *attribute, const char *kind)
{
    for (size_t i = 0; dn[i] != NULL; i++) {
        for (size_t k = 0; dn[i][k] != NULL; k++) {
            const LDAPAVA *part = dn[i][k];
            struct span name = span_of(part->la_attr.bv_val, part->la_attr.bv_len);
            if (!span_equal_nocase(name, span_str(attribute)))
                continue;
            char *value = span_dup(span_of(part->la_value.bv_val, part->la_value.bv_len));
            give(watch, value != NULL ? kind : "all", value != NULL ? value : "-");
            free(value);
            return true;
        }
    }
    return false;
}

static void give_removed(struct watch *watch, LDAP *ld, LDAPMessage *entry)
{
    LDAPDN dn = NULL;
    char *text = ldap_get_dn(ld, entry);
    bool known = text != NULL && ldap_str2dn(text, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS &&
                 (give_named(watch, dn, "inkanDomainName", "domain") ||
                  give_named(watch, dn, "inkanTenantName", "tenant"));
    if (!known)
        give(watch, "all", "-");
    ldap_dnfree(dn);
    ldap_memfree(text);
}

/* The entries that matter, and what of them says which domain or tenant they are about. */
static void ours(const struct directory *dir, struct buf *filter)
{
    if (dir->map != NULL)
        map_any_filter(dir, filter);
    else
        buf_append_str(filter, "(|(objectClass=inkanTenant)(objectClass=inkanDomain)"
                               "(objectClass=inkanKey)(objectClass=inkanChanges))");
}

/* -- servers that are asked --------------------------------------------------------------- */

static enum status take_newer(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    struct watch *watch = arg;
    char *csn = value_of(dir->ld, entry, "entryCSN");
    (void)err;
    if (csn != NULL && strcmp(csn, watch->newest) > 0)
        snprintf(watch->newest, sizeof watch->newest, "%s", csn);
    free(csn);
    give_entry(watch, dir->ld, entry);
    return watch->status;
}

static enum status ask(struct directory *dir, struct err *err)
{
    const char *attributes[] = {"inkanKeyDomain", "inkanDomainName", "inkanTenantName", "entryCSN",
                                NULL};
    struct watch *watch = dir->watch;
    struct buf filter = {0};
    if (dir->map != NULL && map_domain_attribute(dir)[0] != '\0')
        attributes[0] = map_domain_attribute(dir);
    buf_printf(&filter, "(&(entryCSN>=%s)(!(entryCSN=%s))", watch->newest, watch->newest);
    ours(dir, &filter);
    buf_append_char(&filter, ')');
    const struct directory_search search = {.base = dir->root,
                                            .scope = LDAP_SCOPE_SUBTREE,
                                            .filter = buf_cstr(&filter),
                                            .attributes = attributes};
    enum status st = directory_search(dir, &search, take_newer, watch, err);
    buf_clear(&filter);
    return st;
}

/* Entries from a while before now on, for clocks that differ. */
static void start_asking(struct watch *watch)
{
    time_t from = time(NULL) - LOOK_BACK_S;
    struct tm utc;
    gmtime_r(&from, &utc);
    strftime(watch->newest, sizeof watch->newest, "%Y%m%d%H%M%S.000000Z#000000#000#000000", &utc);
}

/* -- servers that tell -------------------------------------------------------------------- */

static int take_synced(ldap_sync_t *sync, LDAPMessage *entry, struct berval *uuid,
                       ldap_sync_refresh_t phase)
{
    struct watch *watch = sync->ls_private;
    (void)uuid;
    watch->taken++;
    if (phase == LDAP_SYNC_CAPI_DELETE)
        give_removed(watch, sync->ls_ld, entry);
    else
        give_entry(watch, sync->ls_ld, entry);
    return LDAP_SUCCESS;
}

static int pass_over(ldap_sync_t *sync, LDAPMessage *message, BerVarray uuids,
                     ldap_sync_refresh_t phase)
{
    struct watch *watch = sync->ls_private;
    (void)message, (void)uuids, (void)phase;
    watch->taken++;
    return LDAP_SUCCESS;
}

static enum status take_csn(void *arg, const char *attribute, struct span value, struct err *err)
{
    struct buf *cookie = arg;
    (void)attribute;
    buf_printf(cookie, "%s", cookie->len == 0 ? "rid=000,csn=" : ";");
    buf_append_span(cookie, value);
    return buf_check(cookie, "contextCSN", err);
}

static enum status take_csns(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    return directory_values(dir, entry, take_csn, arg, err);
}

static enum status read_csns(struct directory *dir, const char *base, struct buf *cookie,
                             struct err *err)
{
    static const char *const attributes[] = {"contextCSN", NULL};
    const struct directory_search search = {.base = base,
                                            .scope = LDAP_SCOPE_BASE,
                                            .filter = "(objectClass=*)",
                                            .attributes = attributes};
    enum status st = directory_search(dir, &search, take_csns, cookie, err);
    return st == ST_TEMP ? st : ST_OK; /* an entry we may not see is as good as none */
}

/* A cookie for the state of now, so that the server does not begin with all there is. It stands in
 * the entry at the top of the server's part of the tree, the root or one above it. Empty: the
 * server does not say. */
static enum status read_cookie(struct directory *dir, struct buf *cookie, struct err *err)
{
    enum status st = ST_OK;
    for (const char *base = dir->root; base != NULL && st == ST_OK && cookie->len == 0;) {
        st = read_csns(dir, base, cookie, err);
        base = strchr(base, ','); /* an escaped comma makes one base more that is not there */
        base = base != NULL ? base + 1 : NULL;
    }
    return st;
}

static char **copy_attributes(const struct directory *dir)
{
    char **list = ber_memcalloc(SUBJECTS + 1, sizeof *list);
    if (list != NULL && dir->map != NULL)
        list[0] = ber_strdup(map_domain_attribute(dir)[0] != '\0' ? map_domain_attribute(dir)
                                                                  : LDAP_NO_ATTRS);
    for (size_t i = 0; list != NULL && dir->map == NULL && i < SUBJECTS; i++)
        list[i] = ber_strdup(subjects[i].attribute);
    return list;
}

static void end_sync(struct watch *watch)
{
    if (watch->sync == NULL)
        return;
    watch->sync->ls_ld = NULL; /* which it would close */
    ldap_sync_destroy(watch->sync, 1);
    watch->sync = NULL;
}

/* A server may know of content synchronisation and not offer it for this part of its tree. */
static enum status synced(struct directory *dir, int code, struct err *err)
{
    if (code != LDAP_UNAVAILABLE_CRITICAL_EXTENSION)
        return directory_fault(dir, code, NULL, err);
    end_sync(dir->watch);
    start_asking(dir->watch);
    return ST_OK;
}

static enum status start_sync(struct directory *dir, const struct buf *cookie, struct err *err)
{
    struct watch *watch = dir->watch;
    struct buf filter = {0};
    ldap_sync_t *sync = watch->sync = ldap_sync_initialize(NULL);
    if (sync == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    sync->ls_base = ber_strdup(dir->root);
    sync->ls_scope = LDAP_SCOPE_SUBTREE;
    ours(dir, &filter);
    sync->ls_filter = ber_strdup(buf_cstr(&filter));
    buf_clear(&filter);
    sync->ls_attrs = copy_attributes(dir);
    sync->ls_search_entry = take_synced;
    sync->ls_intermediate = pass_over;
    sync->ls_private = watch;
    sync->ls_ld = dir->ld;
    sync->ls_timeout = 0;
    ber_str2bv(cookie->data, cookie->len, 1, &sync->ls_cookie);
    if (sync->ls_base == NULL || sync->ls_filter == NULL || sync->ls_attrs == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    return synced(dir, ldap_sync_init(sync, LDAP_SYNC_REFRESH_AND_PERSIST), err);
}

/* Without a time-out libldap gives one message a call, and what it read with the call before: once
 * two give nothing there is nothing more. */
static enum status take_all(struct directory *dir, struct err *err)
{
    struct watch *watch = dir->watch;
    enum status st = ST_OK;
    for (int idle = 0; idle < 2 && st == ST_OK && watch->sync != NULL;) {
        size_t before = watch->taken;
        st = synced(dir, ldap_sync_poll(watch->sync), err);
        idle = watch->taken == before ? idle + 1 : 0;
    }
    return st;
}

/* -- the driver's calls ------------------------------------------------------------------- */

enum status watch_begin(struct driver_conn *conn, int *fd_out, struct err *err)
{
    struct directory *dir = directory_of(conn);
    struct buf cookie = {0};
    dir->watch = calloc(1, sizeof *dir->watch);
    if (dir->watch == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    dir->watch->dir = dir;
    dir->watch->fresh = true;
    *fd_out = -1;
    enum status st = dir->syncs ? read_cookie(dir, &cookie, err) : ST_OK;
    if (st == ST_OK && cookie.len == 0)
        start_asking(dir->watch);
    else if (st == ST_OK)
        st = start_sync(dir, &cookie, err);
    if (st == ST_OK && dir->watch->sync != NULL)
        ldap_get_option(dir->ld, LDAP_OPT_DESC, fd_out);
    buf_clear(&cookie);
    return st;
}

enum status watch_take(struct driver_conn *conn, driver_row *row, void *arg, struct err *err)
{
    struct directory *dir = directory_of(conn);
    struct watch *watch = dir->watch;
    enum status st = ST_OK;
    watch->row = row;
    watch->arg = arg;
    watch->status = ST_OK;
    watch->err = err;
    if (watch->fresh)
        give(watch, "all", "-");
    watch->fresh = false;
    if (watch->sync != NULL)
        st = take_all(dir, err);
    else
        st = ask(dir, err);
    watch->row = NULL;
    return st == ST_OK ? watch->status : st;
}

void watch_end(struct directory *dir)
{
    if (dir->watch == NULL)
        return;
    end_sync(dir->watch);
    free(dir->watch);
    dir->watch = NULL;
}
