/* SPDX-License-Identifier: Apache-2.0
 *
 * The first exchanges on a new connection: the change to TLS, and who inkan is.
 */
#ifndef INKAN_LDAP_BIND_H
#define INKAN_LDAP_BIND_H

#include <ldap.h>

#include "base/bytes.h"
#include "base/settings.h"

/* StartTLS (RFC 4511 4.14), up to the server's consent. */
enum status bind_ask_for_tls(LDAP *ld, int64_t deadline_ms, struct err *err) MUST_CHECK;
/* Anonymous without bind_dn and mechanism, else a simple bind, or SASL: EXTERNAL takes what the
 * connection says, others the name in bind_dn and the password of the file. */
enum status bind_account(LDAP *ld, const struct settings_ldap *settings, int64_t deadline_ms,
                         struct err *err) MUST_CHECK;

#endif
