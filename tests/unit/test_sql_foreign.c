/* SPDX-License-Identifier: Apache-2.0
 *
 * The dsn: URLs of OpenDKIM: what its parts are as 2.11 reads them, what escapes stand for, and the
 * sentence for what is none, which repeats nothing of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sql/foreign_dsn.h"

#define OPTIONS "/table=t?keycol=k?datacol=a"

static const struct {
    const char *text;
    const char *backend, *user, *password, *port, *host, *database;
    bool escaped;
} places[] = {
    {"pgsql://h/db" OPTIONS, "pgsql", "", "", "", "h", "db", false},
    {"mysql://u@h/db" OPTIONS, "mysql", "u", "", "", "h", "db", false},
    {"mysql://u:p@h/db" OPTIONS, "mysql", "u", "p", "", "h", "db", false},
    {"mysql://u:p@3306+h/db" OPTIONS, "mysql", "u", "p", "3306", "h", "db", false},
    {"mysql://3306+h/db" OPTIONS, "mysql", "", "", "3306", "h", "db", false},
    {"mysql://u:@h/db" OPTIONS, "mysql", "u", "", "", "h", "db", false},
    {"mysql://u:p w\"'#&%,;\\@h/db" OPTIONS, "mysql", "u", "p w\"'#&%,;\\", "", "h", "db", false},
    {"pgsql://u@5432,5433+h,i/db" OPTIONS, "pgsql", "u", "", "5432,5433", "h,i", "db", false},
    /* As OpenDKIM has it: the second @ ends the password. */
    {"mysql://u@p@h/db" OPTIONS, "mysql", "u", "p", "", "h", "db", false},
    /* A host is what is not empty; so slashes at the beginning mean nothing. */
    {"sqlite3:///var/keys" OPTIONS, "sqlite3", "", "", "", "var", "keys", false},
    {"sqlite3://%/keys.db" OPTIONS, "sqlite3", "", "", "", "%", "keys.db", false},
    {"mysql://u=40x:p=3A=2f@h/db" OPTIONS, "mysql", "u=40x", "p=3A=2f", "", "h", "db", true},
    {"sqlite3://=2Fvar=2F/k.db" OPTIONS, "sqlite3", "", "", "", "=2Fvar=2F", "k.db", true},
};

static void parts_are_those_of_opendkim(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct foreign_dsn dsn;
        struct err err = {0};
        if (foreign_dsn_read(span_str(places[i].text), &dsn, &err) != ST_OK)
            fail_msg("%s: %s", places[i].text, err.text);
        assert_string_equal(dsn.backend, places[i].backend);
        assert_string_equal(dsn.user, places[i].user);
        assert_string_equal(dsn.password, places[i].password);
        assert_string_equal(dsn.port, places[i].port);
        assert_string_equal(dsn.host, places[i].host);
        assert_string_equal(dsn.database, places[i].database);
        assert_int_equal(dsn.escaped, places[i].escaped);
        assert_null(dsn.filter);
        foreign_dsn_clear(&dsn);
    }
}

static const struct {
    const char *text;
    const char *table, *keycol, *datacol, *filter;
    bool small;
} options[] = {
    {"table=t?keycol=k?datacol=a,b", "t", "k", "a,b", NULL, false},
    {"datacol=a?x?y=z?KEYCOL=k?Table=t?", "t", "k", "a", NULL, false},
    {"table=t?keycol=k?datacol=a?table=u", "u", "k", "a", NULL, false},
    {"table=s.\"t/u\"?keycol=lower(k)?datacol=a = 'b',c", "s.\"t/u\"", "lower(k)", "a = 'b',c",
     NULL, false},
    {"table=t=20?keycol=k=5F?datacol=a", "t=20", "k=5F", "a", NULL, false},
    {"table=t?keycol=k?datacol=a?filter=", "t", "k", "a", "", false},
    {"table=t?keycol=k?datacol=a?filter=x=3D1=20AND=3F", "t", "k", "a", "x=1 AND?", false},
    {"table=t?keycol=k?datacol=a?filter=x=1 AND y=TRUE AND z=7", "t", "k", "a",
     "x=1 AND y=TRUE AND z=7", false},
    {"table=t?keycol=k?datacol=a?filter=x=3d1", "t", "k", "a", "x=1", true},
    {"table=t?keycol=k?datacol=a?filter=x=C3=B6=", "t", "k", "a", "x\xc3\xb6=", false},
};

