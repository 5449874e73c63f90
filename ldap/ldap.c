/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/ldap.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/settings.h"
#include "ldap/changes.h"
#include "ldap/connect.h"
#include "ldap/entry.h"
#include "ldap/find.h"
#include "ldap/journal.h"
#include "ldap/layout.h"
#include "ldap/lookup.h"
#include "ldap/map.h"
#include "ldap/records.h"
#include "ldap/referral.h"
#include "ldap/replica.h"
#include "ldap/transaction.h"
#include "ldap/upgrade.h"
#include "ldap/watch.h"

static enum status check(const char *text, struct err *err)
{
    struct url url;
    enum status st = url_read(text, &url, err);
    if (st == ST_OK)
        url_clear(&url);
    return st;
}

/* -- open and close ----------------------------------------------------------------------- */

void ldap_close_directory(struct driver_conn *conn)
{
    struct directory *dir = directory_of(conn);
    transaction_drop(dir);
    find_forget(dir);
    watch_end(dir);
    map_close(dir);
    entry_attributes_free(dir->lookup);
    referral_close(dir);
    if (dir->ld != NULL)
        ldap_unbind_ext(dir->ld, NULL, NULL);
    free(dir->root);
    free(dir);
}

static enum status take_feature(void *arg, const char *attribute, struct span value,
                                struct err *err)
{
    struct directory *dir = arg;
    (void)attribute, (void)err;
    dir->derefs |= span_equal(value, SPAN_LIT(LDAP_CONTROL_X_DEREF));
    dir->syncs |= span_equal(value, SPAN_LIT(LDAP_CONTROL_SYNC));
    return ST_OK;
}

static enum status take_root(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    (void)arg;
    return directory_values(dir, entry, take_feature, dir, err);
}

/* What the server can do stands in the root of its tree (RFC 4512 5.1). A server that does not
 * say can nothing of that. */
static enum status read_features(struct directory *dir, struct err *err)
{
    static const char *const attributes[] = {"supportedControl", NULL};
    const struct directory_search search = {.base = "",
                                            .scope = LDAP_SCOPE_BASE,
                                            .filter = "(objectClass=*)",
                                            .attributes = attributes};
    enum status st = directory_search(dir, &search, take_root, NULL, err);
    return st == ST_TEMP ? st : ST_OK;
}

