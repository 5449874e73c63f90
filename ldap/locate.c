/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/locate.h"

#include <stdlib.h>

#include "ldap/entry.h"
#include "ldap/moves.h"

struct one {
    const struct kind *kind;
    struct locate_found found;
    size_t entries;
};

static void take_uuid(struct directory *dir, LDAPMessage *entry, struct buf *out)
{
    struct berval **values = ldap_get_values_len(dir->ld, entry, "entryUUID");
    if (values != NULL && values[0] != NULL)
        buf_append(out, values[0]->bv_val, values[0]->bv_len);
    ldap_value_free_len(values);
}

static enum status take_one(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    struct one *one = arg;
    if (one->entries++ > 0) {
        char *dn = directory_dn(dir, entry);
        err_set(err, ST_BROKEN, "ldap: a second entry of the same %s: %s", one->kind->name,
                dn != NULL ? dn : "");
        ldap_memfree(dn);
        return ST_BROKEN;
    }
    if (one->found.dn != NULL) {
        char *dn = directory_dn(dir, entry);
        buf_append_str(one->found.dn, dn != NULL ? dn : "");
        ldap_memfree(dn);
        if (dn == NULL || buf_check(one->found.dn, "DN", err) != ST_OK)
            return err_set(err, ST_TEMP, "ldap: no memory");
    }
    if (one->found.uuid != NULL)
        take_uuid(dir, entry, one->found.uuid);
    return one->found.record != NULL ? entry_read(dir, entry, one->kind, one->found.record, err)
                                     : ST_OK;
}

/* Finds the entry of the record with the primary key of `key`, wherever below the root. */
static enum status search_one(struct directory *dir, const void *key, struct one *one,
                              struct err *err)
{
    static const char *nothing[] = {"entryUUID", NULL};
    struct buf filter = {0};
    char **attributes = one->found.record != NULL ? entry_attributes(one->kind, false) : NULL;
    if (one->found.record != NULL && attributes == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    entry_filter(one->kind, key, &filter);
    const struct directory_search search = {
        .base = dir->root,
        .scope = LDAP_SCOPE_SUBTREE,
        .filter = buf_cstr(&filter),
        .attributes = attributes != NULL ? (const char *const *)attributes : nothing};
    enum status st = directory_search(dir, &search, take_one, one, err);
    if (st == ST_NOT_FOUND || (st == ST_OK && one->entries == 0))
        st = err_set(err, ST_NOT_FOUND, "not found");
    entry_attributes_free(attributes);
    buf_clear(&filter);
    return st;
}

static enum status take_pending(const struct kind *kind, const struct pending *pending,
                                struct locate_found found, struct err *err)
{
    if (pending->dn == NULL)
        return err_set(err, ST_NOT_FOUND, "not found");
    if (found.dn != NULL)
        buf_append_str(found.dn, pending->dn);
    if (found.dn != NULL && buf_check(found.dn, "DN", err) != ST_OK)
        return ST_TEMP;
    return found.record != NULL ? kind_copy(kind, pending->record, found.record, err) : ST_OK;
}

enum status locate_record(struct directory *dir, const struct kind *kind, const void *key,
                          struct locate_found found, struct err *err)
{
    const struct pending *pending = transaction_pending(dir, kind, key);
    struct one one = {.kind = kind, .found = found};
    if (pending != NULL)
        return take_pending(kind, pending, found, err);
    enum status st = search_one(dir, key, &one, err);
    return st == ST_OK && found.dn != NULL ? moves_apply(dir, found.dn, err) : st;
}

enum status locate_stored(struct directory *dir, const struct kind *kind, const void *key,
                          struct buf *dn_out, struct err *err)
{
    struct one one = {.kind = kind, .found = {.dn = dn_out}};
    return search_one(dir, key, &one, err);
}

enum status locate_named(struct directory *dir, const struct kind *kind, const char *name,
                         struct buf *dn_out, struct err *err)
{
    void *key = calloc(1, kind->size);
    if (key == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    enum status st = field_set_text(kind_field(kind, SPAN_LIT("name")), key, span_str(name), err);
    if (st == ST_OK)
        st = locate_record(dir, kind, key, (struct locate_found){.dn = dn_out}, err);
    kind_clear(kind, key);
    free(key);
    return st;
}
