/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings file: what is read, what is refused with which sentence, and what is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/settings.h"

/* One file of the test: its content and what came of it. */
struct reading {
    char path[40];
    struct settings *settings;
    struct buf problems, warnings;
    struct err err;
};

static enum status reading_begin(struct reading *r, struct span content)
{
    *r = (struct reading){.path = "/tmp/inkan-settings-XXXXXX"};
    int fd = mkstemp(r->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content.data, content.len), content.len);
    close(fd);
    return settings_load(r->path, &r->problems, &r->warnings, &r->settings, &r->err);
}

static void reading_end(struct reading *r)
{
    unlink(r->path);
    settings_free(r->settings);
    buf_clear(&r->problems);
    buf_clear(&r->warnings);
}

/* Appends the lines of `text` without the name of the file in front. */
static void without_path(struct buf *out, const struct reading *r, struct buf *text)
{
    struct span line;
    struct span rest = span_str(buf_cstr(text));
    while (span_next(&rest, '\n', &line)) {
        assert_true(line.len == 0 || span_has_prefix(line, span_str(r->path)));
        buf_append_span(out, span_from(line, strlen(r->path)));
        if (rest.data != NULL)
            buf_append_char(out, '\n');
    }
}

static void defaults_are_those_of_the_contract(void **state)
{
    (void)state;
    struct settings *s;
    struct err err = {0};
    if (settings_load(NULL, NULL, NULL, &s, &err) != ST_OK)
        fail_msg("%s", err.text);
    assert_string_equal(s->store.url, "sqlite:/var/lib/inkan/inkan.db");
    assert_int_equal(s->store.timeout_ms, 2000);
    assert_int_equal(s->store.connections, 4);
    assert_string_equal(s->vault.keyring, "/etc/inkan/keyring");
    assert_int_equal(s->cache.memory, 256 << 20);
    assert_int_equal(s->cache.ttl_ms, 300000);
    assert_int_equal(s->cache.negative_ttl_ms, 60000);
    assert_int_equal(s->cache.stale_ttl_ms, 86400000);
    assert_string_equal(s->cache.memcached, "");
    assert_string_equal(s->server.listen, "inet:8891@127.0.0.1");
    assert_int_equal(s->server.workers, 0);
    assert_string_equal(s->server.user, "");
    assert_int_equal(s->server.socket_mode, 0660);
    assert_int_equal(s->server.mode, MODE_SIGN);
    assert_int_equal(s->server.drain_ms, 30000);
    assert_string_equal(s->sign.canonicalization, "relaxed/relaxed");
    assert_int_equal(s->sign.expiry_s, 0);
    assert_int_equal(s->sign.on_store_error, ON_ERROR_TEMPFAIL);
    assert_string_equal(s->sign.author, "from");
    assert_false(s->sign.software_header);
    assert_int_equal(s->sign.max_header_count, 1000);
    assert_int_equal(s->sign.max_header_bytes, 1 << 20);
    assert_string_equal(s->trust.internal_hosts, "127.0.0.0/8, ::1");
    assert_true(s->trust.authenticated);
    assert_string_equal(s->trust.daemon_names, "ORIGINATING");
    assert_int_equal(s->trust.tenant_check, TENANT_CHECK_ENFORCE);
    assert_string_equal(s->lifecycle.algorithms, "rsa-sha256:2048");
    assert_string_equal(s->lifecycle.selector, "{date}{alg}{n}");
    assert_int_equal(s->lifecycle.max_age_s, 180 * 86400);
    assert_int_equal(s->dns.port, 53);
    assert_int_equal(s->log.to, LOG_TO_SYSLOG);
    assert_int_equal(s->log.format, LOG_FORMAT_TEXT);
    assert_null(s->path);
    settings_free(s);
    settings_free(NULL);
}

