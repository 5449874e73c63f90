/* SPDX-License-Identifier: Apache-2.0
 *
 * `ldap://HOST[:PORT][,HOST[:PORT]...]/BASE`, the same with ldaps, and `ldapi://SOCKET/BASE` with
 * the slashes of the socket's name as %2F (RFC 4516, but for the list of hosts).
 */
#ifndef INKAN_LDAP_URL_H
#define INKAN_LDAP_URL_H

#include "base/bytes.h"

enum { URL_HOSTS_MAX = 8 };

struct url {
    char *base;                 /* a DN, not empty */
    char *hosts[URL_HOSTS_MAX]; /* each the URL of one host, as libldap wants it */
    size_t count;
    bool tls;   /* ldaps */
    bool local; /* ldapi */
};

/* ST_INVALID says what is wrong, without repeating the URL. */
enum status url_read(const char *text, struct url *out, struct err *err) MUST_CHECK;
void url_clear(struct url *url);

#endif
