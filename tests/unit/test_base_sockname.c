/* SPDX-License-Identifier: Apache-2.0
 *
 * Socket names in the forms of Sendmail and Postfix, and connecting to them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sockname.h"
#include "tests/unit/test_folder_support.h"

static void names_are_parsed_and_formatted(void **state)
{
    (void)state;
    static const struct {
        const char *text, *again;
    } cases[] = {
        {"inet:8891@127.0.0.1", "inet:8891@127.0.0.1"},
        {"inet:8891@mail.example.net", "inet:8891@mail.example.net"},
        {"inet:8891", "inet:8891"},
        {"inet:127.0.0.1:8891", "inet:8891@127.0.0.1"},
        {"inet:localhost:65535", "inet:65535@localhost"},
        {"inet6:8891@::1", "inet6:8891@::1"},
        {"inet6:8891@[::1]", "inet6:8891@::1"},
        {"inet6:[2001:db8::1]:8891", "inet6:8891@2001:db8::1"},
        {"inet6:8891@fe80::1%eth0", "inet6:8891@fe80::1%eth0"},
        {"inet6:1", "inet6:1"},
        {"unix:/run/inkan/inkan.sock", "unix:/run/inkan/inkan.sock"},
        {"local:/run/inkan.sock", "unix:/run/inkan.sock"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockname name;
        struct err err = {0};
        char text[SOCKNAME_TEXT_SIZE];
        if (sockname_parse(span_str(cases[i].text), &name, &err) != ST_OK)
            fail_msg("%s: %s", cases[i].text, err.text);
        sockname_format(&name, text);
        assert_string_equal(text, cases[i].again);
    }
}

static void faulty_names_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {"", "does not start with inet:, inet6: or unix:"},
        {"8891", "does not start with inet:, inet6: or unix:"},
        {"INET:8891", "does not start with inet:, inet6: or unix:"},
        {"/run/inkan.sock", "does not start with inet:, inet6: or unix:"},
        {"inet:", "the port is not a number from 1 to 65535"},
        {"inet:0", "the port is not a number from 1 to 65535"},
        {"inet:65536", "the port is not a number from 1 to 65535"},
        {"inet:-1", "the port is not a number from 1 to 65535"},
        {"inet:smtp", "the port is not a number from 1 to 65535"},
        {"inet:@127.0.0.1", "the port is not a number from 1 to 65535"},
        {"inet:127.0.0.1:", "the port is not a number from 1 to 65535"},
        {"inet: 8891", "the port is not a number from 1 to 65535"},
        {"inet:8891@", "the host has 1 to 255 octets"},
        {"inet::8891", "the host has 1 to 255 octets"},
        {"inet6:8891@[]", "the host has 1 to 255 octets"},
        {"inet:8891@a b", "the host is neither a name nor an address"},
        {"inet:8891@a@b", "the host is neither a name nor an address"},
        {"inet:8891@::1", "an IPv6 address needs inet6:"},
        {"inet:[::1]:8891", "an IPv6 address needs inet6:"},
        {"inet6:::1:8891", "an IPv6 address in front of a port needs [ ]"},
        {"unix:", "the path of a unix socket starts with /"},
        {"unix:run/inkan.sock", "the path of a unix socket starts with /"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockname name;
        struct err err = {0};
        enum status status = sockname_parse(span_str(cases[i].text), &name, &err);
        if (status != ST_INVALID || strcmp(err.text, cases[i].fault) != 0)
            fail_msg("%s: %s, %s", cases[i].text, status_name(status), err.text);
    }
}

static void long_names_fit_or_are_refused(void **state)
{
    (void)state;
    struct sockname name;
    char text[400];
    char formatted[SOCKNAME_TEXT_SIZE];
    snprintf(text, sizeof text, "unix:/%0107d", 0);
    assert_int_equal(sockname_parse(span_str(text), &name, NULL), ST_INVALID);
    snprintf(text, sizeof text, "unix:/%0106d", 0);
    assert_int_equal(sockname_parse(span_str(text), &name, NULL), ST_OK);
    sockname_format(&name, formatted);
    assert_string_equal(formatted, text);
    assert_int_equal(sockname_parse(SPAN_LIT("unix:/a\0b"), &name, NULL), ST_INVALID);
    snprintf(text, sizeof text, "inet:1@%0256d", 0);
    assert_int_equal(sockname_parse(span_str(text), &name, NULL), ST_INVALID);
    snprintf(text, sizeof text, "inet6:65535@%0255d", 0);
    assert_int_equal(sockname_parse(span_str(text), &name, NULL), ST_OK);
    sockname_format(&name, formatted);
    assert_string_equal(formatted, text);
    assert_int_equal(sockname_parse(SPAN_LIT("inet:1@a\0b"), &name, NULL), ST_INVALID);
}

/* A listening socket on a free port of the loopback. */
static int listen_inet(uint16_t *port_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port_out = ntohs(address.sin_port);
    return fd;
}