static const struct good_case {
    const char *name, *file, *section, *key, *value;
    int line;
} good_cases[] = {
    {"empty file", "", "server", "workers", "auto", 0},
    {"only comments", "# a\n  # b\n\n", "server", "workers", "auto", 0},
    {"value", "[server]\nworkers = 4\n", "server", "workers", "4", 2},
    {"no final newline", "[server]\nworkers = 4", "server", "workers", "4", 2},
    {"CRLF", "[server]\r\nworkers = 4\r\n", "server", "workers", "4", 2},
    {"byte order mark", "\xef\xbb\xbf[server]\nworkers = 4\n", "server", "workers", "4", 2},
    {"blanks anywhere", " [ server ] # x\n\t workers\t=\t4 \t# why\n", "server", "workers", "4", 2},
    {"no blanks at all", "[server]\nworkers=4\n", "server", "workers", "4", 2},
    {"# inside a word stays", "[store]\nurl = sqlite:/a#b # c\n", "store", "url", "sqlite:/a#b", 2},
    {"= inside a value stays", "[store]\nurl = sqlite:/a?b=c\n", "store", "url", "sqlite:/a?b=c",
     2},
    {"section in two pieces", "[server]\nworkers = 4\n[log]\n[server]\ndrain = 5s\n", "server",
     "drain", "5s", 5},
    {"auto", "[server]\nworkers = auto\n", "server", "workers", "auto", 2},
    {"most", "[server]\nworkers = 256\n", "server", "workers", "256", 2},
    {"milliseconds", "[store]\ntimeout = 1500ms\n", "store", "timeout", "1500ms", 2},
    {"largest unit is printed", "[store]\ntimeout = 120000ms\n", "store", "timeout", "2m", 2},
    {"weeks are printed as days", "[sign]\nexpiry = 2w\n", "sign", "expiry", "14d", 2},
    {"seconds of another unit", "[sign]\nexpiry = 90s\n", "sign", "expiry", "90s", 2},
    {"no time at all", "[cache]\nttl = 0\n", "cache", "ttl", "0", 2},
    {"size", "[cache]\nmemory = 1048576\n", "cache", "memory", "1M", 2},
    {"odd size", "[cache]\nmemory = 100001\n", "cache", "memory", "100001", 2},
    {"gigabytes", "[cache]\nmemory = 2G\n", "cache", "memory", "2G", 2},
    {"octal", "[server]\nsocket_mode = 600\n", "server", "socket_mode", "0600", 2},
    {"bool", "[sign]\nsoftware_header = On\n", "sign", "software_header", "yes", 2},
    {"enum", "[sign]\non_store_error = accept\n", "sign", "on_store_error", "accept", 2},
    {"enum in capitals", "[log]\nlevel = DEBUG\n", "log", "level", "debug", 2},
    {"word that is a list", "[sign]\nauthor = from, sender\n", "sign", "author", "from,sender", 2},
    {"empty list", "[sign]\noversign =\n", "sign", "oversign", "", 2},
    {"empty and a comment", "[trust]\ninternal_hosts = # nobody\n", "trust", "internal_hosts", "",
     2},
    {"both algorithms", "[lifecycle]\nalgorithms = rsa-sha256:4096, ed25519-sha256\n", "lifecycle",
     "algorithms", "rsa-sha256:4096, ed25519-sha256", 2},
    {"algorithm without bits", "[lifecycle]\nalgorithms = rsa-sha256\n", "lifecycle", "algorithms",
     "rsa-sha256", 2},
    {"template", "[lifecycle]\nselector = a-{n}-{alg}{date}9\n", "lifecycle", "selector",
     "a-{n}-{alg}{date}9", 2},
    {"UTF-8", "[store]\nurl = sqlite:/\xc3\xa4\n", "store", "url", "sqlite:/\xc3\xa4", 2},
};

static bool row_of(struct settings_walk *walk, const char *section, const char *key,
                   struct settings_row *row)
{
    while (settings_next(walk, row))
        if (strcmp(row->section, section) == 0 && strcmp(row->key, key) == 0)
            return true;
    return false;
}

static void good_files_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_cases / sizeof good_cases[0]; i++) {
        const struct good_case *c = &good_cases[i];
        struct reading r;
        struct settings_row row = {0};
        if (reading_begin(&r, span_str(c->file)) != ST_OK)
            fail_msg("%s: %s", c->name, r.err.text);
        struct settings_walk walk = {.settings = r.settings};
        assert_true(row_of(&walk, c->section, c->key, &row));
        if (strcmp(row.value, c->value) != 0 || row.line != c->line)
            fail_msg("%s: \"%s\" of line %d", c->name, row.value, row.line);
        assert_int_equal(r.problems.len, 0);
        assert_int_equal(r.warnings.len, 0);
        assert_string_equal(r.settings->path, r.path);
        buf_clear(&walk.value);
        reading_end(&r);
    }
}

#define HOSTS_ALLOWED                                                                              \
    " (allowed: networks, addresses, host names and .domains, comma separated; ! excepts; "        \
    "empty: none)\n"
