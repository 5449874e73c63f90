/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/crypto.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

enum { PEM_FILE_MAX = 65536 };

/* One block of a PEM file, decoded. */
struct block {
    char *label;
    char *header;
    unsigned char *octets;
    long len;
};

static void block_clear(struct block *block)
{
    OPENSSL_free(block->label);
    OPENSSL_free(block->header);
    OPENSSL_clear_free(block->octets, block->len > 0 ? (size_t)block->len : 0);
    *block = (struct block){NULL, NULL, NULL, 0};
}

/* What people hand over instead of a key that can be used. */
static const struct {
    const char *label, *what;
} others[] = {
    {PEM_STRING_X509, "a certificate, not a private key"},
    {PEM_STRING_X509_OLD, "a certificate, not a private key"},
    {PEM_STRING_X509_TRUSTED, "a certificate, not a private key"},
    {PEM_STRING_X509_REQ, "a certificate request, not a private key"},
    {PEM_STRING_PUBLIC, "a public key, not a private one"},
    {PEM_STRING_RSA_PUBLIC, "a public key, not a private one"},
    {PEM_STRING_PKCS8, "an encrypted key; decrypt it first (openssl pkey)"},
    {PEM_STRING_ECPRIVATEKEY, "an EC key; DKIM knows RSA and Ed25519 only"},
    {PEM_STRING_ECPARAMETERS, "an EC key; DKIM knows RSA and Ed25519 only"},
    {PEM_STRING_DSA, "a DSA key; DKIM knows RSA and Ed25519 only"},
    {PEM_STRING_DSAPARAMS, "a DSA key; DKIM knows RSA and Ed25519 only"},
    {"OPENSSH PRIVATE KEY", "an OpenSSH key; convert it to PEM first (ssh-keygen -p -m PEM)"},
};

static enum status refuse_label(const char *label, struct err *err)
{
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(label, others[i].label) == 0)
            return err_set(err, ST_INVALID, "%s", others[i].what);
    }
    return err_set(err, ST_INVALID, "a PEM block of another kind, not a private key");
}

/* Reads the only block there is, of one of the two kinds that hold a private key in the open.
 * PEM_read_bio asks nobody for a passphrase. */
static enum status read_block(struct span pem, struct block *out, struct err *err)
{
    struct block next = {NULL, NULL, NULL, 0};
    enum status status = ST_OK;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);

    if (!bio)
        return err_set(err, ST_TEMP, "no memory to read a key");
    if (PEM_read_bio(bio, &out->label, &out->header, &out->octets, &out->len) != 1)
        status = err_set(err, ST_INVALID, "no PEM block");
    else if (strcmp(out->label, PEM_STRING_PKCS8INF) != 0 &&
             strcmp(out->label, PEM_STRING_RSA) != 0)
        status = refuse_label(out->label, err);
    else if (PEM_read_bio(bio, &next.label, &next.header, &next.octets, &next.len) == 1)
        status = err_set(err, ST_INVALID, "more than one PEM block; which one is meant?");
    block_clear(&next);
    BIO_free(bio);
    return status;
}

/* The seed is an OCTET STRING of its own inside the PKCS#8 one (RFC 8410 7). */
static enum status append_seed(struct span inner, struct buf *out, struct err *err)
{
    if (inner.len != 34 || inner.data[0] != V_ASN1_OCTET_STRING || inner.data[1] != 32)
        return err_set(err, ST_INVALID, "not an Ed25519 private key");
    buf_append_span(out, span_from(inner, 2));
    return ST_OK;
}

