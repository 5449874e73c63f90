/* SPDX-License-Identifier: Apache-2.0
 *
 * Names and contents of memcached entries under lock, for storage/shared.c: octets in, octets
 * out. Two keys are derived from the vault's current key-encryption key, one for names and one
 * for contents. An entry is
 *
 *     octet 0         format version
 *     octets 1..12    nonce, random
 *     octets 13..     AES-256-GCM ciphertext
 *     last 16 octets  tag
 *
 * with the format version and the domain's name as associated data, so an entry opens only under
 * the name and the version it was sealed for. The layout of the tables of fields goes into the
 * derivation: programs whose tables differ have different names and keys and never meet.
 *
 * Immutable once open: any thread.
 */
#ifndef INKAN_STORAGE_SEALED_H
#define INKAN_STORAGE_SEALED_H

#include "storage/vault.h"

enum {
    SEALED_FORMAT = 1,
    SEALED_EXTRA = 1 + 12 + 16,                   /* octets an entry is longer than its content */
    SEALED_NAME_SIZE = sizeof "inkan1:" + 2 * 32, /* text and its NUL */
};

struct sealed;

/* The vault is needed for the call only. */
enum status sealed_open(const struct vault *vault, struct sealed **out, struct err *err) MUST_CHECK;
void sealed_close(struct sealed *sealed); /* wipes; NULL is fine */

/* `inkan1:` and the HMAC-SHA256 of the domain's name in hex. False for what is longer than a
 * domain's name, and without memory. */
bool sealed_name(const struct sealed *sealed, const char *domain,
                 char out[SEALED_NAME_SIZE]) MUST_CHECK;
/* Appends the entry for a domain. False when OpenSSL fails. */
bool sealed_wrap(const struct sealed *sealed, const char *domain, struct span content,
                 struct buf *entry) MUST_CHECK;
/* Appends the content of the entry of a domain. False when it was not sealed with this key for
 * this domain in this format, or was changed; nothing is appended then. */
bool sealed_unwrap(const struct sealed *sealed, const char *domain, struct span entry,
                   struct buf *content) MUST_CHECK;

#endif
