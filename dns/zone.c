/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/zone.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dns/query.h"

/* One search: what every step of it needs. */
struct search {
    const struct zone_look *look;
    const char *name;
    int64_t deadline_ms;
    struct zone *zone;
    struct err *err;
};

/* A part of the time that is left, so that one server that is silent leaves some to the others. */
static int64_t share_of(const struct search *search, size_t parts)
{
    return clock_monotonic_ms() + clock_left_ms(search->deadline_ms) / (int64_t)parts;
}

static_assert((int)RESOLVER_RECORDS_MAX > (int)ZONE_SERVERS_MAX &&
                  (int)RESOLVER_RECORDS_MAX > (int)ZONE_ADDRESSES_MAX,
              "that there are more is seen");

/* -- addresses -------------------------------------------------------------------------------- */

static const enum resolver_type families[] = {RESOLVER_A, RESOLVER_AAAA};
enum { FAMILIES = sizeof families / sizeof families[0] };

static void add_addresses(struct zone_server *server, const struct resolver_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        struct span text = buf_span(&answer->records[i]);
        if (text.len == 0 || text.len >= EXCHANGE_ADDRESS_SIZE)
            continue;
        server->more = server->address_count == ZONE_ADDRESSES_MAX;
        if (server->more)
            return;
        char *address = server->addresses[server->address_count++];
        memcpy(address, text.data, text.len);
        address[text.len] = '\0';
    }
}

static void keep_routed(struct zone_server *server)
{
    size_t kept = 0;
    for (size_t i = 0; i < server->address_count; i++)
        if (exchange_has_route(server->addresses[i])) {
            if (kept < i)
                memcpy(server->addresses[kept], server->addresses[i], EXCHANGE_ADDRESS_SIZE);
            kept++;
        }
    if (kept > 0)
        server->address_count = kept;
}

static void take_addresses(const struct search *search, struct zone_server *server,
                           struct resolver_request *request)
{
    struct resolver_answer answer = {.records = NULL};
    struct err ignored = {.code = ST_OK};
    enum status status =
        request == NULL ? ST_TEMP : resolver_wait(request, share_of(search, 2), &answer, &ignored);
    if (status == ST_OK)
        add_addresses(server, &answer);
    server->unsure |= status != ST_OK && status != ST_NOT_FOUND;
    resolver_answer_clear(&answer);
}

/* NULL when it cannot be. */
static void start_one(const struct search *search, const struct resolver_question *question,
                      struct resolver_request **out)
{
    struct err ignored = {.code = ST_OK};
    if (resolver_start(search->look->resolver, question, out, &ignored) != ST_OK)
        *out = NULL;
}

/* All look-ups are under way at once, so that slow ones do not add up. */
static void find_addresses(const struct search *search)
{
    struct resolver_request *requests[ZONE_SERVERS_MAX][FAMILIES] = {{NULL}};
    struct zone *zone = search->zone;
    for (size_t i = 0; i < zone->server_count; i++)
        for (size_t k = 0; k < FAMILIES; k++)
            start_one(search, &(struct resolver_question){zone->servers[i].name, families[k]},
                      &requests[i][k]);
    for (size_t i = 0; i < zone->server_count; i++) {
        for (size_t k = 0; k < FAMILIES; k++)
            take_addresses(search, &zone->servers[i], requests[i][k]);
        keep_routed(&zone->servers[i]);
    }
}

/* -- zones ------------------------------------------------------------------------------------ */

static int compare_servers(const void *a, const void *b)
{
    return strcmp(((const struct zone_server *)a)->name, ((const struct zone_server *)b)->name);
}

/* In an order that is the same each time, as resolvers turn it. */
static void take_servers(struct zone *zone, const char *name, const struct resolver_answer *answer)
{
    *zone = (struct zone){.more = answer->count > ZONE_SERVERS_MAX};
    snprintf(zone->name, sizeof zone->name, "%s", name);
    for (size_t i = 0; i < answer->count && zone->server_count < ZONE_SERVERS_MAX; i++) {
        struct zone_server *server = &zone->servers[zone->server_count++];
        struct span host = buf_span(&answer->records[i]);
        snprintf(server->name, sizeof server->name, "%.*s", (int)host.len, host.data);
    }
    qsort(zone->servers, zone->server_count, sizeof *zone->servers, compare_servers);
}

