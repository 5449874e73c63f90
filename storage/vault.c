/* SPDX-License-Identifier: Apache-2.0
 *
 * The sealed envelope
 *
 * A private key leaves the process that made it only inside an envelope:
 *
 *     octet 0         format version, 1
 *     octets 1..12    nonce, random
 *     octets 13..     AES-256-GCM ciphertext, as long as the plain text
 *     last 16 octets  tag
 *
 * The key-encryption key (KEK) comes from the keyring file, which is nowhere near the data base,
 * so a copy of the data base or of its backup opens nothing. The associated data is
 *
 *     inkan-key|TENANT|DOMAIN|SELECTOR|ALGORITHM|KEK-ID
 *
 * in which no part can hold a `|` (kind_check sees to it), so two different bindings never give
 * the same octets. Whoever can write to the data base can therefore delete a key, but cannot
 * make one customer's domain sign with another customer's key, nor an old selector with a new
 * key: the tag would not fit. The KEK's id is bound so that a row cannot be made to name
 * another KEK.
 *
 * Random nonces of 96 bits allow 2^32 envelopes under one KEK before a repeated nonce becomes
 * likelier than 2^-32 (NIST SP 800-38D 8.3). A million domains with two keys each, rotated every
 * half year, reach that after a thousand years; `inkan vault add` and `vault rewrap` start a new
 * count whenever wanted.
 *
 * Each envelope stands alone: no data key per tenant, no chain. Rewrapping under a new KEK is a
 * walk over the key records, in any order, stopped and started at will, because the record
 * names the KEK of its envelope and the keyring holds old KEKs until they are unused.
 */
#include "storage/vault.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "dkim/crypto.h"
#include "storage/keyfile.h"

enum { KEK_SIZE = 32, NONCE_SIZE = 12, TAG_SIZE = 16, FORMAT = 1, HEAD_SIZE = 1 + NONCE_SIZE };

struct kek {
    char id[VAULT_ID_MAX + 1];
    unsigned char octets[KEK_SIZE];
};

struct vault {
    EVP_CIPHER *cipher;
    bool takes_unsealed;
    size_t count;
    struct kek keks[VAULT_KEKS_MAX]; /* the last is the current one */
};

/* -- the keyring file --------------------------------------------------------------------- */

static bool id_ok(struct span id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];
        if (!ascii_alpha(c) && !ascii_digit(c) && c != '-' && c != '_' && c != '.')
            return false;
    }
    return id.len > 0 && id.len <= VAULT_ID_MAX;
}

static const struct kek *kek_named(const struct vault *vault, const char *id)
{
    for (size_t i = 0; i < vault->count; i++) {
        if (strcmp(vault->keks[i].id, id) == 0)
            return &vault->keks[i];
    }
    return NULL;
}

static enum status add_kek(struct vault *vault, struct span line, struct err *err)
{
    size_t blank = span_find(line, ' ');
    struct span id = span_head(line, blank), base64 = span_trim(span_from(line, blank));
    struct buf octets = BUF_SECRET(KEK_SIZE);
    if (vault->count == VAULT_KEKS_MAX)
        return err_set(err, ST_BROKEN, "more than %d keys", VAULT_KEKS_MAX);
    if (!id_ok(id))
        return err_set(err, ST_BROKEN, "no id (a line is ID BASE64)");
    struct kek *kek = &vault->keks[vault->count];
    memcpy(kek->id, id.data, id.len);
    kek->id[id.len] = '\0';
    if (kek_named(vault, kek->id) != NULL)
        return err_set(err, ST_BROKEN, "key id %s stands twice", kek->id);
    enum status st = dkim_base64_decode(base64, &octets, err);
    if (st == ST_OK && buf_check(&octets, "key", err) == ST_OK && octets.len == KEK_SIZE)
        memcpy(kek->octets, octets.data, KEK_SIZE);
    else
        st = err_set(err, ST_BROKEN, "key id %s: not %d octets in base64", kek->id, KEK_SIZE);
    if (st == ST_OK)
        vault->count++;
    buf_clear(&octets);
    return st;
}

static enum status parse(struct vault *vault, const char *path, struct span text, struct err *err)
{
    struct span line;
    for (size_t number = 1; span_next(&text, '\n', &line); number++) {
        line = span_trim(line);
        if (line.len == 0 || line.data[0] == '#')
            continue;
        if (add_kek(vault, line, err) != ST_OK)
            return err_context(err, "keyring %s:%zu", path, number);
    }
    if (vault->count == 0)
        return err_set(err, ST_BROKEN, "keyring %s: holds no key (inkan vault init makes one)",
                       path);
    return ST_OK;
}

enum status vault_open(const char *path, struct vault **out, struct err *err)
{
    struct buf text = BUF_SECRET(KEYFILE_MAX);
    struct vault *vault = calloc(1, sizeof *vault);
    if (vault == NULL)
        return err_set(err, ST_TEMP, "no memory");
    enum status st = keyfile_read(path, &text, err);
    if (st == ST_OK)
        st = parse(vault, path, buf_span(&text), err);
    if (st == ST_OK && (vault->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL)) == NULL)
        st = err_set(err, ST_BROKEN, "OpenSSL has no AES-256-GCM");
    buf_clear(&text);
    if (st != ST_OK) {
        vault_close(vault);
        return st;
    }
    *out = vault;
    return ST_OK;
}

