/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files signing*.c share: the settings and data sets of one OpenDKIM, and the course of
 * one question.
 */
#ifndef INKAN_OPENDKIM_SIGNING_INTERNAL_H
#define INKAN_OPENDKIM_SIGNING_INTERNAL_H

#include "opendkim/signing.h"

enum signing_set {
    SIGNING_PEERS,
    SIGNING_INTERNAL,
    SIGNING_IGNORED,
    SIGNING_EXEMPT,
    SIGNING_DONT,
    SIGNING_MTA,
    SIGNING_SENDERS,
    SIGNING_RULES,
    SIGNING_KEYS,
    SIGNING_DOMAINS,
    SIGNING_MACROS,
    SIGNING_HEADERS,
    SIGNING_OMITTED,
    SIGNING_OVERSIGNED,
    SIGNING_SETS,
};

struct signing {
    struct signing_options options;
    struct table *sets[SIGNING_SETS];
    struct keylist keylist;
    struct keytable_loader *loader;
    unsigned mode;
    const char *algorithm;
    char stop[ERR_TEXT_SIZE];
};

/* What is to be signed with, before it is known whether it works. */
struct signing_request {
    char *domain, *selector, *identity, *key_name;
    bool any_domain, any_identity, any_key; /* see struct signing_answer */
    bool usable;
    enum dkim_key_kind kind;
    int bits;
    char fault[ERR_TEXT_SIZE];
};

struct signing_course {
    struct signing *signing;
    const struct signing_question *question;
    struct signing_answer *answer;
    struct buf user, domain; /* of the author; the domain in lower case */
    bool origin_ok, domain_ok;
    struct signing_request *requests;
    size_t request_count;
    bool parent; /* the domain is a parent of the author's, by SubDomains */
    bool failed; /* no memory */
    bool done;   /* the answer is given */
};

/* The first reason is what OpenDKIM says before it ends. */
void signing_set_stop(struct signing *signing, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* signing_check.c: reads the settings that OpenDKIM reads when it starts, and finds out whether
 * it would. ST_TEMP without memory. */
enum status signing_check(struct signing *signing, struct err *err) MUST_CHECK;
/* signing_review.c: notes what is surprising about rules and settings that go together. */
void signing_review(const struct signing *signing);
/* How On-InternalError or On-SignatureError ("InternalError", "SignatureError") says to answer. */
enum signing_action signing_handling(const struct signing *signing, const char *what);

void signing_step(struct signing_course *course, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Gives the answer; what comes later changes nothing. */
void signing_finish(struct signing_course *course, enum signing_action action, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* For a look-up that failed, which OpenDKIM defers messages for. */
void signing_fail(struct signing_course *course, const char *setting, const char *key,
                  const struct err *err);
/* signing_origin.c: whether the client may sign. */
void signing_decide_origin(struct signing_course *course);
/* Of the question, or NULL. */
const char *signing_macro_of(const struct signing_course *course, const char *name);
/* signing_rules.c: requests by SigningTable and KeyTable; whether there were any. */
bool signing_apply_rules(struct signing_course *course);
/* signing_default.c: by Domain, SubDomains, Selector and KeyFile, or by KeyList. */
void signing_decide_domain(struct signing_course *course);
void signing_request_default(struct signing_course *course);
bool signing_apply_keylist(struct signing_course *course);

/* Adds a request with the key as it is found; takes the texts over. Of three and more OpenDKIM
 * keeps the first and the last. */
void signing_add_request(struct signing_course *course, struct signing_request *request,
                         const struct keytable_key *key);
void signing_request_clear(struct signing_request *request);

#endif
