/* SPDX-License-Identifier: Apache-2.0
 *
 * What a session asks for each message: what the store has under the names that matter to it
 * (storage/place.h). Goes through the cache, memcached if there is one, then the store (one round
 * trip for all names that are not known), and opens what they gave with the vault. Which names
 * those are, and what follows from what is there, is server/policy.c's.
 *
 * Any thread. Never logs; what went wrong with a key is in the answer.
 */
#ifndef INKAN_STORAGE_KEYRING_H
#define INKAN_STORAGE_KEYRING_H

#include "storage/driver.h"
#include "storage/place.h"
#include "storage/shared.h"
#include "storage/store.h"

struct keyring_options {
    struct store *store;       /* borrowed */
    struct shared *shared;     /* borrowed; NULL: no memcached */
    const struct vault *vault; /* borrowed */
    struct cache_options cache;
    int64_t timeout_ms; /* of one find, waiting for another thread's look-up included */
};

struct keyring;
enum status keyring_open(const struct keyring_options *options, struct keyring **out,
                         struct err *err) MUST_CHECK;
void keyring_close(struct keyring *keyring);

/* Names of which one is wanted now and the others soon. */
struct keyring_question {
    const char *names[DRIVER_NAMES_MAX];
    size_t count;
};

/* What there is under names[wanted]: ST_OK with a reference in *out (place_unref), NULL if there is
 * nothing. If the store has to be asked, it is asked for all names that are not known. ST_TEMP: it
 * does not answer and nothing stale is left; ST_BROKEN: it is not usable, or what it has under this
 * name is not. */
enum status keyring_find(struct keyring *keyring, const struct keyring_question *question,
                         size_t wanted, struct place **out, struct err *err) MUST_CHECK;

/* What one message sees: each name is looked up once and stays what it was. One thread. However
 * many names it needs, it waits for a store that hangs no longer than for one of them. */
enum { KEYRING_VIEW_MAX = 48 };
struct keyring_view {
    struct keyring *keyring;
    int64_t deadline_ms; /* 0: all was in the cache so far */
    struct {
        char name[DKIM_DOMAIN_SIZE];
        struct place *place; /* NULL: nothing */
    } seen[KEYRING_VIEW_MAX];
    size_t count;
};
void keyring_view_begin(struct keyring_view *view, struct keyring *keyring);
/* As keyring_find; the place is borrowed until keyring_view_end. Once all of timeout_ms has passed
 * since the first name that was not in the cache, what is stale is the answer, or ST_TEMP. */
enum status keyring_view_find(struct keyring_view *view, const struct keyring_question *question,
                              size_t wanted, const struct place **out, struct err *err) MUST_CHECK;
void keyring_view_end(struct keyring_view *view);

/* Reads the change feed and drops what changed. To be called about once a second by one
 * thread. After a gap (store away) nothing is lost: the cursor stays. Before the first one
 * worked, nothing is taken from memcached. */
enum status keyring_poll(struct keyring *keyring, struct err *err) MUST_CHECK;
/* Takes in what store_watch has heard, and drops what other programs have changed. To be called by
 * the same thread, when the descriptor is readable and about once a second. */
void keyring_listen(struct keyring *keyring);

void keyring_stats(struct keyring *keyring, struct cache_stats *out);

#endif
