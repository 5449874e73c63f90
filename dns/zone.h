/* SPDX-License-Identifier: Apache-2.0
 *
 * The zone that holds a name, and where its authoritative servers are. Any thread.
 *
 * Resolvers remember that a name is not there, and many then take it that nothing is below it
 * either (RFC 2308, RFC 8020). Therefore no resolver is asked for the name itself, nor for
 * `_domainkey` above it: a record that is about to be published would be hidden by the looking.
 * From the zone found above these its own servers are asked, which know of zones further down.
 */
#ifndef INKAN_DNS_ZONE_H
#define INKAN_DNS_ZONE_H

#include "dns/resolver.h"

enum { ZONE_SERVERS_MAX = 32, ZONE_ADDRESSES_MAX = 16, ZONE_CUTS_MAX = 4 };

struct zone_look {
    struct resolver *resolver;
    uint16_t port; /* of authoritative servers */
};

struct zone {
    char name[NAME_SIZE];
    struct zone_server {
        char name[NAME_SIZE];
        char addresses[ZONE_ADDRESSES_MAX][EXCHANGE_ADDRESS_SIZE];
        size_t address_count;
        bool unsure; /* addresses may be missing: resolvers failed to say */
        bool more;   /* it has addresses beyond the limit, which are missing here */
    } servers[ZONE_SERVERS_MAX];
    size_t server_count;
    bool more; /* it has servers beyond the limit, which are missing here */
};

/* Addresses that this host has no route to are left out where a server has others. ST_NOT_FOUND:
 * nothing above the name is a zone; ST_TEMP and ST_BROKEN as of resolver_ask. */
enum status zone_find(const struct zone_look *look, const char *name, int64_t deadline_ms,
                      struct zone *out, struct err *err) MUST_CHECK;

#endif
