/* SPDX-License-Identifier: Apache-2.0
 *
 * Verifying: the examples of RFC 6376 and RFC 8463, and what must not pass.
 */
#include "tests/unit/test_dkim_support.h"

#include <time.h>

#include "dkim/verify.h"

/* The zone the tests ask: names with a file or a text. */
struct zone {
    const char *name;
    const char *file; /* or NULL */
    const char *text;
    enum status status;
};

static enum status ask(void *arg, const char *name, struct buf *txt_out, struct err *err)
{
    for (const struct zone *zone = arg; zone->name; zone++) {
        if (strcmp(zone->name, name) != 0)
            continue;
        if (zone->status != ST_OK)
            return err_set(err, zone->status, "as the test says");
        if (zone->text) {
            buf_append_str(txt_out, zone->text);
            return ST_OK;
        }
        struct buf file = vector(zone->file);
        buf_append_span(txt_out, buf_span(&file));
        buf_clear(&file);
        return ST_OK;
    }
    return err_set(err, ST_NOT_FOUND, "%s: no such name", name);
}

static const struct zone rfc_zone[] = {
    {"brisbane._domainkey.example.com", "rfc6376_a2_key.txt", NULL, ST_OK},
    {"brisbane._domainkey.football.example.com", "rfc8463_ed25519_key.txt", NULL, ST_OK},
    {"test._domainkey.football.example.com", "rfc8463_rsa_key.txt", NULL, ST_OK},
    {NULL, NULL, NULL, ST_OK},
};

/* Verifies a message and copies the verdict of its first signature. */
static size_t verify_text(struct span message, const struct zone *zone, int64_t now_s,
                          struct dkim_verdict *first)
{
    struct dkim_fields fields = {0};
    struct dkim_verify_options options = {
        .now_s = now_s, .source = ask, .source_arg = (void *)(uintptr_t)zone};
    struct dkim_verify *verify;
    struct span body;
    struct err err = {0};

    assert_int_equal(dkim_fields_split(message, &fields, &body, &err), ST_OK);
    assert_int_equal(dkim_verify_begin(&fields, &options, &verify, &err), ST_OK);
    dkim_verify_body(verify, body.data, body.len);
    assert_int_equal(dkim_verify_end(verify, &err), ST_OK);
    size_t passed = 0;
    for (size_t i = 0; i < dkim_verify_count(verify); i++)
        passed += dkim_verify_verdict(verify, i)->result == DKIM_PASS;
    if (dkim_verify_count(verify))
        *first = *dkim_verify_verdict(verify, 0);
    dkim_verify_free(verify);
    dkim_fields_clear(&fields);
    return passed;
}

static void rfc_6376_example_passes(void **state)
{
    struct buf message = vector("rfc6376_a2.eml");
    struct dkim_verdict verdict;
    (void)state;
    assert_int_equal(verify_text(buf_span(&message), rfc_zone, 0, &verdict), 1);
    assert_string_equal(verdict.domain, "example.com");
    assert_string_equal(verdict.selector, "brisbane");
    assert_string_equal(verdict.identity, "joe@football.example.com");
    assert_string_equal(verdict.reason, "");
    assert_int_equal(verdict.bits, 1024);
    buf_clear(&message);
}

static void rfc_8463_examples_pass(void **state)
{
    struct buf message = vector("rfc8463_a3.eml");
    struct dkim_verdict verdict;
    (void)state;
    assert_int_equal(verify_text(buf_span(&message), rfc_zone, 0, &verdict), 2);
    assert_int_equal(verdict.algorithm, DKIM_ED25519_SHA256);
    buf_clear(&message);
}

/* Replaces `from` (which must be there) in a copy of the message. */
static struct buf replaced(struct span message, const char *from, const char *to)
{
    struct buf out = BUF_INIT(0);
    size_t from_len = strlen(from);
    const char *at = memmem(message.data, message.len, from, from_len);

    if (!at)
        fail_msg("%s: not in the message", from);
    size_t before = (size_t)(at - message.data);
    buf_append_span(&out, span_head(message, before));
    buf_append_str(&out, to);
    buf_append_span(&out, span_from(message, before + from_len));
    return out;
}

static void changed_messages_do_not_pass(void **state)
{
    static const struct {
        const char *name, *from, *to;
        enum dkim_result result;
    } cases[] = {
        {"body", "hungry", "Hungry", DKIM_FAIL},
        {"space in a simple body", "Hi.\r\n", "Hi. \r\n", DKIM_FAIL},
        {"signed field", "Is dinner", "is dinner", DKIM_FAIL},
        {"white space in a simple field", "Subject: ", "Subject:  ", DKIM_FAIL},
        {"signature", "b=AuUo", "b=BuUo", DKIM_FAIL},
        {"signature too short", "4bmp/YzhwvcubU4=;", ";", DKIM_FAIL},
        {"body hash", "bh=2jUS", "bh=3jUS", DKIM_FAIL},
        {"the field itself", "a=rsa-sha256; s=", "a=rsa-sha256;  s=", DKIM_FAIL},
        {"another d=", "d=example.com", "d=football.example.com", DKIM_PERMERROR},
        {"no such key", "s=brisbane", "s=sydney", DKIM_PERMERROR},
        {"rsa-sha1", "a=rsa-sha256", "a=rsa-sha1", DKIM_PERMERROR},
        {"unknown algorithm", "a=rsa-sha256", "a=rsa-sha512", DKIM_NEUTRAL},
        {"version 2", "v=1", "v=2", DKIM_NEUTRAL},
        {"i= elsewhere", "i=joe@football.example.com", "i=joe@other.org", DKIM_NEUTRAL},
        {"From not in h=", "Received : From :", "Received :", DKIM_NEUTRAL},
        {"tag twice", "q=dns/txt;", "q=dns/txt; q=dns/txt;", DKIM_NEUTRAL},
        {"expired", "q=dns/txt;", "x=1000;", DKIM_PERMERROR},
        {"l= beyond the body", "q=dns/txt;", "l=9999;", DKIM_PERMERROR},
    };
    struct buf message = vector("rfc6376_a2.eml");
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf changed = replaced(buf_span(&message), cases[i].from, cases[i].to);
        struct dkim_verdict verdict = {0};
        verify_text(buf_span(&changed), rfc_zone, 1000, &verdict);
        CHECK_TEXT(cases[i].name, dkim_result_name(verdict.result),
                   dkim_result_name(cases[i].result));
        assert_true(verdict.reason[0] != '\0');
        buf_clear(&changed);
    }
    buf_clear(&message);
}

