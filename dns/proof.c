/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/proof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* One look: what every step of it needs. */
struct look {
    const struct zone_look *at;
    const struct witness_wanted *wanted;
    int64_t deadline_ms;
    struct proof *proof;
    struct zone zone;     /* that holds proof->name */
    char next[NAME_SIZE]; /* what proof->name is an alias of, "" if of nothing */
    size_t left;          /* servers yet to be asked, as far as is known */
    struct err *err;
};

/* A part of the time that is left, so that one server that is silent leaves some to the others, and
 * to what comes behind an alias. */
static int64_t share_of(const struct look *look)
{
    return clock_monotonic_ms() + clock_left_ms(look->deadline_ms) / (int64_t)(look->left + 1);
}

/* -- what was seen ---------------------------------------------------------------------------- */

static struct witness *add_witness(struct look *look, const char *server, const char *address)
{
    struct proof *proof = look->proof;
    struct witness *grown =
        reallocarray(proof->witnesses, proof->count + 1, sizeof *proof->witnesses);
    if (grown == NULL) {
        err_set(look->err, ST_TEMP, "no memory");
        return NULL;
    }
    proof->witnesses = grown;
    struct witness *witness = &grown[proof->count++];
    *witness = (struct witness){.ttl_s = -1};
    snprintf(witness->server, sizeof witness->server, "%s", server);
    snprintf(witness->address, sizeof witness->address, "%s", address);
    return witness;
}

static void say(struct proof *proof, enum witness_verdict verdict, const char *sentence)
{
    if (verdict < proof->verdict)
        return;
    proof->verdict = verdict;
    snprintf(proof->sentence, sizeof proof->sentence, "%s", sentence);
}

static void count_witness(struct proof *proof, const struct witness *witness)
{
    if (witness->verdict > proof->verdict)
        proof->verdict = witness->verdict;
    if (witness->ttl_s < 0)
        return;
    if (proof->ttl_min_s < 0 || witness->ttl_s < proof->ttl_min_s)
        proof->ttl_min_s = witness->ttl_s;
    if (witness->ttl_s > proof->ttl_max_s)
        proof->ttl_max_s = witness->ttl_s;
}

/* -- authoritative servers -------------------------------------------------------------------- */

/* All servers must say the same alias; the first that says one is followed. */
static void judge_alias(struct look *look, const struct query_answer *answer,
                        struct witness *witness)
{
    witness->ttl_s = answer->ttl_s;
    if (look->next[0] == '\0')
        memcpy(look->next, answer->alias, sizeof look->next);
    if (strcmp(look->next, answer->alias) == 0)
        witness_say(witness, WITNESS_RIGHT, "has an alias of %.200s", answer->alias);
    else
        witness_say(witness, WITNESS_WRONG, "has an alias of %.80s, and others of %.80s",
                    answer->alias, look->next);
}

static void judge(struct look *look, const struct query_answer *answer, struct witness *witness)
{
    bool alias = answer->alias[0] != '\0' && answer->authoritative && !answer->truncated;
    if (alias && !witness->resolver)
        judge_alias(look, answer, witness);
    else
        witness_judge(look->wanted, answer, witness);
}

static enum status ask(struct look *look, const struct exchange *server, struct witness *witness)
{
    const struct query_question question = {
        .name = witness->resolver ? look->wanted->name : look->proof->name,
        .type = QUERY_TXT,
        .recurse = witness->resolver,
    };
    struct query_answer answer;
    struct err why = {.code = ST_OK};
    enum status status = query_ask(server, &question, &answer, &why);
    if (status == ST_OK)
        judge(look, &answer, witness);
    else
        witness_say(witness, WITNESS_UNKNOWN, "cannot be asked: %.200s", why.text);
    query_clear(&answer);
    count_witness(look->proof, witness);
    look->left--;
    if (status == ST_INVALID)
        return err_set(look->err, ST_INVALID, "%s", why.text);
    return ST_OK;
}

/* Who was not asked proves nothing: a witness that says so. */
static enum status note(struct look *look, const char *who, const char *sentence)
{
    struct witness *witness = add_witness(look, who, "");
    if (witness == NULL)
        return ST_TEMP;
    witness_say(witness, WITNESS_UNKNOWN, "%s", sentence);
    count_witness(look->proof, witness);
    return ST_OK;
}

static enum status note_more(struct look *look, const char *who, int asked, const char *what)
{
    char sentence[WITNESS_SENTENCE_SIZE];
    snprintf(sentence, sizeof sentence, "has more than %d %s, and the others were not asked", asked,
             what);
    return note(look, who, sentence);
}

static enum status ask_server(struct look *look, const struct zone_server *server)
{
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < server->address_count; i++) {
        struct exchange how = {
            .address = server->addresses[i], .port = look->at->port, .deadline_ms = share_of(look)};
        struct witness *witness = add_witness(look, server->name, server->addresses[i]);
        status = witness == NULL ? ST_TEMP : ask(look, &how, witness);
    }
    if (status == ST_OK && server->unsure)
        status = note(look, server->name, "may have addresses that could not be looked up");
    else if (status == ST_OK && server->address_count == 0)
        status = note(look, server->name, "has no address");
    if (status == ST_OK && server->more)
        status = note_more(look, server->name, ZONE_ADDRESSES_MAX, "addresses");
    return status;
}

static size_t configured_resolvers(const struct look *look)
{
    size_t count;
    resolver_servers(look->at->resolver, &count);
    return count > 0 ? count : 1;
}

