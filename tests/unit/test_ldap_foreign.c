/* SPDX-License-Identifier: Apache-2.0
 *
 * The LDAP URLs of OpenDKIM's data sets: which servers, which search for a key, and how to walk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "ldap/foreign_url.h"

static const struct {
    const char *text;
    const char *hosts[4];
    bool tls, local;
} servers[] = {
    {"ldap://h/dc=b?a?sub?(a=$d)", {"ldap://h"}, false, false},
    {"ldap://h:3890/dc=b?a?sub?(a=$d)", {"ldap://h:3890"}, false, false},
    {"LDAPS://h/dc=b?a?sub?(a=$d)", {"ldaps://h"}, true, false},
    {"ldap://[::1]:390/dc=b?a?sub?(a=$d)", {"ldap://[::1]:390"}, false, false},
    {"ldap:///dc=b?a?sub?(a=$d)", {"ldap://localhost"}, false, false},
    {"ldap://:390/dc=b?a?sub?(a=$d)", {"ldap://localhost:390"}, false, false},
    {"ldapi://%2Frun%2Fx/dc=b?a?sub?(a=$d)", {"ldapi://%2Frun%2Fx"}, false, true},
    {" ldap://h/dc=b?a?sub?(a=$d)  ldap://i ldap://j:1/dc=x?y\t",
     {"ldap://h", "ldap://i", "ldap://j:1"},
     false,
     false},
};

static void servers_are_those_of_all_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        struct foreign_url url;
        struct err err = {0};
        size_t count = 0;
        if (foreign_url_read(span_str(servers[i].text), &url, &err) != ST_OK)
            fail_msg("%s: %s", servers[i].text, err.text);
        for (; servers[i].hosts[count] != NULL; count++)
            assert_string_equal(url.servers.hosts[count], servers[i].hosts[count]);
        assert_int_equal(url.servers.count, count);
        assert_int_equal(url.servers.tls, servers[i].tls);
        assert_int_equal(url.servers.local, servers[i].local);
        assert_string_equal(url.search->lud_dn, "dc=b");
        foreign_url_clear(&url);
    }
}

static void the_ninth_server_is_left_out(void **state)
{
    struct foreign_url url;
    struct err err = {0};
    (void)state;
    assert_int_equal(
        foreign_url_read(SPAN_LIT("ldap://1/dc=b?a ldap://2 ldap://3 ldap://4 ldap://5 ldap://6 "
                                  "ldap://7 ldap://8 ldap://9 ldap://10"),
                         &url, &err),
        ST_OK);
    assert_int_equal(url.servers.count, URL_HOSTS_MAX);
    foreign_url_clear(&url);
}

static const struct {
    const char *url, *key, *base, *filter;
} searches[] = {
    {"ldap://h/ou=x,dc=b?a?sub?(a=$d)", "u@e.example", "ou=x,dc=b", "(a=u@e.example)"},
    {"ldap://h/dc=b?a?sub?(a=$d)", "*()\\", "dc=b", "(a=\\2a\\28\\29\\5c)"},
    {"ldap://h/dc=b?a?sub?(%26(a=$d)(b=$D))", "e.example", "dc=b",
     "(&(a=e.example)(b=dc=e,dc=example))"},
    {"ldap://h/$D,dc=b?a", "e.example", "dc=e,dc=example,dc=b", "(objectClass=*)"},
    {"ldap://h/$D,dc=b?a", ".example", "dc=,dc=example,dc=b", "(objectClass=*)"},
    {"ldap://h/$D,dc=b?a", "example", "dc=example,dc=b", "(objectClass=*)"},
    {"ldap://h/$D?a", "", "", "(objectClass=*)"},
    {"ldap://h/cn=$d,dc=b?a", "x,dc=c+d=e", "cn=x\\2cdc\\3dc\\2bd\\3de,dc=b", "(objectClass=*)"},
    {"ldap://h/dc=b?a?sub?(a=$D)", "x*.y", "dc=b", "(a=dc=x\\2a,dc=y)"},
    {"ldap://h/dc=b?a?sub?a=$d", "x", "dc=b", "a=x"},
};

static void a_key_stands_where_it_belongs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof searches / sizeof searches[0]; i++) {
        struct foreign_url url;
        struct err err = {0};
        struct buf base = {0}, filter = {0};
        if (foreign_url_read(span_str(searches[i].url), &url, &err) != ST_OK)
            fail_msg("%s: %s", searches[i].url, err.text);
        foreign_url_base(&url, span_str(searches[i].key), &base);
        foreign_url_filter(&url, span_str(searches[i].key), &filter);
        assert_string_equal(buf_cstr(&base), searches[i].base);
        assert_string_equal(buf_cstr(&filter), searches[i].filter);
        buf_clear(&base);
        buf_clear(&filter);
        foreign_url_clear(&url);
    }
}

static const struct {
    const char *base, *filter;
    const char *walk, *attribute; /* NULL: cannot be walked */
} walks[] = {
    {"dc=b", "(mail=$d)", "(mail=*)", "mail"},
    {"dc=b", "mail=$d", "mail=*", "mail"},
    {"dc=b", "(%26(x=y)(mail;lang-en=$d))", "(&(x=y)(mail;lang-en=*))", "mail;lang-en"},
    {"dc=b", "(%26(mail=$d)(!(x=y)))", "(&(mail=*)(!(x=y)))", "mail"},
    {"dc=b", "(%26(!(x=y))(1.2.3=$d))", "(&(!(x=y))(1.2.3=*))", "1.2.3"},
    {"dc=b", "", NULL, NULL},
    {"dc=b", "(mail=x)", NULL, NULL},
    {"dc=b", "(mail=$D)", NULL, NULL},
    {"dc=b", "(|(mail=$d)(uid=$d))", NULL, NULL},
    {"dc=b", "(%26(mail=$d)(dn=$D))", NULL, NULL},
    {"dc=b", "(!(mail=$d))", NULL, NULL},
    {"dc=b", "(%26(x=y)(!(|(mail=$d)(x=z))))", NULL, NULL},
    {"dc=b", "(mail=*$d)", NULL, NULL},
    {"dc=b", "(mail=$d*)", NULL, NULL},
    {"dc=b", "(mail=$d@x)", NULL, NULL},
    {"dc=b", "(mail>=$d)", NULL, NULL},
    {"dc=b", "(mail~=$d)", NULL, NULL},
    {"dc=b", "(mail:caseExactMatch:=$d)", NULL, NULL},
    {"dc=b", "(=$d)", NULL, NULL},
    {"dc=b", "$d", NULL, NULL},
    {"ou=$d,dc=b", "(mail=$d)", NULL, NULL},
    {"$D,dc=b", "(mail=$d)", NULL, NULL},
};

