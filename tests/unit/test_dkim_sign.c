/* SPDX-License-Identifier: Apache-2.0
 *
 * Signing: what is signed, how it is written, and that our own verifier agrees.
 */
#include "tests/unit/test_dkim_support.h"

#include "dkim/sign.h"
#include "dkim/signature.h"
#include "dkim/taglist.h"
#include "dkim/verify.h"

static const char message[] = "Received: from x\r\n"
                              "From: Joe <joe@football.example.com>\r\n"
                              "To: a@example.net,\r\n\tb@example.net\r\n"
                              "Subject: Is dinner\r\n  ready?\r\n"
                              "X-Other: 1\r\n"
                              "To: c@example.net\r\n"
                              "\r\n"
                              "Hi. \r\n\r\n  We lost  the game.\r\n\r\n\r\n";

struct setup {
    struct dkim_fields fields;
    struct dkim_bodies *bodies;
    struct dkim_names *headers, *oversign;
    struct dkim_key *keys[DKIM_ALGORITHMS];
    struct dkim_sign_options options;
};

static void setup_begin(struct setup *setup, const char *text, enum dkim_canon header,
                        enum dkim_canon body_canon)
{
    struct buf pem = vector("rfc8463_rsa.pem"), rsa = BUF_SECRET(0);
    struct buf seed = vector("rfc8463_ed25519.seed");
    enum dkim_algorithm algorithm;
    struct span body;
    struct err err = {0};

    *setup = (struct setup){.bodies = dkim_bodies_new()};
    assert_int_equal(dkim_key_import(buf_span(&pem), &algorithm, &rsa, &err), ST_OK);
    assert_int_equal(
        dkim_key_parse(DKIM_RSA_SHA256, buf_span(&rsa), &setup->keys[DKIM_RSA_SHA256], &err),
        ST_OK);
    assert_int_equal(dkim_key_parse(DKIM_ED25519_SHA256, buf_span(&seed),
                                    &setup->keys[DKIM_ED25519_SHA256], &err),
                     ST_OK);
    assert_int_equal(dkim_names_parse(SPAN_LIT("To, Subject,Date"), &setup->headers, &err), ST_OK);
    assert_int_equal(dkim_names_parse(SPAN_LIT("from,subject, Cc"), &setup->oversign, &err), ST_OK);
    setup->options = (struct dkim_sign_options){.domain = "football.example.com",
                                                .selector = "test",
                                                .algorithm = DKIM_RSA_SHA256,
                                                .header_canon = header,
                                                .body_canon = body_canon,
                                                .headers = setup->headers,
                                                .oversign = setup->oversign,
                                                .time_s = 1528637909,
                                                .expiry_s = 3600,
                                                .signer = dkim_sign_with_key,
                                                .signer_arg = setup->keys[DKIM_RSA_SHA256]};
    assert_int_equal(dkim_fields_split(span_str(text), &setup->fields, &body, &err), ST_OK);
    assert_int_equal(dkim_sign_want(&setup->options, setup->bodies, &err), ST_OK);
    dkim_bodies_add(setup->bodies, body.data, body.len);
    assert_int_equal(dkim_bodies_end(setup->bodies, &err), ST_OK);
    buf_clear(&pem);
    buf_clear(&rsa);
    buf_clear(&seed);
}

static void setup_end(struct setup *setup)
{
    dkim_fields_clear(&setup->fields);
    dkim_bodies_free(setup->bodies);
    dkim_names_free(setup->headers);
    dkim_names_free(setup->oversign);
    dkim_key_free(setup->keys[DKIM_RSA_SHA256]);
    dkim_key_free(setup->keys[DKIM_ED25519_SHA256]);
}

static void use_ed25519(struct setup *setup)
{
    setup->options.algorithm = DKIM_ED25519_SHA256;
    setup->options.selector = "brisbane";
    setup->options.signer_arg = setup->keys[DKIM_ED25519_SHA256];
}

/* -- verifying ---------------------------------------------------------------------------- */

