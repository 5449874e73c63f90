/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/query.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- the question ----------------------------------------------------------------------------- */

static enum status no_memory(struct err *err)
{
    return err_set(err, ST_TEMP, "no memory");
}

static enum status write_packet(ldns_pkt *packet, struct buf *out, struct err *err)
{
    uint8_t *wire = NULL;
    size_t len = 0;
    ldns_pkt_set_id(packet, exchange_id());
    ldns_pkt_set_edns_udp_size(packet, QUERY_UDP_SIZE);
    if (ldns_pkt2wire(&wire, packet, &len) != LDNS_STATUS_OK)
        return no_memory(err);
    buf_append(out, wire, len);
    free(wire);
    return buf_check(out, "DNS question", err);
}

enum status query_write(const struct query_question *question, struct buf *out, struct err *err)
{
    const char *text = question->name[0] != '\0' ? question->name : ".";
    ldns_rdf *name = ldns_dname_new_frm_str(text);
    if (name == NULL)
        return err_set(err, ST_INVALID, "%.200s: not a domain name", text);
    ldns_pkt *packet = ldns_pkt_query_new(name, (ldns_rr_type)question->type, LDNS_RR_CLASS_IN,
                                          question->recurse ? LDNS_RD : 0);
    if (packet == NULL) {
        ldns_rdf_deep_free(name);
        return no_memory(err);
    }
    enum status status = write_packet(packet, out, err);
    ldns_pkt_free(packet);
    return status;
}

/* -- the answer ------------------------------------------------------------------------------- */

static bool name_of_rdf(const ldns_rdf *rdf, char out[NAME_SIZE])
{
    out[0] = '\0';
    return rdf != NULL &&
           name_of_wire(span_of((const char *)ldns_rdf_data(rdf), ldns_rdf_size(rdf)), out);
}

static bool is_at(const ldns_rr *record, ldns_rr_type type, const char *name)
{
    char owner[NAME_SIZE];
    return ldns_rr_get_type(record) == type && ldns_rr_get_class(record) == LDNS_RR_CLASS_IN &&
           name_of_rdf(ldns_rr_owner(record), owner) && strcmp(owner, name) == 0;
}

static void note_ttl(const ldns_rr *record, struct query_answer *out)
{
    /* RFC 2181 8: a TTL with the highest bit set is none. */
    int64_t ttl_s = ldns_rr_ttl(record) <= INT32_MAX ? (int64_t)ldns_rr_ttl(record) : 0;
    if (out->ttl_s < 0 || ttl_s < out->ttl_s)
        out->ttl_s = ttl_s;
}

/* Follows the name to what the answer says it is an alias of. False when it is of nothing. */
static bool follow(const ldns_rr_list *records, char name[NAME_SIZE], struct query_answer *out)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
        const ldns_rr *record = ldns_rr_list_rr(records, i);
        char target[NAME_SIZE];
        if (!is_at(record, LDNS_RR_TYPE_CNAME, name) ||
            !name_of_rdf(ldns_rr_rdf(record, 0), target))
            continue;
        memcpy(out->alias, target, sizeof out->alias);
        memcpy(name, target, NAME_SIZE);
        note_ttl(record, out);
        return true;
    }
    return false;
}

/* RFC 1035 3.3.14: each string has its length in front. ldns has checked that they fit. */
static void join_strings(const ldns_rr *record, struct buf *out)
{
    for (size_t i = 0; i < ldns_rr_rd_count(record); i++) {
        const ldns_rdf *string = ldns_rr_rdf(record, i);
        if (ldns_rdf_size(string) > 1)
            buf_append(out, ldns_rdf_data(string) + 1, ldns_rdf_size(string) - 1);
    }
}

static void read_texts(const ldns_rr_list *records, const char *name, struct query_answer *out)
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
        const ldns_rr *record = ldns_rr_list_rr(records, i);
        if (!is_at(record, LDNS_RR_TYPE_TXT, name))
            continue;
        if (out->text_count < QUERY_TEXTS_MAX)
            join_strings(record, &out->texts[out->text_count]);
        out->text_count++;
        note_ttl(record, out);
    }
}

