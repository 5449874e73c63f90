/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/canon.h"

#include <stdlib.h>

enum { CANONS = 2 };

struct body_hash {
    enum dkim_canon canon;
    uint64_t length;        /* canonical octets to hash, DKIM_BODY_WHOLE: all */
    struct dkim_hash *hash; /* made at the first use of this place and kept */
    uint8_t digest[DKIM_DIGEST_SIZE];
};

struct dkim_bodies {
    struct dkim_canon_body canonical[CANONS]; /* by enum dkim_canon */
    uint64_t octets[CANONS];                  /* canonical octets so far */
    struct body_hash list[DKIM_BODIES_MAX];
    size_t count;
    bool begun, ended;
    enum status failed; /* of the end */
};

/* Gives one run of canonical octets to every hash of that canonicalization. */
static void take_octets(struct dkim_bodies *bodies, enum dkim_canon canon, const void *data,
                        size_t len)
{
    uint64_t before = bodies->octets[canon];

    bodies->octets[canon] = before + len;
    for (size_t i = 0; i < bodies->count; i++) {
        struct body_hash *body = &bodies->list[i];
        if (body->canon != canon || body->length <= before)
            continue;
        /* RFC 6376 3.5 l=: octets after the length are not hashed. */
        uint64_t left = body->length - before;
        dkim_hash_add(body->hash, data, left < len ? (size_t)left : len);
    }
}

static void take_simple(void *bodies, const void *data, size_t len)
{
    take_octets(bodies, DKIM_SIMPLE, data, len);
}

static void take_relaxed(void *bodies, const void *data, size_t len)
{
    take_octets(bodies, DKIM_RELAXED, data, len);
}

struct dkim_bodies *dkim_bodies_new(void)
{
    struct dkim_bodies *bodies = calloc(1, sizeof *bodies);

    if (bodies)
        dkim_bodies_reset(bodies);
    return bodies;
}

void dkim_bodies_free(struct dkim_bodies *bodies)
{
    if (!bodies)
        return;
    for (size_t i = 0; i < DKIM_BODIES_MAX; i++)
        dkim_hash_free(bodies->list[i].hash);
    free(bodies);
}

void dkim_bodies_reset(struct dkim_bodies *bodies)
{
    dkim_canon_body_init(&bodies->canonical[DKIM_SIMPLE], DKIM_SIMPLE, take_simple, bodies);
    dkim_canon_body_init(&bodies->canonical[DKIM_RELAXED], DKIM_RELAXED, take_relaxed, bodies);
    bodies->octets[DKIM_SIMPLE] = bodies->octets[DKIM_RELAXED] = 0;
    bodies->count = 0;
    bodies->begun = bodies->ended = false;
    bodies->failed = ST_OK;
}

static bool find(const struct dkim_bodies *bodies, enum dkim_canon canon, uint64_t length,
                 size_t *index_out)
{
    for (size_t i = 0; i < bodies->count; i++) {
        if (bodies->list[i].canon == canon && bodies->list[i].length == length) {
            *index_out = i;
            return true;
        }
    }
    return false;
}

enum status dkim_bodies_want(struct dkim_bodies *bodies, enum dkim_canon canon, uint64_t length,
                             size_t *index_out, struct err *err)
{
    if (find(bodies, canon, length, index_out))
        return ST_OK;
    if (bodies->begun || bodies->ended)
        return err_set(err, ST_INVALID, "a body hash was asked for after the body had begun");
    if (bodies->count == DKIM_BODIES_MAX)
        return err_set(err, ST_INVALID, "more than %d different body hashes", DKIM_BODIES_MAX);

    struct body_hash *body = &bodies->list[bodies->count];
    if (!body->hash)
        body->hash = dkim_hash_new();
    if (!body->hash)
        return err_set(err, ST_TEMP, "no memory for a body hash");
    dkim_hash_reset(body->hash);
    body->canon = canon;
    body->length = length;
    *index_out = bodies->count++;
    return ST_OK;
}

static bool is_wanted(const struct dkim_bodies *bodies, enum dkim_canon canon)
{
    for (size_t i = 0; i < bodies->count; i++) {
        if (bodies->list[i].canon == canon)
            return true;
    }
    return false;
}

void dkim_bodies_add(struct dkim_bodies *bodies, const void *data, size_t len)
{
    if (bodies->ended)
        return;
    bodies->begun = true;
    for (enum dkim_canon canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
        if (is_wanted(bodies, canon))
            dkim_canon_body_add(&bodies->canonical[canon], data, len);
    }
}

enum status dkim_bodies_end(struct dkim_bodies *bodies, struct err *err)
{
    if (bodies->ended)
        return bodies->failed == ST_OK ? ST_OK
                                       : err_set(err, bodies->failed, "the body hash failed");
    dkim_canon_body_end(&bodies->canonical[DKIM_SIMPLE]);
    dkim_canon_body_end(&bodies->canonical[DKIM_RELAXED]);
    for (size_t i = 0; i < bodies->count && bodies->failed == ST_OK; i++)
        bodies->failed = dkim_hash_end(bodies->list[i].hash, bodies->list[i].digest, err);
    bodies->ended = true;
    return bodies->failed;
}

bool dkim_bodies_find(const struct dkim_bodies *bodies, enum dkim_canon canon, uint64_t length,
                      size_t *index_out)
{
    return bodies->ended && bodies->failed == ST_OK && find(bodies, canon, length, index_out);
}

const uint8_t *dkim_bodies_digest(const struct dkim_bodies *bodies, size_t index)
{
    return bodies->list[index].digest;
}

uint64_t dkim_bodies_octets(const struct dkim_bodies *bodies, size_t index)
{
    return bodies->octets[bodies->list[index].canon];
}
