/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/upgrade.h"

#include <string.h>

#include "base/clock.h"
#include "ldap/journal.h"

enum {
    LIFE = 4,           /* the version since which keys carry when their lives go on */
    NAMES_MAX = 1 << 28 /* octets of the DNs of all old keys */
};

static const char no_due[] = "(!(inkanKeyDue=*))";

struct old_keys {
    int64_t timeout_ms;
    struct buf names; /* DNs, each with the NUL that ends it */
};

/* However many there are: as long as entries come the server is alive. */
static enum status take_key(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    struct old_keys *keys = arg;
    char *dn = directory_dn(dir, entry);
    if (dn == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    buf_append(&keys->names, dn, strlen(dn) + 1);
    ldap_memfree(dn);
    dir->base.deadline_ms = clock_monotonic_ms() + keys->timeout_ms;
    return buf_check(&keys->names, "names of keys", err);
}

/* A connection cannot change entries while it is being given them, so their names come first. */
static enum status find_keys(struct directory *dir, struct old_keys *keys, struct err *err)
{
    static const char *const nothing[] = {LDAP_NO_ATTRS, NULL};
    struct buf filter = {0};
    buf_printf(&filter, "(&(objectClass=inkanKey)%s(!(inkanKeyState=destroyed)))", no_due);
    const struct directory_search search = {.base = dir->root,
                                            .scope = LDAP_SCOPE_SUBTREE,
                                            .filter = buf_cstr(&filter),
                                            .attributes = nothing};
    dir->base.deadline_ms = clock_monotonic_ms() + keys->timeout_ms;
    enum status st = directory_search(dir, &search, take_key, keys, err);
    buf_clear(&filter);
    return st;
}

/* What somebody else has given a time meanwhile, or taken away, is as it should be. */
static enum status set_due(struct directory *dir, const char *dn, struct err *err)
{
    struct writes writes = {0};
    struct err why = {0};
    struct write *write = write_list_new(&writes, WRITE_CHANGE, dn, no_due);
    enum status st = write_number(write, "inkanKeyDue", 1, &why);
    if (st == ST_OK)
        st = write_once(dir, write, &why);
    write_list_clear(&writes);
    if (st == ST_OK || st == ST_CONFLICT || st == ST_NOT_FOUND)
        return ST_OK;
    *err = why;
    return st;
}

/* Each key is looked at once. Without the attribute it would never be due. The fence is for keys
 * that an older program is about to add. */
static enum status set_all_due(struct directory *dir, int64_t timeout_ms, struct err *err)
{
    struct old_keys keys = {.timeout_ms = timeout_ms, .names = BUF_INIT(NAMES_MAX)};
    dir->base.deadline_ms = clock_monotonic_ms() + timeout_ms;
    enum status st = journal_fence(dir, err);
    if (st == ST_OK)
        st = find_keys(dir, &keys, err);
    for (size_t at = 0; st == ST_OK && at < keys.names.len;) {
        const char *dn = keys.names.data + at;
        dir->base.deadline_ms = clock_monotonic_ms() + timeout_ms;
        st = set_due(dir, dn, err);
        at += strlen(dn) + 1;
    }
    buf_clear(&keys.names);
    return st;
}

enum status upgrade_records(struct directory *dir, const struct driver_migration *migration,
                            struct err *err)
{
    if (migration->before == 0 || migration->before >= LIFE)
        return ST_OK;
    return set_all_due(dir, migration->timeout_ms, err);
}
