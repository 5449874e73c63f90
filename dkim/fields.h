/* SPDX-License-Identifier: Apache-2.0
 *
 * The header of one message: its fields in order, each kept byte for byte as
 * `Name:value` without the final CRLF, in one block of memory. Belongs to one thread; reset it
 * to use its memory for the next message.
 */
#ifndef INKAN_DKIM_FIELDS_H
#define INKAN_DKIM_FIELDS_H

#include "base/bytes.h"

struct dkim_field {
    size_t start;    /* offset of the name in fields.text */
    size_t name_len; /* octets before the colon, trailing white space not counted */
    size_t colon;    /* offset of the colon, from start */
    size_t len;      /* octets of the whole field */
};

struct dkim_fields {
    struct buf text;
    struct dkim_field *list;
    size_t count, cap;
    size_t max_count; /* 0: no limit */
    size_t max_bytes; /* 0: no limit */
};

/* Appends a field. `value` is all that follows the colon, its leading space included; a line
 * end inside it may be LF or CRLF, is followed by white space and is kept as CRLF. ST_INVALID
 * over a limit, for a CR or LF that is no such fold, or for a name that is empty or holds
 * anything but printable ASCII without the colon (RFC 5322 2.2), ST_TEMP when memory is short. */
enum status dkim_fields_add(struct dkim_fields *fields, struct span name, struct span value,
                            struct err *err) MUST_CHECK;
/* Splits a message with CRLF line ends: the header goes into `fields` (which may hold limits),
 * `body_out` is the rest after the empty line. A message without an empty line has no body.
 * ST_INVALID for a header line that is no field; the text names the line's number. */
enum status dkim_fields_split(struct span message, struct dkim_fields *fields,
                              struct span *body_out, struct err *err) MUST_CHECK;
/* Turns every bare LF and bare CR into CRLF, as a submission agent does (RFC 6376 5.3). */
void dkim_message_crlf(struct span message, struct buf *out);

struct span dkim_fields_text(const struct dkim_fields *fields, size_t index); /* Name:value */
struct span dkim_fields_name(const struct dkim_fields *fields, size_t index);
struct span dkim_fields_value(const struct dkim_fields *fields, size_t index);
/* How many fields have this name (any case). */
size_t dkim_fields_count(const struct dkim_fields *fields, struct span name);
/* The nth from the bottom (0: the last) of that name, or SIZE_MAX (RFC 6376 5.4.2). */
size_t dkim_fields_from_bottom(const struct dkim_fields *fields, struct span name, size_t nth);

void dkim_fields_reset(struct dkim_fields *fields);
void dkim_fields_clear(struct dkim_fields *fields);

#endif
