/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "ldap/entry.h"
#include "ldap/find.h"
#include "ldap/ldap.h"
#include "ldap/map.h"

enum status map_refuse(struct err *err)
{
    return err_set(err, ST_DENIED,
                   "this directory has another schema than inkan's (ldap.map_filter) and is only "
                   "read; inkan store copy moves it to a store of ours");
}

/* -- writing: none ------------------------------------------------------------------------ */

static enum status begin(struct driver_conn *conn, struct err *err)
{
    (void)conn;
    return map_refuse(err);
}

static void rollback(struct driver_conn *conn)
{
    (void)conn;
}

static enum status turn(struct driver_conn *conn, struct event *newest_out, struct err *err)
{
    (void)conn, (void)newest_out;
    return map_refuse(err);
}

static enum status put(struct driver_conn *conn, const struct kind *kind, void *record,
                       struct err *err)
{
    (void)conn, (void)kind, (void)record;
    return map_refuse(err);
}

static enum status del(struct driver_conn *conn, const struct kind *kind, const void *record,
                       struct err *err)
{
    (void)conn, (void)kind, (void)record;
    return map_refuse(err);
}

/* -- reading ------------------------------------------------------------------------------ */

static enum status schema(struct driver_conn *conn, int *version_out, struct err *err)
{
    (void)err;
    *version_out = directory_of(conn)->version;
    return ST_OK;
}

/* The first of its algorithm signs; find says the same (map_choose_active). */
static enum status pick_key(const struct profile *profile, size_t index, struct key *out,
                            struct err *err)
{
    const struct key *key = &profile->keys[index];
    enum status st = kind_copy(&kind_key, key, out, err);
    for (size_t i = 0; i < index && st == ST_OK; i++) {
        if (profile->keys[i].algorithm == key->algorithm)
            out->state = KEY_PUBLISHED;
    }
    return st;
}

/* Takes what is asked for out of the profile of its domain. */
static enum status pick(const struct profile *profile, const struct kind *kind, const void *record,
                        void *out, struct err *err)
{
    if (kind == &kind_domain && profile->found)
        return kind_copy(kind, &profile->domain, out, err);
    for (size_t i = 0; kind == &kind_key && i < profile->key_count; i++) {
        if (kind_compare(kind, &profile->keys[i], record) == 0)
            return pick_key(profile, i, out, err);
    }
    return err_set(err, ST_NOT_FOUND, "not found");
}

static enum status get_of_domain(struct driver_conn *conn, const struct kind *kind,
                                 const void *record, void *out, struct err *err)
{
    const char *name = *field_text(&kind->fields[0], record);
    struct profile profile = {0};
    enum status st = map_lookup(conn, &name, 1, &profile, err);
    if (st == ST_OK)
        st = pick(&profile, kind, record, out, err);
    profile_clear(&profile);
    return st;
}

/* A tenant has no entry of its own: some domain must name it. */
static enum status get_tenant(struct driver_conn *conn, const void *record, void *out,
                              struct err *err)
{
    struct list list = {.kind = &kind_tenant};
    enum status st = map_collect(directory_of(conn), &list, err);
    bool found = false;
    for (size_t i = 0; st == ST_OK && !found && i < list.count; i++)
        found = kind_compare(&kind_tenant, list.records[i], record) == 0;
    list_clear(&list);
    if (st == ST_OK && !found)
        st = err_set(err, ST_NOT_FOUND, "not found");
    return st == ST_OK ? kind_copy(&kind_tenant, record, out, err) : st;
}

static enum status get(struct driver_conn *conn, const struct kind *kind, void *record,
                       struct err *err)
{
    enum status st = ST_OK;
    void *found = calloc(1, kind->size);
    if (found == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    if (kind == &kind_tenant)
        st = get_tenant(conn, record, found, err);
    else if (kind == &kind_domain || kind == &kind_key)
        st = get_of_domain(conn, kind, record, found, err);
    else
        st = err_set(err, ST_NOT_FOUND, "not found");
    if (st == ST_OK) {
        kind_clear(kind, record);
        memcpy(record, found, kind->size);
    }
    free(found); /* what it held is the record's now, or it held nothing */
    return st;
}

/* There is no feed: what changes is heard of as it happens (ldap/watch.h). */
static enum status changes(struct driver_conn *conn, const struct change_query *query,
                           driver_row *row, void *arg, struct err *err)
{
    (void)conn, (void)query, (void)row, (void)arg, (void)err;
    return ST_OK;
}

const struct driver map_driver = {
    .name = "ldap",
    .close = ldap_close_directory,
    .schema = schema,
    .begin = begin,
    .commit = begin,
    .fence = begin,
    .rollback = rollback,
    .turn = turn,
    .get = get,
    .find = find_records,
    .put = put,
    .del = del,
    .lookup = map_lookup,
    .changes = changes,
};
