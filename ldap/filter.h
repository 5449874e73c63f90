/* SPDX-License-Identifier: Apache-2.0
 *
 * What a query asks for, as a filter for a directory and as a test of a record. An attribute that
 * is not there is as good as one with the value that this means (ldap/entry.h).
 */
#ifndef INKAN_LDAP_FILTER_H
#define INKAN_LDAP_FILTER_H

#include "storage/driver.h"

/* Appends `(&(objectClass=inkanKey)(inkanKeyState=active))`. */
void filter_query(const struct query *query, struct buf *out);
/* Whether a record is one that the query asks for. */
bool filter_matches(const struct query *query, const void *record);

#endif
