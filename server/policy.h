/* SPDX-License-Identifier: Apache-2.0
 *
 * May this client sign as this author, and with what? Pure: everything the answer depends on is
 * handed in, what the store has by a call-back, so the daemon, `inkan explain` and a table of test
 * cases get the same answers.
 *
 * In short: where the message comes from says whose it is (a grant, the domain of a login, or the
 * provider's own host); who its author is says which domain or rule signs; and the two must
 * agree. docs/tenants.md tells it to operators.
 *
 * A policy is made once from the settings and is constant: any thread. Besides server/ only
 * admin/decision.h includes this header, for `inkan explain` and `inkan sign`.
 */
#ifndef INKAN_SERVER_POLICY_H
#define INKAN_SERVER_POLICY_H

#include <sys/socket.h>

#include "base/settings.h"
#include "dkim/address.h"
#include "dkim/sign.h"
#include "storage/grant.h"
#include "storage/keyring.h"
#include "storage/rule.h"

struct policy;

/* ST_INVALID for a list in the settings that does not parse (settings_load checks the same). */
enum status policy_new(const struct settings *settings, struct policy **out,
                       struct err *err) MUST_CHECK;
void policy_free(struct policy *policy);

/* Where a message comes from. */
struct policy_peer {
    bool internal; /* in trust.internal_hosts */
    bool exempt;   /* in trust.exempt */
    bool has_address;
    struct network address;
};
struct policy_origin {
    struct policy_peer peer;
    const char *login;       /* SMTP AUTH login ({auth_authen}), NULL: none */
    const char *daemon_name; /* {daemon_name}, NULL: none */
    bool provider;           /* may sign for every tenant, whatever else is so */
};
/* Tests the lists; once per connection. */
struct policy_peer policy_peer_of(const struct policy *policy, const struct sockaddr *address,
                                  struct span name);

/* How the store is asked: see keyring_view_find. What it gives lives until the decision is made. */
typedef enum status policy_find(void *arg, const struct keyring_question *question, size_t wanted,
                                const struct place **out, struct err *err);
/* Told of each step: "login", "network", "author", "rule", "domain", "key"... and a sentence. */
typedef void policy_step(void *arg, const char *step, const char *text);

struct policy_case {
    struct policy_origin origin;
    const struct dkim_fields *fields;
    const char *envelope_from; /* as in MAIL FROM, with or without <>; NULL: not known */
    policy_find *find;
    void *find_arg;
    policy_step *step; /* NULL: nobody listens */
    void *step_arg;
};

enum policy_action { POLICY_SIGN, POLICY_PASS_UNSIGNED, POLICY_TEMPFAIL };

/* "sign", "unsigned", "tempfail" */
const char *policy_action_name(enum policy_action action);

enum { POLICY_SIGNATURES_MAX = RULE_SIGNERS_MAX, POLICY_TENANT_SIZE = 65 };

struct policy_signature {
    struct signers *signers; /* a reference */
    const struct signer *signer;
    char identity[RULE_PATTERN_MAX + 1]; /* i=; "": none */
};

struct policy_decision {
    enum policy_action action;
    const char *reason; /* a word for counters and JSON: "sign", "origin", "no_from", "tenant"... */
    char text[ERR_TEXT_SIZE];  /* the sentence for the log, without "not signed: " */
    char would[ERR_TEXT_SIZE]; /* why trust.tenant_check = enforce would not have signed; "" */
    char domain[DKIM_DOMAIN_SIZE], tenant[POLICY_TENANT_SIZE]; /* whose mail it is; "": nobody's */
    struct policy_signature signatures[POLICY_SIGNATURES_MAX]; /* with POLICY_SIGN */
    size_t count;
    struct signers *broken; /* a reference to signers of which keys cannot be used, or NULL */
};

/* Decides into a zeroed decision, or one that was cleared. */
void policy_decide(const struct policy *policy, const struct policy_case *c,
                   struct policy_decision *out);
/* Gives the references back. */
void policy_decision_clear(struct policy_decision *decision);
/* Whether two decisions mean the same for a message: the action, and by whom it is signed. */
bool policy_decision_equal(const struct policy_decision *a, const struct policy_decision *b);

/* The options to make signature number `index` of a decision (the domain's own settings before the
 * tenant's, these before the general ones). Strings and names are borrowed from both. */
void policy_sign_options(const struct policy *policy, const struct policy_decision *decision,
                         size_t index, int64_t now_s, struct dkim_sign_options *out);

#endif
