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

#endif