/* ST_NOT_FOUND when there is no zone of that very name. */
static enum status load_zone(const struct search *search, const char *name)
{
    const struct resolver_question question = {name, RESOLVER_NS};
    struct resolver_answer answer;
    enum status status =
        resolver_ask(search->look->resolver, &question, search->deadline_ms, &answer, search->err);
    if (status == ST_OK && (answer.count == 0 || answer.aliased))
        status = err_set(search->err, ST_NOT_FOUND, "%.160s: no zone", name);
    if (status == ST_OK) {
        take_servers(search->zone, name, &answer);
        find_addresses(search);
    }
    resolver_answer_clear(&answer);
    return status;
}

/* Where the way up begins: above the name, and above _domainkey. */
static const char *first_of(const char *name)
{
    static const char domainkey[] = "_domainkey.";
    for (const char *at = name; *at != '\0'; at = name_parent(at))
        if (strncmp(at, domainkey, sizeof domainkey - 1) == 0)
            return name_parent(at);
    return name_parent(name);
}

static enum status walk_up(const struct search *search)
{
    for (const char *name = first_of(search->name); *name != '\0'; name = name_parent(name)) {
        enum status status = load_zone(search, name);
        if (status != ST_NOT_FOUND)
            return status;
    }
    return err_set(search->err, ST_NOT_FOUND, "%.160s: no zone holds this name", search->name);
}

/* -- the way down ----------------------------------------------------------------------------- */

static size_t count_addresses(const struct zone *zone)
{
    size_t count = 0;
    for (size_t i = 0; i < zone->server_count; i++)
        count += zone->servers[i].address_count;
    return count;
}

/* What an answer says of a zone between this one and the name: its name, or "". */
static const char *deeper(const struct search *search, const struct query_answer *answer)
{
    const char *found = answer->has_cut ? answer->cut : answer->has_soa ? answer->soa : "";
    bool below = strlen(found) > strlen(search->zone->name) &&
                 name_is_within(found, search->zone->name) && name_is_within(search->name, found);
    return below ? found : "";
}

/* Asks one address; true when it has told, with the zone further down or "" in `found`. */
static bool ask_address(const struct search *search, const char *address, int64_t until_ms,
                        char found[NAME_SIZE])
{
    const struct exchange server = {
        .address = address, .port = search->look->port, .deadline_ms = until_ms};
    const struct query_question question = {.name = search->name, .type = QUERY_SOA};
    struct query_answer answer;
    struct err ignored = {.code = ST_OK};
    bool told = query_ask(&server, &question, &answer, &ignored) == ST_OK &&
                (answer.authoritative || answer.has_cut);
    snprintf(found, NAME_SIZE, "%s", told ? deeper(search, &answer) : "");
    query_clear(&answer);
    return told;
}

/* The first server that tells is believed: who is asked for the record later are all of them. */
static void find_deeper(const struct search *search, char found[NAME_SIZE])
{
    const struct zone *zone = search->zone;
    size_t left = count_addresses(zone);
    found[0] = '\0';
    for (size_t i = 0; i < zone->server_count; i++)
        for (size_t k = 0; k < zone->servers[i].address_count; k++)
            if (ask_address(search, zone->servers[i].addresses[k], share_of(search, 2 * left--),
                            found))
                return;
}

enum status zone_find(const struct zone_look *look, const char *name, int64_t deadline_ms,
                      struct zone *out, struct err *err)
{
    char found[NAME_SIZE];
    const struct search search = {look, name, deadline_ms, out, err};
    enum status status = walk_up(&search);
    for (int i = 0; status == ST_OK && i < ZONE_CUTS_MAX; i++) {
        find_deeper(&search, found);
        if (found[0] == '\0')
            break;
        status = load_zone(&search, found);
    }
    return status;
}
