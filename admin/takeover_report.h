/* SPDX-License-Identifier: Apache-2.0
 *
 * What `inkan import opendkim` tells: each file and line with what becomes of it, and the sum. One
 * thread.
 */
#ifndef INKAN_ADMIN_TAKEOVER_REPORT_H
#define INKAN_ADMIN_TAKEOVER_REPORT_H

#include "admin/takeover_store.h"

struct takeover_report {
    const struct takeover_store *store; /* after the run */
    struct span conf;                   /* the settings file that was made */
};
void takeover_report_tell(struct admin *admin, const struct takeover_report *report);

/* Looks whether DNS shows each key, and notes those it does not. What proofs_open says. */
enum status takeover_report_dns(struct admin *admin, struct takeover *takeover,
                                struct err *err) MUST_CHECK;

#endif
