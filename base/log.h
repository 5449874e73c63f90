/* SPDX-License-Identifier: Apache-2.0
 *
 * The log: one event, one line, to syslog, to standard error or to the journal (standard error
 * with priority prefixes), as text or as one JSON object a line. Control characters and broken
 * UTF-8 never reach a line: they are written as \xNN, so that no sender of mail can forge one.
 *
 * log_open is called once per process before threads start (again after fork with the same
 * options is fine); the write functions may be called from any thread. Only main programs and
 * server/ log; libraries return errors instead. No secret may be handed in.
 */
#ifndef INKAN_BASE_LOG_H
#define INKAN_BASE_LOG_H

#include "base/settings.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* What an event is about. Members that are NULL are left out of the JSON object. In text
 * form the line is `queue_id: ` (when there is one) and the formatted text. */
struct log_event {
    const char *event; /* signed, unsigned, tempfail, started, ... */
    const char *queue_id;
    const char *tenant, *domain, *selector, *algorithm;
    const char *reason;
    int64_t us; /* duration of the work; below 0: left out */
};

void log_open(const char *program, const struct settings *settings);
/* A line about a message or another structured event; fmt is the text for people. */
void log_event(enum log_level level, const struct log_event *event, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* A line without structure (JSON: event "log"). */
void log_text(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* True at most once in `period_ms` for one `last` variable (starting at 0): for errors that
 * would otherwise be logged with every message. Atomic. */
bool log_once_in(_Atomic int64_t *last_ms, int64_t period_ms);

#endif
