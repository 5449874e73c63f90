/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/owner.h"
#include "admin/progress.h"
#include "admin/rows.h"
#include "dkim/crypto.h"

/* A key-encryption key and what it has sealed. */
struct kek {
    char *id;
    int64_t present; /* in the keyring file */
    int64_t current; /* seals new keys */
    int64_t keys;
};
static const struct field kek_fields[] = {
    OUTPUT_FIELD(struct kek, id, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct kek, present, FIELD_BOOL, 0),
    OUTPUT_FIELD(struct kek, current, FIELD_BOOL, 0),
    OUTPUT_FIELD(struct kek, keys, FIELD_INT, 0),
};
static const struct kind kind_kek = OUTPUT_KIND("kek", struct kek, kek_fields);

/* -- init and add --------------------------------------------------------------------------- */

static enum status answer_current(struct admin *admin, const char *verb, const char *path,
                                  struct err *err)
{
    const struct vault *vault;
    struct kek kek = {.present = 1, .current = 1};
    enum status status = admin_vault(admin, &vault, err);
    if (status != ST_OK)
        return status;
    kek.id = span_dup(span_str(vault_current(vault)));
    if (admin->output.json)
        output_record(&admin->output, &kind_kek, &kek);
    else
        admin_did(admin, verb, "key-encryption key %s in %s", vault_current(vault), path);
    kind_clear(&kind_kek, &kek);
    return ST_OK;
}

static enum status rehearse_init(struct admin *admin, const char *path, struct err *err)
{
    struct buf folder = BUF_INIT(0);
    const char *slash = strrchr(path, '/');
    (void)admin;
    if (access(path, F_OK) == 0)
        return err_set(err, ST_CONFLICT, "keyring %s: exists already", path);
    buf_printf(&folder, "%.*s", slash == NULL ? 0 : (int)(slash - path), path);
    buf_append_str(&folder, "/.");
    bool there = access(slash == NULL ? "." : buf_cstr(&folder), F_OK) == 0;
    buf_clear(&folder);
    return there ? ST_OK : err_set(err, ST_INVALID, "keyring %s: there is no such folder", path);
}

static enum status rehearse_add(struct admin *admin, const char *path, struct err *err)
{
    const struct vault *vault;
    (void)path;
    return admin_vault(admin, &vault, err);
}

struct file_change {
    const char *verb;
    enum status (*make)(const char *path, struct err *err);
    enum status (*rehearse)(struct admin *admin, const char *path, struct err *err);
};

static enum status change_file(struct admin *admin, const struct file_change *change,
                               struct err *err)
{
    const struct settings *settings;
    enum status status = admin_settings(admin, &settings, err);
    if (status != ST_OK)
        return status;
    const char *path = settings->vault.keyring;
    if (!admin->dry_run) {
        status = change->make(path, err);
        return status == ST_OK ? answer_current(admin, change->verb, path, err) : status;
    }
    status = change->rehearse(admin, path, err);
    if (status == ST_OK && admin->output.json) /* its id is not known before it is made */
        output_record(&admin->output, &kind_kek, &(struct kek){.current = 1});
    else if (status == ST_OK)
        admin_did(admin, change->verb, "a key-encryption key in %s", path);
    return status;
}

static enum status init(struct admin *admin, const struct args *args, struct err *err)
{
    (void)args;
    return change_file(admin, &(struct file_change){"create", vault_create, rehearse_init}, err);
}

static enum status add(struct admin *admin, const struct args *args, struct err *err)
{
    (void)args;
    return change_file(admin, &(struct file_change){"add", vault_add, rehearse_add}, err);
}

/* -- rewrap --------------------------------------------------------------------------------- */

struct rewrap {
    struct admin *admin;
    struct owner owner;
    struct progress progress;
    struct rows *page; /* the one at work */
    int64_t resealed, broken, unsealed;
};

