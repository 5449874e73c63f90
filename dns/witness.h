/* SPDX-License-Identifier: Apache-2.0
 *
 * What one server's answer says of the key record that is wanted. Pure; any thread.
 */
#ifndef INKAN_DNS_WITNESS_H
#define INKAN_DNS_WITNESS_H

#include "dkim/keyrecord.h"
#include "dns/query.h"

/* From good to bad: of several, the last counts. */
enum witness_verdict {
    WITNESS_RIGHT,
    WITNESS_UNKNOWN, /* no answer that says anything; may be another time */
    WITNESS_MISSING,
    WITNESS_WRONG,
    WITNESS_VERDICTS,
};
/* "right", "unknown", "missing", "wrong" */
const char *witness_verdict_name(enum witness_verdict verdict);

enum witness_what {
    WITNESS_KEY,
    WITNESS_GRAVESTONE,
    WITNESS_NOTHING,
    WITNESS_ALIAS, /* of the target, whatever stands there */
};

struct witness_wanted {
    const char *name; /* of the record */
    enum witness_what what;
    enum dkim_algorithm algorithm; /* of a key */
    struct span public_octets;     /* of a key, as in p= before base64 */
    const char *target;            /* what the name should be an alias of; NULL or "": of nothing */
};

enum { WITNESS_SENTENCE_SIZE = ERR_TEXT_SIZE };

struct witness {
    char server[NAME_SIZE]; /* "resolver" for one of those */
    char address[EXCHANGE_ADDRESS_SIZE];
    bool resolver;
    enum witness_verdict verdict;
    char sentence[WITNESS_SENTENCE_SIZE]; /* what follows "ns1.example.net" */
    char *answer;                         /* the value of the first record, NULL without; heap */
    int64_t ttl_s;                        /* -1 without a record */
};

/* Sets verdict, answer and TTL from an answer to a question for TXT; server, address and
 * `resolver` are there. Without memory the answer is NULL. */
void witness_judge(const struct witness_wanted *wanted, const struct query_answer *answer,
                   struct witness *witness);
/* What is not printable ASCII becomes a question mark. */
void witness_say(struct witness *witness, enum witness_verdict verdict, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
void witness_clear(struct witness *witness);

#endif
