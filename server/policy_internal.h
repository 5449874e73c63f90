/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the policy share: server/policy.c (settings), server/policy_decide.c (the order
 * of questions), server/policy_origin.c (whose mail it is), server/policy_author.c (who signs) and
 * server/policy_keys.c (with what). Nobody else includes this.
 */
#ifndef INKAN_SERVER_POLICY_INTERNAL_H
#define INKAN_SERVER_POLICY_INTERNAL_H

#include "base/hosts.h"
#include "server/policy.h"

struct policy {
    struct hosts *internal, *exempt;
    char *daemon_names; /* as in the settings, comma separated */
    bool authenticated;
    bool use_sender, use_envelope;
    bool accept_on_store_error;
    bool internal_is_provider;
    enum settings_tenant_check tenant_check;
    enum dkim_canon header_canon, body_canon;
    struct dkim_names *headers, *oversign;
    int64_t expiry_s;
    char provider[DKIM_DOMAIN_SIZE]; /* "": there is none */
};

enum { POLICY_AUTHORS_MAX = 3 };

/* Whose mail it is, by where it comes from. */
struct policy_claim {
    enum {
        CLAIM_NONE,     /* nobody's: such a client gets no signature */
        CLAIM_PROVIDER, /* may sign for every tenant */
        CLAIM_TENANT,
        CLAIM_UNBOUND, /* may sign, but belongs to no tenant */
    } type;
    char who[GRANT_SUBJECT_MAX + 16]; /* for people: "login ann@example.com" */
    const char *tenant;               /* with CLAIM_TENANT */
    const struct grant *grant;        /* NULL: it was none */
    const struct signers *owner;      /* of the login's domain, by whom it is bound; or NULL */
};

/* A domain that is to sign. */
struct policy_source {
    struct signers *signers;
    const struct rule *rule; /* NULL: the author's own domain */
};

/* A tenant, as far as its mail is concerned, whoever signs it. */
struct policy_account {
    const char *tenant; /* NULL: nobody's */
    bool active, also_provider, one_signature;
};

/* Who speaks for an author. */
struct policy_match {
    const struct signers
        *owner;   /* of the nearest domain of ours at or above the author's, or NULL */
    bool unknown; /* nobody knows whether there is an owner, as the name is too long */
    struct policy_source sources[POLICY_SIGNATURES_MAX];
    size_t count; /* 0: nobody */
};

/* One decision on its way. */
struct policy_thought {
    const struct policy *policy;
    const struct policy_case *c;
    struct policy_decision *out;
    struct policy_claim claim;
    struct policy_account account; /* whose wishes count */
    bool has_login;
    struct grant_login login;
    struct dkim_mailbox authors[POLICY_AUTHORS_MAX];
    size_t author_count;
    struct keyring_question question; /* names that are known to matter, asked for at once */
    struct err err;
};

PRINTF_LIKE(4, 5)
void policy_settle(struct policy_decision *out, enum policy_action action, const char *reason,
                   const char *fmt, ...);
/* Tells whoever listens. */
PRINTF_LIKE(3, 4)
void policy_tell(const struct policy_thought *t, const char *step, const char *fmt, ...);
/* What stands under a name (NULL: nothing); asked together with the thought's question. Otherwise
 * the decision is made: the store could not say. */
enum status policy_look(struct policy_thought *t, const char *name,
                        const struct place **out) MUST_CHECK;

/* Whether names were left out between that candidate and the one before. */
bool policy_is_gap(const char *const *names, size_t index);
/* The domain itself, or the nearest of its parents that signs for subdomains; NULL: there is none.
 */
enum status policy_domain_find(struct policy_thought *t, const char *domain,
                               struct signers **out) MUST_CHECK;

/* Fills t->claim. */
enum status policy_claim_find(struct policy_thought *t) MUST_CHECK;
/* Who signs for authors[index]; nobody is ST_OK as well. */
enum status policy_match_find(struct policy_thought *t, size_t index,
                              struct policy_match *out) MUST_CHECK;
/* Chooses keys of those who sign, or says why there are none. */
void policy_keys_choose(struct policy_thought *t, const struct policy_match *match);

#endif
