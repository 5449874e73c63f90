/* SPDX-License-Identifier: Apache-2.0
 *
 * May this client sign as this author? Pure: everything the answer depends on is handed in, so
 * the daemon, `inkan explain` and a table of test cases get the same answers. The look-up of
 * the domain's signers lies between the two halves and is the caller's.
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
#include "storage/keyring.h"

struct policy;

/* ST_INVALID for a list in the settings that does not parse (settings_load checks the same). */
enum status policy_new(const struct settings *settings, struct policy **out,
                       struct err *err) MUST_CHECK;
void policy_free(struct policy *policy);

/* Where a message comes from. */
struct policy_peer {
    bool internal; /* in trust.internal_hosts */
    bool exempt;   /* in trust.exempt */
};
struct policy_origin {
    struct policy_peer peer;
    const char *login;       /* SMTP AUTH login ({auth_authen}), NULL: none */
    const char *daemon_name; /* {daemon_name}, NULL: none */
};
/* Tests the lists; once per connection. */
struct policy_peer policy_peer_of(const struct policy *policy, const struct sockaddr *address,
                                  struct span name);

enum policy_action {
    POLICY_SIGN,
    POLICY_PASS_UNSIGNED,
    POLICY_TEMPFAIL,
    POLICY_ASK_PROVIDER, /* of the second half: look up the domains anew, then it once more */
};

struct policy_decision {
    enum policy_action action;
    const char *reason; /* a word for counters and JSON: "origin", "no_from", "authors", ... */
    char text[ERR_TEXT_SIZE]; /* the sentence for the log, without "not signed: " */
    /* With POLICY_SIGN of the first half: author domains to look up, the first that is ours
     * counts (From, then Sender if the settings say from,sender). */
    char domains[2][DKIM_DOMAIN_SIZE];
    size_t domain_count;
    bool provider_asked; /* POLICY_ASK_PROVIDER has come */
};

/* The first half: origin and authors. POLICY_SIGN means go on and look up the domains. */
void policy_decide_author(const struct policy *policy, const struct policy_origin *origin,
                          const struct dkim_fields *fields, struct policy_decision *out);

/* The second half: what the look-up of decision->domains gave (`found` with its error, and the
 * signers if ST_OK). Sets action, reason and text, and with POLICY_ASK_PROVIDER, which comes at
 * most once after policy_decide_author, the domains. */
struct policy_lookup {
    enum status found;
    const struct err *err;
    const struct signers *signers;
};
void policy_decide_signers(const struct policy *policy, const struct policy_lookup *lookup,
                           struct policy_decision *decision);

/* The options to sign with the signers' key number `index` (domain's own settings before the
 * general ones). Strings and names are borrowed from policy and signers. */
void policy_sign_options(const struct policy *policy, const struct signers *signers, size_t index,
                         int64_t now_s, struct dkim_sign_options *out);

#endif