void vault_close(struct vault *vault)
{
    if (vault == NULL)
        return;
    EVP_CIPHER_free(vault->cipher);
    bytes_wipe(vault, sizeof *vault);
    free(vault);
}

/* A line for a new KEK: the day, so that people see which is which, and some random digits. */
static enum status new_line(struct buf *out, struct err *err)
{
    unsigned char random[KEK_SIZE + 3];
    char date[CLOCK_DATE_SIZE];
    clock_date(clock_now_s(), date);
    if (RAND_priv_bytes(random, sizeof random) != 1)
        return err_set(err, ST_BROKEN, "OpenSSL gives no random octets");
    buf_printf(out, "%.4s%.2s%.2s-%02x%02x%02x ", date, date + 5, date + 8, random[KEK_SIZE],
               random[KEK_SIZE + 1], random[KEK_SIZE + 2]);
    dkim_base64_encode(span_of((const char *)random, KEK_SIZE), out);
    buf_append_char(out, '\n');
    bytes_wipe(random, sizeof random);
    return buf_check(out, "keyring", err);
}

enum status vault_create(const char *path, struct err *err)
{
    struct buf text = BUF_SECRET(KEYFILE_MAX);
    buf_append_str(&text, "# Key-encryption keys of inkan, one a line; the last one seals.\n"
                          "# Without this file no private key in the store opens: back it up,\n"
                          "# apart from the store.\n");
    enum status st = new_line(&text, err);
    if (st == ST_OK)
        st = keyfile_create(path, buf_span(&text), err);
    buf_clear(&text);
    return st;
}

static enum status add_locked(const char *path, struct err *err)
{
    struct vault *vault = NULL;
    struct buf text = BUF_SECRET(KEYFILE_MAX);
    enum status st = vault_open(path, &vault, err);
    if (st == ST_OK && vault->count == VAULT_KEKS_MAX)
        st = err_set(err, ST_DENIED, "keyring %s: holds %d keys already", path, VAULT_KEKS_MAX);
    vault_close(vault);
    if (st == ST_OK)
        st = keyfile_read(path, &text, err);
    if (st == ST_OK && text.len > 0 && text.data[text.len - 1] != '\n')
        buf_append_char(&text, '\n');
    if (st == ST_OK)
        st = new_line(&text, err);
    if (st == ST_OK)
        st = keyfile_replace(path, buf_span(&text), err);
    buf_clear(&text);
    return st;
}

/* Two at once would each leave out the other's KEK, under which keys may be sealed already. */
enum status vault_add(const char *path, struct err *err)
{
    int lock;
    enum status st = keyfile_lock(path, &lock, err);
    if (st != ST_OK)
        return st;
    st = add_locked(path, err);
    close(lock);
    return st;
}

void vault_allow_unsealed(struct vault *vault, bool allow)
{
    vault->takes_unsealed = allow;
}

bool vault_takes_unsealed(const struct vault *vault)
{
    return vault != NULL && vault->takes_unsealed;
}

const char *vault_current(const struct vault *vault)
{
    return vault->keks[vault->count - 1].id;
}

size_t vault_count(const struct vault *vault)
{
    return vault->count;
}

const char *vault_id(const struct vault *vault, size_t index)
{
    return vault->keks[index].id;
}

enum status vault_derive(const struct vault *vault, struct span label,
                         uint8_t out[VAULT_DERIVED_SIZE], struct err *err)
{
    struct kek kek = vault->keks[vault->count - 1]; /* OSSL_PARAM wants what it may write to */
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, kek.octets, KEK_SIZE),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)label.data,
                                          label.len),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = hkdf != NULL ? EVP_KDF_CTX_new(hkdf) : NULL;
    bool good = ctx != NULL && EVP_KDF_derive(ctx, out, VAULT_DERIVED_SIZE, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(hkdf);
    bytes_wipe(&kek, sizeof kek);
    return good ? ST_OK : err_set(err, ST_BROKEN, "OpenSSL cannot derive a key (HKDF)");
}

/* -- envelopes ---------------------------------------------------------------------------- */

static void associated_data(const struct vault_binding *binding, const char *kek, struct buf *out)
{
    buf_printf(out, "inkan-key|%s|%s|%s|%s|%s", binding->tenant, binding->domain, binding->selector,
               binding->algorithm, kek);
}

static bool encrypt(EVP_CIPHER_CTX *ctx, const struct buf *data, struct span secret,
                    unsigned char *text)
{
    int len = 0, rest = 0;
    return EVP_EncryptUpdate(ctx, NULL, &len, (const unsigned char *)data->data, (int)data->len) ==
               1 &&
           EVP_EncryptUpdate(ctx, text, &len, (const unsigned char *)secret.data,
                             (int)secret.len) == 1 &&
           EVP_EncryptFinal_ex(ctx, text + len, &rest) == 1 && len + rest == (int)secret.len;
}

