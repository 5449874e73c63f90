/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/exchange.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { SENDS = 3, OPCODE_UPDATE = 5, LENGTH_SIZE = 2 };

/* One call: where to, what, and the socket in use. */
struct talk {
    const struct exchange *exchange;
    struct span message;
    struct sockaddr_storage address;
    socklen_t address_len;
    int fd;
    struct err *err;
};

uint16_t exchange_id(void)
{
    uint16_t id;
    /* Requests of this size are neither interrupted nor cut once the system has started. */
    while (getrandom(&id, sizeof id, 0) != (ssize_t)sizeof id)
        continue;
    return id;
}

/* -- what belongs to the message -------------------------------------------------------------- */

static unsigned octet(struct span s, size_t at)
{
    return (unsigned char)s.data[at];
}

static unsigned opcode(struct span message)
{
    return octet(message, 2) >> 3 & 15;
}

static unsigned question_count(struct span message)
{
    return octet(message, 4) << 8 | octet(message, 5);
}

static bool is_truncated(struct span message)
{
    return (octet(message, 2) & 2) != 0;
}

/* The octets of the one question, or none: labels, type and class. A name in a question is never
 * compressed, as there is nothing before it. */
static struct span question_of(struct span message)
{
    size_t at = EXCHANGE_HEADER_SIZE;
    if (question_count(message) != 1)
        return (struct span){NULL, 0};
    while (at < message.len && octet(message, at) != 0) {
        if (octet(message, at) > 63)
            return (struct span){NULL, 0};
        at += octet(message, at) + 1;
    }
    at += 5;
    if (at > message.len)
        return (struct span){NULL, 0};
    return span_of(message.data + EXCHANGE_HEADER_SIZE, at - EXCHANGE_HEADER_SIZE);
}

static bool is_answer_to(struct span message, struct span answer)
{
    bool headed = answer.len >= EXCHANGE_HEADER_SIZE &&
                  memcmp(message.data, answer.data, sizeof(uint16_t)) == 0 &&
                  (octet(answer, 2) & 0x80) != 0 && opcode(answer) == opcode(message);
    if (!headed)
        return false;
    bool may_lack = (octet(answer, 3) & 15) != 0 || opcode(message) == OPCODE_UPDATE;
    if (question_count(answer) == 0 && may_lack)
        return true;
    struct span asked = question_of(message);
    /* Letters of a name may come back in another case (RFC 4343). Octets of lengths, type and class
     * that this folds as well differ by more than that in any question of ours. */
    return asked.len > 0 && span_equal_nocase(asked, question_of(answer));
}

/* -- sockets ---------------------------------------------------------------------------------- */

static enum status fail(const struct talk *talk, const char *what)
{
    return err_set(talk->err, ST_TEMP, "%s port %u: %s", talk->exchange->address,
                   (unsigned)talk->exchange->port, what);
}

static enum status fail_late(const struct talk *talk)
{
    return fail(talk, "no answer in time");
}

static bool parse_address(const char *text, uint16_t port, struct talk *talk)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(text, service, &hints, &list) != 0)
        return false;
    memcpy(&talk->address, list->ai_addr, list->ai_addrlen);
    talk->address_len = list->ai_addrlen;
    freeaddrinfo(list);
    return true;
}

