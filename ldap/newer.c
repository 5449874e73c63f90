/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/newer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ldap/escape.h"
#include "ldap/layout.h"

enum { LOOK_BACK_S = 60 };
/* How much later than its time a change may be seen. */
enum { LATE_S = 2 };

static const char csn_attribute[] = "entryCSN";
static const char time_attribute[] = "modifyTimestamp";

/* -- times -------------------------------------------------------------------------------- */

/* A generalizedTime (RFC 4517 3.3.13) up to its seconds, which are followed by `rest`. */
static void write_time(int64_t seconds, const char *rest, struct buf *out)
{
    char text[sizeof "20261121120000"];
    time_t from = (time_t)seconds;
    struct tm utc;
    gmtime_r(&from, &utc);
    strftime(text, sizeof text, "%Y%m%d%H%M%S", &utc);
    buf_printf(out, "%s%s", text, rest);
}

static bool read_part(struct span *rest, size_t digits, int *out)
{
    uint64_t number = 0;
    struct span part = span_head(*rest, digits);
    *rest = span_from(*rest, digits);
    *out = part.len == digits && span_number(part, 9999, &number) ? (int)number : -1;
    return *out >= 0;
}

/* Servers write it with seconds and in UTC; a fraction of a second is cut off. */
static bool read_time(struct span text, int64_t *out)
{
    struct tm utc = {0};
    if (!read_part(&text, 4, &utc.tm_year) || !read_part(&text, 2, &utc.tm_mon) ||
        !read_part(&text, 2, &utc.tm_mday) || !read_part(&text, 2, &utc.tm_hour) ||
        !read_part(&text, 2, &utc.tm_min) || !read_part(&text, 2, &utc.tm_sec))
        return false;
    if (text.len == 0 || text.data[text.len - 1] != 'Z')
        return false;
    utc.tm_year -= 1900;
    utc.tm_mon--;
    *out = timegm(&utc);
    return true;
}

/* -- what is new -------------------------------------------------------------------------- */

void newer_start(struct newer *newer)
{
    struct buf csn = {0};
    *newer = (struct newer){.second = clock_now_s() - LOOK_BACK_S, .seen_ms = clock_monotonic_ms()};
    write_time(newer->second, ".000000Z#000000#000#000000", &csn);
    snprintf(newer->csn, sizeof newer->csn, "%s", buf_cstr(&csn));
    buf_clear(&csn);
}

static bool by_time(const struct newer *newer)
{
    return newer->attribute != NULL && strcmp(newer->attribute, time_attribute) == 0;
}

void newer_filter(const struct newer *newer, struct buf *out)
{
    if (by_time(newer)) {
        buf_printf(out, "(%s>=", time_attribute);
        write_time(newer->over ? newer->second + 1 : newer->second - LATE_S, "Z)", out);
        return;
    }
    buf_printf(out, "(&(%s>=", csn_attribute);
    escape_filter(span_str(newer->csn), out);
    buf_append_str(out, ")(!");
    escape_equals(csn_attribute, span_str(newer->csn), out);
    buf_append_str(out, "))");
}

void newer_note(struct newer *newer, struct span value, int64_t now_ms)
{
    char csn[NEWER_CSN_SIZE] = "";
    int64_t second = 0;
    if (by_time(newer)) {
        if (!read_time(value, &second) || second <= newer->second)
            return;
        newer->second = second;
        newer->seen_ms = now_ms;
        newer->over = false;
    } else if (value.len < sizeof csn) {
        memcpy(csn, value.data, value.len);
        if (strcmp(csn, newer->csn) > 0)
            memcpy(newer->csn, csn, sizeof csn);
    }
}

/* By the server's clock it was that second or later when it was seen. Who asked for the last time
 * before it was over has not had all of it, however long ago that is: a server may hang. */
void newer_done(struct newer *newer, int64_t sent_ms)
{
    if (sent_ms - newer->seen_ms >= (LATE_S + 1) * 1000)
        newer->over = true;
}

/* -- by which attribute ------------------------------------------------------------------- */

struct shown {
    bool csn, time;
};

static enum status take_shown(void *arg, const char *attribute, struct span value, struct err *err)
{
    struct shown *shown = arg;
    (void)value, (void)err;
    shown->csn |= span_equal_nocase(span_str(attribute), span_str(csn_attribute));
    shown->time |= span_equal_nocase(span_str(attribute), span_str(time_attribute));
    return ST_OK;
}

static enum status take_entry(void *arg, struct directory *dir, LDAPMessage *entry, struct err *err)
{
    return directory_values(dir, entry, take_shown, arg, err);
}

enum status newer_choose(struct newer *newer, struct directory *dir, struct err *err)
{
    static const char *const attributes[] = {csn_attribute, time_attribute, NULL};
    struct shown shown = {0};
    struct buf dn = {0};
    if (dir->map != NULL)
        buf_append_str(&dn, dir->root);
    else
        layout_dn(dir, LAYOUT_STATE, &dn);
    const struct directory_search search = {.base = buf_cstr(&dn),
                                            .scope = LDAP_SCOPE_BASE,
                                            .filter = "(objectClass=*)",
                                            .attributes = attributes,
                                            .here = true};
    enum status st = directory_search(dir, &search, take_entry, &shown, err);
    buf_clear(&dn);
    if (st == ST_TEMP)
        return st;
    newer->attribute = shown.time && !shown.csn ? time_attribute : csn_attribute;
    return ST_OK; /* an entry we may not see says nothing */
}
