/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows of days in which nothing is to change: 2026-12-18/2027-01-06, or each year 12-18/01-06,
 * comma separated. Both days belong to the window; days are those of UTC. Pure; any thread.
 */
#ifndef INKAN_BASE_CALENDAR_H
#define INKAN_BASE_CALENDAR_H

#include "base/bytes.h"

/* ST_INVALID says what is no window. An empty list is fine. */
enum status calendar_check(struct span windows, struct err *err) MUST_CHECK;
/* 0: the time (seconds since 1970) is in none of the windows; else the first second after all of
 * those that it is in. The list was checked before. */
int64_t calendar_until(struct span windows, int64_t now_s);

#endif
