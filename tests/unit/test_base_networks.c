/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/networks.h"

static struct network network_of(const char *text)
{
    struct network network;
    struct err err = {0};
    if (networks_parse(span_str(text), &network, &err) != ST_OK)
        fail_msg("%s", err.text);
    return network;
}

static void networks_have_one_form(void **state)
{
    static const struct {
        const char *text, *form;
    } cases[] = {
        {"192.0.2.0/24", "192.0.2.0/24"},
        {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.1/32", "192.0.2.1"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"2001:DB8:0:0::/32", "2001:db8::/32"},
        {"::1/128", "::1"},
        {"::/0", "::/0"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.0/120", "192.0.2.0/24"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[NETWORK_TEXT_SIZE];
        struct network network = network_of(cases[i].text);
        networks_text(&network, text);
        assert_string_equal(text, cases[i].form);
    }
}

static void what_is_no_network_is_refused(void **state)
{
    static const char *const cases[] = {"",
                                        "/24",
                                        "192.0.2",
                                        "192.0.2.0/33",
                                        "192.0.2.0/",
                                        "192.0.2.0/-1",
                                        "192.0.2.0/08",
                                        "192.0.2.1/24",
                                        "2001:db8::/129",
                                        "2001:db8::1/64",
                                        "1.2.3.4.5",
                                        "host"};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct network network;
        struct err err = {0};
        if (networks_parse(span_str(cases[i]), &network, &err) != ST_INVALID)
            fail_msg("%s is taken", cases[i]);
    }
}

static void the_longest_network_counts(void **state)
{
    static const char *const list[] = {"10.0.0.0/8",    "10.20.0.0/16",  "10.20.30.40",
                                       "0.0.0.0/0",     "2001:db8::/32", "2001:db8:1::/48",
                                       "192.168.0.0/16"};
    static const struct {
        const char *address;
        uintptr_t value; /* its number in the list, from 1 */
    } cases[] = {
        {"10.1.1.1", 1},    {"10.20.1.1", 2},       {"10.20.30.40", 3},     {"10.20.30.41", 2},
        {"11.0.0.1", 4},    {"2001:db8::1", 5},     {"2001:db8:1::1", 6},   {"2001:db9::1", 0},
        {"192.168.9.9", 7}, {"::ffff:10.1.1.1", 1}, {"255.255.255.255", 4}, {"::", 0},
    };
    struct networks *networks = networks_new();
    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct network network = network_of(list[i]);
        *networks_at(networks, &network) = i + 1;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct network address = network_of(cases[i].address);
        if (networks_find(networks, &address) != cases[i].value)
            fail_msg("%s: %zu", cases[i].address, (size_t)networks_find(networks, &address));
    }
    networks_free(networks);
}

static void addresses_of_other_families_are_none(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xC0000201)};
    struct network network;
    char text[NETWORK_TEXT_SIZE];
    (void)state;
    assert_false(networks_of_address(NULL, &network));
    assert_false(networks_of_address((const struct sockaddr *)&local, &network));
    assert_true(networks_of_address((const struct sockaddr *)&in, &network));
    networks_text(&network, text);
    assert_string_equal(text, "192.0.2.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks_have_one_form),
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(the_longest_network_counts),
        cmocka_unit_test(addresses_of_other_families_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
