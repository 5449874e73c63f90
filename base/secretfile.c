/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secretfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status system_fault(const char *what, struct err *err)
{
    char text[128];
    int number = errno;
    return err_set(err, ST_BROKEN, "%s: %s", what, strerror_r(number, text, sizeof text));
}

static enum status check_mode(const struct stat *info, enum secretfile_readers readers,
                              struct err *err)
{
    bool group = readers == SECRETFILE_GROUP;
    mode_t others = group && info->st_uid == 0 ? 037 : 077;
    if ((info->st_mode & others) == 0)
        return ST_OK;
    return err_set(err, ST_DENIED, "mode %04o (must be 0600 or stricter%s)",
                   (unsigned)info->st_mode & 07777, group ? ", or root's with 0640" : "");
}

static enum status check_safe(const struct stat *info, enum secretfile_readers readers,
                              struct err *err)
{
    if (!S_ISREG(info->st_mode))
        return err_set(err, ST_DENIED, "not a regular file");
    if (info->st_uid != 0 && info->st_uid != geteuid())
        return err_set(err, ST_DENIED, "belongs to uid %u (must be root or uid %u)",
                       (unsigned)info->st_uid, (unsigned)geteuid());
    return check_mode(info, readers, err);
}

static enum status read_all(int fd, struct buf *out, struct err *err)
{
    char chunk[4096];
    ssize_t got = 0;
    while (out->failed == ST_OK && (got = read(fd, chunk, sizeof chunk)) > 0)
        buf_append(out, chunk, (size_t)got);
    bytes_wipe(chunk, sizeof chunk);
    if (got < 0)
        return system_fault("cannot read", err);
    if (out->failed == ST_INVALID)
        return err_set(err, ST_BROKEN, "over %zu octets", out->limit);
    return buf_check(out, "the file", err);
}

enum status secretfile_read(const char *path, enum secretfile_readers readers, struct buf *out,
                            struct err *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return system_fault("cannot open", err);
    enum status status =
        fstat(fd, &info) == 0 ? check_safe(&info, readers, err) : system_fault("cannot stat", err);
    if (status == ST_OK)
        status = read_all(fd, out, err);
    close(fd);
    return status;
}