#define DURATION ": not a duration (a number with ms, s, m, h, d or w): "
#define SOCKET_ALLOWED " (allowed: inet:PORT@HOST, inet6:PORT@HOST or unix:/PATH)\n"
#define NAMES_ALLOWED " (allowed: header field names, comma separated)\n"
#define ALGORITHMS_ALLOWED                                                                         \
    " (allowed: rsa-sha256[:1024 to 4096] and ed25519-sha256, comma separated)\n"
#define SELECTOR_ALLOWED " (allowed: letters, digits, hyphens, {date}, {alg} and {n})\n"
#define MEMCACHED_ALLOWED                                                                          \
    " (allowed: host:port[:weight] or /socket[:weight], comma separated; empty: none)\n"
#define SERVERS_ALLOWED " (allowed: host:port; empty: off)\n"

static const struct bad_case {
    const char *name;
    struct span file;
    const char *problems;
} bad_cases[] = {
    {"unknown key", SPAN_LIT("[sign]\nhaeders = From\n"),
     ":2: [sign] haeders: no such key (nearest: headers)\n"},
    {"key of another section", SPAN_LIT("[sign]\nworkers = 3\n"),
     ":2: [sign] workers: no such key here (it belongs to [server])\n"},
    {"key before any section", SPAN_LIT("frob = 3\n"),
     ":1: frob: stands before the first [section]\n"},
    {"known key before any section", SPAN_LIT("workers = 3\n"),
     ":1: [no section] workers: no such key here (it belongs to [server])\n"},
    {"unknown section, its keys are not judged", SPAN_LIT("[sevrer]\nworkers = x\na = b\n"),
     ":1: [sevrer]: no such section (nearest: [server])\n"},
    {"section without an end", SPAN_LIT("[server\nworkers = x\n"),
     ":1: the section has no ] at its end\n"},
    {"empty section", SPAN_LIT("[]\n"), ":1: []: no such section (nearest: [dns])\n"},
    {"keys are lower case", SPAN_LIT("[server]\nWorkers = 1\n"),
     ":2: [server] Workers: no such key (nearest: workers)\n"},
    {"key twice", SPAN_LIT("[log]\nlevel = info\n\n[log]\nlevel = debug\n"),
     ":5: [log] level: given twice (first in line 2)\n"},
    {"neither", SPAN_LIT("[log]\nlevel info\n"), ":2: neither \"key = value\" nor \"[section]\"\n"},
    {"no key", SPAN_LIT("[log]\n= info\n"), ":2: neither \"key = value\" nor \"[section]\"\n"},
    {"no continuation lines", SPAN_LIT("[sign]\nheaders = From,\n To\n"),
     ":2: [sign] headers: \"From,\": an entry is empty" NAMES_ALLOWED
     ":3: neither \"key = value\" nor \"[section]\"\n"},
    {"NUL", SPAN_LIT("[log]\nlevel = in\0fo\n"), ":2: holds a NUL byte\n"},
    {"not UTF-8, even in a comment", SPAN_LIT("[log]\n# \xe4\n"), ":2: not valid UTF-8\n"},
    {"control character", SPAN_LIT("[log]\nlevel = \x1b[1m\n"), ":2: holds a control character\n"},
    {"lone CR", SPAN_LIT("[log]\nlevel = info\rto = syslog\n"), ":2: holds a control character\n"},
    {"empty value", SPAN_LIT("[log]\nlevel =\n"),
     ":2: [log] level: \"\": may not be empty (allowed: error|warning|info|debug)\n"},
    {"number", SPAN_LIT("[server]\nworkers = many\n"),
     ":2: [server] workers: \"many\": not a number (allowed: auto or 1 to 256)\n"},
    {"number with a tail", SPAN_LIT("[server]\nworkers = 4x\n"),
     ":2: [server] workers: \"4x\": not a number (allowed: auto or 1 to 256)\n"},
    {"too small", SPAN_LIT("[server]\nworkers = 0\n"),
     ":2: [server] workers: \"0\": too small (allowed: auto or 1 to 256)\n"},
    {"too large", SPAN_LIT("[server]\nworkers = 257\n"),
     ":2: [server] workers: \"257\": too large (allowed: auto or 1 to 256)\n"},
    {"far too large", SPAN_LIT("[server]\nworkers = 99999999999999999999\n"),
     ":2: [server] workers: \"99999999999999999999\": too large (allowed: auto or 1 to 256)\n"},
    {"negative", SPAN_LIT("[server]\nworkers = -1\n"),
     ":2: [server] workers: \"-1\": not a number (allowed: auto or 1 to 256)\n"},
    {"duration without a unit", SPAN_LIT("[store]\ntimeout = 5\n"),
     ":2: [store] timeout: \"5\"" DURATION "has no unit (allowed: 10ms to 10m)\n"},
    {"duration with another unit", SPAN_LIT("[store]\ntimeout = 5min\n"),
     ":2: [store] timeout: \"5min\"" DURATION "min is no unit (allowed: 10ms to 10m)\n"},
    {"duration that overflows", SPAN_LIT("[store]\ntimeout = 9223372036854775807w\n"),
     ":2: [store] timeout: \"9223372036854775807w\"" DURATION "too large (allowed: 10ms to 10m)\n"},
    {"duration too long", SPAN_LIT("[store]\ntimeout = 11m\n"),
     ":2: [store] timeout: \"11m\": too large (allowed: 10ms to 10m)\n"},
    {"part of a second", SPAN_LIT("[sign]\nexpiry = 1500ms\n"),
     ":2: [sign] expiry: \"1500ms\": not a whole number of seconds (allowed: 0 to 3650d)\n"},
    {"size", SPAN_LIT("[cache]\nmemory = 5MB\n"),
     ":2: [cache] memory: \"5MB\": not a size (a number, maybe with K, M or G): MB is no unit "
     "(allowed: 64K to 64G)\n"},
    {"octal", SPAN_LIT("[server]\nsocket_mode = 0668\n"),
     ":2: [server] socket_mode: \"0668\": not an octal number (allowed: 0000 to 0777)\n"},
    {"octal too large", SPAN_LIT("[server]\nsocket_mode = 1777\n"),
     ":2: [server] socket_mode: \"1777\": too large (allowed: 0000 to 0777)\n"},
    {"bool", SPAN_LIT("[trust]\nauthenticated = maybe\n"),
     ":2: [trust] authenticated: \"maybe\": neither yes nor no (allowed: yes|no)\n"},
    {"enum", SPAN_LIT("[log]\nto = file\n"),
     ":2: [log] to: \"file\": no such choice (allowed: syslog|stderr|journal)\n"},
    {"half a word", SPAN_LIT("[log]\nto = sys\n"),
     ":2: [log] to: \"sys\": no such choice (allowed: syslog|stderr|journal)\n"},
    {"word list in another order", SPAN_LIT("[sign]\nauthor = sender,from\n"),
     ":2: [sign] author: \"sender,from\": no such choice (allowed: "
     "from|from,sender|from,sender,envelope)\n"},
    {"mode that does not exist", SPAN_LIT("[server]\nmode = x\n"),
     ":2: [server] mode: \"x\": no such choice (allowed: s)\n"},
    {"mode this version lacks", SPAN_LIT("[server]\nmode = sv\n"),
     ":2: [server] mode: \"sv\": this version only signs (allowed: s)\n"},
    {"verifying mode", SPAN_LIT("[server]\nmode = v\n"),
     ":2: [server] mode: \"v\": this version only signs (allowed: s)\n"},
    {"relative file", SPAN_LIT("[vault]\nkeyring = keyring\n"),
     ":2: [vault] keyring: \"keyring\": does not start with / (allowed: an absolute file name)\n"},
    {"no URL", SPAN_LIT("[store]\nurl = /var/lib/inkan.db\n"),
     ":2: [store] url: \"/var/lib/inkan.db\": not a URL (allowed: sqlite:/FILE, "
     "postgresql://HOST[,HOST]/NAME or ldap://HOST[,HOST]/BASE (also ldaps:// and ldapi://))\n"},
    {"socket", SPAN_LIT("[server]\nlisten = inet:0\n"),
     ":2: [server] listen: \"inet:0\": the port is not a number from 1 to 65535" SOCKET_ALLOWED},
    {"hosts", SPAN_LIT("[trust]\ninternal_hosts = ::1, 10.0.0.1/8\n"),
     ":2: [trust] internal_hosts: \"::1, 10.0.0.1/8\": 10.0.0.1/8: host bits are set, 10.0.0.0/8 "
     "is probably meant" HOSTS_ALLOWED},
    {"field name with its colon", SPAN_LIT("[sign]\nheaders = From:, To\n"),
     ":2: [sign] headers: \"From:, To\": From: holds a colon" NAMES_ALLOWED},
    {"field names without commas", SPAN_LIT("[sign]\nheaders = From To\n"),
     ":2: [sign] headers: \"From To\": From To holds a blank or is not ASCII" NAMES_ALLOWED},
    {"field name twice", SPAN_LIT("[sign]\nheaders = From, To, from\n"),
     ":2: [sign] headers: \"From, To, from\": From stands twice" NAMES_ALLOWED},
    {"unknown algorithm", SPAN_LIT("[lifecycle]\nalgorithms = rsa-sha1\n"),
     ":2: [lifecycle] algorithms: \"rsa-sha1\": rsa-sha1 is no algorithm" ALGORITHMS_ALLOWED},
    {"few bits", SPAN_LIT("[lifecycle]\nalgorithms = rsa-sha256:1023\n"),
     ":2: [lifecycle] algorithms: \"rsa-sha256:1023\": 1023 bits are not from 1024 to "
     "4096" ALGORITHMS_ALLOWED},
    {"many bits", SPAN_LIT("[lifecycle]\nalgorithms = rsa-sha256:4097\n"),
     ":2: [lifecycle] algorithms: \"rsa-sha256:4097\": 4097 bits are not from 1024 to "
     "4096" ALGORITHMS_ALLOWED},
    {"bits of Ed25519", SPAN_LIT("[lifecycle]\nalgorithms = ed25519-sha256:256\n"),
     ":2: [lifecycle] algorithms: \"ed25519-sha256:256\": ed25519-sha256:256 is no "
     "algorithm" ALGORITHMS_ALLOWED},
    {"RSA twice", SPAN_LIT("[lifecycle]\nalgorithms = rsa-sha256:2048,rsa-sha256:4096\n"),
     ":2: [lifecycle] algorithms: \"rsa-sha256:2048,rsa-sha256:4096\": rsa-sha256 stands "
     "twice" ALGORITHMS_ALLOWED},
    {"unknown placeholder", SPAN_LIT("[lifecycle]\nselector = {day}\n"),
     ":2: [lifecycle] selector: \"{day}\": {day} is no placeholder" SELECTOR_ALLOWED},
    {"open placeholder", SPAN_LIT("[lifecycle]\nselector = x{date\n"),
     ":2: [lifecycle] selector: \"x{date\": holds a character that no selector may "
     "have" SELECTOR_ALLOWED},
    {"dot in a selector", SPAN_LIT("[lifecycle]\nselector = a.b\n"),
     ":2: [lifecycle] selector: \"a.b\": holds a character that no selector may "
     "have" SELECTOR_ALLOWED},
    {"hyphen at the end of a selector", SPAN_LIT("[lifecycle]\nselector = {n}-\n"),
     ":2: [lifecycle] selector: \"{n}-\": starts or ends with a hyphen" SELECTOR_ALLOWED},
    {"port of a server", SPAN_LIT("[metrics]\nlisten = 127.0.0.1:http\n"),
     ":2: [metrics] listen: \"127.0.0.1:http\": 127.0.0.1:http: has no port from 1 to "
     "65535" SERVERS_ALLOWED},
    {"memcached without a port", SPAN_LIT("[cache]\nmemcached = 10.0.0.1\n"),
     ":2: [cache] memcached: \"10.0.0.1\": 10.0.0.1: has no port from 1 to "
     "65535" MEMCACHED_ALLOWED},
    {"memcached with a weight of nothing", SPAN_LIT("[cache]\nmemcached = a:11211, /s:0\n"),
     ":2: [cache] memcached: \"a:11211, /s:0\": /s:0: has no weight from 1 to 1000 behind its "
     "colon" MEMCACHED_ALLOWED},
    {"brackets of a server", SPAN_LIT("[metrics]\nlisten = [::1:9891\n"),
     ":2: [metrics] listen: \"[::1:9891\": [::1:9891: is not a host and its port (IPv6 "
     "needs [ ])" SERVERS_ALLOWED},
    {"every fault at once", SPAN_LIT("[log]\nto = file\nfrob = 1\nblah\n[x]\n[store]\nurl = \n"),
     ":2: [log] to: \"file\": no such choice (allowed: syslog|stderr|journal)\n"
     ":3: [log] frob: no such key (nearest: to)\n"
     ":4: neither \"key = value\" nor \"[section]\"\n"
     ":5: [x]: no such section (nearest: [dns])\n"
     ":7: [store] url: \"\": may not be empty (allowed: sqlite:/FILE, "
     "postgresql://HOST[,HOST]/NAME or ldap://HOST[,HOST]/BASE (also ldaps:// and ldapi://))\n"},
};

