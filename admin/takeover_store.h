/* SPDX-License-Identifier: Apache-2.0
 *
 * Brings what is taken over from OpenDKIM into the store: each key with its domain and its rules in
 * one transaction. What is there already is passed over, so what was cut short is started again.
 * In a rehearsal (admin->dry_run) nothing stays. One thread.
 */
#ifndef INKAN_ADMIN_TAKEOVER_STORE_H
#define INKAN_ADMIN_TAKEOVER_STORE_H

#include "admin/import_batch.h"
#include "admin/takeover.h"

struct takeover_store {
    struct admin *admin; /* this and the next two are set by the caller */
    struct takeover *takeover;
    const char *tenant; /* of all domains; "%": each has one of its name */
    int64_t added, existed, failed;
    char below[DKIM_DOMAIN_SIZE]; /* of which it was told last that it signs below itself */
};

/* Failures of single keys are in the notes; anything but ST_OK is the store's. */
enum status takeover_store_run(struct takeover_store *run, struct err *err) MUST_CHECK;

#endif
