/* SPDX-License-Identifier: Apache-2.0
 *
 * TXT records at the server that takes dynamic updates (RFC 2136): looking at what stands there,
 * and adding, replacing and removing records of ours so that nobody else's is ever overwritten.
 * Each change says what it expects at its name, the server makes it only if that is so, and
 * whoever was faster has won. Updates go over TCP, because one that is sent again after a lost
 * answer would find its own work; signed with TSIG if there is a key, and then only signed answers
 * are believed.
 *
 * A server belongs to one thread at a time.
 */
#ifndef INKAN_DNS_UPDATE_H
#define INKAN_DNS_UPDATE_H

#include "dns/query.h"
#include "dns/tsig.h"

struct update_server;

struct update_options {
    const char *server;         /* host[:port], [address]:port; port 53 */
    const struct tsig_key *key; /* borrowed for as long as the server is open; NULL: not signed */
    int64_t timeout_ms;         /* of one question or one message, all addresses together */
};

/* Finds the addresses of the server; sends nothing. ST_INVALID: not host[:port]; ST_TEMP: the name
 * is not known now, or there is no memory. */
enum status update_open(const struct update_options *options, struct update_server **out,
                        struct err *err) MUST_CHECK;
void update_close(struct update_server *server); /* NULL is fine */

/* Whether the last thing sent was not answered in time by any address, so that there is no use in
 * going on; false when there was an answer, whatever it said. */
bool update_is_away(const struct update_server *server);

/* What stands at the name for the server itself, not for the world: its TXT records, or what it is
 * an alias of. ST_NOT_FOUND: the server is not authoritative for the name; ST_TEMP: no answer, a
 * malformed one, SERVFAIL. Clear with query_clear also after a failure. */
enum status update_look(struct update_server *server, const char *name, struct query_answer *out,
                        struct err *err) MUST_CHECK;
/* Whether that answer was made from a wildcard (RFC 4592): then nothing stands at the name itself,
 * and a record can be added there. Found out by asking for a name beside it that nobody has. */
enum status update_is_wildcard(struct update_server *server, const char *name,
                               const struct query_answer *answer, bool *out,
                               struct err *err) MUST_CHECK;
/* The zone the name is in, for the server. Faults are those of update_look. */
enum status update_zone(struct update_server *server, const char *name, char out[NAME_SIZE],
                        struct err *err) MUST_CHECK;

/* Adding has nothing before, removing has nothing after, and replacing has both. A value is that
 * of one TXT record, joined; it is sent in strings of 255 octets. Nothing is an empty span. */
struct update_change {
    const char *name;   /* without the final dot; at most once in a call */
    struct span before; /* all that may stand there: this one TXT record, or none */
    struct span after;  /* all that is to stand there */
    /* Set by update_send. */
    enum status status;
    struct err err;
};

/* Makes changes of one zone, in as few messages as hold them, with `ttl_s` for new records. Each
 * change has its own outcome: ST_OK also when what is to stand there already does; ST_CONFLICT:
 * something else than `before` stands there, which was left as it is. Failures that are not of one
 * change end the work, and are the outcome of all that were not made by then: ST_DENIED: the server
 * does not take our updates, or its answer is not to be believed; ST_TEMP: no answer (whether the
 * changes were made is not known; sent again they do no harm), SERVFAIL, no memory; ST_INVALID: a
 * name is none. Gives the gravest: such a failure, else ST_CONFLICT, else ST_OK. */
struct update_zone_changes {
    const char *zone;
    uint32_t ttl_s;
    struct update_change *changes;
    size_t count;
};
enum status update_send(struct update_server *server, const struct update_zone_changes *changes,
                        struct err *err) MUST_CHECK;

#endif