#define ED_P "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static void key_records_decide(void **state)
{
    static const struct {
        const char *name, *record;
        enum status status;
        enum dkim_result result;
    } cases[] = {
        {"plain", "v=DKIM1; k=ed25519; " ED_P, ST_OK, DKIM_PASS},
        {"all tags", "v=DKIM1;k=ed25519;h=sha1:sha256;s=email:x;t=y;n=x;" ED_P ";", ST_OK,
         DKIM_PASS},
        {"strict, i= at d=", "k=ed25519; t=s; " ED_P, ST_OK, DKIM_PASS},
        {"revoked", "v=DKIM1; k=ed25519; p=", ST_OK, DKIM_PERMERROR},
        {"other key type", "v=DKIM1; " ED_P, ST_OK, DKIM_PERMERROR},
        {"no sha256", "k=ed25519; h=sha1; " ED_P, ST_OK, DKIM_PERMERROR},
        {"not for email", "k=ed25519; s=other; " ED_P, ST_OK, DKIM_PERMERROR},
        {"another key", "k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURg=", ST_OK,
         DKIM_FAIL},
        {"no key", "k=ed25519; p=AAAA", ST_OK, DKIM_PERMERROR},
        {"broken", "v=DKIM2; k=ed25519; " ED_P, ST_OK, DKIM_PERMERROR},
        {"several", "", ST_INVALID, DKIM_PERMERROR},
        {"down", "", ST_TEMP, DKIM_TEMPERROR},
    };
    struct buf message = vector("rfc8463_a3.eml");
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct zone zone[] = {
            {"brisbane._domainkey.football.example.com", NULL, cases[i].record, cases[i].status},
            {NULL, NULL, NULL, ST_OK}};
        struct dkim_verdict verdict = {0};
        verify_text(buf_span(&message), zone, 0, &verdict);
        CHECK_TEXT(cases[i].name, dkim_result_name(verdict.result),
                   dkim_result_name(cases[i].result));
    }
    buf_clear(&message);
}

static void strict_key_refuses_a_subdomain(void **state)
{
    struct buf message = vector("rfc6376_a2.eml"), key = vector("rfc6376_a2_key.txt");
    struct buf record = replaced(buf_span(&key), "v=DKIM1;", "v=DKIM1; t=s:y;");
    const struct zone zone[] = {{"brisbane._domainkey.example.com", NULL, buf_cstr(&record), ST_OK},
                                {NULL, NULL, NULL, ST_OK}};
    struct dkim_verdict verdict = {0};
    (void)state;
    verify_text(buf_span(&message), zone, 0, &verdict);
    assert_int_equal(verdict.result, DKIM_PERMERROR);
    assert_true(verdict.testing);
    buf_clear(&record);
    buf_clear(&key);
    buf_clear(&message);
}

static void signatures_have_a_limit(void **state)
{
    struct dkim_fields fields = {0};
    struct dkim_verify_options options = {
        .max_signatures = 2, .source = ask, .source_arg = (void *)(uintptr_t)rfc_zone};
    struct dkim_verify *verify;
    struct err err = {0};
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(dkim_fields_add(&fields, SPAN_LIT("dkim-signature"), SPAN_LIT(" x"), &err),
                         ST_OK);
    assert_int_equal(dkim_verify_begin(&fields, &options, &verify, &err), ST_OK);
    assert_int_equal(dkim_verify_end(verify, &err), ST_OK);
    assert_int_equal(dkim_verify_count(verify), 3);
    assert_int_equal(dkim_verify_verdict(verify, 1)->result, DKIM_NEUTRAL);
    assert_int_equal(dkim_verify_verdict(verify, 2)->result, DKIM_POLICY);
    dkim_verify_free(verify);
    dkim_fields_clear(&fields);
}

/* A megabyte of it was once gone through again for each of its names, which took seconds. */
static void a_huge_list_of_names_costs_little_time(void **state)
{
    struct buf message = vector("rfc8463_a3.eml"), names = BUF_INIT(0);
    struct dkim_verdict verdict = {0};
    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_printf(&names, "%s%-1000s", i ? ":" : "h=from : ", "x");
    buf_append_str(&names, ":");
    struct buf huge = replaced(buf_span(&message), "h=", buf_cstr(&names));
    clock_t start = clock();
    assert_int_equal(verify_text(buf_span(&huge), rfc_zone, 0, &verdict), 1);
    assert_int_equal(verdict.result, DKIM_FAIL);
    assert_true(clock() - start < CLOCKS_PER_SEC);
    buf_clear(&huge);
    buf_clear(&names);
    buf_clear(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_6376_example_passes),
        cmocka_unit_test(rfc_8463_examples_pass),
        cmocka_unit_test(changed_messages_do_not_pass),
        cmocka_unit_test(key_records_decide),
        cmocka_unit_test(strict_key_refuses_a_subdomain),
        cmocka_unit_test(signatures_have_a_limit),
        cmocka_unit_test(a_huge_list_of_names_costs_little_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
