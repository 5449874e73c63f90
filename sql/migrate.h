/* SPDX-License-Identifier: Apache-2.0
 *
 * Applies the migrations that are compiled in (migrations/, append only), each in one
 * transaction, its version, name and SHA-256 recorded in table `migration`. One process at a
 * time; only the inkan command does this.
 */
#ifndef INKAN_SQL_MIGRATE_H
#define INKAN_SQL_MIGRATE_H

#include "storage/driver.h"

/* As `migrate` of struct driver; the version to reach is that of the newest migration. ST_BROKEN
 * also for a recorded migration whose checksum is not ours. Nothing is half-applied. */
enum status sql_migrate(const struct driver_options *options, struct driver_migration *migration,
                        struct err *err) MUST_CHECK;

#endif
