/* SPDX-License-Identifier: Apache-2.0
 *
 * Making signatures (RFC 6376 section 5). The caller collects the header in dkim_fields, asks
 * dkim_sign_want before the first body octet, streams the body through the dkim_bodies it owns,
 * and then calls dkim_sign once per signature. The private key is behind a call-back, so it
 * may live elsewhere. No I/O, no clock; any thread with its own objects.
 */
#ifndef INKAN_DKIM_SIGN_H
#define INKAN_DKIM_SIGN_H

#include "dkim/canon.h"
#include "dkim/fields.h"

/* Signs a digest; the octets of the signature go into `out`. */
typedef enum status dkim_signer(void *arg, const uint8_t digest[DKIM_DIGEST_SIZE], struct buf *out,
                                struct err *err);
/* A dkim_signer for a parsed key in this process; arg is the struct dkim_key. */
enum status dkim_sign_with_key(void *key, const uint8_t digest[DKIM_DIGEST_SIZE], struct buf *out,
                               struct err *err);

/* A set of header field names, parsed once and shared by all messages. */
struct dkim_names;
/* Comma-separated field names. ST_INVALID names what is no field name, what stands twice, and
 * what must not be signed or does not make sense (DKIM-Signature, Return-Path, Received...:
 * RFC 6376 5.4). The empty text is the empty set. */
enum status dkim_names_parse(struct span list, struct dkim_names **out, struct err *err) MUST_CHECK;
void dkim_names_free(struct dkim_names *names);
/* In any case of letters. NULL is the empty set. */
bool dkim_names_contain(const struct dkim_names *names, struct span name);
/* The names in lower case, in the order of the list they came from. */
size_t dkim_names_count(const struct dkim_names *names);
struct span dkim_names_at(const struct dkim_names *names, size_t index);

struct dkim_sign_options {
    const char *domain;   /* d=, in the one form */
    const char *selector; /* s= */
    const char *identity; /* i=, or NULL */
    enum dkim_algorithm algorithm;
    enum dkim_canon header_canon, body_canon;
    const struct dkim_names *headers;  /* every field of the message with such a name is signed;
                                          From always is (RFC 6376 5.4) */
    const struct dkim_names *oversign; /* listed once more than there are fields of the name */
    int64_t time_s;                    /* t=; below 0: none */
    int64_t expiry_s;                  /* x= is t= plus this; 0: none */
    dkim_signer *signer;               /* dkim_sign_with_key, or where the key really is */
    void *signer_arg;
};

/* Tells `bodies` which hash the options need. */
enum status dkim_sign_want(const struct dkim_sign_options *options, struct dkim_bodies *bodies,
                           struct err *err) MUST_CHECK;

/* Whether one h= can list all that the options sign of this header (DKIM_SIGNED_NAMES_MAX). */
bool dkim_sign_fits(const struct dkim_sign_options *options, const struct dkim_fields *fields);

/* Makes one DKIM-Signature field value: everything after the colon, with its leading space,
 * folded with CRLF HTAB, no final CRLF. The bodies must have been ended. ST_INVALID when there
 * is no From field, the domain or selector do not fit, or h= cannot list it all; else what the
 * signer says. On any failure `value_out` is as it was. */
enum status dkim_sign(const struct dkim_sign_options *options, const struct dkim_fields *fields,
                      const struct dkim_bodies *bodies, struct buf *value_out,
                      struct err *err) MUST_CHECK;

#endif
