/* SPDX-License-Identifier: Apache-2.0
 *
 * What is kept: the kinds of record and, once for everybody, the table of fields of each. SQL
 * statements, directory attributes, command-line columns, JSON and audit details are all made
 * from these tables; adding a field is one line in model.c, one member here, one migration.
 *
 * Records are plain structs. Texts are heap strings or NULL (which means ""), octets are
 * buffers, everything else is an int64_t. A zeroed struct is an empty record; kind_clear frees
 * what one holds. Records belong to one thread; the tables are constant.
 */
#ifndef INKAN_STORAGE_MODEL_H
#define INKAN_STORAGE_MODEL_H

#include "base/bytes.h"

enum field_type {
    FIELD_TEXT,  /* char *, UTF-8 without control characters, at most `max` octets */
    FIELD_INT,   /* int64_t from `min` to `max` */
    FIELD_BOOL,  /* int64_t 0 or 1 */
    FIELD_TIME,  /* int64_t seconds since 1970, 0: never */
    FIELD_ENUM,  /* int64_t index into `names`; kept in stores by name */
    FIELD_BYTES, /* struct buf, at most `max` octets */
};

enum field_flag {
    FIELD_KEY = 1,        /* part of the primary key, in table order */
    FIELD_REQUIRED = 2,   /* must not be empty */
    FIELD_SETTABLE = 4,   /* `tenant set`, `domain set` may change it */
    FIELD_SECRET = 8,     /* never printed, never in an audit detail */
    FIELD_WIDE = 16,      /* shown by `show` and JSON, not in the tables of `list` */
    FIELD_VERSION = 32,   /* the optimistic lock: 0 is a record not yet stored */
    FIELD_SERIAL = 64,    /* numbered by the data base when the record is stored */
    FIELD_TOUCHED = 128,  /* set to the time of each put by the store */
    FIELD_NOCASE = 256,   /* in lower case; capitals that other programs wrote mean the same */
    FIELD_QUIET = 512,    /* a change of nothing else is no event, and nobody's cache minds it */
    FIELD_SECONDS = 1024, /* FIELD_INT: a duration, which people may give a unit */
};

struct field {
    const char *name; /* column, attribute, JSON member */
    enum field_type type;
    unsigned flags;
    size_t offset;
    int64_t min, max;
    const char *const *names; /* FIELD_ENUM: NULL-terminated */
    /* A further test of a text value; NULL: none. */
    enum status (*check)(struct span value, struct err *err);
    const char *help;
};

struct kind {
    const char *name; /* "domain"; also the table's name in SQL stores */
    const struct field *fields;
    size_t field_count;
    size_t size; /* of the struct */
};

enum account_status { ACCOUNT_ACTIVE, ACCOUNT_SUSPENDED };

/* The states of lifecycle.md in their order. */
enum key_state { KEY_STAGED, KEY_PUBLISHED, KEY_ACTIVE, KEY_RETIRING, KEY_REVOKED, KEY_DESTROYED };

/* What DNS was last seen to show where the record of a key belongs. */
enum key_shown { KEY_SHOWN_UNKNOWN, KEY_SHOWN_RIGHT, KEY_SHOWN_MISSING, KEY_SHOWN_WRONG };

/* What is done about a key that DNS no longer shows. */
enum on_unpublished { UNPUBLISHED_SIGN, UNPUBLISHED_PROVIDER, UNPUBLISHED_UNSIGNED };

/* What is done with mail for which no key can be used. "auto": it goes out unsigned where there is
 * no active key, and has to wait where there is one that does not open. */
enum on_no_key { NO_KEY_AUTO, NO_KEY_TEMPFAIL, NO_KEY_UNSIGNED, NO_KEY_PROVIDER };

enum ed25519_use { ED25519_ON, ED25519_OFF };

enum grant_type { GRANT_LOGIN, GRANT_NETWORK, GRANT_DAEMON };

