/* SPDX-License-Identifier: Apache-2.0
 *
 * Referrals: what a server answers that has not itself what it was asked for, or may not change
 * it, but knows who has or may (RFC 4511 4.1.10, and 4.5.3 for parts of the tree that a search
 * comes upon). With ldap.referrals they are followed here, and not by libldap, whose own way opens
 * connections that no deadline bounds.
 *
 * A connection to another server is opened as the first was (ldap/connect.h): encrypted no less,
 * its certificate checked, with the same account. It is kept for the next call that is sent there.
 */
#ifndef INKAN_LDAP_REFERRAL_H
#define INKAN_LDAP_REFERRAL_H

#include "ldap/directory.h"

enum { REFERRAL_HOPS_MAX = 5 }; /* of one call, from one server to the next */

/* Where a call is made, and what of it the last referral has changed. */
struct referral_call {
    char *host; /* ldap://NAME:PORT; NULL: where dir->ld led before */
    char *dn;
    char *filter; /* NULL: the call is no search */
    int scope;
    int hops;
    bool part; /* it is for a part of what was asked for */
};
enum status referral_call_set(struct referral_call *call, const char *dn, const char *filter,
                              int scope, struct err *err) MUST_CHECK;
void referral_call_clear(struct referral_call *call);

/* Referrals that are still to be followed, each with the call that it answered. */
struct referral_list {
    struct referral {
        char **urls; /* any of them */
        struct referral_call call;
    } * list;
    size_t count;
};
/* Takes over the URLs. */
enum status referral_list_add(struct referral_list *list, char **urls,
                              const struct referral_call *call, struct err *err) MUST_CHECK;
void referral_list_clear(struct referral_list *list);

/* Says in an error, if there is one, which other server it is from. */
enum status referral_context(const struct referral_call *call, enum status st, struct err *err);

/* The fault that a referral is when it is not followed; names the first server. */
enum status referral_refuse(struct directory *dir, char *const *urls, struct err *err);
/* Makes dir->ld the connection to the first server of the list that can be reached, and puts into
 * *call what the URL says. The caller puts back the dir->ld there was. ST_BROKEN: too many hops,
 * or nothing in the list that can be followed. */
enum status referral_go(struct directory *dir, char *const *urls, struct referral_call *call,
                        struct err *err) MUST_CHECK;
/* dir->ld, which referral_go has just set, becomes the directory's own instead of `own`. */
void referral_stay(struct directory *dir, LDAP *own);
/* Closes the connections to other servers. */
void referral_close(struct directory *dir);

#endif
