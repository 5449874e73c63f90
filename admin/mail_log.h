/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of Postfix's log that tell where a message came from, whose it was and that it is gone, and
 * OpenDKIM's own lines about what it signed. Everything else is nothing, whatever it looks like:
 * clients write much of what stands in a log. Time stamps as syslog writes them, or ISO 8601.
 * Pure; any thread.
 *
 *     postfix/smtpd[1]: QID: client=NAME[ADDRESS], sasl_method=PLAIN, sasl_username=LOGIN
 *     postfix/pickup[1]: QID: uid=0 from=<SENDER>
 *     postfix/qmgr[1]: QID: from=<SENDER>, size=1, nrcpt=1 (queue active)
 *     postfix/qmgr[1]: QID: removed
 *     postfix/cleanup[1]: QID: milter-reject: END-OF-MESSAGE from ...; from=<SENDER> to=<...> ...
 *     opendkim[1]: QID: DKIM-Signature field added (s=SELECTOR, d=DOMAIN)
 */
#ifndef INKAN_ADMIN_MAIL_LOG_H
#define INKAN_ADMIN_MAIL_LOG_H

#include "base/bytes.h"

enum mail_log_event {
    MAIL_LOG_NOTHING,
    MAIL_LOG_CLIENT, /* a message begins */
    MAIL_LOG_SENDER,
    MAIL_LOG_SIGNED,
    MAIL_LOG_END, /* nothing more comes of this message */
};

enum { MAIL_LOG_ID_MAX = 40 };

/* Spans of the line. */
struct mail_log_line {
    struct span queue_id;
    struct span client_name, client, login; /* MAIL_LOG_CLIENT; empty: none */
    bool has_sender;                        /* MAIL_LOG_SENDER, maybe MAIL_LOG_CLIENT and _END */
    struct span sender;                     /* empty: a bounce */
    struct span selector, domain;           /* MAIL_LOG_SIGNED */
};

enum mail_log_event mail_log_read(struct span line, struct mail_log_line *out);

/* ADDRESS, NAME[ADDRESS] or NAME[ADDRESS]:PORT in its parts; the name `unknown` is none. False when
 * there is no IP address. */
bool mail_log_client(struct span text, struct span *name_out, struct span *address_out);

#endif
