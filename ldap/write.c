/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ldap/escape.h"

/* -- building ----------------------------------------------------------------------------- */

static void clear(struct write *write)
{
    for (size_t i = 0; i < write->count; i++) {
        free(write->values[i].attribute);
        buf_clear(&write->values[i].value);
    }
    free(write->values);
    free(write->dn);
    free(write->assertion);
}

void write_list_clear(struct writes *writes)
{
    for (size_t i = 0; i < writes->count; i++)
        clear(&writes->list[i]);
    free(writes->list);
    *writes = (struct writes){0};
}

struct write *write_list_new(struct writes *writes, enum write_type type, const char *dn,
                             const char *assertion)
{
    struct write *list = realloc(writes->list, (writes->count + 1) * sizeof *list);
    if (list == NULL)
        return NULL;
    writes->list = list;
    struct write *write = &list[writes->count];
    *write = (struct write){.type = (int)type, .dn = strdup(dn), .assertion = strdup(assertion)};
    if (write->dn == NULL || write->assertion == NULL) {
        clear(write);
        return NULL;
    }
    writes->count++;
    return write;
}

enum status write_value(struct write *write, const char *attribute, struct span value, bool none,
                        struct err *err)
{
    struct write_value *values = realloc(write->values, (write->count + 1) * sizeof *write->values);
    if (values == NULL)
        return err_set(err, ST_TEMP, "no memory");
    write->values = values;
    struct write_value *new = &values[write->count];
    *new = (struct write_value){.attribute = strdup(attribute), .none = none};
    if (new->attribute == NULL)
        return err_set(err, ST_TEMP, "no memory");
    write->count++;
    buf_append_span(&new->value, value);
    return buf_check(&new->value, attribute, err);
}

enum status write_number(struct write *write, const char *attribute, int64_t value, struct err *err)
{
    struct buf text = {0};
    if (write == NULL)
        return err_set(err, ST_TEMP, "ldap: no memory");
    buf_printf(&text, "%" PRId64, value);
    enum status st = write_value(write, attribute, buf_span(&text), false, err);
    buf_clear(&text);
    return st;
}

/* -- doing -------------------------------------------------------------------------------- */

/* The attributes of a write as libldap wants them. All is borrowed but the arrays. */
struct mods {
    LDAPMod *list;
    LDAPMod **pointers;
    struct berval *values;
    struct berval **value_pointers;
};

static void mods_clear(struct mods *mods)
{
    free(mods->list);
    free(mods->pointers);
    free(mods->values);
    free(mods->value_pointers);
}

static bool mods_alloc(struct mods *mods, size_t count)
{
    mods->list = calloc(count + 1, sizeof *mods->list);
    mods->pointers = calloc(count + 1, sizeof *mods->pointers);
    mods->values = calloc(count + 1, sizeof *mods->values);
    mods->value_pointers = calloc(2 * count + 1, sizeof *mods->value_pointers);
    return mods->list != NULL && mods->pointers != NULL && mods->values != NULL &&
           mods->value_pointers != NULL;
}

static enum status mods_make(const struct write *write, struct mods *mods, struct err *err)
{
    size_t made = 0, slot = 0;
    if (!mods_alloc(mods, write->count))
        return err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < write->count; i++) {
        const struct write_value *value = &write->values[i];
        bool same = i > 0 && strcmp(value->attribute, write->values[i - 1].attribute) == 0;
        if (!same) {
            slot += i > 0; /* a NULL ends the values of the one before */
            LDAPMod *mod = mods->pointers[made] = &mods->list[made];
            mod->mod_op = write->type == WRITE_ADD ? LDAP_MOD_ADD : LDAP_MOD_REPLACE;
            mod->mod_op |= LDAP_MOD_BVALUES;
            mod->mod_type = value->attribute;
            mod->mod_bvalues = value->none ? NULL : &mods->value_pointers[slot];
            made++;
        }
        if (value->none)
            continue;
        mods->values[i] = (struct berval){value->value.len, value->value.data};
        mods->value_pointers[slot++] = &mods->values[i];
    }
    return ST_OK;
}

static enum status move(struct directory *dir, struct write *write, const char *assertion,
                        struct err *err)
{
    if (write->count != 2)
        return err_set(err, ST_BROKEN, "ldap: a move without a place to go to");
    const struct directory_target target = {.rdn = buf_cstr(&write->values[0].value),
                                            .parent = buf_cstr(&write->values[1].value),
                                            .assertion = assertion};
    return directory_move(dir, write->dn, &target, err);
}

/* The reason comes first: DNs may be longer than an error's text. */
static enum status name_entry(const struct write *write, struct err *err)
{
    struct err why = *err;
    return err_set(err, why.code, "%s (entry %s)", why.text, write->dn);
}

