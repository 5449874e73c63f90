/* SPDX-License-Identifier: Apache-2.0
 *
 * The journal of a transaction (ldap/transaction.h) in cn=writer: put there, done, and taken away.
 *
 * Two programs may be at one journal: its owner, and one that has lost patience with it. Changes
 * and removals are tied to the version of their entry, so a second time they do nothing. An entry
 * that was added late, when the other had finished and perhaps a third had removed it again, is
 * found out by the revision, and taken away. What the server will never do is left out, and said.
 */
#ifndef INKAN_LDAP_JOURNAL_H
#define INKAN_LDAP_JOURNAL_H

#include "ldap/layout.h"
#include "ldap/write.h"

/* Puts a journal there: ST_CONFLICT if there is one, or another was since `revision`. */
enum status journal_put(struct directory *dir, int64_t revision, struct span octets,
                        struct err *err) MUST_CHECK;

/* A journal that was put there just now. */
struct journal {
    int64_t revision;
    int64_t sent_ms;                   /* monotonic, before that it was not there */
    const struct writes *const *lists; /* NULL-terminated, in their order */
};
/* Does it and takes it away. ST_UNSURE: it stands there, for the next to complete. ST_BROKEN: done
 * but for what the server will not do. Any other fault: not even the first write could be done, and
 * nothing has happened. Each write has as much time as the transaction had to begin. */
enum status journal_carry_out(struct directory *dir, const struct journal *journal,
                              struct err *err) MUST_CHECK;

/* Reads the numbers once there is no journal; one that stays is completed. Sets dir->timeout_ms. */
enum status journal_settle(struct directory *dir, struct layout_numbers *out,
                           struct err *err) MUST_CHECK;
/* Makes every commit fail that was sent by anybody before and has not arrived. */
enum status journal_fence(struct directory *dir, struct err *err) MUST_CHECK;

#endif
