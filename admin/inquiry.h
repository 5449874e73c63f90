/* SPDX-License-Identifier: Apache-2.0
 *
 * Who sends what, as inkan and OpenDKIM are both asked about it. All texts are borrowed. One
 * thread.
 */
#ifndef INKAN_ADMIN_INQUIRY_H
#define INKAN_ADMIN_INQUIRY_H

#include <sys/socket.h>

#include "admin/args.h"
#include "admin/mail.h"

struct inquiry {
    const char *from;           /* what the From field says, NULL: the message says it */
    const char *sender;         /* what the Sender field says, NULL: there is none */
    const char *envelope_from;  /* as in MAIL FROM, NULL: not known */
    const char *client;         /* its address, NULL: one that is in no list */
    const char *client_name;    /* as the MTA knows it, NULL: it does not */
    const char *login;          /* SMTP AUTH, NULL: none */
    const char *daemon_name;    /* {daemon_name}, NULL: none */
    struct dkim_fields fields;  /* From and Sender, or those of the message */
    struct mail mail;           /* what they point into */
    struct sockaddr_storage ip; /* of `client`; AF_UNSPEC without */
};

/* From the options of `inkan explain`, into a zeroed inquiry; then as inquiry_settle. */
enum status inquiry_read(struct admin *admin, const struct args *args, struct inquiry *out,
                         struct err *err) MUST_CHECK;
/* Makes fields and address of the texts; when nothing is said about the client, it is a local one,
 * 127.0.0.1. ST_INVALID for a client that is no address, or a text that cannot stand in a field. */
enum status inquiry_settle(struct inquiry *inquiry, struct err *err) MUST_CHECK;
/* NULL without a client. */
const struct sockaddr *inquiry_address(const struct inquiry *inquiry);
void inquiry_clear(struct inquiry *inquiry);

/* An IPv4 or IPv6 address; false for anything else. */
bool inquiry_parse_address(const char *text, struct sockaddr_storage *out);

#endif
