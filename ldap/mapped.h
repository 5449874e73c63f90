/* SPDX-License-Identifier: Apache-2.0
 *
 * What one entry of a directory with another schema says (ldap/map.h), as the settings map_* have
 * it. Names are in lower case; a domain or selector that cannot be one is passed over, as if it
 * were not there, and so is what comes after the first MAPPED_MAX of a list.
 */
#ifndef INKAN_LDAP_MAPPED_H
#define INKAN_LDAP_MAPPED_H

#include "ldap/directory.h"

struct settings_ldap;

enum { MAPPED_MAX = 1000 };

struct mapped_key {
    char *selector;
    struct buf octets; /* the private half as it stands there */
};

struct mapped {
    char *dn;
    char **domains;
    size_t domain_count;
    char *tenant;   /* NULL: each domain is one of its own */
    char *selector; /* of keys that do not name their own, or NULL */
    bool inactive;
    struct mapped_key *keys; /* by selector, then octets; all have a selector */
    size_t key_count;
};

enum status mapped_read(struct directory *dir, LDAPMessage *entry,
                        const struct settings_ldap *settings, struct mapped *out,
                        struct err *err) MUST_CHECK;
/* Frees all and zeroes. */
void mapped_clear(struct mapped *mapped);
/* Whether there is anything in it to sign with. */
bool mapped_is_useful(const struct mapped *mapped);

#endif
