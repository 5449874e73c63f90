/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNATURES_MAX = 16 };

/* One DKIM-Signature field. Once its verdict is other than none, it is settled. */
struct check {
    struct dkim_verdict verdict;
    struct dkim_signature signature;
    struct dkim_public_key *key;
    size_t body; /* handle of the body hash */
};

struct dkim_verify {
    const struct dkim_fields *fields;
    struct dkim_verify_options options;
    struct dkim_bodies *bodies;
    struct check *list;
    size_t count;
};

const char *dkim_result_name(enum dkim_result result)
{
    static const char *const names[] = {
        [DKIM_NONE] = "none",           [DKIM_PASS] = "pass",       [DKIM_FAIL] = "fail",
        [DKIM_POLICY] = "policy",       [DKIM_NEUTRAL] = "neutral", [DKIM_TEMPERROR] = "temperror",
        [DKIM_PERMERROR] = "permerror",
    };

    return names[result];
}

static void settle(struct check *check, enum dkim_result result, const char *reason)
{
    check->verdict.result = result;
    snprintf(check->verdict.reason, sizeof check->verdict.reason, "%s", reason);
}

/* -- before the body ---------------------------------------------------------------------- */

/* The identity without the folding white space that its coding may hold (RFC 6376 2.11), or
 * the default. */
static void describe_identity(struct span identity, struct dkim_verdict *verdict)
{
    size_t len = 0;

    for (size_t i = 0; i < identity.len && len < sizeof verdict->identity - 1; i++) {
        char c = identity.data[i];
        if (!ascii_wsp(c) && c != '\r' && c != '\n')
            verdict->identity[len++] = c;
    }
    verdict->identity[len] = '\0';
    if (!len)
        snprintf(verdict->identity, sizeof verdict->identity, "@%s", verdict->domain);
}

/* Says in the verdict whose signature it would be. */
static void describe(struct check *check)
{
    struct dkim_verdict *verdict = &check->verdict;

    memcpy(verdict->domain, check->signature.domain, sizeof verdict->domain);
    memcpy(verdict->selector, check->signature.selector, sizeof verdict->selector);
    verdict->algorithm = check->signature.algorithm;
    describe_identity(check->signature.identity, verdict);
}

/* RFC 8601 2.7.1 calls what cannot be read neutral, RFC 8301 3.1 what uses rsa-sha1 failed for
 * good. An expired signature is PERMFAIL in RFC 6376 6.1.1, hence a permerror here. */
static void read_signature(struct dkim_verify *verify, struct check *check)
{
    struct span value = dkim_fields_value(verify->fields, check->verdict.field);
    struct err err = {ST_OK, ""};

    enum status status = dkim_signature_parse(value, &check->signature, &err);
    if (status != ST_OK) {
        settle(check, status == ST_DENIED ? DKIM_PERMERROR : DKIM_NEUTRAL, err.text);
        return;
    }
    describe(check);
    int64_t expires_s = check->signature.expires_s;
    if (expires_s >= 0 && verify->options.now_s >= expires_s)
        settle(check, DKIM_PERMERROR, "the signature has expired");
}

static bool identity_is_below(const struct dkim_signature *signature)
{
    struct span rest = signature->identity;
    char domain[DKIM_DOMAIN_SIZE];

    if (!rest.len)
        return false;
    for (size_t at; (at = span_find(rest, '@')) < rest.len;)
        rest = span_from(rest, at + 1);
    return dkim_domain_normalize(rest, domain, NULL) != ST_OK ||
           strcmp(domain, signature->domain) != 0;
}

/* RFC 6376 6.1.2: why a record does not serve this signature, or NULL. */
static const char *record_fault(const struct dkim_key_record *record,
                                const struct dkim_signature *signature)
{
    if (record->revoked)
        return "the key was revoked";
    if (record->algorithm != signature->algorithm)
        return "the key is for another algorithm";
    if (!record->sha256)
        return "the key does not allow sha256";
    if (!record->email)
        return "the key is not for email";
    if (record->strict && identity_is_below(signature))
        return "the key does not allow i= below d=";
    return NULL;
}

static void use_record(struct dkim_verify *verify, struct check *check,
                       const struct dkim_key_record *record)
{
    struct err err = {ST_OK, ""};
    struct span octets = buf_span(&record->public_octets);
    const char *fault = record_fault(record, &check->signature);

    check->verdict.testing = record->testing;
    if (fault) {
        settle(check, DKIM_PERMERROR, fault);
        return;
    }
    /* Parsed without a minimum, so that a key that is merely too small can be told apart. */
    if (dkim_public_key_parse(record->algorithm, octets, 0, &check->key, &err) != ST_OK) {
        settle(check, err.code == ST_TEMP ? DKIM_TEMPERROR : DKIM_PERMERROR, err.text);
        return;
    }
    check->verdict.bits = dkim_public_key_bits(check->key);
    if (record->algorithm == DKIM_RSA_SHA256 && check->verdict.bits < verify->options.minimum_bits)
        settle(check, DKIM_POLICY, "the RSA key is too small");
}

static void fetch_key(struct dkim_verify *verify, struct check *check)
{
    const struct dkim_signature *signature = &check->signature;
    struct dkim_key_record record = {.public_octets = BUF_INIT(0)};
    struct buf txt = BUF_INIT(65535);
    char name[DKIM_RECORD_NAME_SIZE];
    struct err err = {ST_OK, ""};

    enum status status = dkim_key_record_name(signature->selector, signature->domain, name, &err);
    if (status == ST_OK)
        status = verify->options.source(verify->options.source_arg, name, &txt, &err);
    if (status == ST_OK)
        status = dkim_key_record_parse(buf_span(&txt), &record, &err);
    if (status == ST_OK)
        use_record(verify, check, &record);
    else if (status == ST_NOT_FOUND)
        settle(check, DKIM_PERMERROR, "there is no key record");
    else
        settle(check, status == ST_INVALID ? DKIM_PERMERROR : DKIM_TEMPERROR, err.text);
    dkim_key_record_clear(&record);
    buf_clear(&txt);
}

