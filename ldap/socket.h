/* SPDX-License-Identifier: Apache-2.0
 *
 * The socket below a connection. It is opened here, and not by libldap, for the sake of deadlines;
 * and read and written here, because libldap would write to one that the server has closed, for
 * which the system ends a program that is not prepared for it (SIGPIPE).
 */
#ifndef INKAN_LDAP_SOCKET_H
#define INKAN_LDAP_SOCKET_H

#include <ldap.h>

#include "base/bytes.h"

/* A connected socket that does not block: to the host, or (local) to the socket file that the host
 * names. ST_TEMP. */
enum status socket_open(const LDAPURLDesc *host, bool local, int64_t deadline_ms, int *out,
                        struct err *err) MUST_CHECK;
/* While the deadline is not 0, reading waits for octets until then, for callers who would ask again
 * and again. */
struct socket_patience {
    int64_t deadline_ms;
};
/* Makes ld, which was given its descriptor with LDAP_PROTO_EXT, read and write it. *out lives as
 * long as ld. */
enum status socket_attach(LDAP *ld, struct socket_patience **out, struct err *err) MUST_CHECK;

#endif
