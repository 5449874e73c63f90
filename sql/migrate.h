/* SPDX-License-Identifier: Apache-2.0
 *
 * Applies the migrations that are compiled in (migrations/, append only), each in one
 * transaction, its version, name and SHA-256 recorded in table `migration`. One process at a
 * time; only the inkan command does this.
 */
#ifndef INKAN_SQL_MIGRATE_H
#define INKAN_SQL_MIGRATE_H

#include "base/bytes.h"
#include "base/err.h"

struct migrate_report {
    int before, after; /* schema versions */
};

/* Brings the data base of `url` to the newest schema; with `create` it is made first
 * (ST_CONFLICT when it has a schema already), without it must exist (ST_NOT_FOUND). ST_BROKEN
 * for a schema newer than the program and for a recorded migration whose checksum is not
 * ours. Nothing is half-applied. */
struct migrate_options {
    const char *url;
    int64_t timeout_ms;
    bool create;
};
enum status migrate_run(const struct migrate_options *options, struct migrate_report *report,
                        struct err *err) MUST_CHECK;

#endif
