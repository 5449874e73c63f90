/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "storage/ahead.h"
#include "storage/audit.h"
#include "storage/feed.h"
#include "storage/store_internal.h"

struct store_tx {
    struct store *store;
    struct driver_conn *conn;
    const char *note;
    struct ahead ahead;
    struct audit audit;
    struct feed feed;
};

static void renew_deadline(struct store_tx *tx)
{
    tx->conn->deadline_ms = clock_monotonic_ms() + tx->store->timeout_ms;
}

static void tx_end(struct store_tx *tx)
{
    pool_give(tx->store->pool, tx->conn);
    ahead_clear(&tx->ahead);
    audit_clear(&tx->audit);
    feed_clear(&tx->feed);
    free(tx);
}

enum status store_begin(struct store *store, struct store_tx **out, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + store->timeout_ms;
    struct store_tx *tx = calloc(1, sizeof *tx);
    if (tx == NULL)
        return err_set(err, ST_TEMP, "no memory");
    tx->store = store;
    tx->audit.timeout_ms = store->timeout_ms;
    tx->audit.ahead = &tx->ahead;
    enum status st = pool_take(store->pool, deadline_ms, &tx->conn, err);
    if (st != ST_OK) {
        free(tx);
        return store_counted(store, st);
    }
    st = tx->conn->driver->begin(tx->conn, err);
    if (st != ST_OK) {
        tx_end(tx);
        return store_counted(store, st);
    }
    *out = tx;
    return ST_OK;
}

enum status store_tx_get(struct store_tx *tx, const struct kind *kind, void *record,
                         struct err *err)
{
    renew_deadline(tx);
    enum status st = ahead_get(&tx->ahead, tx->conn, kind, record, err);
    return store_counted(tx->store, store_name_missing(st, kind, record, err));
}

enum status store_tx_find(struct store_tx *tx, const struct query *query, driver_row *row,
                          void *arg, struct err *err)
{
    renew_deadline(tx);
    const struct ahead_group *group = ahead_find(&tx->ahead, query);
    if (group != NULL)
        return ahead_each(group, query, row, arg, err);
    bool whole = query->kind == &kind_event; /* of which none wait */
    enum status st = whole ? ST_OK : ahead_write(&tx->ahead, tx->conn, err);
    if (st == ST_OK)
        st = tx->conn->driver->find(tx->conn, query, row, arg, err);
    return store_counted(tx->store, st);
}

enum status store_tx_ahead(struct store_tx *tx, const struct kind *kind, const char *const *names,
                           size_t count, struct err *err)
{
    const struct ahead_wanted wanted = {kind, names, count};
    if (tx->conn->driver->add == NULL)
        return ST_OK;
    renew_deadline(tx);
    return store_counted(tx->store, ahead_read(&tx->ahead, tx->conn, &wanted, err));
}

void store_tx_note(struct store_tx *tx, const char *note)
{
    tx->note = note;
}

/* A record that holds only the key of another one. */
static enum status copy_key(const struct kind *kind, const void *from, void *to, struct err *err)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if (!(field->flags & FIELD_KEY))
            continue;
        if (field->type != FIELD_TEXT)
            *field_int(field, to) = *field_int(field, from);
        else if (field_set_text(field, to, span_str(*field_text(field, from)), err) != ST_OK)
            return ST_TEMP;
    }
    return ST_OK;
}

static void touch(const struct kind *kind, void *record)
{
    const struct field *created = kind_field(kind, SPAN_LIT("created"));
    const struct field *updated = kind_flagged(kind, FIELD_TOUCHED);
    int64_t now = clock_now_s();
    if (created != NULL && *field_int(created, record) == 0)
        *field_int(created, record) = now;
    if (updated != NULL)
        *field_int(updated, record) = now;
}

static enum status label_context(const struct kind *kind, const void *record, struct err *err)
{
    struct buf label = {0};
    kind_label(kind, record, &label);
    enum status st = err_context(err, "%s %s", kind->name, buf_cstr(&label));
    buf_clear(&label);
    return st;
}

/* What is stored now, for the audit event; *before_out stays NULL for a new record. */
static enum status load_before(struct store_tx *tx, const struct kind *kind, const void *record,
                               void **before_out, struct err *err)
{
    if (*field_int(kind_flagged(kind, FIELD_VERSION), record) == 0)
        return ST_OK;
    *before_out = calloc(1, kind->size);
    if (*before_out == NULL)
        return err_set(err, ST_TEMP, "no memory");
    enum status st = copy_key(kind, record, *before_out, err);
    if (st == ST_OK)
        st = ahead_get(&tx->ahead, tx->conn, kind, *before_out, err);
    if (st == ST_NOT_FOUND)
        st = err_set(err, ST_CONFLICT, "removed by somebody else meanwhile");
    return st;
}

static enum status audit(struct store_tx *tx, struct audit_change *change, const char *action,
                         struct err *err)
{
    change->actor = tx->store->actor;
    change->action = action;
    change->note = tx->note;
    tx->note = NULL;
    return audit_note(&tx->audit, tx->conn, change, err);
}

