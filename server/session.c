/* SPDX-License-Identifier: Apache-2.0 */
#include "server/session.h"

#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Which steps of the protocol are left out (SMFIP_NO*) and which go without an answer
 * (SMFIP_NR_*). On a unix socket: all that is not needed. Over TCP leaving anything out before
 * the header stalls the MTA, because its own small writes then wait for an acknowledgement that
 * nothing carries back: 40 ms a message. There only the long runs of header fields and body
 * chunks go unanswered. */
enum {
    UNANSWERED_TCP = SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY,
    UNANSWERED_UNIX = UNANSWERED_TCP | SMFIP_NOHELO | SMFIP_NORCPT | SMFIP_NODATA |
                      SMFIP_NOUNKNOWN | SMFIP_NR_CONN | SMFIP_NR_MAIL,
};

/* After Postfix's and Sendmail's own Received field, before everything the client sent. */
enum { INSERT_AT = 1 };

/* In session_service.transactions: no message may begin. */
enum { GATE_CLOSED = 1 << 30 };

#define SOFTWARE "inkan " INKAN_VERSION

struct session {
    struct message *message;
    struct policy_peer peer, shadow_peer;
    unsigned long protocol; /* what was negotiated, SMFIP_* */
    struct buf spaced;      /* a value with its leading space put back */
    bool open;              /* a transaction of this session is counted */
    bool refused;           /* it came when none may begin */
};

/* libmilter has one filter a process and hands its call-backs nothing of ours. */
static struct session_service *service;

static void session_free(struct session *session)
{
    if (session == NULL)
        return;
    message_free(session->message);
    buf_clear(&session->spaced);
    free(session);
}

static struct session *session_new(void)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->message = message_new(&service->message);
    if (session->message == NULL) {
        session_free(session);
        return NULL;
    }
    /* libmilter does not negotiate again when an MTA uses a connection for the next client
     * (SMFIC_QUIT_NC). Whoever knows that command sends leading spaces when asked to. */
    session->protocol = SMFIP_HDR_LEADSPC;
    return session;
}

/* The session of a connection, made at its first step. NULL when memory is short: it is not tried
 * again later, as a message seen only in part must not be signed, and its end is answered with
 * "try again". */
static struct session *session_make(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    if (session != NULL)
        return session;
    session = session_new();
    if (session == NULL || smfi_setpriv(ctx, session) != MI_SUCCESS) {
        session_free(session);
        return NULL;
    }
    atomic_fetch_add(&service->connections, 1);
    return session;
}