static void faults_name_line_and_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_cases / sizeof bad_cases[0]; i++) {
        const struct bad_case *c = &bad_cases[i];
        struct reading r;
        struct buf seen = BUF_INIT(0);
        enum status status = reading_begin(&r, c->file);
        without_path(&seen, &r, &r.problems);
        if (status != ST_INVALID || strcmp(buf_cstr(&seen), c->problems) != 0)
            fail_msg("%s: %s\n%s", c->name, status_name(status), buf_cstr(&seen));
        assert_null(r.settings);
        assert_true(span_has_prefix(buf_span(&r.problems), span_head(span_str(r.err.text), 255)));
        buf_clear(&seen);
        reading_end(&r);
    }
}

static void long_lines_are_not_cut_in_problems(void **state)
{
    (void)state;
    struct reading r;
    struct buf file = BUF_INIT(0);
    buf_append_str(&file, "[log]\nlevel = ");
    memset(buf_extend(&file, 8000), 'x', 8000);
    buf_append_str(&file, "\n# ");
    memset(buf_extend(&file, 8190), 'x', 8190);
    buf_append_str(&file, "\n# ");
    memset(buf_extend(&file, 8191), 'x', 8191);
    assert_int_equal(reading_begin(&r, buf_span(&file)), ST_INVALID);
    assert_non_null(strstr(buf_cstr(&r.problems), "xxx\": no such choice (allowed: error|"));
    assert_non_null(strstr(buf_cstr(&r.problems), ":4: longer than 8192 octets\n"));
    assert_null(strstr(buf_cstr(&r.problems), ":3:"));
    assert_int_equal(strlen(r.err.text), ERR_TEXT_SIZE - 1);
    buf_clear(&file);
    reading_end(&r);
}