static void prepare(struct dkim_verify *verify, struct check *check)
{
    const struct dkim_signature *signature = &check->signature;
    struct err err = {ST_OK, ""};

    read_signature(verify, check);
    if (check->verdict.result == DKIM_NONE)
        fetch_key(verify, check);
    if (check->verdict.result == DKIM_NONE &&
        dkim_bodies_want(verify->bodies, signature->body_canon, signature->length, &check->body,
                         &err) != ST_OK)
        settle(check, err.code == ST_TEMP ? DKIM_TEMPERROR : DKIM_POLICY, err.text);
}

static void prepare_all(struct dkim_verify *verify)
{
    for (size_t i = 0; i < verify->fields->count; i++) {
        if (!span_equal_nocase(dkim_fields_name(verify->fields, i), SPAN_LIT("DKIM-Signature")))
            continue;
        struct check *check = &verify->list[verify->count++];
        check->verdict.field = i;
        if (verify->count > verify->options.max_signatures)
            settle(check, DKIM_POLICY, "too many signatures");
        else
            prepare(verify, check);
    }
}

enum status dkim_verify_begin(const struct dkim_fields *fields,
                              const struct dkim_verify_options *options, struct dkim_verify **out,
                              struct err *err)
{
    struct dkim_verify *verify = calloc(1, sizeof *verify);
    size_t count = dkim_fields_count(fields, SPAN_LIT("DKIM-Signature"));

    *out = NULL;
    if (verify) {
        verify->bodies = dkim_bodies_new();
        verify->list = calloc(count + 1, sizeof *verify->list);
    }
    if (!verify || !verify->bodies || !verify->list) {
        dkim_verify_free(verify);
        return err_set(err, ST_TEMP, "no memory to verify signatures");
    }
    verify->fields = fields;
    verify->options = *options;
    if (!verify->options.max_signatures)
        verify->options.max_signatures = SIGNATURES_MAX;
    if (!verify->options.minimum_bits)
        verify->options.minimum_bits = DKIM_RSA_BITS_MIN;
    prepare_all(verify);
    *out = verify;
    return ST_OK;
}

void dkim_verify_body(struct dkim_verify *verify, const void *data, size_t len)
{
    dkim_bodies_add(verify->bodies, data, len);
}

/* -- after the body ----------------------------------------------------------------------- */

static enum status header_digest(const struct dkim_verify *verify, const struct check *check,
                                 uint8_t digest[DKIM_DIGEST_SIZE], struct err *err)
{
    const struct dkim_signature *signature = &check->signature;
    struct span self = dkim_fields_text(verify->fields, check->verdict.field);
    struct dkim_hash *hash = dkim_hash_new();

    if (!hash)
        return err_set(err, ST_TEMP, "no memory for the header hash");
    dkim_signature_hash_fields(verify->fields, signature->names, signature->header_canon, hash);
    enum status status = dkim_signature_hash_self(self, signature->header_canon, hash, err);
    if (status == ST_OK)
        status = dkim_hash_end(hash, digest, err);
    dkim_hash_free(hash);
    return status;
}

/* RFC 6376 6.1.3: the body hash first, it needs no public key. */
static bool body_matches(const struct dkim_verify *verify, struct check *check)
{
    const struct dkim_signature *signature = &check->signature;
    uint64_t octets = dkim_bodies_octets(verify->bodies, check->body);

    if (signature->length != DKIM_BODY_WHOLE && signature->length > octets) {
        settle(check, DKIM_PERMERROR, "l= is more than the body has");
        return false;
    }
    check->verdict.partial = signature->length < octets;
    if (memcmp(dkim_bodies_digest(verify->bodies, check->body), signature->body_digest.data,
               DKIM_DIGEST_SIZE) != 0) {
        settle(check, DKIM_FAIL, "the body was changed");
        return false;
    }
    return true;
}

static void finish(const struct dkim_verify *verify, struct check *check)
{
    uint8_t digest[DKIM_DIGEST_SIZE];
    struct err err = {ST_OK, ""};

    if (!body_matches(verify, check))
        return;
    enum status status = header_digest(verify, check, digest, &err);
    if (status == ST_OK)
        status =
            dkim_public_key_verify(check->key, digest, buf_span(&check->signature.signature), &err);
    if (status == ST_OK)
        settle(check, DKIM_PASS, "");
    else if (status == ST_DENIED)
        settle(check, DKIM_FAIL, "the signature does not match the header");
    else
        settle(check, DKIM_TEMPERROR, err.text);
}

enum status dkim_verify_end(struct dkim_verify *verify, struct err *err)
{
    enum status status = dkim_bodies_end(verify->bodies, err);

    for (size_t i = 0; status == ST_OK && i < verify->count; i++) {
        if (verify->list[i].verdict.result == DKIM_NONE)
            finish(verify, &verify->list[i]);
    }
    return status;
}

size_t dkim_verify_count(const struct dkim_verify *verify)
{
    return verify->count;
}

const struct dkim_verdict *dkim_verify_verdict(const struct dkim_verify *verify, size_t index)
{
    return &verify->list[index].verdict;
}

void dkim_verify_free(struct dkim_verify *verify)
{
    if (!verify)
        return;
    for (size_t i = 0; i < verify->count; i++) {
        dkim_signature_clear(&verify->list[i].signature);
        dkim_public_key_free(verify->list[i].key);
    }
    dkim_bodies_free(verify->bodies);
    free(verify->list);
    free(verify);
}
