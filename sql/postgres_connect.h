/* SPDX-License-Identifier: Apache-2.0
 *
 * Connecting to one of several PostgreSQL hosts by a deadline, and waiting on a connection.
 * Only sql/postgres.c uses it.
 */
#ifndef INKAN_SQL_POSTGRES_CONNECT_H
#define INKAN_SQL_POSTGRES_CONNECT_H

#include <libpq-fe.h>

#include "base/bytes.h"

/* ST_INVALID: no such URL, or one with a password in it: secrets stand in files. */
enum status postgres_check(const char *url, struct err *err) MUST_CHECK;
/* Tries the hosts of the URL in order, each for its share of the time, so that one that hangs
 * does not use up what the next one needs. ST_INVALID: no such URL; ST_DENIED: the server does
 * not let us in; ST_NOT_FOUND: no such data base; ST_TEMP: none answers. PQfinish frees. */
enum status postgres_connect(const char *url, int64_t deadline_ms, PGconn **out,
                             struct err *err) MUST_CHECK;
/* Waits until the socket can be read (and, with `write`, written). False at the deadline. */
bool postgres_wait(PGconn *pg, bool write, int64_t deadline_ms);
/* libpq's message in one line without the trailing line end. */
const char *postgres_message(const char *message, char *out, size_t size);

#endif
