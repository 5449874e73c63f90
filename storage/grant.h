/* SPDX-License-Identifier: Apache-2.0
 *
 * Grants: from where mail for a tenant's domains may come. The subject is a login, `@domain` for
 * every login there, a network or address, or a daemon name, each in one form; the place is the
 * name under which it is looked up:
 *
 *     @example.com            place example.com
 *     a single login          one of GRANT_BUCKETS places, by a hash of the login
 *     networks, daemon names  place *
 *
 * So a worker knows of all logins that have no grant, however many there are, once it has those few
 * places, and nobody who logs in for the first time has to wait for the store. Pure; any thread.
 */
#ifndef INKAN_STORAGE_GRANT_H
#define INKAN_STORAGE_GRANT_H

#include "dkim/domain.h"
#include "storage/model.h"

enum { GRANT_SUBJECT_MAX = 320, GRANT_BUCKETS = 1024, GRANT_BUCKET_SIZE = 16 };

/* Sets type, subject and place. ST_INVALID with the reason: an empty subject, a domain that is
 * none, a network that is none or has host bits set. */
enum status grant_set_subject(struct grant *grant, enum grant_type type, struct span text,
                              struct err *err) MUST_CHECK;

/* A login as it is looked up. */
struct grant_login {
    /* With a domain in the one form and in lower case: whoever writes it otherwise is the same to
     * most servers, and must not escape a grant. A login without a domain is as it was given. */
    char subject[GRANT_SUBJECT_MAX + 1];
    char bucket[GRANT_BUCKET_SIZE];       /* the place of a grant to this login */
    char domain[DKIM_DOMAIN_SIZE];        /* "": it has none */
    char everybody[DKIM_DOMAIN_SIZE + 1]; /* `@domain`; "" likewise */
};
/* False for what can have no grant: empty or too long. */
bool grant_login(struct span login, struct grant_login *out) MUST_CHECK;

#endif
