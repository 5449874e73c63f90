/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailboxes of From and Sender fields by RFC 5322 3.4 with its obsolete forms, and UTF-8 by
 * RFC 6532: comments (nested), quoted local parts, groups, encoded display names (which are
 * text and never an address), several mailboxes. Strict where it decides who the author is:
 * what cannot be read for certain is refused, because another reader may see another author.
 * Pure; no recursion; one pass.
 */
#ifndef INKAN_DKIM_ADDRESS_H
#define INKAN_DKIM_ADDRESS_H

#include "dkim/domain.h"
#include "dkim/fields.h"

enum { DKIM_MAILBOXES_MAX = 64, DKIM_LOCAL_MAX = 255 };

struct dkim_mailbox {
    char local[DKIM_LOCAL_MAX + 1]; /* unquoted, as written otherwise; never holds NUL */
    char domain[DKIM_DOMAIN_SIZE];  /* the one form of dkim/domain.h */
};

struct dkim_mailboxes {
    struct dkim_mailbox *list; /* heap; dkim_mailboxes_clear */
    size_t count;
};

/* Reads a field value (or an address from a command line) and appends its mailboxes to `out`.
 * ST_INVALID with the reason: not an address list, no domain, a domain that is none (also an
 * address literal or a trailing dot), more than DKIM_MAILBOXES_MAX; `out` is then unchanged.
 * An empty group gives none. */
enum status dkim_mailboxes_parse(struct span value, struct dkim_mailboxes *out,
                                 struct err *err) MUST_CHECK;
/* All mailboxes of all fields called `name`. ST_NOT_FOUND when there is no such field,
 * ST_INVALID when one does not parse or they hold no mailbox at all. */
enum status dkim_mailboxes_of(const struct dkim_fields *fields, struct span name,
                              struct dkim_mailboxes *out, struct err *err) MUST_CHECK;
void dkim_mailboxes_clear(struct dkim_mailboxes *mailboxes);

#endif
