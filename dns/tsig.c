/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/tsig.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum {
    HEADER_SIZE = 12,
    ADDITIONAL_COUNT_AT = 10, /* in the header */
    NAME_MAX_OCTETS = 255,    /* RFC 1035 2.3.4 */
    MESSAGE_MAX = UINT16_MAX,
    TYPE_TSIG = 250,
    CLASS_ANY = 255,
    RCODE_NOTAUTH = 9,
    ERROR_BADSIG = 16, /* RFC 8945 3 */
    ERROR_BADKEY = 17,
    ERROR_BADTIME = 18,
};

static const struct algorithm {
    const char *name; /* also as a domain name, RFC 8945 6 */
    const EVP_MD *(*digest)(void);
    size_t size; /* octets of a signature */
} algorithms[] = {
    [TSIG_HMAC_SHA256] = {"hmac-sha256", EVP_sha256, 32},
    [TSIG_HMAC_SHA384] = {"hmac-sha384", EVP_sha384, 48},
    [TSIG_HMAC_SHA512] = {"hmac-sha512", EVP_sha512, 64},
};

enum { ALGORITHM_COUNT = sizeof algorithms / sizeof algorithms[0] };

enum status tsig_algorithm_parse(struct span name, enum tsig_algorithm *out, struct err *err)
{
    static const char *const weak[] = {"hmac-md5", "hmac-md5.sig-alg.reg.int", "hmac-sha1",
                                       "hmac-sha224"};
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (span_equal_nocase(name, span_str(algorithms[i].name))) {
            *out = (enum tsig_algorithm)i;
            return ST_OK;
        }
    }
    for (size_t i = 0; i < sizeof weak / sizeof weak[0]; i++) {
        if (span_equal_nocase(name, span_str(weak[i])))
            return err_set(err, ST_INVALID,
                           "%s is too weak (hmac-sha256, hmac-sha384, hmac-sha512)", weak[i]);
    }
    return err_set(err, ST_INVALID,
                   "the algorithm is none of hmac-sha256, hmac-sha384, hmac-sha512");
}

/* -- names and numbers ---------------------------------------------------------------------- */

/* A domain name in its canonical form: lower case, not compressed. */
struct name {
    uint8_t octets[NAME_MAX_OCTETS];
    size_t len;
};

/* From a name that tsig_parse has checked, or an algorithm's. */
static struct name name_of(const char *text)
{
    struct name name = {.len = 0};
    struct span rest = span_str(text), label;
    while (span_next(&rest, '.', &label)) {
        name.octets[name.len++] = (uint8_t)label.len;
        for (size_t i = 0; i < label.len; i++)
            name.octets[name.len++] = (uint8_t)ascii_lower(label.data[i]);
    }
    name.octets[name.len++] = 0;
    return name;
}

static bool name_equal(const struct name *a, const struct name *b)
{
    return a->len == b->len && memcmp(a->octets, b->octets, a->len) == 0;
}

static void put_number(struct buf *out, uint64_t number, int octets)
{
    while (octets-- > 0)
        buf_append_char(out, (char)(number >> (8 * octets)));
}

static void put_name(struct buf *out, const struct name *name)
{
    buf_append(out, name->octets, name->len);
}

/* What is left to read of a message. Reading past its end gives zeros and sets `bad`. */
struct reader {
    const uint8_t *data;
    size_t len, at;
    bool bad;
};

static struct reader reader_of(struct span octets)
{
    return (struct reader){.data = (const uint8_t *)octets.data, .len = octets.len};
}

static struct span take(struct reader *reader, size_t len)
{
    struct span part = {NULL, 0};
    if (reader->bad || len > reader->len - reader->at) {
        reader->bad = true;
        return part;
    }
    part = span_of((const char *)reader->data + reader->at, len);
    reader->at += len;
    return part;
}

static uint64_t take_number(struct reader *reader, size_t octets)
{
    uint64_t number = 0;
    struct span part = take(reader, octets);
    for (size_t i = 0; i < part.len; i++)
        number = number << 8 | (uint8_t)part.data[i];
    return number;
}

