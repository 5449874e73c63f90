/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "admin/takeover.h"

/* -- whose keys they are ------------------------------------------------------------------ */

static int64_t algorithm_of(const struct takeover_key *key)
{
    return key->material->draft.key.algorithm;
}

/* All authors of a domain are signed for with these of its keys, one an algorithm. */
static void choose_own(const struct takeover *takeover, const struct takeover_pattern *pattern)
{
    struct takeover_domain *domain = takeover_find_domain(takeover, pattern->host);
    for (size_t i = 0; domain != NULL && i < pattern->count; i++) {
        struct takeover_key *key = pattern->signers[i].key, *first = pattern->signers[0].key;
        bool taken = i > 0 && first->own && algorithm_of(first) == algorithm_of(key);
        if (taken || key->own || strcmp(key->domain, pattern->host) != 0)
            continue;
        key->own = true;
        domain->own++;
    }
}

static size_t count_own(const struct takeover *takeover, const char *name)
{
    const struct takeover_domain *domain = takeover_find_domain(takeover, name);
    return domain != NULL ? domain->own : 0;
}

/* -- what would be without rules ---------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return span_equal(span_str(a), span_str(b));
}

static bool has_signer(const struct takeover_pattern *pattern, const struct takeover_signer *signer)
{
    for (size_t i = 0; i < pattern->count; i++)
        if (pattern->signers[i].key == signer->key &&
            same_text(pattern->signers[i].identity, signer->identity))
            return true;
    return false;
}

static bool same_signers(const struct takeover_pattern *a, const struct takeover_pattern *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (!has_signer(b, &a->signers[i]))
            return false;
    return a->count == b->count;
}

/* Whether the authors of a domain are signed for by its own keys and nothing else. */
static bool signs_itself(const struct takeover_pattern *pattern)
{
    for (size_t i = 0; i < pattern->count; i++)
        if (!pattern->signers[i].key->own || pattern->signers[i].identity != NULL ||
            strcmp(pattern->signers[i].key->domain, pattern->host) != 0)
            return false;
    return true;
}

static bool is_domain(const struct takeover *takeover, const struct takeover_pattern *pattern)
{
    return pattern->level == RULE_AT && pattern->user == NULL &&
           takeover_find_domain(takeover, pattern->host) != NULL;
}

/* -- rules -------------------------------------------------------------------------------- */

static void note_taken(struct takeover *takeover, const struct takeover_pattern *pattern,
                       const struct takeover_key *key, const char *identity)
{
    const char *domain = key->domain;
    bool given = span_str(identity).len > 0;
    const char *suspended = takeover_find_domain(takeover, domain)->suspended;
    struct buf more = BUF_INIT(0);
    if (pattern->spelt != NULL)
        buf_append_str(&more, ", whichever form of the name stands in From; OpenDKIM only signs "
                              "for the one in UTF-8");
    if (suspended != NULL)
        buf_printf(&more, ", but the %s is suspended here", suspended);
    notes_add(takeover->notes, more.len > 0 ? NOTES_CHANGED : NOTES_TAKEN, pattern->place,
              "%s: signed with s=%s d=%s%s%s%s", pattern->text, key->selector, domain,
              given ? " i=" : "", given ? identity : "", buf_cstr(&more));
    buf_clear(&more);
}

static enum status set_text(const char *field, struct rule *rule, const char *text, struct err *err)
{
    return field_set_text(kind_field(&kind_rule, span_str(field)), rule, span_str(text), err);
}

static enum status fill_rule(struct takeover *takeover, const struct takeover_pattern *pattern,
                             const struct takeover_signer *signer, struct rule *out,
                             struct err *err)
{
    struct err why = {0};
    enum status status = set_text("domain", out, signer->key->domain, err);
    if (status == ST_OK && signer->identity != NULL &&
        rule_set_identity(out, span_str(signer->identity), &why) != ST_OK)
        notes_add(takeover->notes, NOTES_CHANGED, pattern->place, "%s: %s; now there is none",
                  pattern->text, why.text);
    if (status == ST_OK)
        status = rule_set_pattern(out, span_str(pattern->text), &why);
    if (status == ST_INVALID) {
        notes_add(takeover->notes, NOTES_REFUSED, pattern->place, "%s: %s", pattern->text,
                  why.text);
        kind_clear(&kind_rule, out);
        return ST_OK;
    }
    return status;
}

static enum status add_rule(struct takeover *takeover, const struct takeover_pattern *pattern,
                            const struct takeover_signer *signer, const char *selector,
                            struct err *err)
{
    if (takeover->rule_count == takeover->rule_cap) {
        size_t cap = takeover->rule_cap > 0 ? 2 * takeover->rule_cap : 64;
        struct rule *grown = realloc(takeover->rules, cap * sizeof *grown);
        if (grown == NULL)
            return err_set(err, ST_TEMP, "no memory");
        takeover->rules = grown;
        takeover->rule_cap = cap;
    }
    struct rule *rule = &takeover->rules[takeover->rule_count];
    *rule = (struct rule){.pattern = NULL};
    enum status status = fill_rule(takeover, pattern, signer, rule, err);
    if (status == ST_OK && rule->pattern != NULL && selector != NULL)
        status = set_text("selector", rule, selector, err);
    if (status != ST_OK || rule->pattern == NULL) {
        kind_clear(&kind_rule, rule);
        return status;
    }
    takeover->rule_count++;
    note_taken(takeover, pattern, signer->key, rule->identity);
    return ST_OK;
}

