/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/signers.h"

#include <stdlib.h>
#include <string.h>

static void free_signers(struct cache_value *value)
{
    struct signers *signers = (struct signers *)value;
    for (size_t i = 0; i < signers->count; i++) {
        free(signers->list[i].selector);
        dkim_key_free(signers->list[i].key);
    }
    dkim_names_free(signers->headers);
    dkim_names_free(signers->oversign);
    free(signers->domain);
    free(signers->tenant);
    free(signers);
}

void signers_ref(struct signers *signers)
{
    cache_value_ref(&signers->base);
}

void signers_unref(struct signers *signers)
{
    cache_value_unref(signers != NULL ? &signers->base : NULL);
}

/* -- building ----------------------------------------------------------------------------- */

/* Where keys come from. */
struct source {
    const struct vault *vault;
    const struct signers *before; /* NULL: nothing */
    const char *tenant;
};

/* A reference to the parsed key of the very same envelope, or NULL. */
static struct dkim_key *known_key(const struct signers *before, const struct signer *wanted)
{
    for (size_t i = 0; before != NULL && i < before->count; i++) {
        const struct signer *each = &before->list[i];
        if (each->algorithm == wanted->algorithm &&
            memcmp(each->fingerprint, wanted->fingerprint, sizeof each->fingerprint) == 0)
            return dkim_key_ref(each->key);
    }
    return NULL;
}

static enum status open_key(const struct source *source, const struct key *key, struct signer *out,
                            struct err *err)
{
    struct buf secret = BUF_SECRET(DKIM_PRIVATE_MAX);
    enum status st = vault_unseal_key(source->vault, source->tenant, key, &secret, err);
    if (st == ST_OK)
        st = dkim_key_parse(out->algorithm, buf_span(&secret), &out->key, err);
    buf_clear(&secret);
    return st;
}

static enum status load_key(const struct source *source, const struct key *key, struct signer *out,
                            struct err *err)
{
    out->algorithm = (enum dkim_algorithm)key->algorithm;
    out->reserved = key->reserved != 0;
    out->selector = span_dup(span_str(key->selector));
    enum status st = out->selector != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
    if (st == ST_OK)
        st = vault_fingerprint(source->tenant, key, out->fingerprint, err);
    if (st == ST_OK && (out->key = known_key(source->before, out)) == NULL)
        st = open_key(source, key, out, err);
    if (st != ST_OK) {
        free(out->selector);
        *out = (struct signer){0};
        return err_context(err, "key %s %s", key->domain, key->selector);
    }
    return ST_OK;
}

/* Another one signs by itself. */
static bool has_algorithm(const struct signers *signers, enum dkim_algorithm algorithm)
{
    for (size_t i = 0; i < signers->count; i++) {
        if (signers->list[i].algorithm == algorithm && !signers->list[i].reserved)
            return true;
    }
    return false;
}

static bool is_wanted(const struct signers *signers, const struct profile *profile,
                      const struct key *key)
{
    if (key->algorithm == DKIM_ED25519_SHA256 && profile->tenant.ed25519 == ED25519_OFF)
        return false;
    return key->reserved != 0 || !has_algorithm(signers, (enum dkim_algorithm)key->algorithm);
}

/* Unless the tenant says otherwise a key signs whatever DNS shows: it may be about to show it. */
static bool is_left_out(const struct signers *signers, const struct key *key)
{
    return signers->on_unpublished != UNPUBLISHED_SIGN &&
           (key->shown == KEY_SHOWN_MISSING || key->shown == KEY_SHOWN_WRONG);
}

