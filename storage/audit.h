/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit events of one transaction: gathered as records change, and written right before its
 * commit, because each is chained to the one before it (storage/chain.h) and writers must take
 * turns for that. So they wait for each other only from there on. Only storage/store_tx.c uses
 * it.
 */
#ifndef INKAN_STORAGE_AUDIT_H
#define INKAN_STORAGE_AUDIT_H

#include "storage/ahead.h"

/* Events that are kept in memory, of some 6 KB at most: a transaction that makes more takes its
 * turn earlier. */
enum { AUDIT_HELD_MAX = 1000 };

/* Begins zeroed but for the first two. */
struct audit {
    int64_t timeout_ms;        /* of one call of the driver */
    const struct ahead *ahead; /* of the transaction */
    struct event *events;      /* not written yet */
    size_t count, room;
    struct domain domain; /* the last one that something belonged to */
    bool turn;            /* was taken */
    struct event newest;  /* once it was: of the store, then the last one written */
};

struct audit_change {
    const char *actor, *action;
    const char *note; /* NULL: none */
    const struct kind *kind;
    const void *before; /* NULL: added */
    const void *after;  /* NULL: removed */
};

/* Makes the event of a change and keeps it. Secret fields appear by name only. Asks the store
 * whose the record is, so the event of a removal comes before that. */
enum status audit_note(struct audit *audit, struct driver_conn *conn,
                       const struct audit_change *change, struct err *err) MUST_CHECK;
/* Keeps a copy of an event that is told as it is. */
enum status audit_add(struct audit *audit, struct driver_conn *conn, const struct event *event,
                      struct err *err) MUST_CHECK;
/* Takes the turn, unless there is nothing to write or it was taken, and writes what is kept. Sets
 * the connection's deadline for each call. */
enum status audit_write(struct audit *audit, struct driver_conn *conn, struct err *err) MUST_CHECK;
void audit_clear(struct audit *audit);

#endif
