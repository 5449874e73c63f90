/* SPDX-License-Identifier: Apache-2.0 */
#include "opendkim/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 65536 };

static enum status system_fault(const char *what, struct err *err)
{
    char text[128];
    enum status code = errno == ENOENT || errno == ENOTDIR ? ST_NOT_FOUND : ST_BROKEN;
    int number = errno;
    return err_set(err, code, "%s: %s", what, strerror_r(number, text, sizeof text));
}

static enum status read_all(int fd, struct buf *out, struct err *err)
{
    ssize_t got = 1;
    while (out->failed == ST_OK && got > 0) {
        char chunk[CHUNK];
        got = read(fd, chunk, sizeof chunk);
        if (got > 0)
            buf_append(out, chunk, (size_t)got);
        if (out->secret)
            bytes_wipe(chunk, sizeof chunk);
    }
    if (got < 0)
        return system_fault("cannot be read", err);
    if (out->failed == ST_INVALID)
        return err_set(err, ST_INVALID, "has more than %zu octets", out->limit);
    return buf_check(out, "the file", err);
}

enum status files_read(const char *path, struct buf *out, struct err *err)
{
    struct stat info;
    enum status status = ST_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return system_fault("cannot be opened", err);
    if (fstat(fd, &info) != 0)
        status = system_fault("cannot be looked at", err);
    else if (!S_ISREG(info.st_mode))
        status = err_set(err, ST_INVALID, "is not a regular file");
    else
        status = read_all(fd, out, err);
    close(fd);
    return status;
}
