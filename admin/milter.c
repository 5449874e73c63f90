/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/milter.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/milter_result.h"
#include "admin/milter_wire.h"
#include "base/clock.h"

enum {
    PROTOCOL_VERSION = 6,
    TIMEOUT_MS = 10000,
    CHUNK_SIZE = 65535,     /* MILTER_CHUNK_SIZE of every MTA */
    SMFIF_ALL = 0x1ff,      /* every action there is */
    HDR_LEADSPC = 0x100000, /* values with the space after the colon */
    SMFIP_ALL = 0x1fffff,   /* every step may be left out or go without an answer */
};

struct milter_session {
    struct milter_wire wire;
    uint32_t protocol;          /* the SMFIP_ flags the filter asked for */
    bool decided;               /* the filter wants no more of this connection */
    enum milter_verdict always; /* what it said then */
};

/* A step of the dialogue: its command, the flag by which a filter leaves it out, and the flag
 * by which it announces that it will not answer. */
static const struct step {
    char command;
    uint32_t left_out, silent;
} step_connect = {'C', 0x1, 0x1000}, step_helo = {'H', 0x2, 0x2000}, step_mail = {'M', 0x4, 0x4000},
  step_rcpt = {'R', 0x8, 0x8000}, step_data = {'T', 0x200, 0x10000},
  step_header = {'L', 0x20, 0x80}, step_eoh = {'N', 0x40, 0x40000},
  step_body = {'B', 0x10, 0x80000}, step_end = {'E', 0, 0};

static const char *const verdict_names[] = {
    [MILTER_ACCEPT] = "accept",
    [MILTER_REJECT] = "reject",
    [MILTER_TEMPFAIL] = "tempfail",
    [MILTER_DISCARD] = "discard",
};

const char *milter_verdict_name(enum milter_verdict verdict)
{
    return verdict_names[verdict];
}

/* -- steps ---------------------------------------------------------------------------------- */

static bool wanted(const struct milter_session *session, const struct step *step)
{
    return (session->protocol & step->left_out) == 0;
}

struct macro {
    const char *name, *value; /* value NULL: not sent */
};

static void put_macros(struct milter_session *session, const struct step *step,
                       const struct macro *macros, size_t count)
{
    size_t start = milter_wire_begin(&session->wire, 'D');
    buf_append_char(&session->wire.out, step->command);
    for (size_t i = 0; i < count; i++) {
        if (macros[i].value == NULL)
            continue;
        milter_wire_string(&session->wire, macros[i].name);
        milter_wire_string(&session->wire, macros[i].value);
    }
    milter_wire_end(&session->wire, start);
}

/* After a packet: sends what is collected and takes the answer, if this step has one. */
static enum status answer(struct milter_session *session, const struct step *step,
                          struct milter_result *result, enum milter_step *next, struct err *err)
{
    *next = MILTER_CONTINUE;
    if ((session->protocol & step->silent) != 0)
        return session->wire.out.len < CHUNK_SIZE ? ST_OK : milter_wire_flush(&session->wire, err);
    enum status status = milter_wire_flush(&session->wire, err);
    *next = MILTER_MORE;
    while (status == ST_OK && *next == MILTER_MORE) {
        struct milter_response response = {.leading_space = (session->protocol & HDR_LEADSPC) != 0};
        status = milter_wire_read(&session->wire, &response.code, err);
        response.data = buf_span(&session->wire.in);
        if (status == ST_OK)
            status = milter_result_take(result, &response, next, err);
    }
    return status;
}

/* A step whose content is up to two strings (NULL: none). */
struct exchange {
    const struct step *step;
    const char *first, *second;
    struct milter_result *result;
};

static enum status say(struct milter_session *session, const struct exchange *exchange,
                       enum milter_step *next, struct err *err)
{
    *next = MILTER_CONTINUE;
    if (!wanted(session, exchange->step))
        return ST_OK;
    size_t start = milter_wire_begin(&session->wire, exchange->step->command);
    if (exchange->first != NULL)
        milter_wire_string(&session->wire, exchange->first);
    if (exchange->second != NULL)
        milter_wire_string(&session->wire, exchange->second);
    milter_wire_end(&session->wire, start);
    return answer(session, exchange->step, exchange->result, next, err);
}

/* -- the connection ------------------------------------------------------------------------- */