static enum status ask(void *arg, const char *name, struct buf *txt_out, struct err *err)
{
    const char *file = strstr(name, "brisbane") ? "rfc8463_ed25519_key.txt" : "rfc8463_rsa_key.txt";
    struct buf record = vector(file);
    (void)arg;
    (void)err;
    buf_append_span(txt_out, buf_span(&record));
    buf_clear(&record);
    return ST_OK;
}

/* Puts the signature in front of the message and verifies it. */
static enum dkim_result verified(const char *text, struct span value, const char *extra)
{
    struct dkim_fields fields = {0};
    struct dkim_verify_options options = {.now_s = 1528637909, .source = ask};
    struct dkim_verify *verify;
    struct span body;
    struct buf whole = BUF_INIT(0);
    struct err err = {0};

    buf_append_str(&whole, "DKIM-Signature:");
    buf_append_span(&whole, value);
    buf_printf(&whole, "\r\n%s%s", extra, text);
    assert_int_equal(dkim_fields_split(buf_span(&whole), &fields, &body, &err), ST_OK);
    assert_int_equal(dkim_verify_begin(&fields, &options, &verify, &err), ST_OK);
    dkim_verify_body(verify, body.data, body.len);
    assert_int_equal(dkim_verify_end(verify, &err), ST_OK);
    enum dkim_result result = dkim_verify_verdict(verify, 0)->result;
    dkim_verify_free(verify);
    dkim_fields_clear(&fields);
    buf_clear(&whole);
    return result;
}

static void signatures_verify_in_every_form(void **state)
{
    (void)state;
    for (int form = 0; form < 8; form++) {
        struct setup setup;
        struct buf value = BUF_INIT(0);
        struct err err = {0};
        setup_begin(&setup, message, form & 1 ? DKIM_RELAXED : DKIM_SIMPLE,
                    form & 2 ? DKIM_RELAXED : DKIM_SIMPLE);
        if (form & 4)
            use_ed25519(&setup);
        setup.options.identity = form & 1 ? "joe=;x y@mail.football.example.com" : NULL;
        assert_int_equal(dkim_sign(&setup.options, &setup.fields, setup.bodies, &value, &err),
                         ST_OK);
        assert_int_equal(verified(message, buf_span(&value), ""), DKIM_PASS);
        buf_clear(&value);
        setup_end(&setup);
    }
}

static void later_fields_break_oversigned_names_only(void **state)
{
    static const struct {
        const char *name, *extra;
        enum dkim_result result;
    } cases[] = {
        {"second From", "From: x@evil.example\r\n", DKIM_FAIL},
        {"second Subject", "Subject: x\r\n", DKIM_FAIL},
        {"first Cc", "Cc: x@evil.example\r\n", DKIM_FAIL},
        {"third To, not oversigned", "To: x@evil.example\r\n", DKIM_PASS},
        {"first Date, not oversigned", "Date: now\r\n", DKIM_PASS},
        {"unsigned", "X-Other: 2\r\n", DKIM_PASS},
    };
    struct setup setup;
    struct buf value = BUF_INIT(0);
    struct err err = {0};
    (void)state;
    setup_begin(&setup, message, DKIM_RELAXED, DKIM_RELAXED);
    assert_int_equal(dkim_sign(&setup.options, &setup.fields, setup.bodies, &value, &err), ST_OK);
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_TEXT(cases[i].name,
                   dkim_result_name(verified(message, buf_span(&value), cases[i].extra)),
                   dkim_result_name(cases[i].result));
    buf_clear(&value);
    setup_end(&setup);
}

