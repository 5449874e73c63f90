/* SPDX-License-Identifier: Apache-2.0
 *
 * `find` of the driver interface (storage/driver.h) for a directory.
 */
#ifndef INKAN_LDAP_FIND_H
#define INKAN_LDAP_FIND_H

#include "ldap/directory.h"

enum status find_records(struct driver_conn *conn, const struct query *query, driver_row *row,
                         void *arg, struct err *err);
/* Forgets what a find with a limit has still to give. */
void find_forget(struct directory *dir);

#endif
