/* SPDX-License-Identifier: Apache-2.0 */
#include "opendkim/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 65536, LINKS_MAX = 40 };

static enum status system_fault(const char *what, struct err *err)
{
    char text[128];
    enum status code = errno == ENOENT || errno == ENOTDIR ? ST_NOT_FOUND : ST_BROKEN;
    int number = errno;
    return err_set(err, code, "%s: %s", what, strerror_r(number, text, sizeof text));
}

/* -- beneath another root ----------------------------------------------------------------- */

struct way {
    struct files_place *place; /* how far it has come */
    char left[PATH_MAX];       /* what is still to go */
    int links;
};

/* One up, and never out of the root. */
static void go_up(struct files_place *place)
{
    char *slash = strrchr(place->path + place->root_len, '/');
    if (slash != NULL)
        *slash = '\0';
}

static int join(char out[PATH_MAX], const char *head, const char *between, const char *tail)
{
    char whole[PATH_MAX];
    int len = snprintf(whole, sizeof whole, "%s%s%s", head, between, tail);
    if (len < 0 || (size_t)len >= sizeof whole)
        return ENAMETOOLONG;
    memcpy(out, whole, (size_t)len + 1);
    return 0;
}

/* Puts what the link says before what is left. */
static int follow(struct way *way)
{
    char target[PATH_MAX];
    ssize_t len = readlink(way->place->path, target, sizeof target - 1);
    if (len < 0)
        return errno;
    if (++way->links > LINKS_MAX)
        return ELOOP;
    target[len] = '\0';
    go_up(way->place);
    if (target[0] == '/')
        way->place->path[way->place->root_len] = '\0';
    return join(way->left, target, "", way->left);
}

/* Takes the slashes that come next, or else the name. */
static int step(struct way *way)
{
    struct stat info;
    char name[PATH_MAX];
    size_t slashes = strspn(way->left, "/");
    size_t len = slashes > 0 ? slashes : strcspn(way->left, "/");
    snprintf(name, sizeof name, "%.*s", (int)len, way->left);
    memmove(way->left, way->left + len, strlen(way->left + len) + 1);
    if (slashes > 0 || strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0) {
        go_up(way->place);
        return 0;
    }
    int fault = join(way->place->path, way->place->path, "/", name);
    if (fault != 0)
        return fault;
    if (lstat(way->place->path, &info) != 0)
        return errno;
    if (S_ISLNK(info.st_mode))
        return follow(way);
    return way->left[0] == '\0' || S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
}

enum status files_resolve(const char *root, const char *path, struct files_place *out,
                          struct err *err)
{
    struct way way = {.place = out};
    out->root_len = 0;
    if (realpath(root == NULL ? path : root, out->path) == NULL)
        return system_fault("cannot be reached", err);
    if (root == NULL)
        return ST_OK;
    if (strcmp(out->path, "/") == 0)
        out->path[0] = '\0';
    out->root_len = strlen(out->path);
    for (errno = join(way.left, path, "", ""); errno == 0 && way.left[0] != '\0';)
        errno = step(&way);
    if (errno != 0)
        return system_fault("cannot be reached", err);
    if (out->path[0] == '\0')
        memcpy(out->path, "/", sizeof "/");
    return ST_OK;
}

/* -- reading ------------------------------------------------------------------------------ */

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
