/* SPDX-License-Identifier: Apache-2.0
 *
 * One row of a bulk import within a transaction: part of admin/import_batch.c. One thread.
 */
#ifndef INKAN_ADMIN_IMPORT_STORE_H
#define INKAN_ADMIN_IMPORT_STORE_H

#include "admin/import_batch.h"

/* Whether the row brings a private key. */
bool import_store_has_private_key(const struct import_row *row);
/* Whether a row asks for one certain key, and not only for a domain with keys. */
bool import_store_is_of_key(const struct import_row *row);
/* ST_CONFLICT when the domain is another tenant's. */
enum status import_store_check_owner(const struct import_row *row, const struct domain *found,
                                     struct err *err) MUST_CHECK;
/* ST_CONFLICT when a key that is there does not sign as an activated row wants it to. One that has
 * signed and retired counts as if it did, unless it has to now: rows of an import that is started
 * again may have followed one another. */
enum status import_store_check_key(const struct import_row *row, const struct key *key,
                                   struct err *err) MUST_CHECK;
/* Has the transaction read at once what import_store_row asks of each of the rows. */
enum status import_store_look_ahead(struct store_tx *tx, const struct import_row *rows,
                                    size_t count, struct err *err) MUST_CHECK;
/* Adds what is not there yet. ST_CONFLICT when what is there says something else. */
enum status import_store_row(struct store_tx *tx, const struct import_batch *batch,
                             const struct import_row *row, enum import_outcome *outcome_out,
                             struct err *err) MUST_CHECK;

#endif
