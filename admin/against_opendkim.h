/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenDKIM's side of `inkan explain --against opendkim`: what it would do by its own files
 * (opendkim/signing.h), with its tables in data bases and directories. One thread.
 */
#ifndef INKAN_ADMIN_AGAINST_OPENDKIM_H
#define INKAN_ADMIN_AGAINST_OPENDKIM_H

#include "admin/admin.h"
#include "admin/inquiry.h"
#include "admin/takeover_source.h"

struct against_opendkim {
    struct notes *notes;
    struct configuration configuration;
    struct takeover_context context;
    struct signing *signing;
};

/* Reads the configuration (NULL: /etc/opendkim.conf) and what it names, into a zeroed struct, whose
 * place must stay. ST_INVALID: it is not there; faults are those of signing_open. Close also after
 * a failure. */
enum status against_opendkim_open(const char *path, struct against_opendkim *out,
                                  struct err *err) MUST_CHECK;
void against_opendkim_close(struct against_opendkim *opendkim);

/* As signing_ask. */
enum status against_opendkim_ask(const struct against_opendkim *opendkim,
                                 const struct inquiry *inquiry, struct signing_answer *out,
                                 struct err *err) MUST_CHECK;

/* A member `opendkim` with action, reason, signatures, steps and notes. */
void against_opendkim_tell(struct output *output, const struct against_opendkim *opendkim,
                           const struct signing_answer *answer);

#endif
