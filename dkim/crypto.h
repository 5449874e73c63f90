/* SPDX-License-Identifier: Apache-2.0
 *
 * What DKIM needs of OpenSSL, and the only file of dkim/ that sees it: SHA-256, base64, keys.
 *
 * A private key exists in one sealed-able form, its octets: RSAPrivateKey DER (PKCS#1) for
 * rsa-sha256 and the raw 32-octet seed for ed25519-sha256 (loading those costs microseconds,
 * PEM costs hundreds). A parsed key is immutable and may be used by any number of threads.
 */
#ifndef INKAN_DKIM_CRYPTO_H
#define INKAN_DKIM_CRYPTO_H

#include "base/bytes.h"

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256, DKIM_ALGORITHMS };

enum {
    DKIM_DIGEST_SIZE = 32,
    DKIM_RSA_BITS_MIN = 1024, /* RFC 8301 3.2 */
    DKIM_RSA_BITS_MAX = 4096,
    DKIM_SIGNATURE_MAX = DKIM_RSA_BITS_MAX / 8,
    DKIM_PRIVATE_MAX = 4096, /* octets of a private key's sealed-able form */
};

/* "rsa-sha256", "ed25519-sha256" */
const char *dkim_algorithm_name(enum dkim_algorithm algorithm);
/* ST_INVALID for every other name; rsa-sha1 is told apart by its text (RFC 8301 3.1). */
enum status dkim_algorithm_parse(struct span name, enum dkim_algorithm *out,
                                 struct err *err) MUST_CHECK;

/* -- SHA-256 ------------------------------------------------------------------------------ */
struct dkim_hash;                                 /* one running digest; one thread at a time */
struct dkim_hash *dkim_hash_new(void) MUST_CHECK; /* NULL when memory is short */
void dkim_hash_free(struct dkim_hash *hash);
void dkim_hash_reset(struct dkim_hash *hash);
void dkim_hash_add(struct dkim_hash *hash, const void *data, size_t len);
/* Makes `to` a copy of the state of `from`. */
void dkim_hash_copy(struct dkim_hash *to, const struct dkim_hash *from);
/* Ends the digest; ST_BROKEN if any step before had failed in OpenSSL. */
enum status dkim_hash_end(struct dkim_hash *hash, uint8_t digest[DKIM_DIGEST_SIZE],
                          struct err *err) MUST_CHECK;

/* -- base64 (RFC 4648 4) ------------------------------------------------------------------ */
void dkim_base64_encode(struct span in, struct buf *out);
/* SP, HTAB, CR and LF between characters are skipped (RFC 6376 2.10, 3.2); anything else, wrong
 * padding or bits left over are ST_INVALID. */
enum status dkim_base64_decode(struct span in, struct buf *out, struct err *err) MUST_CHECK;

/* -- private keys ------------------------------------------------------------------------- */
struct dkim_key; /* a parsed private key: constant, so any threads may sign with it at once */

/* Parses the sealed-able form. ST_INVALID when it is none, is over or under the sizes allowed,
 * or (RSA) not consistent in itself is only found by dkim_key_check. */
enum status dkim_key_parse(enum dkim_algorithm algorithm, struct span private_octets,
                           struct dkim_key **out, struct err *err) MUST_CHECK;
/* One more reference, which is the answer as well. Parsing gives the first. */
struct dkim_key *dkim_key_ref(struct dkim_key *key);
/* Drops a reference; the last one wipes and frees. NULL is fine. */
void dkim_key_free(struct dkim_key *key);
/* The full test of a key from outside: primes, exponents, a signature made and verified. */
enum status dkim_key_check(const struct dkim_key *key, struct err *err) MUST_CHECK;
/* Makes a new key; its sealed-able form goes into the secret buffer. bits is for RSA only. */
enum status dkim_key_generate(enum dkim_algorithm algorithm, int bits, struct buf *private_out,
                              struct err *err) MUST_CHECK;
/* Reads a PEM private key (PKCS#1 or PKCS#8; RSA or Ed25519; not encrypted) from a file's
 * content. ST_INVALID says what else it is: a certificate, a public key, an encrypted key, an
 * EC key, a key of 512 bits, no PEM at all. */
enum status dkim_key_import(struct span pem, enum dkim_algorithm *algorithm_out,
                            struct buf *private_out, struct err *err) MUST_CHECK;
/* What somebody else's program would make of octets as a private key: PEM (whatever blocks are
 * before the key) when they begin with `-----`, else DER. Looked at only: kinds and sizes that are
 * refused everywhere else have an answer here. ST_INVALID: no private key in the open. */
enum dkim_key_kind { DKIM_KEY_RSA, DKIM_KEY_ED25519, DKIM_KEY_OTHER };
enum status dkim_key_look(struct span octets, enum dkim_key_kind *kind_out, int *bits_out,
                          struct err *err) MUST_CHECK;
/* The private key as PKCS#8 PEM, for an export asked for by name. */
enum status dkim_key_export(const struct dkim_key *key, struct buf *pem_out,
                            struct err *err) MUST_CHECK;
/* The public half as it stands in p= before base64: SubjectPublicKeyInfo DER for RSA
 * (RFC 6376 3.6.1), the raw 32 octets for Ed25519 (RFC 8463 4). */
enum status dkim_key_public(const struct dkim_key *key, struct buf *out,
                            struct err *err) MUST_CHECK;
enum dkim_algorithm dkim_key_algorithm(const struct dkim_key *key);
int dkim_key_bits(const struct dkim_key *key); /* 256 for Ed25519 */
/* Octets of memory the key holds once it has signed, for the cache's account. */
size_t dkim_key_bytes(const struct dkim_key *key);
/* Signs a SHA-256 digest: RSASSA-PKCS1-v1_5, or PureEdDSA over the digest (RFC 8463 3). */
enum status dkim_key_sign(const struct dkim_key *key, const uint8_t digest[DKIM_DIGEST_SIZE],
                          struct buf *signature_out, struct err *err) MUST_CHECK;

/* -- public keys -------------------------------------------------------------------------- */
struct dkim_public_key;
/* `octets` as in p=. ST_INVALID when it is no such key or (RSA) under `minimum_bits` or over
 * DKIM_RSA_BITS_MAX. */
enum status dkim_public_key_parse(enum dkim_algorithm algorithm, struct span octets,
                                  int minimum_bits, struct dkim_public_key **out,
                                  struct err *err) MUST_CHECK;
void dkim_public_key_free(struct dkim_public_key *key);
int dkim_public_key_bits(const struct dkim_public_key *key);
/* ST_OK, or ST_DENIED when the signature is not by this key over this digest. */
enum status dkim_public_key_verify(const struct dkim_public_key *key,
                                   const uint8_t digest[DKIM_DIGEST_SIZE], struct span signature,
                                   struct err *err) MUST_CHECK;

#endif