/* The owner of the first record of a type. */
static bool find_owner(const ldns_rr_list *records, ldns_rr_type type, char out[NAME_SIZE])
{
    for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
        const ldns_rr *record = ldns_rr_list_rr(records, i);
        if (ldns_rr_get_type(record) == type && name_of_rdf(ldns_rr_owner(record), out))
            return true;
    }
    return false;
}

static void read_packet(const struct query_question *question, const ldns_pkt *packet,
                        struct query_answer *out)
{
    const ldns_rr_list *answer = ldns_pkt_answer(packet), *authority = ldns_pkt_authority(packet);
    char name[NAME_SIZE];
    bool followed = name_of_text(question->name, name);
    out->rcode = (int)ldns_pkt_get_rcode(packet);
    out->authoritative = ldns_pkt_aa(packet);
    out->truncated = ldns_pkt_tc(packet);
    int steps = question->recurse ? QUERY_ALIASES_MAX : 1;
    for (int i = 0; followed && i < steps; i++)
        followed = follow(answer, name, out);
    if (question->recurse || out->alias[0] == '\0')
        read_texts(answer, name, out);
    out->has_soa = find_owner(answer, LDNS_RR_TYPE_SOA, out->soa) ||
                   find_owner(authority, LDNS_RR_TYPE_SOA, out->soa);
    out->has_cut = !out->authoritative && !out->has_soa && out->rcode == LDNS_RCODE_NOERROR &&
                   ldns_rr_list_rr_count(answer) == 0 &&
                   find_owner(authority, LDNS_RR_TYPE_NS, out->cut);
}

static enum status check_texts(const struct query_answer *answer, struct err *err)
{
    for (size_t i = 0; i < QUERY_TEXTS_MAX; i++) {
        enum status status = buf_check(&answer->texts[i], "TXT record", err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

enum status query_read(const struct query_question *question, struct span message,
                       struct query_answer *out, struct err *err)
{
    ldns_pkt *packet = NULL;
    *out = (struct query_answer){.ttl_s = -1};
    ldns_status fault =
        ldns_wire2pkt(&packet, (const uint8_t *)(message.len > 0 ? message.data : ""), message.len);
    if (fault != LDNS_STATUS_OK)
        return err_set(err, ST_TEMP, "a malformed answer (%s)", ldns_get_errorstr_by_id(fault));
    read_packet(question, packet, out);
    ldns_pkt_free(packet);
    return check_texts(out, err);
}

void query_clear(struct query_answer *answer)
{
    for (size_t i = 0; i < QUERY_TEXTS_MAX; i++)
        buf_clear(&answer->texts[i]);
    *answer = (struct query_answer){.ttl_s = -1};
}

enum status query_ask(const struct exchange *server, const struct query_question *question,
                      struct query_answer *out, struct err *err)
{
    struct buf asked = BUF_INIT(0), answered = BUF_INIT(0);
    *out = (struct query_answer){.ttl_s = -1};
    enum status status = query_write(question, &asked, err);
    if (status == ST_OK)
        status = exchange_ask(server, buf_span(&asked), &answered, err);
    if (status == ST_OK) {
        status = query_read(question, buf_span(&answered), out, err);
        if (status != ST_OK)
            err_context(err, "%s port %u", server->address, (unsigned)server->port);
    }
    buf_clear(&asked);
    buf_clear(&answered);
    return status;
}

void query_rcode_name(int rcode, char out[16])
{
    static const char *const names[] = {"NOERROR",  "FORMERR", "SERVFAIL",
                                        "NXDOMAIN", "NOTIMP",  "REFUSED"};
    if (rcode >= 0 && (size_t)rcode < sizeof names / sizeof names[0])
        snprintf(out, 16, "%s", names[rcode]);
    else
        snprintf(out, 16, "rcode %d", rcode);
}
