/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

int64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

int64_t clock_now_s(void)
{
    return (int64_t)time(NULL);
}

int64_t clock_left_ms(int64_t deadline_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    return deadline_ms > now_ms ? deadline_ms - now_ms : 0;
}

struct timespec clock_timespec(int64_t deadline_ms)
{
    return (struct timespec){
        .tv_sec = (time_t)(deadline_ms / 1000),
        .tv_nsec = (long)(deadline_ms % 1000) * 1000000,
    };
}

void clock_date(int64_t seconds, char out[CLOCK_DATE_SIZE])
{
    time_t when = (time_t)seconds;
    struct tm utc;
    char text[64];
    /* A year that needs more than four digits does not fit the form; nobody means such a date. */
    if (gmtime_r(&when, &utc) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) != CLOCK_DATE_SIZE - 1)
        memcpy(text, "0000-00-00T00:00:00Z", CLOCK_DATE_SIZE);
    memcpy(out, text, CLOCK_DATE_SIZE);
}
