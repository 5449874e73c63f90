/* SPDX-License-Identifier: Apache-2.0
 *
 * Key files, and signatures against messages that dnspython signed.
 */
#include "tests/unit/test_dkim_support.h"

#include <sys/stat.h>
#include <unistd.h>

#include "dns/tsig.h"
#include "tests/unit/test_folder_support.h"

/* 32 octets, 0 to 31. */
#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

enum { SIGNED_AT_S = 1790000000 };

/* -- key files ------------------------------------------------------------------------------ */

static void key_clauses_are_read(void **state)
{
    static const struct {
        const char *name, *text, *want; /* the key's name */
        enum tsig_algorithm algorithm;
    } cases[] = {
        {"as tsig-keygen writes it",
         "key \"tsig-key\" {\n\talgorithm hmac-sha256;\n\tsecret \"" SECRET "\";\n};\n", "tsig-key",
         TSIG_HMAC_SHA256},
        {"on one line", "key a{algorithm hmac-sha512;secret " SECRET ";};", "a", TSIG_HMAC_SHA512},
        {"in any order", "key a { secret " SECRET "; algorithm hmac-sha384; };", "a",
         TSIG_HMAC_SHA384},
        {"in any case", "KEY Ns1.Example { Algorithm HMAC-SHA256; Secret " SECRET "; };",
         "ns1.example", TSIG_HMAC_SHA256},
        {"with a final dot", "key a.b. { algorithm hmac-sha256; secret " SECRET "; };", "a.b",
         TSIG_HMAC_SHA256},
        {"with comments",
         "# one\n// two\n/* three\n key */ key/**/a /* { */ { // x\n algorithm \"hmac-sha256\" ;# "
         "y\n"
         "secret\n\"" SECRET "\"\n;/***/\n}\n;\n# end",
         "a", TSIG_HMAC_SHA256},
        {"with CRLF", "key a {\r\n algorithm hmac-sha256;\r\n secret " SECRET ";\r\n};\r\n", "a",
         TSIG_HMAC_SHA256},
        {"with a slash in the secret",
         "key a { algorithm hmac-sha256; secret AAECAwQFBgcICQoLDA0OD/+/; };", "a",
         TSIG_HMAC_SHA256},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tsig_key key;
        struct err err = {0};
        CHECK_STATUS(cases[i].name, tsig_parse(span_str(cases[i].text), &key, &err), ST_OK, err);
        CHECK_TEXT(cases[i].name, key.name, cases[i].want);
        assert_int_equal(key.algorithm, cases[i].algorithm);
        assert_true(key.secret.secret && key.secret.len >= TSIG_SECRET_MIN);
        tsig_clear(&key);
    }
}

