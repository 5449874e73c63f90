/* SPDX-License-Identifier: Apache-2.0
 *
 * One milter connection: libmilter's call-backs, the negotiation, and what the MTA is asked to
 * do with each message. The message itself is message.c's matter; how the process lives and
 * ends is worker.c's, which reads here how much is going on.
 *
 * session_register is the supervisor's, before it forks; session_serve is a worker's, before
 * smfi_main. The call-backs run in libmilter's threads, one at a time for one connection.
 */
#ifndef INKAN_SERVER_SESSION_H
#define INKAN_SERVER_SESSION_H

#include "server/message.h"

/* What the sessions of a worker share, and what they tell it. */
struct session_service {
    struct message_services message;
    bool tcp; /* the listening socket is inet or inet6 */
    _Atomic int connections;
    _Atomic int transactions; /* see session_open_transactions */
    _Atomic unsigned transactions_ended;
};

/* Makes the call-backs known to libmilter. ST_BROKEN when it is of another version. */
enum status session_register(struct err *err) MUST_CHECK;
/* From now on the call-backs use this; borrowed until the process ends or session_close. */
void session_serve(struct session_service *service);
/* Messages in work: between MAIL and the answer to their end. */
int session_open_transactions(const struct session_service *service);
/* From now on messages that begin are answered with "try again"; those in work go on. */
void session_close(struct session_service *service);

#endif
