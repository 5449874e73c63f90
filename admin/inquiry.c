/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/inquiry.h"

#include <arpa/inet.h>
#include <string.h>

bool inquiry_parse_address(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    *out = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
        memcpy(out, &ipv4, sizeof ipv4);
    else if (inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1)
        memcpy(out, &ipv6, sizeof ipv6);
    return out->ss_family != AF_UNSPEC;
}

static enum status add_field(struct dkim_fields *fields, struct span name, const char *address,
                             struct err *err)
{
    struct buf value = BUF_INIT(0);
    if (address == NULL)
        return ST_OK;
    buf_printf(&value, " %s", address);
    enum status status = dkim_fields_add(fields, name, buf_span(&value), err);
    buf_clear(&value);
    return status;
}

enum status inquiry_settle(struct inquiry *inquiry, struct err *err)
{
    if (inquiry->client == NULL && inquiry->client_name == NULL && inquiry->login == NULL &&
        inquiry->daemon_name == NULL)
        inquiry->client = "127.0.0.1";
    if (inquiry->client != NULL && !inquiry_parse_address(inquiry->client, &inquiry->ip))
        return err_set(err, ST_INVALID, "--client: %.64s: not an IP address", inquiry->client);
    enum status status = add_field(&inquiry->fields, SPAN_LIT("From"), inquiry->from, err);
    return status == ST_OK ? add_field(&inquiry->fields, SPAN_LIT("Sender"), inquiry->sender, err)
                           : status;
}

static enum status read_message(struct admin *admin, const char *path, struct inquiry *out,
                                struct err *err)
{
    if (out->from != NULL || out->sender != NULL)
        return err_set(err, ST_INVALID, "--message has From and Sender itself");
    enum status status = mail_read(admin, path, &out->mail, err);
    out->fields = out->mail.fields;
    out->mail.fields = (struct dkim_fields){0};
    return status;
}

enum status inquiry_read(struct admin *admin, const struct args *args, struct inquiry *out,
                         struct err *err)
{
    const char *message = args_option(args, "--message");
    out->from = args_option(args, "--from");
    out->sender = args_option(args, "--sender");
    out->envelope_from = args_option(args, "--envelope-from");
    out->client = args_option(args, "--client");
    out->client_name = args_option(args, "--client-name");
    out->login = args_option(args, "--login");
    out->daemon_name = args_option(args, "--daemon-name");
    if (out->from == NULL && message == NULL)
        return err_set(err, ST_INVALID, "--from or --message is missing");
    enum status status = message != NULL ? read_message(admin, message, out, err) : ST_OK;
    return status == ST_OK ? inquiry_settle(out, err) : status;
}

const struct sockaddr *inquiry_address(const struct inquiry *inquiry)
{
    return inquiry->client != NULL ? (const struct sockaddr *)&inquiry->ip : NULL;
}

void inquiry_clear(struct inquiry *inquiry)
{
    dkim_fields_clear(&inquiry->fields);
    mail_clear(&inquiry->mail);
}
