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

/* -- reading a date ------------------------------------------------------------------------ */

static bool take_number(const char **text, int digits, int *out)
{
    int number = 0;
    for (int i = 0; i < digits; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        number = number * 10 + (**text - '0');
    }
    *out = number;
    return true;
}

/* One of the characters. */
static bool take_one(const char **text, const char *of)
{
    bool there = **text != '\0' && strchr(of, **text) != NULL;
    *text += there;
    return there;
}

static bool take_day(const char **text, struct tm *out)
{
    int year = 0;
    if (!take_number(text, 4, &year) || !take_one(text, "-") ||
        !take_number(text, 2, &out->tm_mon) || !take_one(text, "-") ||
        !take_number(text, 2, &out->tm_mday))
        return false;
    out->tm_year = year - 1900;
    out->tm_mon--;
    return true;
}

static bool take_time(const char **text, struct tm *out)
{
    int ignored;
    if (!take_number(text, 2, &out->tm_hour) || !take_one(text, ":") ||
        !take_number(text, 2, &out->tm_min) || !take_one(text, ":") ||
        !take_number(text, 2, &out->tm_sec))
        return false;
    if (take_one(text, ".")) {
        if (!take_number(text, 1, &ignored))
            return false;
        while (take_number(text, 1, &ignored))
            ;
    }
    return out->tm_hour < 24 && out->tm_min < 60 && out->tm_sec <= 60;
}

/* What local time is ahead of UTC, in seconds. */
static bool take_offset(const char **text, int64_t *out)
{
    int hours = 0, minutes = 0;
    *out = 0;
    if (take_one(text, "Zz"))
        return true;
    int sign = **text == '-' ? -1 : 1;
    if (!take_one(text, "+-") || !take_number(text, 2, &hours) || !take_one(text, ":") ||
        !take_number(text, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *out = sign * (hours * INT64_C(3600) + minutes * INT64_C(60));
    return true;
}

bool clock_parse(const char *text, int64_t *seconds_out)
{
    struct tm date = {0};
    int64_t offset = 0;
    if (!take_day(&text, &date))
        return false;
    if (*text != '\0' &&
        (!take_one(&text, "Tt ") || !take_time(&text, &date) || !take_offset(&text, &offset)))
        return false;
    struct tm same = date;
    same.tm_sec = 0; /* a leap second is the next day's */
    int64_t minute = (int64_t)timegm(&same);
    bool there = same.tm_mday == date.tm_mday && same.tm_mon == date.tm_mon;
    *seconds_out = minute + date.tm_sec - offset;
    return *text == '\0' && there && *seconds_out >= 0;
}
