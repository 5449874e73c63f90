/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows on their way into the store, some hundreds at a time: what is there already is left alone,
 * keys are made on all cores, then one transaction takes all. If a row spoils it, or another
 * program was faster, smaller ones follow, so that the others get in. One thread, but for the
 * making of keys.
 */
#ifndef INKAN_ADMIN_IMPORT_BATCH_H
#define INKAN_ADMIN_IMPORT_BATCH_H

#include "admin/import_row.h"

enum { IMPORT_BATCH_ROWS = 200 };

struct import_batch {
    struct admin *admin; /* this and the next four are set by the caller */
    const struct settings *settings;
    const struct vault *vault;
    bool stop;         /* no row behind one that fails is taken */
    bool make_tenants; /* those that are not there are added with their first domain */
    struct store *store;
    struct import_row *rows; /* IMPORT_BATCH_ROWS of them */
    size_t count;
    struct tenant tenant; /* the last one that was found */
    struct rows domains;  /* those of the rows, while they are looked for */
};

/* Memory and the store; ST_TEMP, or as admin_store. Clear also after a failure. */
enum status import_batch_init(struct import_batch *batch, struct err *err) MUST_CHECK;
void import_batch_clear(struct import_batch *batch);

/* Takes the rows that are IMPORT_PENDING as far as it can and gives each its outcome; with `stop`
 * those behind a failed one stay as they are. ST_OK also when rows fail; anything else is the
 * store's fault and ends the import. */
enum status import_batch_run(struct import_batch *batch, struct err *err) MUST_CHECK;
/* Forgets the rows. */
void import_batch_reset(struct import_batch *batch);

#endif