static void thousands_of_faults_are_bounded(void **state)
{
    (void)state;
    struct reading r;
    struct buf file = BUF_INIT(0);
    for (int i = 0; i < 5000; i++)
        buf_append_str(&file, "x\n");
    assert_int_equal(reading_begin(&r, buf_span(&file)), ST_INVALID);
    assert_non_null(strstr(buf_cstr(&r.problems), ":1000: neither"));
    assert_null(strstr(buf_cstr(&r.problems), ":1001: neither"));
    assert_true(span_has_suffix_nocase(buf_span(&r.problems), SPAN_LIT(": more faults follow\n")));
    buf_clear(&file);
    reading_end(&r);
}

static void large_files_are_refused(void **state)
{
    (void)state;
    struct reading r;
    struct buf file = BUF_INIT(0);
    for (int i = 0; i < 1 << 19; i++)
        buf_append_str(&file, "#\n");
    assert_int_equal(reading_begin(&r, buf_span(&file)), ST_OK);
    reading_end(&r);
    buf_append_str(&file, "#");
    assert_int_equal(reading_begin(&r, buf_span(&file)), ST_INVALID);
    assert_non_null(strstr(r.err.text, ": larger than 1 MiB"));
    buf_clear(&file);
    reading_end(&r);
}

static void unreadable_files_are_named(void **state)
{
    (void)state;
    struct settings *settings;
    struct buf problems = BUF_INIT(0);
    struct err err = {0};
    assert_int_equal(settings_load("/nowhere/a.conf", &problems, NULL, &settings, &err),
                     ST_INVALID);
    assert_string_equal(err.text, "/nowhere/a.conf: No such file or directory");
    assert_string_equal(buf_cstr(&problems), "/nowhere/a.conf: No such file or directory\n");
    buf_reset(&problems);
    assert_int_equal(settings_load("/tmp", &problems, NULL, &settings, &err), ST_INVALID);
    assert_string_equal(err.text, "/tmp: Is a directory");
    buf_clear(&problems);
    assert_int_equal(settings_load("/nowhere/a.conf", NULL, NULL, &settings, NULL), ST_INVALID);
}

