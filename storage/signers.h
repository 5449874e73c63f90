/* SPDX-License-Identifier: Apache-2.0
 *
 * The ready signers of one domain: what a profile of the store becomes once the vault has opened
 * its keys and they are parsed. Immutable, reference counted, shared by all threads.
 *
 * A parsed key outlives the answer of the store that brought it: the first signature of a key costs
 * more than twice a later one, and cached entries are read anew every few minutes.
 */
#ifndef INKAN_STORAGE_SIGNERS_H
#define INKAN_STORAGE_SIGNERS_H

#include "dkim/canon.h"
#include "dkim/domain.h"
#include "dkim/sign.h"
#include "storage/cache.h"
#include "storage/vault.h"

struct signer {
    enum dkim_algorithm algorithm;
    bool reserved; /* signs only where a rule names its selector */
    char *selector;
    struct dkim_key *key;                        /* a reference; other signers may share it */
    uint8_t fingerprint[VAULT_FINGERPRINT_SIZE]; /* of the envelope it came from */
};

/* Immutable, but for the time of the log line, and shared; give it back with signers_unref. */
struct signers {
    struct cache_value base;
    char *domain; /* d= */
    char *tenant;
    bool tenant_active, domain_active;
    bool subdomains;
    bool also_provider, one_signature; /* the tenant wants it so */
    bool has_canonicalization; /* the domain's or the tenant's own instead of the settings' */
    enum dkim_canon header_canon, body_canon;
    int64_t expiry_s;                      /* -1: as the settings say */
    struct dkim_names *headers, *oversign; /* NULL: as the settings say */
    size_t broken;                         /* active keys that do not open or parse */
    char broken_text[ERR_TEXT_SIZE];       /* what is wrong with the first of them */
    _Atomic int64_t broken_logged_ms;      /* when that was last logged */
    enum on_unpublished on_unpublished;    /* what the tenant wants done about the next */
    size_t unpublished; /* active keys that are left out because DNS does not show them */
    enum on_no_key on_no_key;
    size_t count;
    /* In the order of enum dkim_algorithm; of those that are not reserved at most one an algorithm.
     * Ed25519 keys are left out where the tenant does not want them. */
    struct signer list[];
};
void signers_ref(struct signers *signers);
void signers_unref(struct signers *signers); /* NULL is fine */

/* Makes the signers of a profile that was found. A key that does not open or parse is counted
 * in `broken` and left out; ST_TEMP only without memory. `before` (or NULL) is what the name had
 * last: a key whose envelope is the very same one, for the same tenant, domain, selector and
 * algorithm, is shared with it, any other is opened and parsed. */
enum status signers_new(const struct profile *profile, const struct vault *vault,
                        const struct signers *before, struct signers **out,
                        struct err *err) MUST_CHECK;

#endif
