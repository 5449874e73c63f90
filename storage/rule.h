/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules: author patterns and the place (a name) under which each is looked up. Patterns, the first
 * that matches is the one that counts:
 *
 *     ann@example.com     this author                        place example.com
 *     example.com         every author there                 place example.com
 *     ann@.example.com    this author below example.com      place example.com
 *     .example.com        every author below example.com     place example.com
 *     ann@*               this author wherever               place *
 *     *                   every author                       place *
 *
 * Domains are in the one form of dkim/domain.h, letters of local parts do not differ in case.
 * All rules of the pattern that counts sign. Pure; any thread.
 */
#ifndef INKAN_STORAGE_RULE_H
#define INKAN_STORAGE_RULE_H

#include "base/bytes.h"

enum {
    RULE_PATTERN_MAX = 320, /* octets */
    RULE_PLACE_MAX = 10000, /* rules or grants of one place */
    RULE_SIGNERS_MAX = 8,   /* rules of one pattern */
};

/* The place of what is said of all names. */
#define RULE_ANYWHERE "*"

struct rule;

/* Sets pattern and place. A local part stands as it means, without quotes, as authors are compared
 * (dkim/address.h). ST_INVALID with the reason: a domain that is none, `*` in the wrong place, a
 * `.domain` of one label or of more than are looked up (DKIM_CANDIDATES_MAX). */
enum status rule_set_pattern(struct rule *rule, struct span text, struct err *err) MUST_CHECK;
/* Sets i=, given as `@domain` or `local@domain`. ST_INVALID unless its domain is the rule's, which
 * must be set, or lies below it (RFC 6376 3.5). */
enum status rule_set_identity(struct rule *rule, struct span text, struct err *err) MUST_CHECK;

/* Where a place stands to the author's domain. */
enum rule_level { RULE_AT, RULE_ABOVE, RULE_EVERYWHERE };
/* Writes the pattern by which a rule of the place matches an author: with the local part (not
 * NULL), or for every author. False when it is longer than any pattern. */
bool rule_form(enum rule_level level, const char *local, const char *place,
               char out[RULE_PATTERN_MAX + 1]) MUST_CHECK;

#endif
