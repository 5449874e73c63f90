/* SPDX-License-Identifier: Apache-2.0
 *
 * Who OpenDKIM takes for the author: the first mailbox of a From field, read by its own rules,
 * which are neither strict nor those of dkim/address.h. Comments and the white space outside of
 * quotes go; quotes and backslashes stay in the local part; of a group or a list the first
 * address is taken, of several `@` the last one begins the domain. Pure; any thread.
 */
#ifndef INKAN_OPENDKIM_AUTHOR_H
#define INKAN_OPENDKIM_AUTHOR_H

#include "base/bytes.h"

/* Fills both (zeroed, for the caller to clear) with what OpenDKIM reads of the value; either may
 * stay empty. False: it cannot read the value (quotes, comments or brackets without an end). */
bool author_read(struct span value, struct buf *user_out, struct buf *domain_out);

#endif
