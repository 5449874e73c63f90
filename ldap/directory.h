/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection to a directory, and the calls that are made over it. libldap is used in its
 * asynchronous form only: a call is sent, and its answers are waited for until the deadline of the
 * connection (struct driver_conn), so a server that hangs costs no more than that. A connection
 * whose call was late or lost is marked broken and not used again.
 *
 * One thread at a time, as with all driver connections.
 */
#ifndef INKAN_LDAP_DIRECTORY_H
#define INKAN_LDAP_DIRECTORY_H

#include <ldap.h>

#include "storage/driver.h"

struct map;
struct referral_link;
struct settings_ldap;
struct transaction;
struct walk;
struct watch;

struct directory {
    struct driver_conn base;
    LDAP *ld;
    const struct settings_ldap *settings; /* outlive it */
    bool tls;                             /* store.url is ldaps:// */
    struct referral_link *links;          /* to servers that were referred to */
    char *root;                           /* the DN below which all of ours is */
    int version;                          /* options->version */
    struct map *map;        /* how to read another schema than ours; NULL: it is ours */
    bool derefs;            /* the server can follow a DN within a search (deref) */
    bool syncs;             /* it tells of changes (RFC 4533) */
    bool lost;              /* the answer to a call never came */
    int64_t timeout_ms;     /* that a transaction was begun with */
    struct transaction *tx; /* the one that is open, or NULL */
    char **lookup;          /* the attributes that a look-up asks for, made at the first */
    struct walk *walk;      /* what a find with a limit has still to give, or NULL */
    struct watch *watch;    /* NULL: this connection does not watch */
};

/* The connection that a driver call was given. */
struct directory *directory_of(struct driver_conn *conn);

/* ST_TEMP with the connection marked broken: no answer came by the deadline, or the connection is
 * gone. */
enum status directory_late(struct directory *dir, struct err *err);
enum status directory_lost(struct directory *dir, struct err *err);
/* The status of a result code (RFC 4511 appendix A) with the server's text; ST_OK for success. */
enum status directory_fault(struct directory *dir, int code, const char *text, struct err *err);

/* Waits for the next message that answers call `id`, which the caller frees. */
enum status directory_answer(struct directory *dir, int id, LDAPMessage **out, struct err *err);

/* -- calls -------------------------------------------------------------------------------- */

struct directory_search {
    const char *base;
    int scope; /* LDAP_SCOPE_... */
    const char *filter;
    const char *const *attributes; /* NULL-terminated */
    LDAPControl *control;          /* sent along; NULL: none */
    bool here;                     /* what other servers have does not belong to it */
};

/* Called once for each entry; anything but ST_OK ends the search with that status. */
typedef enum status directory_entry(void *arg, struct directory *dir, LDAPMessage *entry,
                                    struct err *err);

/* ST_NOT_FOUND: there is no such base. All calls follow referrals (ldap/referral.h) with
 * ldap.referrals. Without, those of parts of the tree are passed over, and another is ST_TEMP. */
enum status directory_search(struct directory *dir, const struct directory_search *search,
                             directory_entry *entry, void *arg, struct err *err);
/* ST_CONFLICT: an entry of that name exists. */
enum status directory_add(struct directory *dir, const char *dn, LDAPMod **attributes,
                          struct err *err);
/* With an assertion (a filter, RFC 4528; NULL: none) that the entry does not match: ST_CONFLICT,
 * as for an entry that is not there. */
enum status directory_modify(struct directory *dir, const char *dn, LDAPMod **changes,
                             const char *assertion, struct err *err);
/* Where an entry goes, with all below it. */
struct directory_target {
    const char *rdn, *parent; /* its own name, and the DN of what it will stand below */
    const char *assertion;
};
/* Assertion and ST_CONFLICT as above, the latter also for a target that is there already. */
enum status directory_move(struct directory *dir, const char *dn,
                           const struct directory_target *target, struct err *err);
enum status directory_delete(struct directory *dir, const char *dn, const char *assertion,
                             struct err *err);

/* -- attributes of an entry --------------------------------------------------------------- */

/* Called once for each value. */
typedef enum status directory_value(void *arg, const char *attribute, struct span value,
                                    struct err *err);
enum status directory_values(struct directory *dir, LDAPMessage *entry, directory_value *value,
                             void *arg, struct err *err);
/* The entry's DN, for the caller to free with ldap_memfree; NULL without memory. */
char *directory_dn(struct directory *dir, LDAPMessage *entry);

#endif
