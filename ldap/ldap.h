/* SPDX-License-Identifier: Apache-2.0
 *
 * The driver for LDAP directories: ldap://, ldaps:// and ldapi:// (ldap/url.h).
 */
#ifndef INKAN_LDAP_LDAP_H
#define INKAN_LDAP_LDAP_H

#include "storage/driver.h"

extern const struct driver ldap_driver;

/* Its `close`, which is that of directories with another schema (ldap/map.h) as well. */
void ldap_close_directory(struct driver_conn *conn);

#endif
