/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/directory.h"

#include <sys/time.h>

#include "base/clock.h"
#include "base/settings.h"
#include "ldap/referral.h"

struct directory *directory_of(struct driver_conn *conn)
{
    return (struct directory *)conn;
}

/* -- errors ------------------------------------------------------------------------------- */

static const struct {
    int code;
    enum status status;
    bool broken; /* another connection may do better */
} error_classes[] = {
    {LDAP_NO_SUCH_OBJECT, ST_NOT_FOUND, false},
    {LDAP_ALREADY_EXISTS, ST_CONFLICT, false},
    {LDAP_ASSERTION_FAILED, ST_CONFLICT, false},
    {LDAP_NOT_ALLOWED_ON_NONLEAF, ST_DENIED, false},
    {LDAP_INSUFFICIENT_ACCESS, ST_DENIED, false},
    {LDAP_INVALID_CREDENTIALS, ST_DENIED, false},
    {LDAP_INAPPROPRIATE_AUTH, ST_DENIED, false},
    {LDAP_STRONG_AUTH_REQUIRED, ST_DENIED, false},
    {LDAP_CONFIDENTIALITY_REQUIRED, ST_DENIED, false},
    {LDAP_AUTH_METHOD_NOT_SUPPORTED, ST_DENIED, false},
    {LDAP_AUTH_UNKNOWN, ST_DENIED, false},
    {LDAP_CONSTRAINT_VIOLATION, ST_INVALID, false},
    {LDAP_INVALID_SYNTAX, ST_INVALID, false},
    {LDAP_INVALID_DN_SYNTAX, ST_INVALID, false},
    {LDAP_BUSY, ST_TEMP, true},
    {LDAP_UNAVAILABLE, ST_TEMP, true},
    {LDAP_UNWILLING_TO_PERFORM, ST_TEMP, true}, /* a server that only reads at the moment */
    {LDAP_TIMELIMIT_EXCEEDED, ST_TEMP, false},
    {LDAP_ADMINLIMIT_EXCEEDED, ST_TEMP, false},
    {LDAP_NO_MEMORY, ST_TEMP, false},
};

enum status directory_fault(struct directory *dir, int code, const char *text, struct err *err)
{
    const char *more = text != NULL ? text : "";
    const char *colon = *more != '\0' ? ": " : "";
    if (code == LDAP_SUCCESS)
        return ST_OK;
    if (code == LDAP_FILTER_ERROR) /* which the library finds, and nothing is sent */
        return err_set(err, ST_INVALID, "ldap: the filter cannot be read");
    if (code < 0)
        return directory_lost(dir, err);
    if (code == LDAP_SIZELIMIT_EXCEEDED)
        return err_set(err, ST_BROKEN,
                       "ldap: the server gives this account only some of the entries: raise its "
                       "size limit (olcLimits)");
    if (code == LDAP_UNDEFINED_TYPE || code == LDAP_OBJECT_CLASS_VIOLATION)
        return err_set(
            err, ST_BROKEN,
            "ldap: %s%s%s (has the server loaded the newest migrations/ldap/inkan.ldif?)",
            ldap_err2string(code), colon, more);
    for (size_t i = 0; i < sizeof error_classes / sizeof error_classes[0]; i++) {
        if (error_classes[i].code != code)
            continue;
        dir->base.broken |= error_classes[i].broken;
        return err_set(err, error_classes[i].status, "ldap: %s%s%s", ldap_err2string(code), colon,
                       more);
    }
    return err_set(err, ST_BROKEN, "ldap: %s%s%s", ldap_err2string(code), colon, more);
}

enum status directory_late(struct directory *dir, struct err *err)
{
    dir->base.broken = dir->lost = true;
    return err_set(err, ST_TEMP, "ldap: no answer by the deadline");
}

