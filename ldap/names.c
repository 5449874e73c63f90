/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/names.h"

#include <inttypes.h>

#include "ldap/entry.h"
#include "ldap/find.h"
#include "ldap/layout.h"
#include "ldap/locate.h"
#include "ldap/transaction.h"

enum { RDN_MAX = 200 };

/* -- what refers to what ------------------------------------------------------------------ */

/* `of.field` names a `to`; a new `of` stands below it if `below`. */
static const struct {
    const struct kind *of;
    const char *field;
    const struct kind *to;
    bool below;
} references[] = {
    {&kind_domain, "tenant", &kind_tenant, true},
    {&kind_key, "domain", &kind_domain, true},
    {&kind_rule, "domain", &kind_domain, false},
    {&kind_grant, "tenant", &kind_tenant, false},
};
enum { REFERENCES = sizeof references / sizeof references[0] };

static enum layout_place place_of(const struct kind *kind)
{
    return kind == &kind_rule    ? LAYOUT_RULES
           : kind == &kind_grant ? LAYOUT_GRANTS
           : kind == &kind_event ? LAYOUT_EVENTS
           : kind == &kind_lease ? LAYOUT_LEASES
                                 : LAYOUT_TENANTS;
}

/* The DN of what is referred to by `name`, which must be there. */
static enum status referred(struct directory *dir, size_t reference, const char *name,
                            struct buf *dn_out, struct err *err)
{
    enum status st = locate_named(dir, references[reference].to, name, dn_out, err);
    return st == ST_NOT_FOUND
               ? err_set(err, ST_INVALID, "it refers to a record that does not exist")
               : st;
}

/* slapd keeps no name of an entry that is longer than about 240 octets. An entry whose key is
 * longer is called by a number that nobody else has: found it is by its attributes anyway. */
static void name_itself(struct directory *dir, const struct kind *kind, const void *record,
                        struct names *out)
{
    entry_rdn(kind, record, &out->dn);
    if (out->dn.len <= RDN_MAX)
        return;
    buf_printf(&out->cn, "%" PRId64 "-%zu", dir->tx->revision, transaction_writes(dir->tx));
    buf_reset(&out->dn);
    buf_printf(&out->dn, "cn=%s", buf_cstr(&out->cn));
}

enum status names_of_new(struct directory *dir, const struct kind *kind, const void *record,
                         struct names *out, struct err *err)
{
    name_itself(dir, kind, record, out);
    buf_append_char(&out->dn, ',');
    for (size_t i = 0; i < REFERENCES; i++) {
        if (references[i].of != kind)
            continue;
        const struct field *field = kind_field(kind, span_str(references[i].field));
        enum status st = referred(dir, i, *field_text(field, record), &out->parent, err);
        if (st != ST_OK)
            return st;
        if (references[i].below) {
            buf_append_span(&out->dn, buf_span(&out->parent));
            return buf_check(&out->dn, "DN", err);
        }
    }
    layout_dn(dir, place_of(kind), &out->dn);
    return buf_check(&out->dn, "DN", err);
}

static enum status found_one(void *arg, const void *record, struct err *err)
{
    (void)arg, (void)record;
    return err_set(err, ST_DENIED, "other records refer to it");
}

enum status names_check_unreferred(struct driver_conn *conn, const struct kind *kind,
                                   const void *record, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < REFERENCES && st == ST_OK; i++) {
        if (references[i].to != kind)
            continue;
        struct query query = {.kind = references[i].of, .filter_count = 1};
        query.filters[0].field = kind_field(query.kind, span_str(references[i].field));
        query.filters[0].text = *field_text(kind_field(kind, SPAN_LIT("name")), record);
        st = find_records(conn, &query, found_one, NULL, err);
    }
    return st;
}

enum status names_new_parent(struct directory *dir, const struct names_change *change,
                             struct buf *out, struct err *err)
{
    for (size_t i = 0; i < REFERENCES; i++) {
        if (references[i].of != change->kind)
            continue;
        const struct field *field = kind_field(change->kind, span_str(references[i].field));
        if (!field_equal(field, change->before, change->after))
            return referred(dir, i, *field_text(field, change->after), out, err);
    }
    return ST_OK;
}

void names_clear(struct names *names)
{
    buf_clear(&names->dn);
    buf_clear(&names->parent);
    buf_clear(&names->cn);
    buf_clear(&names->uuid);
}
