/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/audit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "storage/chain.h"

static const void *present(const struct audit_change *change)
{
    return change->after != NULL ? change->after : change->before;
}

static enum status set(const struct kind *kind, const char *name, void *record, struct span text,
                       struct err *err)
{
    return field_set_text(kind_field(kind, span_str(name)), record, text, err);
}

/* -- what changed ------------------------------------------------------------------------- */

static bool telling(const struct field *field)
{
    return !(field->flags &
             (FIELD_KEY | FIELD_VERSION | FIELD_SERIAL | FIELD_TOUCHED | FIELD_QUIET)) &&
           !span_equal(span_str(field->name), SPAN_LIT("created"));
}

static void append_changed(const struct field *field, const struct audit_change *change,
                           struct buf *out)
{
    if (field_equal(field, change->before, change->after))
        return;
    buf_printf(out, "%s%s: ", out->len > 0 ? "; " : "", field->name);
    field_to_text(field, change->before, out);
    buf_append_str(out, " -> ");
    field_to_text(field, change->after, out);
}

static void append_present(const struct field *field, const struct audit_change *change,
                           struct buf *out)
{
    struct buf value = {0};
    bool is_set = field->type != FIELD_INT || *field_int(field, present(change)) != 0;
    field_to_text(field, present(change), &value);
    if (value.len > 0 && is_set)
        buf_printf(out, "%s%s=%s", out->len > 0 ? "; " : "", field->name, buf_cstr(&value));
    buf_clear(&value);
}

static void describe(const struct audit_change *change, struct buf *out)
{
    for (size_t i = 0; i < change->kind->field_count; i++) {
        const struct field *field = &change->kind->fields[i];
        if (!telling(field))
            continue;
        if (change->before != NULL && change->after != NULL)
            append_changed(field, change, out);
        else
            append_present(field, change, out);
    }
    if (change->note != NULL)
        buf_printf(out, "%s%s", out->len > 0 ? "; " : "", change->note);
}

/* What another program wrote into the store may hold what we would refuse; the event of its
 * removal must not be refused for it. */
static void make_plain(struct buf *text)
{
    struct buf plain = {0};
    for (struct span rest = buf_span(text); rest.len > 0;) {
        size_t len = span_utf8(rest);
        unsigned char c = (unsigned char)rest.data[0];
        if (len == 0 || c < 0x20 || c == 0x7f)
            buf_printf(&plain, "\\x%02x", c);
        else
            buf_append_span(&plain, span_head(rest, len));
        rest = span_from(rest, len == 0 ? 1 : len);
    }
    buf_clear(text);
    *text = plain;
}

/* -- whose it is -------------------------------------------------------------------------- */

/* A transaction mostly changes several records of one domain in a row. */
static enum status find_domain(struct audit *audit, struct driver_conn *conn, struct span name,
                               struct err *err)
{
    struct domain *domain = &audit->domain;
    if (span_equal(span_str(domain->name), name))
        return ST_OK;
    kind_clear(&kind_domain, domain);
    enum status st = set(&kind_domain, "name", domain, name, err);
    if (st == ST_OK)
        st = ahead_get(audit->ahead, conn, &kind_domain, domain, err);
    if (st != ST_OK)
        kind_clear(&kind_domain, domain);
    return st;
}

static enum status tenant_of(struct audit *audit, struct driver_conn *conn,
                             const struct audit_change *change, struct span *out, struct err *err)
{
    struct span domain = kind_domain_of(change->kind, present(change));
    enum status st = ST_OK;
    *out = kind_tenant_of(change->kind, present(change));
    if (change->kind == &kind_domain) {
        kind_clear(&kind_domain, &audit->domain);
        st = kind_copy(&kind_domain, present(change), &audit->domain, err);
    } else if (out->len == 0 && domain.len > 0) {
        st = find_domain(audit, conn, domain, err);
        *out = span_str(audit->domain.tenant);
    }
    return st;
}

/* -- the event ----------------------------------------------------------------------------- */

static enum status fill_event(const struct audit_change *change, struct event *event,
                              struct err *err)
{
    struct buf label = {0}, detail = BUF_INIT(0);
    kind_label(change->kind, present(change), &label);
    describe(change, &detail);
    make_plain(&detail);
    enum status st = buf_check(&detail, "audit detail", err);
    if (st == ST_OK)
        st = set(&kind_event, "actor", event, span_str(change->actor), err);
    if (st == ST_OK)
        st = set(&kind_event, "action", event, span_str(change->action), err);
    if (st == ST_OK)
        st = set(&kind_event, "kind", event, span_str(change->kind->name), err);
    if (st == ST_OK)
        st = set(&kind_event, "name", event, buf_span(&label), err);
    if (st == ST_OK)
        st = set(&kind_event, "detail", event, buf_span(&detail), err);
    buf_clear(&label);
    buf_clear(&detail);
    return st;
}

