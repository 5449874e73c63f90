/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets of the milter protocol over a stream socket: four octets of length, a code, the
 * content. Knows nothing of what they mean. Part of admin/milter.c; one thread at a time.
 */
#ifndef INKAN_ADMIN_MILTER_WIRE_H
#define INKAN_ADMIN_MILTER_WIRE_H

#include "base/bytes.h"

struct milter_wire {
    int fd;             /* owned; below 0: not open */
    int64_t timeout_ms; /* of one flush or one read */
    struct buf out;     /* packets collected and not yet sent */
    struct buf in;      /* the content of the packet last read */
};

/* Closes the socket and frees. */
void milter_wire_clear(struct milter_wire *wire);

/* Opens a packet at the end of `out`; what is appended to `out` until milter_wire_end, which
 * takes the answer of this, is its content. */
size_t milter_wire_begin(struct milter_wire *wire, char code);
void milter_wire_end(struct milter_wire *wire, size_t start);
/* A number in network order; a text with its NUL. */
void milter_wire_number(struct milter_wire *wire, uint32_t number);
void milter_wire_string(struct milter_wire *wire, const char *text);

/* Sends what is collected. ST_TEMP: not within the timeout, or the connection is gone. */
enum status milter_wire_flush(struct milter_wire *wire, struct err *err) MUST_CHECK;
/* Reads one packet: its code into *code_out, its content into `in`. ST_TEMP as above, ST_BROKEN
 * for a length that no packet has. */
enum status milter_wire_read(struct milter_wire *wire, char *code_out, struct err *err) MUST_CHECK;

#endif