/* The labels up to the next pointer or the end; whether it was a pointer, which is in *target_out.
 */
static bool take_labels(struct reader *reader, struct name *out, size_t *target_out)
{
    for (;;) {
        size_t len = take_number(reader, 1);
        if ((len & 0xc0) == 0xc0) {
            *target_out = (len & 0x3f) << 8 | take_number(reader, 1);
            return !reader->bad;
        }
        struct span label = take(reader, len);
        if (reader->bad || len > 63 || out->len + 1 + len > NAME_MAX_OCTETS) {
            reader->bad = true;
            return false;
        }
        out->octets[out->len++] = (uint8_t)len;
        for (size_t i = 0; i < len; i++)
            out->octets[out->len++] = (uint8_t)ascii_lower(label.data[i]);
        if (len == 0)
            return false;
    }
}

/* RFC 1035 4.1.4: pointers lead to earlier octets, and here each to earlier ones than the last, so
 * that there is an end. */
static struct name take_name(struct reader *reader)
{
    struct name name = {.len = 0};
    struct reader jumped = *reader;
    size_t lowest = reader->at, target = 0;
    bool pointer = take_labels(reader, &name, &target);
    jumped.bad = reader->bad;
    while (pointer && !jumped.bad) {
        jumped.bad = target >= lowest;
        jumped.at = lowest = target;
        pointer = !jumped.bad && take_labels(&jumped, &name, &target);
    }
    reader->bad = jumped.bad;
    return name;
}

/* -- the record ----------------------------------------------------------------------------- */

/* RFC 8945 4.2: the data of a TSIG record. */
struct signature {
    struct name key, algorithm;
    uint64_t time_s;
    unsigned fudge_s, id, error;
    struct span mac, other;
    size_t start; /* of the record in its message */
};

/* The parts of the record that are signed with the message, RFC 8945 4.3.3. */
static void put_variables(struct buf *out, const struct signature *signature)
{
    put_name(out, &signature->key);
    put_number(out, CLASS_ANY, 2);
    put_number(out, 0, 4);
    put_name(out, &signature->algorithm);
    put_number(out, signature->time_s, 6);
    put_number(out, signature->fudge_s, 2);
    put_number(out, signature->error, 2);
    put_number(out, signature->other.len, 2);
    buf_append_span(out, signature->other);
}

static void put_record(struct buf *out, const struct signature *signature)
{
    size_t data = signature->algorithm.len + 16 + signature->mac.len + signature->other.len;
    put_name(out, &signature->key);
    put_number(out, TYPE_TSIG, 2);
    put_number(out, CLASS_ANY, 2);
    put_number(out, 0, 4);
    put_number(out, data, 2);
    put_name(out, &signature->algorithm);
    put_number(out, signature->time_s, 6);
    put_number(out, signature->fudge_s, 2);
    put_number(out, signature->mac.len, 2);
    buf_append_span(out, signature->mac);
    put_number(out, signature->id, 2);
    put_number(out, signature->error, 2);
    put_number(out, signature->other.len, 2);
    buf_append_span(out, signature->other);
}

/* Reads the record at reader->at; its name and type are read already. */
static void take_signature(struct reader *reader, struct signature *out)
{
    unsigned class = (unsigned)take_number(reader, 2);
    uint64_t ttl = take_number(reader, 4);
    struct reader data = reader_of(take(reader, take_number(reader, 2)));
    out->algorithm = take_name(&data);
    out->time_s = take_number(&data, 6);
    out->fudge_s = (unsigned)take_number(&data, 2);
    out->mac = take(&data, take_number(&data, 2));
    out->id = (unsigned)take_number(&data, 2);
    out->error = (unsigned)take_number(&data, 2);
    out->other = take(&data, take_number(&data, 2));
    reader->bad |= data.bad || data.at != data.len || class != CLASS_ANY || ttl != 0;
}