static bool is_due(const struct rewrap *rewrap, const struct key *key)
{
    return key->sealed.len > 0 && !vault_is_unsealed(key) &&
           strcmp(key->kek, vault_current(rewrap->owner.vault)) != 0;
}

/* A key that does not open is named and left alone: it must not keep the others from a new KEK. */
static enum status leave(struct rewrap *rewrap, const struct key *key, const struct err *err)
{
    admin_warn("key %s %s: %s", key->domain, key->selector, err->text);
    rewrap->broken++;
    return ST_OK;
}

static enum status reseal(struct rewrap *rewrap, struct store_tx *tx, struct key *key,
                          struct err *err)
{
    struct buf secret = BUF_SECRET(DKIM_PRIVATE_MAX);
    enum status status = owner_unseal(&rewrap->owner, key, &secret, err);
    if (status == ST_BROKEN) {
        buf_clear(&secret);
        return leave(rewrap, key, err);
    }
    if (status == ST_OK)
        status = vault_seal_key(rewrap->owner.vault, rewrap->owner.domain.tenant, buf_span(&secret),
                                key, err);
    if (status == ST_OK)
        status = store_tx_put(tx, &kind_key, key, "key.rewrap", err);
    rewrap->resealed += status == ST_OK;
    buf_clear(&secret);
    return status;
}

static enum status reseal_page(struct store_tx *tx, void *arg, struct err *err)
{
    struct rewrap *rewrap = arg;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < rewrap->page->count; i++)
        if (is_due(rewrap, rows_at(rewrap->page, i)))
            status = reseal(rewrap, tx, rows_at(rewrap->page, i), err);
    return status;
}

/* A page is a transaction, if there is anything to do: killed in between, the next run goes on with
 * what is left. */
static enum status rewrap_page(void *arg, struct rows *page, struct err *err)
{
    struct rewrap *rewrap = arg;
    bool any = false;
    rewrap->page = page;
    progress_add(&rewrap->progress, (int64_t)page->count);
    for (size_t i = 0; i < page->count; i++) {
        any = any || is_due(rewrap, rows_at(page, i));
        rewrap->unsealed += vault_is_unsealed(rows_at(page, i));
    }
    return any ? admin_transaction(rewrap->admin, reseal_page, rewrap, err) : ST_OK;
}

static enum status rewrap_all(struct rewrap *rewrap, struct err *err)
{
    struct query query = {.kind = &kind_key, .limit = 100};
    int64_t total;
    enum status status = rows_count(rewrap->owner.store, &query, &total, err);
    if (status != ST_OK)
        return status;
    progress_begin(&rewrap->progress, "resealing", total);
    status = rows_walk(rewrap->owner.store, &query, rewrap_page, rewrap, err);
    progress_end(&rewrap->progress);
    owner_clear(&rewrap->owner);
    return status;
}

/* Those of directories with another schema: no key-encryption key has to do with them. */
static void tell_unsealed(int64_t count)
{
    if (count > 0)
        admin_warn("%lld private keys are not sealed", (long long)count);
}

static void answer_rewrap(struct admin *admin, const struct rewrap *rewrap)
{
    const char *current = vault_current(rewrap->owner.vault);
    struct kek kek = {.present = 1, .current = 1, .keys = rewrap->resealed};
    kek.id = span_dup(span_str(current));
    if (admin->output.json)
        output_record(&admin->output, &kind_kek, &kek);
    else
        admin_did(admin, "reseal", "%lld private keys under %s", (long long)rewrap->resealed,
                  current);
    kind_clear(&kind_kek, &kek);
}

static enum status rewrap_verb(struct admin *admin, const struct args *args, struct err *err)
{
    struct rewrap rewrap = {.admin = admin};
    (void)args;
    enum status status = admin_store(admin, &rewrap.owner.store, err);
    if (status == ST_OK)
        status = admin_vault(admin, &rewrap.owner.vault, err);
    if (status == ST_OK)
        status = rewrap_all(&rewrap, err);
    if (status != ST_OK)
        return status;
    answer_rewrap(admin, &rewrap);
    tell_unsealed(rewrap.unsealed);
    if (rewrap.broken > 0)
        return err_set(err, ST_NOT_FOUND, "%lld private keys do not open and were left alone",
                       (long long)rewrap.broken);
    return ST_OK;
}

