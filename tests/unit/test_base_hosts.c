/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of hosts: who is in, who is not, and which lists are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "base/clock.h"
#include "base/hosts.h"

/* The address of a text, or NULL for an empty one. */
static const struct sockaddr *address_of(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    memset(out, 0, sizeof *out);
    if (text[0] == '\0')
        return NULL;
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(out, &in, sizeof in);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
        memcpy(out, &in6, sizeof in6);
    }
    return (const struct sockaddr *)out;
}

#define NESTED "10.0.0.0/8, !10.1.0.0/16, 10.1.2.0/24, !10.1.2.3"
#define NAMES                                                                                      \
    "mx.example.net, .example.org, !bad.example.org, !.deep.example.org, ok.deep.example.org"

static const struct contain_case {
    const char *name, *list, *address, *host;
    bool in;
} contain_cases[] = {
    {"the empty list holds nobody", "", "127.0.0.1", "localhost", false},
    {"blanks are the empty list", " \t ", "127.0.0.1", "", false},
    {"bare address", "192.0.2.1", "192.0.2.1", "", true},
    {"bare address, neighbour", "192.0.2.1", "192.0.2.2", "", false},
    {"network, first", "192.0.2.0/24", "192.0.2.0", "", true},
    {"network, last", "192.0.2.0/24", "192.0.2.255", "", true},
    {"network, past", "192.0.2.0/24", "192.0.3.0", "", false},
    {"network, before", "192.0.2.0/24", "192.0.1.255", "", false},
    {"neighbours in the last bit, in", "10.0.0.6, !10.0.0.7", "10.0.0.6", "", true},
    {"neighbours in the last bit, out", "10.0.0.6, !10.0.0.7", "10.0.0.7", "", false},
    {"odd prefix, inside", "192.0.2.128/29", "192.0.2.135", "", true},
    {"odd prefix, outside", "192.0.2.128/29", "192.0.2.136", "", false},
    {"everybody in IPv4", "0.0.0.0/0", "203.0.113.9", "", true},
    {"everybody in IPv4 is not IPv6", "0.0.0.0/0", "2001:db8::1", "", false},
    {"everybody but one", "0.0.0.0/0, !203.0.113.9", "203.0.113.9", "", false},
    {"exceptions alone hold nobody", "!10.0.0.1", "10.0.0.2", "", false},
    {"loopback of the default", "127.0.0.0/8, ::1", "127.255.0.1", "", true},
    {"IPv6 loopback of the default", "127.0.0.0/8, ::1", "::1", "", true},
    {"IPv6 network", "2001:db8::/32", "2001:db8:ffff::1", "", true},
    {"IPv6 network, past", "2001:db8::/32", "2001:db9::", "", false},
    {"IPv6 /127, inside", "2001:db8::2/127", "2001:db8::3", "", true},
    {"IPv6 /127, outside", "2001:db8::2/127", "2001:db8::4", "", false},
    {"IPv6 exception", "2001:db8::/32, !2001:db8:1::/48", "2001:db8:1::9", "", false},
    {"everybody in IPv6", "::/0", "2001:db8::1", "", true},
    {"mapped peer counts as IPv4", "192.0.2.0/24", "::ffff:192.0.2.9", "", true},
    {"mapped peer is not IPv6", "::/0", "::ffff:192.0.2.9", "", false},
    {"mapped network counts as IPv4", "::ffff:192.0.2.0/120", "192.0.2.9", "", true},
    {"mapped exception", "192.0.2.0/24, !::ffff:192.0.2.9", "192.0.2.9", "", false},
    {"nested: outer", NESTED, "10.9.9.9", "", true},
    {"nested: excepted", NESTED, "10.1.9.9", "", false},
    {"nested: let in again", NESTED, "10.1.2.9", "", true},
    {"nested: excepted again", NESTED, "10.1.2.3", "", false},
    {"order does not matter", "!10.0.0.7, 10.0.0.0/8", "10.0.0.7", "", false},
    {"order does not matter, others", "!10.0.0.7, 10.0.0.0/8", "10.0.0.6", "", true},
    {"fork without a verdict", "10.0.0.0/24, 10.0.1.0/24", "10.0.2.1", "", false},
    {"a shorter network after a longer", "10.0.0.1, 10.0.0.0/8", "10.7.7.7", "", true},
    {"the same entry twice", "10.0.0.1, 10.0.0.1", "10.0.0.1", "", true},
    {"blanks around entries", "  10.0.0.1 ,\t! 10.0.0.2 ", "10.0.0.1", "", true},
    {"a final comma", "10.0.0.1,", "10.0.0.1", "", true},
    {"name", NAMES, "", "mx.example.net", true},
    {"name, case", NAMES, "", "MX.Example.NET", true},
    {"name, final dot", NAMES, "", "mx.example.net.", true},
    {"name in the list with a final dot", "mx.example.net.", "", "mx.example.net", true},
    {"name in capitals in the list", "MX.EXAMPLE.NET", "", "mx.example.net", true},
    {"name below a name", NAMES, "", "a.mx.example.net", false},
    {"name with more in front", NAMES, "", "xmx.example.net", false},
    {".domain, below", NAMES, "", "a.example.org", true},
    {".domain, far below", NAMES, "", "a.b.c.example.org", true},
    {".domain, itself", NAMES, "", "example.org", false},
    {".domain, no label border", NAMES, "", "xexample.org", false},
    {"excepted name", NAMES, "", "bad.example.org", false},
    {"excepted .domain", NAMES, "", "x.deep.example.org", false},
    {"excepted .domain, itself", NAMES, "", "deep.example.org", true},
    {"longest name decides", NAMES, "", "ok.deep.example.org", true},
    {"no name", NAMES, "", "", false},
    {"a dot is no name", ".example.org", "", ".", false},
    {"a literal is no name", "localhost", "", "[192.0.2.1]", false},
    {"a literal does not hide the address", "192.0.2.1", "192.0.2.1", "[192.0.2.1]", true},
    {"underscores happen", "_dmarc.example.org", "", "_dmarc.example.org", true},
    {"name or address: address", "10.0.0.1, a.example", "10.0.0.1", "b.example", true},
    {"name or address: name", "10.0.0.1, a.example", "10.0.0.2", "a.example", true},
    {"an excepted name beats its network", "10.0.0.0/8, !a.example", "10.0.0.1", "a.example",
     false},
    {"an excepted address beats its name", ".example, !10.0.0.1", "10.0.0.1", "a.example", false},
};