/* Whether a change is only of what nobody's signature and no audit depends on. */
static bool is_quiet(const struct kind *kind, const void *before, const void *after)
{
    if (before == NULL)
        return false;
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if (!(field->flags & (FIELD_QUIET | FIELD_VERSION | FIELD_TOUCHED)) &&
            !field_equal(field, before, after))
            return false;
    }
    return true;
}

enum status store_tx_put(struct store_tx *tx, const struct kind *kind, void *record,
                         const char *action, struct err *err)
{
    void *before = NULL;
    renew_deadline(tx);
    touch(kind, record);
    enum status st = kind_check(kind, record, err);
    if (st != ST_OK)
        return st;
    st = load_before(tx, kind, record, &before, err);
    if (st == ST_OK)
        st = ahead_put(&tx->ahead, tx->conn, kind, record, err);
    if (st == ST_CONFLICT && before == NULL)
        st = err_set(err, ST_CONFLICT, "exists already");
    struct audit_change change = {.kind = kind, .before = before, .after = record};
    bool quiet = is_quiet(kind, before, record);
    if (st == ST_OK && !quiet)
        st = audit(tx, &change, action, err);
    if (st == ST_OK && !quiet)
        st = feed_note(&tx->feed, kind, record, err);
    kind_free(kind, before);
    return st == ST_OK ? ST_OK : store_counted(tx->store, label_context(kind, record, err));
}

enum status store_tx_del(struct store_tx *tx, const struct kind *kind, const void *record,
                         const char *action, struct err *err)
{
    struct audit_change change = {.kind = kind, .before = record};
    renew_deadline(tx);
    /* First the event: afterwards nobody can tell whose the record was. */
    enum status st = audit(tx, &change, action, err);
    if (st == ST_OK)
        st = ahead_del(&tx->ahead, tx->conn, kind, record, err);
    if (st == ST_OK)
        st = feed_note(&tx->feed, kind, record, err);
    return st == ST_OK ? ST_OK : store_counted(tx->store, label_context(kind, record, err));
}

enum status store_tx_copy(struct store_tx *tx, const struct kind *kind, void *record,
                          struct err *err)
{
    renew_deadline(tx);
    *field_int(kind_flagged(kind, FIELD_VERSION), record) = 0;
    enum status st = kind_check(kind, record, err);
    if (st != ST_OK)
        return st;
    st = tx->conn->driver->put(tx->conn, kind, record, err);
    if (st == ST_OK)
        st = feed_note(&tx->feed, kind, record, err);
    return st == ST_OK ? ST_OK : store_counted(tx->store, label_context(kind, record, err));
}

enum status store_tx_event(struct store_tx *tx, const struct event *event, struct err *err)
{
    renew_deadline(tx);
    return store_counted(tx->store, audit_add(&tx->audit, tx->conn, event, err));
}

static bool same_event(const struct event *a, const struct event *b)
{
    for (size_t i = 0; i < kind_event.field_count; i++) {
        if (!field_equal(&kind_event.fields[i], a, b))
            return false;
    }
    return true;
}

/* The answer to a commit was lost with its connection. Whether it happened shows in the last
 * audit event of the transaction: events are only ever added, so if it is there, all is. */
static enum status look_after(struct store *store, const struct event *event, struct err *err)
{
    struct event found = {.id = event->id};
    struct err why = {0};
    struct store_tx *tx = NULL;
    enum status st = event->id != 0 ? store_begin(store, &tx, &why) : ST_UNSURE;
    if (st == ST_OK)
        st = tx->conn->driver->fence(tx->conn, &why);
    if (st == ST_OK)
        st = store_tx_get(tx, &kind_event, &found, &why);
    store_rollback(tx);
    bool there = st == ST_OK && same_event(&found, event);
    kind_clear(&kind_event, &found);
    if (there)
        return ST_OK;
    if (st == ST_OK || st == ST_NOT_FOUND)
        return err_set(err, ST_TEMP, "the store went away before the change was made");
    return err_context(err, "nobody can say yet whether the change was made");
}

/* What is written last of all, in turn with other writers. */
static enum status write_rest(struct store_tx *tx, struct err *err)
{
    renew_deadline(tx);
    enum status st = ahead_write(&tx->ahead, tx->conn, err);
    if (st == ST_OK)
        st = audit_write(&tx->audit, tx->conn, err);
    renew_deadline(tx);
    return st == ST_OK ? feed_write(&tx->feed, tx->conn, err) : st;
}

enum status store_commit(struct store_tx *tx, struct err *err)
{
    struct store *store = tx->store;
    struct event last = {0};
    enum status st = write_rest(tx, err);
    if (st != ST_OK) {
        store_rollback(tx);
        return store_counted(store, st);
    }
    renew_deadline(tx);
    st = tx->conn->driver->commit(tx->conn, err);
    if (st == ST_UNSURE) {
        last = tx->audit.newest;
        tx->audit.newest = (struct event){0};
    }
    tx_end(tx);
    if (st == ST_UNSURE)
        st = look_after(store, &last, err);
    kind_clear(&kind_event, &last);
    return store_counted(store, st);
}

void store_rollback(struct store_tx *tx)
{
    if (tx == NULL)
        return;
    renew_deadline(tx);
    tx->conn->driver->rollback(tx->conn);
    tx_end(tx);
}
