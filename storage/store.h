/* SPDX-License-Identifier: Apache-2.0
 *
 * Records through a driver. Here, and only here: the pool of connections, the deadline of a
 * call, one retry of reads on a fresh connection, the back-off of a data base that is down, the
 * audit event and the change-feed row in the transaction of every change.
 *
 * A store may be used by any number of threads; a transaction by one. No lock is held while a
 * driver works. Open it after fork, never before.
 */
#ifndef INKAN_STORAGE_STORE_H
#define INKAN_STORAGE_STORE_H

#include "storage/driver.h"

enum { STORE_SCHEMA_VERSION = 5 }; /* the newest migration this program knows */

struct store;
struct store_tx;

struct store_options {
    const char *url;
    int64_t timeout_ms;               /* of one call */
    size_t connections;               /* at most */
    const char *actor;                /* for audit events; NULL for a program that only reads */
    const struct settings_ldap *ldap; /* for directories; outlives the store */
};

/* Checks the URL and makes an empty pool: no connection yet, so it works while the data base is
 * away. ST_INVALID for the URL. */
enum status store_open(const struct store_options *options, struct store **out,
                       struct err *err) MUST_CHECK;
void store_close(struct store *store); /* NULL is fine; no call may be under way */

/* Connects and compares the schema with STORE_SCHEMA_VERSION. ST_BROKEN for a newer one, for an
 * older or missing one ST_BROKEN with the command that mends it, ST_TEMP when away. Every first
 * use of a connection tests the same. */
enum status store_check(struct store *store, struct err *err) MUST_CHECK;
/* The schema's version whatever it is (store status). */
enum status store_schema(struct store *store, int *version_out, struct err *err) MUST_CHECK;
const char *store_driver(const struct store *store);
const char *store_url(const struct store *store);
/* Driver calls that failed with ST_TEMP, ST_UNSURE or ST_BROKEN so far, and whether the last
 * one worked. */
int64_t store_errors(const struct store *store);
bool store_up(const struct store *store);

/* Reads outside a transaction, as of struct driver. */
enum status store_get(struct store *store, const struct kind *kind, void *record,
                      struct err *err) MUST_CHECK;
enum status store_find(struct store *store, const struct query *query, driver_row *row, void *arg,
                       struct err *err) MUST_CHECK;
enum status store_lookup(struct store *store, const char *const *names, size_t count,
                         struct profile *profiles, struct err *err) MUST_CHECK;
enum status store_changes(struct store *store, const struct change_query *query, driver_row *row,
                          void *arg, struct err *err) MUST_CHECK;
/* The newest position of the change feed, 0 when it is empty. */
enum status store_position(struct store *store, int64_t *position_out, struct err *err) MUST_CHECK;

/* How many positions back a new reader of the change feed should begin. */
int64_t store_history(const struct store *store);

/* A descriptor that is readable when something changed, on a connection besides the pool, or -1
 * where the data base cannot tell or is away (it is tried again at later calls). Then, and every
 * second in any case, the caller calls store_watched, which takes in what there is and gives the
 * names that other programs than ours have changed (driver.h), and polls the change feed. Both
 * belong to one thread. */
int store_watch(struct store *store);
void store_watched(struct store *store, driver_row *row, void *arg);

/* Changes. Begin, any number of calls, then commit or rollback; both end the transaction and
 * free it. A call that failed leaves nothing to do but rollback. */
enum status store_begin(struct store *store, struct store_tx **out, struct err *err) MUST_CHECK;
enum status store_tx_get(struct store_tx *tx, const struct kind *kind, void *record,
                         struct err *err) MUST_CHECK;
enum status store_tx_find(struct store_tx *tx, const struct query *query, driver_row *row,
                          void *arg, struct err *err) MUST_CHECK;
/* For a transaction over many records: reads all of those names at once, namely tenants and domains
 * by their own names, keys and rules by their domains, audit events of keys by the keys'
 * ("example.com s1"). What is asked for of these then is answered from memory, and what is added is
 * written with the commit, which is where a conflict with other writers shows. Where it would be no
 * faster nothing is read, and all is as without. */
enum status store_tx_ahead(struct store_tx *tx, const struct kind *kind, const char *const *names,
                           size_t count, struct err *err) MUST_CHECK;
/* Checks the record, stores it, and writes the audit event (`action` like "domain.add") and the
 * change-feed row with it; neither when nothing changed but fields with FIELD_QUIET. */
enum status store_tx_put(struct store_tx *tx, const struct kind *kind, void *record,
                         const char *action, struct err *err) MUST_CHECK;
enum status store_tx_del(struct store_tx *tx, const struct kind *kind, const void *record,
                         const char *action, struct err *err) MUST_CHECK;
/* Adds a record that comes from another store (store copy): every field stays as it is, also its
 * times and the hash of an event, but for version and serial; no audit event, because that is
 * copied as well. ST_CONFLICT when it exists. */
enum status store_tx_copy(struct store_tx *tx, const struct kind *kind, void *record,
                          struct err *err) MUST_CHECK;
/* Adds an audit event that tells of no change of a record. Number, hash and version are the
 * store's to give, all else is as it stands there. */
enum status store_tx_event(struct store_tx *tx, const struct event *event,
                           struct err *err) MUST_CHECK;
/* A remark for the audit event of the next put or del of this transaction ("DNS proof skipped");
 * the text is borrowed until then. */
void store_tx_note(struct store_tx *tx, const char *note);
/* A driver's "unsure" is looked into before it is handed on: ST_TEMP when the change is known not
 * to have been made, ST_UNSURE only while the store cannot be asked. */
enum status store_commit(struct store_tx *tx, struct err *err) MUST_CHECK;
void store_rollback(struct store_tx *tx); /* NULL is fine */

/* Typed reads: the record's key goes in, the record comes out (kind_clear frees it). ST_NOT_FOUND
 * says `tenant acme: not found`. */
enum status store_tenant(struct store *store, const char *name, struct tenant *out,
                         struct err *err) MUST_CHECK;
enum status store_domain(struct store *store, const char *name, struct domain *out,
                         struct err *err) MUST_CHECK;
/* Those of the domains that there are, in any order. */
struct store_reader {
    driver_row *row;
    void *arg;
};
enum status store_domains(struct store *store, const char *const *names, size_t count,
                          const struct store_reader *reader, struct err *err) MUST_CHECK;
enum status store_key(struct store *store, const char *domain, const char *selector,
                      struct key *out, struct err *err) MUST_CHECK;

#endif