static void connects_over_tcp(void **state)
{
    (void)state;
    struct sockname name = {.family = SOCKNAME_INET, .host = "127.0.0.1"};
    struct err err = {0};
    int listener = listen_inet(&name.port);
    int fd = -1;
    int no_delay = 0;
    socklen_t len = sizeof no_delay;
    assert_int_equal(sockname_connect(&name, clock_monotonic_ms() + 5000, &fd, &err), ST_OK);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &len), 0);
    assert_int_equal(no_delay, 1);
    close(fd);
    name.host[0] = '\0';
    assert_int_equal(sockname_connect(&name, clock_monotonic_ms() + 5000, &fd, &err), ST_OK);
    close(fd);
    close(listener);
}

static void nobody_there_is_temporary(void **state)
{
    (void)state;
    struct sockname name = {.family = SOCKNAME_INET, .host = "127.0.0.1"};
    struct sockname path = {.family = SOCKNAME_UNIX, .path = "/nowhere/inkan.sock"};
    struct err err = {0};
    char expected[200];
    int fd = -1;
    close(listen_inet(&name.port));
    snprintf(expected, sizeof expected, "inet:%u@127.0.0.1: Connection refused", name.port);
    assert_int_equal(sockname_connect(&name, clock_monotonic_ms() + 5000, &fd, &err), ST_TEMP);
    assert_string_equal(err.text, expected);
    assert_int_equal(sockname_connect(&path, clock_monotonic_ms() + 5000, &fd, &err), ST_TEMP);
    assert_string_equal(err.text, "unix:/nowhere/inkan.sock: No such file or directory");
    assert_int_equal(fd, -1);
}

/* A full queue of a listener that never accepts makes TCP retry for minutes. */
static void connect_keeps_its_deadline(void **state)
{
    (void)state;
    struct sockname name = {.family = SOCKNAME_INET, .host = "127.0.0.1"};
    struct err err = {0};
    int listener = listen_inet(&name.port);
    int fds[16];
    size_t count = 0;
    enum status status = ST_OK;
    int64_t started_ms = 0;
    while (status == ST_OK && count < sizeof fds / sizeof fds[0]) {
        started_ms = clock_monotonic_ms();
        status = sockname_connect(&name, started_ms + 200, &fds[count], &err);
        count += status == ST_OK;
    }
    assert_int_equal(status, ST_TEMP);
    assert_non_null(strstr(err.text, "timed out"));
    assert_in_range(clock_monotonic_ms() - started_ms, 190, 2000);
    while (count > 0)
        close(fds[--count]);
    close(listener);
}

static void connects_over_unix(void **state)
{
    (void)state;
    char folder[TEST_FOLDER_SIZE];
    struct sockname name = {.family = SOCKNAME_UNIX};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = -1;
    assert_true(test_folder_make(folder, "sockname"));
    snprintf(name.path, sizeof name.path, "%s/s", folder);
    memcpy(address.sun_path, name.path, sizeof name.path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(sockname_connect(&name, clock_monotonic_ms() + 5000, &fd, NULL), ST_OK);
    close(fd);
    close(listener);
    unlink(name.path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_parsed_and_formatted),
        cmocka_unit_test(faulty_names_are_refused),
        cmocka_unit_test(long_names_fit_or_are_refused),
        cmocka_unit_test(connects_over_tcp),
        cmocka_unit_test(nobody_there_is_temporary),
        cmocka_unit_test(connect_keeps_its_deadline),
        cmocka_unit_test(connects_over_unix),
    };
    return cmocka_run_group_tests_name("base_sockname", tests, NULL, NULL);
}
