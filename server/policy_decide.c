/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/policy_internal.h"

void policy_settle(struct policy_decision *out, enum policy_action action, const char *reason,
                   const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    out->action = action;
    out->reason = reason;
    vsnprintf(out->text, sizeof out->text, fmt, args);
    va_end(args);
}

void policy_tell(const struct policy_thought *t, const char *step, const char *fmt, ...)
{
    char text[ERR_TEXT_SIZE];
    va_list args;
    if (t->c->step == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    t->c->step(t->c->step_arg, step, text);
}

/* -- names -------------------------------------------------------------------------------- */

static void add_name(struct keyring_question *question, const char *name)
{
    size_t i = 0;
    while (i < question->count && strcmp(question->names[i], name) != 0)
        i++;
    if (i == question->count && question->count < DRIVER_NAMES_MAX)
        question->names[question->count++] = name;
}

static void add_candidates(struct keyring_question *question, const char *domain)
{
    const char *names[DKIM_CANDIDATES_MAX];
    size_t count = dkim_domain_candidates(domain, names);
    for (size_t i = 0; i < count; i++)
        add_name(question, names[i]);
}

/* What the usual decision needs, so that a store is asked but once. What few need is asked for by
 * itself: the domains that rules name, the provider's, and authors beside that of From. */
static void foresee(struct policy_thought *t)
{
    if (t->author_count > 0)
        add_candidates(&t->question, t->authors[0].domain);
    add_name(&t->question, RULE_ANYWHERE);
    if (t->has_login) {
        add_name(&t->question, t->login.bucket);
        if (t->login.domain[0] != '\0')
            add_candidates(&t->question, t->login.domain);
    }
}

enum status policy_look(struct policy_thought *t, const char *name, const struct place **out)
{
    struct keyring_question alone = {.names = {name}, .count = 1};
    size_t wanted = 0;
    while (wanted < t->question.count && strcmp(t->question.names[wanted], name) != 0)
        wanted++;
    bool foreseen = wanted < t->question.count;
    err_clear(&t->err);
    enum status st = t->c->find(t->c->find_arg, foreseen ? &t->question : &alone,
                                foreseen ? wanted : 0, out, &t->err);
    if (st != ST_OK)
        policy_settle(t->out,
                      t->policy->accept_on_store_error ? POLICY_PASS_UNSIGNED : POLICY_TEMPFAIL,
                      "store", "%s", t->err.text);
    return st;
}

/* Of very long names those in the middle are not looked up, so nobody knows whose they are. */
bool policy_is_gap(const char *const *names, size_t index)
{
    return index > 0 && strchr(names[index - 1], '.') + 1 != names[index];
}

enum status policy_domain_find(struct policy_thought *t, const char *domain, struct signers **out)
{
    const char *names[DKIM_CANDIDATES_MAX];
    size_t count = dkim_domain_candidates(domain, names);
    *out = NULL;
    for (size_t i = 0; i < count && *out == NULL && !policy_is_gap(names, i); i++) {
        const struct place *place = NULL;
        enum status st = policy_look(t, names[i], &place);
        if (st != ST_OK)
            return st;
        if (place == NULL || place->signers == NULL)
            continue;
        if (i == 0 || place->signers->subdomains)
            *out = place->signers;
        break; /* what stands above is not its parent's, but somebody else's perhaps */
    }
    return ST_OK;
}

/* -- authors ------------------------------------------------------------------------------ */

static void add_author(struct policy_thought *t, const struct dkim_mailbox *mailbox)
{
    for (size_t i = 0; i < t->author_count; i++) {
        if (strcmp(t->authors[i].domain, mailbox->domain) == 0 &&
            strcmp(t->authors[i].local, mailbox->local) == 0)
            return;
    }
    t->authors[t->author_count++] = *mailbox;
}

/* Whoever reads a From with two authors may see either as the one who vouches for the message,
 * so nothing is signed for one of them alone. */
static void read_from(struct policy_thought *t)
{
    struct dkim_mailboxes mailboxes = {0};
    size_t count = dkim_fields_count(t->c->fields, SPAN_LIT("From"));
    struct policy_decision *out = t->out;
    if (count == 0)
        policy_settle(out, POLICY_PASS_UNSIGNED, "no_from", "the message has no From field");
    else if (count > 1)
        policy_settle(out, POLICY_PASS_UNSIGNED, "authors", "the message has %zu From fields",
                      count);
    else if (dkim_mailboxes_of(t->c->fields, SPAN_LIT("From"), &mailboxes, &t->err) != ST_OK)
        policy_settle(out, t->err.code == ST_TEMP ? POLICY_TEMPFAIL : POLICY_PASS_UNSIGNED,
                      "bad_from", "%s", t->err.text);
    else if (mailboxes.count > 1)
        policy_settle(out, POLICY_PASS_UNSIGNED, "authors", "the From field names %zu authors",
                      mailboxes.count);
    else
        add_author(t, &mailboxes.list[0]);
    dkim_mailboxes_clear(&mailboxes);
}

/* A Sender that cannot be read for certain counts as none: From alone decides then. */
static void read_sender(struct policy_thought *t)
{
    struct dkim_mailboxes mailboxes = {0};
    if (dkim_fields_count(t->c->fields, SPAN_LIT("Sender")) == 1 &&
        dkim_mailboxes_of(t->c->fields, SPAN_LIT("Sender"), &mailboxes, &t->err) == ST_OK &&
        mailboxes.count == 1)
        add_author(t, &mailboxes.list[0]);
    dkim_mailboxes_clear(&mailboxes);
}

/* The same for what no address is, as the <> of bounces. */
static void read_envelope(struct policy_thought *t)
{
    struct dkim_mailboxes mailboxes = {0};
    if (t->c->envelope_from != NULL &&
        dkim_mailboxes_parse(span_str(t->c->envelope_from), &mailboxes, &t->err) == ST_OK &&
        mailboxes.count == 1)
        add_author(t, &mailboxes.list[0]);
    dkim_mailboxes_clear(&mailboxes);
}

/* -- the check ---------------------------------------------------------------------------- */

/* Whether the author's domain is, or stands below, one of a tenant that the origin is not bound to,
 * or may be that. */
static bool is_others(const struct policy_thought *t, const struct policy_match *match)
{
    if (t->claim.type == CLAIM_PROVIDER || match->owner == NULL)
        return match->unknown;
    return t->claim.type != CLAIM_TENANT || strcmp(match->owner->tenant, t->claim.tenant) != 0;
}

/* Nobody signs with the key of another tenant, whatever rule or parent leads there. The provider's
 * domain is there for every tenant. */
static bool may_use(const struct policy_thought *t, const struct policy_source *source,
                    const struct signers *provider)
{
    return strcmp(source->signers->tenant, t->claim.tenant) == 0 || source->signers == provider;
}

/* How many of those who speak for the author the origin may use; they are put first. None without
 * the right to the author's domain. */
static enum status count_allowed(struct policy_thought *t, struct policy_match *match, size_t *out)
{
    struct signers *provider = NULL;
    enum status st = ST_OK;
    *out = t->claim.type == CLAIM_PROVIDER ? match->count : 0;
    if (t->claim.type != CLAIM_TENANT || is_others(t, match))
        return ST_OK;
    if (t->policy->provider[0] != '\0')
        st = policy_domain_find(t, t->policy->provider, &provider);
    for (size_t i = 0; i < match->count && st == ST_OK; i++) {
        const struct policy_source source = match->sources[i];
        if (!may_use(t, &source, provider))
            continue;
        match->sources[i] = match->sources[*out];
        match->sources[(*out)++] = source;
    }
    return st;
}

/* Whose it is that was refused. */
static const char *refused_tenant(const struct policy_thought *t, const struct policy_match *match)
{
    if (match->unknown)
        return "not known, as the name has too many labels";
    return is_others(t, match) ? match->owner->tenant : match->sources[0].signers->tenant;
}

/* All of those who speak for the author, or what is behind the first `allowed` of them. */
static void refuse(struct policy_thought *t, const struct dkim_mailbox *author,
                   const struct policy_match *match, size_t allowed)
{
    struct err why = {0};
    bool enforced = t->policy->tenant_check == TENANT_CHECK_ENFORCE;
    if (allowed == 0)
        err_set(&why, ST_DENIED, "%s may not sign for %s (tenant %s)", t->claim.who, author->domain,
                refused_tenant(t, match));
    else
        err_set(&why, ST_DENIED, "%s may not sign for %s with a key of %s (tenant %s)",
                t->claim.who, author->domain, match->sources[allowed].signers->domain,
                match->sources[allowed].signers->tenant);
    policy_tell(t, "tenant", "%s%s", why.text, enforced ? "" : ", which tenant_check lets pass");
    if (enforced && allowed == 0)
        policy_settle(t->out, POLICY_PASS_UNSIGNED, "tenant", "%s", why.text);
    else if (t->policy->tenant_check == TENANT_CHECK_LOG)
        memcpy(t->out->would, why.text, sizeof why.text);
}

/* True: go on. */
static bool check_tenant(struct policy_thought *t, const struct dkim_mailbox *author,
                         struct policy_match *match)
{
    bool enforced = t->policy->tenant_check == TENANT_CHECK_ENFORCE;
    size_t allowed = 0;
    if (count_allowed(t, match, &allowed) != ST_OK)
        return false;
    if (allowed > 0)
        policy_tell(t, "tenant", "%s may sign for %s", t->claim.who, author->domain);
    if (allowed < match->count)
        refuse(t, author, match, allowed);
    if (enforced)
        match->count = allowed;
    return match->count > 0;
}

/* -- tenants ------------------------------------------------------------------------------ */

static struct policy_account account_of(const struct signers *signers)
{
    return (struct policy_account){.tenant = signers->tenant,
                                   .active = signers->tenant_active,
                                   .also_provider = signers->also_provider,
                                   .one_signature = signers->one_signature};
}

/* The tenant that the origin is bound to. A login of nobody's domain is bound to a name that need
 * not be a tenant's. */
static enum status find_client(struct policy_thought *t, struct policy_account *out)
{
    char name[PROFILE_TENANT_SIZE];
    const struct place *place = NULL;
    if (!profile_tenant_name(t->claim.tenant, name))
        return ST_OK;
    enum status st = policy_look(t, name, &place);
    if (st == ST_OK && place != NULL && place->tenant != NULL)
        *out = (struct policy_account){.tenant = place->tenant,
                                       .active = place->tenant_active,
                                       .also_provider = place->also_provider,
                                       .one_signature = place->one_signature};
    else if (st == ST_OK && t->claim.grant != NULL)
        *out = (struct policy_account){.tenant = t->claim.tenant};
    return st;
}

/* The author's tenant, the client's, or nobody's that the first of those who sign has. A suspended
 * tenant sends no signed mail, nor does anybody in the name of its domains, whosever key a rule
 * leads to. True: go on. */
static bool check_accounts(struct policy_thought *t, const struct policy_match *match)
{
    struct policy_account author = {.tenant = NULL}, client = author;
    if (match->owner != NULL)
        author = account_of(match->owner);
    if (t->claim.owner != NULL)
        client = account_of(t->claim.owner);
    else if (t->claim.type == CLAIM_TENANT &&
             (author.tenant == NULL || strcmp(author.tenant, t->claim.tenant) != 0) &&
             find_client(t, &client) != ST_OK)
        return false;
    const struct policy_account *const both[] = {&author, &client};
    for (size_t i = 0; i < 2; i++) {
        if (both[i]->tenant == NULL || both[i]->active)
            continue;
        policy_settle(t->out, POLICY_PASS_UNSIGNED, "suspended", "tenant %s is suspended",
                      both[i]->tenant);
        return false;
    }
    t->account = author.tenant != NULL   ? author
                 : client.tenant != NULL ? client
                                         : account_of(match->sources[0].signers);
    return true;
}

/* -- the order ---------------------------------------------------------------------------- */

static void note_owner(struct policy_decision *out, const struct signers *signers)
{
    snprintf(out->domain, sizeof out->domain, "%s", signers->domain);
    snprintf(out->tenant, sizeof out->tenant, "%s", signers->tenant);
}

/* True when that author settles the matter. */
static bool decide_author(struct policy_thought *t, size_t index)
{
    struct policy_match match = {.owner = NULL};
    policy_tell(t, "author", "%s@%s", t->authors[index].local, t->authors[index].domain);
    if (policy_match_find(t, index, &match) != ST_OK)
        return true;
    if (match.count == 0 && is_others(t, &match)) /* and no Sender makes that good */
        policy_settle(t->out, POLICY_PASS_UNSIGNED, "no_domain",
                      "%s is not a domain of this service", t->authors[index].domain);
    if (match.count == 0)
        return is_others(t, &match);
    note_owner(t->out, match.owner != NULL ? match.owner : match.sources[0].signers);
    if (check_tenant(t, &t->authors[index], &match) && check_accounts(t, &match))
        policy_keys_choose(t, &match);
    return true;
}

static void decide(struct policy_thought *t)
{
    policy_settle(t->out, POLICY_SIGN, "sign", "signed");
    read_from(t);
    if (t->out->action == POLICY_SIGN && t->policy->use_sender)
        read_sender(t);
    if (t->out->action == POLICY_SIGN && t->policy->use_envelope)
        read_envelope(t);
    const struct policy_decision problem = *t->out;
    foresee(t);
    if (policy_claim_find(t) != ST_OK)
        return;
    if (t->claim.type == CLAIM_NONE) {
        policy_settle(t->out, POLICY_PASS_UNSIGNED, "origin",
                      "the client is neither internal nor authenticated");
        return;
    }
    if (problem.action != POLICY_SIGN)
        return;
    for (size_t i = 0; i < t->author_count; i++) {
        if (decide_author(t, i))
            return;
    }
    policy_settle(t->out, POLICY_PASS_UNSIGNED, "no_domain", "%s is not a domain of this service",
                  t->authors[0].domain);
}

void policy_decide(const struct policy *policy, const struct policy_case *c,
                   struct policy_decision *out)
{
    struct policy_thought t = {.policy = policy, .c = c, .out = out};
    const char *login = c->origin.login;
    out->would[0] = out->domain[0] = out->tenant[0] = '\0';
    if (c->origin.peer.exempt) {
        policy_settle(out, POLICY_PASS_UNSIGNED, "exempt", "the client is exempt from signing");
    } else {
        t.has_login = login != NULL && grant_login(span_str(login), &t.login);
        decide(&t);
    }
    policy_tell(&t, "decision", "%s", out->text);
}
