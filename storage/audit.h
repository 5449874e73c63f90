/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit event that goes with every change, in its transaction. Only storage/store_tx.c uses
 * it.
 */
#ifndef INKAN_STORAGE_AUDIT_H
#define INKAN_STORAGE_AUDIT_H

#include "storage/driver.h"

struct audit_change {
    const char *actor, *action;
    const char *note; /* NULL: none */
    const struct kind *kind;
    const void *before; /* NULL: added */
    const void *after;  /* NULL: removed */
};

/* Writes the event and leaves it in `event` (empty before; kind_clear also after a failure).
 * Secret fields appear by name only. */
enum status audit_write(struct driver_conn *conn, const struct audit_change *change,
                        struct event *event, struct err *err) MUST_CHECK;

#endif
