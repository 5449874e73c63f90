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

static enum status pick(const struct list *list, const void *key, void *out, struct err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        if (entry_compare(list->kind, list->records[i], key) == 0)
            return kind_copy(list->kind, list->records[i], out, err);
    }
    return err_set(err, ST_NOT_FOUND, "not found");
}

static enum status get(struct driver_conn *conn, const struct kind *kind, void *record,
                       struct err *err)
{
    struct list list = {.kind = kind};
    void *found = calloc(1, kind->size);
    if (found == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    enum status st = map_collect(directory_of(conn), &list, err);
    if (st == ST_OK)
        st = pick(&list, record, found, err);
    if (st == ST_OK) {
        kind_clear(kind, record);
        memcpy(record, found, kind->size);
    }
    free(found); /* what it held is the record's now, or it held nothing */
    list_clear(&list);
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
    .get = get,
    .find = find_records,
    .put = put,
    .del = del,
    .lookup = map_lookup,
    .changes = changes,
};