/* The last of the additional records, if it is a TSIG record (RFC 8945 5.1). */
static enum status find_signature(struct span message, struct signature *out, struct err *err)
{
    struct reader reader = reader_of(message);
    (void)take(&reader, 4);
    uint64_t questions = take_number(&reader, 2);
    uint64_t records = take_number(&reader, 2) + take_number(&reader, 2);
    uint64_t additional = take_number(&reader, 2);
    unsigned type = 0;
    for (; questions > 0 && !reader.bad; questions--) {
        (void)take_name(&reader);
        (void)take(&reader, 4);
    }
    for (records += additional; records > 0 && !reader.bad; records--) {
        out->start = reader.at;
        out->key = take_name(&reader);
        type = (unsigned)take_number(&reader, 2);
        if (records == 1 && additional > 0 && type == TYPE_TSIG)
            take_signature(&reader, out);
        else if (take(&reader, 6).len == 6)
            (void)take(&reader, take_number(&reader, 2));
    }
    if (reader.bad || reader.at != reader.len)
        return err_set(err, ST_DENIED, "the answer is no DNS message, and is not believed");
    if (additional == 0 || type != TYPE_TSIG)
        return err_set(err, ST_DENIED, "the answer is not signed, and is not believed");
    return ST_OK;
}

/* -- signing -------------------------------------------------------------------------------- */

static enum status compute(const struct tsig_key *key, const struct buf *signed_octets,
                           struct tsig_mac *out, struct err *err)
{
    const struct algorithm *algorithm = &algorithms[key->algorithm];
    unsigned len = 0;
    enum status status = buf_check(signed_octets, "message", err);
    if (status != ST_OK)
        return status;
    if (HMAC(algorithm->digest(), key->secret.data, (int)key->secret.len,
             (const unsigned char *)signed_octets->data, signed_octets->len, out->octets,
             &len) == NULL ||
        len != algorithm->size)
        return err_set(err, ST_BROKEN, "OpenSSL has no %s", algorithm->name);
    out->len = len;
    return ST_OK;
}

/* Octets that a signature adds to a message. */
static size_t size_of_signature(const struct tsig_key *key)
{
    const struct algorithm *algorithm = &algorithms[key->algorithm];
    size_t head = strlen(key->name) + 2 + 10;
    return head + strlen(algorithm->name) + 2 + 16 + algorithm->size;
}

static void count_additional(struct buf *message)
{
    uint8_t *count = (uint8_t *)message->data + ADDITIONAL_COUNT_AT;
    unsigned records = ((unsigned)count[0] << 8 | count[1]) + 1;
    count[0] = (uint8_t)(records >> 8);
    count[1] = (uint8_t)records;
}

enum status tsig_sign(const struct tsig_key *key, int64_t now_s, struct buf *message,
                      struct tsig_mac *mac_out, struct err *err)
{
    struct signature signature = {.key = name_of(key->name),
                                  .algorithm = name_of(algorithms[key->algorithm].name),
                                  .time_s = (uint64_t)now_s,
                                  .fudge_s = TSIG_FUDGE_S};
    struct buf octets = BUF_INIT(0);
    size_t len = message->len;
    if (len < HEADER_SIZE || len + size_of_signature(key) > MESSAGE_MAX)
        return err_set(err, ST_INVALID, "no DNS message of at most %zu octets to sign",
                       MESSAGE_MAX - size_of_signature(key));
    buf_append_span(&octets, buf_span(message));
    put_variables(&octets, &signature);
    enum status status = compute(key, &octets, mac_out, err);
    if (status == ST_OK) {
        signature.id = (unsigned)(uint8_t)message->data[0] << 8 | (uint8_t)message->data[1];
        signature.mac = span_of((const char *)mac_out->octets, mac_out->len);
        put_record(message, &signature);
        status = buf_check(message, "message", err);
    }
    if (status == ST_OK)
        count_additional(message);
    else
        buf_truncate(message, len);
    buf_clear(&octets);
    return status;
}

