/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"
#include "ldap/map.h"
#include "ldap/newer.h"
#include "ldap/sync.h"

struct watch {
    struct directory *dir;
    int id;             /* of the search that the server tells by; 0: it is asked */
    bool fresh;         /* nothing was given yet: what changed before is not known */
    struct newer newer; /* than what was seen, of a server that is asked */
    bool named;         /* the entry at hand said a domain */
    driver_row *row;    /* of the call under way, as the next */
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

/* Names of domains are compared without regard to case (inkan.ldif), and looked up in lower case.
 * What has no name may be anything. */
static void give_name(struct watch *watch, const char *kind, struct span name)
{
    struct buf text = {0};
    bool domain = strcmp(kind, "domain") == 0;
    for (size_t i = 0; i < name.len; i++)
        buf_append_char(&text, domain ? ascii_lower(name.data[i]) : name.data[i]);
    const char *known = buf_cstr(&text);
    give(watch, *known != '\0' ? kind : "all", *known != '\0' ? known : "-");
    buf_clear(&text);
}

/* -- what an entry is about --------------------------------------------------------------- */

/* The attributes that say it, the first of them that it has. */
static const struct {
    const char *attribute, *kind;
} subjects[] = {
    {"inkanKeyDomain", "domain"},
    {"inkanDomainName", "domain"},
    {"inkanTenantName", "tenant"},
};
enum { SUBJECTS = sizeof subjects / sizeof subjects[0], WANTED_MAX = SUBJECTS + 2 };

/* The entries that matter, and what of them says which domain or tenant they are about. */
static void ours(const struct directory *dir, struct buf *filter, const char *wanted[WANTED_MAX])
{
    size_t count = 0;
    if (dir->map != NULL)
        map_any_filter(dir, filter);
    else
        buf_append_str(filter, "(|(objectClass=inkanTenant)(objectClass=inkanDomain)"
                               "(objectClass=inkanKey)(objectClass=inkanChanges))");
    for (size_t i = 0; dir->map == NULL && i < SUBJECTS; i++)
        wanted[count++] = subjects[i].attribute;
    if (dir->map != NULL && map_domain_attribute(dir)[0] != '\0')
        wanted[count++] = map_domain_attribute(dir);
    const char *newer = dir->watch->newer.attribute;
    wanted[count++] = newer != NULL ? newer : LDAP_NO_ATTRS; /* an empty list means all there are */
    wanted[count] = NULL;
}

static enum status take_domain(void *arg, const char *attribute, struct span name, struct err *err)
{
    struct watch *watch = arg;
    (void)attribute, (void)err;
    give_name(watch, "domain", name);
    watch->named = true;
    return ST_OK;
}

/* An entry of another schema than ours may be of several domains. One that is gone is of those that
 * its DN says, if that is where they stand. */
static void give_mapped(struct watch *watch, LDAPMessage *entry)
{
    struct err ignored = {0};
    watch->named = false;
    if (map_domains(watch->dir, entry, take_domain, watch, &ignored) != ST_OK || !watch->named)
        give(watch, "all", "-");
}

static void give_ours(struct watch *watch, LDAPMessage *entry)
{
    for (size_t i = 0; i < SUBJECTS; i++) {
        struct berval **names = ldap_get_values_len(watch->dir->ld, entry, subjects[i].attribute);
        bool known = names != NULL && names[0] != NULL;
        if (known)
            give_name(watch, subjects[i].kind, span_of(names[0]->bv_val, names[0]->bv_len));
        ldap_value_free_len(names);
        if (known)
            return;
    }
}

static void give_entry(struct watch *watch, LDAPMessage *entry)
{
    if (watch->dir->map != NULL)
        give_mapped(watch, entry);
    else
        give_ours(watch, entry);
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
            give_name(watch, kind, span_of(part->la_value.bv_val, part->la_value.bv_len));
            return true;
        }
    }
    return false;
}

static void give_removed(struct watch *watch, LDAPMessage *entry)
{
    if (watch->dir->map != NULL) {
        give_mapped(watch, entry);
        return;
    }
    LDAPDN dn = NULL;
    char *text = directory_dn(watch->dir, entry);
    bool known = text != NULL && ldap_str2dn(text, &dn, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS &&
                 dn != NULL &&
                 (give_named(watch, dn, "inkanDomainName", "domain") ||
                  give_named(watch, dn, "inkanTenantName", "tenant"));
    if (!known)
        give(watch, "all", "-");
    ldap_dnfree(dn);
    ldap_memfree(text);
}

/* -- servers that are asked --------------------------------------------------------------- */

static void note(struct watch *watch, LDAPMessage *entry)
{
    struct berval **values = ldap_get_values_len(watch->dir->ld, entry, watch->newer.attribute);
    if (values != NULL && values[0] != NULL)
        newer_note(&watch->newer, span_of(values[0]->bv_val, values[0]->bv_len),
                   clock_monotonic_ms());
    ldap_value_free_len(values);
}

static enum status take_newer(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    struct watch *watch = arg;
    (void)dir, (void)err;
    note(watch, entry);
    give_entry(watch, entry);
    return watch->status;
}

static enum status ask(struct directory *dir, struct err *err)
{
    const char *wanted[WANTED_MAX];
    struct newer *newer = &dir->watch->newer;
    struct buf filter = {0};
    enum status st = newer->attribute == NULL ? newer_choose(newer, dir, err) : ST_OK;
    if (st != ST_OK)
        return st;
    buf_append_str(&filter, "(&");
    newer_filter(newer, &filter);
    ours(dir, &filter, wanted);
    buf_append_char(&filter, ')');
    const struct directory_search search = {.base = dir->root,
                                            .scope = LDAP_SCOPE_SUBTREE,
                                            .filter = buf_cstr(&filter),
                                            .attributes = wanted,
                                            .here = true};
    int64_t sent_ms = clock_monotonic_ms();
    st = buf_check(&filter, "filter", err);
    if (st == ST_OK)
        st = directory_search(dir, &search, take_newer, dir->watch, err);
    if (st == ST_OK)
        newer_done(newer, sent_ms);
    buf_clear(&filter);
    return st;
}

/* -- servers that tell -------------------------------------------------------------------- */

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
                                            .attributes = attributes,
                                            .here = true};
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