struct tenant {
    char *name;
    int64_t status;         /* enum account_status */
    int64_t on_unpublished; /* enum on_unpublished */
    int64_t on_no_key;      /* enum on_no_key */
    int64_t subdomains;     /* 1: all its domains also sign for authors below them */
    char *canonicalization; /* "": as the settings say */
    int64_t expiry;         /* seconds, -1: as the settings say */
    char *headers;          /* field names; "": as the settings say */
    char *oversign;         /* the same */
    int64_t also_provider;  /* 1: the provider's domain signs as well */
    int64_t one_signature;  /* 1: never more than one signature */
    int64_t ed25519;        /* enum ed25519_use */
    char *algorithms;       /* "", and 0 in the next: as the tenant, else as the settings say */
    int64_t max_age, soak, overlap, tombstone; /* seconds */
    char *freeze;                              /* days (base/calendar.h); "": as above */
    char *note;
    int64_t created, updated, version;
};

struct domain {
    char *name; /* A-labels, lower case */
    char *tenant;
    int64_t status;         /* enum account_status */
    char *delegation;       /* what targets are named by (admin/delegation.h); "": not delegated */
    int64_t subdomains;     /* 1: also signs for authors below the domain */
    char *canonicalization; /* "": as the tenant, else as the settings say */
    int64_t expiry;         /* seconds, -1: the same */
    char *algorithms;       /* "", and 0 in the next: as the tenant, else as the settings say */
    int64_t max_age, soak, overlap, tombstone; /* seconds */
    char *freeze;                              /* days (base/calendar.h); "": as above */
    char *note;
    int64_t created, updated, version;
};

struct key {
    char *domain;
    char *selector;
    int64_t algorithm; /* enum dkim_algorithm */
    int64_t bits;
    int64_t state;         /* enum key_state */
    int64_t reserved;      /* 1: signs only where a rule names its selector */
    struct buf public_key; /* as in p= before base64 */
    char *target;          /* the record stands there; "": at its own name */
    char *kek;             /* id of the key-encryption key that sealed it */
    struct buf sealed;     /* the envelope of storage/vault.h; empty once wiped */
    int64_t created, published, activated, retired, revoked, destroyed;
    int64_t shown;   /* enum key_shown */
    int64_t checked; /* when DNS was last asked; 0: not in this state */
    int64_t ttl;     /* seconds that others may keep the record */
    int64_t due;     /* when its life goes on; 0: not by itself */
    int64_t updated, version;
};

/* Which domain signs for authors that no domain of their own speaks for, or otherwise than theirs
 * (storage/rule.h). */
struct rule {
    char *pattern;  /* of authors */
    char *domain;   /* signs for them */
    char *selector; /* "": with all keys that are not reserved */
    char *identity; /* i=; "": none */
    char *place;    /* what it is looked up by */
    int64_t created, updated, version;
};

/* Whose tenant's mail may come from there (storage/grant.h). */
struct grant {
    int64_t type; /* enum grant_type */
    char *subject;
    char *tenant;
    int64_t one_signature; /* 1: no more than one signature */
    char *place;           /* what it is looked up by */
    int64_t created, updated, version;
};

/* An audit event. Events are only ever added, each chained to the one before (storage/chain.h). */
struct event {
    int64_t id;
    int64_t time;
    char *actor;  /* who: the login name and the program */
    char *action; /* "domain.add" */
    char *kind, *name;
    char *tenant;
    char *detail; /* `field=value` for what is new, `field: old -> new` for what changed */
    char *hash;   /* empty in events that are older than the chain */
    int64_t version;
};

/* Who alone may do something that goes over many records. */
struct lease {
    char *name; /* of the work */
    char *holder;
    int64_t until; /* afterwards anybody may have it */
    int64_t created, updated, version;
};

/* A row of the change feed: a name whose cached profiles are out of date. */
struct change {
    int64_t position;
    char *kind; /* "domain" or "tenant" */
    char *name;
    int64_t time;
    int64_t version;
};

extern const struct kind kind_tenant, kind_domain, kind_key, kind_rule, kind_grant, kind_event,
    kind_change, kind_lease;
/* All of them, NULL-terminated, in the order in which records may refer to earlier ones. */
extern const struct kind *const kinds[];

/* The field of that name, or NULL. */
const struct field *kind_field(const struct kind *kind, struct span name);
/* The field with the flag, or NULL. */
const struct field *kind_flagged(const struct kind *kind, enum field_flag flag);

