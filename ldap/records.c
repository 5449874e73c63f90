/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/records.h"

#include <stdlib.h>
#include <string.h>

#include "ldap/entry.h"
#include "ldap/find.h"
#include "ldap/layout.h"
#include "ldap/locate.h"
#include "ldap/transaction.h"

/* -- reading ------------------------------------------------------------------------------ */

enum status records_get(struct driver_conn *conn, const struct kind *kind, void *record,
                        struct err *err)
{
    void *found = calloc(1, kind->size);
    if (found == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    enum status st = locate_record(directory_of(conn), kind, record,
                                   (struct locate_found){.record = found}, err);
    if (st == ST_OK) {
        kind_clear(kind, record);
        memcpy(record, found, kind->size);
    } else {
        kind_clear(kind, found);
    }
    free(found);
    return st;
}

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
                                 : LAYOUT_TENANTS;
}

struct new_names {
    struct buf dn, parent; /* of a new entry, and of what it refers to */
};

static enum status name_entry(struct directory *dir, const struct kind *kind, const void *record,
                              struct new_names *out, struct err *err)
{
    entry_rdn(kind, record, &out->dn);
    buf_append_char(&out->dn, ',');
    for (size_t i = 0; i < REFERENCES; i++) {
        if (references[i].of != kind)
            continue;
        const struct field *field = kind_field(kind, span_str(references[i].field));
        enum status st =
            locate_named(dir, references[i].to, *field_text(field, record), &out->parent, err);
        if (st == ST_NOT_FOUND)
            return err_set(err, ST_INVALID, "it refers to a record that does not exist");
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

static enum status check_unreferred(struct driver_conn *conn, const struct kind *kind,
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

/* -- rules for keys ----------------------------------------------------------------------- */

static enum status other_active(void *arg, const void *record, struct err *err)
{
    const struct key *ours = arg, *other = record;
    if (other->state != KEY_ACTIVE || other->algorithm != ours->algorithm ||
        strcmp(other->selector, ours->selector) == 0)
        return ST_OK;
    return err_set(err, ST_CONFLICT, "key %s %s is active already", other->domain, other->selector);
}

static enum status check_key(struct driver_conn *conn, const struct key *key, struct err *err)
{
    struct query query = {.kind = &kind_key, .filter_count = 1};
    if ((key->state <= KEY_ACTIVE) != (key->sealed.len > 0))
        return err_set(err, ST_INVALID, "a key has a private half exactly while it may sign");
    if (key->state != KEY_ACTIVE)
        return ST_OK;
    query.filters[0].field = kind_field(&kind_key, SPAN_LIT("domain"));
    query.filters[0].text = key->domain;
    return find_records(conn, &query, other_active, (void *)(uintptr_t)key, err);
}

/* -- writing ------------------------------------------------------------------------------ */

/* What makes a key active goes before all else, unless it builds on the transaction itself. */
static struct writes *list_for(struct directory *dir, const struct kind *kind, const void *record)
{
    const struct key *key = record;
    if (kind != &kind_key || key->state != KEY_ACTIVE)
        return &dir->tx->writes;
    const struct domain domain = {.name = key->domain};
    bool builds = transaction_pending(dir, &kind_key, key) != NULL ||
                  transaction_pending(dir, &kind_domain, &domain) != NULL;
    return builds ? &dir->tx->writes : &dir->tx->early;
}

static enum status add_value(struct write *write, const struct kind *kind,
                             const struct field *field, const void *record, struct err *err)
{
    char name[ENTRY_NAME_SIZE];
    struct buf value = {.secret = field->flags & FIELD_SECRET};
    entry_attribute(kind, field, name);
    bool there = entry_value(field, record, &value);
    enum status st = buf_check(&value, name, err);
    if (st == ST_OK && (there || write->type == WRITE_CHANGE))
        st = write_value(write, name, buf_span(&value), !there, err);
    buf_clear(&value);
    return st;
}

/* Those of a new entry are all, those of a change all but the primary key. */
static enum status add_values(struct write *write, const struct kind *kind, const void *record,
                              struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < kind->field_count && st == ST_OK; i++) {
        bool fixed = write->type == WRITE_CHANGE && kind->fields[i].flags & FIELD_KEY;
        if (!fixed)
            st = add_value(write, kind, &kind->fields[i], record, err);
    }
    return st;
}

static enum status add_entry(struct directory *dir, const struct kind *kind, const void *record,
                             struct err *err)
{
    char class[ENTRY_NAME_SIZE];
    struct new_names names = {.dn = {0}};
    struct write *write = NULL;
    entry_class(kind, class);
    enum status st = name_entry(dir, kind, record, &names, err);
    if (st == ST_OK) {
        write = write_list_new(list_for(dir, kind, record), WRITE_ADD, buf_cstr(&names.dn), "");
        st = write != NULL ? layout_classes(write, class, err)
                           : err_set(err, ST_TEMP, "ldap: no memory");
    }
    if (st == ST_OK)
        st = add_values(write, kind, record, err);
    if (st == ST_OK && kind == &kind_domain)
        st = write_value(write, "inkanTenantEntry", buf_span(&names.parent), false, err);
    if (st == ST_OK)
        st = transaction_note(dir->tx, kind, record, buf_cstr(&names.dn), err);
    buf_clear(&names.dn);
    buf_clear(&names.parent);
    return st;
}

static enum status insert(struct directory *dir, const struct kind *kind, void *record,
                          struct err *err)
{
    const struct field *serial = kind_flagged(kind, FIELD_SERIAL);
    struct buf dn = {0};
    struct err why = {0};
    enum status st = ST_NOT_FOUND;
    if (serial != NULL)
        *field_int(serial, record) = ++dir->tx->event;
    else
        st = locate_record(dir, kind, record, (struct locate_found){.dn = &dn}, &why);
    buf_clear(&dn);
    if (st == ST_OK)
        return err_set(err, ST_CONFLICT, "exists already");
    if (st != ST_NOT_FOUND) {
        *err = why;
        return st;
    }
    return add_entry(dir, kind, record, err);
}

/* The stored record must have the version of `record`, and the same owner. */
static enum status check_stored(struct directory *dir, const struct kind *kind, const void *record,
                                struct err *err)
{
    const struct field *version = kind_flagged(kind, FIELD_VERSION);
    void *stored = calloc(1, kind->size);
    if (stored == NULL || kind_copy(kind, record, stored, err) != ST_OK) {
        free(stored);
        return err_set(err, ST_TEMP, "ldap: no memory");
    }
    enum status st = records_get(&dir->base, kind, stored, err);
    if (st == ST_NOT_FOUND ||
        (st == ST_OK && *field_int(version, stored) != *field_int(version, record)))
        st = err_set(err, ST_CONFLICT, "changed by somebody else meanwhile");
    else if (st == ST_OK && kind == &kind_domain &&
             strcmp(((struct domain *)stored)->tenant, ((const struct domain *)record)->tenant) !=
                 0)
        st = err_set(err, ST_INVALID, "a domain cannot be given to another tenant");
    kind_clear(kind, stored);
    free(stored);
    return st;
}

/* Writes `after`, whose version is one more than that of the stored `before`. */
static enum status change_entry(struct directory *dir, const struct kind *kind, const void *before,
                                const void *after, struct err *err)
{
    struct buf dn = {0}, assertion = {0};
    struct write *write = NULL;
    enum status st = locate_record(dir, kind, after, (struct locate_found){.dn = &dn}, err);
    entry_version_filter(kind, before, &assertion);
    if (st == ST_OK) {
        write = write_list_new(list_for(dir, kind, after), WRITE_CHANGE, buf_cstr(&dn),
                               buf_cstr(&assertion));
        st = write != NULL ? add_values(write, kind, after, err)
                           : err_set(err, ST_TEMP, "ldap: no memory");
    }
    if (st == ST_OK)
        st = transaction_note(dir->tx, kind, after, buf_cstr(&dn), err);
    buf_clear(&dn);
    buf_clear(&assertion);
    return st;
}

/* The version counts up while the entry is made from the record, and back if that fails. */
static enum status write_record(struct directory *dir, const struct kind *kind, void *record,
                                struct err *err)
{
    int64_t *version = field_int(kind_flagged(kind, FIELD_VERSION), record);
    void *before = NULL;
    enum status st = ST_OK;
    if (*version > 0) {
        before = calloc(1, kind->size);
        st = before != NULL ? kind_copy(kind, record, before, err)
                            : err_set(err, ST_TEMP, "ldap: no memory");
        if (st == ST_OK)
            st = check_stored(dir, kind, record, err);
    }
    *version += 1;
    if (st == ST_OK)
        st = before != NULL ? change_entry(dir, kind, before, record, err)
                            : insert(dir, kind, record, err);
    if (st != ST_OK)
        *version -= 1;
    if (before != NULL)
        kind_clear(kind, before);
    free(before);
    return st;
}

/* A row of the change feed, kept until the commit. */
static enum status note_change(struct transaction *tx, struct change *change, struct err *err)
{
    buf_printf(&tx->feed, "%s %s\n", change->kind, change->name);
    change->position = ++tx->position;
    change->version = 1;
    return buf_check(&tx->feed, "change feed", err);
}

enum status records_put(struct driver_conn *conn, const struct kind *kind, void *record,
                        struct err *err)
{
    struct directory *dir = directory_of(conn);
    if (kind == &kind_change)
        return note_change(dir->tx, record, err);
    enum status st = kind == &kind_key ? check_key(conn, record, err) : ST_OK;
    return st == ST_OK ? write_record(dir, kind, record, err) : st;
}

enum status records_del(struct driver_conn *conn, const struct kind *kind, const void *record,
                        struct err *err)
{
    struct directory *dir = directory_of(conn);
    struct buf dn = {0}, assertion = {0};
    if (kind == &kind_event)
        return err_set(err, ST_DENIED, "audit events are never changed or removed");
    enum status st = check_stored(dir, kind, record, err);
    if (st == ST_OK)
        st = check_unreferred(conn, kind, record, err);
    if (st == ST_OK)
        st = locate_record(dir, kind, record, (struct locate_found){.dn = &dn}, err);
    entry_version_filter(kind, record, &assertion);
    if (st == ST_OK &&
        write_list_new(&dir->tx->writes, WRITE_REMOVE, buf_cstr(&dn), buf_cstr(&assertion)) == NULL)
        st = err_set(err, ST_TEMP, "ldap: no memory");
    if (st == ST_OK)
        st = transaction_note(dir->tx, kind, record, NULL, err);
    buf_clear(&dn);
    buf_clear(&assertion);
    return st;
}
