/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a program that said so once still runs: a mark tells this very process from any other,
 * also from one that gets the same number later. By Linux's /proc. Any thread.
 */
#ifndef INKAN_BASE_PROCESS_H
#define INKAN_BASE_PROCESS_H

#include <stdbool.h>

#include "base/err.h"

enum { PROCESS_MARK_SIZE = 128 };

/* Writes the mark of this process: its number, the time it was started at, and where the number
 * counts (this boot of this host, this namespace of processes). No blanks. ST_TEMP without /proc.
 */
enum status process_mark(char out[PROCESS_MARK_SIZE], struct err *err) MUST_CHECK;
/* Whether the process of that mark has ended. False also when it cannot be known: it is of another
 * host, of an earlier boot, of another container, or the text is no mark. */
bool process_is_gone(const char *mark);

#endif
