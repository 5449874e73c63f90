/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/rule.h"

#include <stdio.h>
#include <string.h>

#include "dkim/domain.h"
#include "storage/model.h"

/* The last `@`: only local parts may hold one. The text's length if there is none. */
static size_t last_at(struct span text)
{
    for (size_t i = text.len; i > 0; i--) {
        if (text.data[i - 1] == '@')
            return i - 1;
    }
    return text.len;
}

static size_t count_labels(const char *name)
{
    size_t labels = 1;
    for (; *name != '\0'; name++)
        labels += *name == '.';
    return labels;
}

/* Only such names are looked up for an author below them. */
static enum status check_below(const char *name, struct err *err)
{
    size_t labels = count_labels(name);
    if (labels >= 2 && labels <= DKIM_CANDIDATES_MAX)
        return ST_OK;
    return err_set(err, ST_INVALID,
                   ".%s: only names of 2 to %d labels can stand for all below them", name,
                   DKIM_CANDIDATES_MAX);
}

/* The part behind the `@`: writes it as patterns have it, and its place. */
static enum status read_host(struct span host, char out[DKIM_DOMAIN_SIZE + 1],
                             char place[DKIM_DOMAIN_SIZE], struct err *err)
{
    bool below = host.len > 0 && host.data[0] == '.';
    if (span_equal(host, SPAN_LIT(RULE_ANYWHERE))) {
        snprintf(out, DKIM_DOMAIN_SIZE, RULE_ANYWHERE);
        snprintf(place, DKIM_DOMAIN_SIZE, RULE_ANYWHERE);
        return ST_OK;
    }
    if (dkim_domain_normalize(span_from(host, below), place, err) != ST_OK)
        return err_context(err, "%.*s", (int)span_head(host, 100).len, host.data);
    snprintf(out, DKIM_DOMAIN_SIZE + 1, "%s%s", below ? "." : "", place);
    return below ? check_below(place, err) : ST_OK;
}

static enum status check_local(struct span local, struct span host, struct err *err)
{
    if (local.len == 0)
        return err_set(err, ST_INVALID, "nothing stands before the @ (%.*s alone is every author)",
                       (int)span_head(host, 100).len, host.data);
    if (span_equal(local, SPAN_LIT("*")))
        return err_set(err, ST_INVALID, "every author there is %.*s without *@",
                       (int)span_head(host, 100).len, host.data);
    if (span_find(local, '*') < local.len)
        return err_set(err, ST_INVALID, "a * cannot stand for a part of what is before the @");
    if (local.data[0] == '"')
        return err_set(err, ST_INVALID, "what is before the @ is written without quotes");
    return ST_OK;
}

enum status rule_set_pattern(struct rule *rule, struct span text, struct err *err)
{
    char host[DKIM_DOMAIN_SIZE + 1], place[DKIM_DOMAIN_SIZE], pattern[RULE_PATTERN_MAX + 1];
    size_t at = last_at(text);
    bool has_local = at < text.len;
    struct span local = span_head(text, has_local ? at : 0);
    struct span behind = span_from(text, has_local ? at + 1 : 0);
    enum status st = has_local ? check_local(local, behind, err) : ST_OK;
    if (st == ST_OK)
        st = read_host(behind, host, place, err);
    if (st != ST_OK)
        return err_context(err, "pattern");
    if (local.len + 1 + strlen(host) > RULE_PATTERN_MAX)
        return err_set(err, ST_INVALID, "pattern: longer than %d octets", RULE_PATTERN_MAX);
    int len = snprintf(pattern, sizeof pattern, "%.*s%s%s", (int)local.len, local.data,
                       has_local ? "@" : "", host);
    for (int i = 0; i < len; i++)
        pattern[i] = ascii_lower(pattern[i]);
    st = field_set_text(kind_field(&kind_rule, SPAN_LIT("pattern")), rule, span_str(pattern), err);
    if (st == ST_OK)
        st = field_set_text(kind_field(&kind_rule, SPAN_LIT("place")), rule, span_str(place), err);
    return st;
}

/* What may stand before the `@` without any quoting (RFC 5322 3.2.3, RFC 6531). */
static bool is_plain(struct span local)
{
    for (size_t i = 0; i < local.len; i++) {
        char c = local.data[i];
        bool mark = c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL;
        if (!ascii_alpha(c) && !ascii_digit(c) && !mark && (unsigned char)c < 0x80)
            return false;
    }
    return true;
}

enum status rule_set_identity(struct rule *rule, struct span text, struct err *err)
{
    char domain[DKIM_DOMAIN_SIZE], identity[RULE_PATTERN_MAX + 1];
    size_t at = last_at(text);
    struct span local = span_head(text, at);
    if (at == text.len || !is_plain(local))
        return err_set(err, ST_INVALID, "identity: %.*s: neither @DOMAIN nor LOCAL@DOMAIN",
                       (int)span_head(text, 100).len, text.data);
    if (dkim_domain_normalize(span_from(text, at + 1), domain, err) != ST_OK)
        return err_context(err, "identity");
    if (!dkim_domain_is_within(span_str(domain), span_str(rule->domain)))
        return err_set(err, ST_INVALID, "identity: %s is neither %s nor below it", domain,
                       rule->domain);
    if (local.len + 1 + strlen(domain) > RULE_PATTERN_MAX)
        return err_set(err, ST_INVALID, "identity: longer than %d octets", RULE_PATTERN_MAX);
    snprintf(identity, sizeof identity, "%.*s@%s", (int)local.len, local.data, domain);
    return field_set_text(kind_field(&kind_rule, SPAN_LIT("identity")), rule, span_str(identity),
                          err);
}

bool rule_form(enum rule_level level, const char *local, const char *place,
               char out[RULE_PATTERN_MAX + 1])
{
    int len = snprintf(out, RULE_PATTERN_MAX + 1, "%s%s%s%s", local != NULL ? local : "",
                       local != NULL ? "@" : "", level == RULE_ABOVE ? "." : "", place);
    for (char *at = out; *at != '\0'; at++)
        *at = ascii_lower(*at);
    return len >= 0 && len <= RULE_PATTERN_MAX;
}
