/* SPDX-License-Identifier: Apache-2.0
 *
 * Networks in CIDR form and what is said of each: a path-compressed binary tree for either family
 * of addresses, so that to find the longest network that holds an address takes one walk down (at
 * most 128 steps) however many there are.
 *
 * A tree is built by one thread; afterwards any number of them may ask it.
 */
#ifndef INKAN_BASE_NETWORKS_H
#define INKAN_BASE_NETWORKS_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"

enum { NETWORK_OCTETS = 16, NETWORK_TEXT_SIZE = 50 };

struct network {
    uint8_t address[NETWORK_OCTETS]; /* IPv4: the first four */
    unsigned bits;
    bool v4;
};

/* Parses an address or a network. An IPv4 network mapped into IPv6 becomes IPv4. ST_INVALID names
 * the text, and for one with host bits set the network that was probably meant. */
enum status networks_parse(struct span text, struct network *out, struct err *err) MUST_CHECK;
/* The network that holds one address only. False for none (NULL) and for families that are neither
 * AF_INET nor AF_INET6. */
bool networks_of_address(const struct sockaddr *address, struct network *out);
/* The one form of a network: `192.0.2.0/24`; a single address without its prefix. */
void networks_text(const struct network *network, char out[NETWORK_TEXT_SIZE]);

struct networks;
struct networks *networks_new(void) MUST_CHECK; /* NULL: no memory */
void networks_free(struct networks *networks);  /* NULL is fine */
/* Where the value of a network is kept, 0 until it is set. NULL without memory. */
uintptr_t *networks_at(struct networks *networks, const struct network *network) MUST_CHECK;
/* The value of the longest network that holds this one and has a value; 0: there is none. */
uintptr_t networks_find(const struct networks *networks, const struct network *network);
/* All memory it holds, in octets. */
size_t networks_bytes(const struct networks *networks);

#endif
