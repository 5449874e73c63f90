/* SPDX-License-Identifier: Apache-2.0
 *
 * Transaction signatures (RFC 8945): a key that both sides know, from a file with a BIND key
 * clause; the signature of a message and the check of the answer to it. Works on messages as they
 * are sent, because that is what is signed; neither sends nor has a clock.
 *
 * hmac-sha256, hmac-sha384 and hmac-sha512 are known, with their whole length. A key belongs to
 * its owner, who wipes it with tsig_clear; any threads may sign with it meanwhile.
 */
#ifndef INKAN_DNS_TSIG_H
#define INKAN_DNS_TSIG_H

#include "base/bytes.h"

enum {
    TSIG_FILE_MAX = 16384,  /* octets of a key file */
    TSIG_SECRET_MIN = 16,   /* octets of a secret, decoded */
    TSIG_SECRET_MAX = 1024, /* the same */
    TSIG_NAME_SIZE = 254,   /* 253 octets of a key's name and a NUL */
    TSIG_MAC_MAX = 64,      /* octets of the longest signature */
    TSIG_FUDGE_S = 300,     /* how far two clocks may differ, RFC 8945 10 */
};

enum tsig_algorithm { TSIG_HMAC_SHA256, TSIG_HMAC_SHA384, TSIG_HMAC_SHA512 };

struct tsig_key {
    enum tsig_algorithm algorithm;
    char name[TSIG_NAME_SIZE]; /* in lower case, without the final dot */
    struct buf secret;
};

/* Finds an algorithm by its name in a key clause, case aside. ST_INVALID says which are known, or
 * that md5 and sha1 are not taken any more. */
enum status tsig_algorithm_parse(struct span name, enum tsig_algorithm *out,
                                 struct err *err) MUST_CHECK;

/* Reads `key NAME { algorithm A; secret S; };`, as named.conf has it and tsig-keygen writes it,
 * comments included. ST_INVALID names the line and what is wrong there; what stands there is never
 * repeated but for the names of algorithms. Clear with tsig_clear also after a failure. */
enum status tsig_parse(struct span text, struct tsig_key *out, struct err *err) MUST_CHECK;
/* The same from a file. ST_BROKEN: missing, unreadable, over TSIG_FILE_MAX; ST_DENIED as of
 * secretfile_read, where the group may read a file of root's. */
enum status tsig_read(const char *path, struct tsig_key *out, struct err *err) MUST_CHECK;
/* Wipes. A zeroed key is fine. */
void tsig_clear(struct tsig_key *key);

struct tsig_mac {
    uint8_t octets[TSIG_MAC_MAX];
    size_t len;
};

/* Signs a whole message by adding a TSIG record to it; the signature is also in *mac_out, for the
 * check of the answer. ST_INVALID when it is no message or has no room, ST_BROKEN when OpenSSL
 * does not do it; the message is as it was then. */
enum status tsig_sign(const struct tsig_key *key, int64_t now_s, struct buf *message,
                      struct tsig_mac *mac_out, struct err *err) MUST_CHECK;
/* Checks the answer to a message that was signed as in *request (RFC 8945 5.3). ST_OK: it is from
 * somebody who knows the secret, is an answer to that very message, is of now, and took our
 * signature. ST_DENIED for everything else, with one of these reasons: the answer is not signed,
 * is wrongly signed, is none; the server does not know the key, has another secret for it, or has
 * a clock too far from ours. An answer that was not taken must not be believed. */
enum status tsig_verify(const struct tsig_key *key, const struct tsig_mac *request, int64_t now_s,
                        struct span answer, struct err *err) MUST_CHECK;

#endif
