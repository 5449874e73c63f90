/* SPDX-License-Identifier: Apache-2.0
 *
 * `inkan import opendkim`: see docs/from-opendkim.md. One thread.
 */
#ifndef INKAN_ADMIN_IMPORT_OPENDKIM_H
#define INKAN_ADMIN_IMPORT_OPENDKIM_H

#include "admin/admin.h"

#define IMPORT_OPENDKIM_USAGE                                                                      \
    "--tenant T [--config FILE] [--key-table T] [--signing-table T] [--internal-hosts T] "         \
    "[--domains FILE] [--check-dns] [--write-conf FILE]"

/* ST_NOT_FOUND when something is not taken over, which has been told. */
enum status import_opendkim(struct admin *admin, const struct args *args,
                            struct err *err) MUST_CHECK;

#endif
