/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/servers.h"

static const struct {
    const char *text, *host;
    uint16_t port;
    uint32_t weight;
} good[] = {
    {"127.0.0.1:11211", "127.0.0.1", 11211, 1},
    {"cache1.example:11211:3", "cache1.example", 11211, 3},
    {"[::1]:65535", "::1", 65535, 1},
    {"[::1]:1:1000", "::1", 1, 1000},
    {"/run/memcached.sock", "/run/memcached.sock", 0, 1},
    {"/run/memcached.sock:7", "/run/memcached.sock", 0, 7},
    {" a:1 ", "a", 1, 1},
};

static void servers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct server_name *servers = NULL;
        size_t count = 0;
        struct err err = {0};
        print_message("    %s\n", good[i].text);
        assert_int_equal(servers_parse(span_str(good[i].text), &servers, &count, &err), ST_OK);
        assert_int_equal(count, 1);
        assert_string_equal(servers[0].host, good[i].host);
        assert_int_equal(servers[0].port, good[i].port);
        assert_int_equal(servers[0].weight, good[i].weight);
        free(servers);
    }
}

static const struct {
    const char *text, *part;
} bad[] = {
    {"", "an entry is empty"},
    {"a:1,,b:2", "an entry is empty"},
    {"a:1,", "an entry is empty"},
    {"a", "a: has no port"},
    {"a:", "a:: has no port"},
    {"a:0", "a:0: has no port"},
    {"a:65536", "a:65536: has no port"},
    {"a:-1", "a:-1: has no port"},
    {"a:1:1001", "a weight over 1000"},
    {"a:1:0", "has no port"},
    {":1", "names no host"},
    {"[]:1", "names no host"},
    {"::1:11211", "IPv6 needs [ ]"},
    {"a b:1", "holds a blank"},
    {"/run/x:0", "has no weight"},
    {"/run/x:many", "has no weight"},
};

static void faults_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct server_name *servers = NULL;
        size_t count = 0;
        struct err err = {0};
        print_message("    \"%s\"\n", bad[i].text);
        assert_int_equal(servers_parse(span_str(bad[i].text), &servers, &count, &err), ST_INVALID);
        if (strstr(err.text, bad[i].part) == NULL)
            fail_msg("%s", err.text);
        assert_null(servers);
    }
}

static const struct {
    const char *text, *host;
    uint16_t port;
    bool address;
} hosts[] = {
    {"192.0.2.1", "192.0.2.1", 53, true},       {"192.0.2.1:5353", "192.0.2.1", 5353, true},
    {"[2001:db8::1]", "2001:db8::1", 53, true}, {"[2001:db8::1]:65535", "2001:db8::1", 65535, true},
    {"ns1.example", "ns1.example", 53, false},  {"ns1.example:1", "ns1.example", 1, false},
    {"192.0.2", "192.0.2", 53, false},          {"[fe80::1%lo]", "fe80::1%lo", 53, false},
};

static void hosts_are_read_with_or_without_a_port(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct server_name server;
        struct err err = {0};
        print_message("    %s\n", hosts[i].text);
        assert_int_equal(servers_parse_host(span_str(hosts[i].text), 53, &server, &err), ST_OK);
        assert_string_equal(server.host, hosts[i].host);
        assert_int_equal(server.port, hosts[i].port);
        assert_int_equal(servers_is_address(&server), hosts[i].address);
    }
}

static const struct {
    const char *text, *part;
} bad_hosts[] = {
    {"", ": names no host"},
    {":53", ":53: names no host"},
    {"[]", "[]: names no host"},
    {"[]:53", "[]:53: names no host"},
    {"a:", "a:: has no port from 1 to 65535"},
    {"a:0", "a:0: has no port"},
    {"a:65536", "a:65536: has no port"},
    {"a:domain", "a:domain: has no port"},
    {"[::1]:", "[::1]:: has no port"},
    {"::1", "::1: is not a host and its port (IPv6 needs [ ])"},
    {"a:1:2", "a:1:2: is not a host and its port"},
    {"[::1", "[::1: is not a host"},
    {"[::1]53", "[::1]53: is not a host"},
    {"[192.0.2.1]", "[192.0.2.1]: is not a host"},
    {"a b", "a b: holds a blank"},
    {"a,b", "a,b: holds a blank or a comma"},
};

static void faults_of_hosts_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_hosts / sizeof bad_hosts[0]; i++) {
        struct server_name server;
        struct err err = {0};
        print_message("    \"%s\"\n", bad_hosts[i].text);
        struct span text = span_str(bad_hosts[i].text);
        assert_int_equal(servers_parse_host(text, 53, &server, &err), ST_INVALID);
        if (strncmp(err.text, bad_hosts[i].part, strlen(bad_hosts[i].part)) != 0)
            fail_msg("%s", err.text);
    }
}

static void limits_are_kept(void **state)
{
    struct buf list = {0};
    struct server_name *servers = NULL;
    size_t count = 0;
    struct err err = {0};
    (void)state;
    for (int i = 0; i < SERVERS_MAX; i++)
        buf_printf(&list, "%sa:%d", i > 0 ? "," : "", i + 1);
    assert_int_equal(servers_parse(buf_span(&list), &servers, &count, &err), ST_OK);
    assert_int_equal(count, SERVERS_MAX);
    free(servers);
    buf_append_str(&list, ",a:1");
    assert_int_equal(servers_parse(buf_span(&list), &servers, &count, &err), ST_INVALID);
    buf_reset(&list);
    buf_append_char(&list, '/');
    for (int i = 0; i < 107; i++)
        buf_append_char(&list, 'x');
    assert_int_equal(servers_parse(buf_span(&list), &servers, &count, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "longer than the 107 octets"));
    buf_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_read),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(hosts_are_read_with_or_without_a_port),
        cmocka_unit_test(faults_of_hosts_are_named),
        cmocka_unit_test(limits_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
