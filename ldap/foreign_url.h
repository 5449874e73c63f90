/* SPDX-License-Identifier: Apache-2.0
 *
 * The LDAP URLs of OpenDKIM's data sets, and the searches that they stand for. Any thread; only
 * ldap/foreign.c uses it.
 */
#ifndef INKAN_LDAP_FOREIGN_URL_H
#define INKAN_LDAP_FOREIGN_URL_H

#include <ldap.h>

#include "ldap/url.h"

struct foreign_url {
    LDAPURLDesc *search; /* of the first URL; lud_attrs is not NULL */
    struct url servers;  /* of all */
    bool base_has_key;   /* $d or $D */
    /* How to walk: NULL, and a sentence that says why not; else a filter, and the attribute whose
     * values are the keys. */
    char *walk_filter, *walk_attribute;
    const char *no_walk;
};

/* ST_INVALID says what is wrong, without repeating the URL. foreign_url_clear frees. */
enum status foreign_url_read(struct span text, struct foreign_url *out, struct err *err) MUST_CHECK;
void foreign_url_clear(struct foreign_url *url);

/* Appends the DN and the filter of the search for a key. OpenDKIM puts the key into the DN as it
 * stands; here it is escaped there as well (RFC 4514 2.4), so that it names one entry and no other.
 */
void foreign_url_base(const struct foreign_url *url, struct span key, struct buf *out);
void foreign_url_filter(const struct foreign_url *url, struct span key, struct buf *out);

#endif
