/* SPDX-License-Identifier: Apache-2.0
 *
 * Names: signing domains, author domains, selectors. Everything inside inkan uses one form of a
 * domain: A-labels, lower case, no trailing dot (RFC 5890, RFC 8616 section 3). Pure; any
 * thread. The only home of libidn2.
 */
#ifndef INKAN_DKIM_DOMAIN_H
#define INKAN_DKIM_DOMAIN_H

#include "base/bytes.h"

enum {
    DKIM_DOMAIN_SIZE = 254,  /* 253 octets of name and a NUL (RFC 1035 2.3.4) */
    DKIM_LABEL_MAX = 63,     /* octets of one label */
    DKIM_CANDIDATES_MAX = 8, /* names looked up for one author domain */
};

/* Brings a domain in UTF-8 or ASCII into the one form. ST_INVALID for an empty label (also
 * from a trailing dot), a label over 63 or a name over 253 octets, an octet that is neither
 * letter, digit, hyphen nor underscore, a hyphen at the edge of a label, an address literal,
 * and whatever IDNA2008 forbids. */
enum status dkim_domain_normalize(struct span in, char out[DKIM_DOMAIN_SIZE],
                                  struct err *err) MUST_CHECK;

/* Checks a selector (RFC 6376 3.1: labels with dots between, each of letters, digits and inner
 * hyphens, at most 63 octets) and writes it in lower case. ST_INVALID with the reason. */
enum status dkim_selector_normalize(struct span in, char out[DKIM_DOMAIN_SIZE],
                                    struct err *err) MUST_CHECK;

/* True if `name` is `domain` or lies below it. Both in the one form. */
bool dkim_domain_is_within(struct span name, struct span domain);

/* The names to look up for an author at `domain` (in the one form), most specific first: the
 * domain itself, then its parents down to two labels. Of a name with more than eight labels the
 * itself and the seven shortest are taken, as DMARC's tree walk does (RFC 9989). The pointers
 * point into `domain`. Returns how many there are, at least 1. */
size_t dkim_domain_candidates(const char *domain, const char *out[DKIM_CANDIDATES_MAX]);

#endif
