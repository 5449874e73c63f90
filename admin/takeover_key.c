/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "admin/takeover.h"

/* -- material ----------------------------------------------------------------------------- */

static void read_material(const struct keytable_key *key, struct takeover_material *out)
{
    struct buf pem = BUF_SECRET(0);
    struct err err = {0};
    enum status status = keytable_pem(key, &pem, &err);
    if (status == ST_OK)
        status = keys_import(buf_span(&pem), &out->draft, &err);
    out->usable = status == ST_OK;
    memcpy(out->fault, key->found ? err.text : key->fault, sizeof out->fault);
    buf_clear(&pem);
}

/* An unsafe file is taken all the same: from now on the key is sealed. */
static void note_safety(struct takeover *takeover, const struct keytable_key *key, const char *name)
{
    if (key->found && key->usable && !key->secure)
        notes_add(takeover->notes, NOTES_NOTICE, (struct notes_place){name, 0},
                  "RequireSafeKeys: %s", key->fault);
}

/* Read once, however many rows have it. */
static enum status keep_material(struct takeover *takeover, const char *name,
                                 const struct keytable_key *key,
                                 const struct takeover_material **out, struct err *err)
{
    struct takeover_material *material = NULL;
    HASH_FIND_STR(takeover->materials, name, material);
    if (material == NULL) {
        material = calloc(1, sizeof *material + strlen(name) + 1);
        if (material == NULL)
            return err_set(err, ST_TEMP, "no memory");
        strcpy(material->name, name);
        material->draft.secret = BUF_SECRET(0);
        read_material(key, material);
        note_safety(takeover, key, name);
        HASH_ADD_STR(takeover->materials, name, material);
        if (material->hh.tbl == NULL) {
            keys_draft_clear(&material->draft);
            free(material);
            return err_set(err, ST_TEMP, "no memory");
        }
    }
    *out = material;
    return ST_OK;
}

static enum status load_entry(struct takeover *takeover, const struct takeover_request *request,
                              const struct table_found *row, const struct takeover_material **out,
                              struct err *err)
{
    struct keytable_entry entry;
    const struct keytable_key *key = NULL;
    struct buf name = BUF_INIT(0);
    enum status status = keytable_parse(row->value, &entry, err);
    if (status == ST_OK && entry.is_file)
        keytable_file(&entry, span_str(request->author_domain), &name);
    else if (status == ST_OK)
        buf_printf(&name, "KeyTable %s", request->signature->key);
    if (status == ST_OK)
        status = buf_check(&name, "the name of a key", err);
    if (status == ST_OK)
        status = keytable_load(signing_keys(takeover->signing), &entry,
                               span_str(request->author_domain), &key, err);
    if (status == ST_OK)
        status = keep_material(takeover, buf_cstr(&name), key, out, err);
    buf_clear(&name);
    return status;
}

static enum status load_file(struct takeover *takeover, const char *path,
                             const struct takeover_material **out, struct err *err)
{
    const struct keytable_key *key = NULL;
    enum status status = keytable_load_file(signing_keys(takeover->signing), path, &key, err);
    return status == ST_OK ? keep_material(takeover, path, key, out, err) : status;
}

/* A KeyList names the file in the line that the request is from. */
static struct notes_place place_of_file(const struct takeover *takeover,
                                        const struct takeover_request *request)
{
    const struct configuration *configuration = takeover->configuration;
    return configuration_text(configuration, "KeyList") != NULL
               ? request->place
               : configuration_place(configuration, "KeyFile");
}

static enum status find_material(struct takeover *takeover, const struct takeover_request *request,
                                 const struct takeover_material **out,
                                 struct notes_place *place_out, struct err *err)
{
    struct table_found row = {.has_value = false};
    const struct table *table = signing_table(takeover->signing, "KeyTable");
    *place_out = place_of_file(takeover, request);
    if (table == NULL)
        return load_file(takeover, request->signature->key, out, err);
    enum status status = table_find(table, span_str(request->signature->key), &row, err);
    if (status == ST_OK)
        *place_out = row.place;
    if (status == ST_OK)
        status = load_entry(takeover, request, &row, out, err);
    table_found_clear(&row);
    return status;
}

/* -- keys --------------------------------------------------------------------------------- */

static struct takeover_key *new_key(const char *domain, const char *selector, const char *name)
{
    struct takeover_key *key = calloc(1, sizeof *key + strlen(name) + 1);
    if (key == NULL)
        return NULL;
    strcpy(key->name, name);
    key->domain = strdup(domain);
    key->selector = strdup(selector);
    if (key->domain != NULL && key->selector != NULL)
        return key;
    free(key->domain);
    free(key->selector);
    free(key);
    return NULL;
}

static void free_key(struct takeover_key *key)
{
    free(key->domain);
    free(key->selector);
    free(key->seen);
    free(key);
}