/* A pattern has one rule a domain, which names one of its keys or means all that are its own. */
static enum status add_rules(struct takeover *takeover, const struct takeover_pattern *pattern,
                             struct err *err)
{
    const struct takeover_signer *first = &pattern->signers[0], *second = &pattern->signers[1];
    bool together = pattern->count == 2 && first->key->domain != NULL &&
                    strcmp(first->key->domain, second->key->domain) == 0;
    size_t own = count_own(takeover, first->key->domain), before = takeover->rule_count;
    bool all = first->key->own && own == (together ? 2U : 1U) && (!together || second->key->own);
    enum status status = add_rule(takeover, pattern, first, all ? NULL : first->key->selector, err);
    if (status == ST_OK && together && all && takeover->rule_count > before)
        note_taken(takeover, pattern, second->key, takeover->rules[before].identity);
    if (status != ST_OK || pattern->count < 2 || (together && all))
        return status;
    if (together) {
        notes_add(takeover->notes, NOTES_REFUSED, pattern->place,
                  "%s: signs with two keys of %s; only %s is taken over", pattern->text,
                  first->key->domain, first->key->selector);
        return ST_OK;
    }
    all = second->key->own && count_own(takeover, second->key->domain) == 1;
    return add_rule(takeover, pattern, second, all ? NULL : second->key->selector, err);
}

static bool has_wide_user(const struct takeover *takeover)
{
    const struct takeover_pattern *each = takeover->patterns;
    while (each != NULL && (each->user == NULL || each->level == RULE_AT))
        each = each->hh.next;
    return each != NULL;
}

/* Between a host and what is next for most of its authors may stand `ann@*`, with `wide`. */
static bool is_redundant(const struct takeover *takeover, const struct takeover_pattern *pattern,
                         const struct takeover_pattern *next, bool wide)
{
    if (is_domain(takeover, pattern))
        return signs_itself(pattern);
    if (next == NULL)
        return pattern->count == 0;
    bool counts = wide && pattern->user == NULL && pattern->count > 0;
    return !counts && same_signers(pattern, next);
}

static enum status make_rules(struct takeover *takeover, struct takeover_pattern *pattern,
                              bool wide, struct err *err)
{
    size_t before = takeover->rule_count;
    const struct takeover_pattern *next = takeover_next_pattern(takeover, pattern);
    if (is_redundant(takeover, pattern, next, wide)) {
        for (size_t i = 0; i < pattern->count; i++)
            note_taken(takeover, pattern, pattern->signers[i].key, pattern->signers[i].identity);
        return ST_OK;
    }
    if (pattern->count > 0) {
        enum status status = add_rules(takeover, pattern, err);
        pattern->ruled = takeover->rule_count > before;
        return status;
    }
    notes_add(takeover->notes, NOTES_CHANGED, pattern->place,
              pattern->lost ? "%s: is not signed for as with OpenDKIM, but will be as %s is"
                            : "%s: is not signed for by OpenDKIM, but will be as %s is",
              pattern->text, next->text);
    return ST_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct rule *x = *(struct rule *const *)a, *y = *(struct rule *const *)b;
    return strcmp(x->place, y->place);
}

/* Workers read all rules of a name at once, which is why `rule add` keeps them from being so many;
 * an import does not, or authors would go without the signature that they have. */
static enum status note_crowds(const struct takeover *takeover, struct err *err)
{
    const struct rule **rules = calloc(takeover->rule_count + 1, sizeof *rules);
    if (rules == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < takeover->rule_count; i++)
        rules[i] = &takeover->rules[i];
    qsort(rules, takeover->rule_count, sizeof *rules, by_place);
    for (size_t i = 0, end = 0; i < takeover->rule_count; i = end) {
        while (end < takeover->rule_count && strcmp(rules[i]->place, rules[end]->place) == 0)
            end++;
        if (end - i > RULE_PLACE_MAX)
            notes_add(takeover->notes, NOTES_CHANGED, (struct notes_place){NULL, 0},
                      "%s: gets %zu rules, which a worker reads all with its first message of the "
                      "name; inkan rule add allows %d",
                      rules[i]->place, end - i, RULE_PLACE_MAX);
    }
    free(rules);
    return ST_OK;
}

static int by_name(const struct takeover_key *a, const struct takeover_key *b)
{
    return strcmp(a->name, b->name);
}

enum status takeover_make_rules(struct takeover *takeover, struct err *err)
{
    enum status status = ST_OK;
    bool wide = has_wide_user(takeover);
    for (const struct takeover_pattern *each = takeover->patterns; each != NULL;
         each = each->hh.next) {
        if (each->level == RULE_AT && each->user == NULL)
            choose_own(takeover, each);
    }
    HASH_SRT(hh, takeover->keys, by_name);
    for (struct takeover_pattern *each = takeover->patterns; each != NULL && status == ST_OK;
         each = each->hh.next)
        status = make_rules(takeover, each, wide, err);
    return status == ST_OK ? note_crowds(takeover, err) : status;
}
