/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking signatures (RFC 6376 section 6, RFC 8301, RFC 8463). Streamed like signing. Key
 * records come through a call-back that may wait; nothing else does.
 */
#ifndef INKAN_DKIM_VERIFY_H
#define INKAN_DKIM_VERIFY_H

#include "dkim/keyrecord.h"
#include "dkim/signature.h"

/* Fetches the TXT value at `name` (strings joined). ST_NOT_FOUND: there is none;
 * ST_INVALID: several; ST_TEMP: could not be asked. */
typedef enum status dkim_record_source(void *arg, const char *name, struct buf *txt_out,
                                       struct err *err);

/* RFC 8601 2.7.1 */
enum dkim_result {
    DKIM_NONE,
    DKIM_PASS,
    DKIM_FAIL,
    DKIM_POLICY,
    DKIM_NEUTRAL,
    DKIM_TEMPERROR,
    DKIM_PERMERROR
};
const char *dkim_result_name(enum dkim_result result);

struct dkim_verify_options {
    int64_t now_s;         /* for x= */
    size_t max_signatures; /* further ones are reported as policy, not computed; 0: 16 */
    int minimum_bits;      /* RSA; 0: 1024 */
    dkim_record_source *source;
    void *source_arg;
};

struct dkim_verdict {
    enum dkim_result result;
    size_t field;                  /* index of the DKIM-Signature field */
    char domain[DKIM_DOMAIN_SIZE]; /* "" if the field could not be read */
    char selector[DKIM_DOMAIN_SIZE];
    char identity[320]; /* i=, or @domain */
    enum dkim_algorithm algorithm;
    int bits;
    bool testing;               /* the key record says t=y */
    bool partial;               /* l= leaves a part of the body unsigned */
    char reason[ERR_TEXT_SIZE]; /* for people; "" on pass */
};

struct dkim_verify;

/* Reads all DKIM-Signature fields, fetches key records and prepares the body hashes. `fields`
 * must live until dkim_verify_free. A faulty signature is a verdict, not an error. */
enum status dkim_verify_begin(const struct dkim_fields *fields,
                              const struct dkim_verify_options *options, struct dkim_verify **out,
                              struct err *err) MUST_CHECK;
void dkim_verify_body(struct dkim_verify *verify, const void *data, size_t len);
enum status dkim_verify_end(struct dkim_verify *verify, struct err *err) MUST_CHECK;
/* One per DKIM-Signature field, top to bottom. */
size_t dkim_verify_count(const struct dkim_verify *verify);
const struct dkim_verdict *dkim_verify_verdict(const struct dkim_verify *verify, size_t index);
void dkim_verify_free(struct dkim_verify *verify);

#endif
