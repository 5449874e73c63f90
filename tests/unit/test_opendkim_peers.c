/* SPDX-License-Identifier: Apache-2.0
 *
 * OpenDKIM's lists of hosts: who is in, and what becomes of an entry.
 */
#include "tests/unit/test_opendkim_support.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/hosts.h"
#include "opendkim/peers.h"

static struct table *open_list(const char *spec, const char *content, struct notes *notes)
{
    struct table *table = NULL;
    struct err err = {0};
    struct table_options options = {
        .setting = "InternalHosts", .use = TABLE_PEERS, .base = test_folder, .notes = notes};
    test_write_text("hosts", content);
    if (table_open(spec, &options, &table, &err) != ST_OK)
        fail_msg("%s", err.text);
    return table;
}

static bool contains(const struct table *list, const char *address, const char *name)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (peers_contain_name(list, name, NULL))
        return true;
    if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
        return peers_contain_address(list, (const struct sockaddr *)&in, NULL);
    assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return peers_contain_address(list, (const struct sockaddr *)&in6, NULL);
}

#define BAD_NAME "!bad.example.net\n192.0.2.0/24\n.example.net\n"
#define BAD_ADDRESS "!192.0.2.5\n192.0.2.0/24\nhost.test\n"

static const struct contain_case {
    const char *name, *spec, *content, *address, *host;
    bool in;
} contain_cases[] = {
    {"an address", "file:hosts", "192.0.2.1\n", "192.0.2.1", "", true},
    {"a neighbour", "file:hosts", "192.0.2.1\n", "192.0.2.2", "", false},
    {"a network", "file:hosts", "192.0.2.0/24\n", "192.0.2.255", "", true},
    {"past a network", "file:hosts", "192.0.2.0/24\n", "192.0.3.0", "", false},
    {"a network with host bits set", "file:hosts", "192.168.0.1/24\n", "192.168.0.1", "", false},
    {"a netmask", "file:hosts", "192.0.2.0/255.255.255.0\n", "192.0.2.1", "", false},
    {"a short network", "file:hosts", "192.0.2/24\n", "192.0.2.1", "", false},
    {"leading zeros", "file:hosts", "192.0.2.007\n", "192.0.2.7", "", false},
    {"a length with a zero", "file:hosts", "10.0.0.0/08\n", "10.0.0.1", "", false},
    {"/32", "file:hosts", "192.0.2.1/32\n", "192.0.2.1", "", true},
    {"/0", "file:hosts", "0.0.0.0/0\n", "203.0.113.1", "", true},
    {"/0 is not IPv6", "file:hosts", "0.0.0.0/0\n", "2001:db8::1", "", false},
    {"IPv6", "file:hosts", "2001:db8::1\n", "2001:db8::1", "", true},
    {"IPv6 in capitals", "file:hosts", "2001:DB8::1\n", "2001:db8::1", "", true},
    {"IPv6 written out", "file:hosts", "2001:0db8::1\n", "2001:db8::1", "", false},
    {"IPv6 network", "file:hosts", "2001:db8::/32\n", "2001:db8:1::1", "", true},
    {"IPv6 in brackets", "file:hosts", "[2001:db8::1]\n", "2001:db8::1", "", true},
    {"a network in brackets", "file:hosts", "[10.0.0.0]/8\n", "10.1.2.3", "", true},
    {"a name", "file:hosts", "mx.example.net\n", "192.0.2.1", "MX.example.net", true},
    {"a name is not what is below", "file:hosts", "example.net\n", "192.0.2.1", "mx.example.net",
     false},
    {"what is below", "file:hosts", ".example.net\n", "192.0.2.1", "a.b.example.net", true},
    {"is not the name", "file:hosts", ".example.net\n", "192.0.2.1", "example.net", false},
    {"!name stops the name only", "file:hosts", BAD_NAME, "192.0.2.5", "bad.example.net", true},
    {"!name stops the name", "file:hosts", BAD_NAME, "198.51.100.1", "bad.example.net", false},
    {"!address stops the address only", "file:hosts", BAD_ADDRESS, "192.0.2.5", "host.test", true},
    {"!address stops the address", "file:hosts", BAD_ADDRESS, "192.0.2.5", "x.test", false},
    {"the longest prefix first", "file:hosts", "!192.0.0.0/16\n192.0.2.0/24\n", "192.0.2.1", "",
     true},
    {"!x comes before x", "file:hosts", "x.test\n!x.test\n", "192.0.2.1", "x.test", false},
    {"a pattern in a file", "file:hosts", "*.x.test\n", "192.0.2.1", "a.x.test", false},
    {"a pattern with * first matches its own exception", "refile:hosts", "*.x.test\n", "192.0.2.1",
     "a.x.test", false},
    {"a pattern with * later", "refile:hosts", "mx*.x.test\n", "192.0.2.1", "mx1.x.test", true},
    {"a pattern of addresses", "refile:hosts", "192.0.2.*\n", "192.0.2.9", "", true},
    {"IPv6 in brackets, which are a set in a pattern", "refile:hosts", "[::1]\n", "::1", "", false},
    {"a network in brackets, in a pattern", "refile:hosts", "[10.0.0.0]/8\n", "10.1.2.3", "",
     false},
    {"a letter in brackets", "refile:hosts", "[m]x.test\n", "192.0.2.1", "mx.test", true},
    {"a list", "csl:192.0.2.1, .x.test", "", "198.51.100.1", "a.x.test", true},
};