enum status vault_seal(const struct vault *vault, const struct vault_binding *binding,
                       struct span secret, struct buf *envelope, struct err *err)
{
    const struct kek *kek = &vault->keks[vault->count - 1];
    struct buf data = {0};
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    associated_data(binding, kek->id, &data);
    size_t start = envelope->len;
    unsigned char *out = buf_extend(envelope, HEAD_SIZE + secret.len + TAG_SIZE);
    bool good = out != NULL && ctx != NULL && data.failed == ST_OK && secret.len <= INT32_MAX;
    if (good) {
        out[0] = FORMAT;
        good = RAND_bytes(out + 1, NONCE_SIZE) == 1 &&
               EVP_EncryptInit_ex2(ctx, vault->cipher, kek->octets, out + 1, NULL) == 1 &&
               encrypt(ctx, &data, secret, out + HEAD_SIZE) &&
               EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_SIZE,
                                   out + HEAD_SIZE + secret.len) == 1;
    }
    EVP_CIPHER_CTX_free(ctx);
    buf_clear(&data);
    if (good)
        return ST_OK;
    buf_truncate(envelope, start);
    return err_set(err, ST_BROKEN, "cannot seal a private key");
}

static bool decrypt(EVP_CIPHER_CTX *ctx, const struct buf *data, struct span text,
                    unsigned char *secret)
{
    int len = 0, rest = 0;
    size_t body = text.len - HEAD_SIZE - TAG_SIZE;
    const unsigned char *octets = (const unsigned char *)text.data;
    unsigned char tag[TAG_SIZE];
    memcpy(tag, octets + HEAD_SIZE + body, TAG_SIZE);
    return EVP_DecryptUpdate(ctx, NULL, &len, (const unsigned char *)data->data, (int)data->len) ==
               1 &&
           EVP_DecryptUpdate(ctx, secret, &len, octets + HEAD_SIZE, (int)body) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, secret + len, &rest) == 1;
}

static bool well_formed(struct span envelope)
{
    return envelope.len > HEAD_SIZE + TAG_SIZE && envelope.len <= INT32_MAX &&
           envelope.data[0] == FORMAT;
}

enum status vault_unseal(const struct vault *vault, const struct vault_binding *binding,
                         const struct vault_envelope *envelope, struct buf *secret_out,
                         struct err *err)
{
    const struct kek *kek = kek_named(vault, envelope->kek);
    if (kek == NULL)
        return err_set(err, ST_BROKEN, "key-encryption key %s is not in the keyring",
                       envelope->kek);
    if (!well_formed(envelope->octets))
        return err_set(err, ST_BROKEN, "the sealed private key is cut or of an unknown format");
    struct buf data = {0};
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    associated_data(binding, kek->id, &data);
    size_t start = secret_out->len;
    unsigned char *out = buf_extend(secret_out, envelope->octets.len - HEAD_SIZE - TAG_SIZE);
    const unsigned char *nonce = (const unsigned char *)envelope->octets.data + 1;
    bool good = out != NULL && ctx != NULL && data.failed == ST_OK &&
                EVP_DecryptInit_ex2(ctx, vault->cipher, kek->octets, nonce, NULL) == 1 &&
                decrypt(ctx, &data, envelope->octets, out);
    EVP_CIPHER_CTX_free(ctx);
    buf_clear(&data);
    if (good)
        return ST_OK;
    if (out != NULL)
        bytes_wipe(out, secret_out->len - start);
    buf_truncate(secret_out, start);
    return err_set(err, ST_BROKEN,
                   "the sealed private key does not open under %s: it was changed, or sealed "
                   "for another tenant, domain, selector or algorithm",
                   kek->id);
}

/* -- key records -------------------------------------------------------------------------- */

struct vault_binding vault_binding_of(const char *tenant, const struct key *key)
{
    return (struct vault_binding){
        .tenant = tenant,
        .domain = key->domain,
        .selector = key->selector,
        .algorithm = dkim_algorithm_name((enum dkim_algorithm)key->algorithm),
    };
}

/* All that decides what unsealing gives: not only nonce and tag, which an envelope with a changed
 * ciphertext would have in common with the one that did open. */
enum status vault_fingerprint(const char *tenant, const struct key *key,
                              uint8_t out[VAULT_FINGERPRINT_SIZE], struct err *err)
{
    struct vault_binding binding = vault_binding_of(tenant, key);
    struct buf data = {0};
    buf_printf(&data, "%zu|", key->sealed.len);
    associated_data(&binding, key->kek != NULL ? key->kek : "", &data);
    buf_append_span(&data, buf_span(&key->sealed));
    bool good =
        data.failed == ST_OK && EVP_Digest(data.data, data.len, out, NULL, EVP_sha256(), NULL) == 1;
    buf_clear(&data);
    return good ? ST_OK : err_set(err, ST_TEMP, "no memory");
}
