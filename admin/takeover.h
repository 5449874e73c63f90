/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of an OpenDKIM here: its domains, keys and rules as records of ours, which sign the
 * same mail with the same d=, s= and i=. Who signs for whom is not translated from the tables but
 * asked: for each author pattern that the tables or the domains make interesting, the model of
 * OpenDKIM (opendkim/signing.h) says what it would do with the mail of such an author. A pattern
 * gets rules if what we would do without them differs. So nothing of how OpenDKIM looks things up
 * is said twice, and a table that means something else than it seems to is taken over as what it
 * means.
 *
 * A key that signs for all authors of its own domain becomes that domain's. Others are reserved for
 * their rules. Reads files; writes nothing; knows no store. One thread.
 */
#ifndef INKAN_ADMIN_TAKEOVER_H
#define INKAN_ADMIN_TAKEOVER_H

#include <uthash.h>

#include "admin/keys.h"
#include "opendkim/signing.h"
#include "storage/rule.h"

/* Key material, one for all rows that have it. */
struct takeover_material {
    UT_hash_handle hh;
    struct keys_draft draft;
    bool usable;
    char fault[ERR_TEXT_SIZE]; /* why not */
    char name[];               /* of the file, else of the row in the KeyTable */
};

/* A domain with a selector. */
struct takeover_key {
    UT_hash_handle hh;
    char *domain, *selector;
    const struct takeover_material *material;
    struct notes_place place; /* of its row in the KeyTable, or of the setting or line it is from */
    char *seen;               /* what DNS shows of it, for an audit event; NULL: nobody asked */
    enum key_shown shown;     /* and the same for its record */
    int64_t checked_s, ttl_s;
    bool own;    /* signs for the authors of its domain by itself; else it is reserved */
    bool used;   /* for takeover_drop_keys: some pattern has it */
    char name[]; /* domain, blank, selector */
};

/* A domain that has keys. */
struct takeover_domain {
    UT_hash_handle hh;
    size_t own;            /* of its keys */
    const char *suspended; /* in the store: "domain" or "tenant"; NULL: neither */
    bool used;             /* some key of it is */
    char name[];
};

/* An author pattern of storage/rule.h, and who signs for it. */
struct takeover_pattern {
    UT_hash_handle hh;
    enum rule_level level;
    char *user;  /* NULL: every author there */
    char *host;  /* "*" with RULE_EVERYWHERE */
    char *spelt; /* the host as the line has it, if in UTF-8; else NULL */
    bool line;   /* of a SigningTable or KeyList */
    struct notes_place place;
    char *wanted; /* the name of the key in the line; NULL: it comes of no such line */
    struct takeover_signer {
        struct takeover_key *key;
        char *identity; /* NULL: none */
    } signers[2];       /* OpenDKIM makes no more */
    size_t count;
    bool lost;  /* OpenDKIM signs for it with what is not taken over */
    bool ruled; /* there are rules for it */
    char text[];
};

struct takeover {
    struct signing *signing; /* borrowed, and the next two */
    const struct configuration *configuration;
    struct notes *notes;
    struct takeover_material *materials;
    struct takeover_key *keys; /* in the end by name */
    struct takeover_domain *domains;
    struct takeover_pattern *patterns;
    struct rule *rules; /* pattern, domain, selector, identity, place */
    size_t rule_count, rule_cap;
};

/* Domains that a template (`%`) is to be spelled out for, besides those that its files and names
 * show. */
struct takeover_domains {
    const char *const *names; /* in the one form of dkim/domain.h */
    size_t count;
};

/* Makes the plan, but for its rules, into a zeroed struct whose first three members are set. What
 * cannot be taken over is in the notes. ST_TEMP without memory or when a table's server does not
 * answer, and what reading tables says. Clear also after a failure. */
enum status takeover_plan(struct takeover *takeover, const struct takeover_domains *domains,
                          struct err *err) MUST_CHECK;
void takeover_clear(struct takeover *takeover); /* wipes */

/* takeover_pattern.c: adds the author patterns that a key of a SigningTable or KeyList stands for
 * (zero to two), with a note if that is not the same or nothing. */
struct takeover_line {
    struct span key, wanted; /* the pattern, and the name of a key or nothing */
    bool expression;         /* as in refile: and KeyList */
    struct notes_place place;
};
enum status takeover_add_key(struct takeover *takeover, const struct takeover_line *line,
                             struct err *err) MUST_CHECK;
/* Adds one pattern unless it is there; `user` NULL or empty for every author. A host that is no
 * domain is noted and passed over. */
struct takeover_author {
    struct span user, host;
    enum rule_level level;
    struct span wanted; /* see struct takeover_pattern, and the next */
    bool line;
};
enum status takeover_add_pattern(struct takeover *takeover, const struct takeover_author *author,
                                 struct notes_place place, struct err *err) MUST_CHECK;
void takeover_clear_patterns(struct takeover *takeover);
/* The pattern of that text, or NULL. */
struct takeover_pattern *takeover_find_pattern(const struct takeover *takeover, const char *text);
/* The pattern that counts for authors of this one if it is not there itself, or NULL. */
struct takeover_pattern *takeover_next_pattern(const struct takeover *takeover,
                                               const struct takeover_pattern *pattern);

/* takeover_cross.c: adds the patterns where `ann@*` and `example.com` meet, since the order of
 * lines may decide there otherwise than we would. And with us a domain answers for its authors
 * before a wider rule does, also if no line names it. ST_TEMP. */
enum status takeover_add_crossings(struct takeover *takeover, struct err *err) MUST_CHECK;

/* takeover_key.c: the key of a signature that OpenDKIM would make for an author at that domain;
 * *out stays NULL, and a note says why, if it cannot be taken over. */
struct takeover_request {
    const struct signing_signature *signature;
    const char *author_domain;
    struct notes_place place;
};
enum status takeover_find_key(struct takeover *takeover, const struct takeover_request *request,
                              struct takeover_key **out, struct err *err) MUST_CHECK;
/* The domain if it has keys, else NULL. */
struct takeover_domain *takeover_find_domain(const struct takeover *takeover, const char *name);
/* Forgets the keys that are not used, and domains that are left without any. */
void takeover_drop_keys(struct takeover *takeover);
void takeover_clear_keys(struct takeover *takeover);

/* takeover_leftover.c: notes the rows of a KeyTable that no row of a SigningTable names, and those
 * of one name of which others than their domains' get the first. When patterns have their signers.
 * ST_TEMP. */
enum status takeover_note_leftovers(const struct takeover *takeover, struct err *err) MUST_CHECK;

/* takeover_rules.c: decides which keys are their domains' own, and which patterns need rules. */
enum status takeover_make_rules(struct takeover *takeover, struct err *err) MUST_CHECK;

#endif