/* Only sends it: who waited for the refresh to be done would wait for a server that hangs. */
static enum status start_hearing(struct directory *dir, const struct buf *cookie, struct err *err)
{
    LDAPControl *controls[] = {NULL, NULL};
    const char *wanted[WANTED_MAX];
    struct buf filter = {0};
    ours(dir, &filter, wanted);
    enum status st = buf_check(&filter, "filter", err);
    if (st == ST_OK)
        st = sync_request(buf_span(cookie), &controls[0], err);
    if (st == ST_OK) {
        int sent = ldap_search_ext(dir->ld, dir->root, LDAP_SCOPE_SUBTREE, buf_cstr(&filter),
                                   (char **)(uintptr_t)wanted, 0, controls, NULL, NULL, 0,
                                   &dir->watch->id);
        st = directory_fault(dir, sent, NULL, err);
    }
    if (controls[0] != NULL)
        ldap_control_free(controls[0]);
    buf_clear(&filter);
    return st;
}

static void take_told(struct watch *watch, LDAPMessage *entry)
{
    switch (sync_state(watch->dir->ld, entry)) {
    case LDAP_SYNC_PRESENT:
        break;
    case LDAP_SYNC_ADD:
    case LDAP_SYNC_MODIFY:
        give_entry(watch, entry);
        break;
    case LDAP_SYNC_DELETE:
        give_removed(watch, entry);
        break;
    default:
        give(watch, "all", "-");
    }
}

/* A server may know of content synchronisation and not offer it for this part of its tree: then it
 * is asked. It may end what it began, too (RFC 4533 3.3.2, e-syncRefreshRequired); whoever opens a
 * connection then begins anew. */
static enum status take_end(struct directory *dir, LDAPMessage *message, struct err *err)
{
    int code = LDAP_OTHER;
    char *text = NULL;
    enum status st = ST_OK;
    int parsed = ldap_parse_result(dir->ld, message, &code, NULL, &text, NULL, NULL, 0);
    if (parsed != LDAP_SUCCESS)
        code = parsed;
    dir->watch->id = 0;
    if (code == LDAP_SYNC_REFRESH_REQUIRED || code == LDAP_SUCCESS) {
        dir->base.broken = true;
        st = err_set(err, ST_TEMP, "ldap: the server tells of no more changes");
    } else if (code != LDAP_UNAVAILABLE_CRITICAL_EXTENSION) {
        st = directory_fault(dir, code, text, err);
    }
    ldap_memfree(text);
    return st;
}

static enum status take_message(struct directory *dir, LDAPMessage *message, struct err *err)
{
    switch (ldap_msgtype(message)) {
    case LDAP_RES_SEARCH_ENTRY:
        take_told(dir->watch, message);
        break;
    case LDAP_RES_INTERMEDIATE:
        if (sync_hides_removals(dir->ld, message))
            give(dir->watch, "all", "-");
        break;
    case LDAP_RES_SEARCH_RESULT:
        return take_end(dir, message, err);
    default:
        break; /* a reference to another server */
    }
    return dir->watch->status;
}

/* Takes what has come, and waits for nothing. */
static enum status take_all(struct directory *dir, struct err *err)
{
    enum status st = ST_OK;
    while (st == ST_OK && dir->watch->id != 0 && clock_left_ms(dir->base.deadline_ms) > 0) {
        struct timeval at_once = {0};
        LDAPMessage *message = NULL;
        int type = ldap_result(dir->ld, dir->watch->id, LDAP_MSG_ONE, &at_once, &message);
        if (type < 0)
            return directory_lost(dir, err);
        if (type == 0)
            break;
        st = take_message(dir, message, err);
        ldap_msgfree(message);
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
    newer_start(&dir->watch->newer);
    *fd_out = -1;
    enum status st = dir->syncs ? read_cookie(dir, &cookie, err) : ST_OK;
    if (st == ST_OK && cookie.len > 0)
        st = start_hearing(dir, &cookie, err);
    if (st == ST_OK && dir->watch->id != 0)
        ldap_get_option(dir->ld, LDAP_OPT_DESC, fd_out);
    buf_clear(&cookie);
    return st;
}

enum status watch_take(struct driver_conn *conn, driver_row *row, void *arg, struct err *err)
{
    struct directory *dir = directory_of(conn);
    struct watch *watch = dir->watch;
    watch->row = row;
    watch->arg = arg;
    watch->status = ST_OK;
    watch->err = err;
    if (watch->fresh)
        give(watch, "all", "-");
    watch->fresh = false;
    enum status st = take_all(dir, err);
    if (st == ST_OK && watch->id == 0)
        st = ask(dir, err);
    watch->row = NULL;
    return st == ST_OK ? watch->status : st;
}

void watch_end(struct directory *dir)
{
    free(dir->watch);
    dir->watch = NULL;
}
