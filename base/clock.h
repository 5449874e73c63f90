/* SPDX-License-Identifier: Apache-2.0
 *
 * Time. Deadlines are milliseconds of the monotonic clock, dates are seconds since 1970 (UTC).
 * dkim/ has no clock: its callers hand the date in. Any thread.
 */
#ifndef INKAN_BASE_CLOCK_H
#define INKAN_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
/* Seconds since 1970-01-01 UTC. */
int64_t clock_now_s(void);
/* Milliseconds until a deadline of clock_monotonic_ms, at least 0. */
int64_t clock_left_ms(int64_t deadline_ms);
/* A monotonic deadline as the absolute time pthread_cond_timedwait wants from a condition
 * variable made with CLOCK_MONOTONIC. */
struct timespec clock_timespec(int64_t deadline_ms);

enum { CLOCK_DATE_SIZE = sizeof "2026-11-21T12:00:00Z" };
/* Writes `seconds` as 2026-11-21T12:00:00Z. */
void clock_date(int64_t seconds, char out[CLOCK_DATE_SIZE]);
/* Reads a date, which is its midnight in UTC, or a date and time as RFC 3339 5.6 has it:
 * 2026-11-21, 2026-11-21T12:00:00Z, 2026-11-21T12:00:00.5+01:00 (fractions of a second are left
 * out). False: it is none, or one before 1970. */
bool clock_parse(const char *text, int64_t *seconds_out);

#endif
