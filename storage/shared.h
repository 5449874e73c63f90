/* SPDX-License-Identifier: Apache-2.0
 *
 * The memcached layer between the in-process cache and the store: profiles as the store gave
 * them, private keys still sealed, shared by all workers of all hosts. Nobody else includes
 * libmemcached.
 *
 * Whoever can write to memcached can at most cause a miss: an entry's name is an HMAC of the
 * domain's name, its content is sealed with AES-256-GCM, both under keys derived from the
 * vault's current key-encryption key (HKDF, RFC 5869), and the associated data binds it to its
 * name and format version. Inside stand the profile or the fact that there is none, the
 * change-feed position at which it was read, and the time. Any fault is a miss and is counted:
 * a server away, slow, wiped or lying, an entry cut, forged, moved or of another version.
 *
 * Any thread; connections come from a pool for each server. Time-outs are tens of milliseconds,
 * and a server that fails is left alone for a while, then tried by one thread, so that a dead
 * memcached costs a session nothing that can be noticed. Its share of the names is not moved to
 * other servers: what it held when it comes back would be older than what they were given, and
 * the store is there to ask. Open it after fork.
 */
#ifndef INKAN_STORAGE_SHARED_H
#define INKAN_STORAGE_SHARED_H

#include "storage/cache.h"
#include "storage/vault.h"

enum { SHARED_NAMES_MAX = 24, SHARED_REST_MS = 1500 /* how long a server is left alone */ };

struct shared;

struct shared_options {
    const char *servers;       /* cache.memcached, as of base/servers.h */
    const struct vault *vault; /* borrowed for the open only: keys are derived then */
    size_t connections;        /* at most, per server */
    int64_t timeout_ms;        /* of one operation on one server */
    int64_t ttl_ms, negative_ttl_ms, stale_ttl_ms;
};

/* Parses the servers and derives the keys; connects to nobody. ST_INVALID names the server that
 * does not parse. */
enum status shared_open(const struct shared_options *options, struct shared **out,
                        struct err *err) MUST_CHECK;
void shared_close(struct shared *shared); /* wipes; NULL is fine; no call may be under way */

/* What is known of one name. */
struct shared_entry {
    enum cache_answer answer; /* CACHE_HIT, CACHE_NEGATIVE or CACHE_MISS */
    bool fresh;               /* within its ttl; else only good while the store cannot answer */
    int64_t age_ms;           /* since the store gave it */
    struct profile profile;   /* profile_clear; position is set for all but a miss */
};
/* Asks for all names (at most SHARED_NAMES_MAX) in one round trip, each server for its own. Never
 * fails: what is not known is a miss. */
void shared_get(struct shared *shared, const char *const *names, size_t count,
                struct shared_entry *entries);
/* Keeps what the store gave for a name just now, or that it does not exist (profile->found
 * false). Never fails: what cannot be kept is asked of the store again. */
void shared_put(struct shared *shared, const char *name, const struct profile *profile);

struct shared_stats {
    int64_t hits, misses;
    int64_t stale;   /* found, but past their ttl */
    int64_t errors;  /* operations in which a server did not answer or answered nonsense */
    int64_t refused; /* entries that did not open or did not belong to their name */
};
void shared_stats(const struct shared *shared, struct shared_stats *out);

#endif