/* -- status --------------------------------------------------------------------------------- */

/* The KEKs of the keyring, then those that only keys of the store name. */
static enum status add_kek(struct rows *keks, const char *id, bool present, struct err *err)
{
    struct kek kek = {.id = span_dup(span_str(id)), .present = present};
    enum status status =
        kek.id == NULL ? err_set(err, ST_TEMP, "no memory") : rows_take(keks, &kek, err);
    kind_clear(&kind_kek, &kek);
    return status;
}

static struct kek *find_kek(const struct rows *keks, const char *id)
{
    for (size_t i = 0; i < keks->count; i++) {
        struct kek *kek = rows_at(keks, i);
        if (strcmp(kek->id, id) == 0)
            return kek;
    }
    return NULL;
}

/* What the private keys of a store are sealed under. */
struct census {
    struct rows keks;
    int64_t unsealed;
};

static enum status count_page(void *arg, struct rows *page, struct err *err)
{
    struct census *census = arg;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < page->count; i++) {
        const struct key *key = rows_at(page, i);
        bool unsealed = vault_is_unsealed(key);
        census->unsealed += unsealed;
        if (key->sealed.len == 0 || unsealed)
            continue;
        if (find_kek(&census->keks, key->kek) == NULL)
            status = add_kek(&census->keks, key->kek, false, err);
        if (status == ST_OK)
            find_kek(&census->keks, key->kek)->keys++;
    }
    return status;
}

static enum status collect(struct admin *admin, struct census *census, struct err *err)
{
    struct rows *keks = &census->keks;
    struct store *store;
    const struct vault *vault;
    struct query query = {.kind = &kind_key};
    enum status status = admin_vault(admin, &vault, err);
    if (status == ST_OK)
        status = admin_store(admin, &store, err);
    for (size_t i = 0; status == ST_OK && i < vault_count(vault); i++)
        status = add_kek(keks, vault_id(vault, i), true, err);
    if (status != ST_OK)
        return status;
    find_kek(keks, vault_current(vault))->current = 1;
    return rows_walk(store, &query, count_page, census, err);
}

static enum status status_verb(struct admin *admin, const struct args *args, struct err *err)
{
    struct census census = {.keks.kind = &kind_kek};
    const struct rows *keks = &census.keks;
    const struct kek *missing = NULL;
    (void)args;
    enum status status = collect(admin, &census, err);
    if (status == ST_OK)
        output_list_begin(&admin->output, NULL);
    for (size_t i = 0; status == ST_OK && i < keks->count; i++) {
        const struct kek *kek = rows_at(keks, i);
        output_record(&admin->output, &kind_kek, kek);
        if (!kek->present)
            missing = kek;
    }
    if (status == ST_OK)
        output_list_end(&admin->output, &kind_kek);
    tell_unsealed(census.unsealed);
    if (missing != NULL)
        status = err_set(err, ST_NOT_FOUND,
                         "%lld private keys are sealed under %s, which the keyring does not have",
                         (long long)missing->keys, missing->id);
    rows_clear(&census.keks);
    return status;
}

static const struct command commands[] = {
    {"init", "", "makes the keyring file with its first key-encryption key", init},
    {"add", "", "adds a key-encryption key, which seals from now on", add},
    {"rewrap", "", "seals all private keys under the current one", rewrap_verb},
    {"status", "", "shows the key-encryption keys and how many keys each has sealed", status_verb},
    {NULL, NULL, NULL, NULL},
};

const struct noun vault_noun = {"vault", "the keyring that seals private keys", commands};
