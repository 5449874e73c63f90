/* SPDX-License-Identifier: Apache-2.0 */
#include "server/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status pidfile_write(const char *path, struct pidfile *out, struct err *err)
{
    if (path[0] == '\0')
        return ST_OK;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool written = fd >= 0 && dprintf(fd, "%d\n", getpid()) > 0;
    int cause = errno;
    if (fd >= 0)
        close(fd);
    if (!written)
        return err_set(err, ST_INVALID, "[server] pid_file: %s: %s", path, strerror(cause));
    out->path = span_dup(span_str(path));
    return ST_OK;
}

void pidfile_remove(struct pidfile *pidfile)
{
    if (pidfile->path != NULL)
        unlink(pidfile->path);
    free(pidfile->path);
    pidfile->path = NULL;
}
