/* SPDX-License-Identifier: Apache-2.0
 *
 * Key records (RFC 6376 3.6.1, RFC 8463 4), read and written.
 */
#include "tests/unit/test_dkim_support.h"

#include "dkim/keyrecord.h"

enum { REVOKED = 1, NO_SHA256 = 2, NO_EMAIL = 4, TESTING = 8, STRICT = 16, ED25519 = 32 };

static void records_are_read(void **state)
{
    static const struct {
        const char *name, *in;
        int want; /* flags, -1: refused */
    } cases[] = {
        {"plain", "v=DKIM1; k=rsa; p=AAAA", 0},
        {"only p=", "p=AAAA", 0},
        {"folded p=", "v=DKIM1; p=AA AA", 0},
        {"revoked", "v=DKIM1; p=", REVOKED},
        {"ed25519", "v=DKIM1; k=ed25519; p=AAAA", ED25519},
        {"sha1 only", "h=sha1; p=AAAA", NO_SHA256},
        {"sha256 in a list", "h=sha1 : sha256; p=AAAA", 0},
        {"any service", "s=*; p=AAAA", 0},
        {"email", "s=x:email; p=AAAA", 0},
        {"another service", "s=tlsrpt; p=AAAA", NO_EMAIL},
        {"testing and strict", "t=y:s; p=AAAA", TESTING | STRICT},
        {"unknown flag", "t=q; p=AAAA", 0},
        {"unknown tags and notes", "v=DKIM1; n=a=20b; g=*; x9=1; p=AAAA", 0},
        {"empty", "", -1},
        {"no p=", "v=DKIM1; k=rsa", -1},
        {"v= not first", "k=rsa; v=DKIM1; p=AAAA", -1},
        {"v= of another", "v=DMARC1; p=none", -1},
        {"SPF", "v=spf1 -all", -1},
        {"unknown key type", "k=x448; p=AAAA", -1},
        {"broken base64", "p=AAA", -1},
        {"tag twice", "p=AAAA; p=AAAA", -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_key_record record;
        struct err err = {0};
        CHECK_STATUS(cases[i].name, dkim_key_record_parse(span_str(cases[i].in), &record, &err),
                     cases[i].want >= 0 ? ST_OK : ST_INVALID, err);
        if (cases[i].want >= 0) {
            int got = record.revoked * REVOKED | !record.sha256 * NO_SHA256 |
                      !record.email * NO_EMAIL | record.testing * TESTING | record.strict * STRICT |
                      (record.algorithm == DKIM_ED25519_SHA256) * ED25519;
            if (got != cases[i].want)
                fail_msg("%s: got flags %d, want %d", cases[i].name, got, cases[i].want);
        }
        dkim_key_record_clear(&record);
    }
}

static void records_are_written(void **state)
{
    struct buf out = BUF_INIT(0);
    (void)state;
    dkim_key_record_write(DKIM_RSA_SHA256, SPAN_LIT("abc"), &out);
    assert_string_equal(buf_cstr(&out), "v=DKIM1; k=rsa; p=YWJj");
    buf_reset(&out);
    dkim_key_record_write(DKIM_ED25519_SHA256, SPAN_LIT("abc"), &out);
    assert_string_equal(buf_cstr(&out), "v=DKIM1; k=ed25519; p=YWJj");
    buf_reset(&out);
    dkim_key_record_write(DKIM_RSA_SHA256, SPAN_LIT(""), &out);
    assert_string_equal(buf_cstr(&out), "v=DKIM1; p=");
    buf_clear(&out);
}

static void names_fit_into_the_dns(void **state)
{
    char out[DKIM_RECORD_NAME_SIZE], domain[DKIM_DOMAIN_SIZE];
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_key_record_name("s1", "example.com", out, &err), ST_OK);
    assert_string_equal(out, "s1._domainkey.example.com");
    memset(domain, 'a', sizeof domain);
    domain[253 - 14] = '\0'; /* with `s1._domainkey.` just 253 octets */
    assert_int_equal(dkim_key_record_name("s1", domain, out, &err), ST_OK);
    assert_int_equal(dkim_key_record_name("s12", domain, out, &err), ST_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read),
        cmocka_unit_test(records_are_written),
        cmocka_unit_test(names_fit_into_the_dns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