/* What d= and s= are here. */
static bool read_names(struct takeover *takeover, const struct takeover_request *request,
                       char domain[DKIM_DOMAIN_SIZE], char selector[DKIM_DOMAIN_SIZE])
{
    const struct signing_signature *signature = request->signature;
    struct err why = {0};
    if (dkim_domain_normalize(span_str(signature->domain), domain, &why) == ST_OK &&
        dkim_selector_normalize(span_str(signature->selector), selector, &why) == ST_OK)
        return true;
    notes_add(takeover->notes, NOTES_REFUSED, request->place, "key %.100s (d=%.100s, s=%.100s): %s",
              signature->key, signature->domain, signature->selector, why.text);
    return false;
}

static bool same_material(const struct takeover_material *a, const struct takeover_material *b)
{
    return a == b ||
           span_equal(buf_span(&a->draft.key.public_key), buf_span(&b->draft.key.public_key));
}

static bool is_good(struct takeover *takeover, const struct takeover_request *request,
                    const struct takeover_key *known, const struct takeover_material *material)
{
    const struct signing_signature *signature = request->signature;
    if (!material->usable)
        notes_add(takeover->notes, NOTES_REFUSED, request->place, "key %.100s: %s", signature->key,
                  material->fault);
    else if (known != NULL && !same_material(known->material, material))
        notes_add(takeover->notes, NOTES_REFUSED, request->place,
                  "key %.100s: another key has the selector %.100s of %.100s", signature->key,
                  signature->selector, signature->domain);
    else
        return true;
    return false;
}

struct takeover_domain *takeover_find_domain(const struct takeover *takeover, const char *name)
{
    struct takeover_domain *found = NULL;
    HASH_FIND_STR(takeover->domains, name, found);
    return found;
}

static bool add_domain(struct takeover *takeover, const char *name)
{
    struct takeover_domain *domain = takeover_find_domain(takeover, name);
    if (domain != NULL)
        return true;
    domain = calloc(1, sizeof *domain + strlen(name) + 1);
    if (domain == NULL)
        return false;
    strcpy(domain->name, name);
    HASH_ADD_STR(takeover->domains, name, domain);
    if (domain->hh.tbl != NULL)
        return true;
    free(domain);
    return false;
}

enum status takeover_find_key(struct takeover *takeover, const struct takeover_request *request,
                              struct takeover_key **out, struct err *err)
{
    char domain[DKIM_DOMAIN_SIZE], selector[DKIM_DOMAIN_SIZE];
    char name[2 * DKIM_DOMAIN_SIZE];
    const struct takeover_material *material = NULL;
    struct takeover_key *key = NULL;
    struct notes_place place;
    *out = NULL;
    if (!read_names(takeover, request, domain, selector))
        return ST_OK;
    enum status status = find_material(takeover, request, &material, &place, err);
    if (status != ST_OK)
        return status;
    snprintf(name, sizeof name, "%s %s", domain, selector);
    HASH_FIND_STR(takeover->keys, name, key);
    if (!is_good(takeover, request, key, material))
        return ST_OK;
    if (key == NULL) {
        key = new_key(domain, selector, name);
        if (key == NULL)
            return err_set(err, ST_TEMP, "no memory");
        key->material = material;
        key->place = place;
        if (add_domain(takeover, domain))
            HASH_ADD_STR(takeover->keys, name, key);
        if (key->hh.tbl == NULL) {
            free_key(key);
            return err_set(err, ST_TEMP, "no memory");
        }
    }
    *out = key;
    return ST_OK;
}

void takeover_drop_keys(struct takeover *takeover)
{
    struct takeover_key *key = NULL, *next_key = NULL;
    struct takeover_domain *domain = NULL, *next_domain = NULL;
    HASH_ITER(hh, takeover->keys, key, next_key)
    {
        if (key->used) {
            takeover_find_domain(takeover, key->domain)->used = true;
            continue;
        }
        HASH_DEL(takeover->keys, key);
        free_key(key);
    }
    HASH_ITER(hh, takeover->domains, domain, next_domain)
    {
        if (domain->used)
            continue;
        HASH_DEL(takeover->domains, domain);
        free(domain);
    }
}

void takeover_clear_keys(struct takeover *takeover)
{
    struct takeover_material *material = NULL, *next_material = NULL;
    struct takeover_key *key = NULL, *next_key = NULL;
    struct takeover_domain *domain = NULL, *next_domain = NULL;
    HASH_ITER(hh, takeover->domains, domain, next_domain)
    {
        HASH_DEL(takeover->domains, domain);
        free(domain);
    }
    HASH_ITER(hh, takeover->keys, key, next_key)
    {
        HASH_DEL(takeover->keys, key);
        free_key(key);
    }
    HASH_ITER(hh, takeover->materials, material, next_material)
    {
        HASH_DEL(takeover->materials, material);
        keys_draft_clear(&material->draft);
        free(material);
    }
}
