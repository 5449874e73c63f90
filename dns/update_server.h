/* SPDX-License-Identifier: Apache-2.0
 *
 * The server of dns/update.h from inside: what dns/update.c needs of dns/update_server.c.
 */
#ifndef INKAN_DNS_UPDATE_SERVER_H
#define INKAN_DNS_UPDATE_SERVER_H

#include "dns/update.h"

/* The server's name, as it was given, for texts. */
const char *update_server_name(const struct update_server *server);
const struct tsig_key *update_server_key(const struct update_server *server);
/* Sends a message over TCP to the first address that answers, beginning with the one that did last
 * time. Faults are those of exchange_ask. */
enum status update_server_send(struct update_server *server, struct span message,
                               struct buf *answer, struct err *err) MUST_CHECK;

#endif
