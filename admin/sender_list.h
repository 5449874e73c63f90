/* SPDX-License-Identifier: Apache-2.0
 *
 * The lines of `inkan explain --list`: `AUTHOR [CLIENT [LOGIN]]`, with blanks or a comma between
 * them, `-` or nothing between commas for none, and comments from a word that begins with `#`.
 *
 * AUTHOR is an address, or a domain of which somebody is the author. CLIENT is an IP address, or
 * name[address] as Postfix logs it. Without client and login it is mail of this host, 127.0.0.1.
 * Any thread.
 */
#ifndef INKAN_ADMIN_SENDER_LIST_H
#define INKAN_ADMIN_SENDER_LIST_H

#include "admin/senders.h"

/* The author of which a list names only the domain. */
#define SENDER_LIST_SOMEBODY "somebody@"

/* Spans of the line, but for an author who is somebody, which is made in `room`. ST_NOT_FOUND: the
 * line has nobody; ST_INVALID says what is wrong with it. */
enum status sender_list_read(struct span line, struct buf *room, struct senders_name *out,
                             struct err *err) MUST_CHECK;

#endif
