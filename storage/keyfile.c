/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secretfile.h"

static enum status system_fault(const char *path, const char *what, struct err *err)
{
    char text[128];
    int number = errno;
    enum status code = number == ENOSPC || number == EDQUOT || number == EIO ? ST_TEMP : ST_BROKEN;
    return err_set(err, code, "keyring %s: %s: %s", path, what,
                   strerror_r(number, text, sizeof text));
}

enum status keyfile_read(const char *path, struct buf *content, struct err *err)
{
    enum status st = secretfile_read(path, SECRETFILE_OWNER, content, err);
    return st == ST_OK ? ST_OK : err_context(err, "keyring %s", path);
}

static enum status write_all(int fd, const char *path, struct span content, struct err *err)
{
    while (content.len > 0) {
        ssize_t put = write(fd, content.data, content.len);
        if (put < 0 && errno != EINTR)
            return system_fault(path, "cannot write", err);
        content = span_from(content, put > 0 ? (size_t)put : 0);
    }
    return fsync(fd) == 0 ? ST_OK : system_fault(path, "cannot write", err);
}

static enum status open_folder(const char *path, int *fd_out, struct err *err)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    char *folder = span_dup(slash == NULL ? SPAN_LIT(".") : span_of(path, len > 0 ? len : 1));
    *fd_out = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(folder);
    return *fd_out >= 0 ? ST_OK : system_fault(path, "cannot open its folder", err);
}

/* Without this a crash may forget the name though the file is on disk. */
static enum status sync_folder(const char *path, struct err *err)
{
    int fd;
    enum status st = open_folder(path, &fd, err);
    if (st != ST_OK)
        return st;
    if (fsync(fd) != 0)
        st = system_fault(path, "cannot write its folder", err);
    close(fd);
    return st;
}

enum status keyfile_lock(const char *path, int *fd_out, struct err *err)
{
    char *file = realpath(path, NULL);
    enum status st = open_folder(file != NULL ? file : path, fd_out, err);
    free(file);
    if (st != ST_OK || flock(*fd_out, LOCK_EX | LOCK_NB) == 0)
        return st;
    if (errno == EWOULDBLOCK)
        st = err_set(err, ST_CONFLICT, "keyring %s: somebody else is changing it", path);
    else
        st = system_fault(path, "cannot lock its folder", err);
    close(*fd_out);
    *fd_out = -1;
    return st;
}

enum status keyfile_create(const char *path, struct span content, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return err_set(err, ST_CONFLICT, "keyring %s: exists already", path);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return err_set(err, ST_INVALID, "keyring %s: there is no such folder", path);
    if (fd < 0)
        return system_fault(path, "cannot create", err);
    enum status st = write_all(fd, path, content, err);
    close(fd);
    if (st == ST_OK)
        st = sync_folder(path, err);
    if (st != ST_OK)
        unlink(path);
    return st;
}

static enum status replace(const char *path, struct span content, struct err *err)
{
    char next[4096];
    struct stat old;
    if ((size_t)snprintf(next, sizeof next, "%s.new", path) >= sizeof next)
        return err_set(err, ST_INVALID, "keyring: path too long");
    if (stat(path, &old) != 0)
        return system_fault(path, "cannot stat", err);
    unlink(next); /* what a crash left behind */
    enum status st = keyfile_create(next, content, err);
    if (st != ST_OK)
        return st;
    if (chown(next, old.st_uid, old.st_gid) != 0 || rename(next, path) != 0) {
        st = system_fault(path, "cannot replace", err);
        unlink(next);
        return st;
    }
    return sync_folder(path, err);
}

enum status keyfile_replace(const char *path, struct span content, struct err *err)
{
    char *file = realpath(path, NULL);
    enum status st =
        file != NULL ? replace(file, content, err) : system_fault(path, "cannot find", err);
    free(file);
    return st;
}
