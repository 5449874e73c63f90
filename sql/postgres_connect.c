/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/postgres_connect.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { HOSTS_MAX = 16, OPTIONS_MAX = 64 };

bool postgres_wait(PGconn *pg, bool write, int64_t deadline_ms)
{
    short wanted = (short)(write ? POLLIN | POLLOUT : POLLIN);
    struct pollfd socket = {.fd = PQsocket(pg), .events = wanted};
    int64_t left_ms = clock_left_ms(deadline_ms);
    return socket.fd >= 0 && left_ms > 0 && poll(&socket, 1, (int)left_ms) > 0;
}

const char *postgres_message(const char *message, char *out, size_t size)
{
    size_t len = 0;
    for (const char *c = message; *c != '\0' && len + 1 < size; c++) {
        bool blank = *c == '\n' || *c == '\t' || *c == ' ';
        if (!blank)
            out[len++] = *c;
        else if (len > 0 && out[len - 1] != ' ')
            out[len++] = ' ';
    }
    while (len > 0 && out[len - 1] == ' ')
        len--;
    out[len] = '\0';
    return out;
}

/* -- one host ----------------------------------------------------------------------------- */

/* What the URL says, with one host of its lists in the place of all. */
struct target {
    const char *keywords[OPTIONS_MAX + 4];
    const char *values[OPTIONS_MAX + 4];
    size_t count;
};

static void add(struct target *target, const char *keyword, const char *value)
{
    target->keywords[target->count] = keyword;
    target->values[target->count++] = value;
}

/* What people see in pg_stat_activity, and the one encoding of all texts here. */
static void add_ours(struct target *target)
{
    add(target, "fallback_application_name", "inkan");
    add(target, "client_encoding", "UTF8");
    target->keywords[target->count] = NULL;
    target->values[target->count] = NULL;
}

static const struct {
    const char *part; /* of libpq's message */
    enum status code;
} refusals[] = {
    {"password authentication failed", ST_DENIED},
    {"no password supplied", ST_DENIED},
    {"no pg_hba.conf entry", ST_DENIED},
    {"pg_hba.conf rejects", ST_DENIED},
    {"does not exist", ST_NOT_FOUND},
};

static enum status refused(PGconn *pg, struct err *err)
{
    char text[ERR_TEXT_SIZE];
    postgres_message(PQerrorMessage(pg), text, sizeof text);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (strstr(text, refusals[i].part) != NULL)
            return err_set(err, refusals[i].code, "postgresql: %s", text);
    }
    return err_set(err, ST_TEMP, "postgresql: %s", text);
}

static enum status connect_one(const struct target *target, int64_t deadline_ms, PGconn **out,
                               struct err *err)
{
    PGconn *pg = PQconnectStartParams(target->keywords, target->values, 0);
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    if (pg == NULL)
        return err_set(err, ST_TEMP, "postgresql: no memory");
    while (PQstatus(pg) != CONNECTION_BAD && step != PGRES_POLLING_OK &&
           step != PGRES_POLLING_FAILED) {
        struct pollfd socket = {.fd = PQsocket(pg)};
        socket.events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        int64_t left_ms = clock_left_ms(deadline_ms);
        if (left_ms == 0 || poll(&socket, 1, (int)left_ms) == 0) {
            enum status st = err_set(err, ST_TEMP, "postgresql: %s does not answer",
                                     PQhost(pg) != NULL ? PQhost(pg) : "the server");
            PQfinish(pg);
            return st;
        }
        step = PQconnectPoll(pg);
    }
    if (PQstatus(pg) == CONNECTION_OK && PQsetnonblocking(pg, 1) == 0) {
        *out = pg;
        return ST_OK;
    }
    enum status st = refused(pg, err);
    PQfinish(pg);
    return st;
}

/* -- several hosts ------------------------------------------------------------------------ */

/* The lists of a URL: host, hostaddr and port may each have as many entries as there are hosts,
 * or one for all, or none. */
struct lists {
    char *texts[3];
    const char *parts[3][HOSTS_MAX];
    size_t counts[3];
};

static const char *const list_keywords[3] = {"host", "hostaddr", "port"};

static enum status split(struct lists *lists, size_t which, const char *text, struct err *err)
{
    char *rest = lists->texts[which] = strdup(text);
    if (rest == NULL)
        return err_set(err, ST_TEMP, "postgresql: no memory");
    for (char *part; (part = strsep(&rest, ",")) != NULL;) {
        if (lists->counts[which] == HOSTS_MAX)
            return err_set(err, ST_INVALID, "store.url: more than %d hosts", HOSTS_MAX);
        lists->parts[which][lists->counts[which]++] = part;
    }
    return ST_OK;
}

static int list_of(const char *keyword)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(list_keywords[i], keyword) == 0)
            return i;
    }
    return -1;
}

/* Options with a value that is no list go to every host. */
static enum status read_options(const PQconninfoOption *options, struct target *target,
                                struct lists *lists, struct err *err)
{
    enum status st = ST_OK;
    for (; options->keyword != NULL && st == ST_OK; options++) {
        int which = list_of(options->keyword);
        if (options->val == NULL)
            continue;
        if (which >= 0)
            st = split(lists, (size_t)which, options->val, err);
        else if (target->count < OPTIONS_MAX)
            add(target, options->keyword, options->val);
    }
    return st;
}

