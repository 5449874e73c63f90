/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/update.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "dkim/keyrecord.h"
#include "dns/update_server.h"

enum {
    BATCH_MAX = 60000,       /* octets of changes in one message, far enough from the 64 KiB */
    RECORD_OVERHEAD = 2 + 10 /* ends of the name; type, class, TTL and length */
};

/* The status of a change until it was sent. */
#define NOT_TRIED ST_UNSURE

/* -- a message ------------------------------------------------------------------------------ */

static enum status no_memory(struct err *err)
{
    return err_set(err, ST_TEMP, "no memory");
}

/* Where records stand (RFC 2136 2.4, 2.5), and what their class and TTL say there. */
enum meaning {
    NO_ALIAS,    /* prerequisite: no CNAME */
    NO_TEXT,     /* prerequisite: no TXT */
    ONLY_TEXT,   /* prerequisite: this TXT record and no other */
    DELETE_TEXT, /* update: this one goes */
    ADD_TEXT,    /* update: this one comes */
};

static const struct meaning_form {
    bool update;
    ldns_rr_type type;
    ldns_rr_class class;
} forms[] = {
    [NO_ALIAS] = {false, LDNS_RR_TYPE_CNAME, LDNS_RR_CLASS_NONE},
    [NO_TEXT] = {false, LDNS_RR_TYPE_TXT, LDNS_RR_CLASS_NONE},
    [ONLY_TEXT] = {false, LDNS_RR_TYPE_TXT, LDNS_RR_CLASS_IN},
    [DELETE_TEXT] = {true, LDNS_RR_TYPE_TXT, LDNS_RR_CLASS_NONE},
    [ADD_TEXT] = {true, LDNS_RR_TYPE_TXT, LDNS_RR_CLASS_IN},
};

/* The two sections of a message that is being made. */
struct draft {
    ldns_rr_list *needs, *updates;
    uint32_t ttl_s;
};

static bool push_strings(ldns_rr *record, struct span value)
{
    bool good = true;
    while (good && value.len > 0) {
        struct span part = span_head(value, DKIM_TXT_STRING_MAX);
        uint8_t string[1 + DKIM_TXT_STRING_MAX];
        string[0] = (uint8_t)part.len;
        memcpy(string + 1, part.data, part.len);
        ldns_rdf *data = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, part.len + 1, string);
        good = data != NULL && ldns_rr_push_rdf(record, data);
        value = span_from(value, part.len);
    }
    return good;
}

static enum status push(struct draft *draft, enum meaning meaning, const char *name,
                        struct span value, struct err *err)
{
    const struct meaning_form *form = &forms[meaning];
    ldns_rr *record = ldns_rr_new();
    ldns_rdf *owner = ldns_dname_new_frm_str(name);
    if (record == NULL || owner == NULL) {
        ldns_rr_free(record);
        ldns_rdf_deep_free(owner);
        return record == NULL ? no_memory(err)
                              : err_set(err, ST_INVALID, "%.200s: not a domain name", name);
    }
    ldns_rr_set_owner(record, owner);
    ldns_rr_set_type(record, form->type);
    ldns_rr_set_class(record, form->class);
    ldns_rr_set_ttl(record, meaning == ADD_TEXT ? draft->ttl_s : 0);
    if (push_strings(record, value) &&
        ldns_rr_list_push_rr(form->update ? draft->updates : draft->needs, record))
        return ST_OK;
    ldns_rr_free(record);
    return no_memory(err);
}

/* RFC 2136 3.4.2.2: a server passes over a TXT record for a name that has a CNAME, and says that
 * all went well; so that there is none is a prerequisite. Where TXT records must stand there can be
 * none. */
static enum status push_change(struct draft *draft, const struct update_change *change,
                               struct err *err)
{
    const struct span none = {NULL, 0};
    enum status status = ST_OK;
    if (change->before.len == 0) {
        status = push(draft, NO_ALIAS, change->name, none, err);
        if (status == ST_OK)
            status = push(draft, NO_TEXT, change->name, none, err);
    } else {
        status = push(draft, ONLY_TEXT, change->name, change->before, err);
        if (status == ST_OK)
            status = push(draft, DELETE_TEXT, change->name, change->before, err);
    }
    if (status == ST_OK && change->after.len > 0)
        status = push(draft, ADD_TEXT, change->name, change->after, err);
    return status;
}