static void lists_contain(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof contain_cases / sizeof contain_cases[0]; i++) {
        const struct contain_case *c = &contain_cases[i];
        struct hosts *hosts;
        struct err err = {0};
        struct sockaddr_storage room;
        if (hosts_parse(span_str(c->list), &hosts, &err) != ST_OK)
            fail_msg("%s: %s", c->name, err.text);
        if (hosts_contain(hosts, address_of(c->address, &room), span_str(c->host)) != c->in)
            fail_msg("%s: not %s", c->name, c->in ? "in" : "out");
        hosts_free(hosts);
    }
}

static void other_families_count_by_name(void **state)
{
    (void)state;
    struct hosts *hosts;
    struct sockaddr local = {.sa_family = AF_UNIX};
    assert_int_equal(hosts_parse(SPAN_LIT("0.0.0.0/0, ::/0, localhost"), &hosts, NULL), ST_OK);
    assert_false(hosts_contain(hosts, &local, SPAN_LIT("")));
    assert_true(hosts_contain(hosts, &local, SPAN_LIT("localhost")));
    hosts_free(hosts);
    hosts_free(NULL);
}

static const struct refuse_case {
    const char *name, *list, *text;
} refuse_cases[] = {
    {"host bits", "192.168.0.1/24",
     "192.168.0.1/24: host bits are set, 192.168.0.0/24 is probably meant"},
    {"host bits, IPv6", "2001:db8::1/64",
     "2001:db8::1/64: host bits are set, 2001:db8::/64 is probably meant"},
    {"host bits, mapped", "::ffff:192.0.2.1/120",
     "::ffff:192.0.2.1/120: host bits are set, ::ffff:192.0.2.0/120 is probably meant"},
    {"host bits, nothing left", "10.0.0.1/0",
     "10.0.0.1/0: host bits are set, 0.0.0.0/0 is probably meant"},
    {"three numbers", "192.0.2/24", "192.0.2/24: not an IP address"},
    {"one number", "10", "10: not an IP address"},
    {"leading zero", "192.0.02.1", "192.0.02.1: not an IP address"},
    {"number too large", "192.0.2.256", "192.0.2.256: not an IP address"},
    {"prefix 33", "192.0.2.0/33", "192.0.2.0/33: the prefix is not from 0 to 32"},
    {"prefix 129", "2001:db8::/129", "2001:db8::/129: the prefix is not from 0 to 128"},
    {"prefix with a leading zero", "10.0.0.0/08", "10.0.0.0/08: the prefix is not from 0 to 32"},
    {"empty prefix", "10.0.0.0/", "10.0.0.0/: the prefix is not from 0 to 32"},
    {"two prefixes", "10.0.0.0/8/8", "10.0.0.0/8/8: the prefix is not from 0 to 32"},
    {"netmask", "10.0.0.0/255.0.0.0", "10.0.0.0/255.0.0.0: the prefix is not from 0 to 32"},
    {"only a prefix", "/8", "/8: not an IP address"},
    {"name with a prefix", "a.example/24", "a.example/24: not an IP address"},
    {"host:port", "a.example:25", "a.example:25: not an IP address"},
    {"scope", "fe80::1%eth0", "fe80::1%eth0: not an IP address"},
    {"empty entry", "10.0.0.1,,10.0.0.2", "an entry is empty"},
    {"empty first entry", ",10.0.0.1", "an entry is empty"},
    {"two final commas", "10.0.0.1,,", "an entry is empty"},
    {"only a comma", ",", "an entry is empty"},
    {"only !", "!", "an entry is empty"},
    {"two !", "!!a.example", "!a.example: neither a network nor a host name"},
    {"only a dot", ".", ".: not an IP address"},
    {"two dots", "..example", "..example: neither a network nor a host name"},
    {"empty label", "a..example", "a..example: neither a network nor a host name"},
    {"hyphen in front", "-a.example", "-a.example: neither a network nor a host name"},
    {"hyphen behind", "a-.example", "a-.example: neither a network nor a host name"},
    {"blank inside", "a b", "a b: neither a network nor a host name"},
    {"wildcard", "*.example.org", "*.example.org: neither a network nor a host name"},
    {"brackets", "[192.0.2.1]", "[192.0.2.1]: neither a network nor a host name"},
    {"with and without !", "10.0.0.1, !10.0.0.1", "10.0.0.1: given both with and without !"},
    {"with and without !, /32", "!10.0.0.1, 10.0.0.1/32",
     "10.0.0.1/32: given both with and without !"},
    {"with and without !, mapped", "!10.0.0.1, ::ffff:10.0.0.1",
     "::ffff:10.0.0.1: given both with and without !"},
    {"name with and without !", "A.example, !a.example.",
     "a.example.: given both with and without !"},
};

