/* SPDX-License-Identifier: Apache-2.0
 *
 * The URLs of directories: what each form means, and the sentence for what is none. No sentence
 * repeats the URL, which may hold a password by mistake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ldap/url.h"

static const struct {
    const char *text, *base;
    const char *hosts[URL_HOSTS_MAX + 1];
} good[] = {
    {"ldap://a/dc=b", "dc=b", {"ldap://a"}},
    {"ldap://a.example.net:3890/ou=inkan,dc=b", "ou=inkan,dc=b", {"ldap://a.example.net:3890"}},
    {"ldap://192.0.2.1:65535/dc=b", "dc=b", {"ldap://192.0.2.1:65535"}},
    {"ldaps://a/dc=b", "dc=b", {"ldaps://a"}},
    {"ldap://a:389,b,c:390/dc=b", "dc=b", {"ldap://a:389", "ldap://b", "ldap://c:390"}},
    {"ldap://1,2,3,4,5,6,7,8/dc=b",
     "dc=b",
     {"ldap://1", "ldap://2", "ldap://3", "ldap://4", "ldap://5", "ldap://6", "ldap://7",
      "ldap://8"}},
    {"ldaps://[::1]:636,[2001:db8::1],c/dc=b",
     "dc=b",
     {"ldaps://[::1]:636", "ldaps://[2001:db8::1]", "ldaps://c"}},
    {"ldapi://%2Frun%2Fslapd%2Fldapi/dc=b", "dc=b", {"ldapi://%2Frun%2Fslapd%2Fldapi"}},
    {"ldapi://%2fa,%2fb/dc=b", "dc=b", {"ldapi://%2fa", "ldapi://%2fb"}},
    {"ldap://a/ou=x%20y%2cdc=b", "ou=x y,dc=b", {"ldap://a"}},
    {"ldap://a/ou=x y,dc=b", "ou=x y,dc=b", {"ldap://a"}},
    {"ldap://a/ou=M%C3%BCller,dc=b", "ou=M\xc3\xbcller,dc=b", {"ldap://a"}},
    {"ldap://a/ou=x\\,y,dc=b", "ou=x\\,y,dc=b", {"ldap://a"}},
    {"ldap://a/ou=x%5C2Cy,dc=b", "ou=x\\2Cy,dc=b", {"ldap://a"}},
    {"ldap://a/ou=what%3Fcn,dc=b", "ou=what?cn,dc=b", {"ldap://a"}},
    {"ldap://a/mail=x@example.net,dc=b", "mail=x@example.net,dc=b", {"ldap://a"}},
    {"ldap://a/cn=x+sn=y,dc=b", "cn=x+sn=y,dc=b", {"ldap://a"}},
};

static void each_form_means_what_it_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct url url;
        struct err err = {0};
        size_t count = 0;
        if (url_read(good[i].text, &url, &err) != ST_OK)
            fail_msg("%s: %s", good[i].text, err.text);
        assert_string_equal(url.base, good[i].base);
        for (; good[i].hosts[count] != NULL; count++)
            assert_string_equal(url.hosts[count], good[i].hosts[count]);
        assert_int_equal(url.count, count);
        assert_int_equal(url.tls, strncmp(good[i].text, "ldaps:", 6) == 0);
        assert_int_equal(url.local, strncmp(good[i].text, "ldapi:", 6) == 0);
        url_clear(&url);
        assert_null(url.base);
        assert_int_equal(url.count, 0);
    }
}

#define NO_SLASHES "no // after the scheme"
#define NO_HOST "no host"
#define NO_NAME "a host without a name"
#define NO_SECRET                                                                                  \
    "no name or password stands here (see bind_dn and bind_password_file in section ldap)"
#define NO_DIRECTORY                                                                               \
    "not a directory (ldap://HOST[,HOST]/BASE, for example "                                       \
    "ldap://ldap.example.net/ou=inkan,dc=example,dc=net)"
#define NO_BASE "no base after the host (the DN below which inkan keeps its entries)"
#define BAD_HOST(number) "host " number " is not HOST or HOST:PORT"

static const struct {
    const char *text, *error;
} bad[] = {
    {"", NO_SLASHES},
    {"ldap", NO_SLASHES},
    {"ldap:", NO_SLASHES},
    {"ldap:/a/dc=b", NO_SLASHES},
    {"ldap//a/dc=b", NO_SLASHES},
    {"URL:ldap://a/dc=b", NO_SLASHES},
    {"://a/dc=b", NO_DIRECTORY},
    {"http://a/dc=b", NO_DIRECTORY},
    {"cldap://a/dc=b", NO_DIRECTORY},
    {"LDAP://a/dc=b", NO_DIRECTORY},
    {"LDAPS://a/dc=b", NO_DIRECTORY},
    {"<ldap://a/dc=b>", NO_DIRECTORY},
    {" ldap://a/dc=b", NO_DIRECTORY},
    {"ldap://", NO_HOST},
    {"ldap:///dc=b", NO_HOST},
    {"ldapi:///run/slapd/ldapi/dc=b", NO_HOST},
    {"ldap://,/dc=b", NO_NAME},
    {"ldap://,a/dc=b", NO_NAME},
    {"ldap://a,/dc=b", NO_NAME},
    {"ldap://a,,b/dc=b", NO_NAME},
    {"ldap://1,2,3,4,5,6,7,8,9/dc=b", "more than 8 hosts"},
    {"ldap://user:secret@a/dc=b", NO_SECRET},
    {"ldap://a,secret@b/dc=b", NO_SECRET},
    {"ldap://@/dc=b", NO_SECRET},
    {"ldap://a:/dc=b", BAD_HOST("1")},
    {"ldap://a:x/dc=b", BAD_HOST("1")},
    {"ldap://a:38 9/dc=b", BAD_HOST("1")},
    {"ldap://a:-1/dc=b", BAD_HOST("1")},
    {"ldap://a:65536/dc=b", BAD_HOST("1")},
    {"ldap://a,b:99999999999999999999/dc=b", BAD_HOST("2")},
    {"ldap://a,[::1/dc=b", BAD_HOST("2")},
    {"ldap://a,b,::1/dc=b", BAD_HOST("3")},
    {"ldap://[::1]:/dc=b", BAD_HOST("1")},
    {"ldap://a%00b/dc=b", NO_DIRECTORY},
    {"ldap://a/ou=x%00,dc=b", NO_DIRECTORY},
    {"ldap://a?x/dc=b", NO_DIRECTORY},
    {"ldap://a/dc=b?", NO_DIRECTORY},
    {"ldap://a/dc=b?cn", NO_DIRECTORY},
    {"ldap://a/dc=b?cn?sub", NO_DIRECTORY},
    {"ldap://a/dc=b?\?\?(cn=x)", NO_DIRECTORY},
    {"ldap://a/dc=b?\?\?\?!bindname=cn=x", NO_DIRECTORY},
    {"ldap://a", NO_BASE},
    {"ldap://a/", NO_BASE},
    {"ldap://a//dc=b", NO_BASE},
    {"ldap://a/inkan", NO_BASE},
    {"ldap://a/=b", NO_BASE},
    {"ldap://a/dc=b,,dc=c", NO_BASE},
    {"ldap://a/ou=x%2", NO_BASE},
    {"ldap://a/ou=x%zz,dc=b", NO_BASE},
};

static void what_is_none_is_refused_with_a_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct url url;
        struct err err = {0};
        if (url_read(bad[i].text, &url, &err) != ST_INVALID)
            fail_msg("%s is taken", bad[i].text);
        if (strncmp(err.text, "store.url: ", 11) != 0 || strcmp(err.text + 11, bad[i].error) != 0)
            fail_msg("%s: %s", bad[i].text, err.text);
        assert_null(url.base);
        assert_int_equal(url.count, 0);
    }
}

/* `text` with `filler` a million times between its parts. */
static char *oversize(const char *head, const char *filler, const char *tail)
{
    struct buf text = BUF_INIT(0);
    buf_append_str(&text, head);
    for (size_t i = 0; i < 1000000; i++)
        buf_append_str(&text, filler);
    buf_append_str(&text, tail);
    char *taken = buf_take(&text);
    assert_non_null(taken);
    return taken;
}