static const struct {
    const char *name, *text, *want;
} faulty_clauses[] = {
    {"nothing", "", "line 1: a key clause is missing"},
    {"only comments", "# x\n/* y\n */\n", "line 4: a key clause is missing"},
    {"another clause", "options { };",
     "line 1: no key clause: key NAME { algorithm A; secret S; };"},
    {"the secret alone", SECRET "\n",
     "line 1: no key clause: key NAME { algorithm A; secret S; };"},
    {"no name", "key {", "line 1: the name of the key is missing"},
    {"an empty name", "key \"\" {", "line 1: the name of the key is no domain name"},
    {"a dot", "key . {", "line 1: the name of the key is no domain name"},
    {"an empty label", "key a..b {", "line 1: the name of the key is no domain name"},
    {"a blank in the name", "key \"a b\" {", "line 1: the name of the key is no domain name"},
    {"a label of 64 octets",
     "key aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa {",
     "line 1: the name of the key is no domain name"},
    {"no brace", "key a algorithm", "line 1: a { is missing"},
    {"no closing brace", "key a { algorithm hmac-sha256;\n", "line 2: a } is missing"},
    {"no last semicolon", "key a { algorithm hmac-sha256; secret " SECRET "; }",
     "line 1: a ; is missing"},
    {"no semicolon", "key a { algorithm hmac-sha256\nsecret " SECRET "; };",
     "line 2: a ; is missing"},
    {"no secret", "key a { algorithm hmac-sha256; };", "line 1: the key has no secret"},
    {"no algorithm", "key a {\n secret " SECRET ";\n};", "line 3: the key has no algorithm"},
    {"algorithm twice", "key a { algorithm hmac-sha256; algorithm hmac-sha256;",
     "line 1: algorithm is given twice"},
    {"an unknown statement", "key a { " SECRET " x; };", "line 1: neither algorithm nor secret"},
    {"md5", "key a {\n algorithm hmac-md5;",
     "line 2: hmac-md5 is too weak (hmac-sha256, hmac-sha384, hmac-sha512)"},
    {"md5 by its long name", "key a { algorithm HMAC-MD5.SIG-ALG.REG.INT;",
     "line 1: hmac-md5.sig-alg.reg.int is too weak (hmac-sha256, hmac-sha384, hmac-sha512)"},
    {"sha1", "key a { algorithm hmac-sha1;",
     "line 1: hmac-sha1 is too weak (hmac-sha256, hmac-sha384, hmac-sha512)"},
    {"sha224", "key a { algorithm hmac-sha224;",
     "line 1: hmac-sha224 is too weak (hmac-sha256, hmac-sha384, hmac-sha512)"},
    {"a cut signature", "key a { algorithm hmac-sha256-128;",
     "line 1: the algorithm is none of hmac-sha256, hmac-sha384, hmac-sha512"},
    {"algorithm and secret mixed up", "key a { algorithm " SECRET ";",
     "line 1: the algorithm is none of hmac-sha256, hmac-sha384, hmac-sha512"},
    {"a secret that is not base64", "key a { secret \"not base64!\";",
     "line 1: secret: not base64: "},
    {"a short secret", "key a { secret AAECAwQFBgcICQoLDA0O;",
     "line 1: the secret has 15 octets (at least 16)"},
    {"an open quote", "key a { secret \"" SECRET ";\n};\n",
     "line 1: a quoted word without its end"},
    {"an open quote for a statement", "key a { \"" SECRET, "line 1: a quoted word without its end"},
    {"an open comment", "key a { /* " SECRET, "line 1: a comment without its end"},
    {"a comment that is none", "key a { /*/ algorithm", "line 1: a comment without its end"},
    {"two clauses",
     "key a { algorithm hmac-sha256; secret " SECRET "; };\nkey b { algorithm hmac-sha256; };",
     "line 2: more than one key clause"},
};

static void faulty_key_clauses_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(faulty_clauses); i++) {
        struct tsig_key key;
        struct err err = {0};
        CHECK_STATUS(faulty_clauses[i].name,
                     tsig_parse(span_str(faulty_clauses[i].text), &key, &err), ST_INVALID, err);
        if (strncmp(err.text, faulty_clauses[i].want, strlen(faulty_clauses[i].want)) != 0)
            fail_msg("%s: \"%s\" instead of \"%s\"", faulty_clauses[i].name, err.text,
                     faulty_clauses[i].want);
        assert_null(strstr(err.text, "AAEC"));
        tsig_clear(&key);
    }
}

static void key_files_are_read_if_nobody_else_can(void **state)
{
    static const struct {
        mode_t mode;
        uid_t owner;
        enum status want;
        const char *part;
    } cases[] = {
        {0600, 0, ST_OK, ""},
        {0400, 0, ST_OK, ""},
        {0640, 0, ST_OK, ""},
        {0660, 0, ST_DENIED, "mode 0660 (must be 0600 or stricter, or root's with 0640)"},
        {0644, 0, ST_DENIED, "mode 0644 (must be 0600 or stricter, or root's with 0640)"},
        {0604, 0, ST_DENIED, "mode 0604"},
        {0600, 65534, ST_DENIED, "belongs to uid 65534 (must be root or uid 0)"},
    };
    char folder[TEST_FOLDER_SIZE], path[96];
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    assert_true(test_folder_make(folder, "tsig"));
    snprintf(path, sizeof path, "%s/key", folder);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tsig_key key;
        struct err err = {0};
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs("key a { algorithm hmac-sha256; secret " SECRET "; };", file);
        fclose(file);
        assert_int_equal(chmod(path, cases[i].mode) | chown(path, cases[i].owner, 0), 0);
        CHECK_STATUS(cases[i].part, tsig_read(path, &key, &err), cases[i].want, err);
        assert_true(cases[i].want == ST_OK || strstr(err.text, path) != NULL);
        assert_non_null(strstr(err.text, cases[i].part));
        tsig_clear(&key);
        unlink(path);
    }
    struct tsig_key key;
    struct err err = {0};
    CHECK_STATUS("missing", tsig_read(path, &key, &err), ST_BROKEN, err);
    CHECK_STATUS("a folder", tsig_read(folder, &key, &err), ST_DENIED, err);
    rmdir(folder);
}