enum status directory_lost(struct directory *dir, struct err *err)
{
    int code = LDAP_SERVER_DOWN;
    ldap_get_option(dir->ld, LDAP_OPT_RESULT_CODE, &code);
    dir->base.broken = dir->lost = true;
    return err_set(err, ST_TEMP, "ldap: %s",
                   code == LDAP_SUCCESS ? "the connection is gone" : ldap_err2string(code));
}

/* -- sending and receiving ---------------------------------------------------------------- */

enum status directory_answer(struct directory *dir, int id, LDAPMessage **out, struct err *err)
{
    int64_t left_ms = clock_left_ms(dir->base.deadline_ms);
    struct timeval left = {.tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000};
    *out = NULL;
    int type = ldap_result(dir->ld, id, LDAP_MSG_ONE, &left, out);
    if (type == 0)
        return directory_late(dir, err);
    return type < 0 ? directory_lost(dir, err) : ST_OK;
}

/* The end of a call, from the message that holds its result code. Frees the message. If *referral
 * is not NULL then, the server refers to these URLs, for the caller to free. */
static enum status result_of(struct directory *dir, LDAPMessage *message, char ***referral,
                             struct err *err)
{
    int code = LDAP_OTHER;
    char *text = NULL, **urls = NULL;
    enum status st = ST_OK;
    int parsed = ldap_parse_result(dir->ld, message, &code, NULL, &text, &urls, NULL, 1);
    if (parsed != LDAP_SUCCESS)
        code = parsed;
    *referral = NULL;
    if (code == LDAP_REFERRAL && urls != NULL) {
        *referral = urls;
    } else {
        st = directory_fault(dir, code, text, err);
        ldap_memvfree((void **)urls);
    }
    ldap_memfree(text);
    return st;
}

/* -- searches ----------------------------------------------------------------------------- */

/* One search, on all the servers that it leads to. */
struct searching {
    const struct directory_search *search;
    directory_entry *entry;
    void *arg;
    struct referral_list parts; /* of the tree that other servers have */
};

static enum status take_reference(struct directory *dir, LDAPMessage *message,
                                  struct searching *searching, const struct referral_call *call,
                                  struct err *err)
{
    char **urls = NULL;
    if (searching->search->here || !dir->settings->referrals)
        return ST_OK;
    if (ldap_parse_reference(dir->ld, message, &urls, NULL, 0) != LDAP_SUCCESS || urls == NULL)
        return err_set(err, ST_BROKEN, "ldap: a referral that cannot be read");
    enum status st = referral_list_add(&searching->parts, urls, call, err);
    if (st == ST_OK)
        searching->parts.list[searching->parts.count - 1].call.part = true;
    return st;
}

static enum status take_end(struct directory *dir, LDAPMessage *message,
                            struct searching *searching, const struct referral_call *call,
                            struct err *err)
{
    char **urls = NULL;
    enum status st = result_of(dir, message, &urls, err);
    if (urls == NULL)
        return st;
    if (dir->settings->referrals && !searching->search->here)
        return referral_list_add(&searching->parts, urls, call, err);
    st = searching->search->here
             ? err_set(err, ST_NOT_FOUND, "ldap: another server has %s", call->dn)
             : referral_refuse(dir, urls, err);
    ldap_memvfree((void **)urls);
    return st;
}

static enum status receive(struct directory *dir, int id, struct searching *searching,
                           const struct referral_call *call, struct err *err)
{
    for (;;) {
        LDAPMessage *message = NULL;
        enum status st = directory_answer(dir, id, &message, err);
        if (st != ST_OK)
            return st;
        switch (ldap_msgtype(message)) {
        case LDAP_RES_SEARCH_RESULT:
            return take_end(dir, message, searching, call, err);
        case LDAP_RES_SEARCH_ENTRY:
            st = searching->entry(searching->arg, dir, message, err);
            break;
        case LDAP_RES_SEARCH_REFERENCE:
            st = take_reference(dir, message, searching, call, err);
            break;
        default:
            break;
        }
        ldap_msgfree(message);
        if (st != ST_OK) {
            ldap_abandon_ext(dir->ld, id, NULL, NULL);
            return st;
        }
    }
}

