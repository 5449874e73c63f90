/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed private keys. Key-encryption keys (KEKs) stand in the keyring file, one a line:
 * `ID BASE64` with an ID of letters, digits, `-`, `_` and `.`, and 32 octets; `#` comments. The
 * last line is the current KEK: new envelopes use it, older ones still open. The file must
 * be a regular file of root or of the caller, mode 0600 or stricter.
 *
 * The envelope (AES-256-GCM, NIST SP 800-38D): one octet format version 1, 12 octets nonce, the
 * ciphertext, 16 octets tag. Its associated data is
 * `inkan-key|tenant|domain|selector|algorithm|kek id`, so that an envelope moved to another row
 * does not open.
 *
 * A vault is immutable once open: any thread. Open it before privileges are dropped and before
 * fork; children inherit it.
 */
#ifndef INKAN_STORAGE_VAULT_H
#define INKAN_STORAGE_VAULT_H

#include "storage/model.h"

enum { VAULT_KEKS_MAX = 64, VAULT_ID_MAX = 64 };

struct vault;

/* ST_BROKEN: missing, unreadable or malformed (with the line); ST_DENIED: wrong mode or owner. */
enum status vault_open(const char *path, struct vault **out, struct err *err) MUST_CHECK;
void vault_close(struct vault *vault); /* wipes; NULL is fine */
/* Makes a keyring file with one new KEK, mode 0600. ST_CONFLICT when the file exists. */
enum status vault_create(const char *path, struct err *err) MUST_CHECK;
/* Adds a new current KEK to the file (a new file is renamed over the old one). ST_CONFLICT when
 * somebody else is adding one. */
enum status vault_add(const char *path, struct err *err) MUST_CHECK;

/* Whether vault_unseal_key also takes private halves that were never sealed (no, at first): those
 * of directories with another schema. Before the vault is shared among threads. */
void vault_allow_unsealed(struct vault *vault, bool allow);
bool vault_takes_unsealed(const struct vault *vault); /* NULL: no */

const char *vault_current(const struct vault *vault);
size_t vault_count(const struct vault *vault);
const char *vault_id(const struct vault *vault, size_t index);

/* A key for another purpose, made of the current KEK (HKDF-SHA256, RFC 5869, `label` as info, at
 * most 1024 octets): the KEK itself never leaves the vault. Other labels and other KEKs give
 * unrelated keys. The caller wipes it. */
enum { VAULT_DERIVED_SIZE = 32 };
enum status vault_derive(const struct vault *vault, struct span label,
                         uint8_t out[VAULT_DERIVED_SIZE], struct err *err) MUST_CHECK;

/* What an envelope is bound to. */
struct vault_binding {
    const char *tenant, *domain, *selector, *algorithm;
};

/* Seals under the current KEK; the envelope goes into `envelope`, the KEK is vault_current. */
enum status vault_seal(const struct vault *vault, const struct vault_binding *binding,
                       struct span secret, struct buf *envelope, struct err *err) MUST_CHECK;
/* Opens an envelope that KEK `kek` sealed. ST_BROKEN when the KEK is not in the keyring (the
 * text names it) or the envelope does not belong here or was changed. */
struct vault_envelope {
    const char *kek;
    struct span octets;
};
enum status vault_unseal(const struct vault *vault, const struct vault_binding *binding,
                         const struct vault_envelope *envelope, struct buf *secret_out,
                         struct err *err) MUST_CHECK;

/* The same for a key record of a tenant: seals into key->sealed and key->kek, or opens them.
 * ST_DENIED: the private half is not sealed, and that is not allowed. */
struct vault_binding vault_binding_of(const char *tenant, const struct key *key);
/* Whether the record has a private half in the open. */
bool vault_is_unsealed(const struct key *key);
enum status vault_seal_key(const struct vault *vault, const char *tenant, struct span secret,
                           struct key *key, struct err *err) MUST_CHECK;
enum status vault_unseal_key(const struct vault *vault, const char *tenant, const struct key *key,
                             struct buf *secret_out, struct err *err) MUST_CHECK;
/* What vault_unseal_key would open, in short: SHA-256 over the envelope and all it is bound to.
 * Whoever keeps it beside a key that was opened knows later, without the envelope, whether a
 * record holds the very same one. Opens nothing. ST_TEMP without memory. */
enum { VAULT_FINGERPRINT_SIZE = 32 };
enum status vault_fingerprint(const char *tenant, const struct key *key,
                              uint8_t out[VAULT_FINGERPRINT_SIZE], struct err *err) MUST_CHECK;

#endif
