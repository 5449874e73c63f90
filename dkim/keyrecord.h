/* SPDX-License-Identifier: Apache-2.0
 *
 * Key records (RFC 6376 3.6.1, RFC 8463 4): the TXT value at SELECTOR._domainkey.DOMAIN.
 */
#ifndef INKAN_DKIM_KEYRECORD_H
#define INKAN_DKIM_KEYRECORD_H

#include "dkim/crypto.h"
#include "dkim/domain.h"

enum {
    DKIM_RECORD_NAME_SIZE = 2 * DKIM_DOMAIN_SIZE + 16,
    DKIM_TXT_STRING_MAX = 255, /* octets of one character-string, RFC 1035 3.3 */
};

struct dkim_key_record {
    enum dkim_algorithm algorithm; /* from k= */
    bool revoked;                  /* empty p= */
    bool sha256;                   /* h= is absent or lists sha256 */
    bool email;                    /* s= is absent or lists email or * */
    bool testing;                  /* t=y */
    bool strict;                   /* t=s: i= must be at d= itself */
    struct buf public_octets;      /* p= decoded */
};

/* Parses the joined strings of one TXT record; ST_INVALID for what is no key record of a kind
 * we know. Clear with dkim_key_record_clear also after a failure. */
enum status dkim_key_record_parse(struct span txt, struct dkim_key_record *out,
                                  struct err *err) MUST_CHECK;
void dkim_key_record_clear(struct dkim_key_record *record);
/* `v=DKIM1; k=rsa; p=...`; empty public octets make the gravestone `v=DKIM1; p=`. */
void dkim_key_record_write(enum dkim_algorithm algorithm, struct span public_octets,
                           struct buf *out);
/* SELECTOR._domainkey.DOMAIN; ST_INVALID when longer than a domain name may be. */
enum status dkim_key_record_name(const char *selector, const char *domain,
                                 char out[DKIM_RECORD_NAME_SIZE], struct err *err) MUST_CHECK;

#endif