/* Ed25519 signatures are deterministic, so the whole field can be known. */
static void the_field_is_written_as_documented(void **state)
{
    struct setup setup;
    struct buf value = BUF_INIT(0);
    struct dkim_taglist list;
    struct err err = {0};
    (void)state;
    setup_begin(&setup, message, DKIM_RELAXED, DKIM_SIMPLE);
    use_ed25519(&setup);
    setup.options.identity = "@mail.football.example.com";
    assert_int_equal(dkim_sign(&setup.options, &setup.fields, setup.bodies, &value, &err), ST_OK);
    static const char want[] =
        " v=1; a=ed25519-sha256; c=relaxed/simple;\r\n"
        "\td=football.example.com; s=brisbane; i=@mail.football.example.com;\r\n"
        "\tt=1528637909; x=1528641509; h=from:from:to:to:subject:subject:cc;\r\n"
        "\tbh=";
    assert_true(span_has_prefix(buf_span(&value), SPAN_LIT(want)));
    assert_int_equal(dkim_taglist_parse(buf_span(&value), &list, &err), ST_OK);
    assert_int_equal(list.count, 11);
    assert_null(dkim_taglist_get(&list, "l"));
    assert_null(dkim_taglist_get(&list, "q"));
    assert_string_equal(list.tags[10].name.data[0] == 'b' ? "last" : "", "last");
    struct span rest = buf_span(&value), line;
    size_t start = 15;
    while (span_next(&rest, '\n', &line)) {
        assert_true(start + line.len <= 78);
        start = 7;
    }
    buf_clear(&value);
    setup_end(&setup);
}

static void time_and_expiry_may_be_left_out(void **state)
{
    struct setup setup;
    struct buf value = BUF_INIT(0);
    struct dkim_taglist list;
    struct err err = {0};
    (void)state;
    setup_begin(&setup, message, DKIM_RELAXED, DKIM_RELAXED);
    setup.options.time_s = -1;
    assert_int_equal(dkim_sign(&setup.options, &setup.fields, setup.bodies, &value, &err), ST_OK);
    assert_int_equal(dkim_taglist_parse(buf_span(&value), &list, &err), ST_OK);
    assert_null(dkim_taglist_get(&list, "t"));
    assert_null(dkim_taglist_get(&list, "x"));
    assert_null(dkim_taglist_get(&list, "i"));
    buf_clear(&value);
    setup_end(&setup);
}

/* RFC 8463 A.3: the same seed over the same field gives the b= that is printed there. */
static void rfc_8463_signature_is_made_again(void **state)
{
    struct buf file = vector("rfc8463_a3.eml"), seed = vector("rfc8463_ed25519.seed");
    struct dkim_fields fields = {0};
    struct dkim_signature signature;
    struct dkim_hash *hash = dkim_hash_new();
    struct dkim_key *key;
    struct span body;
    struct buf made = BUF_INIT(0);
    uint8_t digest[DKIM_DIGEST_SIZE];
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_fields_split(buf_span(&file), &fields, &body, &err), ST_OK);
    assert_int_equal(dkim_signature_parse(dkim_fields_value(&fields, 0), &signature, &err), ST_OK);
    dkim_signature_hash_fields(&fields, signature.names, signature.header_canon, hash);
    assert_int_equal(
        dkim_signature_hash_self(dkim_fields_text(&fields, 0), signature.header_canon, hash, &err),
        ST_OK);
    assert_int_equal(dkim_hash_end(hash, digest, &err), ST_OK);
    assert_int_equal(dkim_key_parse(DKIM_ED25519_SHA256, buf_span(&seed), &key, &err), ST_OK);
    assert_int_equal(dkim_key_sign(key, digest, &made, &err), ST_OK);
    assert_true(span_equal(buf_span(&made), buf_span(&signature.signature)));
    dkim_key_free(key);
    dkim_hash_free(hash);
    dkim_signature_clear(&signature);
    dkim_fields_clear(&fields);
    buf_clear(&made);
    buf_clear(&seed);
    buf_clear(&file);
}

