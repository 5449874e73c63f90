/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/crypto.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { ED25519_BITS = 256, ED25519_SEED_SIZE = 32 };

struct dkim_key {
    atomic_uint refs;
    enum dkim_algorithm algorithm;
    int bits;
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *ready; /* RSA: ready to sign; only ever copied, so threads may share it */
};

/* -- parsing ------------------------------------------------------------------------------ */

/* RSAPrivateKey (RFC 8017 A.1.2) is read here, integer by integer: the decoders of OpenSSL 3.0
 * take thirty times as long, and its older function leaves a key in a form that every first
 * signature has to convert (docs/performance.md). */
static const char *const rsa_parts[] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};
enum { RSA_PARTS = sizeof rsa_parts / sizeof rsa_parts[0] };

/* Takes the head of one DER value off *rest; its content is what *rest then begins with. */
static bool der_open(struct span *rest, int wanted, size_t *len_out)
{
    const unsigned char *at = (const unsigned char *)rest->data;
    long len;
    int tag, class;

    if (!rest->len)
        return false;
    int form = ASN1_get_object(&at, &len, &tag, &class, (long)rest->len);
    if (form & 0x81 || tag != wanted || class != V_ASN1_UNIVERSAL) /* error or no length */
        return false;
    *rest = span_from(*rest, (size_t)((const char *)at - rest->data));
    *len_out = (size_t)len;
    return true;
}

static bool der_integer(struct span *rest, struct span *content_out)
{
    size_t len;

    if (!der_open(rest, V_ASN1_INTEGER, &len) || !len || rest->data[0] & 0x80)
        return false;
    *content_out = span_head(*rest, len);
    *rest = span_from(*rest, len);
    return true;
}

static bool der_rsa_parts(struct span der, struct span parts[RSA_PARTS])
{
    struct span version;
    size_t len;

    if (!der_open(&der, V_ASN1_SEQUENCE, &len) || len != der.len)
        return false;
    /* Version 1 is a key of more than two primes, which nobody has. */
    if (!der_integer(&der, &version) || version.len != 1 || version.data[0] != 0)
        return false;
    for (size_t i = 0; i < RSA_PARTS; i++) {
        if (!der_integer(&der, &parts[i]))
            return false;
    }
    return der.len == 0;
}

/* The size of a number that is not negative. */
static int der_bits(struct span number)
{
    while (number.len && !number.data[0])
        number = span_from(number, 1);
    int bits = (int)number.len * 8;
    for (unsigned top = number.len ? (unsigned char)number.data[0] : 0x80; !(top & 0x80); top <<= 1)
        bits--;
    return bits;
}

/* In secure numbers, so that OpenSSL wipes what it copies of them. */
static bool push_parts(OSSL_PARAM_BLD *build, const struct span parts[RSA_PARTS],
                       BIGNUM *numbers[RSA_PARTS])
{
    for (size_t i = 0; i < RSA_PARTS; i++) {
        numbers[i] = BN_secure_new();
        if (!numbers[i] ||
            !BN_bin2bn((const unsigned char *)parts[i].data, (int)parts[i].len, numbers[i]) ||
            OSSL_PARAM_BLD_push_BN(build, rsa_parts[i], numbers[i]) != 1)
            return false;
    }
    return true;
}

static EVP_PKEY *rsa_from_parts(const struct span parts[RSA_PARTS])
{
    BIGNUM *numbers[RSA_PARTS] = {NULL};
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

    if (context && build && push_parts(build, parts, numbers))
        params = OSSL_PARAM_BLD_to_param(build);
    if (!params || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_KEYPAIR, params) != 1)
        pkey = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(context);
    for (size_t i = 0; i < RSA_PARTS; i++)
        BN_clear_free(numbers[i]);
    return pkey;
}

static enum status rsa_size_check(int bits, struct err *err)
{
    if (bits < DKIM_RSA_BITS_MIN || bits > DKIM_RSA_BITS_MAX)
        return err_set(err, ST_INVALID, "an RSA key of %d bits, but %d to %d are allowed", bits,
                       DKIM_RSA_BITS_MIN, DKIM_RSA_BITS_MAX);
    return ST_OK;
}

static enum status parse_rsa(struct dkim_key *key, struct span octets, struct err *err)
{
    struct span parts[RSA_PARTS];