static enum status search_once(struct directory *dir, struct searching *searching,
                               const struct referral_call *call, struct err *err)
{
    const struct directory_search *search = searching->search;
    LDAPControl *controls[] = {search->control, NULL};
    int id = 0;
    int sent =
        ldap_search_ext(dir->ld, call->dn, call->scope, call->filter,
                        (char **)(uintptr_t)search->attributes, 0, controls, NULL, NULL, 0, &id);
    if (sent != LDAP_SUCCESS)
        return directory_fault(dir, sent, NULL, err);
    return receive(dir, id, searching, call, err);
}

/* Only when a server has given all it has are others asked: entries must not be mixed up on a
 * connection that a circle of referrals leads back to. */
static enum status search_parts(struct directory *dir, struct searching *searching, struct err *err)
{
    struct referral_list *parts = &searching->parts;
    LDAP *own = dir->ld;
    enum status st = ST_OK;
    for (size_t i = 0; i < parts->count && st == ST_OK; i++) {
        struct referral_call call = parts->list[i].call;
        parts->list[i].call = (struct referral_call){0}; /* the list may move */
        st = referral_go(dir, parts->list[i].urls, &call, err);
        if (st == ST_OK)
            st = referral_context(&call, search_once(dir, searching, &call, err), err);
        if (st == ST_NOT_FOUND && call.part)
            err->code = st = ST_BROKEN; /* what was asked for is there, but not all of it */
        referral_call_clear(&call);
    }
    dir->ld = own;
    return st;
}

enum status directory_search(struct directory *dir, const struct directory_search *search,
                             directory_entry *entry, void *arg, struct err *err)
{
    struct searching searching = {search, entry, arg, {0}};
    struct referral_call call;
    enum status st = referral_call_set(&call, search->base, search->filter, search->scope, err);
    if (st != ST_OK)
        return st;
    st = search_once(dir, &searching, &call, err);
    if (st == ST_OK)
        st = search_parts(dir, &searching, err);
    referral_list_clear(&searching.parts);
    referral_call_clear(&call);
    return st;
}

/* -- updates ------------------------------------------------------------------------------ */

struct update {
    int type; /* LDAP_REQ_... */
    const char *dn;
    LDAPMod **mods;           /* of an add or a modify */
    const char *assertion;    /* NULL: none */
    const char *rdn, *parent; /* of a move */
};

static int send_update(LDAP *ld, const struct update *update, const char *dn,
                       LDAPControl **controls, int *id)
{
    switch (update->type) {
    case LDAP_REQ_ADD:
        return ldap_add_ext(ld, dn, update->mods, controls, NULL, id);
    case LDAP_REQ_MODIFY:
        return ldap_modify_ext(ld, dn, update->mods, controls, NULL, id);
    case LDAP_REQ_MODDN:
        return ldap_rename(ld, dn, update->rdn, update->parent, 1, controls, NULL, id);
    default:
        return ldap_delete_ext(ld, dn, controls, NULL, id);
    }
}

static enum status assert_control(struct directory *dir, const char *assertion, LDAPControl **out,
                                  struct err *err)
{
    *out = NULL;
    if (assertion == NULL)
        return ST_OK;
    int made = ldap_create_assertion_control(dir->ld, (char *)(uintptr_t)assertion, 1, out);
    return made == LDAP_SUCCESS ? ST_OK : err_set(err, ST_TEMP, "ldap: no memory");
}

