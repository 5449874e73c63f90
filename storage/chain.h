/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain of audit events. The hash of each is made over the hash of the one before it and over
 * what it says itself, so none can be changed, taken out or put in between unless all that follow
 * are written anew; and then the newest hash is another one, which who keeps a note of it
 * elsewhere can tell.
 *
 * A hash is the SHA-256, in 64 lower-case hexadecimal digits, of: the hash of the event before
 * (nothing for the first of all) and a line feed; then, in the order of the table in
 * storage/model.c, for each field that is neither empty nor 0
 *
 *     NAME LENGTH VALUE and a line feed
 *
 * where LENGTH is the number of octets of VALUE, and a VALUE that is no text is a decimal number
 * (times are seconds since 1970). Left out are the hash itself, and number and version, which are
 * given anew when a store is copied. A field that comes later, empty in older events, changes
 * none of their hashes.
 *
 * Pure but for memory. Any thread.
 */
#ifndef INKAN_STORAGE_CHAIN_H
#define INKAN_STORAGE_CHAIN_H

#include "dkim/crypto.h"
#include "storage/model.h"

enum { CHAIN_HASH_SIZE = 2 * DKIM_DIGEST_SIZE + 1 };

/* The action of an event that tells of a copy into this store. A later copy brings events that
 * follow those the first one brought, and not what was said of it; so the chain may pass by such
 * an event. */
#define CHAIN_COPY_ACTION "store.copy"

/* The hash of an event behind one whose hash is `previous` (NULL or "": it is the first). ST_TEMP
 * without memory. */
enum status chain_hash(const char *previous, const struct event *event, char out[CHAIN_HASH_SIZE],
                       struct err *err) MUST_CHECK;

/* A walk over all events of a store in their order; begins zeroed. */
struct chain {
    int64_t events;    /* so far */
    int64_t unchained; /* of them: older than the chain, without a hash */
    int64_t beside;    /* of them: tell of a copy, and the chain passes by */
    int64_t last_id, last_time;
    char last[CHAIN_HASH_SIZE];   /* hash of the last event; "": none has one yet */
    char before[CHAIN_HASH_SIZE]; /* of the one before it */
    char trunk[CHAIN_HASH_SIZE];  /* of the last that does not tell of a copy */
    int64_t copies;               /* events since that one */
};

enum chain_link {
    CHAIN_FITS,
    CHAIN_BARE,    /* it has no hash, and others before it do */
    CHAIN_FOREIGN, /* it follows the one before the last: the last does not belong there */
    CHAIN_CHANGED, /* something in it is not what it was, though its number is the next */
    CHAIN_GAP,     /* the same, or what stood before it is missing: numbers are */
};

/* Takes the next event, if it fits; else the walk stays at the one before. ST_TEMP without
 * memory. */
enum status chain_add(struct chain *chain, const struct event *event, enum chain_link *link_out,
                      struct err *err) MUST_CHECK;

#endif