static void clients_are_in_by_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof contain_cases / sizeof contain_cases[0]; i++) {
        const struct contain_case *one = &contain_cases[i];
        struct table *list = open_list(one->spec, one->content, NULL);
        if (contains(list, one->address, one->host) != one->in)
            fail_msg("%s", one->name);
        table_close(list);
    }
}

static void other_families_are_not_in(void **state)
{
    (void)state;
    struct sockaddr unix_client = {.sa_family = AF_UNIX};
    struct table *list = open_list("file:hosts", "0.0.0.0/0\n::/0\n", NULL);
    assert_false(peers_contain_address(list, &unix_client, NULL));
    assert_false(peers_contain_name(list, "", NULL));
    table_close(list);
}

static const struct translate_case {
    const char *spec, *content, *list;
    const char *note; /* of line 1; NULL: none */
} translate_cases[] = {
    {"file:hosts", "192.0.2.1\n10.0.0.0/8\n2001:db8::/32\n", "192.0.2.1, 10.0.0.0/8, 2001:db8::/32",
     NULL},
    {"file:hosts", "Mx.example.net\n.example.org\n", "mx.example.net, .example.org", NULL},
    {"file:hosts", "127.0.0.1 myself\n", "127.0.0.1", NULL},
    {"file:hosts", "[2001:db8::1]\n[10.0.0.0]/8\n", "2001:db8::1, 10.0.0.0/8", NULL},
    {"file:hosts", "[192.0.2.1]\n", "192.0.2.1", "up to chance"},
    {"refile:hosts", "[::1]\n", "", "one letter of these"},
    {"refile:hosts", "[10.0.0.0]/8\n127.0.0.1\n", "127.0.0.1", "one letter of these"},
    {"refile:hosts", "![2001:db8::1]\n", "", "one letter of these"},
    {"refile:hosts", "[m]x.test\n", "", "no equivalent"},
    {"file:hosts", "*.example.com\n", ".example.com", "matched nobody"},
    {"refile:hosts", "*.example.com\n", ".example.com", "its own exception"},
    {"refile:hosts", "mx*.example.com\n", "", "no equivalent"},
    {"refile:hosts", "*\n", "", "never let anybody in"},
    {"file:hosts", "*\n", "", "never let anybody in"},
    {"refile:hosts", "192.0.2.*\n10.*\n172.16.*\n", "192.0.2.0/24, 10.0.0.0/8, 172.16.0.0/16",
     "taken over as a network"},
    {"refile:hosts", "192.0.2.1\n", "192.0.2.1", NULL},
    {"file:hosts", "192.168.0.1/24\n", "", "bits behind the prefix"},
    {"file:hosts", "192.0.2.0/255.255.255.0\n", "", "lengths of prefixes"},
    {"file:hosts", "10.0.0.0/08\n", "", "lengths of prefixes"},
    {"file:hosts", "10.0.0.0/33\n", "", "lengths of prefixes"},
    {"file:hosts", "10.0.0.0/\n", "", "lengths of prefixes"},
    {"file:hosts", "192.0.2\n", "", "not a whole address"},
    {"file:hosts", "2001:0db8::1\n", "", "in another way"},
    {"file:hosts", "host.test.\n", "", "no dot at their end"},
    {"file:hosts", "ho_st..test\n", "", "left out"},
    {"file:hosts", "!192.0.2.5\n192.0.2.0/24\n", "!192.0.2.5, 192.0.2.0/24", "an exception"},
    {"file:hosts", "x.test\n!x.test\n", "!x.test", "with ! as well"},
    {"file:hosts", "!*.x.test\n", "!.x.test", "matched nobody"},
    {"file:hosts", "!\n", "", NULL},
    {"file:hosts", "192.0.2.1,192.0.2.2\n", "", "has a comma"},
    {"refile:hosts", "a.test,b.test\n", "", "has a comma"},
    {"file:hosts", "!a.test,b.test\n", "", "has a comma"},
    {"file:hosts", "!!a.test\n", "", "! counts once"},
    {"file:hosts", "[!a.test]\n", "", "! counts once"},
    {"csl:a.test,b.test", "", "a.test, b.test", NULL},
};

static void entries_are_translated(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof translate_cases / sizeof translate_cases[0]; i++) {
        const struct translate_case *one = &translate_cases[i];
        struct notes *notes = notes_new();
        struct buf out = BUF_INIT(0);
        struct hosts *hosts = NULL;
        struct err err = {0};
        struct table *list = open_list(one->spec, one->content, notes);
        if (peers_translate(list, &out, &err) != ST_OK || strcmp(buf_cstr(&out), one->list) != 0)
            fail_msg("%s: %s", one->content, buf_cstr(&out));
        bool noted = one->note != NULL ? test_noted(notes, 1, one->note) : notes_count(notes) == 0;
        if (!noted) {
            test_print_notes(notes);
            fail_msg("%s", one->content);
        }
        if (hosts_parse(buf_span(&out), &hosts, &err) != ST_OK)
            fail_msg("%s", err.text);
        hosts_free(hosts);
        table_close(list);
        buf_clear(&out);
        notes_free(notes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_in_by_text),
        cmocka_unit_test(other_families_are_not_in),
        cmocka_unit_test(entries_are_translated),
    };
    return cmocka_run_group_tests_name("opendkim_peers", tests, test_opendkim_setup,
                                       test_opendkim_teardown);
}