static void add_host(struct target *target, const struct lists *lists, size_t index)
{
    for (size_t which = 0; which < 3; which++) {
        size_t count = lists->counts[which];
        if (count > 0)
            add(target, list_keywords[which], lists->parts[which][count == 1 ? 0 : index % count]);
    }
    add_ours(target);
}

/* A pooler such as PgBouncer takes a login although the server behind it is gone; another host of
 * the list may have one. */
static enum status check_answer(PGconn *pg, int64_t deadline_ms, struct err *err)
{
    bool sent = PQsendQueryParams(pg, "SELECT 1", 0, NULL, NULL, NULL, NULL, 1) != 0;
    while (sent && PQflush(pg) > 0)
        sent = postgres_wait(pg, true, deadline_ms) && PQconsumeInput(pg) != 0;
    while (sent && PQisBusy(pg))
        sent = postgres_wait(pg, false, deadline_ms) && PQconsumeInput(pg) != 0;
    PGresult *result = sent ? PQgetResult(pg) : NULL;
    bool good = result != NULL && PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    result = good ? PQgetResult(pg) : NULL; /* the end of the answers */
    PQclear(result);
    return good ? ST_OK
                : err_set(err, ST_TEMP, "postgresql: %s takes logins, but does not answer",
                          PQhost(pg));
}

static enum status connect_one_of_many(const struct target *target, int64_t deadline_ms,
                                       PGconn **out, struct err *err)
{
    enum status st = connect_one(target, deadline_ms, out, err);
    if (st != ST_OK)
        return st;
    st = check_answer(*out, deadline_ms, err);
    if (st != ST_OK)
        PQfinish(*out);
    return st;
}

static enum status connect_any(const struct target *base, const struct lists *lists,
                               int64_t deadline_ms, PGconn **out, struct err *err)
{
    size_t hosts = lists->counts[0] > lists->counts[1] ? lists->counts[0] : lists->counts[1];
    enum status st = ST_TEMP;
    hosts = hosts == 0 ? 1 : hosts;
    for (size_t i = 0; i < hosts && st != ST_OK; i++) {
        struct target target = *base;
        int64_t share_ms = clock_left_ms(deadline_ms) / (int64_t)(hosts - i);
        add_host(&target, lists, i);
        int64_t until_ms = clock_monotonic_ms() + share_ms;
        st = (hosts > 1 ? connect_one_of_many : connect_one)(&target, until_ms, out, err);
    }
    return st;
}

static enum status parse(const char *url, PQconninfoOption **out, struct err *err)
{
    char *why = NULL, text[ERR_TEXT_SIZE];
    *out = PQconninfoParse(url, &why);
    if (*out != NULL)
        return ST_OK;
    enum status st = err_set(err, ST_INVALID, "store.url: %s",
                             postgres_message(why != NULL ? why : "no memory", text, sizeof text));
    PQfreemem(why);
    return st;
}

/* In `user:password@host` or as an option. Looked for before libpq sees the URL, because its
 * messages may repeat parts of it. */
static bool has_password(struct span url)
{
    struct span rest = span_from(url, span_find(url, '/') + 2);
    struct span user = span_head(rest, strcspn(rest.data, "/?"));
    while (user.len > 0 && user.data[user.len - 1] != '@')
        user.len--;
    return span_find(user, ':') < user.len || strstr(url.data, "password") != NULL;
}

enum status postgres_check(const char *url, struct err *err)
{
    PQconninfoOption *options = NULL;
    if (strstr(url, "://") != NULL && has_password(span_str(url)))
        return err_set(err, ST_INVALID,
                       "store.url: a password must not stand here (give passfile=FILE instead)");
    enum status st = parse(url, &options, err);
    PQconninfoFree(options);
    return st;
}

/* prefer-standby is two rounds over the hosts, which libpq cannot make when it knows one. */
static enum status connect_preferred(struct target *target, const struct lists *lists,
                                     int64_t deadline_ms, PGconn **out, struct err *err)
{
    const char **wanted = NULL;
    for (size_t i = 0; i < target->count; i++) {
        if (strcmp(target->keywords[i], "target_session_attrs") == 0 &&
            strcmp(target->values[i], "prefer-standby") == 0)
            wanted = &target->values[i];
    }
    if (wanted != NULL) {
        int64_t half_ms = clock_left_ms(deadline_ms) / 2;
        *wanted = "standby";
        if (connect_any(target, lists, clock_monotonic_ms() + half_ms, out, err) == ST_OK)
            return ST_OK;
        *wanted = "any";
    }
    return connect_any(target, lists, deadline_ms, out, err);
}

enum status postgres_connect(const char *url, int64_t deadline_ms, PGconn **out, struct err *err)
{
    struct target target = {.count = 0};
    struct lists lists = {.counts = {0}};
    PQconninfoOption *options = NULL;
    enum status st = parse(url, &options, err);
    if (st == ST_OK)
        st = read_options(options, &target, &lists, err);
    if (st == ST_OK)
        st = connect_preferred(&target, &lists, deadline_ms, out, err);
    for (size_t i = 0; i < 3; i++)
        free(lists.texts[i]);
    PQconninfoFree(options);
    return st;
}
