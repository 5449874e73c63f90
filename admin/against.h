/* SPDX-License-Identifier: Apache-2.0
 *
 * `inkan explain --against opendkim`: inkan's decision beside what OpenDKIM would do, for one
 * message, or for all senders of a list or a log (admin/against_many.h). One thread.
 */
#ifndef INKAN_ADMIN_AGAINST_H
#define INKAN_ADMIN_AGAINST_H

#include "admin/admin.h"

/* Whether the arguments ask for it, or for something that only goes with it. */
bool against_wanted(const struct args *args);
/* Answers with an object of `opendkim`, `inkan`, `same` and `difference`. ST_OK: both do the same;
 * ST_NOT_FOUND: they do not, and the answer has said how; ST_INVALID for wrong arguments and for a
 * configuration that is not there; the faults of settings, store and vault. */
enum status against_explain(struct admin *admin, const struct args *args,
                            struct err *err) MUST_CHECK;

#endif
