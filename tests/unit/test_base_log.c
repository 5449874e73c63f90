/* SPDX-License-Identifier: Apache-2.0
 *
 * What a log line looks like, and what can never get into one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <unistd.h>

#include "base/log.h"

/* Standard error goes to a file while a test runs. */
static int saved_stderr = -1;
static FILE *captured;

static void capture_begin(void)
{
    captured = tmpfile();
    assert_non_null(captured);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(fileno(captured), STDERR_FILENO) >= 0);
}

static void capture_end(struct buf *out)
{
    char chunk[4096];
    size_t got;
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    close(saved_stderr);
    rewind(captured);
    while ((got = fread(chunk, 1, sizeof chunk, captured)) > 0)
        buf_append(out, chunk, got);
    fclose(captured);
}

static void open_log(enum settings_log_to to, enum settings_log_format format, enum log_level level)
{
    struct settings settings = {0};
    char facility[] = "mail";
    settings.log.to = to;
    settings.log.format = format;
    settings.log.level = level;
    settings.log.facility = facility;
    log_open("inkand", &settings);
}

/* One event, written and caught. */
static void catch (struct buf *out, const struct log_event *event, const char *message)
{
    capture_begin();
    log_event(LOG_LEVEL_INFO, event, "%s", message);
    capture_end(out);
}

static const struct log_event signed_event = {
    .event = "signed",
    .queue_id = "4F2B11A0",
    .tenant = "acme",
    .domain = "example.com",
    .us = 412,
};

/* Must run first: nothing has opened the log yet. */
static void before_log_open_lines_go_to_stderr(void **state)
{
    (void)state;
    struct buf seen = BUF_INIT(0);
    capture_begin();
    log_text(LOG_LEVEL_DEBUG, "not at this level");
    log_text(LOG_LEVEL_ERROR, "no settings: %d", 1);
    capture_end(&seen);
    assert_string_equal(buf_cstr(&seen), "no settings: 1\n");
    buf_clear(&seen);
}

static const struct text_case {
    const char *name, *queue_id, *message, *line;
} text_cases[] = {
    {"queue id first", "4F2B11A0", "not signed", "4F2B11A0: not signed\n"},
    {"no queue id", NULL, "started", "started\n"},
    {"forged line", NULL, "from a\n4F2B11A0: DKIM-Signature field added",
     "from a\\x0a4F2B11A0: DKIM-Signature field added\n"},
    {"forged queue id", "4F\r2B", "x", "4F\\x0d2B: x\n"},
    {"tab and escape", NULL, "a\tb\x1b[2J", "a\\x09b\\x1b[2J\n"},
    {"DEL", NULL, "a\x7f", "a\\x7f\n"},
    {"C1 controls", NULL, "a\xc2\x85z\xc2\x9b\xc2\xa0", "a\\xc2\\x85z\\xc2\\x9b\xc2\xa0\n"},
    {"UTF-8 stays", NULL, "K\xc3\xb6ln \xe5\x8d\xb0", "K\xc3\xb6ln \xe5\x8d\xb0\n"},
    {"broken UTF-8", NULL, "K\xf6ln \xe5\x8d", "K\\xf6ln \\xe5\\x8d\n"},
    {"quotes stay", NULL, "\"a\\b\"", "\"a\\b\"\n"},
    {"empty", NULL, "", "\n"},
};

