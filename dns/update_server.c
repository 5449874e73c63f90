/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/update_server.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/servers.h"

enum { ADDRESSES_MAX = 8, DNS_PORT = 53, DNS_NAME_MAX = 254 };

enum { RCODE_NOERROR = 0, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3 };

struct update_server {
    char name[SERVERS_HOST_SIZE + 8];
    char addresses[ADDRESSES_MAX][EXCHANGE_ADDRESS_SIZE];
    size_t count, current; /* addresses, and the one that answered last */
    uint16_t port;
    const struct tsig_key *key;
    int64_t timeout_ms;
    bool away;
};

/* -- opening -------------------------------------------------------------------------------- */

static enum status find_addresses(const char *host, struct update_server *server, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int fault = getaddrinfo(host, NULL, &hints, &list);
    for (struct addrinfo *each = fault == 0 ? list : NULL; each != NULL; each = each->ai_next) {
        char *place = server->addresses[server->count];
        if (getnameinfo(each->ai_addr, each->ai_addrlen, place, EXCHANGE_ADDRESS_SIZE, NULL, 0,
                        NI_NUMERICHOST) == 0)
            server->count++;
        if (server->count == ADDRESSES_MAX)
            break;
    }
    if (list != NULL)
        freeaddrinfo(list);
    if (server->count == 0)
        return err_set(err, ST_TEMP, "update server %s: %s", host,
                       fault != 0 ? gai_strerror(fault) : "has no address");
    return ST_OK;
}

enum status update_open(const struct update_options *options, struct update_server **out,
                        struct err *err)
{
    struct server_name where;
    enum status status = servers_parse_host(span_str(options->server), DNS_PORT, &where, err);
    if (status != ST_OK)
        return err_context(err, "update server");
    struct update_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return err_set(err, ST_TEMP, "no memory");
    server->port = where.port;
    status = find_addresses(where.host, server, err);
    if (status != ST_OK) {
        update_close(server);
        return status;
    }
    snprintf(server->name, sizeof server->name, "%s", options->server);
    server->key = options->key;
    server->timeout_ms = options->timeout_ms;
    *out = server;
    return ST_OK;
}

void update_close(struct update_server *server)
{
    free(server);
}

bool update_is_away(const struct update_server *server)
{
    return server->away;
}

const char *update_server_name(const struct update_server *server)
{
    return server->name;
}

const struct tsig_key *update_server_key(const struct update_server *server)
{
    return server->key;
}

/* -- asking --------------------------------------------------------------------------------- */

/* Each address has its share of the time that is left. */
static enum status ask(struct update_server *server, bool tcp, struct span message,
                       struct buf *answer, struct err *err)
{
    enum status status = ST_TEMP;
    int64_t deadline_ms = clock_monotonic_ms() + server->timeout_ms;
    for (size_t left = server->count; status == ST_TEMP && left > 0; left--) {
        int64_t now_ms = clock_monotonic_ms();
        struct exchange exchange = {
            .address = server->addresses[server->current],
            .port = server->port,
            .tcp = tcp,
            .deadline_ms = now_ms + clock_left_ms(deadline_ms) / (int64_t)left,
        };
        status = exchange_ask(&exchange, message, answer, err);
        if (status == ST_TEMP)
            server->current = (server->current + 1) % server->count;
    }
    server->away = status == ST_TEMP;
    return status == ST_OK ? ST_OK : err_context(err, "update server %s", server->name);
}

enum status update_server_send(struct update_server *server, struct span message,
                               struct buf *answer, struct err *err)
{
    return ask(server, true, message, answer, err);
}

/* What the server says of a name it has: anything else is no knowledge of its own. */
static enum status check_own(const struct update_server *server, const char *name,
                             const struct query_answer *answer, struct err *err)
{
    char rcode[16];
    if (answer->rcode == RCODE_SERVFAIL)
        return err_set(err, ST_TEMP, "update server %s: answered SERVFAIL for %s", server->name,
                       name);
    if (answer->authoritative &&
        (answer->rcode == RCODE_NOERROR || answer->rcode == RCODE_NXDOMAIN))
        return ST_OK;
    query_rcode_name(answer->rcode, rcode);
    return err_set(err, ST_NOT_FOUND, "update server %s has no zone that %s is in (%s)",
                   server->name, name, answer->rcode == RCODE_NOERROR ? "no authority" : rcode);
}

static enum status ask_question(struct update_server *server, const struct query_question *question,
                                struct query_answer *out, struct err *err)
{
    struct buf asked = BUF_INIT(0), answered = BUF_INIT(0);
    *out = (struct query_answer){.ttl_s = -1};
    enum status status = query_write(question, &asked, err);
    if (status == ST_OK)
        status = ask(server, false, buf_span(&asked), &answered, err);
    if (status == ST_OK && query_read(question, buf_span(&answered), out, err) != ST_OK)
        status = err_context(err, "update server %s", server->name);
    if (status == ST_OK)
        status = check_own(server, question->name, out, err);
    buf_clear(&asked);
    buf_clear(&answered);
    return status;
}

enum status update_look(struct update_server *server, const char *name, struct query_answer *out,
                        struct err *err)
{
    struct query_question question = {.name = name, .type = QUERY_TXT};
    return ask_question(server, &question, out, err);
}

/* A name beside this one; false when it would be too long. */
static bool name_beside(const char *name, char out[NAME_SIZE])
{
    uint64_t random = (uint64_t)exchange_id() << 32 | (uint64_t)exchange_id() << 16 | exchange_id();
    int len =
        snprintf(out, NAME_SIZE, "inkan-%012llx.%s", (unsigned long long)random, name_parent(name));
    return len > 0 && len < DNS_NAME_MAX;
}

enum status update_is_wildcard(struct update_server *server, const char *name,
                               const struct query_answer *answer, bool *out, struct err *err)
{
    char beside[NAME_SIZE];
    struct query_answer other;
    *out = false;
    if (!name_beside(name, beside))
        return ST_OK;
    enum status status = update_look(server, beside, &other, err);
    if (status == ST_OK)
        *out = strcmp(other.alias, answer->alias) == 0 && other.text_count == answer->text_count &&
               span_equal(buf_span(&other.texts[0]), buf_span(&answer->texts[0]));
    query_clear(&other);
    return status;
}

/* An alias may be one of a wildcard, and then the zone that the answer tells of is that of another
 * name; so the question goes on at the name above. */
enum status update_zone(struct update_server *server, const char *name, char out[NAME_SIZE],
                        struct err *err)
{
    enum status status = ST_OK;
    bool found = false;
    for (const char *at = name; status == ST_OK && !found && *at != '\0'; at = name_parent(at)) {
        struct query_question question = {.name = at, .type = QUERY_SOA};
        struct query_answer answer;
        status = ask_question(server, &question, &answer, err);
        found = status == ST_OK && answer.has_soa && answer.alias[0] == '\0' &&
                name_is_within(at, answer.soa);
        if (found)
            memcpy(out, answer.soa, sizeof answer.soa);
        query_clear(&answer);
    }
    if (status == ST_OK && !found)
        status = err_set(err, ST_NOT_FOUND, "update server %s does not say which zone %s is in",
                         server->name, name);
    return status;
}
