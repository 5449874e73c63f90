/* SPDX-License-Identifier: Apache-2.0
 *
 * `lookup` of the driver interface (storage/driver.h) for a directory.
 */
#ifndef INKAN_LDAP_LOOKUP_H
#define INKAN_LDAP_LOOKUP_H

#include "ldap/directory.h"

enum status lookup_profiles(struct driver_conn *conn, const char *const *names, size_t count,
                            struct profile *profiles, struct err *err);

#endif
