/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/csv.h"

enum { CHUNK_SIZE = 65536, MARK_SIZE = 3 };

/* Reads more behind what is there; false at the end and when reading fails. */
static bool read_more(struct lines *lines)
{
    size_t before = lines->chunk.len;
    char *place = buf_extend(&lines->chunk, CHUNK_SIZE);
    ssize_t got = -1;
    if (place == NULL) {
        lines->fault = ENOMEM;
        return false;
    }
    do
        got = read(lines->fd, place, CHUNK_SIZE);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        lines->fault = errno;
    buf_truncate(&lines->chunk, before + (got > 0 ? (size_t)got : 0));
    return got > 0;
}

static int peek(struct lines *lines)
{
    if (lines->at == lines->chunk.len) {
        buf_reset(&lines->chunk);
        lines->at = 0;
        if (!read_more(lines))
            return -1;
    }
    return (unsigned char)lines->chunk.data[lines->at];
}

static void take(struct lines *lines)
{
    lines->next_number += lines->chunk.data[lines->at] == '\n';
    lines->at++;
    lines->done++;
}

static void pass_mark(struct lines *lines)
{
    while (lines->chunk.len < MARK_SIZE && read_more(lines))
        continue;
    if (span_has_prefix(buf_span(&lines->chunk), SPAN_LIT("\xef\xbb\xbf")))
        lines->at = MARK_SIZE;
}

enum status lines_open(const char *path, struct lines *out, struct err *err)
{
    struct stat info;
    bool standard = strcmp(path, "-") == 0;
    *out = (struct lines){.text = BUF_SECRET(LINES_OCTETS_MAX),
                          .chunk = BUF_SECRET(0),
                          .next_number = 1,
                          .fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)};
    if (out->fd < 0)
        return err_set(err, ST_INVALID, "%s: %s", path, strerror(errno));
    if (fstat(out->fd, &info) == 0 && S_ISREG(info.st_mode))
        out->size = info.st_size;
    pass_mark(out);
    if (out->fault != 0)
        return err_set(err, ST_INVALID, "%s: %s", path, strerror(out->fault));
    return ST_OK;
}

void lines_close(struct lines *lines)
{
    if (lines->fd >= 0)
        close(lines->fd);
    lines->fd = -1;
    buf_clear(&lines->text);
    buf_clear(&lines->chunk);
}

int lines_peek(struct lines *lines)
{
    int c;
    while ((c = peek(lines)) >= 0 && strchr(" \t\r\n", c) != NULL)
        take(lines);
    return c;
}

static enum status ended(const struct lines *lines, struct err *err)
{
    if (lines->fault != 0)
        return err_set(err, ST_TEMP, "%s", strerror(lines->fault));
    return ST_NOT_FOUND;
}

/* Of CRLF only the LF ended the line. */
static enum status finish(struct lines *lines, struct err *err)
{
    struct buf *text = &lines->text;
    if (text->failed == ST_INVALID)
        return err_set(err, ST_INVALID, "longer than %d octets%s", LINES_OCTETS_MAX,
                       lines->csv ? " (is a quote not closed?)" : "");
    if (text->len > 0 && text->data[text->len - 1] == '\r')
        buf_truncate(text, text->len - 1);
    return buf_check(text, "line", err);
}

enum status lines_next(struct lines *lines, struct err *err)
{
    struct csv_scan scan = {CSV_START};
    int c = peek(lines);
    lines->number = lines->next_number;
    buf_reset(&lines->text);
    if (c < 0)
        return ended(lines, err);
    for (bool more = true; more && c >= 0; c = more ? peek(lines) : c) {
        take(lines);
        /* After a line that is too long the next one begins where it looks like it. */
        bool quoted = lines->csv && lines->text.failed == ST_OK;
        more = quoted ? !csv_ends(&scan, (char)c) : c != '\n';
        if (more)
            buf_append_char(&lines->text, (char)c);
    }
    return lines->fault != 0 ? ended(lines, err) : finish(lines, err);
}
