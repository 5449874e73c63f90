/* SPDX-License-Identifier: Apache-2.0
 *
 * Key records as text: what is written, and that the record file reads it back.
 */
#include "tests/unit/test_dkim_support.h"

#include "dns/recordfile.h"
#include "dns/records.h"

static struct record record_of(const char *name, const char *value, size_t len)
{
    struct record record = {.value = BUF_INIT(0), .ttl_s = RECORDS_TTL};
    const char *dot = strrchr(name, '.');
    snprintf(record.name, sizeof record.name, "%s", name);
    snprintf(record.domain, sizeof record.domain, "%s", dot != NULL ? dot + 1 : name);
    buf_append(&record.value, value, len);
    return record;
}

static void formats_are_written(void **state)
{
    static const struct {
        const char *name, *value;
        enum records_format format;
        const char *want;
    } cases[] = {
        {"zone", "v=DKIM1; p=", RECORDS_ZONE, "s.example. IN TXT ( \"v=DKIM1; p=\" )\n"},
        {"zone with quotes", "a\"b\\c", RECORDS_ZONE, "s.example. IN TXT ( \"a\\\"b\\\\c\" )\n"},
        {"zone with octets", "\x01\xff", RECORDS_ZONE, "s.example. IN TXT ( \"\\001\\255\" )\n"},
        {"oneline", "v=DKIM1; p=", RECORDS_ONELINE, "s.example v=DKIM1; p=\n"},
        {"json", "p=\"", RECORDS_JSON,
         "[\n  {\"name\":\"s.example\",\"type\":\"TXT\",\"value\":\"p=\\\"\","
         "\"strings\":[\"p=\\\"\"]}\n]\n"},
        {"nsupdate", "k=rsa; p=YQ==", RECORDS_NSUPDATE,
         "prereq nxrrset s.example. CNAME\nprereq nxrrset s.example. TXT\n"
         "update add s.example. 3600 TXT \"k=rsa; p=YQ==\"\nsend\n"},
        {"powerdns", "p=\"", RECORDS_POWERDNS,
         "{\"name\":\"example.\",\"rrsets\":[{\"name\":\"s.example.\",\"type\":\"TXT\",\"ttl\":"
         "3600,"
         "\"changetype\":\"REPLACE\",\"records\":[{\"content\":\"\\\"p=\\\\\\\"\\\"\","
         "\"disabled\":false}]}]}\n"},
        {"route53", "p=", RECORDS_ROUTE53,
         "{\"Comment\":\"example\",\"Changes\":[{\"Action\":\"UPSERT\",\"ResourceRecordSet\":"
         "{\"Name\":\"s.example.\",\"Type\":\"TXT\",\"TTL\":3600,\"ResourceRecords\":"
         "[{\"Value\":\"\\\"p=\\\"\"}]}}]}\n"},
        {"cloudflare", "p=", RECORDS_CLOUDFLARE,
         "{\"posts\":[{\"name\":\"s.example\",\"type\":\"TXT\",\"content\":\"\\\"p=\\\"\","
         "\"ttl\":3600}]}\n"},
        {"octodns", "k=rsa; it's", RECORDS_OCTODNS,
         "---\n# example.\n's':\n  ttl: 3600\n  type: TXT\n  value: 'k=rsa\\; it''s'\n"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = BUF_INIT(0);
        struct records_writer writer;
        struct record record = record_of("s.example", cases[i].value, strlen(cases[i].value));
        records_begin(&writer, cases[i].format, &out);
        records_add(&writer, &record);
        records_end(&writer);
        CHECK_TEXT(cases[i].name, buf_cstr(&out), cases[i].want);
        records_clear(&record);
        buf_clear(&out);
    }
}

/* In the place of the key's record, string by string, and of nothing else; where the key is not
 * known, only where nothing stands. */
static void gravestones_are_written_for_nsupdate(void **state)
{
    static const struct records_key key = {
        .domain = "c.example", .selector = "s", .algorithm = DKIM_RSA_SHA256};
    static const char octets[180] = {0}; /* in base64 all A */
    char first[DKIM_TXT_STRING_MAX + 1], want[1024];
    struct buf out = BUF_INIT(0);
    struct records_writer writer;
    struct record record;
    struct err err = {0};
    (void)state;
    CHECK_STATUS("make", records_of_key(&key, &record, &err), ST_OK, err);
    records_begin(&writer, RECORDS_NSUPDATE, &out);
    records_add(&writer, &record);
    struct span public_octets = span_of(octets, sizeof octets);
    CHECK_STATUS("replace", records_replace(&record, key.algorithm, public_octets, &err), ST_OK,
                 err);
    assert_int_equal(record.before.len, strlen("v=DKIM1; k=rsa; p=") + 240);
    memset(first, 'A', DKIM_TXT_STRING_MAX);
    first[DKIM_TXT_STRING_MAX] = '\0';
    memcpy(first, "v=DKIM1; k=rsa; p=", strlen("v=DKIM1; k=rsa; p="));
    records_add(&writer, &record);
    records_end(&writer);
    snprintf(want, sizeof want,
             "prereq nxrrset s._domainkey.c.example. CNAME\n"
             "prereq nxrrset s._domainkey.c.example. TXT\n"
             "update add s._domainkey.c.example. 3600 TXT \"v=DKIM1; p=\"\nsend\n"
             "prereq yxrrset s._domainkey.c.example. TXT \"%s\" \"AAA\"\n"
             "update delete s._domainkey.c.example. TXT \"%s\" \"AAA\"\n"
             "update add s._domainkey.c.example. 3600 TXT \"v=DKIM1; p=\"\nsend\n",
             first, first);
    CHECK_TEXT("text", buf_cstr(&out), want);
    records_clear(&record);
    buf_clear(&out);
}

static void aliases_are_written(void **state)
{
    static const struct {
        const char *name;
        enum records_format format;
        const char *want;
    } cases[] = {
        {"zone", RECORDS_ZONE, "s1._domainkey.c.example. IN CNAME s1-x.p.example.\n"},
        {"oneline", RECORDS_ONELINE, "s1._domainkey.c.example CNAME s1-x.p.example.\n"},
        {"json", RECORDS_JSON,
         "[\n  {\"name\":\"s1._domainkey.c.example\",\"type\":\"CNAME\","
         "\"value\":\"s1-x.p.example\"}\n]\n"},
        {"nsupdate", RECORDS_NSUPDATE,
         "prereq nxdomain s1._domainkey.c.example.\n"
         "update add s1._domainkey.c.example. 3600 CNAME s1-x.p.example.\nsend\n"},
        {"powerdns", RECORDS_POWERDNS,
         "{\"name\":\"c.example.\",\"rrsets\":[{\"name\":\"s1._domainkey.c.example.\","
         "\"type\":\"CNAME\",\"ttl\":3600,\"changetype\":\"REPLACE\",\"records\":"
         "[{\"content\":\"s1-x.p.example.\",\"disabled\":false}]}]}\n"},
        {"route53", RECORDS_ROUTE53,
         "{\"Comment\":\"c.example\",\"Changes\":[{\"Action\":\"UPSERT\","
         "\"ResourceRecordSet\":{\"Name\":\"s1._domainkey.c.example.\",\"Type\":\"CNAME\","
         "\"TTL\":3600,\"ResourceRecords\":[{\"Value\":\"s1-x.p.example.\"}]}}]}\n"},
        {"cloudflare", RECORDS_CLOUDFLARE,
         "{\"posts\":[{\"name\":\"s1._domainkey.c.example\",\"type\":\"CNAME\","
         "\"content\":\"s1-x.p.example\",\"ttl\":3600}]}\n"},
        {"octodns", RECORDS_OCTODNS,
         "---\n# c.example.\n's1._domainkey':\n  ttl: 3600\n  type: CNAME\n"
         "  value: 's1-x.p.example.'\n"},
    };
    static const struct records_key key = {
        .domain = "c.example", .selector = "s1", .target = "s1-x.p.example"};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = BUF_INIT(0);
        struct records_writer writer;
        struct record record;
        struct err err = {0};
        CHECK_STATUS(cases[i].name, records_of_alias(&key, &record, &err), ST_OK, err);
        records_begin(&writer, cases[i].format, &out);
        records_add(&writer, &record);
        records_end(&writer);
        CHECK_TEXT(cases[i].name, buf_cstr(&out), cases[i].want);
        records_clear(&record);
        buf_clear(&out);
    }
}

