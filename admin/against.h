/* SPDX-License-Identifier: Apache-2.0
 *
 * The other half of `inkan explain --against opendkim`: what OpenDKIM would do with a message by
 * its own files (opendkim/signing.h). Needs no store. One thread.
 */
#ifndef INKAN_ADMIN_AGAINST_H
#define INKAN_ADMIN_AGAINST_H

#include "admin/admin.h"

/* Whether the arguments ask for it, or for something that only goes with it. */
bool against_wanted(const struct args *args);
/* Answers with an object whose member `opendkim` has action, reason, signatures, steps and notes.
 * ST_OK: it would sign; ST_NOT_FOUND: it would not, and the answer has said why; ST_INVALID for
 * wrong arguments and for a configuration that is not there. */
enum status against_explain(struct admin *admin, const struct args *args,
                            struct err *err) MUST_CHECK;

#endif
