/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/milter_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { PACKET_MAX = 1 << 20 }; /* octets of one answer */

void milter_wire_clear(struct milter_wire *wire)
{
    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd = -1;
    buf_clear(&wire->out);
    buf_clear(&wire->in);
}

static enum status wait_ready(const struct milter_wire *wire, short events, int64_t deadline_ms,
                              struct err *err)
{
    struct pollfd poll_fd = {.fd = wire->fd, .events = events};
    int ready;
    do {
        ready = poll(&poll_fd, 1, (int)clock_left_ms(deadline_ms));
    } while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return err_set(err, ST_TEMP, "filter: %s", strerror(errno));
    if (ready == 0)
        return err_set(err, ST_TEMP, "filter: no answer within %lld ms",
                       (long long)wire->timeout_ms);
    return ST_OK;
}

static enum status connection_lost(ssize_t got, struct err *err)
{
    return err_set(err, ST_TEMP, "filter: %s", got == 0 ? "connection closed" : strerror(errno));
}

static bool try_again(ssize_t moved)
{
    return moved < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK);
}

enum status milter_wire_flush(struct milter_wire *wire, struct err *err)
{
    enum status status = buf_check(&wire->out, "packet", err);
    int64_t deadline_ms = clock_monotonic_ms() + wire->timeout_ms;
    struct span rest = buf_span(&wire->out);
    while (status == ST_OK && rest.len > 0) {
        ssize_t sent = send(wire->fd, rest.data, rest.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            rest = span_from(rest, (size_t)sent);
        else if (try_again(sent))
            status = wait_ready(wire, POLLOUT, deadline_ms, err);
        else
            status = connection_lost(sent, err);
    }
    buf_reset(&wire->out);
    return status;
}

static enum status receive(const struct milter_wire *wire, void *data, size_t len, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + wire->timeout_ms;
    char *place = data;
    while (len > 0) {
        ssize_t got = recv(wire->fd, place, len, MSG_DONTWAIT);
        if (got > 0) {
            place += got;
            len -= (size_t)got;
            continue;
        }
        if (!try_again(got))
            return connection_lost(got, err);
        enum status status = wait_ready(wire, POLLIN, deadline_ms, err);
        if (status != ST_OK)
            return status;
    }
    return ST_OK;
}

enum status milter_wire_read(struct milter_wire *wire, char *code_out, struct err *err)
{
    uint32_t len;
    enum status status = receive(wire, &len, sizeof len, err);
    if (status != ST_OK)
        return status;
    len = ntohl(len);
    if (len == 0 || len > PACKET_MAX)
        return err_set(err, ST_BROKEN, "filter: does not speak the milter protocol");
    status = receive(wire, code_out, 1, err);
    if (status != ST_OK)
        return status;
    buf_reset(&wire->in);
    void *place = buf_extend(&wire->in, len - 1);
    if (place == NULL)
        return buf_check(&wire->in, "answer of the filter", err);
    return receive(wire, place, len - 1, err);
}

void milter_wire_number(struct milter_wire *wire, uint32_t number)
{
    number = htonl(number);
    buf_append(&wire->out, &number, sizeof number);
}

void milter_wire_string(struct milter_wire *wire, const char *text)
{
    buf_append(&wire->out, text, strlen(text) + 1);
}

size_t milter_wire_begin(struct milter_wire *wire, char code)
{
    size_t start = wire->out.len;
    milter_wire_number(wire, 0);
    buf_append_char(&wire->out, code);
    return start;
}

void milter_wire_end(struct milter_wire *wire, size_t start)
{
    if (wire->out.failed != ST_OK)
        return;
    uint32_t len = htonl((uint32_t)(wire->out.len - start - sizeof len));
    memcpy(wire->out.data + start, &len, sizeof len);
}
