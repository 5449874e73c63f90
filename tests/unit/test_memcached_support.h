/* SPDX-License-Identifier: Apache-2.0
 *
 * memcached servers for tests: started on a free port or a unix socket, stopped by process id,
 * and spoken to in their own protocol, so that a test can do to them what an intruder would.
 */
#ifndef INKAN_TEST_MEMCACHED_SUPPORT_H
#define INKAN_TEST_MEMCACHED_SUPPORT_H

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sockname.h"

struct memcached {
    pid_t pid;
    struct sockname address;
    char name[SOCKNAME_PATH_SIZE + 8]; /* as cache.memcached takes it */
};

static inline uint16_t memcached_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        abort();
    close(fd);
    return ntohs(address.sin_port);
}

static inline int memcached_connect_raw(const struct memcached *server)
{
    struct err err = {0};
    int fd = -1;
    return sockname_connect(&server->address, clock_monotonic_ms() + 1000, &fd, &err) == ST_OK ? fd
                                                                                               : -1;
}

static inline void memcached_await(const struct memcached *server)
{
    int64_t deadline_ms = clock_monotonic_ms() + 10000;
    int fd = -1;
    while ((fd = memcached_connect_raw(server)) < 0) {
        if (clock_left_ms(deadline_ms) == 0)
            abort();
        usleep(5000);
    }
    close(fd);
}

/* Starts it where its address says. */
static inline void memcached_start(struct memcached *server)
{
    char port[8];
    const char *const tcp[] = {"memcached", "-u", "root", "-l", "127.0.0.1", "-p",
                               port,        "-U", "0",    "-m", "64",        NULL};
    const char *const local[] = {"memcached",          "-u", "nobody", "-s",
                                 server->address.path, "-a", "0777",   NULL};
    snprintf(port, sizeof port, "%u", (unsigned)server->address.port);
    server->pid = fork();
    if (server->pid == 0) {
        /* A test that fails leaves no server behind. A change of user would undo this. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv("/usr/bin/memcached",
              (char *const *)(uintptr_t)(server->address.family == SOCKNAME_UNIX ? local : tcp));
        _exit(127);
    }
    memcached_await(server);
}

static inline void memcached_open(struct memcached *server)
{
    *server = (struct memcached){.address = {.family = SOCKNAME_INET, .host = "127.0.0.1"}};
    server->address.port = memcached_free_port();
    snprintf(server->name, sizeof server->name, "127.0.0.1:%u", (unsigned)server->address.port);
    memcached_start(server);
}

/* On a socket in a folder that everybody may write to. */
static inline void memcached_open_local(struct memcached *server, const char *path)
{
    *server = (struct memcached){.address = {.family = SOCKNAME_UNIX}};
    snprintf(server->address.path, sizeof server->address.path, "%s", path);
    snprintf(server->name, sizeof server->name, "%s", path);
    memcached_start(server);
}

static inline void memcached_kill(struct memcached *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
    if (server->address.family == SOCKNAME_UNIX)
        unlink(server->address.path);
}

/* Returns when it does not run any more. */
static inline void memcached_stop(const struct memcached *server)
{
    kill(server->pid, SIGSTOP);
    waitpid(server->pid, NULL, WUNTRACED);
}

/* Sends a command and reads until one of the ends of memcached's replies. */
static inline size_t memcached_command(const struct memcached *server, const void *command,
                                       size_t len, char *reply, size_t size)
{
    int fd = memcached_connect_raw(server);
    size_t have = 0;
    ssize_t got = 0;
    if (fd < 0 || write(fd, command, len) != (ssize_t)len)
        abort();
    do {
        got = read(fd, reply + have, size - 1 - have);
        have += got > 0 ? (size_t)got : 0;
        reply[have] = '\0';
    } while (got > 0 && !(have >= 5 && memcmp(reply + have - 5, "END\r\n", 5) == 0) &&
             !(have >= 4 && have < 64 && memcmp(reply + have - 2, "\r\n", 2) == 0));
    close(fd);
    return have;
}

/* The value of a name; its length, or -1. */
static inline ssize_t memcached_read(const struct memcached *server, const char *name, char *value,
                                     size_t size)
{
    static char reply[1 << 20];
    char command[300];
    size_t len = 0;
    int sent = snprintf(command, sizeof command, "get %s\r\n", name);
    memcached_command(server, command, (size_t)sent, reply, sizeof reply);
    const char *body = strchr(reply, '\n');
    if (sscanf(reply, "VALUE %*s %*u %zu", &len) != 1 || body == NULL || len > size)
        return -1;
    memcpy(value, body + 1, len);
    return (ssize_t)len;
}

static inline void memcached_write(const struct memcached *server, const char *name,
                                   const char *value, size_t len)
{
    static char command[1 << 20];
    char reply[64];
    int head = snprintf(command, sizeof command, "set %s 0 0 %zu\r\n", name, len);
    memcpy(command + head, value, len);
    memcpy(command + (size_t)head + len, "\r\n", 2);
    memcached_command(server, command, (size_t)head + len + 2, reply, sizeof reply);
    if (strncmp(reply, "STORED", 6) != 0)
        abort();
}

static inline void memcached_flush(const struct memcached *server)
{
    char reply[64];
    memcached_command(server, "flush_all\r\n", 11, reply, sizeof reply);
}

#endif
