/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/crypto.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

enum { ED25519_BITS = 256, ED25519_PUBLIC_SIZE = 32 };

struct dkim_public_key {
    enum dkim_algorithm algorithm;
    int bits;
    EVP_PKEY *pkey;
};

static enum status parse_rsa(struct dkim_public_key *key, struct span octets, int minimum_bits,
                             struct err *err)
{
    const unsigned char *at = (const unsigned char *)octets.data;

    key->pkey = d2i_PUBKEY(NULL, &at, (long)octets.len);
    if (!key->pkey || at != (const unsigned char *)octets.data + octets.len ||
        !EVP_PKEY_is_a(key->pkey, "RSA"))
        return err_set(err, ST_INVALID, "not an RSA public key (SubjectPublicKeyInfo)");
    key->bits = EVP_PKEY_get_bits(key->pkey);
    if (key->bits < minimum_bits)
        return err_set(err, ST_INVALID, "an RSA key of %d bits, under the minimum of %d", key->bits,
                       minimum_bits);
    if (key->bits > DKIM_RSA_BITS_MAX)
        return err_set(err, ST_INVALID, "an RSA key of %d bits, over the maximum of %d", key->bits,
                       DKIM_RSA_BITS_MAX);
    return ST_OK;
}

static enum status parse_ed25519(struct dkim_public_key *key, struct span octets, struct err *err)
{
    key->bits = ED25519_BITS;
    if (octets.len == ED25519_PUBLIC_SIZE)
        key->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL,
                                                   (const unsigned char *)octets.data, octets.len);
    return key->pkey ? ST_OK : err_set(err, ST_INVALID, "not an Ed25519 public key of 32 octets");
}

enum status dkim_public_key_parse(enum dkim_algorithm algorithm, struct span octets,
                                  int minimum_bits, struct dkim_public_key **out, struct err *err)
{
    struct dkim_public_key *key = calloc(1, sizeof *key);

    *out = NULL;
    if (!key)
        return err_set(err, ST_TEMP, "no memory for a public key");
    key->algorithm = algorithm;
    enum status status = algorithm == DKIM_RSA_SHA256 ? parse_rsa(key, octets, minimum_bits, err)
                                                      : parse_ed25519(key, octets, err);
    if (status == ST_OK)
        *out = key;
    else
        dkim_public_key_free(key);
    return status;
}

void dkim_public_key_free(struct dkim_public_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

int dkim_public_key_bits(const struct dkim_public_key *key)
{
    return key->bits;
}

static int verify_rsa(EVP_PKEY *pkey, const uint8_t *digest, struct span signature)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    int answer = -1;

    if (context && EVP_PKEY_verify_init(context) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1)
        answer = EVP_PKEY_verify(context, (const unsigned char *)signature.data, signature.len,
                                 digest, DKIM_DIGEST_SIZE) == 1;
    EVP_PKEY_CTX_free(context);
    return answer;
}

static int verify_ed25519(EVP_PKEY *pkey, const uint8_t *digest, struct span signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int answer = -1;

    if (context && EVP_DigestVerifyInit_ex(context, NULL, NULL, NULL, NULL, pkey, NULL) == 1)
        answer = EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.len,
                                  digest, DKIM_DIGEST_SIZE) == 1;
    EVP_MD_CTX_free(context);
    return answer;
}

enum status dkim_public_key_verify(const struct dkim_public_key *key,
                                   const uint8_t digest[DKIM_DIGEST_SIZE], struct span signature,
                                   struct err *err)
{
    int answer = key->algorithm == DKIM_RSA_SHA256 ? verify_rsa(key->pkey, digest, signature)
                                                   : verify_ed25519(key->pkey, digest, signature);

    if (answer < 0)
        return err_set(err, ST_BROKEN, "OpenSSL could not check a signature");
    if (answer == 0)
        return err_set(err, ST_DENIED, "the signature is not by this key over these octets");
    return ST_OK;
}