/* Asks all servers of the zone that holds proof->name. */
static enum status ask_zone(struct look *look)
{
    struct err why = {.code = ST_OK};
    int64_t half_ms = clock_monotonic_ms() + clock_left_ms(look->deadline_ms) / 2;
    enum status status = zone_find(look->at, look->proof->name, half_ms, &look->zone, &why);
    look->next[0] = '\0';
    if (status != ST_OK) {
        look->proof->zone[0] = '\0';
        say(look->proof, status == ST_NOT_FOUND ? WITNESS_MISSING : WITNESS_UNKNOWN, why.text);
        return ST_OK;
    }
    memcpy(look->proof->zone, look->zone.name, sizeof look->proof->zone);
    look->left = configured_resolvers(look);
    for (size_t i = 0; i < look->zone.server_count; i++)
        look->left += look->zone.servers[i].address_count;
    for (size_t i = 0; status == ST_OK && i < look->zone.server_count; i++)
        status = ask_server(look, &look->zone.servers[i]);
    if (status == ST_OK && look->zone.more)
        status = note_more(look, look->zone.name, ZONE_SERVERS_MAX, "name servers");
    return status;
}

/* -- aliases ---------------------------------------------------------------------------------- */

static bool was_seen(const struct look *look)
{
    const struct proof *proof = look->proof;
    char first[NAME_SIZE];
    bool seen = name_of_text(look->wanted->name, first) && strcmp(look->next, first) == 0;
    for (size_t i = 0; !seen && i < proof->alias_count; i++)
        seen = strcmp(look->next, proof->aliases[i]) == 0;
    return seen;
}

/* Goes on to the next alias; false when there is none, or none that may be followed. */
static bool go_on(struct look *look)
{
    struct proof *proof = look->proof;
    char sentence[WITNESS_SENTENCE_SIZE];
    if (look->next[0] == '\0')
        return false;
    if (was_seen(look)) {
        snprintf(sentence, sizeof sentence,
                 "the aliases go round in a circle: %.90s is one of %.90s", proof->name,
                 look->next);
        say(proof, WITNESS_WRONG, sentence);
        return false;
    }
    if (proof->alias_count == PROOF_ALIASES_MAX) {
        snprintf(sentence, sizeof sentence, "more than %d aliases, one after the other",
                 PROOF_ALIASES_MAX);
        say(proof, WITNESS_WRONG, sentence);
        return false;
    }
    memcpy(proof->aliases[proof->alias_count++], look->next, NAME_SIZE);
    memcpy(proof->name, look->next, NAME_SIZE);
    return true;
}

/* -- resolvers -------------------------------------------------------------------------------- */

/* The system's resolvers are libunbound's to choose from. */
static enum status ask_system(struct look *look)
{
    const struct resolver_question question = {look->wanted->name, RESOLVER_TXT};
    struct resolver_answer got;
    struct query_answer answer = {.ttl_s = -1};
    struct err why = {.code = ST_OK};
    struct witness *witness = add_witness(look, "resolver", "");
    if (witness == NULL)
        return ST_TEMP;
    witness->resolver = true;
    enum status status = resolver_ask(look->at->resolver, &question, look->deadline_ms, &got, &why);
    /* The records are lent: the answer is not cleared. */
    answer.text_count = got.count;
    for (size_t i = 0; i < got.count && i < QUERY_TEXTS_MAX; i++)
        answer.texts[i] = got.records[i];
    answer.ttl_s = got.count > 0 ? got.ttl_s : -1;
    if (status == ST_OK || status == ST_NOT_FOUND)
        witness_judge(look->wanted, &answer, witness);
    else
        witness_say(witness, WITNESS_UNKNOWN, "cannot be asked: %.200s", why.text);
    count_witness(look->proof, witness);
    resolver_answer_clear(&got);
    return ST_OK;
}

static enum status ask_resolvers(struct look *look)
{
    size_t count;
    const struct resolver_server *servers = resolver_servers(look->at->resolver, &count);
    enum status status = ST_OK;
    if (count == 0)
        return ask_system(look);
    look->left = count;
    for (size_t i = 0; status == ST_OK && i < count; i++) {
        struct exchange how = {
            .address = servers[i].address, .port = servers[i].port, .deadline_ms = share_of(look)};
        struct witness *witness = add_witness(look, "resolver", servers[i].address);
        if (witness == NULL)
            return ST_TEMP;
        witness->resolver = true;
        status = ask(look, &how, witness);
    }
    return status;
}

/* Whether all that is wanted is an alias, and this it is. */
static bool is_enough(const struct look *look)
{
    return look->wanted->what == WITNESS_ALIAS && proof_leads_to(look->proof, look->wanted->target);
}

/* -- the whole -------------------------------------------------------------------------------- */

enum status proof_make(const struct zone_look *look, const struct witness_wanted *wanted,
                       int64_t deadline_ms, struct proof *out, struct err *err)
{
    struct look whole = {
        .at = look, .wanted = wanted, .deadline_ms = deadline_ms, .proof = out, .err = err};
    *out = (struct proof){.ttl_min_s = -1, .ttl_max_s = -1};
    if (!name_of_text(wanted->name, out->name))
        return err_set(err, ST_INVALID, "%.160s: not a domain name", wanted->name);
    enum status status;
    do {
        status = ask_zone(&whole);
    } while (status == ST_OK && go_on(&whole) && !is_enough(&whole));
    if (status == ST_OK && out->verdict == WITNESS_RIGHT && wanted->what != WITNESS_ALIAS)
        status = ask_resolvers(&whole);
    return status;
}

void proof_clear(struct proof *proof)
{
    for (size_t i = 0; i < proof->count; i++)
        witness_clear(&proof->witnesses[i]);
    free(proof->witnesses);
    *proof = (struct proof){.ttl_min_s = -1, .ttl_max_s = -1};
}