static void options_are_those_of_opendkim(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct foreign_dsn dsn;
        struct err err = {0};
        struct buf text = {0};
        buf_printf(&text, "pgsql://h/db/%s", options[i].text);
        if (foreign_dsn_read(buf_span(&text), &dsn, &err) != ST_OK)
            fail_msg("%s: %s", options[i].text, err.text);
        assert_string_equal(dsn.table, options[i].table);
        assert_string_equal(dsn.keycol, options[i].keycol);
        assert_string_equal(dsn.datacol, options[i].datacol);
        assert_int_equal(dsn.filter == NULL, options[i].filter == NULL);
        if (dsn.filter != NULL)
            assert_string_equal(dsn.filter, options[i].filter);
        assert_int_equal(dsn.small, options[i].small);
        foreign_dsn_clear(&dsn);
        buf_clear(&text);
    }
}

static void escapes_can_be_undone(void **state)
{
    struct foreign_dsn dsn;
    struct err err = {0};
    (void)state;
    assert_int_equal(foreign_dsn_read(SPAN_LIT("mysql://u=40:=3D=3d=@h/d=20b/table=a=5Fb"
                                               "?keycol=k?datacol=c"),
                                      &dsn, &err),
                     ST_INVALID); /* a = that begins no escape */
    assert_int_equal(foreign_dsn_read(SPAN_LIT("mysql://u=40:=3D=3d@h/d=20b/table=a=5Fb"
                                               "?keycol=k?datacol=c"),
                                      &dsn, &err),
                     ST_OK);
    assert_int_equal(foreign_dsn_unescape_place(&dsn, &err), ST_OK);
    assert_string_equal(dsn.user, "u@");
    assert_string_equal(dsn.password, "==");
    assert_string_equal(dsn.database, "d b");
    assert_string_equal(dsn.table, "a=5Fb");
    assert_true(foreign_dsn_names_escaped(&dsn));
    assert_int_equal(foreign_dsn_unescape_names(&dsn, &err), ST_OK);
    assert_string_equal(dsn.table, "a_b");
    assert_false(foreign_dsn_names_escaped(&dsn));
    foreign_dsn_clear(&dsn);
    assert_int_equal(foreign_dsn_read(SPAN_LIT("mysql://u:=00@h/d" OPTIONS), &dsn, &err), ST_OK);
    assert_int_equal(foreign_dsn_unescape_place(&dsn, &err), ST_INVALID);
    foreign_dsn_clear(&dsn);
}

static const char *const wrong[] = {
    "",
    "secret",
    "pgsql:",
    "pgsql:/secret/x" OPTIONS,
    "pgsql://",
    "pgsql://secret",
    "pgsql://secret/x",
    "pgsql://secret/x/",
    "pgsql://secret/x/table=t?keycol=k",
    "pgsql://secret/x/table=t?keycol=?datacol=a",
    "pgsql://secret/x?table=t?keycol=k?datacol=a",
    "pgsql://u:secret:x@h/d" OPTIONS,
    "pgsql://u:secret=@h/d" OPTIONS,
    "pgsql://u:secret=4@h/d" OPTIONS,
    "pgsql://u:secret=4G@h/d" OPTIONS,
    "pgsql://u:secret?@h/d" OPTIONS,
    "pgsql://u:secret/x@h/d" OPTIONS,
    "pgsql://u:x/secret@h/d" OPTIONS,
    "pgsql://u:secret+x@h/d" OPTIONS,
    "pgsql://u:x+secret@h/d" OPTIONS,
    "pgsql://u:secret/h/d" OPTIONS,
    "pgsql://u@secret+h/d" OPTIONS,
    "pgsql://1+secret@h/d" OPTIONS,
    "pgsql://h/u:secret@x" OPTIONS,
    "pgsql://h/d" OPTIONS "?filter=secret=00",
};

static void what_is_no_url_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct foreign_dsn dsn;
        struct err err = {0};
        if (foreign_dsn_read(span_str(wrong[i]), &dsn, &err) != ST_INVALID)
            fail_msg("%s is taken", wrong[i]);
        assert_null(strstr(err.text, "secret"));
    }
}

static void long_parts_are_refused(void **state)
{
    struct buf text = {0};
    struct foreign_dsn dsn;
    struct err err = {0};
    (void)state;
    for (size_t len = 1023; len <= 1024; len++) {
        buf_append_str(&text, "pgsql://u:");
        memset(buf_extend(&text, len), 'x', len);
        buf_append_str(&text, "@h/d" OPTIONS);
        enum status st = foreign_dsn_read(buf_span(&text), &dsn, &err);
        assert_int_equal(st, len == 1023 ? ST_OK : ST_INVALID);
        if (st == ST_OK)
            foreign_dsn_clear(&dsn);
        buf_clear(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_those_of_opendkim),
        cmocka_unit_test(options_are_those_of_opendkim),
        cmocka_unit_test(escapes_can_be_undone),
        cmocka_unit_test(what_is_no_url_is_refused),
        cmocka_unit_test(long_parts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