/* -- signatures ----------------------------------------------------------------------------- */

static struct buf octets_of(const char *hex)
{
    struct buf out = BUF_INIT(0);
    for (unsigned octet; sscanf(hex, "%2x", &octet) == 1; hex += 2)
        buf_append_char(&out, (char)octet);
    return out;
}

static struct tsig_key key_of(enum tsig_algorithm algorithm)
{
    struct tsig_key key = {
        .algorithm = algorithm, .name = "inkan.example", .secret = BUF_SECRET(0)};
    for (int i = 0; i < 32; i++)
        buf_append_char(&key.secret, (char)i);
    return key;
}

static const char update[] =
    "123428000001000100010000076578616d706c650474657374000006000101730a5f646f"
    "6d61696e6b6579c00c001000fe000000000000c01e0010000100000e10000c0b763d444b"
    "494d313b20703d";

static struct tsig_mac sign_update(const struct tsig_key *key, struct buf *message)
{
    struct tsig_mac mac;
    struct err err = {0};
    *message = octets_of(update);
    CHECK_STATUS("sign", tsig_sign(key, SIGNED_AT_S, message, &mac, &err), ST_OK, err);
    return mac;
}

static void messages_are_signed_and_answers_checked(void **state)
{
    static const struct {
        enum tsig_algorithm algorithm;
        const char *request, *answer;
    } cases[] = {
        {TSIG_HMAC_SHA256,
         "123428000001000100010001076578616d706c650474657374000006000101730a5f646f"
         "6d61696e6b6579c00c001000fe000000000000c01e0010000100000e10000c0b763d444b"
         "494d313b20703d05696e6b616e076578616d706c650000fa00ff00000000003d0b686d61"
         "632d7368613235360000006ab13b80012c0020cb0e4af95bc6e331dc46f9808aacfb10ff"
         "9e74b6d18c65e10590e22338ee01ec123400000000",
         "1234a8000001000000000001076578616d706c650474657374000006000105696e6b616e"
         "076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006ab1"
         "3b80012c00203b95cb147bb10c69cf4b00d9654288ae82a692a6926b26fd4edcc18e75fd"
         "543f123400000000"},
        {TSIG_HMAC_SHA384,
         "123428000001000100010001076578616d706c650474657374000006000101730a5f646f"
         "6d61696e6b6579c00c001000fe000000000000c01e0010000100000e10000c0b763d444b"
         "494d313b20703d05696e6b616e076578616d706c650000fa00ff00000000004d0b686d61"
         "632d7368613338340000006ab13b80012c0030f0420d2ede094b708dd5a07025793224c0"
         "0d5936f52823331f0c5b0e59b9e80e11cd6b0007161659ad7d6f0a5e8c7c141234000000"
         "00",
         "1234a8000001000000000001076578616d706c650474657374000006000105696e6b616e"
         "076578616d706c650000fa00ff00000000004d0b686d61632d7368613338340000006ab1"
         "3b80012c0030519f33b0a378fd30ccf427d95429ec1e5a8689f3097a76e2c9d126b6e28e"
         "0c01a086c652f222af7d0b87b329fe3c1e05123400000000"},
        {TSIG_HMAC_SHA512,
         "123428000001000100010001076578616d706c650474657374000006000101730a5f646f"
         "6d61696e6b6579c00c001000fe000000000000c01e0010000100000e10000c0b763d444b"
         "494d313b20703d05696e6b616e076578616d706c650000fa00ff00000000005d0b686d61"
         "632d7368613531320000006ab13b80012c004045bdf5ee880de1454d481d636a5e54c58a"
         "a0962af93e1e3c0d717c7afb3d81c6caf3fa8b810c456ba4add9d32e0b5662a9f889d5bc"
         "460ad4f2f9f8fd20f2ac2e123400000000",
         "1234a8000001000000000001076578616d706c650474657374000006000105696e6b616e"
         "076578616d706c650000fa00ff00000000005d0b686d61632d7368613531320000006ab1"
         "3b80012c004001bd2d9b71bceab9fac6a8bf4ed460dfa87736becad74799eaf3ef8640c3"
         "d19c45286728cc56b4879bb96d93bb74defb71bd7923dda7891af6fc646f0cc5fcf61234"
         "00000000"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tsig_key key = key_of(cases[i].algorithm);
        struct buf request, want = octets_of(cases[i].request), answer = octets_of(cases[i].answer);
        struct err err = {0};
        struct tsig_mac mac = sign_update(&key, &request);
        assert_int_equal(request.len, want.len);
        assert_memory_equal(request.data, want.data, want.len);
        CHECK_STATUS("answer", tsig_verify(&key, &mac, SIGNED_AT_S, buf_span(&answer), &err), ST_OK,
                     err);
        tsig_clear(&key);
        buf_clear(&request);
        buf_clear(&want);
        buf_clear(&answer);
    }
}

static const char good_answer[] =
    "1234a8000001000000000001076578616d706c650474657374000006000105696e6b616e"
    "076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006ab1"
    "3b80012c00203b95cb147bb10c69cf4b00d9654288ae82a692a6926b26fd4edcc18e75fd"
    "543f123400000000";

static const struct {
    const char *name, *answer, *want; /* NULL: believed */
} answers[] = {
    {"good", good_answer, NULL},
    {"a failure, signed",
     "1234a8050001000000000001076578616d706c650474657374000006000105696e6b616e"
     "076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006ab1"
     "3b80012c0020cd1f0fb936ef0b5124cd0fba14f947619ee3fc959fe349913013aa2105f4"
     "e60f123400000000",
     NULL},
    {"300 s late",
     "1234a8000001000000000001076578616d706c650474657374000006000105696e6b616e"
     "076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006ab1"
     "3a54012c00201ee97f31562059f43fb5bf76c61947b78c6ef32c97a578b3d00f9d66479f"
     "96f8123400000000",
     NULL},
    {"301 s late",
     "1234a8000001000000000001076578616d706c650474657374000006000105696e6b616e"
     "076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006ab1"
     "3a53012c00202e0d979c09cc35072510450070d149143bbb67d8d07164795f4e763f9372"
     "27b3123400000000",
     "the server's clock is 301 s behind ours; up to 300 s are allowed (BADTIME)"},
    {"301 s early",
     "1234a8000001000000000001076578616d706c650474657374000006000105696e6b616e"
     "076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006ab1"
     "3cad012c002023801ee024681490f8d35192c8db0ae89feebc2e4336ab703c84e8f10e6c"
     "51a1123400000000",
     "the server's clock is 301 s ahead of ours; up to 300 s are allowed (BADTIME)"},
    {"BADTIME",
     "1234a8090001000000000001076578616d706c650474657374000006000105696e6b616e"
     "076578616d706c650000fa00ff0000000000430b686d61632d7368613235360000006ab1"
     "3b80012c00202139698445d48875b5ff4fffd6d19244a076cc0bc1cc0b4f7c01364d4e12"
     "ea9a12340012000600006ab14b20",
     "the server's clock is 4000 s ahead of ours; up to 300 s are allowed (BADTIME)"},
    {"another key",
     "1234a8000001000000000001076578616d706c6504746573740000060001056f74686572"
     "076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006ab1"
     "3b80012c0020beca0fdf7c2fff87c1f385119571227ef5b20a844cb9b94b5cefbd88e4b0"
     "2207123400000000",
     "the answer is not signed with inkan.example, and is not believed"},
    {"another secret",
     "1234a8000001000000000001076578616d706c650474657374000006000105696e6b616e"
     "076578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006ab1"
     "3b80012c0020fb69acc86cb397cc03b0047da96ce2f547e44112efecebed27f456e64633"
     "50a8123400000000",
     "the answer is wrongly signed with inkan.example, and is not believed"},
    {"no signature", "1234a8000001000000000000076578616d706c6504746573740000060001",
     "the answer is not signed, and is not believed"},
    {"BADKEY",
     "1234a8090001000000000001076578616d706c650474657374000006000105696e6b616e"
     "076578616d706c650000fa00ff00000000001d0b686d61632d7368613235360000000000"
     "0000012c0000123400110000",
     "the server does not know the TSIG key inkan.example with hmac-sha256 (BADKEY)"},
    {"BADSIG",
     "1234a8090001000000000001076578616d706c650474657374000006000105696e6b616e"
     "076578616d706c650000fa00ff00000000001d0b686d61632d7368613235360000000000"
     "0000012c0000123400100000",
     "the server has another secret for the TSIG key inkan.example (BADSIG)"},
    {"an empty signature that says all is well",
     "1234a8000001000000000001076578616d706c650474657374000006000105696e6b616e"
     "076578616d706c650000fa00ff00000000001d0b686d61632d7368613235360000006ab1"
     "3b80012c0000123400000000",
     "the answer is not signed with inkan.example, and is not believed"},
    {"half a signature",
     "1234a8000001000000000001076578616d706c650474657374000006000105696e6b616e"
     "076578616d706c650000fa00ff00000000002d0b686d61632d7368613235360000006ab1"
     "3b80012c00103b95cb147bb10c69cf4b00d9654288ae123400000000",
     "the answer is wrongly signed with inkan.example, and is not believed"},
    {"a name that points at itself", "1234a8000001000000000001c00c00060001",
     "the answer is no DNS message, and is not believed"},
    {"a header", "1234a8000001000000000001", "the answer is no DNS message, and is not believed"},
    {"nothing", "", "the answer is no DNS message, and is not believed"},
};

static void answers_are_believed_only_if_signed(void **state)
{
    struct tsig_key key = key_of(TSIG_HMAC_SHA256);
    struct buf request;
    struct tsig_mac mac = sign_update(&key, &request);
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct buf answer = octets_of(answers[i].answer);
        struct err err = {0};
        CHECK_STATUS(answers[i].name, tsig_verify(&key, &mac, SIGNED_AT_S, buf_span(&answer), &err),
                     answers[i].want == NULL ? ST_OK : ST_DENIED, err);
        CHECK_TEXT(answers[i].name, err.text, answers[i].want == NULL ? "" : answers[i].want);
        buf_clear(&answer);
    }
    tsig_clear(&key);
    buf_clear(&request);
}

