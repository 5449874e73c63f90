/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"

/* An object of the longest members, every octet of them escaped, stays below a line's limit,
 * so that JSON never has to be cut in the middle. */
enum { LINE_OCTETS = 8192, JSON_MESSAGE_OCTETS = 2048, JSON_MEMBER_OCTETS = 256 };

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
    [LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

static const struct {
    const char *name;
    int code;
} facilities[] = {
    {"mail", LOG_MAIL},         {"daemon", LOG_DAEMON}, {"user", LOG_USER},
    {"auth", LOG_AUTH},         {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},
    {"authpriv", LOG_AUTHPRIV}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
    {"local4", LOG_LOCAL4},     {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7},
};

/* Written by log_open before threads start, constant afterwards. */
static struct {
    char program[32];
    int64_t to, format, level;
} state = {.program = "inkan", .to = LOG_TO_STDERR, .level = LOG_LEVEL_INFO};

void log_open(const char *program, const struct settings *settings)
{
    int facility = LOG_MAIL;
    for (size_t i = 0; i < sizeof facilities / sizeof facilities[0]; i++)
        if (strcmp(facilities[i].name, settings->log.facility) == 0)
            facility = facilities[i].code;
    snprintf(state.program, sizeof state.program, "%s", program);
    state.to = settings->log.to;
    state.format = settings->log.format;
    state.level = settings->log.level;
    if (state.to == LOG_TO_SYSLOG)
        openlog(state.program, LOG_PID, facility); /* keeps the pointer to the name */
}

/* C0, DEL and, in UTF-8, C1. */
static bool control(struct span character)
{
    unsigned char first = (unsigned char)character.data[0];
    unsigned char second = character.len > 1 ? (unsigned char)character.data[1] : 0;
    return first < ' ' || first == 0x7f || (first == 0xc2 && second < 0xa0);
}

/* Appends `text` clean and, if it is longer than `limit`, cut between two characters. */
static void append_clean(struct buf *out, struct span text, size_t limit)
{
    static const struct span ellipsis = SPAN_LIT("\xe2\x80\xa6");
    size_t start = out->len;
    size_t cut = start; /* the last place where the ellipsis still fits */
    while (text.len > 0) {
        char escaped[16];
        size_t used = span_utf8(text);
        struct span piece = span_head(text, used);
        if (used == 0 || control(piece)) {
            used = 1;
            piece.data = escaped;
            piece.len = (size_t)snprintf(escaped, sizeof escaped, "\\x%02x",
                                         (unsigned)(unsigned char)text.data[0]);
        }
        if (out->len - start + piece.len > limit) {
            buf_truncate(out, cut);
            buf_append_span(out, ellipsis);
            return;
        }
        buf_append_span(out, piece);
        text = span_from(text, used);
        if (out->len - start + ellipsis.len <= limit)
            cut = out->len;
    }
}

static void add_member(json_t *object, const char *name, const char *value, size_t limit)
{
    struct buf clean = BUF_INIT(0);
    if (value == NULL)
        return;
    append_clean(&clean, span_str(value), limit);
    json_object_set_new(object, name, json_stringn(buf_cstr(&clean), clean.len));
    buf_clear(&clean);
}

static void format_json(struct buf *out, enum log_level level, const struct log_event *event,
                        const char *message)
{
    const struct {
        const char *name, *value;
    } members[] = {
        {"level", levels[level].name}, {"program", state.program},      {"event", event->event},
        {"queue_id", event->queue_id}, {"tenant", event->tenant},       {"domain", event->domain},
        {"selector", event->selector}, {"algorithm", event->algorithm}, {"reason", event->reason},
    };
    char date[CLOCK_DATE_SIZE];
    json_t *object = json_object();
    clock_date(clock_now_s(), date);
    add_member(object, "time", date, JSON_MEMBER_OCTETS);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        add_member(object, members[i].name, members[i].value, JSON_MEMBER_OCTETS);
    if (event->us >= 0)
        json_object_set_new(object, "us", json_integer(event->us));
    add_member(object, "message", message, JSON_MESSAGE_OCTETS);
    char *text = json_dumps(object, JSON_COMPACT);
    buf_append_str(out, text);
    free(text);
    json_decref(object);
}

static void format_text(struct buf *out, const struct log_event *event, const char *message)
{
    struct buf raw = BUF_INIT(0);
    if (event->queue_id != NULL)
        buf_printf(&raw, "%s: ", event->queue_id);
    buf_append_str(&raw, message);
    append_clean(out, buf_span(&raw), LINE_OCTETS);
    buf_clear(&raw);
}

/* In one call while the system lets us, so that lines of other threads and processes do not
 * come in between. */
static void write_line(struct span line)
{
    while (line.len > 0) {
        ssize_t done = write(STDERR_FILENO, line.data, line.len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        line = span_from(line, (size_t)done);
    }
}

static void emit(enum log_level level, const struct log_event *event, const char *message)
{
    struct buf line = BUF_INIT(0);
    if (state.to == LOG_TO_JOURNAL)
        buf_printf(&line, "<%d>", levels[level].priority);
    if (state.format == LOG_FORMAT_JSON)
        format_json(&line, level, event, message);
    else
        format_text(&line, event, message);
    if (state.to == LOG_TO_SYSLOG) {
        syslog(levels[level].priority, "%s", buf_cstr(&line));
    } else {
        buf_append_char(&line, '\n');
        write_line(buf_span(&line));
    }
    buf_clear(&line);
}

static void write_event(enum log_level level, const struct log_event *event, const char *fmt,
                        va_list args)
{
    int saved_errno = errno;
    struct buf message = BUF_INIT(0);
    buf_vprintf(&message, fmt, args);
    emit(level, event, buf_cstr(&message));
    buf_clear(&message);
    errno = saved_errno;
}

void log_event(enum log_level level, const struct log_event *event, const char *fmt, ...)
{
    if ((int64_t)level > state.level)
        return;
    va_list args;
    va_start(args, fmt);
    write_event(level, event, fmt, args);
    va_end(args);
}

void log_text(enum log_level level, const char *fmt, ...)
{
    static const struct log_event plain = {.event = "log", .us = -1};
    if ((int64_t)level > state.level)
        return;
    va_list args;
    va_start(args, fmt);
    write_event(level, &plain, fmt, args);
    va_end(args);
}

bool log_once_in(_Atomic int64_t *last_ms, int64_t period_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t last = atomic_load(last_ms);
    if (last != 0 && now_ms - last < period_ms)
        return false;
    return atomic_compare_exchange_strong(last_ms, &last, now_ms);
}
