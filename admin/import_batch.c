/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/import_batch.h"

#include <stdlib.h>
#include <string.h>

#include "admin/import_store.h"
#include "admin/parallel.h"
#include "admin/rows.h"

enum { TRIES_MAX = 12 }; /* in a row: down to one row, and that a few times */

enum status import_batch_init(struct import_batch *batch, struct err *err)
{
    batch->rows = calloc(IMPORT_BATCH_ROWS, sizeof *batch->rows);
    if (batch->rows == NULL)
        return err_set(err, ST_TEMP, "no memory");
    return admin_store(batch->admin, &batch->store, err);
}

void import_batch_reset(struct import_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        import_row_clear(&batch->rows[i]);
        batch->rows[i] = (struct import_row){.outcome = IMPORT_PENDING};
    }
    batch->count = 0;
}

void import_batch_clear(struct import_batch *batch)
{
    if (batch->rows != NULL)
        import_batch_reset(batch);
    free(batch->rows);
    kind_clear(&kind_tenant, &batch->tenant);
}

/* A fault of the row and not of the store: others may fare better. */
static bool is_of_row(enum status status)
{
    return status == ST_NOT_FOUND || status == ST_CONFLICT || status == ST_DENIED ||
           status == ST_INVALID;
}

/* Notes a fault of the row itself; any other is given back. */
static enum status fail_row(struct import_row *row, enum status status, const struct err *err)
{
    if (status == ST_OK || !is_of_row(status))
        return status;
    row->outcome = IMPORT_FAILED;
    row->err = *err;
    return ST_OK;
}

/* The rows up to one that failed, if those behind it are not to be taken. */
static void cut_behind_failure(struct import_batch *batch)
{
    for (size_t i = 0; batch->stop && i < batch->count; i++) {
        if (batch->rows[i].outcome != IMPORT_FAILED)
            continue;
        for (size_t j = i + 1; j < batch->count; j++)
            import_row_clear(&batch->rows[j]);
        batch->count = i + 1;
    }
}

/* -- what is there already ------------------------------------------------------------------ */

static enum status find_tenant(struct import_batch *batch, const char *name, struct err *err)
{
    if (batch->tenant.name != NULL && strcmp(batch->tenant.name, name) == 0)
        return ST_OK;
    kind_clear(&kind_tenant, &batch->tenant);
    enum status status = admin_named(store_tenant(batch->store, name, &batch->tenant, err), err);
    if (status == ST_INVALID && batch->make_tenants)
        status = ST_OK; /* the transaction sees to it */
    if (batch->tenant.name == NULL || status != ST_OK)
        kind_clear(&kind_tenant, &batch->tenant);
    return status;
}

/* A key to make that was made already. With a private key there is more to compare, which the
 * transaction does. */
static enum status look_for_key(struct import_batch *batch, struct import_row *row, struct err *err)
{
    struct key key = {.domain = NULL};
    if (row->selector == NULL || import_store_has_private_key(row))
        return ST_OK;
    enum status status = store_key(batch->store, row->domain.name, row->selector, &key, err);
    if (status == ST_OK) {
        row->outcome = IMPORT_EXISTED;
        status = import_store_check_key(row, &key, err);
    }
    kind_clear(&kind_key, &key);
    return status == ST_NOT_FOUND ? ST_OK : status;
}

/* The row that adds the domain: this one, or one before it. */
static const struct import_row *adding_row(const struct import_batch *batch,
                                           const struct import_row *row)
{
    for (const struct import_row *before = batch->rows; before < row; before++)
        if (before->outcome == IMPORT_PENDING && strcmp(before->domain.name, row->domain.name) == 0)
            return before;
    return row;
}

/* What the row leaves open its domain decides, as it stands in the store or is to stand there, else
 * the tenant, else the settings. */
static enum status plan_row(const struct import_batch *batch, struct import_row *row,
                            const struct domain *domain, struct err *err)
{
    const char *algorithms = domain->algorithms;
    if (row->planned || row->outcome != IMPORT_PENDING)
        return ST_OK;
    if (algorithms == NULL || algorithms[0] == '\0')
        algorithms = batch->tenant.algorithms;
    if (algorithms == NULL || algorithms[0] == '\0')
        algorithms = batch->settings->lifecycle.algorithms;
    return import_row_plan(row, algorithms, err);
}

static enum status find_domain(const struct import_batch *batch, const char *name,
                               struct domain *out, struct err *err)
{
    for (size_t i = 0; i < batch->domains.count; i++) {
        const struct domain *domain = rows_at(&batch->domains, i);
        if (strcmp(domain->name, name) == 0)
            return kind_copy(&kind_domain, domain, out, err);
    }
    return ST_NOT_FOUND;
}

/* Most rows of an import that is started again end here, before a key is made. */
static enum status look_for_row(struct import_batch *batch, struct import_row *row, struct err *err)
{
    struct domain domain = {.name = NULL};
    enum status status = find_tenant(batch, row->domain.tenant, err);
    if (status != ST_OK)
        return status;
    status = find_domain(batch, row->domain.name, &domain, err);
    row->signs_below = domain.subdomains != 0 || batch->tenant.subdomains != 0;
    const struct domain *standing =
        status == ST_NOT_FOUND ? &adding_row(batch, row)->domain : &domain;
    if (status == ST_OK)
        status = import_store_check_owner(row, &domain, err);
    if (status == ST_OK && import_store_is_of_key(row))
        status = look_for_key(batch, row, err);
    else if (status == ST_OK)
        row->outcome = IMPORT_EXISTED;
    if (status == ST_NOT_FOUND)
        status = ST_OK;
    if (status == ST_OK)
        status = plan_row(batch, row, standing, err);
    kind_clear(&kind_domain, &domain);
    return status;
}

