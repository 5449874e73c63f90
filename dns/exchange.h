/* SPDX-License-Identifier: Apache-2.0
 *
 * One DNS message to one server and its answer: octets in, octets out. What the octets say is for
 * the callers (dns/query.h, dns/update.h); here only the header and the question are looked at,
 * which tell the answer from anything else that arrives. Over UDP first, sent anew after a third
 * and two thirds of the time, and over TCP when the answer is truncated (RFC 7766 5).
 *
 * Every call has a socket of its own, so that source ports differ (RFC 5452 9.2). Any thread.
 */
#ifndef INKAN_DNS_EXCHANGE_H
#define INKAN_DNS_EXCHANGE_H

#include "base/bytes.h"

enum {
    EXCHANGE_ADDRESS_SIZE = 64, /* an address of either family as text */
    EXCHANGE_MESSAGE_MAX = 65535,
    EXCHANGE_HEADER_SIZE = 12,
};

struct exchange {
    const char *address; /* IPv4 or IPv6 as text, without brackets; no name */
    uint16_t port;
    bool tcp;            /* TCP from the start: for updates and whatever is large */
    int64_t deadline_ms; /* of clock_monotonic_ms, for all of it */
};

/* An id nobody can guess, for the first two octets of a message (RFC 5452 9.1). */
uint16_t exchange_id(void);

/* Sends the message and puts what the server answers into *answer, emptied first: at least a
 * header, with the id and the opcode of the message, QR set, and the question of the message. The
 * question may be missing where the answer reports a failure or is one to an update (RFC 2136
 * 3.8). Everything else that arrives is dropped and waiting goes on. Over TCP the answer may still
 * have TC set. ST_TEMP: no answer in time, or the system said why there will be none; ST_INVALID:
 * the address is none, or the message too short or too long. The text names address and port. */
enum status exchange_ask(const struct exchange *exchange, struct span message, struct buf *answer,
                         struct err *err) MUST_CHECK;

/* Whether this host has a route to the address: without IPv6, it has none to those of IPv6. Sends
 * nothing. */
bool exchange_has_route(const char *address);

#endif
