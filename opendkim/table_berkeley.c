/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "opendkim/files.h"
#include "opendkim/table_internal.h"

enum { DUMP_SECONDS = 120 };

/* Berkeley's own program writes the file as text, and no library of theirs is needed. */
static const char *const dumpers[] = {"db5.3_dump", "db_dump"};

/* -- the program -------------------------------------------------------------------------- */

static void become_dumper(const char *path, int out)
{
    int nothing = open("/dev/null", O_RDWR);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(out, 1) < 0 || dup2(nothing, 2) < 0)
        _exit(126);
    for (size_t i = 0; i < sizeof dumpers / sizeof dumpers[0]; i++)
        execlp(dumpers[i], dumpers[i], "-p", path, (char *)NULL);
    _exit(127);
}

static enum status read_until(int fd, int64_t deadline_ms, struct buf *out, struct err *err)
{
    char chunk[65536];
    ssize_t got = 1;
    enum status status = ST_OK;
    while (status == ST_OK && got != 0 && out->failed == ST_OK) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int64_t left = deadline_ms - clock_monotonic_ms();
        int polled = left <= 0 ? 0 : poll(&ready, 1, (int)left);
        if (polled == 0)
            status = err_set(err, ST_TEMP, "db_dump did not end in %d s", DUMP_SECONDS);
        if (polled <= 0)
            continue;
        got = read(fd, chunk, sizeof chunk);
        if (got > 0)
            buf_append(out, chunk, (size_t)got);
        else if (got < 0 && errno != EINTR)
            status = err_set(err, ST_BROKEN, "what db_dump writes cannot be read");
    }
    bytes_wipe(chunk, sizeof chunk);
    return status == ST_OK ? buf_check(out, "what db_dump writes", err) : status;
}

static enum status judge(int state, struct err *err)
{
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return ST_OK;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 127)
        return err_set(err, ST_DENIED,
                       "neither db5.3_dump nor db_dump can be run (Debian: db5.3-util), and "
                       "nothing else reads Berkeley's files");
    return err_set(err, ST_INVALID, "db_dump cannot read it: not a data base of Berkeley's?");
}

static enum status dump(const char *path, struct buf *out, struct err *err)
{
    int ends[2];
    int state = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, ST_TEMP, "no pipe for db_dump");
    pid_t child = fork();
    if (child == 0)
        become_dumper(path, ends[1]);
    close(ends[1]);
    enum status status = ST_OK;
    if (child < 0)
        status = err_set(err, ST_TEMP, "no process for db_dump");
    else
        status = read_until(ends[0], clock_monotonic_ms() + DUMP_SECONDS * 1000, out, err);
    close(ends[0]);
    if (child < 0)
        return status;
    if (status != ST_OK)
        kill(child, SIGKILL);
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        ;
    return status == ST_OK ? judge(state, err) : status;
}

/* -- its text ----------------------------------------------------------------------------- */

static int digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *found = c == '\0' ? NULL : strchr(digits, ascii_lower(c));
    return found == NULL ? -1 : (int)(found - digits);
}

/* A line of data: a space, then octets of which those that cannot be printed are \xx. */
static bool unescape(struct span line, struct buf *out)
{
    if (line.len == 0 || line.data[0] != ' ')
        return false;
    for (size_t i = 1; i < line.len; i++) {
        char c = line.data[i];
        if (c == '\\' && i + 1 < line.len && line.data[i + 1] == '\\') {
            i++;
        } else if (c == '\\') {
            int high = i + 2 < line.len ? digit(line.data[i + 1]) : -1;
            int low = i + 2 < line.len ? digit(line.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        buf_append_char(out, c);
    }
    return true;
}

static void note_record(const struct table *table, struct span key, struct span value)
{
    if (key.len > 0 && key.data[key.len - 1] == '\0')
        table_note(table, NOTES_NOTICE, 0,
                   "%.*s: the key ends with a NUL, and OpenDKIM never finds it",
                   (int)span_head(key, span_find(key, '\0')).len, key.data);
    if (value.len > TABLE_BERKELEY_MAX)
        table_note(table, NOTES_NOTICE, 0,
                   "%.*s: the value has %zu octets; OpenDKIM has room for %d and fails",
                   (int)span_head(key, 200).len, key.data, value.len, TABLE_BERKELEY_MAX);
}

static bool next_line(struct span *rest, struct span *line)
{
    return rest->len > 0 && span_next(rest, '\n', line);
}

static enum status read_records(struct table *table, struct span text, struct err *err)
{
    struct span line = {NULL, 0};
    struct span end = SPAN_LIT("DATA=END");
    struct buf key = BUF_SECRET(0);
    struct buf value = BUF_SECRET(0);
    enum status status = ST_OK;
    while (next_line(&text, &line) && !span_equal(line, SPAN_LIT("HEADER=END")))
        ;
    while (status == ST_OK && next_line(&text, &line) && !span_equal(line, end)) {
        buf_reset(&key);
        buf_reset(&value);
        if (!unescape(line, &key) || !next_line(&text, &line) || !unescape(line, &value)) {
            status = err_set(err, ST_INVALID, "what db_dump writes is not understood");
            break;
        }
        note_record(table, buf_span(&key), buf_span(&value));
        status = table_add_octets(table, buf_span(&key), buf_span(&value), err);
    }
    if (status == ST_OK && !span_equal(line, end))
        status = err_set(err, ST_INVALID, "what db_dump writes has no end");
    buf_clear(&key);
    buf_clear(&value);
    return status;
}

enum status table_read_berkeley(struct table *table, struct err *err)
{
    struct buf text = BUF_SECRET(FILES_TABLE_MAX);
    enum status status = ST_OK;
    if (access(table->path, R_OK) != 0)
        return err_set(err, errno == ENOENT ? ST_NOT_FOUND : ST_BROKEN, "cannot be opened");
    status = dump(table->path, &text, err);
    if (status == ST_OK)
        status = read_records(table, buf_span(&text), err);
    buf_clear(&text);
    return status;
}
