/* SPDX-License-Identifier: Apache-2.0 */
#include "server/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { BROKEN_LOG_PERIOD_MS = 60000 };

struct message *message_new(struct message_services *services)
{
    struct message *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->services = services;
    m->fields.max_count = (size_t)services->settings->sign.max_header_count;
    m->fields.max_bytes = (size_t)services->settings->sign.max_header_bytes;
    m->bodies = dkim_bodies_new();
    if (m->bodies == NULL) {
        free(m);
        return NULL;
    }
    return m;
}

void message_free(struct message *message)
{
    if (message == NULL)
        return;
    signers_unref(message->signers);
    dkim_fields_clear(&message->fields);
    dkim_bodies_free(message->bodies);
    for (size_t i = 0; i < DKIM_ALGORITHMS; i++)
        buf_clear(&message->values[i]);
    free(message);
}

void message_reset(struct message *message)
{
    signers_unref(message->signers);
    message->signers = NULL;
    dkim_fields_reset(&message->fields);
    dkim_bodies_reset(message->bodies);
    message->decided = false;
    message->option_count = 0;
    message->us = 0;
}

/* Ends the matter without a signature. */
static void settle(struct message *m, enum policy_action action, const char *reason,
                   const char *text)
{
    m->decided = true;
    m->decision.action = action;
    m->decision.reason = reason;
    snprintf(m->decision.text, sizeof m->decision.text, "%s", text);
}

static bool over_limit(const struct dkim_fields *fields, size_t more)
{
    return fields->count >= fields->max_count || more > fields->max_bytes - fields->text.len;
}

void message_field(struct message *message, struct span name, struct span value)
{
    struct err err = {0};
    if (message->decided)
        return;
    bool over = over_limit(&message->fields, name.len + value.len);
    enum status status = dkim_fields_add(&message->fields, name, value, &err);
    if (status == ST_TEMP)
        settle(message, POLICY_TEMPFAIL, "memory", err.text);
    else if (status != ST_OK)
        settle(message, POLICY_PASS_UNSIGNED, over ? "limits" : "bad_header", err.text);
}

/* The first of the decision's domains that is ours. */
static void look_up(struct message *m)
{
    struct err err = {0};
    struct policy_lookup lookup = {.found = ST_NOT_FOUND, .err = &err};
    for (size_t i = 0; i < m->decision.domain_count && lookup.found == ST_NOT_FOUND; i++)
        lookup.found =
            keyring_find(m->services->keyring, m->decision.domains[i], &m->signers, &err);
    lookup.signers = m->signers;
    policy_decide_signers(m->services->policy, &lookup, &m->decision);
}

static void find_signers(struct message *m)
{
    look_up(m);
    if (m->decision.action != POLICY_ASK_PROVIDER)
        return;
    signers_unref(m->signers);
    m->signers = NULL;
    look_up(m);
}

static void prepare_hashes(struct message *m)
{
    struct err err = {0};
    int64_t now_s = clock_now_s();
    for (size_t i = 0; i < m->signers->count; i++) {
        policy_sign_options(m->services->policy, m->signers, i, now_s, &m->options[i]);
        if (!dkim_sign_fits(&m->options[i], &m->fields)) {
            settle(m, POLICY_PASS_UNSIGNED, "limits", "more header fields than a signature lists");
            return;
        }
        if (dkim_sign_want(&m->options[i], m->bodies, &err) != ST_OK) {
            settle(m, POLICY_TEMPFAIL, "sign", err.text);
            return;
        }
    }
    m->option_count = m->signers->count;
}

static void log_broken(struct message *m)
{
    if (m->signers == NULL || m->signers->broken == 0)
        return;
    struct log_event event = {
        .event = "broken_key",
        .tenant = m->signers->tenant,
        .domain = m->signers->domain,
        .us = -1,
    };
    if (log_once_in(&m->signers->broken_logged_ms, BROKEN_LOG_PERIOD_MS))
        log_event(LOG_LEVEL_ERROR, &event, "%s: %zu of its active keys cannot be used: %s",
                  m->signers->domain, m->signers->broken, m->signers->broken_text);
}

void message_decide(struct message *message, const struct policy_origin *origin)
{
    if (message->decided)
        return;
    int64_t start_us = clock_monotonic_us();
    message->decided = true;
    policy_decide_author(message->services->policy, origin, &message->fields, &message->decision);
    if (message->decision.action == POLICY_SIGN)
        find_signers(message);
    if (message->decision.action == POLICY_SIGN)
        prepare_hashes(message);
    log_broken(message);
    message->us += clock_monotonic_us() - start_us;
}

void message_body(struct message *message, const void *data, size_t len)
{
    if (message->option_count > 0)
        dkim_bodies_add(message->bodies, data, len);
}

/* The milter protocol wants LF alone where a value is folded. */
static void drop_cr(struct buf *value)
{
    size_t kept = 0;
    for (size_t i = 0; i < value->len; i++)
        if (value->data[i] != '\r')
            value->data[kept++] = value->data[i];
    buf_truncate(value, kept);
}

static enum status sign_all(struct message *m, struct err *err)
{
    enum status status = dkim_bodies_end(m->bodies, err);
    for (size_t i = 0; i < m->option_count && status == ST_OK; i++) {
        buf_reset(&m->values[i]);
        status = dkim_sign(&m->options[i], &m->fields, m->bodies, &m->values[i], err);
        if (status == ST_OK)
            drop_cr(&m->values[i]);
    }
    return status;
}

void message_sign(struct message *message)
{
    struct err err = {0};
    if (!message->decided || message->decision.action != POLICY_SIGN)
        return;
    int64_t start_us = clock_monotonic_us();
    if (sign_all(message, &err) != ST_OK)
        settle(message, POLICY_TEMPFAIL, "sign", err.text);
    message->us += clock_monotonic_us() - start_us;
}

void message_defer(struct message *message, const char *reason, const char *why)
{
    settle(message, POLICY_TEMPFAIL, reason, why);
}

static void log_signatures(const struct message *m, struct log_event event)
{
    event.event = "signed";
    event.us = m->us;
    for (size_t i = 0; i < m->option_count; i++) {
        const struct dkim_sign_options *options = &m->options[i];
        event.selector = options->selector;
        event.algorithm = dkim_algorithm_name(options->algorithm);
        counters_add(&m->services->counters->signatures[options->algorithm]);
        log_event(LOG_LEVEL_INFO, &event,
                  "DKIM-Signature field added (s=%s, d=%s) a=%s tenant=%s us=%lld",
                  options->selector, options->domain, event.algorithm, event.tenant,
                  (long long)m->us);
    }
}

void message_log(const struct message *message, const char *queue_id)
{
    const struct policy_decision *decision = &message->decision;
    struct counters *counters = message->services->counters;
    struct log_event event = {.queue_id = queue_id, .reason = decision->reason, .us = -1};
    if (message->signers != NULL) {
        event.tenant = message->signers->tenant;
        event.domain = message->signers->domain;
    }
    if (decision->action == POLICY_SIGN) {
        event.reason = NULL;
        counters_add(&counters->messages[COUNTERS_SIGNED]);
        log_signatures(message, event);
    } else if (decision->action == POLICY_PASS_UNSIGNED) {
        event.event = "unsigned";
        counters_add(&counters->messages[COUNTERS_UNSIGNED]);
        log_event(LOG_LEVEL_INFO, &event, "not signed: %s", decision->text);
    } else {
        event.event = "tempfail";
        counters_add(&counters->messages[COUNTERS_TEMPFAIL]);
        log_event(LOG_LEVEL_WARNING, &event, "deferred: %s", decision->text);
    }
}