/* No bit of an answer can be changed, no octet of it left out; and it is the answer to one message
 * only. The id is not signed: exchange_ask has compared it. */
static void nothing_of_an_answer_can_be_changed(void **state)
{
    struct tsig_key key = key_of(TSIG_HMAC_SHA256);
    struct buf request, answer = octets_of(good_answer);
    struct tsig_mac mac = sign_update(&key, &request);
    struct err err;
    (void)state;
    for (size_t bit = 16; bit < answer.len * 8; bit++) {
        bool letter = ascii_alpha(answer.data[bit / 8]) && bit % 8 == 5;
        answer.data[bit / 8] ^= (char)(1 << bit % 8);
        enum status status = tsig_verify(&key, &mac, SIGNED_AT_S, buf_span(&answer), &err);
        if (status != ST_DENIED && !letter)
            fail_msg("bit %zu", bit);
        answer.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t len = 0; len < answer.len; len++) {
        struct span part = span_head(buf_span(&answer), len);
        assert_int_equal(tsig_verify(&key, &mac, SIGNED_AT_S, part, &err), ST_DENIED);
    }
    mac.octets[0] ^= 1;
    assert_int_equal(tsig_verify(&key, &mac, SIGNED_AT_S, buf_span(&answer), &err), ST_DENIED);
    tsig_clear(&key);
    buf_clear(&request);
    buf_clear(&answer);
}

