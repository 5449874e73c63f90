/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose the domains of a takeover are in the store: what would sign for another tenant's authors,
 * or with another tenant's keys, is left out, and what is suspended is told. Reads the store. One
 * thread.
 */
#ifndef INKAN_ADMIN_TAKEOVER_OWNER_H
#define INKAN_ADMIN_TAKEOVER_OWNER_H

#include "admin/admin.h"
#include "admin/takeover.h"

/* Whether a tenant can be called so, or is "%", a tenant for each domain. ST_INVALID says why
 * not. */
enum status takeover_owner_check(const char *tenant, struct err *err) MUST_CHECK;

/* Between takeover_plan and takeover_make_rules: takes from the patterns the signers that are not
 * to be, with a note each, and from the plan the keys that are left without any. What admin_store
 * says, or ST_TEMP. */
enum status takeover_owner_review(struct admin *admin, struct takeover *takeover,
                                  const char *tenant, struct err *err) MUST_CHECK;

#endif