static enum status negotiate(struct milter_session *session, struct err *err)
{
    size_t start = milter_wire_begin(&session->wire, 'O');
    milter_wire_number(&session->wire, PROTOCOL_VERSION);
    milter_wire_number(&session->wire, SMFIF_ALL);
    milter_wire_number(&session->wire, SMFIP_ALL);
    milter_wire_end(&session->wire, start);
    char code;
    enum status status = milter_wire_flush(&session->wire, err);
    if (status == ST_OK)
        status = milter_wire_read(&session->wire, &code, err);
    if (status != ST_OK)
        return status;
    uint32_t answer_numbers[3]; /* version, actions, protocol */
    if (code != 'O' || session->wire.in.len < sizeof answer_numbers)
        return err_set(err, ST_BROKEN, "filter: does not negotiate");
    memcpy(answer_numbers, session->wire.in.data, sizeof answer_numbers);
    session->protocol = ntohl(answer_numbers[2]);
    if ((session->protocol & ~(uint32_t)SMFIP_ALL) != 0)
        return err_set(err, ST_BROKEN, "filter: wants protocol flags 0x%x that were not offered",
                       session->protocol & ~(uint32_t)SMFIP_ALL);
    return ST_OK;
}

static void put_connect(struct milter_session *session, const struct milter_options *options,
                        bool ipv6)
{
    char bracketed[INET6_ADDRSTRLEN + 10];
    snprintf(bracketed, sizeof bracketed, "[%s%s]", ipv6 ? "IPv6:" : "", options->client_ip);
    const char *name = options->client_name != NULL ? options->client_name : bracketed;
    const struct macro macros[] = {{"j", "localhost"},
                                   {"{daemon_name}", options->daemon_name},
                                   {"{client_addr}", options->client_ip},
                                   {"{client_name}", name},
                                   {"v", "inkan " INKAN_VERSION}};
    put_macros(session, &step_connect, macros, sizeof macros / sizeof macros[0]);
    size_t start = milter_wire_begin(&session->wire, step_connect.command);
    milter_wire_string(&session->wire, name);
    buf_append_char(&session->wire.out, ipv6 ? '6' : '4');
    buf_append(&session->wire.out, "\x30\x39", 2); /* a client port: 12345 */
    /* Sendmail's form of an IPv6 address, which libmilter takes apart again. */
    buf_append_str(&session->wire.out, ipv6 ? "IPv6:" : "");
    milter_wire_string(&session->wire, options->client_ip);
    milter_wire_end(&session->wire, start);
}

static enum status introduce(struct milter_session *session, const struct milter_options *options,
                             struct err *err)
{
    struct in6_addr address;
    bool ipv6 = inet_pton(AF_INET6, options->client_ip, &address) == 1;
    if (!ipv6 && inet_pton(AF_INET, options->client_ip, &address) != 1)
        return err_set(err, ST_INVALID, "%.64s: not an IP address", options->client_ip);
    struct milter_result result = {.verdict = MILTER_ACCEPT};
    enum milter_step next = MILTER_CONTINUE;
    enum status status = ST_OK;
    if (wanted(session, &step_connect)) {
        put_connect(session, options, ipv6);
        status = answer(session, &step_connect, &result, &next, err);
    }
    if (status == ST_OK && next != MILTER_FINAL)
        status =
            say(session, &(struct exchange){&step_helo, "localhost", NULL, &result}, &next, err);
    session->decided = next == MILTER_FINAL;
    session->always = result.verdict;
    milter_result_clear(&result);
    return status;
}

enum status milter_open(const struct milter_options *options, struct milter_session **out,
                        struct err *err)
{
    struct milter_options given = *options;
    if (given.client_ip == NULL)
        given.client_ip = "127.0.0.1";
    struct milter_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return err_set(err, ST_TEMP, "no memory");
    session->wire.fd = -1;
    session->wire.timeout_ms = given.timeout_ms > 0 ? given.timeout_ms : TIMEOUT_MS;
    enum status status = sockname_connect(
        given.socket, clock_monotonic_ms() + session->wire.timeout_ms, &session->wire.fd, err);
    if (status == ST_OK)
        status = negotiate(session, err);
    if (status == ST_OK)
        status = introduce(session, &given, err);
    if (status == ST_OK)
        *out = session;
    else
        milter_close(session);
    return status;
}

void milter_close(struct milter_session *session)
{
    if (session == NULL)
        return;
    if (session->wire.fd >= 0) {
        buf_reset(&session->wire.out);
        milter_wire_end(&session->wire, milter_wire_begin(&session->wire, 'Q'));
        /* A filter that is already gone need not hear it. */
        (void)!milter_wire_flush(&session->wire, NULL);
    }
    milter_wire_clear(&session->wire);
    free(session);
}

/* -- a message ------------------------------------------------------------------------------ */

static void bracket(const char *address, struct buf *out)
{
    buf_append_char(out, '<');
    buf_append_str(out, address);
    buf_append_char(out, '>');
}

