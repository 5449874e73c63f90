/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openldap.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "ldap/bind.h"

/* -- the socket --------------------------------------------------------------------------- */

/* Connects without blocking; false with errno. */
static bool connect_by(int fd, const struct sockaddr *address, socklen_t len, int64_t deadline_ms)
{
    int fault = 0;
    socklen_t size = sizeof fault;
    if (connect(fd, address, len) == 0)
        return true;
    if (errno != EINPROGRESS)
        return false;
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    if (poll(&writable, 1, (int)clock_left_ms(deadline_ms)) <= 0)
        fault = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size) != 0)
        fault = errno;
    errno = fault;
    return fault == 0;
}

static int open_address(int family, const struct sockaddr *address, socklen_t len,
                        int64_t deadline_ms)
{
    int on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (!connect_by(fd, address, len, deadline_ms)) {
        int fault = errno;
        close(fd);
        errno = fault;
        return -1;
    }
    if (family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
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
    *out = -1;
    for (const struct addrinfo *each = list; each != NULL && *out < 0; each = each->ai_next)
        *out = open_address(each->ai_family, each->ai_addr, each->ai_addrlen, deadline_ms);
    int fault = errno;
    freeaddrinfo(list);
    return *out >= 0 ? ST_OK : err_set(err, ST_TEMP, "ldap: %s: %s", host, strerror(fault));
}

static enum status open_socket(const LDAPURLDesc *host, bool local, int64_t deadline_ms, int *out,
                               struct err *err)
{
    const char *name = host->lud_host != NULL ? host->lud_host : "";
    if (!local)
        return open_tcp(name, host->lud_port, deadline_ms, out, err);
    *out = open_local(name, deadline_ms);
    return *out >= 0 ? ST_OK : err_set(err, ST_TEMP, "ldap: %s: %s", name, strerror(errno));
}

/* -- encryption --------------------------------------------------------------------------- */

static enum status tls_fault(LDAP *ld, const char *what, struct err *err)
{
    char *text = NULL;
    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
    enum status st = err_set(err, ST_TEMP, "ldap: %s: %s", what,
                             text != NULL && text[0] != '\0' ? text : "no TLS with this server");
    ldap_memfree(text);
    return st;
}

static enum status set_up_tls(LDAP *ld, const struct settings_ldap *settings, struct err *err)
{
    int demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
    bool good = ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS;
    if (settings->ca_file[0] != '\0')
        good = good && ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, settings->ca_file) ==
                           LDAP_OPT_SUCCESS;
    good = good && ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS;
    return good ? ST_OK
                : err_set(err, ST_BROKEN, "ldap.ca_file: %s cannot be used", settings->ca_file);
}

/* One attempt to connect to one host. */
struct attempt {
    const struct url *url;
    size_t host; /* which of the URL's */
    const struct settings_ldap *settings;
    int64_t deadline_ms;
    LDAP *ld;
    int fd; /* what ld talks over */
};

/* libldap takes the time that is left from the options, and leaves the socket as it likes. */
static enum status start_tls(const struct attempt *attempt, struct err *err)
{
    int64_t left_ms = clock_left_ms(attempt->deadline_ms);
    struct timeval left = {.tv_sec = left_ms / 1000, .tv_usec = left_ms % 1000 * 1000};
    ldap_set_option(attempt->ld, LDAP_OPT_NETWORK_TIMEOUT, &left);
    if (left_ms == 0 || ldap_install_tls(attempt->ld) != LDAP_SUCCESS)
        return tls_fault(attempt->ld, "TLS", err);
    fcntl(attempt->fd, F_SETFL, fcntl(attempt->fd, F_GETFL) | O_NONBLOCK);
    return ST_OK;
}

static enum status encrypt(const struct attempt *attempt, struct err *err)
{
    const struct url *url = attempt->url;
    if (url->local || (!url->tls && !attempt->settings->starttls))
        return ST_OK;
    enum status st = set_up_tls(attempt->ld, attempt->settings, err);
    if (st == ST_OK && !url->tls)
        st = bind_ask_for_tls(attempt->ld, attempt->deadline_ms, err);
    return st == ST_OK ? start_tls(attempt, err) : st;
}

/* -- one host, and the next --------------------------------------------------------------- */

static enum status open_host(struct attempt *attempt, struct err *err)
{
    const struct url *url = attempt->url;
    const char *name = url->hosts[attempt->host];
    LDAPURLDesc *host = NULL;
    int version = LDAP_VERSION3;
    if (ldap_url_parse(name, &host) != LDAP_URL_SUCCESS)
        return err_set(err, ST_INVALID, "store.url: host %zu cannot be read", attempt->host + 1);
    enum status st = open_socket(host, url->local, attempt->deadline_ms, &attempt->fd, err);
    ldap_free_urldesc(host);
    if (st != ST_OK)
        return st;
    int protocol = url->local ? LDAP_PROTO_IPC : LDAP_PROTO_TCP;
    if (ldap_init_fd(attempt->fd, protocol, name, &attempt->ld) != LDAP_SUCCESS) {
        close(attempt->fd);
        return err_set(err, ST_TEMP, "ldap: no memory");
    }
    ldap_set_option(attempt->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(attempt->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    return ST_OK;
}

static enum status connect_host(struct attempt *attempt, struct err *err)
{
    enum status st = open_host(attempt, err);
    if (st != ST_OK)
        return st;
    st = encrypt(attempt, err);
    if (st == ST_OK)
        st = bind_account(attempt->ld, attempt->settings, attempt->deadline_ms, err);
    if (st != ST_OK)
        ldap_unbind_ext(attempt->ld, NULL, NULL);
    return st;
}

enum status connect_any(const struct url *url, const struct settings_ldap *settings,
                        int64_t deadline_ms, LDAP **out, struct err *err)
{
    enum status st = ST_TEMP;
    for (size_t i = 0; i < url->count && st == ST_TEMP; i++) {
        int64_t share_ms = clock_left_ms(deadline_ms) / (int64_t)(url->count - i);
        struct attempt attempt = {.url = url, .host = i, .settings = settings};
        attempt.deadline_ms = clock_monotonic_ms() + share_ms;
        st = connect_host(&attempt, err);
        if (st == ST_OK)
            *out = attempt.ld;
    }
    return st;
}
