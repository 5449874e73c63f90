/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/directory.h"

#include <sys/time.h>

#include "base/clock.h"

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
    {LDAP_BUSY, ST_TEMP, true},
    {LDAP_UNAVAILABLE, ST_TEMP, true},
    {LDAP_UNWILLING_TO_PERFORM, ST_TEMP, true}, /* a server that only reads at the moment */
    {LDAP_REFERRAL, ST_TEMP, true},             /* a replica that cannot write */
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
    if (code < 0)
        return directory_lost(dir, err);
    if (code == LDAP_SIZELIMIT_EXCEEDED)
        return err_set(err, ST_BROKEN,
                       "ldap: the server gives this account only some of the entries: raise its "
                       "size limit (olcLimits)");
    if (code == LDAP_UNDEFINED_TYPE || code == LDAP_OBJECT_CLASS_VIOLATION)
        return err_set(err, ST_BROKEN,
                       "ldap: %s%s%s (has the server loaded migrations/ldap/inkan.ldif?)",
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

/* The end of a call, from the message that holds its result code. Frees the message. */
static enum status result_of(struct directory *dir, LDAPMessage *message, struct err *err)
{
    int code = LDAP_OTHER;
    char *text = NULL;
    int parsed = ldap_parse_result(dir->ld, message, &code, NULL, &text, NULL, NULL, 1);
    enum status st = directory_fault(dir, parsed == LDAP_SUCCESS ? code : parsed, text, err);
    ldap_memfree(text);
    return st;
}

/* What `sent` says of a call without entries, and its result. */
static enum status finish(struct directory *dir, int sent, int id, struct err *err)
{
    LDAPMessage *message = NULL;
    if (sent != LDAP_SUCCESS)
        return directory_fault(dir, sent, NULL, err);
    enum status st = directory_answer(dir, id, &message, err);
    return st == ST_OK ? result_of(dir, message, err) : st;
}

static enum status receive(struct directory *dir, int id, directory_entry *entry, void *arg,
                           struct err *err)
{
    for (;;) {
        LDAPMessage *message = NULL;
        enum status st = directory_answer(dir, id, &message, err);
        if (st != ST_OK)
            return st;
        switch (ldap_msgtype(message)) {
        case LDAP_RES_SEARCH_RESULT:
            return result_of(dir, message, err);
        case LDAP_RES_SEARCH_ENTRY:
            st = entry(arg, dir, message, err);
            break;
        default:
            break; /* a reference to another server */
        }
        ldap_msgfree(message);
        if (st != ST_OK) {
            ldap_abandon_ext(dir->ld, id, NULL, NULL);
            return st;
        }
    }
}

enum status directory_search(struct directory *dir, const struct directory_search *search,
                             directory_entry *entry, void *arg, struct err *err)
{
    LDAPControl *controls[] = {search->control, NULL};
    int id = 0;
    int sent =
        ldap_search_ext(dir->ld, search->base, search->scope, search->filter,
                        (char **)(uintptr_t)search->attributes, 0, controls, NULL, NULL, 0, &id);
    if (sent != LDAP_SUCCESS)
        return directory_fault(dir, sent, NULL, err);
    return receive(dir, id, entry, arg, err);
}

enum status directory_add(struct directory *dir, const char *dn, LDAPMod **attributes,
                          struct err *err)
{
    int id = 0;
    int sent = ldap_add_ext(dir->ld, dn, attributes, NULL, NULL, &id);
    return finish(dir, sent, id, err);
}

/* An entry that is not there has not the version it should have. */
static enum status gone_is_conflict(enum status st, struct err *err)
{
    return st == ST_NOT_FOUND ? err_set(err, ST_CONFLICT, "ldap: removed by somebody else") : st;
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

enum status directory_modify(struct directory *dir, const char *dn, LDAPMod **changes,
                             const char *assertion, struct err *err)
{
    LDAPControl *controls[] = {NULL, NULL};
    int id = 0;
    enum status st = assert_control(dir, assertion, &controls[0], err);
    if (st != ST_OK)
        return st;
    int sent = ldap_modify_ext(dir->ld, dn, changes, controls, NULL, &id);
    ldap_control_free(controls[0]);
    return gone_is_conflict(finish(dir, sent, id, err), err);
}

enum status directory_move(struct directory *dir, const char *dn,
                           const struct directory_target *target, struct err *err)
{
    LDAPControl *controls[] = {NULL, NULL};
    int id = 0;
    enum status st = assert_control(dir, target->assertion, &controls[0], err);
    if (st != ST_OK)
        return st;
    int sent = ldap_rename(dir->ld, dn, target->rdn, target->parent, 1, controls, NULL, &id);
    ldap_control_free(controls[0]);
    return gone_is_conflict(finish(dir, sent, id, err), err);
}

enum status directory_delete(struct directory *dir, const char *dn, const char *assertion,
                             struct err *err)
{
    LDAPControl *controls[] = {NULL, NULL};
    int id = 0;
    enum status st = assert_control(dir, assertion, &controls[0], err);
    if (st != ST_OK)
        return st;
    int sent = ldap_delete_ext(dir->ld, dn, controls, NULL, &id);
    ldap_control_free(controls[0]);
    return gone_is_conflict(finish(dir, sent, id, err), err);
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
