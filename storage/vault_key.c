/* SPDX-License-Identifier: Apache-2.0
 *
 * Key records and their private halves. One of a directory that has not our schema may be in the
 * open; then its `sealed` is PEM, or the base64 within, and it names no key-encryption key.
 */
#include <string.h>

#include "dkim/crypto.h"
#include "storage/vault.h"

enum status vault_seal_key(const struct vault *vault, const char *tenant, struct span secret,
                           struct key *key, struct err *err)
{
    struct vault_binding binding = vault_binding_of(tenant, key);
    struct buf envelope = {0};
    enum status st = vault_seal(vault, &binding, secret, &envelope, err);
    if (st == ST_OK)
        st = field_set_text(kind_field(&kind_key, SPAN_LIT("kek")), key,
                            span_str(vault_current(vault)), err);
    if (st != ST_OK) {
        buf_clear(&envelope);
        return st;
    }
    buf_clear(&key->sealed);
    key->sealed = envelope;
    return ST_OK;
}

/* -- private halves in the open ------------------------------------------------------------ */

bool vault_is_unsealed(const struct key *key)
{
    return key->sealed.len > 0 && (key->kek == NULL || key->kek[0] == '\0');
}

/* Base64 without the lines around it does not say which of two forms it holds. */
static enum status import_bare(struct span base64, enum dkim_algorithm *algorithm_out,
                               struct buf *out, struct err *err)
{
    static const char *const labels[] = {"PRIVATE KEY", "RSA PRIVATE KEY"};
    enum status st = ST_INVALID;
    for (size_t i = 0; i < 2 && st == ST_INVALID; i++) {
        struct buf pem = BUF_SECRET(0);
        buf_printf(&pem, "-----BEGIN %s-----\n", labels[i]);
        buf_append_span(&pem, base64);
        buf_printf(&pem, "\n-----END %s-----\n", labels[i]);
        st = buf_check(&pem, "private key", err);
        if (st == ST_OK)
            st = dkim_key_import(buf_span(&pem), algorithm_out, out, err);
        buf_clear(&pem);
    }
    return st;
}

static enum status take_unsealed(const struct vault *vault, const struct key *key,
                                 struct buf *secret_out, struct err *err)
{
    struct span text = span_trim(buf_span(&key->sealed));
    enum dkim_algorithm algorithm = DKIM_RSA_SHA256;
    if (!vault_takes_unsealed(vault))
        return err_set(err, ST_DENIED,
                       "the private key is not sealed (ldap.allow_unsealed_keys = no)");
    enum status st = span_has_prefix(text, SPAN_LIT("-----"))
                         ? dkim_key_import(text, &algorithm, secret_out, err)
                         : import_bare(text, &algorithm, secret_out, err);
    if (st == ST_OK && (int64_t)algorithm != key->algorithm)
        return err_set(err, ST_INVALID, "the private key is one of %s",
                       dkim_algorithm_name(algorithm));
    return st;
}

enum status vault_unseal_key(const struct vault *vault, const char *tenant, const struct key *key,
                             struct buf *secret_out, struct err *err)
{
    struct vault_binding binding = vault_binding_of(tenant, key);
    struct vault_envelope envelope = {key->kek != NULL ? key->kek : "", buf_span(&key->sealed)};
    return vault_is_unsealed(key) ? take_unsealed(vault, key, secret_out, err)
                                  : vault_unseal(vault, &binding, &envelope, secret_out, err);
}