static void what_is_too_long_is_read_or_refused(void **state)
{
    static const struct {
        const char *head, *filler, *tail, *error;
    } cases[] = {
        {"ldap://a/dc=", "b", "", NULL},
        {"ldap://a/dc=", "%62", "", NULL},
        {"ldap://", "a", "/dc=b", NULL},
        {"ldap://a/dc=b", "%", "", NO_BASE},
        {"ldap://a/dc=b", ",", "", NO_BASE},
        {"ldap://a/dc=b", "?", "", NO_DIRECTORY},
        {"ldap://a/", "/", "", NO_BASE},
        {"ldap://", "a,", "/dc=b", "more than 8 hosts"},
        {"ldap://", ",", "/dc=b", NO_NAME},
        {"ldap://[", ":", "]/dc=b", NULL},
        {"ldap://a:", "1", "/dc=b", BAD_HOST("1")},
        {"ldap", "p", "://a/dc=b", NO_DIRECTORY},
        {"", "a", "", NO_SLASHES},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct url url;
        struct err err = {0};
        char *text = oversize(cases[i].head, cases[i].filler, cases[i].tail);
        enum status st = url_read(text, &url, &err);
        free(text);
        if (st != (cases[i].error != NULL ? ST_INVALID : ST_OK))
            fail_msg("case %zu: %d %s", i, (int)st, err.text);
        if (cases[i].error != NULL && strcmp(err.text + 11, cases[i].error) != 0)
            fail_msg("case %zu: %s", i, err.text);
        url_clear(&url);
    }
}

/* Whatever octet stands in whatever place, and wherever it ends. */
static void no_octet_does_harm(void **state)
{
    static const char text[] = "ldap://a:389,[::1]:390/ou=x%2Cy,dc=b";
    char changed[sizeof text];
    struct url url;
    struct err err;
    (void)state;
    for (size_t at = 0; at < sizeof text - 1; at++) {
        for (int octet = 0; octet < 256; octet++) {
            memcpy(changed, text, sizeof text);
            changed[at] = (char)octet;
            err = (struct err){0};
            if (url_read(changed, &url, &err) == ST_OK)
                assert_true(url.count >= 1 && url.base != NULL && *url.base != '\0');
            else
                assert_true(err.code == ST_INVALID && url.base == NULL && url.count == 0);
            url_clear(&url);
        }
    }
}

int main(void)
{
    const struct CMUnitTest url[] = {
        cmocka_unit_test(each_form_means_what_it_should),
        cmocka_unit_test(what_is_none_is_refused_with_a_sentence),
        cmocka_unit_test(what_is_too_long_is_read_or_refused),
        cmocka_unit_test(no_octet_does_harm),
    };
    return cmocka_run_group_tests(url, NULL, NULL);
}