static void text_lines_are_clean(void **state)
{
    (void)state;
    open_log(LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    for (size_t i = 0; i < sizeof text_cases / sizeof text_cases[0]; i++) {
        struct buf seen = BUF_INIT(0);
        struct log_event event = {.event = "x", .queue_id = text_cases[i].queue_id, .us = -1};
        catch (&seen, &event, text_cases[i].message);
        if (strcmp(buf_cstr(&seen), text_cases[i].line) != 0)
            fail_msg("%s: %s", text_cases[i].name, buf_cstr(&seen));
        buf_clear(&seen);
    }
}

static void the_journal_gets_priorities(void **state)
{
    (void)state;
    struct buf seen = BUF_INIT(0);
    open_log(LOG_TO_JOURNAL, LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG);
    capture_begin();
    log_text(LOG_LEVEL_ERROR, "a");
    log_text(LOG_LEVEL_WARNING, "b");
    log_text(LOG_LEVEL_INFO, "c");
    log_text(LOG_LEVEL_DEBUG, "d");
    capture_end(&seen);
    assert_string_equal(buf_cstr(&seen), "<3>a\n<4>b\n<6>c\n<7>d\n");
    buf_clear(&seen);
}

static void the_level_filters(void **state)
{
    (void)state;
    struct buf seen = BUF_INIT(0);
    open_log(LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_WARNING);
    capture_begin();
    log_text(LOG_LEVEL_INFO, "info");
    log_event(LOG_LEVEL_DEBUG, &signed_event, "debug");
    log_text(LOG_LEVEL_WARNING, "warning");
    capture_end(&seen);
    assert_string_equal(buf_cstr(&seen), "warning\n");
    buf_clear(&seen);
}

static void syslog_keeps_stderr_empty(void **state)
{
    (void)state;
    struct buf seen = BUF_INIT(0);
    open_log(LOG_TO_SYSLOG, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    errno = EPERM;
    catch (&seen, &signed_event, "to syslog");
    assert_int_equal(seen.len, 0);
    buf_clear(&seen);
}

static void json_holds_what_is_known(void **state)
{
    (void)state;
    struct buf seen = BUF_INIT(0);
    open_log(LOG_TO_STDERR, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    catch (&seen, &signed_event, "field added");
    const char *text = buf_cstr(&seen);
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    const char *time = json_string_value(json_object_get(object, "time"));
    assert_int_equal(strlen(time), strlen("2026-11-21T12:00:00Z"));
    assert_non_null(strstr(text, "\"level\":\"info\",\"program\":\"inkand\",\"event\":\"signed\","
                                 "\"queue_id\":\"4F2B11A0\",\"tenant\":\"acme\","
                                 "\"domain\":\"example.com\",\"us\":412,"
                                 "\"message\":\"field added\"}\n"));
    assert_null(json_object_get(object, "selector"));
    json_decref(object);
    buf_reset(&seen);
    capture_begin();
    log_text(LOG_LEVEL_WARNING, "plain");
    capture_end(&seen);
    assert_non_null(strstr(buf_cstr(&seen), "\"level\":\"warning\",\"program\":\"inkand\","
                                            "\"event\":\"log\",\"message\":\"plain\"}\n"));
    buf_clear(&seen);
}

static void json_is_clean(void **state)
{
    (void)state;
    struct buf seen = BUF_INIT(0);
    struct log_event event = {.event = "unsigned", .reason = "a\"b\n\xff", .us = -1};
    open_log(LOG_TO_STDERR, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    catch (&seen, &event, "\xc3\xa4\x01\"");
    json_t *object = json_loads(buf_cstr(&seen), 0, NULL);
    assert_non_null(object);
    assert_string_equal(json_string_value(json_object_get(object, "reason")), "a\"b\\x0a\\xff");
    assert_string_equal(json_string_value(json_object_get(object, "message")), "\xc3\xa4\\x01\"");
    json_decref(object);
    buf_clear(&seen);
}

/* Every member as long as can be, all of it in need of an escape. */
static void long_lines_are_cut(void **state)
{
    (void)state;
    struct buf seen = BUF_INIT(0);
    char long_text[20001];
    memset(long_text, '"', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    struct log_event event = {.event = "unsigned",
                              .queue_id = long_text,
                              .tenant = long_text,
                              .domain = long_text,
                              .selector = long_text,
                              .algorithm = long_text,
                              .reason = long_text,
                              .us = INT64_MAX};
    open_log(LOG_TO_STDERR, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    catch (&seen, &event, long_text);
    assert_in_range(seen.len, 4096, 8192);
    json_t *object = json_loads(buf_cstr(&seen), 0, NULL);
    assert_non_null(object);
    json_decref(object);
    buf_reset(&seen);
    open_log(LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    event.queue_id = "4F2B11A0";
    catch (&seen, &event, long_text);
    assert_int_equal(seen.len, 8193);
    assert_true(span_has_suffix_nocase(buf_span(&seen), SPAN_LIT("\"\xe2\x80\xa6\n")));
    buf_reset(&seen);
    event.queue_id = NULL;
    long_text[8193] = '\0';
    catch (&seen, &event, long_text);
    assert_int_equal(seen.len, 8193);
    assert_true(span_has_suffix_nocase(buf_span(&seen), SPAN_LIT("\"\xe2\x80\xa6\n")));
    buf_reset(&seen);
    long_text[8192] = '\0';
    catch (&seen, &event, long_text);
    assert_int_equal(seen.len, 8193);
    assert_true(span_has_suffix_nocase(buf_span(&seen), SPAN_LIT("\"\"\n")));
    buf_clear(&seen);
}

/* Text of two and four octets is cut between characters whatever the offset is. */
static void cutting_leaves_characters_whole(void **state)
{
    (void)state;
    open_log(LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    for (int shift = 0; shift < 5; shift++) {
        struct buf message = BUF_INIT(0);
        struct buf seen = BUF_INIT(0);
        struct log_event event = {.us = -1};
        buf_append(&message, "abcd", (size_t)shift);
        for (int i = 0; i < 3000; i++)
            buf_append_str(&message, "\xf0\x9f\x98\x80");
        catch (&seen, &event, buf_cstr(&message));
        assert_in_range(seen.len, 8180, 8193);
        assert_true(
            span_has_suffix_nocase(buf_span(&seen), SPAN_LIT("\xf0\x9f\x98\x80\xe2\x80\xa6\n")));
        assert_null(strstr(buf_cstr(&seen), "\\x"));
        buf_clear(&message);
        buf_clear(&seen);
    }
}

enum { WRITERS = 4, LINES = 200 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        log_text(LOG_LEVEL_INFO, "%s", (const char *)arg);
    return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
    (void)state;
    static char texts[WRITERS][1001];
    pthread_t threads[WRITERS];
    struct buf seen = BUF_INIT(0);
    struct span line;
    size_t lines = 0;
    open_log(LOG_TO_STDERR, LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    capture_begin();
    for (int i = 0; i < WRITERS; i++) {
        memset(texts[i], 'a' + i, sizeof texts[i] - 1);
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, texts[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    capture_end(&seen);
    struct span rest = buf_span(&seen);
    while (span_next(&rest, '\n', &line) && line.len > 0) {
        assert_int_equal(line.len, 1000);
        for (size_t i = 1; i < line.len; i++)
            assert_int_equal(line.data[i], line.data[0]);
        lines++;
    }
    assert_int_equal(lines, WRITERS * LINES);
    buf_clear(&seen);
}

static void writing_keeps_errno(void **state)
{
    (void)state;
    struct buf seen = BUF_INIT(0);
    open_log(LOG_TO_STDERR, LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    capture_begin();
    close(STDERR_FILENO);
    errno = EPERM;
    log_text(LOG_LEVEL_INFO, "to nowhere");
    int after = errno;
    capture_end(&seen);
    assert_int_equal(after, EPERM);
    buf_clear(&seen);
}

static void once_in_a_period(void **state)
{
    (void)state;
    _Atomic int64_t last_ms = 0;
    assert_true(log_once_in(&last_ms, 60000));
    assert_false(log_once_in(&last_ms, 60000));
    last_ms -= 60000;
    assert_true(log_once_in(&last_ms, 60000));
    assert_false(log_once_in(&last_ms, 60000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_log_open_lines_go_to_stderr),
        cmocka_unit_test(text_lines_are_clean),
        cmocka_unit_test(the_journal_gets_priorities),
        cmocka_unit_test(the_level_filters),
        cmocka_unit_test(syslog_keeps_stderr_empty),
        cmocka_unit_test(json_holds_what_is_known),
        cmocka_unit_test(json_is_clean),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(cutting_leaves_characters_whole),
        cmocka_unit_test(threads_do_not_mix_lines),
        cmocka_unit_test(writing_keeps_errno),
        cmocka_unit_test(once_in_a_period),
    };
    return cmocka_run_group_tests_name("base_log", tests, NULL, NULL);
}