static void a_message_without_room_is_left_as_it_is(void **state)
{
    enum { HEADER = 12 };
    struct tsig_key key = key_of(TSIG_HMAC_SHA256);
    struct buf message = BUF_INIT(0);
    struct tsig_mac mac;
    struct err err = {0};
    (void)state;
    while (message.len < HEADER)
        buf_append_char(&message, '\0');
    CHECK_STATUS("short", tsig_sign(&key, SIGNED_AT_S, &message, &mac, &err), ST_OK, err);
    size_t room = UINT16_MAX - (message.len - HEADER);
    buf_reset(&message);
    while (message.len < room + 1)
        buf_append_char(&message, '\0');
    assert_int_equal(tsig_sign(&key, SIGNED_AT_S, &message, &mac, &err), ST_INVALID);
    assert_int_equal(message.len, room + 1);
    buf_truncate(&message, message.len - 1);
    CHECK_STATUS("fits", tsig_sign(&key, SIGNED_AT_S, &message, &mac, &err), ST_OK, err);
    assert_int_equal(message.len, UINT16_MAX);
    tsig_clear(&key);
    buf_clear(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_clauses_are_read),
        cmocka_unit_test(faulty_key_clauses_are_refused),
        cmocka_unit_test(key_files_are_read_if_nobody_else_can),
        cmocka_unit_test(messages_are_signed_and_answers_checked),
        cmocka_unit_test(answers_are_believed_only_if_signed),
        cmocka_unit_test(nothing_of_an_answer_can_be_changed),
        cmocka_unit_test(a_message_without_room_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