static void what_can_be_walked_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof walks / sizeof walks[0]; i++) {
        struct foreign_url url;
        struct err err = {0};
        struct buf text = {0};
        buf_printf(&text, "ldap://h/%s?a?sub?%s", walks[i].base, walks[i].filter);
        if (foreign_url_read(buf_span(&text), &url, &err) != ST_OK)
            fail_msg("%s: %s", walks[i].filter, err.text);
        if ((url.no_walk != NULL) != (walks[i].walk == NULL))
            fail_msg("%s: %s", walks[i].filter, url.no_walk);
        if (walks[i].walk != NULL) {
            assert_string_equal(url.walk_filter, walks[i].walk);
            assert_string_equal(url.walk_attribute, walks[i].attribute);
        }
        foreign_url_clear(&url);
        buf_clear(&text);
    }
}

static const char *const wrong[] = {
    "",
    "ldap://h",
    "ldap://h/dc=b",
    "ldap://h/dc=b??sub?(a=$d)",
    "ldap://h/dc=b?a?secret?(a=$d)",
    "ldap://h/dc=b?a?sub?(a=$x)",
    "ldap://h/dc=b?a?sub?(a=$$d)",
    "ldap://h/dc=$?a?sub?(a=$d)",
    "ldap://h/dc=b%00?a?sub?(a=$d)",
    "ldap://user:secret@h/dc=b?a",
    "ldap://h/dc=b?a ldaps://h",
    "ldap://h/dc=b?a ldap://user:secret@i",
    "ldap://h/dc=b?a secret",
    "ldapi:///dc=b?a",
    "http://h/dc=b?a",
};

static void what_is_no_url_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct foreign_url url;
        struct err err = {0};
        if (foreign_url_read(span_str(wrong[i]), &url, &err) != ST_INVALID)
            fail_msg("%s is taken", wrong[i]);
        assert_null(strstr(err.text, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_are_those_of_all_urls),
        cmocka_unit_test(the_ninth_server_is_left_out),
        cmocka_unit_test(a_key_stands_where_it_belongs),
        cmocka_unit_test(what_can_be_walked_is_known),
        cmocka_unit_test(what_is_no_url_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
