/* SPDX-License-Identifier: Apache-2.0 */
#include "base/servers.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/sockname.h"

/* Cuts `:number` off the end of *text; false when there is none. */
static bool cut_number(struct span *text, uint64_t max, uint64_t *number_out)
{
    size_t colon = text->len;
    while (colon > 0 && text->data[colon - 1] != ':')
        colon--;
    if (colon == 0 || !span_number(span_from(*text, colon), max, number_out) || *number_out == 0)
        return false;
    *text = span_head(*text, colon - 1);
    return true;
}

static enum status set_host(struct span host, struct server_name *out, struct err *err)
{
    bool bracketed = host.len > 1 && host.data[0] == '[' && host.data[host.len - 1] == ']';
    if (bracketed)
        host = span_of(host.data + 1, host.len - 2);
    bool colon = span_find(host, ':') < host.len;
    if (host.len > 0 && host.data[0] != '/' && colon != bracketed)
        return err_set(err, ST_INVALID, "is not a host and its port (IPv6 needs [ ])");
    for (size_t i = 0; i < host.len; i++)
        if (host.data[i] <= ' ' || host.data[i] > '~' || host.data[i] == ',')
            return err_set(err, ST_INVALID, "holds a blank or a comma, or is not ASCII");
    if (host.len == 0 || host.len >= sizeof out->host)
        return err_set(err, ST_INVALID, "names no host");
    memcpy(out->host, host.data, host.len);
    out->host[host.len] = '\0';
    return ST_OK;
}

static enum status parse_path(struct span path, struct server_name *out, struct err *err)
{
    uint64_t weight = 1;
    (void)cut_number(&path, SERVERS_WEIGHT_MAX, &weight);
    out->port = 0;
    out->weight = (uint32_t)weight;
    if (path.len >= SOCKNAME_PATH_SIZE)
        return err_set(err, ST_INVALID, "is longer than the %d octets of a socket's path",
                       SOCKNAME_PATH_SIZE - 1);
    if (span_find(path, ':') < path.len)
        return err_set(err, ST_INVALID, "has no weight from 1 to %d behind its colon",
                       SERVERS_WEIGHT_MAX);
    return set_host(path, out, err);
}

/* With one number it is the port, with two the last one is the weight. */
static enum status parse_host(struct span text, struct server_name *out, struct err *err)
{
    uint64_t port = 0, weight = 1, last = 0;
    if (!cut_number(&text, UINT16_MAX, &last))
        return err_set(err, ST_INVALID, "has no port from 1 to %d", UINT16_MAX);
    if (cut_number(&text, UINT16_MAX, &port))
        weight = last;
    else
        port = last;
    out->port = (uint16_t)port;
    out->weight = (uint32_t)weight;
    enum status st = set_host(text, out, err);
    if (st == ST_OK && weight > SERVERS_WEIGHT_MAX)
        st = err_set(err, ST_INVALID, "has a weight over %d", SERVERS_WEIGHT_MAX);
    return st;
}

enum status servers_parse_host(struct span text, uint16_t port, struct server_name *out,
                               struct err *err)
{
    uint64_t number = port;
    struct span host = text;
    /* Colons within brackets are no port's. */
    bool bracketed = text.len > 0 && text.data[0] == '[';
    struct span behind = bracketed ? span_from(text, span_find(text, ']')) : text;
    bool given = span_find(behind, ':') < behind.len;
    enum status st = ST_OK;
    if (given && !cut_number(&host, UINT16_MAX, &number))
        st = err_set(err, ST_INVALID, "has no port from 1 to %d", UINT16_MAX);
    if (st == ST_OK)
        st = set_host(host, out, err);
    out->port = (uint16_t)number;
    out->weight = 1;
    return st == ST_OK ? ST_OK : err_context(err, "%.*s", (int)span_head(text, 80).len, text.data);
}

bool servers_is_address(const struct server_name *server)
{
    unsigned char octets[sizeof(struct in6_addr)];
    int family = strchr(server->host, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(family, server->host, octets) == 1;
}

static enum status parse_one(struct span item, struct server_name *out, struct err *err)
{
    if (item.len == 0)
        return err_set(err, ST_INVALID, "an entry is empty");
    enum status st = item.data[0] == '/' ? parse_path(item, out, err) : parse_host(item, out, err);
    if (st != ST_OK)
        return err_context(err, "%.*s", (int)span_head(item, 80).len, item.data);
    return ST_OK;
}

enum status servers_parse(struct span list, struct server_name **out, size_t *count_out,
                          struct err *err)
{
    struct span item;
    size_t count = 0;
    struct server_name *servers = calloc(SERVERS_MAX, sizeof *servers);
    enum status st = servers != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
    while (st == ST_OK && span_next(&list, ',', &item)) {
        if (count == SERVERS_MAX)
            st = err_set(err, ST_INVALID, "more than %d servers", SERVERS_MAX);
        else
            st = parse_one(span_trim(item), &servers[count++], err);
    }
    if (st != ST_OK) {
        free(servers);
        return st;
    }
    *out = servers;
    *count_out = count;
    return ST_OK;
}