static void settings_without_effect_are_warned_of(void **state)
{
    (void)state;
    struct reading r;
    struct buf seen = BUF_INIT(0);
    assert_int_equal(reading_begin(&r, SPAN_LIT("[verify]\ntimeout = 1s\n[log]\nto = stderr\n"
                                                "[verify]\ncache = 2M\n")),
                     ST_OK);
    without_path(&seen, &r, &r.warnings);
    assert_string_equal(buf_cstr(&seen), ":2: [verify] timeout: has no effect in this version\n"
                                         ":6: [verify] cache: has no effect in this version\n");
    assert_int_equal(r.settings->verify.timeout_ms, 1000);
    buf_clear(&seen);
    reading_end(&r);
}

static void the_path_comes_from_the_environment(void **state)
{
    (void)state;
    unsetenv("INKAN_CONF");
    assert_string_equal(settings_path(NULL), "/etc/inkan/inkan.conf");
    setenv("INKAN_CONF", "", 1);
    assert_string_equal(settings_path(NULL), "/etc/inkan/inkan.conf");
    setenv("INKAN_CONF", "/x.conf", 1);
    assert_string_equal(settings_path(NULL), "/x.conf");
    assert_string_equal(settings_path("/y.conf"), "/y.conf");
    unsetenv("INKAN_CONF");
}

