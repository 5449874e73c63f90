/* SPDX-License-Identifier: Apache-2.0
 *
 * Who sends, each once however often: author, client and login, with a count. The memory is bounded
 * by how many different ones are kept; the others are counted only. One thread.
 */
#ifndef INKAN_ADMIN_SENDERS_H
#define INKAN_ADMIN_SENDERS_H

#include "base/bytes.h"

enum {
    SENDERS_MAX = 1000000,   /* different ones */
    SENDERS_TEXT_MAX = 1000, /* octets of a name; who reads them refuses longer ones */
};

struct senders;

/* Empty where there is none. */
struct senders_name {
    struct span author, client, client_name, login;
};

struct sender {
    const char *author, *client, *client_name, *login; /* "": none */
    int64_t count;
    const char
        *said; /* what a log says that was last signed, as outcome_text has it; NULL: nothing */
};

/* Room for `max` different ones; NULL when memory is short. Free with senders_free. */
struct senders *senders_new(size_t max) MUST_CHECK;
void senders_free(struct senders *senders); /* NULL is fine */

/* Counts one more message of that sender; `said` may be NULL and is copied. ST_TEMP without
 * memory. */
enum status senders_add(struct senders *senders, const struct senders_name *name, const char *said,
                        struct err *err) MUST_CHECK;

size_t senders_count(const struct senders *senders);
/* In the order they were first seen: the next after one, or the first (NULL); NULL at the end. */
const struct sender *senders_next(const struct senders *senders, const struct sender *after);
/* Messages of senders for which there was no room. */
int64_t senders_left_out(const struct senders *senders);

#endif