/* Access to one member of a record by its field. */
char **field_text(const struct field *field, const void *record);
int64_t *field_int(const struct field *field, const void *record);
struct buf *field_bytes(const struct field *field, const void *record);
/* Puts a copy of the text into a text field, replacing what was there. ST_TEMP without memory. */
enum status field_set_text(const struct field *field, void *record, struct span text,
                           struct err *err) MUST_CHECK;
/* Reads any non-secret field from text as a person types it (enum names, yes/no, numbers, durations
 * as seconds or as the settings take them). ST_INVALID names the field and what is allowed. */
enum status field_from_text(const struct field *field, void *record, struct span text,
                            struct err *err) MUST_CHECK;
/* Writes a field as text: dates as 2026-11-21T12:00:00Z, never as "", durations as seconds, octets
 * in base64, secret octets as "(sealed)". */
void field_to_text(const struct field *field, const void *record, struct buf *out);
/* Whether two records have the same value there. */
bool field_equal(const struct field *field, const void *a, const void *b);

/* Tests every field against its table entry. ST_INVALID names kind, record and field. */
enum status kind_check(const struct kind *kind, const void *record, struct err *err) MUST_CHECK;
/* Frees all the record holds and zeroes it. */
void kind_clear(const struct kind *kind, void *record);
/* A deep copy into a zeroed record. ST_TEMP without memory. */
enum status kind_copy(const struct kind *kind, const void *from, void *to,
                      struct err *err) MUST_CHECK;
/* Frees all a heap record holds, and the record itself. NULL is fine. */
void kind_free(const struct kind *kind, void *record);
/* Orders two records by primary key as all stores do, texts by their octets and enums by name: less
 * than, equal to or greater than 0. */
int kind_compare(const struct kind *kind, const void *a, const void *b);
/* The primary key as people write it: "example.com", "example.com s1". */
void kind_label(const struct kind *kind, const void *record, struct buf *out);

/* What a record belongs to, as spans into it: the domain of domains, keys and rules (empty for
 * others), the tenant of tenants, domains, grants and events (empty for others). */
struct span kind_domain_of(const struct kind *kind, const void *record);
struct span kind_tenant_of(const struct kind *kind, const void *record);
/* The name that the record is looked up by, for those that lookups give; empty for others. */
struct span kind_place_of(const struct kind *kind, const void *record);

/* What a store has under one name, as far as signing needs it: one answer of its lookup. Of a
 * domain that is the domain; of PROFILE_TENANT with a tenant's name behind it, which is no domain,
 * the tenant alone; of any name the rules and grants that are looked up by it. */
#define PROFILE_TENANT "tenant#"
enum { PROFILE_TENANT_SIZE = sizeof PROFILE_TENANT + 64 };
struct profile {
    bool found;       /* there is such a domain */
    char *unreadable; /* heap; what is wrong with what stands there, else NULL: whoever needs this
                       * profile has no answer, and whoever does not has one */
    struct domain domain;
    struct tenant tenant; /* the domain's, or that of the name; without a name: neither */
    struct key *keys;     /* the active ones, still sealed; heap */
    size_t key_count;
    struct rule *rules; /* heap */
    size_t rule_count;
    struct grant *grants; /* heap */
    size_t grant_count;
    int64_t position; /* of the change feed when this was read; set also if not found */
};
void profile_clear(struct profile *profile);
/* Room for one more record of its kind (key, rule or grant) in a profile, zeroed and counted. NULL
 * without memory. */
void *profile_add(struct profile *profile, const struct kind *kind) MUST_CHECK;
/* Writes the name under which a tenant is looked up. False for a name that no tenant can have. */
bool profile_tenant_name(const char *tenant, char out[PROFILE_TENANT_SIZE]) MUST_CHECK;
/* The tenant that such a name is for, within it; NULL for other names. */
const char *profile_tenant_of(const char *name);
/* Leaves the rules and grants of the name only. */
void profile_drop_domain(struct profile *profile);
/* Whether the store has nothing at all under the name. */
bool profile_is_empty(const struct profile *profile);

#endif
