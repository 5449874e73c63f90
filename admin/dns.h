/* SPDX-License-Identifier: Apache-2.0
 *
 * What the verbs of `inkan dns` share, and those that have a file of their own.
 */
#ifndef INKAN_ADMIN_DNS_H
#define INKAN_ADMIN_DNS_H

#include "admin/admin.h"
#include "storage/driver.h"

/* The query for the keys of DOMAIN, which must exist, or with --all of every domain; one of the two
 * must be given. `name` holds the domain, or "", for as long as the query is used. */
enum status dns_which_keys(struct admin *admin, const struct args *args,
                           char name[DKIM_DOMAIN_SIZE], struct query *out,
                           struct err *err) MUST_CHECK;

/* inkan dns check, publish, onboard */
enum status dns_check(struct admin *admin, const struct args *args, struct err *err);
enum status dns_publish(struct admin *admin, const struct args *args, struct err *err);
enum status dns_onboard(struct admin *admin, const struct args *args, struct err *err);

#endif
