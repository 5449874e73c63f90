/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/records.h"

#include <stdlib.h>
#include <string.h>

#include "ldap/entry.h"
#include "ldap/escape.h"
#include "ldap/find.h"
#include "ldap/layout.h"
#include "ldap/locate.h"
#include "ldap/moves.h"
#include "ldap/names.h"

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

/* -- rules for keys ----------------------------------------------------------------------- */

static enum status other_active(void *arg, const void *record, struct err *err)
{
    const struct key *ours = arg, *other = record;
    if (other->state != KEY_ACTIVE || other->reserved != 0 || other->algorithm != ours->algorithm ||
        strcmp(other->selector, ours->selector) == 0)
        return ST_OK;
    return err_set(err, ST_CONFLICT, "key %s %s is active already", other->domain, other->selector);
}

static enum status check_key(struct driver_conn *conn, const struct key *key, struct err *err)
{
    struct query query = {.kind = &kind_key, .filter_count = 1};
    if ((key->state <= KEY_ACTIVE) != (key->sealed.len > 0))
        return err_set(err, ST_INVALID, "a key has a private half exactly while it may sign");
    if (key->state != KEY_ACTIVE || key->reserved != 0)
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

/* All of a new record (`before` NULL), else those that differ: what other programs have changed in
 * the entry meanwhile stays. */
static enum status add_values(struct write *write, const struct kind *kind, const void *before,
                              const void *after, struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < kind->field_count && st == ST_OK; i++) {
        if (before == NULL || !field_equal(&kind->fields[i], before, after))
            st = add_value(write, kind, &kind->fields[i], after, err);
    }
    return st;
}

static enum status add_entry(struct directory *dir, const struct kind *kind, const void *record,
                             struct err *err)
{
    char class[ENTRY_NAME_SIZE];
    struct names names = {.dn = {0}};
    struct write *write = NULL;
    entry_class(kind, class);
    enum status st = names_of_new(dir, kind, record, &names, err);
    if (st == ST_OK) {
        struct writes *list = kind == &kind_tenant ? &dir->tx->first : list_for(dir, kind, record);
        write = write_list_new(list, WRITE_ADD, buf_cstr(&names.dn), "");
        st = write != NULL ? layout_classes(write, class, err)
                           : err_set(err, ST_TEMP, "ldap: no memory");
    }
    if (st == ST_OK)
        st = add_values(write, kind, NULL, record, err);
    if (st == ST_OK && names.cn.len > 0)
        st = write_value(write, "cn", buf_span(&names.cn), false, err);
    if (st == ST_OK && kind == &kind_domain)
        st = write_value(write, "inkanTenantEntry", buf_span(&names.parent), false, err);
    if (st == ST_OK)
        st = transaction_note(dir->tx, kind, record, buf_cstr(&names.dn), err);
    names_clear(&names);
    return st;
}

