/* SPDX-License-Identifier: Apache-2.0
 *
 * Brings DNS to what the states of keys say, through the server that takes dynamic updates
 * (dns/update.h): the record of a key that is staged to retiring, the gravestone of one that is
 * revoked, nothing for one that is destroyed. Only what is exactly our key record or our
 * gravestone is replaced or removed; what anybody else has put there is left alone and told. The
 * records of a delegated domain's keys are those at their targets. Doing
 * it again changes nothing. One thread.
 */
#ifndef INKAN_ADMIN_PUBLISH_H
#define INKAN_ADMIN_PUBLISH_H

#include "admin/admin.h"
#include "dkim/keyrecord.h"

struct publish;

/* What was done for a key; in a dry run what would be. */
enum publish_action {
    PUBLISH_NOT_TRIED, /* the server did not answer any more */
    PUBLISH_ADDED,
    PUBLISH_REPLACED, /* our key record by our gravestone */
    PUBLISH_REMOVED,
    PUBLISH_UNCHANGED, /* there was nothing to do */
    PUBLISH_REFUSED,   /* something else stands there, or the server does not let us */
    PUBLISH_FAILED,    /* the server said that it cannot now */
    PUBLISH_ACTIONS,   /* how many there are */
};

struct publish_result {
    char name[DKIM_RECORD_NAME_SIZE]; /* of the record */
    enum publish_action action;
    bool elsewhere; /* refused because the server has no zone that the record would be in */
    char reason[ERR_TEXT_SIZE]; /* a sentence, or "" when the action says it all */
};

/* Reads the key that signs updates and finds the server of the settings. ST_INVALID: no server is
 * set; else the faults of tsig_read and update_open. */
enum status publish_open(struct admin *admin, struct publish **out, struct err *err) MUST_CHECK;
void publish_close(struct publish *publish); /* NULL is fine */

/* Looks at the records of all these keys and sends the changes, those of one zone together. Not
 * for thousands of keys at once: about 500 a call. ST_OK: every key has its result, which may be
 * that it was refused or failed; ST_TEMP: the server does not answer (what was done until then is
 * in the results) or there is no memory. */
enum status publish_keys(struct publish *publish, const struct key *keys, size_t count,
                         struct publish_result *results, struct err *err) MUST_CHECK;

#endif