static enum status write_draft(const struct draft *draft, const char *zone, struct buf *out,
                               struct err *err)
{
    uint8_t *wire = NULL;
    size_t len = 0;
    ldns_rdf *apex = ldns_dname_new_frm_str(zone[0] != '\0' ? zone : ".");
    ldns_pkt *packet = apex != NULL ? ldns_update_pkt_new(apex, LDNS_RR_CLASS_IN, draft->needs,
                                                          draft->updates, NULL)
                                    : NULL;
    if (packet == NULL) {
        ldns_rdf_deep_free(apex);
        return no_memory(err);
    }
    ldns_pkt_set_rd(packet, false); /* RFC 2136 2.2: there is no such bit */
    ldns_pkt_set_id(packet, exchange_id());
    if (ldns_pkt2wire(&wire, packet, &len) == LDNS_STATUS_OK)
        buf_append(out, wire, len);
    else
        out->failed = ST_TEMP;
    free(wire);
    ldns_pkt_free(packet);
    return buf_check(out, "update", err);
}

static enum status write_message(const struct update_zone_changes *part, struct buf *out,
                                 struct err *err)
{
    struct draft draft = {ldns_rr_list_new(), ldns_rr_list_new(), part->ttl_s};
    enum status status = draft.needs != NULL && draft.updates != NULL ? ST_OK : no_memory(err);
    for (size_t i = 0; status == ST_OK && i < part->count; i++)
        status = push_change(&draft, &part->changes[i], err);
    if (status == ST_OK)
        status = write_draft(&draft, part->zone, out, err);
    ldns_rr_list_deep_free(draft.needs);
    ldns_rr_list_deep_free(draft.updates);
    return status;
}

/* -- its answer ----------------------------------------------------------------------------- */

static enum status read_rcode(struct span answer, struct err *err)
{
    static const struct {
        int rcode;
        enum status status;
        const char *text;
    } rcodes[] = {
        {LDNS_RCODE_SERVFAIL, ST_TEMP, "the server failed (SERVFAIL)"},
        {LDNS_RCODE_NXDOMAIN, ST_CONFLICT, "the name is not there (NXDOMAIN)"},
        {LDNS_RCODE_YXDOMAIN, ST_CONFLICT, "the name is there (YXDOMAIN)"},
        {LDNS_RCODE_YXRRSET, ST_CONFLICT, "a record is there (YXRRSET)"},
        {LDNS_RCODE_NXRRSET, ST_CONFLICT, "the record is not there (NXRRSET)"},
        {LDNS_RCODE_FORMERR, ST_DENIED, "the server does not understand it (FORMERR)"},
        {LDNS_RCODE_NOTIMPL, ST_DENIED, "the server takes no updates (NOTIMP)"},
        {LDNS_RCODE_REFUSED, ST_DENIED, "the server refuses it (REFUSED)"},
        {LDNS_RCODE_NOTAUTH, ST_DENIED,
         "the server is not authoritative for the zone, or not for us (NOTAUTH)"},
        {LDNS_RCODE_NOTZONE, ST_DENIED, "a name is not in the zone (NOTZONE)"},
    };
    int rcode = answer.data[3] & 15;
    if (rcode == LDNS_RCODE_NOERROR)
        return ST_OK;
    for (size_t i = 0; i < sizeof rcodes / sizeof rcodes[0]; i++)
        if (rcode == rcodes[i].rcode)
            return err_set(err, rcodes[i].status, "%s", rcodes[i].text);
    return err_set(err, ST_DENIED, "the server answers with rcode %d", rcode);
}

/* An answer that is not signed says nothing, but a failure in it is what most likely is wrong. */
static enum status read_answer(const struct tsig_key *key, const struct tsig_mac *mac,
                               struct span answer, struct err *err)
{
    struct err rcode_err = {.code = ST_OK};
    enum status status = read_rcode(answer, &rcode_err);
    if (key != NULL && tsig_verify(key, mac, clock_now_s(), answer, err) != ST_OK)
        return status == ST_OK ? err->code : err_context(err, "%s", rcode_err.text);
    return status == ST_OK ? ST_OK : err_set(err, status, "%s", rcode_err.text);
}

static enum status send_message(struct update_server *server,
                                const struct update_zone_changes *part, struct err *err)
{
    const struct tsig_key *key = update_server_key(server);
    struct buf message = BUF_INIT(EXCHANGE_MESSAGE_MAX), answer = BUF_INIT(0);
    struct tsig_mac mac = {.len = 0};
    enum status status = write_message(part, &message, err);
    if (status == ST_OK && key != NULL)
        status = tsig_sign(key, clock_now_s(), &message, &mac, err);
    if (status == ST_OK)
        status = update_server_send(server, buf_span(&message), &answer, err);
    if (status == ST_OK && read_answer(key, &mac, buf_span(&answer), err) != ST_OK)
        status = err_context(err, "update server %s: zone %.100s", update_server_name(server),
                             part->zone);
    buf_clear(&message);
    buf_clear(&answer);
    return status;
}

