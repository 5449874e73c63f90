/* SPDX-License-Identifier: Apache-2.0
 *
 * What OpenDKIM 2.11 would do with a message: sign it and as whom, pass it on unsigned, verify it
 * or refuse it, and why, step by step. By its configuration and the files that this names, in the
 * order in which it asks. No store, no DNS, nothing is written.
 *
 * What cannot be known beforehand is left out: Lua scripts, and what depends on the body or on
 * other fields than those of the author. Notes say so.
 *
 * One thread.
 */
#ifndef INKAN_OPENDKIM_SIGNING_H
#define INKAN_OPENDKIM_SIGNING_H

#include <sys/socket.h>

#include "dkim/fields.h"
#include "opendkim/configuration.h"
#include "opendkim/keylist.h"
#include "opendkim/keytable.h"
#include "opendkim/table.h"

enum signing_action {
    SIGNING_SIGN,
    SIGNING_UNSIGNED,
    SIGNING_VERIFY, /* not signed; existing signatures are verified */
    SIGNING_TEMPFAIL,
    SIGNING_REJECT,
    SIGNING_DISCARD,
    SIGNING_STOPPED, /* OpenDKIM does not start, or crashes: what happens is up to the MTA */
};

enum signing_mode { SIGNING_MODE_SIGN = 1, SIGNING_MODE_VERIFY = 2 };

struct signing;

/* All that it points to outlives the signing. */
struct signing_options {
    const struct configuration *configuration;
    struct notes *notes;
    const struct table_source *sources; /* for foreign data sets */
    size_t source_count;
    void *source_context;
    bool uncut; /* long lines of tables are read whole, which OpenDKIM does not */
};

/* Opens all data sets that decide about signing, and finds out whether OpenDKIM would start. That
 * it would not is no fault: see signing_stop. ST_DENIED: a data set that nothing here reads;
 * ST_BROKEN: a file that this process may not read; ST_TEMP. Free with signing_close. */
enum status signing_open(const struct signing_options *options, struct signing **out,
                         struct err *err) MUST_CHECK;
void signing_close(struct signing *signing); /* NULL is fine */

/* Why OpenDKIM does not start; "" when it does. */
const char *signing_stop(const struct signing *signing);
/* From now on it is asked as if it did. */
void signing_forgive(struct signing *signing);
/* The data set of a setting ("KeyTable", "SigningTable", "InternalHosts", "PeerList", "Domain",
 * "MTA", "MacroList", "ExemptDomains", "DontSignMailTo", "SenderHeaders", "SignHeaders",
 * "OmitHeaders", "OverSignHeaders"), or NULL when there is none. */
struct table *signing_table(const struct signing *signing, const char *setting);
const struct keylist *signing_keylist(const struct signing *signing); /* empty without KeyList */
struct keytable_loader *signing_keys(const struct signing *signing);
unsigned signing_mode(const struct signing *signing); /* enum signing_mode, added up */
/* "rsa-sha256" */
const char *signing_algorithm(const struct signing *signing);

struct signing_macro {
    const char *name, *value; /* as the MTA sends it: "{auth_type}", "j" */
};

struct signing_question {
    const struct dkim_fields *fields; /* From, and others if SenderHeaders is set */
    const struct sockaddr *address;   /* NULL: not over IP, which counts as 127.0.0.1 */
    const char *host;                 /* of the client as the MTA names it; NULL: "" */
    const struct signing_macro *macros;
    size_t macro_count;
    const char *const *recipients; /* for DontSignMailTo */
    size_t recipient_count;
};

struct signing_signature {
    char *domain, *selector;
    char *identity;    /* i=, or NULL */
    bool any_domain;   /* d= is the author's domain, whichever it is */
    bool any_identity; /* i= has the author's domain in it, whichever it is */
    char *algorithm;
    char *key; /* the name in KeyTable, else the file */
};

struct signing_answer {
    enum signing_action action;
    char reason[ERR_TEXT_SIZE];
    bool trouble; /* a data set did not answer, which it may do another time; the reason says how */
    bool any_key; /* the reason is a key that was looked for by the author's domain */
    struct signing_signature *list; /* what is signed, in OpenDKIM's order */
    size_t count;
    char **steps; /* a sentence each */
    size_t step_count;
};

/* ST_OK with an answer (clear it also after a failure), or ST_TEMP without memory. */
enum status signing_ask(struct signing *signing, const struct signing_question *question,
                        struct signing_answer *out, struct err *err) MUST_CHECK;
void signing_answer_clear(struct signing_answer *answer);
/* "sign", "unsigned", "verify", "tempfail", "reject", "discard", "stopped" */
const char *signing_action_name(enum signing_action action);

#endif