static enum status find_domains(struct import_batch *batch, struct err *err)
{
    const char *names[IMPORT_BATCH_ROWS];
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (batch->rows[i].outcome == IMPORT_PENDING)
            names[count++] = batch->rows[i].domain.name;
    batch->domains.kind = &kind_domain;
    return store_domains(batch->store, names, count,
                         &(struct store_reader){rows_take, &batch->domains}, err);
}

static enum status look_for_rows(struct import_batch *batch, struct err *err)
{
    enum status status = find_domains(batch, err);
    for (size_t i = 0; status == ST_OK && i < batch->count; i++) {
        struct import_row *row = &batch->rows[i];
        if (row->outcome == IMPORT_PENDING)
            status = fail_row(row, look_for_row(batch, row, err), err);
    }
    rows_clear(&batch->domains);
    cut_behind_failure(batch);
    return status;
}

/* -- keys ----------------------------------------------------------------------------------- */

static enum status read_pem(struct import_row *row, struct err *err)
{
    enum status status = keys_import(buf_span(&row->pem), &row->drafts[0], err);
    if (status != ST_OK)
        return err_context(err, "private_key");
    row->draft_count = 1;
    if (row->algorithm >= 0 && row->drafts[0].key.algorithm != row->algorithm)
        return err_set(err, ST_INVALID, "algorithm %s: the private key is one of %s",
                       dkim_algorithm_name((enum dkim_algorithm)row->algorithm),
                       dkim_algorithm_name((enum dkim_algorithm)row->drafts[0].key.algorithm));
    return ST_OK;
}

/* A rehearsal does without new keys, which would take as long as the import. */
static void make_drafts(void *arg, size_t index)
{
    struct import_batch *batch = arg;
    struct import_row *row = &batch->rows[index];
    enum status status = ST_OK;
    if (row->outcome != IMPORT_PENDING)
        return;
    if (row->pem.len > 0)
        status = read_pem(row, &row->err);
    for (size_t i = 0; status == ST_OK && !batch->admin->dry_run && i < row->plan.count; i++) {
        status = keys_generate(&row->plan.specs[i], &row->drafts[i], &row->err);
        row->draft_count++;
    }
    if (status != ST_OK)
        row->outcome = IMPORT_FAILED;
}

/* -- in a transaction ----------------------------------------------------------------------- */

/* The rows of one transaction. What becomes of them counts only when it is committed. */
struct share {
    struct import_batch *batch;
    size_t first, count;
    enum import_outcome outcomes[IMPORT_BATCH_ROWS];
};

/* What is to be known of many rows is asked for at once. A row alone is asked for as it comes, so
 * that what is wrong with it is told exactly. */
static enum status look_ahead(struct store_tx *tx, const struct share *share, struct err *err)
{
    const struct import_row *rows = &share->batch->rows[share->first];
    return share->count > 1 ? import_store_look_ahead(tx, rows, share->count, err) : ST_OK;
}

static enum status store_share(struct store_tx *tx, void *arg, struct err *err)
{
    struct share *share = arg;
    enum status status = look_ahead(tx, share, err);
    for (size_t i = share->first; status == ST_OK && i < share->first + share->count; i++)
        if (share->batch->rows[i].outcome == IMPORT_PENDING)
            status = import_store_row(tx, share->batch, &share->batch->rows[i], &share->outcomes[i],
                                      err);
    return status;
}

static enum status run_share(struct share *share, struct err *err)
{
    enum status status = admin_transaction(share->batch->admin, store_share, share, err);
    for (size_t i = share->first; status == ST_OK && i < share->first + share->count; i++)
        if (share->batch->rows[i].outcome == IMPORT_PENDING)
            share->batch->rows[i].outcome = share->outcomes[i];
    return status;
}

/* How many rows come next: half as many as failed together, twice as many as went well. One that
 * spoils a transaction is found that way, and a store that lets writers in side by side and tells
 * the slower one to try again gets transactions that are faster than those of the others. */
static size_t next_count(const struct share *share, enum status status)
{
    size_t count = status == ST_OK ? 2 * share->count : (share->count + 1) / 2;
    size_t left = share->batch->count - share->first;
    return count < left ? count : left;
}

static enum status run_shares(struct import_batch *batch, struct err *err)
{
    struct share share = {.batch = batch, .count = batch->count};
    enum status status = ST_OK;
    for (int tries = 0; share.first < batch->count && tries < TRIES_MAX;) {
        status = run_share(&share, err);
        if (is_of_row(status) && share.count == 1)
            status = fail_row(&batch->rows[share.first], status, err);
        cut_behind_failure(batch);
        if (status != ST_OK && status != ST_TEMP && !is_of_row(status))
            return status;
        tries = status == ST_TEMP ? tries + 1 : 0;
        share.first += status == ST_OK ? share.count : 0;
        share.count = next_count(&share, status);
    }
    return status;
}

enum status import_batch_run(struct import_batch *batch, struct err *err)
{
    enum status status = look_for_rows(batch, err);
    if (status != ST_OK)
        return status;
    parallel_run(batch->count, make_drafts, batch);
    cut_behind_failure(batch);
    return run_shares(batch, err);
}
