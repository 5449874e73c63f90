/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the world can verify what an OpenDKIM that is taken over signs: what DNS shows of its
 * keys, before anything is written. One thread.
 */
#ifndef INKAN_ADMIN_TAKEOVER_DNS_H
#define INKAN_ADMIN_TAKEOVER_DNS_H

#include "admin/takeover.h"

/* How many keys DNS shows, and how many it does not or said nothing about. */
struct takeover_dns {
    size_t right, unverifiable, silent;
};

/* Looks for the record of each key, keeps in the key what was seen, and notes it at the key's
 * place. ST_TEMP when nobody answers for any of them, or of many in a row; else what proofs_open
 * says. */
enum status takeover_dns_check(struct admin *admin, struct takeover *takeover,
                               struct takeover_dns *out, struct err *err) MUST_CHECK;

#endif