static void an_empty_listing_is_written(void **state)
{
    static const char *const want[] = {
        [RECORDS_ZONE] = "",       [RECORDS_ONELINE] = "",  [RECORDS_JSON] = "[]\n",
        [RECORDS_NSUPDATE] = "",   [RECORDS_POWERDNS] = "", [RECORDS_ROUTE53] = "",
        [RECORDS_CLOUDFLARE] = "", [RECORDS_OCTODNS] = ""};
    (void)state;
    for (size_t i = 0; i < COUNT(want); i++) {
        struct buf out = BUF_INIT(0);
        struct records_writer writer;
        records_begin(&writer, (enum records_format)i, &out);
        records_end(&writer);
        CHECK_TEXT("empty", buf_cstr(&out), want[i]);
        buf_clear(&out);
    }
}

/* Two records of one domain and one of another: a consumer is given one zone at a time. */
static void records_of_a_domain_stand_together(void **state)
{
    static const struct {
        const char *name;
        enum records_format format;
        const char *want;
    } cases[] = {
        {"oneline", RECORDS_ONELINE, "a.example =\nb.example =\nc.test =\n"},
        {"cloudflare", RECORDS_CLOUDFLARE,
         "{\"posts\":["
         "{\"name\":\"a.example\",\"type\":\"TXT\",\"content\":\"\\\"=\\\"\",\"ttl\":3600},"
         "{\"name\":\"b.example\",\"type\":\"TXT\",\"content\":\"\\\"=\\\"\",\"ttl\":3600}]}\n"
         "{\"posts\":["
         "{\"name\":\"c.test\",\"type\":\"TXT\",\"content\":\"\\\"=\\\"\",\"ttl\":3600}]}\n"},
        {"octodns", RECORDS_OCTODNS,
         "---\n# example.\n'a':\n  ttl: 3600\n  type: TXT\n  value: '='\n"
         "'b':\n  ttl: 3600\n  type: TXT\n  value: '='\n"
         "---\n# test.\n'c':\n  ttl: 3600\n  type: TXT\n  value: '='\n"},
    };
    static const char *const names[] = {"a.example", "b.example", "c.test"};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = BUF_INIT(0);
        struct records_writer writer;
        records_begin(&writer, cases[i].format, &out);
        for (size_t k = 0; k < COUNT(names); k++) {
            struct record record = record_of(names[k], "=", 1);
            records_add(&writer, &record);
            records_clear(&record);
        }
        records_end(&writer);
        CHECK_TEXT(cases[i].name, buf_cstr(&out), cases[i].want);
        buf_clear(&out);
    }
}

