/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of several entries that happen together or not at all, in a directory that changes one
 * entry at a time.
 *
 * While a transaction is open nothing is written: its writes are collected here, and reads see
 * them. To commit is one change of one entry, cn=writer below the root: all writes, as octets, are
 * put into its attribute inkanJournal. The server does that only if the entry still has the
 * revision that it had when the transaction began and no other journal, so of two that were
 * open together one is told that it came too late. From then on the transaction has
 * happened: the writes are done one by one, the position in cn=state moves, and last the journal
 * is removed with a new revision. Whoever is killed on the way leaves the journal behind, and the
 * next who begins does what it says before anything else (ldap/journal.h).
 *
 * The order of the writes is such that whoever reads between two of them finds nothing wrong: a
 * key that becomes active comes before the one it follows is retired, and the position of the
 * change feed last. Before all of them entries are brought where they belong, which no reader sees:
 * records are found by their attributes.
 *
 *     cn=state,ROOT   inkanSchemaVersion, inkanPosition   what everybody reads
 *     cn=writer,ROOT  inkanRevision, inkanEventLast, inkanJournal   what writers read
 */
#ifndef INKAN_LDAP_TRANSACTION_H
#define INKAN_LDAP_TRANSACTION_H

#include "ldap/write.h"

/* A record as the open transaction leaves it. */
struct pending {
    const struct kind *kind;
    void *record;
    char *dn; /* NULL: removed */
};

struct transaction {
    int64_t revision;            /* of cn=writer when it began */
    int64_t position, event;     /* the last that were given out */
    struct writes first;         /* new tenants, and domains that move (ldap/moves.h) */
    struct writes early, writes; /* what makes a key active, and the rest */
    struct buf feed;             /* rows of the change feed, each `KIND NAME` and a line feed */
    struct pending *pending;
    size_t pending_count;
};

enum { TRANSACTION_MAX = 3 << 20 }; /* octets of a journal; slapd takes 4 MiB at once */

/* Opens one on the connection (dir->tx), completing first what another left behind. */
enum status transaction_begin(struct directory *dir, struct err *err);
/* ST_TEMP: another was faster, and nothing was done. ST_UNSURE: the connection was lost on the way.
 * Closed in any case. Each write has as much time as the transaction had to begin. */
enum status transaction_commit(struct directory *dir, struct err *err);
/* How many writes it has collected. */
size_t transaction_writes(const struct transaction *tx);
/* Forgets all. */
void transaction_drop(struct directory *dir);
/* What the open transaction knows of the record with the primary key of `record`; NULL: nothing,
 * or none is open. */
const struct pending *transaction_pending(const struct directory *dir, const struct kind *kind,
                                          const void *record);
/* Notes a copy of the record as added or changed in the entry `dn`, or (NULL) as removed. */
enum status transaction_note(struct transaction *tx, const struct kind *kind, const void *record,
                             const char *dn, struct err *err);

#endif