static enum status open_directory(const struct driver_options *options, int64_t deadline_ms,
                                  struct driver_conn **out, struct err *err)
{
    struct url url;
    struct directory *dir = calloc(1, sizeof *dir);
    if (dir == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    dir->version = options->version;
    dir->settings = options->ldap;
    dir->base = (struct driver_conn){.driver = &ldap_driver, .deadline_ms = deadline_ms};
    enum status st = url_read(options->url, &url, err);
    if (st == ST_OK) {
        st = connect_any(&url, options->ldap, deadline_ms, &dir->ld, err);
        dir->root = url.base;
        dir->tls = url.tls;
        url.base = NULL;
        url_clear(&url);
    }
    if (st == ST_OK)
        st = read_features(dir, err);
    if (st == ST_OK)
        st = map_open(dir, options->ldap, err);
    if (st == ST_OK && options->writes && dir->map == NULL)
        st = replica_leave(dir, err);
    if (dir->map != NULL)
        dir->base.driver = &map_driver;
    if (st != ST_OK) {
        ldap_close_directory(&dir->base);
        return st;
    }
    *out = &dir->base;
    return ST_OK;
}

/* -- schema ------------------------------------------------------------------------------- */

static enum status schema(struct driver_conn *conn, int *version_out, struct err *err)
{
    struct layout_numbers numbers = {0};
    struct err why = {0};
    enum status st = layout_read(directory_of(conn), &numbers, NULL, &why);
    *version_out = (int)numbers.schema;
    if (st == ST_NOT_FOUND)
        return ST_OK;
    if (st != ST_OK)
        *err = why;
    return st;
}

static enum status check_before(const struct driver_options *options, const char *root,
                                const struct driver_migration *migration, struct err *err)
{
    if (migration->before > migration->version)
        return err_set(err, ST_BROKEN,
                       "the store has schema version %d, this program knows versions up to %d: "
                       "use a newer inkan",
                       migration->before, migration->version);
    if (options->create && migration->before > 0)
        return err_set(err, ST_CONFLICT, "the store exists already (schema version %d)",
                       migration->before);
    if (!options->create && migration->before == 0)
        return err_set(err, ST_NOT_FOUND, "there is no store at %s (inkan store init makes it)",
                       root);
    return ST_OK;
}

/* The classes and attributes are the server's to load; here only the entries are made and brought
 * in line. The version comes last, so what is cut short is done again. */
static enum status change_schema(struct directory *dir, const struct driver_migration *migration,
                                 struct err *err)
{
    enum status st = layout_make(dir, migration->version, err);
    if (st == ST_OK)
        st = upgrade_records(dir, migration, err);
    dir->base.deadline_ms = clock_monotonic_ms() + migration->timeout_ms;
    return st == ST_OK ? layout_set_version(dir, migration->version, err) : st;
}

static enum status migrate(const struct driver_options *options, struct driver_migration *migration,
                           struct err *err)
{
    struct driver_conn *conn = NULL;
    enum status st =
        open_directory(options, clock_monotonic_ms() + migration->timeout_ms, &conn, err);
    if (st != ST_OK)
        return st;
    conn->deadline_ms = clock_monotonic_ms() + migration->timeout_ms;
    if (directory_of(conn)->map != NULL)
        st = map_refuse(err);
    if (st == ST_OK)
        st = replica_leave(directory_of(conn), err);
    if (st == ST_OK)
        st = schema(conn, &migration->before, err);
    if (st == ST_OK)
        st = check_before(options, directory_of(conn)->root, migration, err);
    if (st == ST_OK)
        st = change_schema(directory_of(conn), migration, err);
    if (st == ST_OK)
        migration->after = migration->version;
    ldap_close_directory(conn);
    return st;
}

/* -- transactions ------------------------------------------------------------------------- */

static enum status begin(struct driver_conn *conn, struct err *err)
{
    return transaction_begin(directory_of(conn), err);
}

static enum status commit(struct driver_conn *conn, struct err *err)
{
    return transaction_commit(directory_of(conn), err);
}

static enum status fence(struct driver_conn *conn, struct err *err)
{
    return journal_fence(directory_of(conn), err);
}

static void rollback(struct driver_conn *conn)
{
    transaction_drop(directory_of(conn));
}

static enum status keep_event(void *arg, const void *record, struct err *err)
{
    return kind_copy(&kind_event, record, arg, err);
}

/* Of those that are open at once only one can commit, so none has to wait here. A search for the
 * newest would look at all events; its number is known. If the server refused to take that one, the
 * newest of those that are there counts. */
static enum status turn(struct driver_conn *conn, struct event *newest_out, struct err *err)
{
    const struct query query = {.kind = &kind_event, .descending = true, .limit = 1};
    struct err why = {0};
    newest_out->id = directory_of(conn)->tx->event;
    if (newest_out->id == 0)
        return ST_OK;
    enum status st = records_get(conn, &kind_event, newest_out, &why);
    if (st == ST_OK)
        return ST_OK;
    newest_out->id = 0;
    if (st == ST_NOT_FOUND)
        return find_records(conn, &query, keep_event, newest_out, err);
    *err = why;
    return st;
}

static const char *const schemes[] = {"ldap", "ldaps", "ldapi", NULL};

const struct driver ldap_driver = {
    .name = "ldap",
    .schemes = schemes,
    .check = check,
    .open = open_directory,
    .close = ldap_close_directory,
    .migrate = migrate,
    .schema = schema,
    .begin = begin,
    .commit = commit,
    .fence = fence,
    .rollback = rollback,
    .turn = turn,
    .get = records_get,
    .find = find_records,
    .put = records_put,
    .del = records_del,
    .lookup = lookup_profiles,
    .changes = changes_read,
    .history = INT64_C(600000000), /* microseconds: ten minutes */
    .watch = watch_begin,
    .watched = watch_take,
};