/* -- many changes --------------------------------------------------------------------------- */

/* Why a change on its own was not made; ST_OK when nothing is left to do. */
static enum status look_why(struct update_server *server, const struct update_change *change,
                            struct err *err)
{
    struct query_answer now;
    enum status status = update_look(server, change->name, &now, err);
    struct span value = buf_span(&now.texts[0]);
    bool alias = now.alias[0] != '\0';
    if (status != ST_OK) {
        query_clear(&now);
        return status;
    }
    if (!alias && now.text_count == 1 && change->after.len > 0 && span_equal(value, change->after))
        status = ST_OK;
    else if (now.text_count == 0 && change->after.len == 0)
        status = ST_OK;
    else if (alias)
        status = err_set(err, ST_CONFLICT, "a CNAME to %.150s stands there", now.alias);
    else if (now.text_count == 0)
        status = err_set(err, ST_CONFLICT, "our record is not there any more");
    else if (now.text_count == 1 && change->before.len > 0 && span_equal(value, change->before))
        status = err_set(err, ST_CONFLICT, "our record is in strings of other lengths there");
    else
        status = err_set(err, ST_CONFLICT, "somebody else's record stands there");
    query_clear(&now);
    return status;
}

static bool is_of_one(enum status status)
{
    return status == ST_OK || status == ST_CONFLICT;
}

/* Makes a part of the changes and tells each how it went. When one of them cannot be made the
 * server makes none of the message; halves find out which it is. */
static enum status send_part(struct update_server *server, const struct update_zone_changes *part)
{
    struct err err = {.code = ST_OK};
    enum status status = send_message(server, part, &err);
    if (status == ST_CONFLICT && part->count > 1) {
        struct update_zone_changes head = *part, tail = *part;
        head.count = part->count / 2;
        tail.changes += head.count;
        tail.count -= head.count;
        status = send_part(server, &head);
        enum status second = is_of_one(status) ? send_part(server, &tail) : status;
        return second == ST_OK ? status : second;
    }
    if (status == ST_CONFLICT)
        status = look_why(server, part->changes, &err);
    for (size_t i = 0; i < part->count; i++) {
        part->changes[i].status = status;
        part->changes[i].err = err;
    }
    return status;
}

static size_t record_size(const struct update_change *change, struct span value)
{
    return strlen(change->name) + RECORD_OVERHEAD + value.len + value.len / DKIM_TXT_STRING_MAX + 1;
}

/* At least as many octets as the change takes in a message. */
static size_t change_size(const struct update_change *change)
{
    return 2 * record_size(change, change->before) + record_size(change, change->after);
}

/* As many changes as fit into a message; at least one. */
static size_t batch(const struct update_change *changes, size_t count)
{
    size_t octets = change_size(&changes[0]), taken = 1;
    while (taken < count && octets + change_size(&changes[taken]) <= BATCH_MAX)
        octets += change_size(&changes[taken++]);
    return taken;
}

/* The first change with the gravest outcome, or NULL. */
static const struct update_change *gravest(const struct update_zone_changes *all)
{
    const struct update_change *worst = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct update_change *change = &all->changes[i];
        if (change->status == ST_OK || change->status == NOT_TRIED)
            continue;
        if (worst == NULL || (is_of_one(worst->status) && !is_of_one(change->status)))
            worst = change;
    }
    return worst;
}

/* What ended the work is why the rest was not tried. */
static enum status sum_up(const struct update_zone_changes *all, struct err *err)
{
    const struct update_change *worst = gravest(all);
    if (worst == NULL)
        return ST_OK;
    *err = worst->err;
    for (size_t i = 0; i < all->count; i++) {
        if (all->changes[i].status == NOT_TRIED) {
            all->changes[i].status = worst->status;
            all->changes[i].err = worst->err;
        }
    }
    return worst->status == ST_CONFLICT ? err_context(err, "%.150s", worst->name) : worst->status;
}

enum status update_send(struct update_server *server, const struct update_zone_changes *all,
                        struct err *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; i < all->count; i++)
        all->changes[i].status = NOT_TRIED;
    for (size_t done = 0; is_of_one(status) && done < all->count;) {
        struct update_zone_changes part = *all;
        part.changes += done;
        part.count = batch(part.changes, all->count - done);
        status = send_part(server, &part);
        done += part.count;
    }
    return sum_up(all, err);
}
