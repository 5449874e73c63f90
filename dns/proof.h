/* SPDX-License-Identifier: Apache-2.0
 *
 * The proof that DNS shows a key record, without which no key signs by itself: every address of
 * every authoritative server of the zone that holds the record, and then every resolver, has
 * exactly one TXT record there, and it is the one wanted. Aliases (CNAME) are followed from zone to
 * zone, each zone found anew. Who does not answer, refuses, is not authoritative or truncates its
 * answer proves nothing, and neither does who is not asked, being beyond the limits of dns/zone.h.
 *
 * Resolvers are asked only once all authoritative servers are right: one that is asked too early
 * remembers for a long while that there is no record. For the same reason a target is not asked for
 * when only the alias to it is wanted. Any thread.
 */
#ifndef INKAN_DNS_PROOF_H
#define INKAN_DNS_PROOF_H

#include "dns/witness.h"
#include "dns/zone.h"

enum { PROOF_ALIASES_MAX = 8, PROOF_TEXT_MAX = 1000 };

struct proof {
    enum witness_verdict verdict;
    char sentence[WITNESS_SENTENCE_SIZE]; /* why, when no witness says it; else "" */
    char name[NAME_SIZE];                 /* where the record stands: the last alias, or the name */
    char zone[NAME_SIZE];                 /* that holds it, "" when it was not found */
    char aliases[PROOF_ALIASES_MAX][NAME_SIZE]; /* one after the other, the name itself left out */
    size_t alias_count;
    struct witness *witnesses; /* in the order they were asked; heap */
    size_t count;
    int64_t ttl_min_s, ttl_max_s; /* of all that was seen, -1 when nothing was */
};

/* Looks once. ST_OK whatever was seen; ST_INVALID: wanted->name is no name; ST_TEMP: no memory.
 * Returns by the deadline. Clear with proof_clear also after a failure. */
enum status proof_make(const struct zone_look *look, const struct witness_wanted *wanted,
                       int64_t deadline_ms, struct proof *out, struct err *err) MUST_CHECK;
void proof_clear(struct proof *proof);

/* Whether the name was seen to be an alias of that one, at once or over others. */
bool proof_leads_to(const struct proof *proof, const char *target);

/* What was seen, to be stored: at most PROOF_TEXT_MAX octets of ASCII. */
void proof_text(const struct proof *proof, struct buf *out);
/* What a person should do about it, one sentence; "" when there is nothing to do. */
void proof_advice(const struct proof *proof, const struct witness_wanted *wanted, struct buf *out);

#endif
