/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/crypto.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const char *const algorithm_names[DKIM_ALGORITHMS] = {
    [DKIM_RSA_SHA256] = "rsa-sha256",
    [DKIM_ED25519_SHA256] = "ed25519-sha256",
};

const char *dkim_algorithm_name(enum dkim_algorithm algorithm)
{
    return algorithm_names[algorithm];
}

enum status dkim_algorithm_parse(struct span name, enum dkim_algorithm *out, struct err *err)
{
    for (enum dkim_algorithm i = 0; i < DKIM_ALGORITHMS; i++) {
        if (span_equal(name, span_str(algorithm_names[i]))) {
            *out = i;
            return ST_OK;
        }
    }
    if (span_equal(name, SPAN_LIT("rsa-sha1")))
        return err_set(err, ST_INVALID, "rsa-sha1 must not be used any more (RFC 8301)");
    return err_set(err, ST_INVALID,
                   "no signature algorithm but rsa-sha256 and ed25519-sha256 is known");
}

/* -- SHA-256 ------------------------------------------------------------------------------ */

/* Words and line ends come in small pieces, and a call into OpenSSL costs as much as hashing
 * fifty octets: they are gathered first. */
enum { GATHERED_MAX = 2048 };

struct dkim_hash {
    EVP_MD_CTX *context;
    bool failed;
    size_t gathered;
    uint8_t pending[GATHERED_MAX];
};

/* Fetched once for the life of the process: a fetch costs more than hashing a header. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

struct dkim_hash *dkim_hash_new(void)
{
    struct dkim_hash *hash = malloc(sizeof *hash);

    if (!hash)
        return NULL;
    pthread_once(&sha256_once, fetch_sha256);
    hash->context = EVP_MD_CTX_new();
    if (!hash->context) {
        free(hash);
        return NULL;
    }
    dkim_hash_reset(hash);
    return hash;
}

void dkim_hash_free(struct dkim_hash *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    free(hash);
}

void dkim_hash_reset(struct dkim_hash *hash)
{
    hash->gathered = 0;
    hash->failed = !sha256 || EVP_DigestInit_ex2(hash->context, sha256, NULL) != 1;
}

static void hash_now(struct dkim_hash *hash, const void *data, size_t len)
{
    if (len && !hash->failed)
        hash->failed = EVP_DigestUpdate(hash->context, data, len) != 1;
}

void dkim_hash_add(struct dkim_hash *hash, const void *data, size_t len)
{
    if (len > GATHERED_MAX - hash->gathered) {
        hash_now(hash, hash->pending, hash->gathered);
        hash->gathered = 0;
    }
    if (len > GATHERED_MAX) {
        hash_now(hash, data, len);
    } else if (len) {
        memcpy(hash->pending + hash->gathered, data, len);
        hash->gathered += len;
    }
}

void dkim_hash_copy(struct dkim_hash *to, const struct dkim_hash *from)
{
    to->failed = from->failed || EVP_MD_CTX_copy_ex(to->context, from->context) != 1;
    to->gathered = from->gathered;
    memcpy(to->pending, from->pending, from->gathered);
}

enum status dkim_hash_end(struct dkim_hash *hash, uint8_t digest[DKIM_DIGEST_SIZE], struct err *err)
{
    hash_now(hash, hash->pending, hash->gathered);
    hash->gathered = 0;
    bool ok = !hash->failed && EVP_DigestFinal_ex(hash->context, digest, NULL) == 1;
    /* Until the next reset there is nothing more to be had from it. */
    hash->failed = true;
    return ok ? ST_OK : err_set(err, ST_BROKEN, "SHA-256 failed in OpenSSL");
}

/* -- base64 ------------------------------------------------------------------------------- */

void dkim_base64_encode(struct span in, struct buf *out)
{
    size_t len = (in.len + 2) / 3 * 4;
    /* EVP_EncodeBlock writes a NUL behind its text. */
    unsigned char *at = buf_extend(out, len + 1);

    if (!at)
        return;
    EVP_EncodeBlock(at, (const unsigned char *)in.data, (int)in.len);
    buf_truncate(out, out->len - 1);
}

/* The six bits of a character, or -1. Written out because EVP_DecodeBlock lets pass what RFC
 * 6376 does not: hyphens, white space of other kinds, bits left over. */
static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (ascii_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes what stands before the padding; *chars_out and *left_out (bits not yet a whole
 * octet) say how it ended. */
static const char *decode_sextets(struct span *in, struct buf *out, size_t *chars_out,
                                  unsigned *left_out)
{
    unsigned bits = 0, held = 0;
    size_t chars = 0;

    for (; in->len; *in = span_from(*in, 1)) {
        char c = in->data[0];
        if (ascii_wsp(c) || c == '\r' || c == '\n')
            continue;
        if (c == '=')
            break;
        int six = sextet(c);
        if (six < 0)
            return "a character that is none of base64";
        bits = bits << 6 | (unsigned)six;
        held += 6;
        chars++;
        if (held >= 8) {
            held -= 8;
            buf_append_char(out, (char)(bits >> held & 0xff));
        }
        bits &= (1u << held) - 1;
    }
    *chars_out = chars;
    *left_out = bits;
    return NULL;
}

enum status dkim_base64_decode(struct span in, struct buf *out, struct err *err)
{
    size_t start = out->len, chars = 0, padding = 0;
    unsigned left = 0;
    const char *fault = decode_sextets(&in, out, &chars, &left);

    for (; !fault && in.len; in = span_from(in, 1)) {
        if (in.data[0] == '=')
            padding++;
        else if (!ascii_wsp(in.data[0]) && in.data[0] != '\r' && in.data[0] != '\n')
            fault = "something after the padding";
    }
    if (!fault && (chars % 4 == 1 || padding != (4 - chars % 4) % 4))
        fault = "wrong padding";
    if (!fault && left)
        fault = "bits left over";
    if (fault) {
        buf_truncate(out, start);
        return err_set(err, ST_INVALID, "not base64: %s", fault);
    }
    return buf_check(out, "decoded base64", err);
}