static enum status insert(struct directory *dir, const struct kind *kind, void *record,
                          struct err *err)
{
    const struct field *serial = kind_flagged(kind, FIELD_SERIAL);
    struct buf dn = {0};
    struct err why = {0};
    enum status st = ST_NOT_FOUND;
    const struct pending *pending = transaction_pending(dir, kind, record);
    if (pending != NULL && pending->dn == NULL)
        return err_set(err, ST_INVALID, "it was removed in the same change");
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

/* The stored record, which must have the version of `record`; freed with kind_free. */
static enum status read_stored(struct directory *dir, const struct kind *kind, const void *record,
                               void **out, struct err *err)
{
    const struct field *version = kind_flagged(kind, FIELD_VERSION);
    *out = calloc(1, kind->size);
    if (*out == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    enum status st = locate_record(dir, kind, record, (struct locate_found){.record = *out}, err);
    if (st == ST_NOT_FOUND ||
        (st == ST_OK && *field_int(version, *out) != *field_int(version, record)))
        return err_set(err, ST_CONFLICT, "changed by somebody else meanwhile");
    return st;
}

/* A domain that was given to another tenant goes to stand below it, if it is called as a domain of
 * ours is; *dn becomes its new DN. */
static enum status move_entry(struct directory *dir, const void *record, struct buf *dn,
                              const struct buf *parent, struct err *err)
{
    struct buf rdn = {0};
    entry_rdn(&kind_domain, record, &rdn);
    buf_append_char(&rdn, ',');
    enum status st = buf_check(&rdn, "DN", err);
    const struct moves_place place = {span_head(buf_span(&rdn), rdn.len - 1), buf_span(parent)};
    if (st == ST_OK && span_has_prefix(buf_span(dn), buf_span(&rdn)))
        st = moves_add(dir->tx, dn, &place, err);
    buf_clear(&rdn);
    return st;
}

/* The entry has the version of the record, and is not another one of that name (RFC 4530). */
static void assert_same(const struct kind *kind, const void *record, const struct buf *uuid,
                        struct buf *out)
{
    buf_append_str(out, "(&");
    entry_version_filter(kind, record, out);
    if (uuid->len > 0)
        escape_equals("entryUUID", buf_span(uuid), out);
    buf_append_char(out, ')');
}

static enum status add_change(struct directory *dir, const struct names_change *change,
                              struct names *names, struct err *err)
{
    struct buf assertion = {0};
    assert_same(change->kind, change->before, &names->uuid, &assertion);
    struct write *write = write_list_new(list_for(dir, change->kind, change->after), WRITE_CHANGE,
                                         buf_cstr(&names->dn), buf_cstr(&assertion));
    buf_clear(&assertion);
    enum status st = write != NULL
                         ? add_values(write, change->kind, change->before, change->after, err)
                         : err_set(err, ST_TEMP, "ldap: no memory");
    bool moves = change->kind == &kind_domain && names->parent.len > 0;
    if (st == ST_OK && moves)
        st = write_value(write, "inkanTenantEntry", buf_span(&names->parent), false, err);
    if (st == ST_OK && moves)
        st = move_entry(dir, change->after, &names->dn, &names->parent, err);
    return st;
}

static enum status change_entry(struct directory *dir, const struct names_change *change,
                                struct err *err)
{
    struct names names = {.dn = {0}};
    enum status st =
        locate_record(dir, change->kind, change->after,
                      (struct locate_found){.dn = &names.dn, .uuid = &names.uuid}, err);
    if (st == ST_OK)
        st = names_new_parent(dir, change, &names.parent, err);
    if (st == ST_OK)
        st = add_change(dir, change, &names, err);
    if (st == ST_OK)
        st = transaction_note(dir->tx, change->kind, change->after, buf_cstr(&names.dn), err);
    names_clear(&names);
    return st;
}

/* The version counts up while the entry is made from the record, and back if that fails. */
static enum status write_record(struct directory *dir, const struct kind *kind, void *record,
                                struct err *err)
{
    int64_t *version = field_int(kind_flagged(kind, FIELD_VERSION), record);
    void *before = NULL;
    enum status st = *version > 0 ? read_stored(dir, kind, record, &before, err) : ST_OK;
    *version += 1;
    if (st == ST_OK)
        st = before != NULL ? change_entry(dir, &(struct names_change){kind, before, record}, err)
                            : insert(dir, kind, record, err);
    if (st != ST_OK)
        *version -= 1;
    kind_free(kind, before);
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

/* -- removing ----------------------------------------------------------------------------- */

struct removal {
    const struct transaction *tx;
    struct buf dn; /* that the entry is going to have */
    bool ours;     /* the entry has the class of those that inkan makes */
    bool found;    /* one below it that stays */
};

static enum status note_ours(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    (void)dir, (void)entry, (void)err;
    ((struct removal *)arg)->ours = true;
    return ST_OK;
}

static bool is_removed(const struct transaction *tx, const char *dn)
{
    for (size_t i = 0; i < tx->writes.count; i++) {
        const struct write *write = &tx->writes.list[i];
        if (write->type == WRITE_REMOVE && strcmp(write->dn, dn) == 0)
            return true;
    }
    return false;
}

/* What the transaction removes as well, or moves to another place, does not stay. */
static enum status note_child(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    struct removal *removal = arg;
    struct buf dn = {0};
    char *stored = directory_dn(dir, entry);
    if (stored == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    buf_append_str(&dn, stored);
    enum status st = moves_apply(dir, &dn, err);
    struct span parent = span_from(buf_span(&dn), span_find(buf_span(&dn), ',') + 1);
    bool moves =
        !span_equal(buf_span(&dn), span_str(stored)) && !span_equal(parent, buf_span(&removal->dn));
    if (!moves && !is_removed(removal->tx, buf_cstr(&dn)))
        removal->found = true;
    ldap_memfree(stored);
    buf_clear(&dn);
    return st;
}

/* Whether the entry may be removed: not one that another program made and only bears our class, and
 * not one with others below it. */
static enum status check_entry(struct directory *dir, const char *dn, struct removal *removal,
                               struct err *err)
{
    static const char *const nothing[] = {LDAP_NO_ATTRS, NULL};
    struct directory_search search = {.base = dn,
                                      .scope = LDAP_SCOPE_BASE,
                                      .filter = "(objectClass=inkanEntry)",
                                      .attributes = nothing};
    enum status st = directory_search(dir, &search, note_ours, removal, err);
    if (st == ST_OK && !removal->ours)
        return err_set(err, ST_DENIED,
                       "its entry was made by another program: take inkan's class and attributes "
                       "out of %s there",
                       dn);
    search.scope = LDAP_SCOPE_ONELEVEL;
    search.filter = "(objectClass=*)";
    if (st == ST_OK)
        st = directory_search(dir, &search, note_child, removal, err);
    if (st == ST_OK && removal->found)
        return err_set(err, ST_DENIED, "there are entries of other programs below %s", dn);
    return st;
}

/* What the transaction itself adds may be removed. */
static enum status check_removable(struct directory *dir, const struct kind *kind,
                                   const void *record, struct err *err)
{
    struct removal removal = {.tx = dir->tx};
    struct err why = {0};
    struct buf dn = {0};
    enum status st = locate_stored(dir, kind, record, &dn, &why);
    if (st == ST_OK) {
        buf_append_span(&removal.dn, buf_span(&dn));
        st = moves_apply(dir, &removal.dn, &why);
    }
    if (st == ST_OK)
        st = check_entry(dir, buf_cstr(&dn), &removal, &why);
    buf_clear(&removal.dn);
    buf_clear(&dn);
    if (st == ST_OK || st == ST_NOT_FOUND)
        return ST_OK;
    *err = why;
    return st;
}

static enum status add_removal(struct directory *dir, const struct kind *kind, const void *record,
                               struct err *err)
{
    struct buf dn = {0}, uuid = {0}, assertion = {0};
    enum status st =
        locate_record(dir, kind, record, (struct locate_found){.dn = &dn, .uuid = &uuid}, err);
    if (st == ST_OK)
        st = check_removable(dir, kind, record, err);
    assert_same(kind, record, &uuid, &assertion);
    if (st == ST_OK &&
        write_list_new(&dir->tx->writes, WRITE_REMOVE, buf_cstr(&dn), buf_cstr(&assertion)) == NULL)
        st = err_set(err, ST_TEMP, "ldap: no memory");
    if (st == ST_OK)
        st = transaction_note(dir->tx, kind, record, NULL, err);
    buf_clear(&dn);
    buf_clear(&uuid);
    buf_clear(&assertion);
    return st;
}

enum status records_del(struct driver_conn *conn, const struct kind *kind, const void *record,
                        struct err *err)
{
    struct directory *dir = directory_of(conn);
    void *stored = NULL;
    if (kind == &kind_event)
        return err_set(err, ST_DENIED, "audit events are never changed or removed");
    enum status st = read_stored(dir, kind, record, &stored, err);
    kind_free(kind, stored);
    if (st == ST_OK)
        st = names_check_unreferred(conn, kind, record, err);
    return st == ST_OK ? add_removal(dir, kind, record, err) : st;
}