static enum status send_envelope(struct milter_session *session,
                                 const struct milter_message *message, struct milter_result *result,
                                 enum milter_step *next, struct err *err)
{
    struct buf sender = BUF_INIT(0), recipient = BUF_INIT(0);
    bracket(message->sender, &sender);
    bracket(message->recipient != NULL ? message->recipient : "postmaster@localhost", &recipient);
    const char *queue_id = message->queue_id != NULL ? message->queue_id : "PROBE";
    const struct macro macros[] = {{"i", queue_id},
                                   {"{auth_type}", message->login != NULL ? "PLAIN" : NULL},
                                   {"{auth_authen}", message->login},
                                   {"{mail_addr}", message->sender}};
    put_macros(session, &step_mail, macros, sizeof macros / sizeof macros[0]);
    enum status status =
        say(session, &(struct exchange){&step_mail, buf_cstr(&sender), NULL, result}, next, err);
    if (status == ST_OK && *next != MILTER_FINAL)
        status = say(session, &(struct exchange){&step_rcpt, buf_cstr(&recipient), NULL, result},
                     next, err);
    if (status == ST_OK && *next != MILTER_FINAL)
        status = say(session, &(struct exchange){&step_data, NULL, NULL, result}, next, err);
    buf_clear(&sender);
    buf_clear(&recipient);
    return status;
}

/* MTAs pass the lines of a folded field on with LF, and, to filters that did not ask for it,
 * without the space after the colon. */
static void put_header_value(struct milter_session *session, struct span value)
{
    if ((session->protocol & HDR_LEADSPC) == 0 && span_has_prefix(value, SPAN_LIT(" ")))
        value = span_from(value, 1);
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] != '\r')
            buf_append_char(&session->wire.out, value.data[i]);
    buf_append_char(&session->wire.out, '\0');
}

static enum status send_fields(struct milter_session *session, const struct milter_message *message,
                               struct milter_result *result, enum milter_step *next,
                               struct err *err)
{
    enum status status = ST_OK;
    size_t count = wanted(session, &step_header) ? message->fields->count : 0;
    for (size_t i = 0; i < count && status == ST_OK && *next != MILTER_FINAL; i++) {
        size_t start = milter_wire_begin(&session->wire, step_header.command);
        buf_append_span(&session->wire.out, dkim_fields_name(message->fields, i));
        buf_append_char(&session->wire.out, '\0');
        put_header_value(session, dkim_fields_value(message->fields, i));
        milter_wire_end(&session->wire, start);
        status = answer(session, &step_header, result, next, err);
    }
    if (status == ST_OK && *next != MILTER_FINAL)
        status = say(session, &(struct exchange){&step_eoh, NULL, NULL, result}, next, err);
    return status;
}

static enum status send_body(struct milter_session *session, const struct milter_message *message,
                             struct milter_result *result, enum milter_step *next, struct err *err)
{
    enum status status = ST_OK;
    struct span rest = wanted(session, &step_body) ? message->body : (struct span){NULL, 0};
    while (rest.len > 0 && status == ST_OK && *next == MILTER_CONTINUE) {
        size_t start = milter_wire_begin(&session->wire, step_body.command);
        buf_append_span(&session->wire.out, span_head(rest, CHUNK_SIZE));
        milter_wire_end(&session->wire, start);
        rest = span_from(rest, CHUNK_SIZE);
        status = answer(session, &step_body, result, next, err);
    }
    return status;
}

/* Told that a message will not be finished, the filter is ready for the next one. */
static enum status abort_message(struct milter_session *session, struct err *err)
{
    milter_wire_end(&session->wire, milter_wire_begin(&session->wire, 'A'));
    return milter_wire_flush(&session->wire, err);
}

enum status milter_send(struct milter_session *session, const struct milter_message *message,
                        struct milter_result *result, struct err *err)
{
    result->verdict = session->always;
    if (session->decided)
        return ST_OK;
    struct milter_message given = *message;
    if (given.sender == NULL)
        given.sender = "";
    enum milter_step next = MILTER_CONTINUE;
    enum status status = send_envelope(session, &given, result, &next, err);
    if (status == ST_OK && next != MILTER_FINAL)
        status = send_fields(session, &given, result, &next, err);
    if (status == ST_OK && next != MILTER_FINAL)
        status = send_body(session, &given, result, &next, err);
    if (status != ST_OK)
        return status;
    if (next == MILTER_FINAL)
        return abort_message(session, err);
    return say(session, &(struct exchange){&step_end, NULL, NULL, result}, &next, err);
}
