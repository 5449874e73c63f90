/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/sealed.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "dkim/domain.h"
#include "storage/packed.h"

enum { NONCE_SIZE = 12, TAG_SIZE = 16, HEAD_SIZE = 1 + NONCE_SIZE, NAME_OCTETS = 32 };

#define NAME_PREFIX "inkan1:"

struct sealed {
    EVP_CIPHER *cipher;
    EVP_MAC_CTX *names; /* keyed and never fed: each name starts from a copy */
    uint8_t key[VAULT_DERIVED_SIZE];
};

/* -- keys --------------------------------------------------------------------------------- */

static enum status derive(const struct vault *vault, const char *purpose,
                          uint8_t key[VAULT_DERIVED_SIZE], struct err *err)
{
    struct buf label = {0};
    buf_printf(&label, "inkan memcached %s %d ", purpose, SEALED_FORMAT);
    packed_layout(&label);
    enum status st = buf_check(&label, "label", err);
    if (st == ST_OK)
        st = vault_derive(vault, buf_span(&label), key, err);
    buf_clear(&label);
    return st;
}

static enum status prepare_names(struct sealed *sealed, const uint8_t key[VAULT_DERIVED_SIZE],
                                 struct err *err)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (hmac != NULL)
        sealed->names = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac); /* the context has its own reference */
    if (sealed->names == NULL || EVP_MAC_init(sealed->names, key, VAULT_DERIVED_SIZE, params) != 1)
        return err_set(err, ST_BROKEN, "OpenSSL has no HMAC-SHA256");
    return ST_OK;
}

enum status sealed_open(const struct vault *vault, struct sealed **out, struct err *err)
{
    uint8_t name_key[VAULT_DERIVED_SIZE] = {0};
    struct sealed *sealed = calloc(1, sizeof *sealed);
    if (sealed == NULL)
        return err_set(err, ST_TEMP, "no memory");
    enum status st = derive(vault, "names", name_key, err);
    if (st == ST_OK)
        st = derive(vault, "entries", sealed->key, err);
    if (st == ST_OK)
        st = prepare_names(sealed, name_key, err);
    bytes_wipe(name_key, sizeof name_key);
    if (st == ST_OK && (sealed->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL)) == NULL)
        st = err_set(err, ST_BROKEN, "OpenSSL has no AES-256-GCM");
    if (st != ST_OK) {
        sealed_close(sealed);
        return st;
    }
    *out = sealed;
    return ST_OK;
}

void sealed_close(struct sealed *sealed)
{
    if (sealed == NULL)
        return;
    EVP_CIPHER_free(sealed->cipher);
    EVP_MAC_CTX_free(sealed->names); /* wipes its key */
    bytes_wipe(sealed, sizeof *sealed);
    free(sealed);
}

/* -- names -------------------------------------------------------------------------------- */

bool sealed_name(const struct sealed *sealed, const char *domain, char out[SEALED_NAME_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char octets[NAME_OCTETS];
    size_t len = 0;
    if (strlen(domain) >= DKIM_DOMAIN_SIZE)
        return false;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(sealed->names);
    bool good = ctx != NULL &&
                EVP_MAC_update(ctx, (const unsigned char *)domain, strlen(domain)) == 1 &&
                EVP_MAC_final(ctx, octets, &len, sizeof octets) == 1 && len == sizeof octets;
    EVP_MAC_CTX_free(ctx);
    if (!good)
        return false;
    memcpy(out, NAME_PREFIX, sizeof NAME_PREFIX);
    char *end = out + sizeof NAME_PREFIX - 1;
    for (size_t i = 0; i < sizeof octets; i++) {
        *end++ = digits[octets[i] >> 4];
        *end++ = digits[octets[i] & 15];
    }
    *end = '\0';
    return true;
}

/* -- contents ----------------------------------------------------------------------------- */

/* The format's octet, then the domain's name. */
static size_t associated_data(const char *domain, unsigned char data[1 + DKIM_DOMAIN_SIZE])
{
    size_t len = strnlen(domain, DKIM_DOMAIN_SIZE);
    data[0] = SEALED_FORMAT;
    memcpy(data + 1, domain, len);
    return 1 + len;
}

bool sealed_wrap(const struct sealed *sealed, const char *domain, struct span content,
                 struct buf *entry)
{
    unsigned char data[1 + DKIM_DOMAIN_SIZE];
    size_t data_len = associated_data(domain, data), start = entry->len;
    int len = 0, rest = 0;
    if (content.len > INT32_MAX)
        return false;
    unsigned char *out = buf_extend(entry, content.len + SEALED_EXTRA);
    EVP_CIPHER_CTX *ctx = out != NULL ? EVP_CIPHER_CTX_new() : NULL;
    bool good = ctx != NULL;
    if (good) {
        out[0] = SEALED_FORMAT;
        good = RAND_bytes(out + 1, NONCE_SIZE) == 1 &&
               EVP_EncryptInit_ex2(ctx, sealed->cipher, sealed->key, out + 1, NULL) == 1 &&
               EVP_EncryptUpdate(ctx, NULL, &len, data, (int)data_len) == 1 &&
               EVP_EncryptUpdate(ctx, out + HEAD_SIZE, &len, (const unsigned char *)content.data,
                                 (int)content.len) == 1 &&
               EVP_EncryptFinal_ex(ctx, out + HEAD_SIZE + len, &rest) == 1 &&
               EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_SIZE,
                                   out + HEAD_SIZE + content.len) == 1;
    }
    EVP_CIPHER_CTX_free(ctx);
    if (!good && out != NULL)
        buf_truncate(entry, start);
    return good;
}

bool sealed_unwrap(const struct sealed *sealed, const char *domain, struct span entry,
                   struct buf *content)
{
    unsigned char data[1 + DKIM_DOMAIN_SIZE], tag[TAG_SIZE];
    size_t data_len = associated_data(domain, data), start = content->len;
    int len = 0, rest = 0;
    if (entry.len <= SEALED_EXTRA || entry.len > INT32_MAX || entry.data[0] != SEALED_FORMAT)
        return false;
    const unsigned char *octets = (const unsigned char *)entry.data;
    size_t body = entry.len - SEALED_EXTRA;
    memcpy(tag, octets + HEAD_SIZE + body, TAG_SIZE);
    unsigned char *out = buf_extend(content, body);
    EVP_CIPHER_CTX *ctx = out != NULL ? EVP_CIPHER_CTX_new() : NULL;
    bool good = ctx != NULL &&
                EVP_DecryptInit_ex2(ctx, sealed->cipher, sealed->key, octets + 1, NULL) == 1 &&
                EVP_DecryptUpdate(ctx, NULL, &len, data, (int)data_len) == 1 &&
                EVP_DecryptUpdate(ctx, out, &len, octets + HEAD_SIZE, (int)body) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_SIZE, tag) == 1 &&
                EVP_DecryptFinal_ex(ctx, out + len, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!good && out != NULL)
        buf_truncate(content, start);
    return good;
}
