/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded pool of driver connections with the back-off of a data base that is down. Only
 * storage/store.c uses it. Any thread; no lock is held while a driver works.
 */
#ifndef INKAN_STORAGE_POOL_H
#define INKAN_STORAGE_POOL_H

#include "storage/driver.h"

struct pool;

enum { POOL_CONNECTIONS_MAX = 256 };

struct pool_options {
    const struct driver *driver;
    const char *url; /* borrowed for the pool's life, as the next */
    const struct settings_ldap *ldap;
    size_t connections; /* at most, 1 to POOL_CONNECTIONS_MAX */
    int schema;         /* a new connection must show this schema version */
    bool writes;        /* as of driver_options */
};

struct pool *pool_new(const struct pool_options *options) MUST_CHECK; /* NULL: no memory */
void pool_free(struct pool *pool); /* all connections must have been given back */

/* A connection with its deadline set, opened and its schema tested if there was none idle.
 * ST_TEMP when all are busy until the deadline, when the data base does not answer, or at once
 * while it is left alone after a failure. */
enum status pool_take(struct pool *pool, int64_t deadline_ms, struct driver_conn **out,
                      struct err *err) MUST_CHECK;
/* Gives it back; a broken one is closed, and all idle ones with it. */
void pool_give(struct pool *pool, struct driver_conn *conn);

#endif
