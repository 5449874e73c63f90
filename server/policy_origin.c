/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose mail it is, by where it comes from. The first that applies:
 *
 *  1. A login belongs to the tenant of its grant, else of the grant to all logins of its domain,
 *     else to the tenant whose domain that is, else to the tenant of that name; one without a
 *     domain to nobody. A login always binds, also that of webmail on an internal host.
 *  2. Without one, the grant to the longest network that holds the client's address.
 *  3. The grant to the daemon name by which the MTA took the message.
 *  4. Internal hosts and listed daemon names are the provider's own, or nobody's
 *     (trust.internal_is_provider).
 */
#include <stdio.h>
#include <string.h>

#include "server/policy_internal.h"

static bool given(const char *macro)
{
    return macro != NULL && macro[0] != '\0';
}

/* Exact, as the MTA's administrator wrote it: Postfix and Sendmail compare these so, too. */
static bool daemon_listed(const struct policy *policy, const char *daemon_name)
{
    struct span rest = span_str(policy->daemon_names), part;
    if (!given(daemon_name))
        return false;
    while (span_next(&rest, ',', &part))
        if (span_equal(span_trim(part), span_str(daemon_name)))
            return true;
    return false;
}

static void set_tenant(struct policy_thought *t, const char *tenant, const struct grant *grant,
                       const char *why)
{
    t->claim.type = CLAIM_TENANT;
    t->claim.tenant = tenant;
    t->claim.grant = grant;
    policy_tell(t, "grant", "%s belongs to tenant %s (%s)", t->claim.who, tenant, why);
}

static void set_unbound(struct policy_thought *t, const char *why)
{
    t->claim.type = CLAIM_UNBOUND;
    policy_tell(t, "grant", "%s belongs to no tenant (%s)", t->claim.who, why);
}

/* -- logins ------------------------------------------------------------------------------- */

static enum status claim_by_domain(struct policy_thought *t)
{
    const struct place *place = NULL;
    struct signers *owner = NULL;
    char why[DKIM_DOMAIN_SIZE + 32];
    enum status st = policy_look(t, t->login.domain, &place);
    if (st != ST_OK)
        return st;
    const struct grant *grant = place_grant(place, GRANT_LOGIN, t->login.everybody);
    if (grant != NULL) {
        snprintf(why, sizeof why, "grant to %s", grant->subject);
        set_tenant(t, grant->tenant, grant, why);
        return ST_OK;
    }
    st = policy_domain_find(t, t->login.domain, &owner);
    if (st == ST_OK && owner != NULL) {
        snprintf(why, sizeof why, "owner of %s", owner->domain);
        set_tenant(t, owner->tenant, NULL, why);
        t->claim.owner = owner;
    } else if (st == ST_OK) {
        set_tenant(t, t->login.domain, NULL, "by its name: the domain is nobody's");
    }
    return st;
}

static enum status claim_by_login(struct policy_thought *t)
{
    const struct place *place = NULL;
    snprintf(t->claim.who, sizeof t->claim.who, "login %s", t->c->origin.login);
    if (!t->has_login) {
        set_unbound(t, "it is longer than any that has a grant");
        return ST_OK;
    }
    enum status st = policy_look(t, t->login.bucket, &place);
    if (st != ST_OK)
        return st;
    const struct grant *grant = place_grant(place, GRANT_LOGIN, t->login.subject);
    if (grant != NULL)
        set_tenant(t, grant->tenant, grant, "grant to this login");
    else if (t->login.domain[0] != '\0')
        return claim_by_domain(t);
    else
        set_unbound(t, "it has no grant");
    return ST_OK;
}

/* -- everybody else ----------------------------------------------------------------------- */

/* An internal host, or one of the MTA's own daemons. */
static bool is_ours(const struct policy_thought *t)
{
    return t->c->origin.peer.internal || daemon_listed(t->policy, t->c->origin.daemon_name);
}

static void claim_by_address(struct policy_thought *t)
{
    bool ours = is_ours(t);
    if (ours && t->policy->internal_is_provider) {
        t->claim.type = CLAIM_PROVIDER;
        policy_tell(t, "grant", "%s may sign for every tenant (%s)", t->claim.who,
                    t->c->origin.peer.internal ? "trust.internal_hosts" : "trust.daemon_names");
    } else if (ours) {
        set_unbound(t, "it has no grant, and trust.internal_is_provider is no");
    } else {
        policy_tell(t, "grant", "%s has none, and is not internal", t->claim.who);
    }
}

static void name_client(struct policy_thought *t)
{
    const struct policy_origin *origin = &t->c->origin;
    char address[NETWORK_TEXT_SIZE];
    if (origin->peer.has_address) {
        networks_text(&origin->peer.address, address);
        snprintf(t->claim.who, sizeof t->claim.who, "client %s", address);
    } else {
        snprintf(t->claim.who, sizeof t->claim.who, "the client");
    }
}

static enum status claim_by_client(struct policy_thought *t)
{
    const struct policy_origin *origin = &t->c->origin;
    const struct place *place = NULL;
    const struct grant *grant = NULL;
    char why[GRANT_SUBJECT_MAX + 32];
    name_client(t);
    enum status st = policy_look(t, RULE_ANYWHERE, &place);
    if (st != ST_OK)
        return st;
    if (origin->peer.has_address)
        grant = place_network(place, &origin->peer.address);
    if (grant == NULL && given(origin->daemon_name))
        grant = place_grant(place, GRANT_DAEMON, origin->daemon_name);
    if (grant == NULL) {
        claim_by_address(t);
        return ST_OK;
    }
    snprintf(why, sizeof why, "grant to %s %s",
             grant->type == GRANT_NETWORK ? "network" : "daemon name", grant->subject);
    set_tenant(t, grant->tenant, grant, why);
    return ST_OK;
}

enum status policy_claim_find(struct policy_thought *t)
{
    const struct policy_origin *origin = &t->c->origin;
    if (origin->provider) {
        t->claim.type = CLAIM_PROVIDER;
        snprintf(t->claim.who, sizeof t->claim.who, "the provider");
        return ST_OK;
    }
    if (!given(origin->login))
        return claim_by_client(t);
    if (t->policy->authenticated || is_ours(t))
        return claim_by_login(t);
    name_client(t);
    policy_tell(t, "grant", "%s is not internal, and logins do not count (trust.authenticated)",
                t->claim.who);
    return ST_OK;
}
