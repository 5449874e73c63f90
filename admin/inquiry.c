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

enum status inquiry_read(const struct args *args, struct inquiry *out, struct err *err)
{
    out->from = args_option(args, "--from");
    out->sender = args_option(args, "--sender");
    out->envelope_from = args_option(args, "--envelope-from");
    out->client = args_option(args, "--client");
    out->client_name = args_option(args, "--client-name");
    out->login = args_option(args, "--login");
    out->daemon_name = args_option(args, "--daemon-name");
    if (out->from == NULL)
        return err_set(err, ST_INVALID, "--from is missing");
    return inquiry_settle(out, err);
}

const struct sockaddr *inquiry_address(const struct inquiry *inquiry)
{
    return inquiry->client != NULL ? (const struct sockaddr *)&inquiry->ip : NULL;
}

void inquiry_clear(struct inquiry *inquiry)
{
    dkim_fields_clear(&inquiry->fields);
}
