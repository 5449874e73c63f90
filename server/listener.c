/* SPDX-License-Identifier: Apache-2.0 */
#include "server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, DESCRIPTORS_LOOKED_AT = 1024 };

static bool is_listening(int fd)
{
    int on = 0;
    socklen_t len = sizeof on;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on != 0;
}

/* libmilter keeps its descriptor to itself: it is the listening one that was not there before
 * (a descriptor may have been inherited from who started us). */
static int find_listening(const bool before[DESCRIPTORS_LOOKED_AT])
{
    for (int fd = 0; fd < DESCRIPTORS_LOOKED_AT; fd++)
        if (!before[fd] && is_listening(fd))
            return fd;
    return -1;
}

/* Whether the socket at `path` is dead: nobody accepts on it any more. */
static bool nobody_answers(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    bool refused = connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* smfi_opensocket(true) would remove whatever is there, another daemon's live socket too. */
static enum status remove_stale(const char *path, struct err *err)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return ST_OK; /* whatever it is, bind will say it */
    if (!S_ISSOCK(info.st_mode))
        return err_set(err, ST_INVALID, "unix:%s: exists and is not a socket", path);
    if (!nobody_answers(path))
        return err_set(err, ST_TEMP, "unix:%s: another program is listening there", path);
    if (unlink(path) != 0)
        return err_set(err, ST_INVALID, "unix:%s: a stale socket cannot be removed: %s", path,
                       strerror(errno));
    return ST_OK;
}

/* libmilter remembers the path of a unix socket, and the first worker to stop would unlink it
 * for everybody, if it may. So libmilter gets a name that is good only now: through a
 * descriptor of the directory, whose number stands for /dev/null right afterwards. */
static enum status open_unix(const struct sockname *name, mode_t mode, struct err *err)
{
    char directory[SOCKNAME_PATH_SIZE], conn[SOCKNAME_TEXT_SIZE];
    const char *base = strrchr(name->path, '/') + 1;
    snprintf(directory, sizeof directory, "%.*s", (int)(base - name->path), name->path);
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ST_INVALID, "unix:%s: directory %s: %s", name->path, directory,
                       strerror(errno));
    snprintf(conn, sizeof conn, "unix:/proc/self/fd/%d/%s", fd, base);
    mode_t old_mask = umask(~mode & 0777);
    errno = 0;
    bool opened = smfi_setconn(conn) == MI_SUCCESS && smfi_opensocket(false) == MI_SUCCESS;
    int cause = errno;
    umask(old_mask);
    int null = open("/dev/null", O_PATH | O_CLOEXEC);
    bool hidden = null >= 0 && dup3(null, fd, O_CLOEXEC) == fd;
    if (null >= 0)
        close(null);
    if (!opened)
        return err_set(err, ST_INVALID, "unix:%s: cannot be opened: %s", name->path,
                       cause == 0 ? "libmilter does not say why" : strerror(cause));
    return hidden ? ST_OK : err_set(err, ST_TEMP, "/dev/null: %s", strerror(errno));
}

static enum status own_unix(const struct sockname *name, mode_t mode, gid_t group, struct err *err)
{
    if (group != (gid_t)-1 && chown(name->path, (uid_t)-1, group) != 0)
        return err_set(err, ST_INVALID, "unix:%s: cannot be given to group %u: %s", name->path,
                       group, strerror(errno));
    if (chmod(name->path, mode) != 0)
        return err_set(err, ST_INVALID, "unix:%s: %s", name->path, strerror(errno));
    return ST_OK;
}

/* libmilter tells only syslog why it cannot bind, so the same is tried here first. Bound and not
 * listening: a connection that an MTA got now would be cut when this socket is closed. Linux
 * refuses the address of a listening socket here as well. */
static enum status try_bind(const struct addrinfo *address, const char *text, struct err *err)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                 bind(fd, address->ai_addr, address->ai_addrlen) == 0;
    int cause = errno;
    if (fd >= 0)
        close(fd);
    if (bound)
        return ST_OK;
    return err_set(err, cause == EADDRINUSE ? ST_TEMP : ST_INVALID, "%s: cannot be opened: %s",
                   text,
                   cause == EADDRINUSE ? "another program is listening there" : strerror(cause));
}

static enum status check_inet(const struct sockname *name, const char *text, struct err *err)
{
    struct addrinfo hints = {
        .ai_family = name->family == SOCKNAME_INET6 ? AF_INET6 : AF_INET,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *found = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", name->port);
    int failed = getaddrinfo(name->host[0] == '\0' ? NULL : name->host, port, &hints, &found);
    if (failed != 0)
        return err_set(err, ST_INVALID, "%s: %s", text, gai_strerror(failed));
    enum status status = try_bind(found, text, err);
    freeaddrinfo(found);
    return status;
}

static enum status open_inet(const struct sockname *name, struct err *err)
{
    char conn[SOCKNAME_TEXT_SIZE];
    sockname_format(name, conn);
    enum status status = check_inet(name, conn, err);
    if (status != ST_OK)
        return status;
    if (smfi_setconn(conn) != MI_SUCCESS || smfi_opensocket(false) != MI_SUCCESS)
        return err_set(err, ST_TEMP, "%s: cannot be opened (libmilter logs why to syslog)", conn);
    return ST_OK;
}

/* Accepted sockets inherit TCP_NODELAY: libmilter answers the end of a message in several small
 * writes, each of which would wait 40 ms for an acknowledgement. And without O_NONBLOCK workers
 * that lose the race for a connection hang in accept, deaf to everything. */
static enum status tune(const struct listener *listener, struct err *err)
{
    int on = 1;
    int flags = fcntl(listener->fd, F_GETFL);
    bool tuned = flags >= 0 && fcntl(listener->fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
                 fcntl(listener->fd, F_SETFD, FD_CLOEXEC) == 0;
    if (tuned && listener->name.family != SOCKNAME_UNIX)
        tuned = setsockopt(listener->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
    return tuned ? ST_OK : err_set(err, ST_BROKEN, "the listening socket: %s", strerror(errno));
}

static enum status open_socket(const struct sockname *name, mode_t mode, gid_t group,
                               struct err *err)
{
    if (name->family != SOCKNAME_UNIX)
        return open_inet(name, err);
    enum status status = remove_stale(name->path, err);
    if (status == ST_OK)
        status = open_unix(name, mode, err);
    return status == ST_OK ? own_unix(name, mode, group, err) : status;
}

enum status listener_open(const struct settings *settings, gid_t group, struct listener *out,
                          struct err *err)
{
    bool before[DESCRIPTORS_LOOKED_AT];
    out->fd = -1;
    enum status status = sockname_parse(span_str(settings->server.listen), &out->name, err);
    if (status != ST_OK)
        return err_context(err, "[server] listen");
    for (int fd = 0; fd < DESCRIPTORS_LOOKED_AT; fd++)
        before[fd] = is_listening(fd);
    (void)smfi_setbacklog(BACKLOG);
    status = open_socket(&out->name, (mode_t)settings->server.socket_mode, group, err);
    if (status != ST_OK)
        return status;
    out->fd = find_listening(before);
    if (out->fd < 0)
        return err_set(err, ST_BROKEN, "%s: the listening socket is not found",
                       settings->server.listen);
    return tune(out, err);
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    close(listener->fd);
    listener->fd = -1;
    if (listener->name.family == SOCKNAME_UNIX)
        unlink(listener->name.path);
}