/* What `conf show` prints, as a file. */
static void print_all(const struct settings *settings, struct buf *out)
{
    struct settings_walk walk = {.settings = settings};
    struct settings_row row;
    while (settings_next(&walk, &row))
        buf_printf(out, "[%s]\n%s = %s\n", row.section, row.key, row.value);
    assert_null(walk.value.data);
}

/* A value for every type that is not its default. */
static const char changed[] = "[store]\nurl = sqlite:/x\ntimeout = 1500ms\n"
                              "[cache]\nmemory = 100001\nttl = 0\nstale_ttl = 36h\n"
                              "[server]\nworkers = 3\nsocket_mode = 0600\nuser = inkan\n"
                              "[sign]\nexpiry = 1w\non_store_error = accept\noversign =\n"
                              "author = from,sender\nsoftware_header = yes\n"
                              "[trust]\nauthenticated = no\ninternal_hosts = !::1, .a.example\n"
                              "[log]\nlevel = debug\nto = journal\nformat = json\n";

static void shown_settings_load_again(void **state)
{
    (void)state;
    static const char *const files[] = {"", changed};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct reading first;
        struct reading second;
        struct buf shown = BUF_INIT(0);
        struct buf again = BUF_INIT(0);
        assert_int_equal(reading_begin(&first, span_str(files[i])), ST_OK);
        print_all(first.settings, &shown);
        if (reading_begin(&second, buf_span(&shown)) != ST_OK)
            fail_msg("%s", second.err.text);
        print_all(second.settings, &again);
        assert_string_equal(buf_cstr(&shown), buf_cstr(&again));
        assert_int_equal(first.settings->sign.expiry_s, second.settings->sign.expiry_s);
        assert_int_equal(first.settings->cache.memory, second.settings->cache.memory);
        assert_int_equal(first.settings->server.socket_mode, second.settings->server.socket_mode);
        assert_int_equal(first.settings->log.level, second.settings->log.level);
        buf_clear(&shown);
        buf_clear(&again);
        reading_end(&first);
        reading_end(&second);
    }
}

static void read_whole(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    char chunk[4096];
    size_t got;
    if (file == NULL)
        fail_msg("%s cannot be read", path);
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        buf_append(out, chunk, got);
    fclose(file);
}

/* A stale file is mended with the one this test leaves behind. */
static void expect_made(const char *path, const char *name, void (*make)(struct buf *out))
{
    struct buf file = BUF_INIT(0);
    struct buf made = BUF_INIT(0);
    read_whole(path, &file);
    make(&made);
    if (!span_equal(buf_span(&file), buf_span(&made))) {
        FILE *out = fopen(name, "w");
        if (out != NULL) {
            fputs(buf_cstr(&made), out);
            fclose(out);
        }
        fail_msg("%s is stale: copy the %s this test wrote over it", path, name);
    }
    buf_clear(&file);
    buf_clear(&made);
}

static void the_example_file_is_made_from_the_table(void **state)
{
    (void)state;
    expect_made(VECTORS "/../../deploy/inkan.conf.example", "inkan.conf.example", settings_example);
}

static void the_manual_page_is_made_from_the_table(void **state)
{
    (void)state;
    expect_made(VECTORS "/../../docs/man/inkan.conf.5", "inkan.conf.5", settings_manual);
}