enum status write_once(struct directory *dir, struct write *write, struct err *err)
{
    const char *assertion = write->assertion[0] != '\0' ? write->assertion : NULL;
    struct mods mods = {0};
    enum status st = mods_make(write, &mods, err);
    if (st == ST_OK && write->type == WRITE_ADD)
        st = directory_add(dir, write->dn, mods.pointers, err);
    else if (st == ST_OK && write->type == WRITE_CHANGE)
        st = directory_modify(dir, write->dn, mods.pointers, assertion, err);
    else if (st == ST_OK && write->type == WRITE_MOVE)
        st = move(dir, write, assertion, err);
    else if (st == ST_OK)
        st = directory_delete(dir, write->dn, assertion, err);
    mods_clear(&mods);
    return st == ST_OK ? ST_OK : name_entry(write, err);
}

/* The attribute with the version that an entry has after the write; NULL: it has none. */
static const struct write_value *version_of(const struct write *write)
{
    const size_t suffix = strlen("Version");
    for (size_t i = 0; i < write->count; i++) {
        size_t len = strlen(write->values[i].attribute);
        if (len > suffix && strcmp(write->values[i].attribute + len - suffix, "Version") == 0)
            return &write->values[i];
    }
    return NULL;
}

static enum status note_entry(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    (void)dir, (void)entry, (void)err;
    *(bool *)arg = true;
    return ST_OK;
}

/* Whether the entry has the version that a WRITE_CHANGE gives it, or one after that. Counters have
 * none: they conflict only when they are further. */
static enum status was_changed(struct directory *dir, const struct write *write, bool *out,
                               struct err *err)
{
    static const char *const nothing[] = {LDAP_NO_ATTRS, NULL};
    const struct write_value *version = version_of(write);
    struct buf filter = {0};
    *out = version == NULL;
    if (version == NULL)
        return ST_OK;
    buf_printf(&filter, "(%s>=", version->attribute);
    escape_filter(buf_span(&version->value), &filter);
    buf_append_char(&filter, ')');
    const struct directory_search search = {.base = write->dn,
                                            .scope = LDAP_SCOPE_BASE,
                                            .filter = buf_cstr(&filter),
                                            .attributes = nothing};
    enum status st = directory_search(dir, &search, note_entry, out, err);
    buf_clear(&filter);
    return st == ST_NOT_FOUND ? ST_OK : st;
}

/* Whether there is an entry where a WRITE_MOVE brings one. */
static enum status was_moved(struct directory *dir, const struct write *write, bool *out,
                             struct err *err)
{
    static const char *const nothing[] = {LDAP_NO_ATTRS, NULL};
    struct buf dn = {0};
    *out = false;
    buf_append_span(&dn, buf_span(&write->values[0].value));
    buf_append_char(&dn, ',');
    buf_append_span(&dn, buf_span(&write->values[1].value));
    const struct directory_search search = {.base = buf_cstr(&dn),
                                            .scope = LDAP_SCOPE_BASE,
                                            .filter = "(objectClass=*)",
                                            .attributes = nothing};
    enum status st = buf_check(&dn, "DN", err);
    if (st == ST_OK)
        st = directory_search(dir, &search, note_entry, out, err);
    buf_clear(&dn);
    return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status judge_conflict(struct directory *dir, const struct write *write,
                                  enum write_outcome *out, struct err *err)
{
    bool done = true;
    enum status st = ST_OK;
    if (write->type == WRITE_CHANGE)
        st = was_changed(dir, write, &done, err);
    else if (write->type == WRITE_MOVE)
        st = was_moved(dir, write, &done, err);
    *out = done ? WRITE_WAS_DONE : WRITE_LOST;
    return st;
}

enum status write_again(struct directory *dir, struct write *write, enum write_outcome *out,
                        struct err *err)
{
    struct err why = {0};
    enum status st = write_once(dir, write, &why);
    *out = WRITE_DONE;
    switch (st) {
    case ST_OK:
        return ST_OK;
    case ST_CONFLICT:
        return judge_conflict(dir, write, out, err);
    case ST_NOT_FOUND:
        *out = write->type == WRITE_REMOVE ? WRITE_WAS_DONE : WRITE_LOST;
        return ST_OK;
    case ST_TEMP:
        *err = why;
        return st;
    default:
        *out = WRITE_REFUSED;
        *err = why;
        return ST_OK;
    }
}

enum status write_undo(struct directory *dir, const struct write *write, struct err *err)
{
    const struct write_value *version = version_of(write);
    struct buf assertion = {0};
    if (version != NULL)
        escape_equals(version->attribute, buf_span(&version->value), &assertion);
    enum status st =
        directory_delete(dir, write->dn, version != NULL ? buf_cstr(&assertion) : NULL, err);
    buf_clear(&assertion);
    return st == ST_CONFLICT || st == ST_NOT_FOUND ? ST_OK : st;
}
