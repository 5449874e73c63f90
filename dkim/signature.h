/* SPDX-License-Identifier: Apache-2.0
 *
 * The DKIM-Signature field as data (RFC 6376 3.5), read and written, and the header hash over
 * the fields it names. Shared by sign and verify; nobody else needs it.
 */
#ifndef INKAN_DKIM_SIGNATURE_H
#define INKAN_DKIM_SIGNATURE_H

#include "dkim/canon.h"
#include "dkim/domain.h"
#include "dkim/fields.h"

enum { DKIM_SIGNED_NAMES_MAX = 1024 }; /* names one h= may list */

struct dkim_signature {
    enum dkim_algorithm algorithm;
    enum dkim_canon header_canon, body_canon;
    char domain[DKIM_DOMAIN_SIZE];   /* d=, in the one form */
    char selector[DKIM_DOMAIN_SIZE]; /* s= */
    struct span identity;            /* i= as written; empty: absent */
    struct span names;               /* h= as written, colon separated */
    uint64_t length;                 /* l=, or DKIM_BODY_WHOLE */
    int64_t time_s;                  /* t=, or -1 */
    int64_t expires_s;               /* x=, or -1 */
    struct buf body_digest;          /* bh= decoded */
    struct buf signature;            /* b= decoded */
};

/* Reads a field value; spans point into it. Clear `out` also after a failure. ST_DENIED for
 * rsa-sha1, which has failed for good (RFC 8301 3.1); ST_INVALID for anything RFC 6376 3.5
 * and 6.1.1 do not allow: a missing tag, v other than 1, i= outside d=, From not in h=, x before t.
 */
enum status dkim_signature_parse(struct span value, struct dkim_signature *out,
                                 struct err *err) MUST_CHECK;
void dkim_signature_clear(struct dkim_signature *signature);

/* Adds the canonical fields that `names` (at most DKIM_SIGNED_NAMES_MAX, as a parsed h= has)
 * chooses, from the bottom up (RFC 6376 5.4.2), each with CRLF, to the hash. Names without a field
 * left count as empty (oversigning). */
void dkim_signature_hash_fields(const struct dkim_fields *fields, struct span names,
                                enum dkim_canon canon, struct dkim_hash *hash);
/* Adds the signature field itself with the value of b= taken out and no final CRLF (3.7).
 * ST_TEMP when memory is short. */
enum status dkim_signature_hash_self(struct span field, enum dkim_canon canon,
                                     struct dkim_hash *hash, struct err *err) MUST_CHECK;

#endif