static void key_records_are_made(void **state)
{
    static const struct {
        const char *name;
        struct records_key key;
        const char *want_name, *want_value;
    } cases[] = {
        {"rsa",
         {"example.com", "s1", NULL, DKIM_RSA_SHA256, SPAN_LIT("abc")},
         "s1._domainkey.example.com",
         "v=DKIM1; k=rsa; p=YWJj"},
        {"ed25519",
         {"example.com", "e.x", "", DKIM_ED25519_SHA256, SPAN_LIT("abc")},
         "e.x._domainkey.example.com",
         "v=DKIM1; k=ed25519; p=YWJj"},
        {"gravestone",
         {"example.com", "s1", NULL, DKIM_RSA_SHA256, {NULL, 0}},
         "s1._domainkey.example.com",
         "v=DKIM1; p="},
        {"at its target",
         {"example.com", "s1", "s1-x.example.net", DKIM_RSA_SHA256, SPAN_LIT("abc")},
         "s1-x.example.net",
         "v=DKIM1; k=rsa; p=YWJj"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct record record = {.value = BUF_INIT(0), .ttl_s = RECORDS_TTL};
        struct err err = {0};
        CHECK_STATUS(cases[i].name, records_of_key(&cases[i].key, &record, &err), ST_OK, err);
        CHECK_TEXT(cases[i].name, record.name, cases[i].want_name);
        CHECK_TEXT(cases[i].name, buf_cstr(&record.value), cases[i].want_value);
        records_clear(&record);
    }
}

/* Every length around the edges of a character-string, and every octet. */
static void zone_text_is_read_back(void **state)
{
    static const size_t lengths[] = {1, 254, 255, 256, 510, 511, 1000};
    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct buf out = BUF_INIT(0), got = BUF_INIT(0);
        struct records_writer writer;
        struct record record = record_of("s._domainkey.example.com", "", 0);
        struct recordfile *file = NULL;
        struct err err = {0};
        for (size_t k = 0; k < lengths[i]; k++)
            buf_append_char(&record.value, (char)(k + i));
        records_begin(&writer, RECORDS_ZONE, &out);
        records_add(&writer, &record);
        records_end(&writer);
        CHECK_STATUS("read", recordfile_parse(buf_span(&out), &file, &err), ST_OK, err);
        CHECK_STATUS("find", recordfile_source(file, "S._domainkey.EXAMPLE.com", &got, &err), ST_OK,
                     err);
        assert_true(span_equal(buf_span(&got), buf_span(&record.value)));
        recordfile_free(file);
        records_clear(&record);
        buf_clear(&out);
        buf_clear(&got);
    }
}

