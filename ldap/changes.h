/* SPDX-License-Identifier: Apache-2.0
 *
 * `changes` of the driver interface (storage/driver.h) for a directory. All rows of one
 * transaction are one entry below cn=changes: its inkanPosition is that of the last row, its values
 * of inkanChanged are `NUMBER KIND NAME`, and the rows' positions follow each other.
 */
#ifndef INKAN_LDAP_CHANGES_H
#define INKAN_LDAP_CHANGES_H

#include "ldap/directory.h"

enum status changes_read(struct driver_conn *conn, const struct change_query *query,
                         driver_row *row, void *arg, struct err *err);

#endif
