/* SPDX-License-Identifier: Apache-2.0
 *
 * Values in search filters and distinguished names. Nothing else builds either: every octet that
 * means something there goes through here, so no value can end a filter or name another entry.
 */
#ifndef INKAN_LDAP_ESCAPE_H
#define INKAN_LDAP_ESCAPE_H

#include "base/bytes.h"

/* Appends the value as RFC 4515 3 wants it in a filter: `*`, `(`, `)`, `\`, control characters
 * and octets past ASCII as \XX. */
void escape_filter(struct span value, struct buf *out);

/* Appends `(attribute=value)`. */
void escape_equals(const char *attribute, struct span value, struct buf *out);

/* Appends `attribute=value` as RFC 4514 2.4 wants it in a distinguished name: `"`, `+`, `,`, `;`,
 * `<`, `=`, `>`, `\`, `#`, blanks at the ends, control characters and octets past ASCII as \XX. */
void escape_rdn(const char *attribute, struct span value, struct buf *out);

#endif