static void the_value_of_b_is_taken_out(void **state)
{
    static const struct {
        const char *name, *in, *want;
    } cases[] = {
        {"last", "D: a=1; b=xyz", "D: a=1; b="},
        {"last with semicolon", "D: a=1; b=xyz;", "D: a=1; b=;"},
        {"first", "D:b=xyz; a=1", "D:b=; a=1"},
        {"folded", "D: b=xy\r\n\tz ; a=1", "D: b=; a=1"},
        {"spaces around the name", "D: a=1;\r\n b = xyz\r\n ; c=1", "D: a=1;\r\n b =; c=1"},
        {"not bh=", "D: bh=b=q; b=xyz==", "D: bh=b=q; b="},
        {"empty", "D: b=; a=1", "D: b=; a=1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_hash *got = dkim_hash_new(), *want = dkim_hash_new();
        uint8_t got_digest[DKIM_DIGEST_SIZE], want_digest[DKIM_DIGEST_SIZE];
        assert_int_equal(dkim_signature_hash_self(span_str(cases[i].in), DKIM_SIMPLE, got, NULL),
                         ST_OK);
        dkim_hash_add(want, cases[i].want, strlen(cases[i].want));
        assert_int_equal(dkim_hash_end(got, got_digest, NULL), ST_OK);
        assert_int_equal(dkim_hash_end(want, want_digest, NULL), ST_OK);
        if (memcmp(got_digest, want_digest, DKIM_DIGEST_SIZE) != 0)
            fail_msg("%s: another hash than of \"%s\"", cases[i].name, cases[i].want);
        dkim_hash_free(got);
        dkim_hash_free(want);
    }
}

/* -- faults ------------------------------------------------------------------------------- */

static enum status signer_fails(void *arg, const uint8_t *digest, struct buf *out, struct err *err)
{
    (void)arg;
    (void)digest;
    buf_append_str(out, "half a signature");
    return err_set(err, ST_TEMP, "the token is away");
}

static enum status signer_gives_nothing(void *arg, const uint8_t *digest, struct buf *out,
                                        struct err *err)
{
    (void)arg;
    (void)digest;
    (void)out;
    (void)err;
    return ST_OK;
}

static void faults_leave_the_value_alone(void **state)
{
    static const struct {
        const char *name, *domain, *selector, *identity;
        dkim_signer *signer;
        enum status status;
    } cases[] = {
        {"signer fails", "example.com", "s", NULL, signer_fails, ST_TEMP},
        {"signer gives nothing", "example.com", "s", NULL, signer_gives_nothing, ST_BROKEN},
        {"domain in capitals", "Example.com", "s", NULL, signer_fails, ST_INVALID},
        {"no domain", "", "s", NULL, signer_fails, ST_INVALID},
        {"bad selector", "example.com", "a b", NULL, signer_fails, ST_INVALID},
        {"identity elsewhere", "example.com", "s", "a@example.org", signer_fails, ST_INVALID},
        {"identity without @", "example.com", "s", "example.com", signer_fails, ST_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct setup setup;
        struct buf value = BUF_INIT(0);
        struct err err = {0};
        setup_begin(&setup, message, DKIM_RELAXED, DKIM_RELAXED);
        setup.options.domain = cases[i].domain;
        setup.options.selector = cases[i].selector;
        setup.options.identity = cases[i].identity;
        setup.options.signer = cases[i].signer;
        buf_append_str(&value, "before");
        CHECK_STATUS(cases[i].name,
                     dkim_sign(&setup.options, &setup.fields, setup.bodies, &value, &err),
                     cases[i].status, err);
        CHECK_TEXT(cases[i].name, buf_cstr(&value), "before");
        buf_clear(&value);
        setup_end(&setup);
    }
}

static void a_message_without_from_is_not_signed(void **state)
{
    struct setup setup;
    struct buf value = BUF_INIT(0);
    struct err err = {0};
    (void)state;
    setup_begin(&setup, "To: a@b.com\r\n\r\n", DKIM_RELAXED, DKIM_RELAXED);
    assert_int_equal(dkim_sign(&setup.options, &setup.fields, setup.bodies, &value, &err),
                     ST_INVALID);
    setup_end(&setup);
}

static void a_body_that_was_not_hashed_is_not_signed(void **state)
{
    struct setup setup;
    struct buf value = BUF_INIT(0);
    struct err err = {0};
    (void)state;
    setup_begin(&setup, message, DKIM_RELAXED, DKIM_RELAXED);
    setup.options.body_canon = DKIM_SIMPLE;
    assert_int_equal(dkim_sign(&setup.options, &setup.fields, setup.bodies, &value, &err),
                     ST_BROKEN);
    setup_end(&setup);
}

static void too_many_fields_are_not_signed(void **state)
{
    struct setup setup;
    struct buf value = BUF_INIT(0);
    struct err err = {0};
    (void)state;
    setup_begin(&setup, message, DKIM_RELAXED, DKIM_RELAXED);
    /* from:from:to:to:subject:subject:cc, and then as many as there is room for. */
    for (int i = 7; i < DKIM_SIGNED_NAMES_MAX; i++) {
        assert_int_equal(dkim_fields_add(&setup.fields, SPAN_LIT("X"), SPAN_LIT("x"), &err), ST_OK);
        assert_int_equal(dkim_fields_add(&setup.fields, SPAN_LIT("To"), SPAN_LIT("x"), &err),
                         ST_OK);
    }
    assert_true(dkim_sign_fits(&setup.options, &setup.fields));
    assert_int_equal(dkim_sign(&setup.options, &setup.fields, setup.bodies, &value, &err), ST_OK);
    assert_int_equal(dkim_fields_add(&setup.fields, SPAN_LIT("to"), SPAN_LIT("x"), &err), ST_OK);
    assert_false(dkim_sign_fits(&setup.options, &setup.fields));
    assert_int_equal(dkim_sign(&setup.options, &setup.fields, setup.bodies, &value, &err),
                     ST_INVALID);
    buf_clear(&value);
    setup_end(&setup);
}

/* -- names -------------------------------------------------------------------------------- */

static void name_lists_are_read(void **state)
{
    static const struct {
        const char *in;
        size_t count;
        enum status status;
    } cases[] = {
        {"", 0, ST_OK},
        {"  ", 0, ST_OK},
        {"From", 1, ST_OK},
        {" From ,\tTo,List-Unsubscribe", 3, ST_OK},
        {"From,from", 0, ST_INVALID},
        {"From,,To", 0, ST_INVALID},
        {"From,", 0, ST_INVALID},
        {"From To", 0, ST_INVALID},
        {"From:", 0, ST_INVALID},
        {"a;b", 0, ST_INVALID},
        {"DKIM-Signature", 0, ST_INVALID},
        {"Return-Path", 0, ST_INVALID},
        {"from, received", 0, ST_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct dkim_names *names;
        struct err err = {0};
        CHECK_STATUS(cases[i].in, dkim_names_parse(span_str(cases[i].in), &names, &err),
                     cases[i].status, err);
        assert_int_equal(dkim_names_count(names), cases[i].count);
        dkim_names_free(names);
    }
}

static void names_are_found_in_any_case(void **state)
{
    struct dkim_names *names;
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_names_parse(SPAN_LIT("From,To,Cc,Date,Subject,Reply-To"), &names, &err),
                     ST_OK);
    assert_true(dkim_names_contain(names, SPAN_LIT("FROM")));
    assert_true(dkim_names_contain(names, SPAN_LIT("reply-to")));
    assert_true(dkim_names_contain(names, SPAN_LIT("cC")));
    assert_false(dkim_names_contain(names, SPAN_LIT("Froz")));
    assert_false(dkim_names_contain(names, SPAN_LIT("")));
    assert_false(dkim_names_contain(NULL, SPAN_LIT("From")));
    assert_true(span_equal(dkim_names_at(names, 4), SPAN_LIT("subject")));
    dkim_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_verify_in_every_form),
        cmocka_unit_test(later_fields_break_oversigned_names_only),
        cmocka_unit_test(the_field_is_written_as_documented),
        cmocka_unit_test(time_and_expiry_may_be_left_out),
        cmocka_unit_test(rfc_8463_signature_is_made_again),
        cmocka_unit_test(the_value_of_b_is_taken_out),
        cmocka_unit_test(faults_leave_the_value_alone),
        cmocka_unit_test(a_message_without_from_is_not_signed),
        cmocka_unit_test(a_body_that_was_not_hashed_is_not_signed),
        cmocka_unit_test(too_many_fields_are_not_signed),
        cmocka_unit_test(name_lists_are_read),
        cmocka_unit_test(names_are_found_in_any_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
