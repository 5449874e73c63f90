/* SPDX-License-Identifier: Apache-2.0 */
#include "base/calendar.h"

#include <time.h>

enum { DAY_S = 86400, YEAR_LEAST = 1970, YEAR_MOST = 9999, LEAP_YEAR = 2024 };

struct day {
    int year; /* 0: of each */
    int month, day;
};

struct window {
    struct day from, to;
};

static int64_t seconds_at(int year, const struct day *day)
{
    struct tm utc = {.tm_year = year - 1900, .tm_mon = day->month - 1, .tm_mday = day->day};
    return timegm(&utc);
}

/* -- reading ------------------------------------------------------------------------------ */

static bool read_number(struct span *rest, size_t digits, int most, int *out)
{
    uint64_t number = 0;
    struct span part = span_head(*rest, digits);
    *rest = span_from(*rest, digits);
    *out = 0;
    if (part.len != digits || !span_number(part, (uint64_t)most, &number) || number == 0)
        return false;
    *out = (int)number;
    return true;
}

static bool read_hyphen(struct span *rest)
{
    bool there = rest->len > 0 && rest->data[0] == '-';
    *rest = span_from(*rest, 1);
    return there;
}

/* 2026-12-18 or 12-18. A day that the month does not have would be one of the next month. */
static bool read_day(struct span text, struct day *out)
{
    *out = (struct day){0};
    bool dated = text.len == sizeof "2026-12-18" - 1;
    if (dated && (!read_number(&text, 4, YEAR_MOST, &out->year) || !read_hyphen(&text) ||
                  out->year < YEAR_LEAST))
        return false;
    if (!read_number(&text, 2, 12, &out->month) || !read_hyphen(&text) ||
        !read_number(&text, 2, 31, &out->day) || text.len > 0)
        return false;
    time_t at = (time_t)seconds_at(dated ? out->year : LEAP_YEAR, out);
    struct tm utc;
    return gmtime_r(&at, &utc) != NULL && utc.tm_mday == out->day;
}

static bool read_window(struct span text, struct window *out)
{
    size_t slash = span_find(text, '/');
    if (slash >= text.len || !read_day(span_trim(span_head(text, slash)), &out->from) ||
        !read_day(span_trim(span_from(text, slash + 1)), &out->to))
        return false;
    if ((out->from.year == 0) != (out->to.year == 0))
        return false;
    return out->from.year == 0 ||
           seconds_at(out->from.year, &out->from) <= seconds_at(out->to.year, &out->to);
}

enum status calendar_check(struct span windows, struct err *err)
{
    struct span item;
    struct window window;
    while (windows.len > 0 && span_next(&windows, ',', &item)) {
        if (!read_window(span_trim(item), &window))
            return err_set(err, ST_INVALID,
                           "%.*s is neither DATE/DATE nor MM-DD/MM-DD, the earlier first",
                           (int)span_head(item, 40).len, item.data);
    }
    return ST_OK;
}

/* -- asking ------------------------------------------------------------------------------- */

static int64_t until_in(const struct window *window, int from_year, int to_year, int64_t now_s)
{
    int64_t from = seconds_at(from_year, &window->from);
    int64_t until = seconds_at(to_year, &window->to) + DAY_S;
    return now_s >= from && now_s < until ? until : 0;
}

/* A window of each year may have begun in the year before. */
static int64_t until_yearly(const struct window *window, int64_t now_s)
{
    time_t at = (time_t)now_s;
    struct tm utc;
    if (gmtime_r(&at, &utc) == NULL)
        return 0;
    int year = utc.tm_year + 1900;
    bool over = seconds_at(year, &window->from) > seconds_at(year, &window->to);
    int64_t until = until_in(window, year, over ? year + 1 : year, now_s);
    return until != 0 || !over ? until : until_in(window, year - 1, year, now_s);
}

int64_t calendar_until(struct span windows, int64_t now_s)
{
    int64_t latest = 0;
    struct span item;
    struct window window;
    while (span_next(&windows, ',', &item)) {
        if (!read_window(span_trim(item), &window))
            continue;
        int64_t until = window.from.year == 0
                            ? until_yearly(&window, now_s)
                            : until_in(&window, window.from.year, window.to.year, now_s);
        if (until > latest)
            latest = until;
    }
    return latest;
}
