/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/socket.h"

#include <errno.h>
#include <lber.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* A connection that only listens must notice within half a minute that its server's host is gone.
 */
enum { KEEPALIVE_S = 15, KEEPALIVE_AGAIN_S = 5, KEEPALIVE_TIMES = 3 };

/* -- opening ------------------------------------------------------------------------------ */

/* Connects without blocking; false with errno. What a signal interrupts goes on all the same. */
static bool connect_by(int fd, const struct sockaddr *address, socklen_t len, int64_t deadline_ms)
{
    int fault = 0;
    socklen_t size = sizeof fault;
    if (connect(fd, address, len) == 0)
        return true;
    if (errno != EINPROGRESS && errno != EINTR)
        return false;
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    int ready;
    do {
        ready = poll(&writable, 1, (int)clock_left_ms(deadline_ms));
    } while (ready < 0 && errno == EINTR);
    if (ready == 0)
        fault = ETIMEDOUT;
    else if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size) != 0)
        fault = errno;
    errno = fault;
    return fault == 0;
}

static int open_address(int family, const struct sockaddr *address, socklen_t len,
                        int64_t deadline_ms)
{
    int on = 1, idle_s = KEEPALIVE_S, again_s = KEEPALIVE_AGAIN_S, times = KEEPALIVE_TIMES;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (!connect_by(fd, address, len, deadline_ms)) {
        int fault = errno;
        close(fd);
        errno = fault;
        return -1;
    }
    if (family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &again_s, sizeof again_s);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
    }
    return fd;
}

static int open_local(const char *path, int64_t deadline_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    return open_address(AF_UNIX, (struct sockaddr *)&address, sizeof address, deadline_ms);
}

/* Each address has its share of the time that is left: of a name with IPv6 and IPv4, one may lead
 * nowhere. -1 with errno. */
static int open_any(const struct addrinfo *list, int64_t deadline_ms)
{
    int fd = -1, count = 0;
    for (const struct addrinfo *each = list; each != NULL; each = each->ai_next)
        count++;
    for (const struct addrinfo *each = list; each != NULL && fd < 0; each = each->ai_next) {
        int64_t share_ms = clock_left_ms(deadline_ms) / count--;
        fd = open_address(each->ai_family, each->ai_addr, each->ai_addrlen,
                          clock_monotonic_ms() + share_ms);
    }
    return fd;
}

static enum status open_tcp(const char *host, int port, int64_t deadline_ms, int *out,
                            struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list = NULL;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int code = getaddrinfo(host, service, &hints, &list);
    if (code != 0)
        return err_set(err, ST_TEMP, "ldap: %s: %s", host, gai_strerror(code));
    *out = open_any(list, deadline_ms);
    int fault = errno;
    freeaddrinfo(list);
    return *out >= 0 ? ST_OK : err_set(err, ST_TEMP, "ldap: %s: %s", host, strerror(fault));
}

enum status socket_open(const LDAPURLDesc *host, bool local, int64_t deadline_ms, int *out,
                        struct err *err)
{
    const char *name = host->lud_host != NULL ? host->lud_host : "";
    if (!local)
        return open_tcp(name, host->lud_port, deadline_ms, out, err);
    *out = open_local(name, deadline_ms);
    return *out >= 0 ? ST_OK : err_set(err, ST_TEMP, "ldap: %s: %s", name, strerror(errno));
}

/* -- reading and writing ------------------------------------------------------------------ */

static int descriptor(Sockbuf_IO_Desc *io)
{
    ber_socket_t fd = -1;
    ber_sockbuf_ctrl(io->sbiod_sb, LBER_SB_OPT_GET_FD, &fd);
    return fd;
}

static int set_up(Sockbuf_IO_Desc *io, void *arg)
{
    io->sbiod_pvt = arg;
    return 0;
}

static int tear_down(Sockbuf_IO_Desc *io)
{
    free(io->sbiod_pvt);
    return 0;
}

static int control(Sockbuf_IO_Desc *io, int option, void *arg)
{
    (void)io, (void)option, (void)arg;
    return 0;
}

static ber_slen_t receive(Sockbuf_IO_Desc *io, void *octets, ber_len_t len)
{
    const struct socket_patience *patience = io->sbiod_pvt;
    struct pollfd readable = {.fd = descriptor(io), .events = POLLIN};
    ssize_t got = recv(readable.fd, octets, len, 0);
    while (got < 0 && errno == EAGAIN && patience->deadline_ms != 0) {
        if (poll(&readable, 1, (int)clock_left_ms(patience->deadline_ms)) <= 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        got = recv(readable.fd, octets, len, 0);
    }
    return got;
}

static ber_slen_t transmit(Sockbuf_IO_Desc *io, void *octets, ber_len_t len)
{
    return send(descriptor(io), octets, len, MSG_NOSIGNAL);
}

static int close_descriptor(Sockbuf_IO_Desc *io)
{
    return close(descriptor(io));
}

enum status socket_attach(LDAP *ld, struct socket_patience **out, struct err *err)
{
    static Sockbuf_IO io = {set_up, tear_down, control, receive, transmit, close_descriptor};
    Sockbuf *buffer = NULL;
    struct socket_patience *patience = calloc(1, sizeof *patience);
    bool good = patience != NULL &&
                ldap_get_option(ld, LDAP_OPT_SOCKBUF, &buffer) == LDAP_OPT_SUCCESS &&
                ber_sockbuf_add_io(buffer, &io, LBER_SBIOD_LEVEL_PROVIDER, patience) == 0;
    *out = patience;
    if (good)
        return ST_OK;
    free(patience);
    return err_set(err, ST_TEMP, "ldap: no memory");
}