    if (!der_rsa_parts(octets, parts))
        return err_set(err, ST_INVALID, "not an RSAPrivateKey (PKCS#1)");
    key->bits = der_bits(parts[0]);
    enum status status = rsa_size_check(key->bits, err);
    if (status != ST_OK)
        return status;
    if (octets.len > DKIM_PRIVATE_MAX)
        return err_set(err, ST_INVALID, "a private key of more than %d octets", DKIM_PRIVATE_MAX);
    key->pkey = rsa_from_parts(parts);
    if (!key->pkey)
        return err_set(err, ST_INVALID, "OpenSSL does not take the numbers of the RSA key");
    key->ready = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (!key->ready || EVP_PKEY_sign_init(key->ready) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(key->ready, RSA_PKCS1_PADDING) != 1 ||
        EVP_PKEY_CTX_set_signature_md(key->ready, EVP_sha256()) != 1)
        return err_set(err, ST_BROKEN, "OpenSSL takes the RSA key but cannot sign with it");
    return ST_OK;
}

static enum status parse_ed25519(struct dkim_key *key, struct span seed, struct err *err)
{
    if (seed.len != ED25519_SEED_SIZE)
        return err_set(err, ST_INVALID, "an Ed25519 seed has 32 octets, not %zu", seed.len);
    key->bits = ED25519_BITS;
    key->pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL,
                                                (const unsigned char *)seed.data, seed.len);
    return key->pkey ? ST_OK : err_set(err, ST_TEMP, "no memory for an Ed25519 key");
}

enum status dkim_key_parse(enum dkim_algorithm algorithm, struct span private_octets,
                           struct dkim_key **out, struct err *err)
{
    *out = NULL;
    struct dkim_key *key = calloc(1, sizeof *key);
    if (!key)
        return err_set(err, ST_TEMP, "no memory for a key");
    atomic_init(&key->refs, 1);
    key->algorithm = algorithm;
    enum status status = algorithm == DKIM_RSA_SHA256 ? parse_rsa(key, private_octets, err)
                                                      : parse_ed25519(key, private_octets, err);
    if (status == ST_OK)
        *out = key;
    else
        dkim_key_free(key);
    return status;
}

