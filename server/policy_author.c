/* SPDX-License-Identifier: Apache-2.0
 *
 * Who speaks for an author. At each name, from the author's domain up, rules come before the domain
 * that stands there, and a rule for this author before one for all; last come the rules for
 * everywhere. The first that is found is the answer.
 */
#include <stdio.h>
#include <string.h>

#include "server/policy_internal.h"

/* One author's way up. */
struct walk {
    struct policy_thought *t;
    const char *local;
    struct policy_match *match;
    const char *names[DKIM_CANDIDATES_MAX];
    size_t count;
};

static void tell_rule(const struct policy_thought *t, const struct rule *rule)
{
    struct span selector = span_str(rule->selector), identity = span_str(rule->identity);
    policy_tell(t, "rule", "%s: %s signs%s%.*s%s%.*s", rule->pattern, rule->domain,
                selector.len > 0 ? " with " : "", (int)selector.len, selector.data,
                identity.len > 0 ? " as " : "", (int)identity.len, identity.data);
}

/* All rules of the pattern sign. */
static enum status take_rules(struct walk *walk, const struct rule *rules, size_t count)
{
    struct policy_match *match = walk->match;
    for (size_t i = 0; i < count && match->count < POLICY_SIGNATURES_MAX; i++) {
        const struct place *place = NULL;
        enum status st = policy_look(walk->t, rules[i].domain, &place);
        if (st != ST_OK)
            return st;
        tell_rule(walk->t, &rules[i]);
        if (place != NULL && place->signers != NULL)
            match->sources[match->count++] =
                (struct policy_source){.signers = place->signers, .rule = &rules[i]};
    }
    return ST_OK;
}

static enum status match_rules(struct walk *walk, enum rule_level level, const char *name,
                               const struct place *place)
{
    const char *const locals[] = {walk->local, NULL};
    for (size_t i = 0; i < 2; i++) {
        char pattern[RULE_PATTERN_MAX + 1];
        size_t count = 0;
        bool every = level == RULE_EVERYWHERE && locals[i] == NULL;
        if (!rule_form(level, locals[i], name, pattern))
            continue;
        const struct rule *rules = place_rules(place, every ? RULE_ANYWHERE : pattern, &count);
        if (count > 0)
            return take_rules(walk, rules, count);
    }
    return ST_OK;
}

static void tell_domain(const struct policy_thought *t, const struct signers *signers, bool signs)
{
    char broken[ERR_TEXT_SIZE] = "", unshown[64] = "";
    if (t->c->step == NULL)
        return;
    if (signers->broken > 0)
        snprintf(broken, sizeof broken, ", %zu broken (%.200s)", signers->broken,
                 signers->broken_text);
    if (signers->unpublished > 0)
        snprintf(unshown, sizeof unshown, ", %zu that DNS does not show", signers->unpublished);
    policy_tell(t, "domain", "%s of tenant %s%s: %zu active key%s%s%s", signers->domain,
                signers->tenant, signs ? "" : " does not sign for subdomains", signers->count,
                signers->count == 1 ? "" : "s", broken, unshown);
}

/* The name itself, or a parent: what stands there. */
static enum status match_name(struct walk *walk, size_t index)
{
    const char *name = walk->names[index];
    const struct place *place = NULL;
    struct policy_match *match = walk->match;
    enum status st = policy_look(walk->t, name, &place);
    if (st != ST_OK || place == NULL)
        return st;
    if (match->owner == NULL)
        match->owner = place->signers;
    if (match->count > 0) /* only whose the name is was still open */
        return ST_OK;
    st = match_rules(walk, index == 0 ? RULE_AT : RULE_ABOVE, name, place);
    if (st != ST_OK || match->count > 0 || place->signers == NULL)
        return st;
    if (index == 0 || place->signers->subdomains)
        match->sources[match->count++] = (struct policy_source){.signers = place->signers};
    tell_domain(walk->t, place->signers, match->count > 0);
    return ST_OK;
}

/* Only the provider signs for what nobody knows the owner of. */
static bool is_end(struct walk *walk, size_t index)
{
    bool end = walk->t->claim.type != CLAIM_PROVIDER && policy_is_gap(walk->names, index);
    walk->match->unknown = end && walk->match->owner == NULL;
    return end;
}

enum status policy_match_find(struct policy_thought *t, size_t index, struct policy_match *out)
{
    struct walk walk = {.t = t, .local = t->authors[index].local, .match = out};
    const struct place *place = NULL;
    enum status st = ST_OK;
    walk.count = dkim_domain_candidates(t->authors[index].domain, walk.names);
    for (size_t i = 0; i < walk.count && st == ST_OK && !is_end(&walk, i); i++) {
        if (out->count == 0 || out->owner == NULL)
            st = match_name(&walk, i);
    }
    if (st != ST_OK || out->count > 0 || out->unknown)
        return st;
    st = policy_look(t, RULE_ANYWHERE, &place);
    if (st == ST_OK)
        st = match_rules(&walk, RULE_EVERYWHERE, RULE_ANYWHERE, place);
    if (st == ST_OK && out->count == 0)
        policy_tell(t, "domain", "%s is not a domain of this service, and no rule names it",
                    t->authors[index].domain);
    return st;
}