/* -- checking ------------------------------------------------------------------------------- */

/* RFC 8945 4.3: what an answer's signature is made of: the signature of the request, the answer as
 * it was before it was signed, and the variables. */
static void put_answer(struct buf *out, const struct tsig_mac *request,
                       const struct signature *signature, struct span answer)
{
    uint8_t additional_high = (uint8_t)answer.data[ADDITIONAL_COUNT_AT];
    uint8_t additional_low = (uint8_t)answer.data[ADDITIONAL_COUNT_AT + 1];
    put_number(out, request->len, 2);
    buf_append(out, request->octets, request->len);
    put_number(out, signature->id, 2);
    buf_append(out, answer.data + 2, ADDITIONAL_COUNT_AT - 2);
    put_number(out, ((uint64_t)additional_high << 8 | additional_low) - 1, 2);
    buf_append(out, answer.data + HEADER_SIZE, signature->start - HEADER_SIZE);
    put_variables(out, signature);
}

static bool is_signed_with(const struct tsig_key *key, const struct signature *signature)
{
    struct name name = name_of(key->name);
    struct name algorithm = name_of(algorithms[key->algorithm].name);
    return name_equal(&signature->key, &name) && name_equal(&signature->algorithm, &algorithm);
}

/* RFC 8945 5.3.2: that it does not take our signature a server says without one of its own. The
 * answer is not believed, but this is what most likely is wrong. */
static enum status not_taken(const struct tsig_key *key, const struct signature *signature,
                             struct err *err)
{
    if (signature->error == ERROR_BADKEY)
        return err_set(err, ST_DENIED, "the server does not know the TSIG key %s with %s (BADKEY)",
                       key->name, algorithms[key->algorithm].name);
    if (signature->error == ERROR_BADSIG)
        return err_set(err, ST_DENIED, "the server has another secret for the TSIG key %s (BADSIG)",
                       key->name);
    return err_set(err, ST_DENIED, "the answer is not signed with %s, and is not believed",
                   key->name);
}

static enum status check_time(const struct signature *signature, int64_t now_s, struct err *err)
{
    int64_t other_s = (int64_t)signature->time_s;
    if (signature->error == ERROR_BADTIME) {
        struct reader other = reader_of(signature->other);
        other_s = (int64_t)take_number(&other, 6);
    }
    int64_t apart_s = other_s > now_s ? other_s - now_s : now_s - other_s;
    if (signature->error == 0 && apart_s <= TSIG_FUDGE_S)
        return ST_OK;
    if (signature->error == ERROR_BADTIME || signature->error == 0)
        return err_set(err, ST_DENIED,
                       "the server's clock is %lld s %s ours; up to %d s are allowed (BADTIME)",
                       (long long)apart_s, other_s > now_s ? "ahead of" : "behind", TSIG_FUDGE_S);
    return err_set(err, ST_DENIED, "the server does not take the signature (TSIG error %u)",
                   signature->error);
}

enum status tsig_verify(const struct tsig_key *key, const struct tsig_mac *request, int64_t now_s,
                        struct span answer, struct err *err)
{
    struct signature signature = {.start = 0};
    struct tsig_mac mac = {.len = 0};
    struct buf octets = BUF_INIT(0);
    enum status status = find_signature(answer, &signature, err);
    if (status != ST_OK)
        return status;
    if (!is_signed_with(key, &signature) || signature.mac.len == 0)
        return not_taken(key, &signature, err);
    put_answer(&octets, request, &signature, answer);
    status = compute(key, &octets, &mac, err);
    buf_clear(&octets);
    if (status != ST_OK)
        return status;
    /* RFC 8945 5.2.2.1: a cut signature is one we have not agreed on. */
    if (signature.mac.len != mac.len || CRYPTO_memcmp(signature.mac.data, mac.octets, mac.len) != 0)
        return err_set(err, ST_DENIED, "the answer is wrongly signed with %s, and is not believed",
                       key->name);
    return check_time(&signature, now_s, err);
}