static void faulty_lists_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refuse_cases / sizeof refuse_cases[0]; i++) {
        struct hosts *hosts;
        struct err err = {0};
        enum status status = hosts_parse(span_str(refuse_cases[i].list), &hosts, &err);
        if (status != ST_INVALID || hosts != NULL || strcmp(err.text, refuse_cases[i].text) != 0)
            fail_msg("%s: %s, %s", refuse_cases[i].name, status_name(status), err.text);
    }
}

static void long_names_are_refused(void **state)
{
    (void)state;
    struct hosts *hosts;
    char name[400] = "";
    memset(name, 'a', 64);
    assert_int_equal(hosts_parse(span_str(name), &hosts, NULL), ST_INVALID);
    assert_int_equal(hosts_parse(span_of(name, 63), &hosts, NULL), ST_OK);
    for (size_t i = 1; i < 300; i += 2)
        name[i] = '.';
    for (size_t i = 0; i < 300; i += 2)
        name[i] = 'a';
    assert_false(hosts_contain(hosts, NULL, span_of(name, 299)));
    hosts_free(hosts);
    assert_int_equal(hosts_parse(span_of(name, 253), &hosts, NULL), ST_OK);
    assert_true(hosts_contain(hosts, NULL, span_of(name, 254)));
    hosts_free(hosts);
    assert_int_equal(hosts_parse(span_of(name, 255), &hosts, NULL), ST_INVALID);
}

/* Spread over all bits, so that the tree is deep and wide. */
static void print_entry(struct buf *out, unsigned i)
{
    unsigned spread = i * 2654435761U;
    if (i % 3 == 0)
        buf_printf(out, "%u.%u.%u.%u,", spread >> 24, spread >> 16 & 255, spread >> 8 & 255,
                   spread & 255);
    else if (i % 3 == 1)
        buf_printf(out, "2001:db8:%x:%x::%x,", spread >> 16, spread & 0xffff, i & 0xffff);
    else
        buf_printf(out, "h%u.example.org,", i);
}

static void a_hundred_thousand_entries_are_fast(void **state)
{
    (void)state;
    struct hosts *hosts;
    struct err err = {0};
    struct buf list = BUF_INIT(0);
    struct sockaddr_in6 peer = {.sin6_family = AF_INET6};
    for (unsigned i = 0; i < HOSTS_MAX_ENTRIES; i++)
        print_entry(&list, i);
    int64_t started_ms = clock_monotonic_ms();
    if (hosts_parse(buf_span(&list), &hosts, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8:9e37:79b1::1", &peer.sin6_addr), 1);
    for (int i = 0; i < HOSTS_MAX_ENTRIES; i++)
        assert_true(
            hosts_contain(hosts, (const struct sockaddr *)&peer, SPAN_LIT("h3.example.org")));
    assert_true(hosts_contain(hosts, NULL, SPAN_LIT("h99998.example.org")));
    assert_in_range(clock_monotonic_ms() - started_ms, 0, 5000);
    hosts_free(hosts);
    buf_append_str(&list, "10.9.8.7");
    assert_int_equal(hosts_parse(buf_span(&list), &hosts, &err), ST_INVALID);
    assert_string_equal(err.text, "more than 100000 entries");
    buf_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_contain),
        cmocka_unit_test(other_families_count_by_name),
        cmocka_unit_test(faulty_lists_are_refused),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(a_hundred_thousand_entries_are_fast),
    };
    return cmocka_run_group_tests_name("base_hosts", tests, NULL, NULL);
}
