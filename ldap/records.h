/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls of the driver interface (storage/driver.h) that move records, for a directory. Those
 * that change something need an open transaction (ldap/transaction.h), and check what a data base
 * has constraints for: what a record refers to exists, what others refer to stays, a domain has
 * one active key of an algorithm, only keys that may sign have a private half.
 */
#ifndef INKAN_LDAP_RECORDS_H
#define INKAN_LDAP_RECORDS_H

#include "ldap/directory.h"

enum status records_get(struct driver_conn *conn, const struct kind *kind, void *record,
                        struct err *err);
enum status records_put(struct driver_conn *conn, const struct kind *kind, void *record,
                        struct err *err);
enum status records_del(struct driver_conn *conn, const struct kind *kind, const void *record,
                        struct err *err);

#endif
