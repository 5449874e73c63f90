/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/replica.h"

#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "ldap/referral.h"

/* Asks for a change of the root that no server makes, as no entry is without a class: one that
 * takes changes says that the assertion fails, and a replica does not look so far. */
static enum status send_probe(struct directory *dir, int *id, struct err *err)
{
    static char description[] = "description", never[] = "(!(objectClass=*))";
    LDAPMod change = {.mod_op = LDAP_MOD_REPLACE, .mod_type = description};
    LDAPMod *changes[] = {&change, NULL};
    LDAPControl *controls[] = {NULL, NULL};
    if (ldap_create_assertion_control(dir->ld, never, 1, &controls[0]) != LDAP_SUCCESS)
        return err_set(err, ST_TEMP, "ldap: no memory");
    int sent = ldap_modify_ext(dir->ld, dir->root, changes, controls, NULL, id);
    ldap_control_free(controls[0]);
    return directory_fault(dir, sent, NULL, err);
}

/* *urls stays NULL if the server refers to nobody; what else it says, those who change something
 * will hear. */
static enum status probe(struct directory *dir, char ***urls, struct err *err)
{
    LDAPMessage *message = NULL;
    int id = 0, code = LDAP_OTHER;
    enum status st = send_probe(dir, &id, err);
    if (st == ST_OK)
        st = directory_answer(dir, id, &message, err);
    if (st != ST_OK)
        return st;
    int parsed = ldap_parse_result(dir->ld, message, &code, NULL, NULL, urls, NULL, 1);
    if (parsed == LDAP_SUCCESS && code == LDAP_REFERRAL)
        return ST_OK;
    ldap_memvfree((void **)*urls);
    *urls = NULL;
    return ST_OK;
}

static enum status move(struct directory *dir, char **urls, struct referral_call *call,
                        struct err *err)
{
    LDAP *own = dir->ld;
    enum status st = referral_go(dir, urls, call, err);
    if (dir->ld != own)
        referral_stay(dir, own);
    if (st != ST_OK || strcmp(call->dn, dir->root) == 0)
        return st;
    char *root = strdup(call->dn);
    if (root == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    free(dir->root);
    dir->root = root;
    return ST_OK;
}

enum status replica_leave(struct directory *dir, struct err *err)
{
    struct referral_call call;
    char **urls = NULL;
    if (!dir->settings->referrals)
        return ST_OK;
    enum status st = referral_call_set(&call, dir->root, NULL, 0, err);
    if (st != ST_OK)
        return st;
    do {
        ldap_memvfree((void **)urls);
        urls = NULL;
        st = referral_context(&call, probe(dir, &urls, err), err);
        if (st == ST_OK && urls != NULL)
            st = move(dir, urls, &call, err);
    } while (st == ST_OK && urls != NULL);
    ldap_memvfree((void **)urls);
    referral_call_clear(&call);
    return st;
}