static enum status unpack_pkcs8(const struct block *block, enum dkim_algorithm *algorithm_out,
                                struct buf *out, struct err *err)
{
    const unsigned char *at = block->octets, *inner = NULL;
    const ASN1_OBJECT *kind = NULL;
    int inner_len = 0;
    enum status status = ST_OK;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, block->len);

    if (!info || at != block->octets + block->len ||
        PKCS8_pkey_get0(&kind, &inner, &inner_len, NULL, info) != 1) {
        status = err_set(err, ST_INVALID, "not a PKCS#8 private key");
        goto out;
    }
    struct span octets = span_of((const char *)inner, (size_t)inner_len);
    int nid = OBJ_obj2nid(kind);
    if (nid == NID_rsaEncryption) {
        *algorithm_out = DKIM_RSA_SHA256;
        buf_append_span(out, octets);
    } else if (nid == NID_ED25519) {
        *algorithm_out = DKIM_ED25519_SHA256;
        status = append_seed(octets, out, err);
    } else {
        const char *name = nid == NID_X9_62_id_ecPublicKey ? "EC"
                           : nid == NID_dsa                ? "DSA"
                           : nid == NID_undef              ? "unknown"
                                                           : OBJ_nid2sn(nid);
        status =
            err_set(err, ST_INVALID, "a key of kind %s; DKIM knows RSA and Ed25519 only", name);
    }
out:
    PKCS8_PRIV_KEY_INFO_free(info);
    return status;
}

static enum status unpack_block(const struct block *block, enum dkim_algorithm *algorithm_out,
                                struct buf *out, struct err *err)
{
    if (strstr(block->header, "ENCRYPTED"))
        return err_set(err, ST_INVALID, "an encrypted key; decrypt it first (openssl pkey)");
    if (strcmp(block->label, PEM_STRING_PKCS8INF) == 0)
        return unpack_pkcs8(block, algorithm_out, out, err);
    *algorithm_out = DKIM_RSA_SHA256;
    buf_append(out, block->octets, (size_t)block->len);
    return ST_OK;
}

enum status dkim_key_import(struct span pem, enum dkim_algorithm *algorithm_out,
                            struct buf *private_out, struct err *err)
{
    struct block block = {NULL, NULL, NULL, 0};
    struct buf octets = BUF_SECRET(PEM_FILE_MAX);
    struct dkim_key *key = NULL;
    enum status status;

    if (!span_trim(pem).len)
        return err_set(err, ST_INVALID, "the file is empty");
    if (pem.len > PEM_FILE_MAX)
        return err_set(err, ST_INVALID, "a key file of more than %d octets", PEM_FILE_MAX);
    status = read_block(pem, &block, err);
    if (status == ST_OK)
        status = unpack_block(&block, algorithm_out, &octets, err);
    if (status == ST_OK)
        status = buf_check(&octets, "private key", err);
    if (status == ST_OK)
        status = dkim_key_parse(*algorithm_out, buf_span(&octets), &key, err);
    if (status == ST_OK)
        status = dkim_key_check(key, err);
    if (status == ST_OK) {
        buf_append_span(private_out, buf_span(&octets));
        status = buf_check(private_out, "private key", err);
    }
    dkim_key_free(key);
    buf_clear(&octets);
    block_clear(&block);
    return status;
}

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

enum status dkim_key_look(struct span octets, enum dkim_key_kind *kind_out, int *bits_out,
                          struct err *err)
{
    EVP_PKEY *key = NULL;
    if (!octets.len || octets.len > PEM_FILE_MAX)
        return err_set(err, ST_INVALID, "empty, or more than %d octets", PEM_FILE_MAX);
    BIO *bio = BIO_new_mem_buf(octets.data, (int)octets.len);
    if (!bio)
        return err_set(err, ST_TEMP, "no memory to read a key");
    if (span_has_prefix(octets, SPAN_LIT("-----")))
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    else
        key = d2i_PrivateKey_bio(bio, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (!key)
        return err_set(err, ST_INVALID, "no private key in the open");
    int base = EVP_PKEY_get_base_id(key);
    *kind_out = base == EVP_PKEY_RSA       ? DKIM_KEY_RSA
                : base == EVP_PKEY_ED25519 ? DKIM_KEY_ED25519
                                           : DKIM_KEY_OTHER;
    *bits_out = EVP_PKEY_get_bits(key);
    EVP_PKEY_free(key);
    return ST_OK;
}