/* libmilter complains of an answer where none was negotiated, and the other way round. */
static sfsistat go_on(const struct session *session, unsigned long unanswered)
{
    bool quiet = session != NULL && (session->protocol & unanswered) != 0;
    return quiet ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* The gate and the count are one number, so that no message slips in between a look at the one
 * and a look at the other. */
static bool transaction_begin(void)
{
    int open = atomic_load(&service->transactions);
    do {
        if ((open & GATE_CLOSED) != 0)
            return false;
    } while (!atomic_compare_exchange_weak(&service->transactions, &open, open + 1));
    return true;
}

static void session_begin(struct session *session)
{
    if (session->open)
        return;
    session->open = transaction_begin();
    session->refused = !session->open;
}

static void session_end(struct session *session)
{
    message_reset(session->message);
    session->refused = false;
    if (!session->open)
        return;
    session->open = false;
    atomic_fetch_add(&service->transactions_ended, 1);
    atomic_fetch_sub(&service->transactions, 1);
}

static void ask_for_macros(SMFICTX *ctx)
{
    static const struct {
        int step;
        const char *names;
    } wanted[] = {
        {SMFIM_CONNECT, "{daemon_name}"},
        {SMFIM_ENVFROM, "i {auth_authen}"},
        {SMFIM_EOM, "i"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        (void)smfi_setsymlist(ctx, wanted[i].step, (char *)wanted[i].names);
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long protocol,
                             unsigned long unused2, unsigned long unused3,
                             unsigned long *actions_out, unsigned long *protocol_out,
                             unsigned long *unused2_out, unsigned long *unused3_out)
{
    (void)unused2, (void)unused3;
    unsigned long unanswered = service->tcp ? UNANSWERED_TCP : UNANSWERED_UNIX;
    struct session *session = session_make(ctx);
    if ((actions & SMFIF_ADDHDRS) == 0) {
        log_text(LOG_LEVEL_ERROR, "the MTA does not let filters add header fields");
        return SMFIS_REJECT;
    }
    if (session == NULL)
        return SMFIS_REJECT;
    session->protocol = protocol & (unanswered | SMFIP_HDR_LEADSPC);
    *actions_out = SMFIF_ADDHDRS | (actions & SMFIF_SETSYMLIST);
    *protocol_out = session->protocol;
    *unused2_out = *unused3_out = 0;
    if ((actions & SMFIF_SETSYMLIST) != 0)
        ask_for_macros(ctx);
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, struct sockaddr *address)
{
    struct session *session = session_make(ctx);
    const struct message_services *message = &service->message;
    if (session != NULL)
        session->peer = policy_peer_of(message->policy, address, span_str(name));
    if (session != NULL && message->shadow != NULL)
        session->shadow_peer = policy_peer_of(message->shadow, address, span_str(name));
    return go_on(session, SMFIP_NR_CONN);
}

/* HELO, RCPT, DATA and unknown commands say nothing that matters here. Without a call-back
 * libmilter would have the MTA leave them out, over TCP too. */
static sfsistat on_text(SMFICTX *ctx, char *text)
{
    (void)ctx, (void)text;
    return SMFIS_CONTINUE;
}

static sfsistat on_recipient(SMFICTX *ctx, char **arguments)
{
    (void)ctx, (void)arguments;
    return SMFIS_CONTINUE;
}

static sfsistat on_data(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
    (void)ctx, (void)command;
    return SMFIS_CONTINUE;
}

static sfsistat on_mail(SMFICTX *ctx, char **arguments)
{
    struct session *session = smfi_getpriv(ctx);
    if (session != NULL) {
        session_end(session);
        session_begin(session);
        if (arguments != NULL && arguments[0] != NULL)
            message_sender(session->message, arguments[0]);
    }
    return go_on(session, SMFIP_NR_MAIL);
}

/* Without the leading space negotiated, MTAs take away the one they will put back. */
static void add_spaced_field(struct session *session, const char *name, const char *value)
{
    buf_reset(&session->spaced);
    buf_append_char(&session->spaced, ' ');
    buf_append_str(&session->spaced, value);
    if (session->spaced.failed == ST_OK)
        message_field(session->message, span_str(name), buf_span(&session->spaced));
    else
        message_defer(session->message, "memory", "out of memory");
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct session *session = smfi_getpriv(ctx);
    if (session == NULL)
        return go_on(session, SMFIP_NR_HDR);
    session_begin(session);
    if ((session->protocol & SMFIP_HDR_LEADSPC) == 0)
        add_spaced_field(session, name, value);
    else
        message_field(session->message, span_str(name), span_str(value));
    return go_on(session, SMFIP_NR_HDR);
}

static void decide(SMFICTX *ctx, struct session *session)
{
    struct message_origin origin = {.real = {
                                        .peer = session->peer,
                                        .login = smfi_getsymval(ctx, (char *)"{auth_authen}"),
                                        .daemon_name = smfi_getsymval(ctx, (char *)"{daemon_name}"),
                                    }};
    origin.shadow = origin.real;
    origin.shadow.peer = session->shadow_peer;
    message_decide(session->message, &origin);
}

static sfsistat on_end_of_header(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    if (session != NULL)
        session_begin(session);
    if (session != NULL && !session->refused)
        decide(ctx, session);
    return go_on(session, SMFIP_NR_EOH);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *data, size_t len)
{
    struct session *session = smfi_getpriv(ctx);
    if (session != NULL)
        message_body(session->message, data, len);
    return go_on(session, SMFIP_NR_BODY);
}

static bool insert(SMFICTX *ctx, const struct session *session, const char *name, const char *value)
{
    if ((session->protocol & SMFIP_HDR_LEADSPC) == 0)
        value += strspn(value, " ");
    return smfi_insheader(ctx, INSERT_AT, (char *)name, (char *)value) == MI_SUCCESS;
}

/* All of the fields or none: a message whose signatures did not all get in is not passed on. */
static void insert_all(SMFICTX *ctx, struct session *session)
{
    struct message *m = session->message;
    bool taken = true;
    if (m->decision.action != POLICY_SIGN)
        return;
    for (size_t i = m->option_count; i-- > 0 && taken;)
        taken = insert(ctx, session, "DKIM-Signature", buf_cstr(&m->values[i]));
    if (taken && service->message.settings->sign.software_header)
        taken = insert(ctx, session, "X-DKIM-Software", " " SOFTWARE);
    if (!taken)
        message_defer(m, "insert", "the MTA did not take the DKIM-Signature field");
}

static sfsistat defer(SMFICTX *ctx)
{
    (void)smfi_setreply(ctx, (char *)"451", (char *)"4.7.0",
                        (char *)"The message cannot be signed now, try again later");
    return SMFIS_TEMPFAIL;
}

static sfsistat on_end_of_message(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    if (session == NULL)
        return defer(ctx);
    session_begin(session);
    if (session->refused) {
        session_end(session);
        return defer(ctx);
    }
    decide(ctx, session);
    message_sign(session->message);
    insert_all(ctx, session);
    const char *queue_id = smfi_getsymval(ctx, (char *)"i");
    message_log(session->message, queue_id == NULL ? "NOQUEUE" : queue_id);
    bool deferred = session->message->decision.action == POLICY_TEMPFAIL;
    session_end(session);
    return deferred ? defer(ctx) : SMFIS_CONTINUE;
}

static sfsistat on_abort(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    if (session == NULL)
        return SMFIS_CONTINUE;
    if (session->open)
        counters_add(&service->message.counters->messages[COUNTERS_ABORTED]);
    session_end(session);
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);
    if (session == NULL)
        return SMFIS_CONTINUE;
    session_end(session);
    session_free(session);
    (void)smfi_setpriv(ctx, NULL);
    atomic_fetch_sub(&service->connections, 1);
    return SMFIS_CONTINUE;
}

enum status session_register(struct err *err)
{
    struct smfiDesc filter = {
        .xxfi_name = (char *)"inkan",
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS,
        .xxfi_negotiate = on_negotiate,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_text,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_recipient,
        .xxfi_data = on_data,
        .xxfi_unknown = on_unknown,
        .xxfi_header = on_header,
        .xxfi_eoh = on_end_of_header,
        .xxfi_body = on_body,
        .xxfi_eom = on_end_of_message,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
    };
    if (smfi_register(filter) != MI_SUCCESS)
        return err_set(err, ST_BROKEN, "libmilter does not take the filter (another version?)");
    return ST_OK;
}

void session_serve(struct session_service *shared)
{
    service = shared;
}

int session_open_transactions(const struct session_service *shared)
{
    return atomic_load(&shared->transactions) & ~GATE_CLOSED;
}

void session_close(struct session_service *shared)
{
    atomic_fetch_or(&shared->transactions, GATE_CLOSED);
}
