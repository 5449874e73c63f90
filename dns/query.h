/* SPDX-License-Identifier: Apache-2.0
 *
 * One question to one server, and what of the answer matters here. Nothing is followed to another
 * server and nothing is believed for another name than the one asked: this is for looking at what
 * exactly that server says. Any thread.
 */
#ifndef INKAN_DNS_QUERY_H
#define INKAN_DNS_QUERY_H

#include "dns/exchange.h"
#include "dns/name.h"

enum query_type { QUERY_NS = 2, QUERY_SOA = 6, QUERY_TXT = 16 }; /* RFC 1035 3.2.2 */

enum {
    QUERY_TEXTS_MAX = 4, /* TXT records that are kept */
    QUERY_ALIASES_MAX = 8,
    QUERY_UDP_SIZE = 1232, /* octets of an answer over UDP that get through everywhere */
};

struct query_question {
    const char *name;
    enum query_type type;
    bool recurse; /* the server is a resolver: it follows aliases, and the answer has all of them */
};

struct query_answer {
    int rcode;             /* RFC 1035 4.1.1: 0 no error, 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED */
    bool authoritative;    /* AA */
    bool truncated;        /* TC, over TCP as well */
    char alias[NAME_SIZE]; /* what the name is an alias of, "" if of nothing; when recursing the
                              last of them */
    size_t text_count;     /* TXT records at the name; when recursing at its last alias */
    struct buf texts[QUERY_TEXTS_MAX]; /* the first of them, the strings of each joined */
    int64_t ttl_s;                     /* the least of these records and aliases, -1 without any */
    bool has_soa;
    char soa[NAME_SIZE]; /* the owner of the SOA record, in whichever section */
    bool has_cut;
    char cut[NAME_SIZE]; /* the zone the server refers to others for, instead of an answer */
};

/* The message that asks, with an id of its own. ST_INVALID: the name is none; ST_TEMP: no memory.
 */
enum status query_write(const struct query_question *question, struct buf *out,
                        struct err *err) MUST_CHECK;
/* Reads an answer. ST_TEMP when it is malformed. Clear with query_clear also after a failure. */
enum status query_read(const struct query_question *question, struct span message,
                       struct query_answer *out, struct err *err) MUST_CHECK;
/* Asks and reads. An answer that says no is ST_OK; the failures are those of exchange_ask and of
 * the two above. Clear with query_clear also after a failure. */
enum status query_ask(const struct exchange *server, const struct query_question *question,
                      struct query_answer *out, struct err *err) MUST_CHECK;
void query_clear(struct query_answer *answer);
/* "SERVFAIL", "REFUSED", ..., "rcode 23" */
void query_rcode_name(int rcode, char out[16]);

#endif
