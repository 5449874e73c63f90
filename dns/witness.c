/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/witness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOERROR = 0, NXDOMAIN = 3 };

const char *witness_verdict_name(enum witness_verdict verdict)
{
    static const char *const names[] = {"right", "unknown", "missing", "wrong"};
    return verdict < WITNESS_VERDICTS ? names[verdict] : "unknown";
}

void witness_say(struct witness *witness, enum witness_verdict verdict, const char *fmt, ...)
{
    va_list args;
    witness->verdict = verdict;
    va_start(args, fmt);
    if (vsnprintf(witness->sentence, sizeof witness->sentence, fmt, args) < 0)
        witness->sentence[0] = '\0';
    va_end(args);
    /* Libraries may say what the server said; it is stored and shown on terminals. */
    for (char *at = witness->sentence; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
}

void witness_clear(struct witness *witness)
{
    free(witness->answer);
    *witness = (struct witness){.ttl_s = -1};
}

/* RFC 6376 3.6.1: each of these makes verifiers refuse signatures of the key. */
static const char *fault_of(const struct witness_wanted *wanted,
                            const struct dkim_key_record *record)
{
    if (record->revoked)
        return "has p= without a key, which revokes it";
    if (record->algorithm != wanted->algorithm)
        return "has a key of another type (k=)";
    if (!span_equal(buf_span(&record->public_octets), wanted->public_octets))
        return "has another public key";
    if (record->testing)
        return "has t=y, which says that signatures are tests";
    if (!record->sha256)
        return "has h= without sha256";
    if (!record->email)
        return "has s= without email";
    return NULL;
}

static void judge_text(const struct witness_wanted *wanted, struct span text,
                       struct witness *witness)
{
    struct dkim_key_record record;
    struct err err = {.code = ST_OK};
    const char *fault = NULL;
    bool parsed = dkim_key_record_parse(text, &record, &err) == ST_OK;
    if (parsed && wanted->what == WITNESS_KEY)
        fault = fault_of(wanted, &record);
    else if (parsed && !record.revoked)
        fault = "still has a public key";
    if (!parsed)
        witness_say(witness, WITNESS_WRONG, "has a TXT record that is no key record: %.160s",
                    err.text);
    else if (fault != NULL)
        witness_say(witness, WITNESS_WRONG, "%s", fault);
    else
        witness_say(witness, WITNESS_RIGHT, "has the record");
    dkim_key_record_clear(&record);
}

/* False when the answer is none to go by, and the witness says why. */
static bool is_usable(const struct query_answer *answer, struct witness *witness)
{
    char name[16];
    query_rcode_name(answer->rcode, name);
    if (answer->rcode != NOERROR && answer->rcode != NXDOMAIN)
        witness_say(witness, WITNESS_UNKNOWN, "answers %s", name);
    else if (!witness->resolver && !answer->authoritative)
        witness_say(witness, WITNESS_UNKNOWN,
                    "is not authoritative for this name, although the zone says so");
    else if (answer->truncated)
        witness_say(witness, WITNESS_UNKNOWN, "truncates its answer, over TCP as well");
    else
        return true;
    return false;
}

void witness_judge(const struct witness_wanted *wanted, const struct query_answer *answer,
                   struct witness *witness)
{
    witness->ttl_s = answer->ttl_s;
    if (!is_usable(answer, witness))
        return;
    if (answer->text_count > 0)
        witness->answer = span_dup(buf_span(&answer->texts[0]));
    if (answer->text_count == 0 && wanted->what == WITNESS_NOTHING)
        witness_say(witness, WITNESS_RIGHT, "has no record, as it should be");
    else if (wanted->what == WITNESS_ALIAS)
        witness_say(witness, answer->text_count > 0 ? WITNESS_WRONG : WITNESS_MISSING,
                    answer->text_count > 0 ? "has a TXT record and no CNAME" : "has no CNAME");
    else if (answer->text_count == 0)
        witness_say(witness, WITNESS_MISSING, "has no TXT record");
    else if (wanted->what == WITNESS_NOTHING)
        witness_say(witness, WITNESS_WRONG, "still has a TXT record");
    else if (answer->text_count > 1)
        witness_say(witness, WITNESS_WRONG, "has %zu TXT records instead of one",
                    answer->text_count);
    else
        judge_text(wanted, buf_span(&answer->texts[0]), witness);
}
