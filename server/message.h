/* SPDX-License-Identifier: Apache-2.0
 *
 * One message on its way through the filter: collects the header, asks policy and keyring at its
 * end, streams the body through the hashes, makes the signatures, and writes the log line. It
 * knows nothing of the milter protocol: session.c feeds it and passes on what comes out. What
 * becomes of a message in trouble (store away, broken key, limits, no memory) is what its
 * decision says; nothing here returns an error.
 *
 * The calls come in this order: message_sender, message_field..., message_decide, message_body...,
 * message_sign, message_log, message_reset. Any of them may be left out or come after trouble;
 * message_reset may come at any time. Memory is kept for the next message of the connection.
 *
 * A message belongs to one thread at a time; message_services is shared by all of a worker.
 */
#ifndef INKAN_SERVER_MESSAGE_H
#define INKAN_SERVER_MESSAGE_H

#include "server/counters.h"
#include "server/policy.h"

struct message_services {
    const struct settings *settings;
    const struct policy *policy;
    const struct policy *shadow; /* as trust.shadow says; NULL: it says nothing */
    struct keyring *keyring;
    struct counters *counters;
};

enum { MESSAGE_SHADOW_SIZE = ERR_TEXT_SIZE + 32 };

/* Where a message comes from, as either policy sees it: they may have other lists. */
struct message_origin {
    struct policy_origin real, shadow;
};

struct message {
    struct message_services *services;
    struct dkim_fields fields;
    struct dkim_bodies *bodies;
    bool decided; /* nothing before says anything about `decision` */
    struct policy_decision decision;
    struct dkim_sign_options options[POLICY_SIGNATURES_MAX];
    size_t option_count;
    struct buf values[POLICY_SIGNATURES_MAX]; /* after message_sign; lines end in LF */
    struct buf envelope_from;                 /* as in MAIL FROM; empty: not known */
    char shadow[MESSAGE_SHADOW_SIZE];         /* what trust.shadow would have done; "": the same */
    int64_t us; /* spent in message_decide and message_sign: look-up, hashing of the header and
                   signing, but not what the MTA took to send the message */
};

/* NULL when memory is short. The services are borrowed. */
struct message *message_new(struct message_services *services) MUST_CHECK;
void message_free(struct message *message); /* NULL is fine */

/* The envelope sender, for those who sign by it. */
void message_sender(struct message *message, const char *address);
/* A header field; `value` with its leading space, lines ended in any way. */
void message_field(struct message *message, struct span name, struct span value);
/* The end of the header: whether and with which keys the message will be signed. Does nothing
 * when called again. */
void message_decide(struct message *message, const struct message_origin *origin);
/* A piece of the body; free of cost when the message will not be signed. */
void message_body(struct message *message, const void *data, size_t len);
/* The end of the message. With POLICY_SIGN afterwards, values[0..option_count) are the values
 * of the DKIM-Signature fields, each with its leading space. */
void message_sign(struct message *message);
/* For trouble outside, such as an MTA that does not take the new field: the message must not go
 * out unsigned. `why` is for the log. */
void message_defer(struct message *message, const char *reason, const char *why);
/* Logs what became of the message, and counts it. */
void message_log(const struct message *message, const char *queue_id);
/* Ready for the next message. */
void message_reset(struct message *message);

#endif
