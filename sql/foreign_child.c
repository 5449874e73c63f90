/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/foreign_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { READ_AT_ONCE = 16384, ARGUMENTS_MAX = 32, FIRST_FREE_FD = 10, LEAVE_MS = 1000 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* -- starting ----------------------------------------------------------------------------- */

/* Both ends of what the child reads and writes. */
struct ends {
    int in[2], out[2], complaints[2], secrets;
};

static void close_ends(struct ends *ends)
{
    for (int i = 0; i < 2; i++) {
        close_fd(&ends->in[i]);
        close_fd(&ends->out[i]);
        close_fd(&ends->complaints[i]);
    }
    close_fd(&ends->secrets);
}

/* A file without a name. Only its owner may open it: programs that read passwords from files refuse
 * those that others can write. */
static int secret_file(struct span secrets)
{
    int fd = memfd_create("secrets", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fchmod(fd, S_IRUSR | S_IWUSR) == 0 &&
        write(fd, secrets.data, secrets.len) == (ssize_t)secrets.len && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Sockets where we write, which can be told not to send SIGPIPE. */
static bool make_ends(struct ends *ends, struct span secrets)
{
    *ends = (struct ends){{-1, -1}, {-1, -1}, {-1, -1}, -1};
    ends->secrets = secret_file(secrets);
    return ends->secrets >= 0 &&
           socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->in) == 0 &&
           socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->out) == 0 &&
           socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends->complaints) == 0;
}

/* dup2 of a descriptor onto itself would leave it to be closed by the exec. */
static bool move_up(int *fd)
{
    int high = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (high < 0)
        return false;
    close(*fd);
    *fd = high;
    return true;
}

static int spawn(const char *program, const char *const *arguments, struct ends *ends, pid_t *out)
{
    static const char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    static const char *const environment[] = {path, "LC_ALL=C.UTF-8", "HOME=/nonexistent", NULL};
    const char *argv[ARGUMENTS_MAX + 2] = {program};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults, none;
    for (size_t i = 0; arguments[i] != NULL && i < ARGUMENTS_MAX; i++)
        argv[i + 1] = arguments[i];
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_adddup2(&actions, ends->in[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends->out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends->complaints[1], STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends->secrets, FOREIGN_CHILD_SECRETS_FD);
    posix_spawn_file_actions_addclosefrom_np(&actions, FOREIGN_CHILD_SECRETS_FD + 1);
    int code = posix_spawnp(out, program, &actions, &attributes, (char *const *)(uintptr_t)argv,
                            (char *const *)(uintptr_t)environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

enum status foreign_child_start(const char *const *programs, const char *const *arguments,
                                struct span secrets, struct foreign_child *out, struct err *err)
{
    struct ends ends;
    int code = ENOENT;
    *out = (struct foreign_child){.in = -1, .out = -1, .complaints = -1};
    if (!make_ends(&ends, secrets) || !move_up(&ends.in[1]) || !move_up(&ends.out[1]) ||
        !move_up(&ends.complaints[1]) || !move_up(&ends.secrets)) {
        close_ends(&ends);
        return err_set(err, ST_TEMP, "%s: cannot be prepared: %s", programs[0], strerror(errno));
    }
    for (size_t i = 0; programs[i] != NULL && code == ENOENT; i++)
        code = spawn(programs[i], arguments, &ends, &out->pid);
    if (code == 0) {
        out->in = ends.in[0];
        out->out = ends.out[0];
        out->complaints = ends.complaints[0];
        ends.in[0] = ends.out[0] = ends.complaints[0] = -1;
    }
    close_ends(&ends);
    if (code == 0)
        return ST_OK;
    return err_set(err, code == ENOENT ? ST_NOT_FOUND : ST_TEMP, "%s: cannot be started: %s",
                   programs[0], strerror(code));
}

/* -- talking ------------------------------------------------------------------------------ */

/* What it complains of is kept from the beginning; the rest is read and left out. */
static void hear_complaint(struct foreign_child *child)
{
    char lost[256];
    size_t room = sizeof child->complaint - 1 - child->complaint_len;
    char *to = room > 0 ? child->complaint + child->complaint_len : lost;
    ssize_t got = recv(child->complaints, to, room > 0 ? room : sizeof lost, MSG_DONTWAIT);
    if (got > 0 && room > 0)
        child->complaint_len += (size_t)got;
    child->complaint[child->complaint_len] = '\0';
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        close_fd(&child->complaints);
}

/* Waits for one of its descriptors, and takes what it complains of meanwhile. False at the
 * deadline. */
static bool wait_for(struct foreign_child *child, int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd sockets[] = {{.fd = fd, .events = events},
                                   {.fd = child->complaints, .events = POLLIN}};
        int64_t left_ms = clock_left_ms(deadline_ms);
        int ready = poll(sockets, 2, (int)left_ms);
        if (ready == 0 || left_ms == 0)
            return false;
        if (ready > 0 && sockets[1].revents != 0)
            hear_complaint(child);
        if (ready > 0 && sockets[0].revents != 0)
            return true;
    }
}

/* When it has ended, it may still have complained. */
static void hear_all(struct foreign_child *child, int64_t deadline_ms)
{
    while (child->complaints >= 0 && wait_for(child, child->complaints, POLLIN, deadline_ms)) {
    }
}

enum status foreign_child_write(struct foreign_child *child, struct span text, int64_t deadline_ms,
                                struct err *err)
{
    while (text.len > 0) {
        if (!wait_for(child, child->in, POLLOUT, deadline_ms))
            return err_set(err, ST_TEMP, "no answer by the deadline");
        ssize_t sent = send(child->in, text.data, text.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            hear_all(child, deadline_ms);
            return err_set(err, ST_NOT_FOUND, "it has ended");
        }
        text = span_from(text, sent > 0 ? (size_t)sent : 0);
    }
    return ST_OK;
}

enum status foreign_child_read(struct foreign_child *child, struct buf *out, int64_t deadline_ms,
                               struct err *err)
{
    char octets[READ_AT_ONCE];
    ssize_t got = -1;
    do {
        if (!wait_for(child, child->out, POLLIN, deadline_ms))
            return err_set(err, ST_TEMP, "no answer by the deadline");
        got = recv(child->out, octets, sizeof octets, MSG_DONTWAIT);
    } while (got < 0 && (errno == EAGAIN || errno == EINTR));
    if (got <= 0) {
        hear_all(child, deadline_ms);
        return err_set(err, ST_NOT_FOUND, "it has ended");
    }
    buf_append(out, octets, (size_t)got);
    bytes_wipe(octets, (size_t)got);
    return buf_check(out, "answer", err);
}

/* -- ending ------------------------------------------------------------------------------- */

/* At the end of its input it says good-bye to its server, and leaves. */
static void wait_for_end(struct foreign_child *child)
{
    int64_t deadline_ms = clock_monotonic_ms() + LEAVE_MS;
    char lost[256];
    ssize_t got = 1;
    close_fd(&child->in);
    while (got > 0 && wait_for(child, child->out, POLLIN, deadline_ms))
        got = recv(child->out, lost, sizeof lost, MSG_DONTWAIT);
}

void foreign_child_stop(struct foreign_child *child, bool at_once)
{
    if (!at_once && child->pid > 0)
        wait_for_end(child);
    close_fd(&child->in);
    close_fd(&child->out);
    close_fd(&child->complaints);
    if (child->pid > 0) {
        kill(child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    child->pid = 0;
    bytes_wipe(child->complaint, child->complaint_len);
    child->complaint_len = 0;
}
