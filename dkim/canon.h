/* SPDX-License-Identifier: Apache-2.0
 *
 * Canonicalization (RFC 6376 3.4) and the body hashes made with it. The body is streamed: any
 * chunking gives the same result, also one that parts a CR from its LF. A body_hashes set
 * shares one pass per distinct (canonicalization, length) among all signatures of a message.
 * One thread at a time; no I/O.
 */
#ifndef INKAN_DKIM_CANON_H
#define INKAN_DKIM_CANON_H

#include "dkim/crypto.h"

enum dkim_canon { DKIM_SIMPLE, DKIM_RELAXED };

/* "relaxed/simple": header, body; one word means that for the header and simple for the body
 * (RFC 6376 3.5 c=). ST_INVALID otherwise. */
enum status dkim_canon_parse(struct span text, enum dkim_canon *header, enum dkim_canon *body,
                             struct err *err) MUST_CHECK;
const char *dkim_canon_name(enum dkim_canon canon);

/* Takes canonical octets as they come. */
typedef void dkim_sink(void *arg, const void *data, size_t len);

/* One header field (`Name:value` without its final CRLF) in canonical form, without a final
 * CRLF (RFC 6376 3.4.1, 3.4.2). */
void dkim_canon_field(enum dkim_canon canon, struct span field, dkim_sink *sink, void *arg);

/* Streaming body canonicalization into a sink (RFC 6376 3.4.3, 3.4.4). */
struct dkim_canon_body {
    enum dkim_canon canon;
    dkim_sink *sink;
    void *arg;
    size_t blank_lines; /* CRLFs held back: they count only if something follows */
    bool cr;            /* a CR was seen last, its LF may come with the next chunk */
    bool space;         /* relaxed: white space held back on this line */
    bool line_started;  /* something of this line was written */
    bool any;           /* something was written at all */
};
void dkim_canon_body_init(struct dkim_canon_body *body, enum dkim_canon canon, dkim_sink *sink,
                          void *arg);
void dkim_canon_body_add(struct dkim_canon_body *body, const void *data, size_t len);
void dkim_canon_body_end(struct dkim_canon_body *body);

/* The body hashes of one message. */
struct dkim_bodies;
enum { DKIM_BODIES_MAX = 32 };     /* distinct (canonicalization, length) pairs */
#define DKIM_BODY_WHOLE UINT64_MAX /* no l= */

struct dkim_bodies *dkim_bodies_new(void) MUST_CHECK; /* NULL when memory is short */
void dkim_bodies_free(struct dkim_bodies *bodies);
/* For the next message; memory is kept. */
void dkim_bodies_reset(struct dkim_bodies *bodies);
/* Asks for a hash before the first chunk; *index_out is its handle, the same for the same pair.
 * ST_INVALID beyond DKIM_BODIES_MAX. */
enum status dkim_bodies_want(struct dkim_bodies *bodies, enum dkim_canon canon, uint64_t length,
                             size_t *index_out, struct err *err) MUST_CHECK;
void dkim_bodies_add(struct dkim_bodies *bodies, const void *data, size_t len);
/* Ends all hashes; idempotent. */
enum status dkim_bodies_end(struct dkim_bodies *bodies, struct err *err) MUST_CHECK;
/* The handle of a pair that was asked for, or false. Only after the end. */
bool dkim_bodies_find(const struct dkim_bodies *bodies, enum dkim_canon canon, uint64_t length,
                      size_t *index_out);
/* After the end: the digest, and how many canonical octets there were in all (for l=). */
const uint8_t *dkim_bodies_digest(const struct dkim_bodies *bodies, size_t index);
uint64_t dkim_bodies_octets(const struct dkim_bodies *bodies, size_t index);

#endif
