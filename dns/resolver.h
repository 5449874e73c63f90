/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking resolvers, for what a look-up gives after everything was followed and, with a trust
 * anchor, validated. What one server says by itself is dns/query.h. The only home of libunbound,
 * which is given its questions at once and answers them in a thread of its own; a thread of ours
 * takes the answers from it. libunbound keeps answers as long as their TTL says.
 *
 * Any number of threads may ask. A process that forks opens its resolver afterwards.
 */
#ifndef INKAN_DNS_RESOLVER_H
#define INKAN_DNS_RESOLVER_H

#include "dns/exchange.h"
#include "dns/name.h"

enum { RESOLVER_SERVERS_MAX = 16, RESOLVER_RECORDS_MAX = 64, RESOLVER_PORT = 53 };

enum resolver_type {
    RESOLVER_A = 1,
    RESOLVER_NS = 2,
    RESOLVER_SOA = 6,
    RESOLVER_TXT = 16,
    RESOLVER_AAAA = 28,
};

struct resolver_options {
    const char *nameservers;  /* address[:port],... with IPv6 in brackets; "": the system's */
    const char *trust_anchor; /* a file; "": no DNSSEC */
};

struct resolver;

/* ST_INVALID: an entry of the list is no address, or the file of anchors cannot be read, is
 * empty or malformed; ST_TEMP: no memory, no thread, or the system's resolvers are not known. */
enum status resolver_open(const struct resolver_options *options, struct resolver **out,
                          struct err *err) MUST_CHECK;
/* When no question is under way any more. NULL is fine. */
void resolver_close(struct resolver *resolver);

/* The servers of the setting; none when they are the system's. */
struct resolver_server {
    char address[EXCHANGE_ADDRESS_SIZE];
    uint16_t port;
};
const struct resolver_server *resolver_servers(const struct resolver *resolver, size_t *count_out);

struct resolver_question {
    const char *name;
    enum resolver_type type;
};

struct resolver_answer {
    struct buf *records; /* an address, a name (of SOA the first in it), or the joined strings of a
                            TXT record; heap */
    size_t count;        /* at most RESOLVER_RECORDS_MAX, more are left out */
    bool aliased;        /* they are of another name, which this one is an alias of */
    bool secure;         /* validated */
    int64_t ttl_s;
};
void resolver_answer_clear(struct resolver_answer *answer);

/* The records of a name. ST_OK, also without any; ST_NOT_FOUND: there is no such name; ST_TEMP: no
 * answer in time, or SERVFAIL and its like; ST_BROKEN: DNSSEC says that the answer is forged.
 * Clear with resolver_answer_clear also after a failure. */
enum status resolver_ask(struct resolver *resolver, const struct resolver_question *question,
                         int64_t deadline_ms, struct resolver_answer *out,
                         struct err *err) MUST_CHECK;
/* The same in two halves, for many questions at once. Each request that was started is waited for
 * once, which frees it. */
struct resolver_request;
enum status resolver_start(struct resolver *resolver, const struct resolver_question *question,
                           struct resolver_request **out, struct err *err) MUST_CHECK;
enum status resolver_wait(struct resolver_request *request, int64_t deadline_ms,
                          struct resolver_answer *out, struct err *err) MUST_CHECK;

#endif