/* ST_OK once the socket can be read or written, as asked; failures show at the next call. */
static enum status await(const struct talk *talk, short events, int64_t until_ms)
{
    struct pollfd watched = {.fd = talk->fd, .events = events};
    for (;;) {
        int64_t left_ms = clock_left_ms(until_ms);
        int ready = poll(&watched, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
        if (ready > 0)
            return ST_OK;
        if (ready < 0 && errno != EINTR)
            return fail(talk, strerror(errno));
        if (clock_left_ms(until_ms) == 0)
            return fail_late(talk);
    }
}

static bool would_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* A socket connected to the server, so that nobody else's datagrams arrive there. */
static enum status open_socket(struct talk *talk, int type)
{
    talk->fd = socket(talk->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (talk->fd < 0)
        return fail(talk, strerror(errno));
    if (connect(talk->fd, (struct sockaddr *)&talk->address, talk->address_len) == 0)
        return ST_OK;
    return errno == EINPROGRESS || errno == EINTR ? ST_OK : fail(talk, strerror(errno));
}

static void close_socket(struct talk *talk)
{
    if (talk->fd >= 0)
        close(talk->fd);
    talk->fd = -1;
}

/* -- UDP -------------------------------------------------------------------------------------- */

/* Takes one datagram; *done when it is the answer. */
static enum status take_datagram(const struct talk *talk, struct buf *answer, bool *done)
{
    buf_reset(answer);
    char *place = buf_extend(answer, EXCHANGE_MESSAGE_MAX);
    if (place == NULL)
        return buf_check(answer, "DNS answer", talk->err);
    ssize_t got = recv(talk->fd, place, EXCHANGE_MESSAGE_MAX, 0);
    if (got < 0 && !would_wait())
        return fail(talk, strerror(errno));
    buf_truncate(answer, got > 0 ? (size_t)got : 0);
    *done = is_answer_to(talk->message, buf_span(answer));
    return ST_OK;
}

static enum status ask_once(const struct talk *talk, int64_t until_ms, struct buf *answer)
{
    bool done = false;
    if (send(talk->fd, talk->message.data, talk->message.len, MSG_NOSIGNAL) < 0 && !would_wait())
        return fail(talk, strerror(errno));
    /* Who floods the socket does not keep it open: after the time nothing more is read. */
    enum status status = ST_OK;
    while (status == ST_OK && !done) {
        status = clock_left_ms(until_ms) > 0 ? await(talk, POLLIN, until_ms) : fail_late(talk);
        if (status == ST_OK)
            status = take_datagram(talk, answer, &done);
    }
    return status;
}

static enum status ask_udp(struct talk *talk, struct buf *answer)
{
    int64_t deadline_ms = talk->exchange->deadline_ms;
    int64_t share_ms = clock_left_ms(deadline_ms) / SENDS;
    enum status status = open_socket(talk, SOCK_DGRAM);
    for (int left = SENDS - 1; status == ST_OK && left >= 0; left--) {
        int64_t until_ms = deadline_ms - left * share_ms;
        status = ask_once(talk, until_ms, answer);
        if (status == ST_OK)
            break;
        if (left > 0 && clock_left_ms(until_ms) == 0)
            status = ST_OK;
    }
    close_socket(talk);
    return status;
}

/* -- TCP -------------------------------------------------------------------------------------- */

static enum status send_all(const struct talk *talk, struct span octets)
{
    while (octets.len > 0) {
        enum status status = await(talk, POLLOUT, talk->exchange->deadline_ms);
        if (status != ST_OK)
            return status;
        ssize_t sent = send(talk->fd, octets.data, octets.len, MSG_NOSIGNAL);
        if (sent < 0 && !would_wait())
            return fail(talk, strerror(errno));
        octets = span_from(octets, sent > 0 ? (size_t)sent : 0);
    }
    return ST_OK;
}

static enum status receive_all(const struct talk *talk, char *out, size_t len)
{
    while (len > 0) {
        enum status status = await(talk, POLLIN, talk->exchange->deadline_ms);
        if (status != ST_OK)
            return status;
        ssize_t got = recv(talk->fd, out, len, 0);
        if (got == 0)
            return fail(talk, "the connection was closed before the answer");
        if (got < 0 && !would_wait())
            return fail(talk, strerror(errno));
        out += got > 0 ? got : 0;
        len -= got > 0 ? (size_t)got : 0;
    }
    return ST_OK;
}

/* RFC 1035 4.2.2: each message has its length in front, two octets. */
static enum status receive_message(const struct talk *talk, struct buf *answer)
{
    unsigned char length[LENGTH_SIZE];
    enum status status = receive_all(talk, (char *)length, sizeof length);
    if (status != ST_OK)
        return status;
    size_t len = (size_t)length[0] << 8 | length[1];
    buf_reset(answer);
    char *place = buf_extend(answer, len);
    if (place == NULL && len > 0)
        return buf_check(answer, "DNS answer", talk->err);
    return receive_all(talk, place, len);
}

static enum status send_message(const struct talk *talk)
{
    struct buf framed = BUF_INIT(0);
    buf_append_char(&framed, (char)(talk->message.len >> 8));
    buf_append_char(&framed, (char)(talk->message.len & 255));
    buf_append_span(&framed, talk->message);
    enum status status = buf_check(&framed, "DNS message", talk->err);
    if (status == ST_OK)
        status = send_all(talk, buf_span(&framed));
    buf_clear(&framed);
    return status;
}

static enum status ask_tcp(struct talk *talk, struct buf *answer)
{
    enum status status = open_socket(talk, SOCK_STREAM);
    if (status == ST_OK)
        status = send_message(talk);
    bool done = false;
    while (status == ST_OK && !done) {
        status = clock_left_ms(talk->exchange->deadline_ms) > 0 ? receive_message(talk, answer)
                                                                : fail_late(talk);
        done = status == ST_OK && is_answer_to(talk->message, buf_span(answer));
    }
    close_socket(talk);
    return status;
}

/* -- both ------------------------------------------------------------------------------------- */

enum status exchange_ask(const struct exchange *exchange, struct span message, struct buf *answer,
                         struct err *err)
{
    struct talk talk = {.exchange = exchange, .message = message, .fd = -1, .err = err};
    buf_reset(answer);
    if (message.len < EXCHANGE_HEADER_SIZE || message.len > EXCHANGE_MESSAGE_MAX)
        return err_set(err, ST_INVALID, "a DNS message has %d to %d octets", EXCHANGE_HEADER_SIZE,
                       EXCHANGE_MESSAGE_MAX);
    if (!parse_address(exchange->address, exchange->port, &talk))
        return err_set(err, ST_INVALID, "%.64s: not an IP address", exchange->address);
    if (exchange->tcp)
        return ask_tcp(&talk, answer);
    enum status status = ask_udp(&talk, answer);
    if (status != ST_OK || !is_truncated(buf_span(answer)))
        return status;
    status = ask_tcp(&talk, answer);
    return status == ST_OK ? ST_OK : err_context(err, "the answer is truncated, and over TCP");
}

bool exchange_has_route(const char *address)
{
    struct talk talk = {.fd = -1};
    enum { ANY_PORT = 53 };
    if (!parse_address(address, ANY_PORT, &talk))
        return false;
    int fd = socket(talk.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && connect(fd, (struct sockaddr *)&talk.address, talk.address_len) == 0;
    if (fd >= 0)
        close(fd);
    return has;
}
