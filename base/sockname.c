/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sockname.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

static enum status unix_parse(struct span path, struct sockname *out, struct err *err)
{
    out->family = SOCKNAME_UNIX;
    if (path.len == 0 || path.data[0] != '/')
        return err_set(err, ST_INVALID, "the path of a unix socket starts with /");
    if (path.len >= sizeof out->path || span_find(path, '\0') < path.len)
        return err_set(err, ST_INVALID, "the path of a unix socket has at most %d octets",
                       SOCKNAME_PATH_SIZE - 1);
    memcpy(out->path, path.data, path.len);
    return ST_OK;
}

static bool host_character(char c)
{
    return ascii_alpha(c) || ascii_digit(c) || (c != '\0' && strchr("-._:%", c) != NULL);
}

static enum status host_set(struct span host, struct sockname *out, struct err *err)
{
    if (host.len > 1 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = span_of(host.data + 1, host.len - 2);
    if (host.len == 0 || host.len >= sizeof out->host)
        return err_set(err, ST_INVALID, "the host has 1 to %d octets", SOCKNAME_HOST_SIZE - 1);
    for (size_t i = 0; i < host.len; i++)
        if (!host_character(host.data[i]))
            return err_set(err, ST_INVALID, "the host is neither a name nor an address");
    if (out->family == SOCKNAME_INET && span_find(host, ':') < host.len)
        return err_set(err, ST_INVALID, "an IPv6 address needs inet6:");
    memcpy(out->host, host.data, host.len);
    return ST_OK;
}

/* The index of the last colon, or len. In `::1` it is no separator, so that order is taken for
 * IPv6 only with brackets. */
static size_t port_colon(struct span text)
{
    size_t colon = text.len;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    return colon == 0 ? text.len : colon - 1;
}

/* PORT, PORT@HOST (Sendmail) or HOST:PORT (Postfix). */
static enum status inet_parse(struct span text, struct sockname *out, struct err *err)
{
    uint64_t number = 0;
    struct span port = span_head(text, span_find(text, '@'));
    struct span host = span_from(text, port.len + 1);
    bool with_host = port.len < text.len;
    if (!with_host && port_colon(text) < text.len) {
        host = span_head(text, port_colon(text));
        port = span_from(text, host.len + 1);
        with_host = true;
        if (span_find(host, ':') < host.len && host.data[0] != '[')
            return err_set(err, ST_INVALID, "an IPv6 address in front of a port needs [ ]");
    }
    if (!span_number(port, 65535, &number) || number == 0)
        return err_set(err, ST_INVALID, "the port is not a number from 1 to 65535");
    out->port = (uint16_t)number;
    return with_host ? host_set(host, out, err) : ST_OK;
}

enum status sockname_parse(struct span text, struct sockname *out, struct err *err)
{
    static const struct {
        const char *prefix;
        enum sockname_family family;
        enum status (*parse)(struct span rest, struct sockname *out, struct err *err);
    } forms[] = {
        {"inet:", SOCKNAME_INET, inet_parse},
        {"inet6:", SOCKNAME_INET6, inet_parse},
        {"unix:", SOCKNAME_UNIX, unix_parse},
        {"local:", SOCKNAME_UNIX, unix_parse},
    };
    *out = (struct sockname){0};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct span prefix = span_str(forms[i].prefix);
        if (!span_has_prefix(text, prefix))
            continue;
        out->family = forms[i].family;
        return forms[i].parse(span_from(text, prefix.len), out, err);
    }
    return err_set(err, ST_INVALID, "does not start with inet:, inet6: or unix:");
}

void sockname_format(const struct sockname *name, char out[SOCKNAME_TEXT_SIZE])
{
    if (name->family == SOCKNAME_UNIX)
        snprintf(out, SOCKNAME_TEXT_SIZE, "unix:%s", name->path);
    else
        snprintf(out, SOCKNAME_TEXT_SIZE, "%s:%u%s%s",
                 name->family == SOCKNAME_INET ? "inet" : "inet6", (unsigned)name->port,
                 name->host[0] == '\0' ? "" : "@", name->host);
}

/* Waits for a connect under way; 0 or an errno value. */
static int wait_connected(int fd, int64_t deadline_ms)
{
    int fault = 0;
    socklen_t len = sizeof fault;
    int ready;
    do {
        struct pollfd waiting = {.fd = fd, .events = POLLOUT};
        int64_t left_ms = clock_left_ms(deadline_ms);
        ready = poll(&waiting, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0)
        return ETIMEDOUT;
    if (ready < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &len) != 0)
        return errno;
    return fault;
}

/* A connected, blocking socket in *fd_out and 0, or an errno value. */
static int connect_to(const struct sockaddr *address, socklen_t len, int64_t deadline_ms,
                      int *fd_out)
{
    int one = 1;
    int fault = 0;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    if (address->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, address, len) != 0)
        fault = errno == EINPROGRESS || errno == EINTR ? wait_connected(fd, deadline_ms) : errno;
    int flags = fcntl(fd, F_GETFL);
    if (fault == 0 && (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0))
        fault = errno;
    if (fault != 0) {
        close(fd);
        return fault;
    }
    *fd_out = fd;
    return 0;
}

static int connect_unix(const struct sockname *name, int64_t deadline_ms, int *fd_out)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static_assert(sizeof address.sun_path >= SOCKNAME_PATH_SIZE, "every path fits");
    memcpy(address.sun_path, name->path, SOCKNAME_PATH_SIZE);
    return connect_to((const struct sockaddr *)(const void *)&address, sizeof address, deadline_ms,
                      fd_out);
}

/* Tries every address of the host; the reason is that of the last. */
static enum status connect_inet(const struct sockname *name, int64_t deadline_ms, int *fd_out,
                                struct err *err)
{
    struct addrinfo hints = {.ai_family = name->family == SOCKNAME_INET ? AF_INET : AF_INET6,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    int fault = 0;
    snprintf(port, sizeof port, "%u", (unsigned)name->port);
    int refused = getaddrinfo(name->host[0] == '\0' ? NULL : name->host, port, &hints, &found);
    if (refused != 0)
        return err_set(err, ST_TEMP, "%s", gai_strerror(refused));
    for (const struct addrinfo *each = found; each != NULL; each = each->ai_next) {
        fault = connect_to(each->ai_addr, each->ai_addrlen, deadline_ms, fd_out);
        if (fault == 0)
            break;
    }
    freeaddrinfo(found);
    return fault == 0 ? ST_OK : err_set(err, ST_TEMP, "%s", strerror(fault));
}

enum status sockname_connect(const struct sockname *name, int64_t deadline_ms, int *fd_out,
                             struct err *err)
{
    enum status status = ST_OK;
    char text[SOCKNAME_TEXT_SIZE];
    if (name->family == SOCKNAME_UNIX) {
        int fault = connect_unix(name, deadline_ms, fd_out);
        if (fault != 0)
            status = err_set(err, ST_TEMP, "%s", strerror(fault));
    } else {
        status = connect_inet(name, deadline_ms, fd_out, err);
    }
    if (status != ST_OK) {
        sockname_format(name, text);
        err_context(err, "%s", text);
    }
    return status;
}
