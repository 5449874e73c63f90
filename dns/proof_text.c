/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "dns/proof.h"

/* -- to be stored ----------------------------------------------------------------------------- */

static void write_server(const struct witness *witness, struct buf *out)
{
    buf_append_str(out, witness->server);
    if (witness->address[0] != '\0')
        buf_printf(out, " %s", witness->address);
}

/* Those of one verdict, the ones to worry about with what they said. */
static void write_verdict(const struct proof *proof, enum witness_verdict verdict, struct buf *out)
{
    const char *before = "";
    for (size_t i = 0; i < proof->count; i++) {
        if (proof->witnesses[i].verdict != verdict)
            continue;
        if (*before == '\0')
            buf_printf(out, "; %s: ", witness_verdict_name(verdict));
        buf_append_str(out, before);
        write_server(&proof->witnesses[i], out);
        if (verdict != WITNESS_RIGHT)
            buf_printf(out, " %s", proof->witnesses[i].sentence);
        before = ", ";
    }
}

void proof_text(const struct proof *proof, struct buf *out)
{
    size_t start = out->len;
    buf_append_str(out, witness_verdict_name(proof->verdict));
    if (proof->sentence[0] != '\0')
        buf_printf(out, ": %s", proof->sentence);
    if (proof->ttl_min_s >= 0)
        buf_printf(out, "; ttl %" PRId64 " to %" PRId64, proof->ttl_min_s, proof->ttl_max_s);
    for (size_t i = 0; i < proof->alias_count; i++)
        buf_printf(out, "%s%s", i == 0 ? "; alias of " : ", ", proof->aliases[i]);
    for (int verdict = WITNESS_VERDICTS - 1; verdict >= 0; verdict--)
        write_verdict(proof, (enum witness_verdict)verdict, out);
    if (out->len - start > PROOF_TEXT_MAX) {
        buf_truncate(out, start + PROOF_TEXT_MAX - 3);
        buf_append_str(out, "...");
    }
}

/* -- for a person ----------------------------------------------------------------------------- */

/* The first witness that says what the proof does. */
static const struct witness *find_culprit(const struct proof *proof)
{
    for (size_t i = 0; i < proof->count; i++)
        if (proof->witnesses[i].verdict == proof->verdict)
            return &proof->witnesses[i];
    return NULL;
}

static void name_culprit(const struct witness *culprit, struct buf *out)
{
    write_server(culprit, out);
    buf_printf(out, " %s", culprit->sentence);
}

static void advise_unknown(const struct witness *culprit, struct buf *out)
{
    buf_append_str(out, "ask again later, or see to the server: ");
    name_culprit(culprit, out);
}

static void advise_missing(const struct proof *proof, const struct witness *culprit,
                           struct buf *out)
{
    bool some_have_it = false;
    for (size_t i = 0; i < proof->count; i++)
        some_have_it |=
            proof->witnesses[i].verdict == WITNESS_RIGHT && proof->witnesses[i].answer != NULL;
    if (!some_have_it) {
        buf_printf(out, "publish the TXT record at %s", proof->name);
        return;
    }
    buf_append_str(out, culprit->resolver ? "wait until what it remembers is out of date: "
                                          : "wait until all servers of the zone have it, or "
                                            "see to the server: ");
    name_culprit(culprit, out);
}

static void advise_wrong(const struct proof *proof, const struct witness_wanted *wanted,
                         const struct witness *culprit, struct buf *out)
{
    bool alias = culprit->answer == NULL;
    if (culprit->resolver)
        buf_printf(out,
                   "wait %" PRId64 " s until what it remembers is out of date: ", culprit->ttl_s);
    else if (alias)
        buf_printf(out, "make all servers say the same at %s: ", wanted->name);
    else if (wanted->what == WITNESS_NOTHING)
        buf_printf(out, "take the TXT record at %s away: ", proof->name);
    else
        buf_printf(out, "make it the one TXT record at %s: ", proof->name);
    name_culprit(culprit, out);
}

bool proof_leads_to(const struct proof *proof, const char *target)
{
    for (size_t i = 0; i < proof->alias_count; i++)
        if (strcmp(proof->aliases[i], target) == 0)
            return true;
    return false;
}

/* Whether the name is to be an alias, and all its servers agree that it is none, or another one. */
static bool lacks_alias(const struct proof *proof, const struct witness_wanted *wanted,
                        const struct witness *culprit)
{
    bool delegated = wanted->target != NULL && wanted->target[0] != '\0';
    if (!delegated || proof_leads_to(proof, wanted->target))
        return false;
    if (culprit == NULL || proof->verdict == WITNESS_UNKNOWN)
        return proof->alias_count > 0; /* what is behind another one does not matter */
    bool disagree = proof->verdict == WITNESS_WRONG && culprit->answer == NULL;
    return !disagree && !culprit->resolver;
}

void proof_advice(const struct proof *proof, const struct witness_wanted *wanted, struct buf *out)
{
    const struct witness *culprit = find_culprit(proof);
    if (proof->verdict == WITNESS_RIGHT)
        return;
    if (lacks_alias(proof, wanted, culprit)) {
        buf_printf(out, "publish the CNAME record at %s: %s", wanted->name, wanted->target);
        return;
    }
    if (proof->sentence[0] != '\0' || culprit == NULL)
        buf_printf(out, "%s: %s",
                   proof->verdict == WITNESS_UNKNOWN ? "ask again later" : "mend the zone",
                   proof->sentence);
    else if (proof->verdict == WITNESS_UNKNOWN)
        advise_unknown(culprit, out);
    else if (proof->verdict == WITNESS_MISSING)
        advise_missing(proof, culprit, out);
    else
        advise_wrong(proof, wanted, culprit, out);
}
