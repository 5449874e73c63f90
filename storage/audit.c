/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/audit.h"

#include "base/clock.h"

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

static enum status tenant_of(struct driver_conn *conn, const struct audit_change *change,
                             char **out, struct err *err)
{
    struct span name = kind_tenant_of(change->kind, present(change));
    struct span domain_name = kind_domain_of(change->kind, present(change));
    struct domain domain = {0};
    enum status st = ST_OK;
    if (name.len == 0 && domain_name.len > 0) {
        st = set(&kind_domain, "name", &domain, domain_name, err);
        if (st == ST_OK)
            st = conn->driver->get(conn, &kind_domain, &domain, err);
        name = span_str(domain.tenant);
    }
    if (st == ST_OK && (*out = span_dup(name)) == NULL)
        st = err_set(err, ST_TEMP, "no memory");
    kind_clear(&kind_domain, &domain);
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

enum status audit_write(struct driver_conn *conn, const struct audit_change *change,
                        struct event *event, struct err *err)
{
    event->time = clock_now_s();
    enum status st = fill_event(change, event, err);
    if (st == ST_OK)
        st = tenant_of(conn, change, &event->tenant, err);
    if (st == ST_OK)
        st = kind_check(&kind_event, event, err);
    if (st == ST_OK)
        st = conn->driver->put(conn, &kind_event, event, err);
    return st == ST_OK ? ST_OK : err_context(err, "audit event");
}
