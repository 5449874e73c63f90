/* SPDX-License-Identifier: Apache-2.0
 *
 * TXT records, and CNAMEs that lead to them, as text, in the formats people publish them with. Only
 * writes: what the world's DNS serves is somebody else's question, and text is read back by
 * dns/recordfile.h. Records are written one after the other into the caller's buffer, which may be
 * emptied between them, so a hundred thousand of them never stand in memory together. One thread a
 * writer.
 */
#ifndef INKAN_DNS_RECORDS_H
#define INKAN_DNS_RECORDS_H

#include "dkim/keyrecord.h"

/* From RECORDS_POWERDNS on the records of each domain stand together, because their consumers take
 * one zone at a time: a line of JSON a domain, or a document of YAML. */
enum records_format {
    RECORDS_ZONE,       /* master file, RFC 1035 5.1: NAME. IN TXT ( "..." "..." ) */
    RECORDS_ONELINE,    /* NAME VALUE, of an alias NAME CNAME TARGET. */
    RECORDS_JSON,       /* an array of {name, type, value, strings}; an alias has no strings */
    RECORDS_NSUPDATE,   /* input of nsupdate(1), an update a record, which adds it only where none
                         * is, and a gravestone only in the place of the record it is for */
    RECORDS_POWERDNS,   /* body of PATCH /api/v1/servers/SERVER/zones/ZONE */
    RECORDS_ROUTE53,    /* change batch of ChangeResourceRecordSets */
    RECORDS_CLOUDFLARE, /* body of POST /zones/ZONE/dns_records/batch */
    RECORDS_OCTODNS,    /* a zone's file of the YamlProvider */
};

enum { RECORDS_TTL = 3600 }; /* seconds, of records_of_key */

/* ST_INVALID names the formats there are. */
enum status records_format_parse(struct span name, enum records_format *out,
                                 struct err *err) MUST_CHECK;

enum records_type { RECORDS_TXT, RECORDS_CNAME };

/* A name and the joined value at it, or the name that it is an alias of, without the final dot. */
struct record {
    enum records_type type;
    char domain[DKIM_DOMAIN_SIZE];    /* the zone, or a name in it */
    char name[DKIM_RECORD_NAME_SIZE]; /* without the final dot */
    struct buf value;
    struct buf before; /* the value in whose place it comes; empty: there should be none */
    int ttl_s;         /* in the formats that have one */
};
/* The record of a key; empty public octets make the gravestone of a revoked one. ST_INVALID when
 * the name would be too long. Clear with records_clear also after a failure. */
struct records_key {
    const char *domain, *selector;
    const char *target; /* the name to put the record at; NULL or "": that of the selector */
    enum dkim_algorithm algorithm;
    struct span public_octets; /* as in p= before base64 */
};
enum status records_of_key(const struct records_key *key, struct record *out,
                           struct err *err) MUST_CHECK;
/* Makes the gravestone of a key, as records_of_key gave it, come in the place of the key's record:
 * RECORDS_NSUPDATE replaces that one and no other, which the server checks. ST_TEMP: no memory. */
enum status records_replace(struct record *gravestone, enum dkim_algorithm algorithm,
                            struct span public_octets, struct err *err) MUST_CHECK;
/* The alias that leads from the name of a key's selector to its target. As records_of_key. */
enum status records_of_alias(const struct records_key *key, struct record *out,
                             struct err *err) MUST_CHECK;
void records_clear(struct record *record);

struct records_writer {
    enum records_format format;
    struct buf *out;
    size_t count;                  /* records written so far */
    char domain[DKIM_DOMAIN_SIZE]; /* of the last */
};
/* A whole listing is begin, any number of adds, end. */
void records_begin(struct records_writer *writer, enum records_format format, struct buf *out);
void records_add(struct records_writer *writer, const struct record *record);
void records_end(struct records_writer *writer);

#endif
