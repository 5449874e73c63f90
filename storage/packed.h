/* SPDX-License-Identifier: Apache-2.0
 *
 * A profile as octets, for storage/shared.c: made from the tables of fields, so a new field is in
 * it by itself. Numbers are eight octets, most significant first; texts and octets have their
 * length in four octets in front; everything stands in table order.
 *
 * Reading trusts nothing: each length is tested against its field's limit and against what is
 * there before memory is taken, each number against its range, and nothing may be left over.
 * Any thread.
 */
#ifndef INKAN_STORAGE_PACKED_H
#define INKAN_STORAGE_PACKED_H

#include "storage/model.h"

enum { PACKED_MAX = 1000 * 1000 /* octets; memcached takes no item over a mebibyte */ };

/* A profile, found or not, and when the store gave it. */
struct packed {
    struct profile profile;
    int64_t time_s; /* since 1970 */
};

/* Appends; a profile of more octets than the maximum makes the buffer fail. */
void packed_write(const struct profile *profile, int64_t time_s, struct buf *out);
/* Into a zeroed struct; false when the octets are not exactly what packed_write makes, and then
 * nothing is left to free. */
bool packed_read(struct span octets, struct packed *out) MUST_CHECK;
/* Appends what the layout depends on: two programs that write the same text here understand each
 * other's octets. */
void packed_layout(struct buf *out);

#endif
