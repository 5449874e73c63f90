/* SPDX-License-Identifier: Apache-2.0
 *
 * What a data base must be able to do to keep inkan's records. A driver is small because the
 * store is not lazy: pool, retries, back-off, audit events and the change feed are the store's
 * (storage/store.c); a driver moves records. No query text crosses this interface, so there is
 * no escaping in it, and no open private key ever does.
 *
 * A connection is used by one thread at a time. Every call ends by `deadline_ms` (monotonic) and
 * answers ST_TEMP when it passes. ST_TEMP with `broken` set tells the store to drop the
 * connection; a driver must set it whenever the connection's state is unknown.
 */
#ifndef INKAN_STORAGE_DRIVER_H
#define INKAN_STORAGE_DRIVER_H

#include "storage/model.h"

struct driver;

/* A driver's connection starts with this. */
struct driver_conn {
    const struct driver *driver;
    int64_t deadline_ms; /* set by the store before each call */
    bool broken;         /* set by the driver */
};

struct settings_ldap; /* base/settings.h */

struct driver_options {
    const char *url;
    const struct settings_ldap *ldap; /* for directories; outlives the connection */
    bool create;                      /* make the data base if it is not there (store init) */
    bool writes; /* the program changes things, and has to see its own changes at once */
    int version; /* of the schema, as the caller wants it, for stores that have none of their own */
};

enum { QUERY_FILTERS_MAX = 8, DRIVER_NAMES_MAX = 24, DRIVER_ANY_MAX = 40 };

/* Which records find gives: those whose fields match all the filters, in primary-key order,
 * strictly after `after`. */
struct query {
    const struct kind *kind;
    struct query_filter {
        const struct field *field;
        const char *text; /* FIELD_TEXT */
        int64_t number;   /* everything else */
        bool until;       /* FIELD_TIME: set, and not after `number`; else equal to it */
    } filters[QUERY_FILTERS_MAX];
    size_t filter_count;
    /* And one of the texts of an array of DRIVER_ANY_MAX, NULL where there are fewer; only for
     * drivers that have `add`, and then in any order. NULL: any. */
    const struct field *any_field;
    const char *const *any;
    const void *after; /* a record with its primary key set, or NULL */
    size_t limit;      /* 0: all */
    bool descending;
};

struct change_query {
    int64_t cursor; /* position of the last row seen */
    size_t limit;
};

/* From one schema version to another (0: none). */
struct driver_migration {
    int version;        /* to be reached */
    int64_t timeout_ms; /* of one call */
    int before, after;  /* what was, and what is */
};

/* Called once a record; the record is the callee's only until it returns. Anything but ST_OK
 * ends the find with that status. It must not use the connection. */
typedef enum status driver_row(void *arg, const void *record, struct err *err);

struct driver {
    const char *name;           /* "sqlite" */
    const char *const *schemes; /* of its URLs, NULL-terminated */

    /* ST_INVALID: not a URL of this driver, or one that holds a secret. Asks nobody. */
    enum status (*check)(const char *url, struct err *err);
    /* ST_INVALID: the URL is wrong; ST_NOT_FOUND: no such data base; ST_TEMP: not now. */
    enum status (*open)(const struct driver_options *options, int64_t deadline_ms,
                        struct driver_conn **out, struct err *err);
    void (*close)(struct driver_conn *conn);
    /* Brings the data base to the schema version given; with options->create it is made first
     * (ST_CONFLICT when it has a schema already), without it must exist (ST_NOT_FOUND). ST_BROKEN
     * for a schema newer than that. What is cut short is done by the next run. */
    enum status (*migrate)(const struct driver_options *options, struct driver_migration *migration,
                           struct err *err);
    /* The version of the newest migration applied, 0: none. */
    enum status (*schema)(struct driver_conn *conn, int *version_out, struct err *err);

    enum status (*begin)(struct driver_conn *conn, struct err *err);
    /* ST_UNSURE when the answer was lost. The transaction is over whatever the answer. */
    enum status (*commit)(struct driver_conn *conn, struct err *err);
    /* In a transaction of its own: afterwards no commit whose answer was lost before is still under
     * way; it has happened, or never will. */
    enum status (*fence)(struct driver_conn *conn, struct err *err);
    void (*rollback)(struct driver_conn *conn);
    /* Within a transaction, before it adds audit events that follow what is there: until its end no
     * other that took its turn commits. Gives the newest event; there is none if it stays zeroed.
     */
    enum status (*turn)(struct driver_conn *conn, struct event *newest_out, struct err *err);

    /* Fills the record whose primary key is set. ST_NOT_FOUND leaves it as it was. */
    enum status (*get)(struct driver_conn *conn, const struct kind *kind, void *record,
                       struct err *err);
    enum status (*find)(struct driver_conn *conn, const struct query *query, driver_row *row,
                        void *arg, struct err *err);
    /* Version 0 adds the record: ST_CONFLICT when it exists. Another version replaces the one
     * stored with that version: ST_CONFLICT when there is none. ST_INVALID when the record refers
     * to one that does not exist. On ST_OK the record's version and serial are set. */
    enum status (*put)(struct driver_conn *conn, const struct kind *kind, void *record,
                       struct err *err);
    /* Adds many records of a kind at once, with the versions that they bear, and sets their
     * serials, which ascend. Else as put. NULL where it would be no faster. */
    enum status (*add)(struct driver_conn *conn, const struct kind *kind, void *const *records,
                       size_t count, struct err *err);
    /* Removes the record with that key and version, else ST_CONFLICT; ST_DENIED while others
     * refer to it. */
    enum status (*del)(struct driver_conn *conn, const struct kind *kind, const void *record,
                       struct err *err);

    /* The hot path: profiles[i] for names[i] (at most DRIVER_NAMES_MAX), all in one round trip and
     * one snapshot: the domain of that name with its tenant and its active keys, or the tenant
     * (profile_tenant_name), and the rules and grants whose place it is. Names with nothing under
     * them are left empty, which is ST_OK. */
    enum status (*lookup)(struct driver_conn *conn, const char *const *names, size_t count,
                          struct profile *profiles, struct err *err);
    /* The rows of the change feed (kind_change) after `cursor`, in order, at most `limit`. */
    enum status (*changes)(struct driver_conn *conn, const struct change_query *query,
                           driver_row *row, void *arg, struct err *err);

    /* How many positions of the feed a new reader goes back, for what is cached elsewhere. */
    int64_t history;

    /* Both NULL where the data base cannot tell. `watch` makes this connection, used for nothing
     * else from then on, hear of changes: *fd_out is readable when there is one, or -1 if it has
     * to be asked every second. `watched` takes in what there is. A data base that other programs
     * may change beside the feed gives a row (kind_change without a position) for each name that
     * was, of kind "all" where it cannot tell which. */
    enum status (*watch)(struct driver_conn *conn, int *fd_out, struct err *err);
    enum status (*watched)(struct driver_conn *conn, driver_row *row, void *arg, struct err *err);
};

#endif