static enum status update_once(struct directory *dir, const struct update *update, const char *dn,
                               char ***urls, struct err *err)
{
    LDAPControl *controls[] = {NULL, NULL};
    LDAPMessage *message = NULL;
    int id = 0;
    enum status st = assert_control(dir, update->assertion, &controls[0], err);
    if (st != ST_OK)
        return st;
    int sent = send_update(dir->ld, update, dn, controls, &id);
    if (controls[0] != NULL)
        ldap_control_free(controls[0]);
    if (sent != LDAP_SUCCESS)
        return directory_fault(dir, sent, NULL, err);
    st = directory_answer(dir, id, &message, err);
    return st == ST_OK ? result_of(dir, message, urls, err) : st;
}

static enum status update(struct directory *dir, const struct update *update, struct err *err)
{
    LDAP *own = dir->ld;
    struct referral_call call = {0};
    char **urls = NULL;
    enum status st = update_once(dir, update, update->dn, &urls, err);
    if (urls != NULL)
        st = dir->settings->referrals ? referral_call_set(&call, update->dn, NULL, 0, err)
                                      : referral_refuse(dir, urls, err);
    while (st == ST_OK && urls != NULL) {
        st = referral_go(dir, urls, &call, err);
        ldap_memvfree((void **)urls);
        urls = NULL;
        if (st == ST_OK)
            st = referral_context(&call, update_once(dir, update, call.dn, &urls, err), err);
    }
    ldap_memvfree((void **)urls);
    referral_call_clear(&call);
    dir->ld = own;
    return st;
}

enum status directory_add(struct directory *dir, const char *dn, LDAPMod **attributes,
                          struct err *err)
{
    return update(dir, &(struct update){.type = LDAP_REQ_ADD, .dn = dn, .mods = attributes}, err);
}

/* An entry that is not there has not the version it should have. */
static enum status gone_is_conflict(enum status st, struct err *err)
{
    return st == ST_NOT_FOUND ? err_set(err, ST_CONFLICT, "ldap: removed by somebody else") : st;
}

enum status directory_modify(struct directory *dir, const char *dn, LDAPMod **changes,
                             const char *assertion, struct err *err)
{
    const struct update modify = {
        .type = LDAP_REQ_MODIFY, .dn = dn, .mods = changes, .assertion = assertion};
    return gone_is_conflict(update(dir, &modify, err), err);
}

enum status directory_move(struct directory *dir, const char *dn,
                           const struct directory_target *target, struct err *err)
{
    const struct update move = {.type = LDAP_REQ_MODDN,
                                .dn = dn,
                                .assertion = target->assertion,
                                .rdn = target->rdn,
                                .parent = target->parent};
    return gone_is_conflict(update(dir, &move, err), err);
}

enum status directory_delete(struct directory *dir, const char *dn, const char *assertion,
                             struct err *err)
{
    const struct update delete = {.type = LDAP_REQ_DELETE, .dn = dn, .assertion = assertion};
    return gone_is_conflict(update(dir, &delete, err), err);
}

/* -- attributes of an entry --------------------------------------------------------------- */

enum status directory_values(struct directory *dir, LDAPMessage *entry, directory_value *value,
                             void *arg, struct err *err)
{
    BerElement *rest = NULL;
    enum status st = ST_OK;
    char *name = ldap_first_attribute(dir->ld, entry, &rest);
    for (; name != NULL && st == ST_OK; name = ldap_next_attribute(dir->ld, entry, rest)) {
        struct berval **values = ldap_get_values_len(dir->ld, entry, name);
        for (size_t i = 0; values != NULL && values[i] != NULL && st == ST_OK; i++)
            st = value(arg, name, span_of(values[i]->bv_val, values[i]->bv_len), err);
        for (size_t i = 0; values != NULL && values[i] != NULL; i++)
            bytes_wipe(values[i]->bv_val, values[i]->bv_len); /* it may be a private key */
        ldap_value_free_len(values);
        ldap_memfree(name);
    }
    ldap_memfree(name);
    ber_free(rest, 0);
    return st;
}

char *directory_dn(struct directory *dir, LDAPMessage *entry)
{
    return ldap_get_dn(dir->ld, entry);
}
