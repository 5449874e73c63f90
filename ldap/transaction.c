/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/transaction.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ldap/entry.h"
#include "ldap/journal.h"
#include "ldap/layout.h"

/* -- the records of an open one ----------------------------------------------------------- */

const struct pending *transaction_pending(const struct directory *dir, const struct kind *kind,
                                          const void *record)
{
    for (size_t i = 0; dir->tx != NULL && i < dir->tx->pending_count; i++) {
        const struct pending *pending = &dir->tx->pending[i];
        if (pending->kind == kind && kind_compare(kind, pending->record, record) == 0)
            return pending;
    }
    return NULL;
}

static void free_pending(struct pending *pending)
{
    kind_free(pending->kind, pending->record);
    free(pending->dn);
}

enum status transaction_note(struct transaction *tx, const struct kind *kind, const void *record,
                             const char *dn, struct err *err)
{
    struct pending new = {kind, calloc(1, kind->size), dn != NULL ? strdup(dn) : NULL};
    size_t i = 0;
    while (i < tx->pending_count &&
           (tx->pending[i].kind != kind || kind_compare(kind, tx->pending[i].record, record) != 0))
        i++;
    struct pending *list = realloc(tx->pending, (tx->pending_count + 1) * sizeof *list);
    if (list != NULL)
        tx->pending = list;
    if (list == NULL || new.record == NULL || (dn != NULL && new.dn == NULL) ||
        kind_copy(kind, record, new.record, err) != ST_OK) {
        free_pending(&new);
        return err_set(err, ST_TEMP, "ldap: no memory");
    }
    if (i < tx->pending_count)
        free_pending(&tx->pending[i]);
    else
        tx->pending_count++;
    tx->pending[i] = new;
    return ST_OK;
}

size_t transaction_writes(const struct transaction *tx)
{
    return tx->first.count + tx->early.count + tx->writes.count;
}

void transaction_drop(struct directory *dir)
{
    struct transaction *tx = dir->tx;
    if (tx == NULL)
        return;
    for (size_t i = 0; i < tx->pending_count; i++)
        free_pending(&tx->pending[i]);
    free(tx->pending);
    write_list_clear(&tx->first);
    write_list_clear(&tx->early);
    write_list_clear(&tx->writes);
    buf_clear(&tx->feed);
    free(tx);
    dir->tx = NULL;
}

/* -- begin and end ------------------------------------------------------------------------ */

/* Positions are microseconds of the clock, so that a server that takes over after another was
 * lost with its last changes does not give their positions out again. */
static int64_t first_position(int64_t last)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t us = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
    return us > last ? us : last;
}

enum status transaction_begin(struct directory *dir, struct err *err)
{
    struct layout_numbers standing = {0};
    enum status st = journal_settle(dir, &standing, err);
    if (st != ST_OK)
        return st;
    dir->tx = calloc(1, sizeof *dir->tx);
    if (dir->tx == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    dir->tx->revision = standing.revision;
    dir->tx->event = standing.event;
    dir->tx->position = first_position(standing.position);
    return ST_OK;
}

/* All rows of one transaction are one entry, named by the position of the last. */
static enum status add_feed(struct directory *dir, struct err *err)
{
    struct transaction *tx = dir->tx;
    struct span rows = buf_span(&tx->feed), row;
    struct buf dn = {0}, value = {0};
    buf_printf(&dn, "inkanPosition=%" PRId64 ",", tx->position);
    layout_dn(dir, LAYOUT_CHANGES, &dn);
    struct write *write = write_list_new(&tx->writes, WRITE_ADD, buf_cstr(&dn), "");
    enum status st = write != NULL ? layout_classes(write, "inkanChanges", err)
                                   : err_set(err, ST_TEMP, "ldap: no memory");
    if (st == ST_OK)
        st = write_number(write, "inkanPosition", tx->position, err);
    for (size_t i = 0; st == ST_OK && rows.len > 0 && span_next(&rows, '\n', &row); i++) {
        buf_reset(&value);
        buf_printf(&value, "%zu %.*s", i, (int)row.len, row.data);
        st = write_value(write, "inkanChanged", buf_span(&value), false, err);
    }
    buf_clear(&dn);
    buf_clear(&value);
    return st;
}

/* A number that was given out; it never goes back, however late a write is done. */
static enum status add_counter(struct directory *dir, enum layout_place place,
                               const char *attribute, int64_t value, struct err *err)
{
    struct buf dn = {0}, filter = {0};
    layout_dn(dir, place, &dn);
    buf_printf(&filter, "(!(%s>=%" PRId64 "))", attribute, value);
    struct write *write =
        write_list_new(&dir->tx->writes, WRITE_CHANGE, buf_cstr(&dn), buf_cstr(&filter));
    enum status st = write_number(write, attribute, value, err);
    buf_clear(&dn);
    buf_clear(&filter);
    return st;
}

static enum status add_last_writes(struct directory *dir, struct err *err)
{
    struct transaction *tx = dir->tx;
    enum status st = add_counter(dir, LAYOUT_WRITER, "inkanEventLast", tx->event, err);
    if (st == ST_OK && tx->feed.len > 0)
        st = add_feed(dir, err);
    if (st == ST_OK && tx->feed.len > 0)
        st = add_counter(dir, LAYOUT_STATE, "inkanPosition", tx->position, err);
    return st;
}

static enum status encode_all(struct transaction *tx, struct buf *out, struct err *err)
{
    const struct writes *const lists[] = {&tx->first, &tx->early, &tx->writes};
    struct writes all = {.list = calloc(transaction_writes(tx), sizeof *all.list)};
    if (all.list == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (size_t k = 0; k < lists[i]->count; k++)
            all.list[all.count++] = lists[i]->list[k];
    }
    enum status st = write_list_encode(&all, out, err);
    free(all.list); /* what it holds stays the transaction's */
    return st;
}

static enum status carry_out(struct directory *dir, int64_t sent_ms, struct err *err)
{
    const struct transaction *tx = dir->tx;
    const struct writes *const lists[] = {&tx->first, &tx->early, &tx->writes, NULL};
    const struct journal journal = {tx->revision, sent_ms, lists};
    return journal_carry_out(dir, &journal, err);
}

static enum status commit(struct directory *dir, struct err *err)
{
    struct buf journal = BUF_INIT(TRANSACTION_MAX);
    enum status st = add_last_writes(dir, err);
    if (st == ST_OK)
        st = encode_all(dir->tx, &journal, err);
    int64_t sent_ms = clock_monotonic_ms();
    if (st == ST_OK)
        st = journal_put(dir, dir->tx->revision, buf_span(&journal), err);
    buf_clear(&journal);
    if (st == ST_OK)
        return carry_out(dir, sent_ms, err);
    if (st == ST_CONFLICT)
        return err_set(err, ST_TEMP, "ldap: another program changed the directory meanwhile");
    if (dir->lost)
        return err_set(err, ST_UNSURE, "ldap: the connection was lost within the commit");
    return st;
}

enum status transaction_commit(struct directory *dir, struct err *err)
{
    const struct transaction *tx = dir->tx;
    bool empty = transaction_writes(tx) + tx->feed.len == 0;
    enum status st = empty ? ST_OK : commit(dir, err);
    transaction_drop(dir);
    return st;
}
