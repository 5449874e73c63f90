/* SPDX-License-Identifier: Apache-2.0
 *
 * From a URL and the settings of section [ldap] to a connection that may be used: the hosts are
 * tried one after the other, each with its share of the time; the connection is encrypted and the
 * server's certificate checked, unless the settings say otherwise; then inkan says who it is.
 */
#ifndef INKAN_LDAP_CONNECT_H
#define INKAN_LDAP_CONNECT_H

#include <ldap.h>

#include "base/settings.h"
#include "ldap/url.h"

/* *out is for the caller to ldap_unbind_ext. ST_TEMP: no host answers by the deadline (monotonic
 * milliseconds), or none with a good certificate; ST_DENIED: the account is refused, or others
 * could read the password; ST_BROKEN: a file of the settings cannot be read. */
enum status connect_any(const struct url *url, const struct settings_ldap *settings,
                        int64_t deadline_ms, LDAP **out, struct err *err) MUST_CHECK;

#endif