static void record_files_are_read(void **state)
{
    static const struct {
        const char *name, *text, *want; /* the value at s.example, NULL: none */
    } cases[] = {
        {"plain", "s.example v=DKIM1; p=abc", "v=DKIM1; p=abc"},
        {"tab", "s.example\tv=DKIM1; p=abc\n", "v=DKIM1; p=abc"},
        {"CRLF", "s.example v=1\r\n", "v=1"},
        {"final dot", "s.example. v=1\n", "v=1"},
        {"case", "S.eXample v=1\n", "v=1"},
        {"quoted", "s.example \"v=1; \" \"p=\"\n", "v=1; p="},
        {"comment behind quotes", "s.example \"v=1\" ; p=\n", "v=1"},
        {"semicolon in quotes", "s.example \"v=1; p=\"\n", "v=1; p="},
        {"zone", "s.example. IN TXT \"v=1\"\n", "v=1"},
        {"zone with TTL", "s.example. 3600 in txt \"v=1\"\n", "v=1"},
        {"zone with class before TTL", "s.example. IN 3600 TXT \"v=1\"\n", "v=1"},
        {"zone without class", "s.example. TXT \"v=1\"\n", "v=1"},
        {"zone unquoted", "s.example. IN TXT v=1\n", "v=1"},
        {"parentheses", "s.example. IN TXT ( \"a\"\n\t\"b\" ) ; c\n", "ab"},
        {"comment in parentheses", "s.example. IN TXT ( \"a\" ; x )\n \"b\" )\n", "ab"},
        {"escapes", "s.example \"a\\\"b\\\\c\\;d\\065\"\n", "a\"b\\c;dA"},
        {"others around it", "a.example x\n\n; c\n# c\n$TTL 1\ns.example v=1\nb.example y\n",
         "v=1"},
        {"blank lines", "\n \t\n  s.example v=1\n\n", "v=1"},
        {"not there", "t.example v=1\n", NULL},
        {"alias", "s.example. IN CNAME t.example.\nt.example v=1\n", "v=1"},
        {"alias on one line", "t.example v=1\ns.example CNAME T.example.\n", "v=1"},
        {"alias of an alias", "s.example CNAME t.\nt. 60 IN CNAME u\nu TXT \"v=1\"\n", "v=1"},
        {"alias of nothing", "s.example CNAME t.example.\n", NULL},
        {"SOA and NS", "@ IN SOA a. b. (\n 1 ; serial\n 2 )\n\n\tIN\tNS\tn.\ns.example TXT v=1\n",
         "v=1"},
        {"nsupdate",
         "server x\nzone example\nupdate add s.example. 60 TXT \"v=\" \"1\"\nsend\nanswer", "v=1"},
        {"nsupdate, deleted", "update delete s.example. TXT\nsend\n", NULL},
        {"nothing", "", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct recordfile *file = NULL;
        struct buf got = BUF_INIT(0);
        struct err err = {0};
        CHECK_STATUS(cases[i].name, recordfile_parse(span_str(cases[i].text), &file, &err), ST_OK,
                     err);
        CHECK_STATUS(cases[i].name, recordfile_source(file, "s.example", &got, &err),
                     cases[i].want == NULL ? ST_NOT_FOUND : ST_OK, err);
        if (cases[i].want != NULL)
            CHECK_TEXT(cases[i].name, buf_cstr(&got), cases[i].want);
        recordfile_free(file);
        buf_clear(&got);
    }
}

static void two_records_at_a_name_are_a_fault_of_that_name(void **state)
{
    struct recordfile *file = NULL;
    struct buf got = BUF_INIT(0);
    struct err err = {0};
    (void)state;
    struct span text = SPAN_LIT("a.example x\nb.example y\nA.example. z\n");
    CHECK_STATUS("read", recordfile_parse(text, &file, &err), ST_OK, err);
    CHECK_STATUS("twice", recordfile_source(file, "a.example", &got, &err), ST_INVALID, err);
    CHECK_STATUS("once", recordfile_source(file, "b.example", &got, &err), ST_OK, err);
    recordfile_free(file);
    buf_clear(&got);
}

static void aliases_that_go_round_in_a_circle_are_refused(void **state)
{
    struct recordfile *file = NULL;
    struct buf got = BUF_INIT(0);
    struct err err = {0};
    (void)state;
    struct span text = SPAN_LIT("a.example CNAME b.example.\nb.example CNAME a.example.\n");
    CHECK_STATUS("read", recordfile_parse(text, &file, &err), ST_OK, err);
    CHECK_STATUS("circle", recordfile_source(file, "a.example", &got, &err), ST_INVALID, err);
    CHECK_TEXT("circle", err.text, "a.example: too many aliases, one after the other");
    recordfile_free(file);
    buf_clear(&got);
}

static void bad_record_files_are_refused(void **state)
{
    static const struct {
        const char *name;
        struct span text;
        const char *want;
    } cases[] = {
        {"no value", SPAN_LIT("a x\nb\n"), "line 2: a name without a value"},
        {"empty strings", SPAN_LIT("a \"\"\n"), "line 1: a name without a value"},
        {"open quote", SPAN_LIT("a \"x\n"), "line 1: a quoted string without its end"},
        {"open parenthesis", SPAN_LIT("a ( \"x\"\n\n"), "line 3: a parenthesis without its end"},
        {"nested", SPAN_LIT("a ( ( \"x\" ) )\n"), "line 1: a parenthesis too many"},
        {"closed only", SPAN_LIT("a TXT \"x\" )\n"), "line 1: a parenthesis too many"},
        {"escape over 255", SPAN_LIT("a \"\\256\"\n"), "line 1: an escape over \\255"},
        {"short escape", SPAN_LIT("a \"\\25\"\n"), "line 1: a backslash wants three digits"},
        {"escape at the end", SPAN_LIT("a \"\\"), "line 1: a backslash at the end"},
        {"origin", SPAN_LIT("x\ty\n$ORIGIN example.\ns TXT \"x\"\n"),
         "line 2: no directive but $TTL is understood: write full names"},
        {"another type", SPAN_LIT("a IN MX 1 b.\n"),
         "line 1: only TXT records and CNAMEs are understood"},
        {"alias of nothing", SPAN_LIT("a IN CNAME\n"), "line 1: a name without a value"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct recordfile *file = NULL;
        struct err err = {0};
        CHECK_STATUS(cases[i].name, recordfile_parse(cases[i].text, &file, &err), ST_INVALID, err);
        CHECK_TEXT(cases[i].name, err.text, cases[i].want);
    }
}

static void nul_octets_do_no_harm(void **state)
{
    struct recordfile *file = NULL;
    struct err err = {0};
    (void)state;
    struct span text = SPAN_LIT("a TXT x\0y\0\n\0b z\0(\n");
    CHECK_STATUS("NUL", recordfile_parse(text, &file, &err), ST_OK, err);
    recordfile_free(file);
}

static void format_names_are_read(void **state)
{
    enum records_format format = RECORDS_ZONE;
    struct err err = {0};
    (void)state;
    CHECK_STATUS("json", records_format_parse(SPAN_LIT("json"), &format, &err), ST_OK, err);
    assert_int_equal(format, RECORDS_JSON);
    CHECK_STATUS("none", records_format_parse(SPAN_LIT("xml"), &format, &err), ST_INVALID, err);
    CHECK_TEXT("none", err.text,
               "xml: no such format (zone, oneline, json, nsupdate, powerdns, route53, cloudflare, "
               "octodns)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_written),
        cmocka_unit_test(gravestones_are_written_for_nsupdate),
        cmocka_unit_test(aliases_are_written),
        cmocka_unit_test(an_empty_listing_is_written),
        cmocka_unit_test(records_of_a_domain_stand_together),
        cmocka_unit_test(key_records_are_made),
        cmocka_unit_test(zone_text_is_read_back),
        cmocka_unit_test(record_files_are_read),
        cmocka_unit_test(two_records_at_a_name_are_a_fault_of_that_name),
        cmocka_unit_test(aliases_that_go_round_in_a_circle_are_refused),
        cmocka_unit_test(bad_record_files_are_refused),
        cmocka_unit_test(nul_octets_do_no_harm),
        cmocka_unit_test(format_names_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
