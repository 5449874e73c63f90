/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/grant.h"

#include <stdio.h>
#include <string.h>

#include "base/networks.h"
#include "storage/rule.h"

/* FNV-1a. Grants are stored with what comes out, so it must never change. */
static uint32_t hash(const char *text)
{
    uint32_t sum = 2166136261U;
    for (; *text != '\0'; text++)
        sum = (sum ^ (unsigned char)*text) * 16777619U;
    return sum;
}

bool grant_login(struct span login, struct grant_login *out)
{
    size_t at = login.len;
    *out = (struct grant_login){.subject = ""};
    while (at > 0 && login.data[at - 1] != '@')
        at--;
    if (login.len == 0 || login.len > GRANT_SUBJECT_MAX)
        return false;
    if (at > 0 && dkim_domain_normalize(span_from(login, at), out->domain, NULL) != ST_OK)
        out->domain[0] = '\0';
    if (out->domain[0] != '\0')
        snprintf(out->everybody, sizeof out->everybody, "@%s", out->domain);
    struct span local = out->domain[0] != '\0' ? span_head(login, at) : login;
    if (local.len + strlen(out->domain) > GRANT_SUBJECT_MAX)
        return false;
    snprintf(out->subject, sizeof out->subject, "%.*s%s", (int)local.len, local.data, out->domain);
    for (char *at_subject = out->subject; out->domain[0] != '\0' && *at_subject != '\0';
         at_subject++)
        *at_subject = ascii_lower(*at_subject);
    snprintf(out->bucket, sizeof out->bucket, "login#%03x", hash(out->subject) % GRANT_BUCKETS);
    return true;
}

static enum status set(struct grant *grant, const char *subject, const char *place, struct err *err)
{
    const struct field *fields[] = {kind_field(&kind_grant, SPAN_LIT("subject")),
                                    kind_field(&kind_grant, SPAN_LIT("place"))};
    enum status st = field_set_text(fields[0], grant, span_str(subject), err);
    return st == ST_OK ? field_set_text(fields[1], grant, span_str(place), err) : st;
}

static enum status set_login(struct grant *grant, struct span text, struct err *err)
{
    struct grant_login login;
    if (!grant_login(text, &login))
        return err_set(err, ST_INVALID, "login: empty, or longer than %d octets",
                       GRANT_SUBJECT_MAX);
    if (text.data[0] != '@')
        return set(grant, login.subject, login.bucket, err);
    if (login.domain[0] == '\0' || strcmp(login.subject, login.everybody) != 0)
        return err_set(err, ST_INVALID, "login: %s: behind the @ stands no domain", login.subject);
    return set(grant, login.everybody, login.domain, err);
}

static enum status set_network(struct grant *grant, struct span text, struct err *err)
{
    struct network network;
    char normal[NETWORK_TEXT_SIZE];
    if (networks_parse(text, &network, err) != ST_OK)
        return err_context(err, "network");
    networks_text(&network, normal);
    return set(grant, normal, RULE_ANYWHERE, err);
}

static enum status set_daemon(struct grant *grant, struct span text, struct err *err)
{
    char name[GRANT_SUBJECT_MAX + 1];
    if (text.len == 0 || text.len > GRANT_SUBJECT_MAX)
        return err_set(err, ST_INVALID, "daemon name: empty, or longer than %d octets",
                       GRANT_SUBJECT_MAX);
    snprintf(name, sizeof name, "%.*s", (int)text.len, text.data);
    return set(grant, name, RULE_ANYWHERE, err);
}

enum status grant_set_subject(struct grant *grant, enum grant_type type, struct span text,
                              struct err *err)
{
    grant->type = type;
    switch (type) {
    case GRANT_LOGIN:
        return set_login(grant, text, err);
    case GRANT_NETWORK:
        return set_network(grant, text, err);
    case GRANT_DAEMON:
        return set_daemon(grant, text, err);
    }
    return err_set(err, ST_BROKEN, "unknown type of grant");
}
