/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 as RFC 3629 defines it, for the places where RFC 6532 and RFC 8616 admit it. Pure.
 */
#ifndef INKAN_DKIM_UTF8_H
#define INKAN_DKIM_UTF8_H

#include "base/bytes.h"

/* True if all of `text` is well formed: no overlong form, no surrogate, nothing past U+10FFFF. */
bool dkim_utf8_is_valid(struct span text);

#endif
