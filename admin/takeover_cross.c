/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "admin/takeover.h"

enum { CROSSINGS_MAX = 5000000 };

/* Patterns of the form `ann@*` and `ann@.host`, by host. */
struct wide_users {
    const struct takeover_pattern **list;
    size_t count;
};

static bool is_wide_user(const struct takeover_pattern *pattern)
{
    return pattern->user != NULL && pattern->level != RULE_AT;
}

static bool is_host(const struct takeover_pattern *pattern)
{
    return pattern->user == NULL && pattern->level != RULE_EVERYWHERE;
}

/* A domain with keys that no line is about. */
static bool is_silent_host(const struct takeover_pattern *pattern)
{
    return is_host(pattern) && pattern->wanted == NULL;
}

typedef bool is_such(const struct takeover_pattern *pattern);

static int by_host(const void *a, const void *b)
{
    const struct takeover_pattern *x = *(const struct takeover_pattern *const *)a;
    const struct takeover_pattern *y = *(const struct takeover_pattern *const *)b;
    int order = strcmp(x->host, y->host);
    return order != 0 ? order : strcmp(x->text, y->text);
}

/* Those that are there now, and not what comes of crossings: it reaches nothing else. */
static enum status find_wide_users(const struct takeover *takeover, struct wide_users *out,
                                   struct err *err)
{
    size_t count = 0;
    for (const struct takeover_pattern *each = takeover->patterns; each != NULL;
         each = each->hh.next)
        count += is_wide_user(each);
    out->list = calloc(count + 1, sizeof *out->list);
    if (out->list == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (const struct takeover_pattern *each = takeover->patterns; each != NULL;
         each = each->hh.next)
        if (is_wide_user(each))
            out->list[out->count++] = each;
    qsort(out->list, out->count, sizeof *out->list, by_host);
    return ST_OK;
}

/* The first of the wide users of that host, with those of all hosts behind it before it. */
static size_t first_of(const struct wide_users *users, const char *host)
{
    size_t low = 0, high = users->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(users->list[middle]->host, host) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The hosts of wide users that a host is covered by, from the nearest (`last` NULL) to `*`, behind
 * which there is none (NULL). */
static const char *next_host(const struct takeover_pattern *covered, const char *last)
{
    const char *from = last != NULL ? last : covered->host;
    if (last == NULL && covered->level == RULE_ABOVE)
        return from;
    if (strcmp(from, RULE_ANYWHERE) == 0)
        return NULL;
    const char *dot = strchr(from, '.');
    return dot != NULL ? dot + 1 : RULE_ANYWHERE;
}

static bool is_of(const struct wide_users *users, size_t index, const char *host)
{
    return index < users->count && strcmp(users->list[index]->host, host) == 0;
}

static size_t count_crossings(const struct takeover *takeover, const struct wide_users *users,
                              is_such *is)
{
    size_t count = 0;
    for (const struct takeover_pattern *each = takeover->patterns; each != NULL;
         each = each->hh.next)
        for (const char *host = is(each) ? next_host(each, NULL) : NULL; host != NULL;
             host = next_host(each, host))
            for (size_t i = first_of(users, host); is_of(users, i, host); i++)
                count++;
    return count;
}

static enum status cross(struct takeover *takeover, const struct wide_users *users,
                         const struct takeover_pattern *covered, struct err *err)
{
    enum status status = ST_OK;
    for (const char *host = next_host(covered, NULL); host != NULL;
         host = next_host(covered, host)) {
        for (size_t i = first_of(users, host); status == ST_OK && is_of(users, i, host); i++) {
            const struct takeover_author author = {.user = span_str(users->list[i]->user),
                                                   .host = span_str(covered->host),
                                                   .level = covered->level};
            status = takeover_add_pattern(takeover, &author, users->list[i]->place, err);
        }
    }
    return status;
}

static enum status cross_all(struct takeover *takeover, const struct wide_users *users, is_such *is,
                             struct err *err)
{
    enum status status = ST_OK;
    if (count_crossings(takeover, users, is) > CROSSINGS_MAX) {
        notes_add(takeover->notes, NOTES_CHANGED, (struct notes_place){NULL, 0},
                  "too many patterns of the form user@* or user@.host to compare with all hosts; "
                  "where both match the host counts");
        return ST_OK;
    }
    for (const struct takeover_pattern *each = takeover->patterns; each != NULL && status == ST_OK;
         each = each->hh.next)
        if (is(each))
            status = cross(takeover, users, each, err);
    return status;
}

enum status takeover_add_crossings(struct takeover *takeover, struct err *err)
{
    const struct table *table = signing_table(takeover->signing, "SigningTable");
    bool ordered = table != NULL && table_type_of(table) == TABLE_REFILE;
    bool multiple = configuration_flag(takeover->configuration, "MultipleSignatures");
    struct wide_users users = {.list = NULL};
    enum status status = find_wide_users(takeover, &users, err);
    if (status == ST_OK && users.count > 0)
        status = cross_all(takeover, &users, ordered || multiple ? is_host : is_silent_host, err);
    free(users.list);
    return status;
}
