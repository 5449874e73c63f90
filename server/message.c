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
    policy_decision_clear(&message->decision);
    dkim_fields_clear(&message->fields);
    dkim_bodies_free(message->bodies);
    buf_clear(&message->envelope_from);
    for (size_t i = 0; i < POLICY_SIGNATURES_MAX; i++)
        buf_clear(&message->values[i]);
    free(message);
}

void message_reset(struct message *message)
{
    policy_decision_clear(&message->decision);
    message->decision = (struct policy_decision){.count = 0};
    buf_reset(&message->envelope_from);
    message->shadow[0] = '\0';
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

void message_sender(struct message *message, const char *address)
{
    buf_reset(&message->envelope_from);
    buf_append_str(&message->envelope_from, address);
    if (message->envelope_from.failed != ST_OK)
        settle(message, POLICY_TEMPFAIL, "memory", "out of memory");
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

static enum status find(void *arg, const struct keyring_question *question, size_t wanted,
                        const struct place **out, struct err *err)
{
    return keyring_view_find(arg, question, wanted, out, err);
}

/* "would be signed by example.com" or "would not be signed: why". */
static void describe(const struct policy_decision *decision, char out[MESSAGE_SHADOW_SIZE])
{
    int len = 0;
    if (decision->action != POLICY_SIGN) {
        snprintf(out, MESSAGE_SHADOW_SIZE, "would %s: %s",
                 decision->action == POLICY_TEMPFAIL ? "be deferred" : "not be signed",
                 decision->text);
        return;
    }
    len = snprintf(out, MESSAGE_SHADOW_SIZE, "would be signed by");
    for (size_t i = 0; i < decision->count && len < MESSAGE_SHADOW_SIZE; i++)
        len += snprintf(out + len, MESSAGE_SHADOW_SIZE - (size_t)len, " %s._domainkey.%s",
                        decision->signatures[i].signer->selector,
                        decision->signatures[i].signers->domain);
}

/* What another setting would do to the same message, which sees the same store. */
static void decide_shadow(struct message *m, const struct policy_case *c,
                          const struct policy_origin *origin)
{
    struct policy_decision decision = {.action = POLICY_SIGN};
    struct policy_case other = *c;
    other.origin = *origin;
    policy_decide(m->services->shadow, &other, &decision);
    if (!policy_decision_equal(&m->decision, &decision))
        describe(&decision, m->shadow);
    policy_decision_clear(&decision);
}

static void decide(struct message *m, const struct message_origin *origin)
{
    struct keyring_view view;
    struct policy_case c = {
        .origin = origin->real,
        .fields = &m->fields,
        .envelope_from = m->envelope_from.len > 0 ? buf_cstr(&m->envelope_from) : NULL,
        .find = find,
        .find_arg = &view,
    };
    keyring_view_begin(&view, m->services->keyring);
    policy_decide(m->services->policy, &c, &m->decision);
    if (m->services->shadow != NULL)
        decide_shadow(m, &c, &origin->shadow);
    keyring_view_end(&view);
}

static void prepare_hashes(struct message *m)
{
    struct err err = {0};
    int64_t now_s = clock_now_s();
    for (size_t i = 0; i < m->decision.count; i++) {
        policy_sign_options(m->services->policy, &m->decision, i, now_s, &m->options[i]);
        if (!dkim_sign_fits(&m->options[i], &m->fields)) {
            settle(m, POLICY_PASS_UNSIGNED, "limits", "more header fields than a signature lists");
            return;
        }
        if (dkim_sign_want(&m->options[i], m->bodies, &err) != ST_OK) {
            settle(m, POLICY_TEMPFAIL, "sign", err.text);
            return;
        }
    }
    m->option_count = m->decision.count;
}

static void log_broken(struct message *m)
{
    struct signers *signers = m->decision.broken;
    if (signers == NULL)
        return;
    struct log_event event = {
        .event = "broken_key",
        .tenant = signers->tenant,
        .domain = signers->domain,
        .us = -1,
    };
    if (log_once_in(&signers->broken_logged_ms, BROKEN_LOG_PERIOD_MS))
        log_event(LOG_LEVEL_ERROR, &event, "%s: %zu of its active keys cannot be used: %s",
                  signers->domain, signers->broken, signers->broken_text);
}

void message_decide(struct message *message, const struct message_origin *origin)
{
    if (message->decided)
        return;
    int64_t start_us = clock_monotonic_us();
    message->decided = true;
    decide(message, origin);
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
        event.domain = options->domain;
        event.tenant = m->decision.signatures[i].signers->tenant;
        event.selector = options->selector;
        event.algorithm = dkim_algorithm_name(options->algorithm);
        counters_add(&m->services->counters->signatures[options->algorithm]);
        log_event(LOG_LEVEL_INFO, &event,
                  "DKIM-Signature field added (s=%s, d=%s) a=%s tenant=%s us=%lld",
                  options->selector, options->domain, event.algorithm, event.tenant,
                  (long long)m->us);
    }
}

/* What was let pass, and what other settings would have done. */
static void log_otherwise(const struct message *m, struct log_event event)
{
    event.selector = event.algorithm = NULL;
    event.us = -1;
    if (m->decision.would[0] != '\0') {
        event.event = "tenant_check";
        event.reason = "tenant";
        log_event(LOG_LEVEL_WARNING, &event, "tenant_check: %s", m->decision.would);
    }
    if (m->shadow[0] != '\0') {
        event.event = "shadow";
        event.reason = "shadow";
        log_event(LOG_LEVEL_INFO, &event, "shadow: %s", m->shadow);
    }
}

void message_log(const struct message *message, const char *queue_id)
{
    const struct policy_decision *decision = &message->decision;
    struct counters *counters = message->services->counters;
    struct log_event event = {.queue_id = queue_id, .reason = decision->reason, .us = -1};
    if (decision->domain[0] != '\0') {
        event.tenant = decision->tenant;
        event.domain = decision->domain;
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
    log_otherwise(message, event);
}
