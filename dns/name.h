/* SPDX-License-Identifier: Apache-2.0
 *
 * Domain names as text: lower case, without the final dot, the root as "". Octets other than
 * letters, digits, hyphens and underscores are written as \DDD (RFC 1035 5.1), dots within labels
 * too, so that a dot in the text always ends a label. Pure; any thread.
 */
#ifndef INKAN_DNS_NAME_H
#define INKAN_DNS_NAME_H

#include "base/bytes.h"

enum { NAME_SIZE = 1024 }; /* 255 octets on the wire, all of them escaped, and a NUL */

/* The name at the start of `wire`, not compressed. False, and *out "", when there is none. */
bool name_of_wire(struct span wire, char out[NAME_SIZE]);
/* The text form of a name as a person or a library may write it: capitals, a final dot. False when
 * it is too long. */
bool name_of_text(const char *text, char out[NAME_SIZE]);
/* The name without its first label; "" of a name of one label and of the root. Points into it. */
const char *name_parent(const char *name);
/* Whether the name is the zone's own or below it. Both in the form above. */
bool name_is_within(const char *name, const char *zone);

#endif