struct dkim_key *dkim_key_ref(struct dkim_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

/* The last to free an EVP_PKEY wipes its private parts. */
void dkim_key_free(struct dkim_key *key)
{
    if (!key || atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
        return;
    EVP_PKEY_CTX_free(key->ready);
    EVP_PKEY_free(key->pkey);
    free(key);
}

enum dkim_algorithm dkim_key_algorithm(const struct dkim_key *key)
{
    return key->algorithm;
}

int dkim_key_bits(const struct dkim_key *key)
{
    return key->bits;
}

/* Measured: the numbers, their Montgomery forms and the blinding after the first signature
 * (tests/unit/test_dkim_crypto.c keeps this honest). */
size_t dkim_key_bytes(const struct dkim_key *key)
{
    if (key->algorithm == DKIM_ED25519_SHA256)
        return 640;
    return 2560 + (size_t)key->bits * 3 / 2;
}

/* -- making ------------------------------------------------------------------------------- */

static EVP_PKEY *generate(enum dkim_algorithm algorithm, int bits)
{
    if (algorithm == DKIM_RSA_SHA256)
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static enum status append_private(EVP_PKEY *pkey, enum dkim_algorithm algorithm, struct buf *out,
                                  struct err *err)
{
    unsigned char *octets = NULL;
    size_t len = ED25519_SEED_SIZE;

    if (algorithm == DKIM_RSA_SHA256) {
        int der_len = i2d_PrivateKey(pkey, &octets);
        len = der_len > 0 ? (size_t)der_len : 0;
    } else {
        octets = OPENSSL_malloc(len);
        if (octets && EVP_PKEY_get_raw_private_key(pkey, octets, &len) != 1)
            len = 0;
    }
    if (octets && len)
        buf_append(out, octets, len);
    OPENSSL_clear_free(octets, len);
    if (!octets || !len)
        return err_set(err, ST_BROKEN, "OpenSSL made a key but does not give it away");
    return buf_check(out, "private key", err);
}

enum status dkim_key_generate(enum dkim_algorithm algorithm, int bits, struct buf *private_out,
                              struct err *err)
{
    if (algorithm == DKIM_RSA_SHA256) {
        enum status status = rsa_size_check(bits, err);
        if (status != ST_OK)
            return status;
    }
    EVP_PKEY *pkey = generate(algorithm, bits);
    if (!pkey)
        return err_set(err, ST_BROKEN, "OpenSSL could not make a key");
    enum status status = append_private(pkey, algorithm, private_out, err);
    EVP_PKEY_free(pkey);
    return status;
}

enum status dkim_key_public(const struct dkim_key *key, struct buf *out, struct err *err)
{
    unsigned char raw[ED25519_SEED_SIZE];
    size_t raw_len = sizeof raw;
    unsigned char *der = NULL;

    if (key->algorithm == DKIM_ED25519_SHA256) {
        if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &raw_len) != 1)
            return err_set(err, ST_BROKEN, "OpenSSL does not give the public half of the key");
        buf_append(out, raw, raw_len);
    } else {
        int len = i2d_PUBKEY(key->pkey, &der);
        if (len <= 0)
            return err_set(err, ST_BROKEN, "OpenSSL does not give the public half of the key");
        buf_append(out, der, (size_t)len);
        OPENSSL_free(der);
    }
    return buf_check(out, "public key", err);
}

/* -- the whole test and the way out ------------------------------------------------------- */

static enum status check_signature(const struct dkim_key *key, struct err *err)
{
    static const uint8_t digest[DKIM_DIGEST_SIZE] = {0xd1, 0x9e, 0x57};
    struct buf public_octets = BUF_INIT(0), signature = BUF_INIT(0);
    struct dkim_public_key *public_key = NULL;

    enum status status = dkim_key_public(key, &public_octets, err);
    if (status == ST_OK)
        status = dkim_public_key_parse(key->algorithm, buf_span(&public_octets), DKIM_RSA_BITS_MIN,
                                       &public_key, err);
    if (status == ST_OK)
        status = dkim_key_sign(key, digest, &signature, err);
    if (status == ST_OK)
        status = dkim_public_key_verify(public_key, digest, buf_span(&signature), err);
    dkim_public_key_free(public_key);
    buf_clear(&signature);
    buf_clear(&public_octets);
    return status;
}

enum status dkim_key_check(const struct dkim_key *key, struct err *err)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);

    if (!context)
        return err_set(err, ST_TEMP, "no memory to check a key");
    bool consistent = EVP_PKEY_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    if (!consistent || check_signature(key, NULL) != ST_OK)
        return err_set(err, ST_INVALID, "the private key is not consistent in itself");
    return ST_OK;
}

enum status dkim_key_export(const struct dkim_key *key, struct buf *pem_out, struct err *err)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    long len = 0;

    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1)
        len = BIO_get_mem_data(bio, &text);
    if (len > 0)
        buf_append(pem_out, text, (size_t)len);
    BIO_free(bio);
    if (len <= 0)
        return err_set(err, ST_BROKEN, "OpenSSL could not write the key as PEM");
    return buf_check(pem_out, "private key", err);
}

/* -- signing ------------------------------------------------------------------------------ */

/* Copying a context costs 0.2 us, making one ready 3 us. */
static bool sign_rsa(const struct dkim_key *key, const uint8_t *digest, unsigned char *out,
                     size_t *len)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_dup(key->ready);
    bool ok = context && EVP_PKEY_sign(context, out, len, digest, DKIM_DIGEST_SIZE) == 1;

    EVP_PKEY_CTX_free(context);
    return ok;
}

/* RFC 8463 3: PureEdDSA, and its message is the digest. */
static bool sign_ed25519(const struct dkim_key *key, const uint8_t *digest, unsigned char *out,
                         size_t *len)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context &&
              EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, key->pkey, NULL) == 1 &&
              EVP_DigestSign(context, out, len, digest, DKIM_DIGEST_SIZE) == 1;

    EVP_MD_CTX_free(context);
    return ok;
}

enum status dkim_key_sign(const struct dkim_key *key, const uint8_t digest[DKIM_DIGEST_SIZE],
                          struct buf *signature_out, struct err *err)
{
    unsigned char signature[DKIM_SIGNATURE_MAX];
    size_t len = sizeof signature;
    bool ok = key->algorithm == DKIM_RSA_SHA256 ? sign_rsa(key, digest, signature, &len)
                                                : sign_ed25519(key, digest, signature, &len);

    if (!ok)
        return err_set(err, ST_BROKEN, "OpenSSL could not sign with the %s key",
                       dkim_algorithm_name(key->algorithm));
    buf_append(signature_out, signature, len);
    return buf_check(signature_out, "signature", err);
}
