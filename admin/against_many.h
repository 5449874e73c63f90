/* SPDX-License-Identifier: Apache-2.0
 *
 * inkan beside OpenDKIM for all senders of a list (admin/sender_list.h) or of a log
 * (admin/mail_log.h): each is asked about once. What a log says that OpenDKIM has signed counts
 * more than what its files say. Nothing is written. One thread.
 */
#ifndef INKAN_ADMIN_AGAINST_MANY_H
#define INKAN_ADMIN_AGAINST_MANY_H

#include "admin/admin.h"

/* Takes --list or --mail-log, --config, --daemon-name and --all. ST_OK: both do the same for all;
 * ST_NOT_FOUND: not for all, and the table has said for whom; ST_INVALID: a list, a log or a
 * configuration that cannot be read, or with which OpenDKIM does not start; the faults of settings,
 * store and vault. */
enum status against_many(struct admin *admin, const struct args *args, struct err *err) MUST_CHECK;

#endif