static enum status make_event(struct audit *audit, struct driver_conn *conn,
                              const struct audit_change *change, struct event *event,
                              struct err *err)
{
    struct span tenant = {0};
    event->time = clock_now_s();
    enum status st = fill_event(change, event, err);
    if (st == ST_OK)
        st = tenant_of(audit, conn, change, &tenant, err);
    if (st == ST_OK)
        st = set(&kind_event, "tenant", event, tenant, err);
    return st == ST_OK ? kind_check(&kind_event, event, err) : st;
}

/* -- keeping and writing ------------------------------------------------------------------- */

/* Takes over what the event holds, unless it fails. */
static enum status keep(struct audit *audit, struct driver_conn *conn, struct event *event,
                        struct err *err)
{
    enum status st = audit->count == AUDIT_HELD_MAX ? audit_write(audit, conn, err) : ST_OK;
    if (st == ST_OK && audit->count == audit->room) {
        size_t room = audit->room == 0 ? 8 : 2 * audit->room;
        struct event *events = reallocarray(audit->events, room, sizeof *events);
        if (events == NULL)
            return err_set(err, ST_TEMP, "no memory");
        audit->events = events;
        audit->room = room;
    }
    if (st != ST_OK)
        return st;
    audit->events[audit->count++] = *event;
    *event = (struct event){0};
    return ST_OK;
}

enum status audit_note(struct audit *audit, struct driver_conn *conn,
                       const struct audit_change *change, struct err *err)
{
    struct event event = {0};
    enum status st = make_event(audit, conn, change, &event, err);
    if (st == ST_OK)
        st = keep(audit, conn, &event, err);
    kind_clear(&kind_event, &event);
    return st == ST_OK ? ST_OK : err_context(err, "audit event");
}

enum status audit_add(struct audit *audit, struct driver_conn *conn, const struct event *event,
                      struct err *err)
{
    struct event copy = {0};
    enum status st = kind_check(&kind_event, event, err);
    if (st == ST_OK)
        st = kind_copy(&kind_event, event, &copy, err);
    if (st == ST_OK)
        st = keep(audit, conn, &copy, err);
    kind_clear(&kind_event, &copy);
    return st == ST_OK ? ST_OK : err_context(err, "audit event");
}

static void renew_deadline(const struct audit *audit, struct driver_conn *conn)
{
    conn->deadline_ms = clock_monotonic_ms() + audit->timeout_ms;
}

static enum status take_turn(struct audit *audit, struct driver_conn *conn, struct err *err)
{
    if (audit->turn)
        return ST_OK;
    renew_deadline(audit, conn);
    enum status st = conn->driver->turn(conn, &audit->newest, err);
    audit->turn = st == ST_OK;
    return st;
}

/* Each behind the one before it. */
static enum status chain_all(struct audit *audit, struct err *err)
{
    const char *previous = audit->newest.hash;
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < audit->count; i++) {
        char hash[CHAIN_HASH_SIZE];
        st = chain_hash(previous, &audit->events[i], hash, err);
        if (st == ST_OK)
            st = set(&kind_event, "hash", &audit->events[i], span_str(hash), err);
        previous = audit->events[i].hash;
    }
    return st;
}

static enum status put_each(struct audit *audit, struct driver_conn *conn, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < audit->count; i++) {
        renew_deadline(audit, conn);
        st = conn->driver->put(conn, &kind_event, &audit->events[i], err);
    }
    return st;
}

static enum status add_all(struct audit *audit, struct driver_conn *conn, struct err *err)
{
    void **records = calloc(audit->count, sizeof *records);
    if (records == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < audit->count; i++) {
        audit->events[i].version = 1;
        records[i] = &audit->events[i];
    }
    renew_deadline(audit, conn);
    enum status st = conn->driver->add(conn, &kind_event, records, audit->count, err);
    free(records);
    return st;
}

enum status audit_write(struct audit *audit, struct driver_conn *conn, struct err *err)
{
    if (audit->count == 0)
        return ST_OK;
    bool many = audit->count > 1 && conn->driver->add != NULL;
    enum status st = take_turn(audit, conn, err);
    if (st == ST_OK)
        st = chain_all(audit, err);
    if (st == ST_OK)
        st = many ? add_all(audit, conn, err) : put_each(audit, conn, err);
    if (st != ST_OK)
        return err_context(err, "audit event");
    kind_clear(&kind_event, &audit->newest);
    audit->newest = audit->events[audit->count - 1];
    for (size_t i = 0; i + 1 < audit->count; i++)
        kind_clear(&kind_event, &audit->events[i]);
    audit->count = 0;
    return ST_OK;
}

void audit_clear(struct audit *audit)
{
    for (size_t i = 0; i < audit->count; i++)
        kind_clear(&kind_event, &audit->events[i]);
    free(audit->events);
    kind_clear(&kind_domain, &audit->domain);
    kind_clear(&kind_event, &audit->newest);
    *audit = (struct audit){.timeout_ms = audit->timeout_ms, .ahead = audit->ahead};
}
