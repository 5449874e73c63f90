/* SPDX-License-Identifier: Apache-2.0
 *
 * The MTA's side of the milter protocol, version 6, as Postfix speaks it: what `inkan probe`
 * and the load test talk to a daemon with. One session is one SMTP client's connection and
 * carries any number of messages, one after the other. No libmilter here (it is the filter's
 * side only); no decision about mail either: the caller sees what the filter answered.
 *
 * Every answer has a deadline. A session belongs to one thread; any number of sessions may be
 * open. After an error a session is only good for milter_close.
 */
#ifndef INKAN_ADMIN_MILTER_H
#define INKAN_ADMIN_MILTER_H

#include "base/sockname.h"
#include "dkim/fields.h"

struct milter_session;

/* The client as the filter is to see it. Borrowed until milter_open returns. */
struct milter_options {
    const struct sockname *socket; /* where the filter listens */
    const char *daemon_name;       /* {daemon_name}; NULL: macro not sent */
    const char *client_ip;         /* IPv4 or IPv6 text; NULL: 127.0.0.1 */
    const char *client_name;       /* host name; NULL: the address in brackets */
    int64_t timeout_ms;            /* for each answer; 0: 10 s */
};

/* Connects, negotiates, and tells the filter about the client. ST_INVALID: client_ip is no
 * address; ST_TEMP: nobody answers in time; ST_BROKEN: what answers does not speak the protocol.
 * Close with milter_close. */
enum status milter_open(const struct milter_options *options, struct milter_session **out,
                        struct err *err) MUST_CHECK;
/* Says good-bye and frees. NULL is fine. */
void milter_close(struct milter_session *session);

struct milter_message {
    const char *queue_id;  /* macro i; NULL: PROBE */
    const char *login;     /* {auth_authen}, with {auth_type}; NULL: not authenticated */
    const char *sender;    /* without <>; NULL: empty */
    const char *recipient; /* without <>; NULL: postmaster@localhost */
    const struct dkim_fields *fields;
    struct span body; /* CRLF line ends */
};

enum milter_verdict { MILTER_ACCEPT, MILTER_REJECT, MILTER_TEMPFAIL, MILTER_DISCARD };
/* "accept", "reject", "tempfail", "discard" */
const char *milter_verdict_name(enum milter_verdict verdict);

/* One change of the header, in the order in which the filter asked for them. */
enum milter_edit_kind { MILTER_INSERT, MILTER_ADD, MILTER_CHANGE };
struct milter_edit {
    enum milter_edit_kind kind;
    uint32_t index; /* insert: place from the top; change: which of that name, from 1 */
    char *name;
    char *value; /* change: "" takes the field away */
};

struct milter_result {
    enum milter_verdict verdict;
    char reply[256];      /* the SMTP reply the filter wants given; "": the MTA's own */
    char quarantine[256]; /* why the message is to be held; "": it is not */
    struct milter_edit *edits;
    size_t edit_count;
    bool body_replaced;
    struct buf body; /* the new body then */
};

/* Sends one message and collects the answer into a zeroed or cleared result (milter_result_clear
 * also after a failure). A filter that refuses at any step is ST_OK with its verdict. ST_TEMP:
 * no answer in time or the connection went away; ST_BROKEN: an answer that is none. */
enum status milter_send(struct milter_session *session, const struct milter_message *message,
                        struct milter_result *result, struct err *err) MUST_CHECK;
void milter_result_clear(struct milter_result *result);

/* How many fields called `name` the filter inserted or added. */
size_t milter_result_added(const struct milter_result *result, struct span name);
/* Writes the message with the edits made, as the MTA would pass it on, with CRLF line ends. */
enum status milter_result_write(const struct milter_result *result,
                                const struct milter_message *message, struct buf *out,
                                struct err *err) MUST_CHECK;

#endif
