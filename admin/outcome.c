/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/outcome.h"

#include <stdlib.h>
#include <string.h>

/* -- signatures in one form ------------------------------------------------------------------- */

static char *lower_copy(struct span text)
{
    char *copy = span_dup(span_trim(text));
    for (char *c = copy; c != NULL && *c != '\0'; c++)
        *c = ascii_lower(*c);
    return copy;
}

static char *identity_copy(struct span text, const char *domain)
{
    char *copy = span_dup(span_trim(text));
    if (copy == NULL)
        return NULL;
    char *at = strrchr(copy, '@');
    for (char *c = at; c != NULL && *c != '\0'; c++)
        *c = ascii_lower(*c);
    if (at == copy && strcmp(at + 1, domain) == 0)
        *copy = '\0';
    return copy;
}

static int compare(const struct outcome_signature *a, const struct outcome_signature *b)
{
    int order = strcmp(a->domain, b->domain);
    if (order == 0)
        order = strcmp(a->selector, b->selector);
    if (order == 0)
        order = strcmp(a->identity, b->identity);
    return order == 0 ? strcmp(a->algorithm, b->algorithm) : order;
}

static void clear_signature(struct outcome_signature *signature)
{
    free(signature->domain);
    free(signature->selector);
    free(signature->identity);
    free(signature->algorithm);
}

/* Puts it where it belongs, and drops what is there already. */
static void insert(struct outcome *out, struct outcome_signature *signature)
{
    size_t place = 0;
    while (place < out->count && compare(&out->list[place], signature) < 0)
        place++;
    if (out->count == OUTCOME_SIGNATURES_MAX ||
        (place < out->count && compare(&out->list[place], signature) == 0)) {
        clear_signature(signature);
        return;
    }
    memmove(&out->list[place + 1], &out->list[place], (out->count - place) * sizeof *out->list);
    out->list[place] = *signature;
    out->count++;
}

struct tags {
    const char *domain, *selector, *identity, *algorithm;
};

static enum status add(struct outcome *out, const struct tags *tags, struct err *err)
{
    struct outcome_signature signature = {.domain = lower_copy(span_str(tags->domain)),
                                          .selector = lower_copy(span_str(tags->selector)),
                                          .algorithm = lower_copy(span_str(tags->algorithm))};
    if (signature.domain != NULL)
        signature.identity = identity_copy(span_str(tags->identity), signature.domain);
    if (signature.domain == NULL || signature.selector == NULL || signature.algorithm == NULL ||
        signature.identity == NULL) {
        clear_signature(&signature);
        return err_set(err, ST_TEMP, "no memory to compare signatures");
    }
    insert(out, &signature);
    return ST_OK;
}

void outcome_clear(struct outcome *outcome)
{
    for (size_t i = 0; i < outcome->count; i++)
        clear_signature(&outcome->list[i]);
    *outcome = (struct outcome){.count = 0};
}

/* -- the two sides ---------------------------------------------------------------------------- */

static enum outcome_action action_of(enum signing_action action)
{
    switch (action) {
    case SIGNING_SIGN:
        return OUTCOME_SIGN;
    case SIGNING_UNSIGNED:
    case SIGNING_VERIFY:
        return OUTCOME_PASS;
    case SIGNING_TEMPFAIL:
        return OUTCOME_TEMPFAIL;
    default:
        return OUTCOME_OTHER;
    }
}

enum status outcome_of_answer(const struct signing_answer *answer, struct outcome *out,
                              struct err *err)
{
    enum status status = ST_OK;
    out->action = action_of(answer->action);
    out->word = out->action == OUTCOME_PASS ? "unsigned" : signing_action_name(answer->action);
    for (size_t i = 0; status == ST_OK && i < answer->count; i++) {
        const struct signing_signature *from = &answer->list[i];
        status =
            add(out, &(struct tags){from->domain, from->selector, from->identity, from->algorithm},
                err);
    }
    return status;
}

enum status outcome_of_decision(const struct decision *decision, struct outcome *out,
                                struct err *err)
{
    const struct policy_decision *outcome = &decision->outcome;
    struct dkim_sign_options options;
    enum status status = ST_OK;
    bool defers = outcome->action == POLICY_TEMPFAIL;
    bool signs = outcome->action == POLICY_SIGN && outcome->count > 0;
    out->action = signs ? OUTCOME_SIGN : defers ? OUTCOME_TEMPFAIL : OUTCOME_PASS;
    out->word = policy_action_name(outcome->action);
    for (size_t i = 0; signs && status == ST_OK && i < outcome->count; i++) {
        policy_sign_options(decision->policy, outcome, i, 0, &options);
        status = add(out,
                     &(struct tags){options.domain, options.selector, options.identity,
                                    dkim_algorithm_name(options.algorithm)},
                     err);
    }
    return status;
}

/* -- comparing -------------------------------------------------------------------------------- */

bool outcome_equal(const struct outcome *a, const struct outcome *b)
{
    if (a->action != b->action || a->count != b->count || a->action == OUTCOME_OTHER)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (compare(&a->list[i], &b->list[i]) != 0)
            return false;
    return true;
}

/* As the one before it, which has another identity or algorithm. */
static bool repeats_names(const struct outcome *outcome, size_t i)
{
    const struct outcome_signature *one = &outcome->list[i];
    return i > 0 && strcmp(one->domain, one[-1].domain) == 0 &&
           strcmp(one->selector, one[-1].selector) == 0;
}

void outcome_text(const struct outcome *outcome, struct buf *out)
{
    if (outcome->action != OUTCOME_SIGN)
        buf_append_str(out, outcome->word);
    for (size_t i = 0; i < outcome->count; i++)
        if (!repeats_names(outcome, i))
            buf_printf(out, "%s%s@%s", i > 0 ? ", " : "", outcome->list[i].selector,
                       outcome->list[i].domain);
}

static bool contains(const struct outcome *outcome, const struct outcome_signature *signature)
{
    for (size_t i = 0; i < outcome->count; i++)
        if (compare(&outcome->list[i], signature) == 0)
            return true;
    return false;
}

/* Those of one side that the other has not. */
static void tell_surplus(const char *side, const struct outcome *outcome,
                         const struct outcome *other, struct buf *out)
{
    for (size_t i = 0; i < outcome->count; i++) {
        const struct outcome_signature *signature = &outcome->list[i];
        if (contains(other, signature))
            continue;
        buf_printf(out, "%sonly %s signs with s=%s d=%s", out->len > 0 ? "; " : "", side,
                   signature->selector, signature->domain);
        if (signature->identity[0] != '\0')
            buf_printf(out, " i=%s", signature->identity);
        buf_printf(out, " a=%s", signature->algorithm);
    }
}

void outcome_difference(const struct outcome *opendkim, const struct outcome *inkan,
                        struct buf *out)
{
    struct buf text = BUF_INIT(0);
    if (opendkim->action == OUTCOME_SIGN && inkan->action == OUTCOME_SIGN) {
        tell_surplus("OpenDKIM", opendkim, inkan, &text);
        tell_surplus("inkan", inkan, opendkim, &text);
    } else if (!outcome_equal(opendkim, inkan)) {
        buf_append_str(&text, "OpenDKIM: ");
        outcome_text(opendkim, &text);
        buf_append_str(&text, "; inkan: ");
        outcome_text(inkan, &text);
    }
    buf_append_span(out, buf_span(&text));
    buf_clear(&text);
}