static void the_example_file_with_all_keys_is_the_default(void **state)
{
    (void)state;
    struct reading r;
    struct buf example = BUF_INIT(0);
    struct buf file = BUF_INIT(0);
    struct span line;
    settings_example(&example);
    struct span rest = buf_span(&example);
    while (span_next(&rest, '\n', &line)) {
        if (line.len > 1 && line.data[0] == '#' && line.data[1] != ' ')
            line = span_from(line, 1);
        buf_append_span(&file, line);
        buf_append_char(&file, '\n');
    }
    if (reading_begin(&r, buf_span(&file)) != ST_OK)
        fail_msg("%s", r.err.text);
    struct settings_walk walk = {.settings = r.settings};
    struct settings_row row;
    while (settings_next(&walk, &row))
        if (row.line == 0)
            fail_msg("[%s] %s is not in the example", row.section, row.key);
    buf_clear(&example);
    buf_clear(&file);
    reading_end(&r);
}

static void single_values_are_parsed(void **state)
{
    (void)state;
    struct err err = {0};
    int64_t number = -1;
    bool flag = false;
    assert_int_equal(settings_parse_duration(SPAN_LIT("0"), &number, &err), ST_OK);
    assert_int_equal(number, 0);
    assert_int_equal(settings_parse_duration(SPAN_LIT("3w"), &number, &err), ST_OK);
    assert_int_equal(number, 3 * 7 * 86400000LL);
    assert_int_equal(settings_parse_duration(SPAN_LIT(""), &number, &err), ST_INVALID);
    assert_int_equal(settings_parse_duration(SPAN_LIT("5 s"), &number, &err), ST_INVALID);
    assert_int_equal(settings_parse_duration(SPAN_LIT("1.5s"), &number, &err), ST_INVALID);
    assert_int_equal(settings_parse_seconds(SPAN_LIT("2h"), &number, &err), ST_OK);
    assert_int_equal(number, 7200);
    assert_int_equal(settings_parse_seconds(SPAN_LIT("1500ms"), &number, &err), ST_INVALID);
    assert_int_equal(number, 7200);
    assert_int_equal(settings_parse_size(SPAN_LIT("3G"), &number, &err), ST_OK);
    assert_int_equal(number, 3LL << 30);
    assert_int_equal(settings_parse_size(SPAN_LIT("9999999999999G"), &number, &err), ST_INVALID);
    assert_int_equal(number, 3LL << 30);
    assert_int_equal(settings_parse_bool(SPAN_LIT("TRUE"), &flag, &err), ST_OK);
    assert_true(flag);
    assert_int_equal(settings_parse_bool(SPAN_LIT("off"), &flag, NULL), ST_OK);
    assert_false(flag);
    assert_int_equal(settings_parse_bool(SPAN_LIT(""), &flag, NULL), ST_INVALID);
}

static void a_text_can_be_read_before_it_is_a_file(void **state)
{
    (void)state;
    struct settings *settings = NULL;
    struct err err = {0};
    assert_int_equal(
        settings_read("made", SPAN_LIT("[sign]\nheaders = From, To\n"), &settings, &err), ST_OK);
    assert_string_equal(settings->sign.headers, "From, To");
    settings_free(settings);
    assert_int_equal(settings_read("made", SPAN_LIT(""), &settings, &err), ST_OK);
    settings_free(settings);
    assert_int_equal(
        settings_read("made", SPAN_LIT("[sign]\nheaders = From, T o\n"), &settings, &err),
        ST_INVALID);
    assert_null(settings);
    assert_true(span_has_prefix(span_str(err.text), SPAN_LIT("made:2: [sign] headers: ")));
    assert_int_equal(settings_read("made", SPAN_LIT("[sign]\nnonsense = 1\n"), &settings, &err),
                     ST_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_contract),
        cmocka_unit_test(good_files_are_read),
        cmocka_unit_test(faults_name_line_and_remedy),
        cmocka_unit_test(long_lines_are_not_cut_in_problems),
        cmocka_unit_test(thousands_of_faults_are_bounded),
        cmocka_unit_test(large_files_are_refused),
        cmocka_unit_test(unreadable_files_are_named),
        cmocka_unit_test(settings_without_effect_are_warned_of),
        cmocka_unit_test(the_path_comes_from_the_environment),
        cmocka_unit_test(shown_settings_load_again),
        cmocka_unit_test(the_example_file_is_made_from_the_table),
        cmocka_unit_test(the_manual_page_is_made_from_the_table),
        cmocka_unit_test(the_example_file_with_all_keys_is_the_default),
        cmocka_unit_test(single_values_are_parsed),
        cmocka_unit_test(a_text_can_be_read_before_it_is_a_file),
    };
    return cmocka_run_group_tests_name("base_settings", tests, NULL, NULL);
}
