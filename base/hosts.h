/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of hosts: networks in CIDR form (IPv4, IPv6, bare addresses), host names, `.domain`
 * (every name below domain, not domain itself), each with `!` in front as an exception.
 * The longest matching network and the longest matching name decide, so `10.0.0.0/8,
 * !10.0.0.7` is everybody in ten but one, in whatever order they stand. An exception by
 * either address or name beats a match by the other: what is excluded by name is not let in
 * by its network.
 *
 * A list is immutable after parsing: any number of threads may ask it. One look-up costs one
 * walk down a prefix tree (at most 128 steps) and one hash look-up per label of the name.
 */
#ifndef INKAN_BASE_HOSTS_H
#define INKAN_BASE_HOSTS_H

#include <sys/socket.h>

#include "base/bytes.h"

struct hosts;

enum { HOSTS_MAX_ENTRIES = 100000 };

/* Parses a comma-separated list (blanks around entries ignored; the empty text is the empty
 * list). ST_INVALID names the entry: a network with host bits set (the text says which network
 * was probably meant), a prefix too long, a name that is none, an entry given both with and
 * without `!`. Free with hosts_free. */
enum status hosts_parse(struct span text, struct hosts **out, struct err *err) MUST_CHECK;
void hosts_free(struct hosts *hosts);

/* Whether a peer is in the list. `address` may be NULL or of another family than AF_INET and
 * AF_INET6 (then only the name counts); an IPv4 address mapped into IPv6 counts as IPv4.
 * `name` may be empty; case and one trailing dot do not matter; "[192.0.2.1]" is no name. */
bool hosts_contain(const struct hosts *hosts, const struct sockaddr *address, struct span name);

#endif