static void load_keys(struct signers *signers, const struct profile *profile,
                      const struct source *source)
{
    for (int algorithm = 0; algorithm < DKIM_ALGORITHMS; algorithm++) {
        for (size_t i = 0; i < profile->key_count; i++) {
            struct err err = {0};
            if (profile->keys[i].algorithm != algorithm ||
                !is_wanted(signers, profile, &profile->keys[i]))
                continue;
            if (is_left_out(signers, &profile->keys[i]))
                signers->unpublished++;
            else if (load_key(source, &profile->keys[i], &signers->list[signers->count], &err) ==
                     ST_OK)
                signers->count++;
            else if (signers->broken++ == 0)
                memcpy(signers->broken_text, err.text, sizeof err.text);
        }
    }
}

static size_t names_bytes(const struct dkim_names *names)
{
    size_t bytes = 0;
    for (size_t i = 0; i < dkim_names_count(names); i++)
        bytes += dkim_names_at(names, i).len + 64; /* and what it takes to find it */
    return bytes;
}

/* A shared key is counted by each that shares it: the older ones are about to go. */
static void count_bytes(struct signers *signers, const struct profile *profile)
{
    signers->base.bytes = sizeof *signers + profile->key_count * sizeof signers->list[0] +
                          strlen(signers->domain) + strlen(signers->tenant) + 2 +
                          names_bytes(signers->headers) + names_bytes(signers->oversign);
    for (size_t i = 0; i < signers->count; i++)
        signers->base.bytes +=
            strlen(signers->list[i].selector) + 1 + dkim_key_bytes(signers->list[i].key);
}

/* The domain's own, else the tenant's. */
static struct span either(const char *own, const char *tenants)
{
    struct span text = span_str(own);
    return text.len > 0 ? text : span_str(tenants);
}

/* Lists that do not parse were not written by us; the settings' hold then. */
static void take_names(const char *list, struct dkim_names **out)
{
    struct span text = span_str(list);
    if (text.len > 0 && dkim_names_parse(text, out, NULL) != ST_OK)
        *out = NULL;
}

static void take_settings(struct signers *signers, const struct profile *profile)
{
    const struct tenant *tenant = &profile->tenant;
    struct span canonicalization =
        either(profile->domain.canonicalization, tenant->canonicalization);
    signers->tenant_active = tenant->status == ACCOUNT_ACTIVE;
    signers->domain_active = profile->domain.status == ACCOUNT_ACTIVE;
    signers->subdomains = profile->domain.subdomains != 0 || tenant->subdomains != 0;
    signers->also_provider = tenant->also_provider != 0;
    signers->one_signature = tenant->one_signature != 0;
    signers->expiry_s = profile->domain.expiry >= 0 ? profile->domain.expiry : tenant->expiry;
    signers->on_unpublished = (enum on_unpublished)tenant->on_unpublished;
    signers->on_no_key = (enum on_no_key)tenant->on_no_key;
    if (canonicalization.len > 0)
        signers->has_canonicalization = dkim_canon_parse(canonicalization, &signers->header_canon,
                                                         &signers->body_canon, NULL) == ST_OK;
    take_names(tenant->headers, &signers->headers);
    take_names(tenant->oversign, &signers->oversign);
}

enum status signers_new(const struct profile *profile, const struct vault *vault,
                        const struct signers *before, struct signers **out, struct err *err)
{
    size_t size = sizeof(struct signers) + profile->key_count * sizeof(struct signer);
    struct signers *signers = calloc(1, size);
    if (signers == NULL)
        return err_set(err, ST_TEMP, "no memory");
    atomic_init(&signers->base.refs, 1);
    signers->base.free = free_signers;
    signers->domain = span_dup(span_str(profile->domain.name));
    signers->tenant = span_dup(span_str(profile->tenant.name));
    if (signers->domain == NULL || signers->tenant == NULL) {
        signers_unref(signers);
        return err_set(err, ST_TEMP, "no memory");
    }
    signers->base.group = signers->tenant;
    take_settings(signers, profile);
    const struct source source = {vault, before, signers->tenant};
    if (signers->tenant_active && signers->domain_active)
        load_keys(signers, profile, &source);
    count_bytes(signers, profile);
    *out = signers;
    return ST_OK;
}
