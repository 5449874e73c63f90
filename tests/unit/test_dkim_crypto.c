/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256, base64 and keys.
 */
#include "tests/unit/test_dkim_support.h"

#include <pthread.h>

#include "dkim/crypto.h"

static void algorithms_have_names(void **state)
{
    enum dkim_algorithm algorithm;
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_algorithm_parse(SPAN_LIT("ed25519-sha256"), &algorithm, &err), ST_OK);
    assert_int_equal(algorithm, DKIM_ED25519_SHA256);
    assert_int_equal(dkim_algorithm_parse(SPAN_LIT("rsa-sha1"), &algorithm, &err), ST_INVALID);
    assert_non_null(strstr(err.text, "RFC 8301"));
    assert_int_equal(dkim_algorithm_parse(SPAN_LIT("RSA-SHA256"), &algorithm, &err), ST_INVALID);
}

static void hashes_are_known(void **state)
{
    static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    struct dkim_hash *hash = dkim_hash_new(), *copy = dkim_hash_new();
    uint8_t digest[DKIM_DIGEST_SIZE], again[DKIM_DIGEST_SIZE];
    char text[2000];
    struct err err = {0};
    (void)state;
    dkim_hash_add(hash, "a", 1);
    dkim_hash_copy(copy, hash);
    dkim_hash_add(hash, "bc", 2);
    assert_int_equal(dkim_hash_end(hash, digest, &err), ST_OK);
    assert_memory_equal(digest, abc, sizeof abc);
    dkim_hash_add(copy, "bc", 2);
    assert_int_equal(dkim_hash_end(copy, again, &err), ST_OK);
    assert_memory_equal(digest, again, sizeof again);
    assert_int_equal(dkim_hash_end(copy, again, &err), ST_BROKEN);

    /* Pieces of every size go the same way, gathered or not. */
    memset(text, 'x', sizeof text);
    dkim_hash_reset(hash);
    dkim_hash_add(hash, text, sizeof text);
    assert_int_equal(dkim_hash_end(hash, digest, &err), ST_OK);
    for (size_t size = 1; size < 1100; size += 13) {
        dkim_hash_reset(copy);
        for (size_t at = 0; at < sizeof text; at += size)
            dkim_hash_add(copy, text + at, sizeof text - at < size ? sizeof text - at : size);
        assert_int_equal(dkim_hash_end(copy, again, &err), ST_OK);
        assert_memory_equal(digest, again, sizeof again);
    }
    dkim_hash_free(hash);
    dkim_hash_free(copy);
    dkim_hash_free(NULL);
}

static void base64_is_strict(void **state)
{
    static const struct {
        const char *in, *want; /* NULL: refused */
    } cases[] = {
        {"", ""},           {"Zg==", "f"},        {"Zm8=", "fo"},
        {"Zm9v", "foo"},    {"Zm9vYg==", "foob"}, {" Z\tm\r\n 9v ", "foo"},
        {"Zg= =\t", "f"},   {"Zg", NULL},         {"Zg=", NULL},
        {"Zg===", NULL},    {"Z", NULL},          {"Zh==", NULL},
        {"Zm9=", NULL},     {"=", NULL},          {"====", NULL},
        {"Zg==Zg==", NULL}, {"Zm9v=", NULL},      {"Zm-v", NULL},
        {"Zm9v\f", NULL},   {"Zm9v.", NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = BUF_INIT(0);
        struct err err = {0};
        CHECK_STATUS(cases[i].in, dkim_base64_decode(span_str(cases[i].in), &out, &err),
                     cases[i].want ? ST_OK : ST_INVALID, err);
        CHECK_TEXT(cases[i].in, buf_cstr(&out), cases[i].want ? cases[i].want : "");
        buf_clear(&out);
    }
}

static void base64_goes_round(void **state)
{
    (void)state;
    for (size_t len = 0; len < 100; len++) {
        char octets[100];
        struct buf text = BUF_INIT(0), out = BUF_INIT(0);
        for (size_t i = 0; i < len; i++)
            octets[i] = (char)(i * 37 + len);
        dkim_base64_encode(span_of(octets, len), &text);
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_int_equal(dkim_base64_decode(buf_span(&text), &out, NULL), ST_OK);
        assert_true(span_equal(buf_span(&out), span_of(octets, len)));
        buf_clear(&text);
        buf_clear(&out);
    }
}

/* -- keys --------------------------------------------------------------------------------- */

static void files_are_imported_or_named(void **state)
{
    static const struct {
        const char *file;
        const char *text; /* in the refusal; NULL: imported */
        enum dkim_algorithm algorithm;
        int bits;
    } cases[] = {
        {"pem/rsa1024_pkcs1.pem", NULL, DKIM_RSA_SHA256, 1024},
        {"pem/rsa1024_pkcs8.pem", NULL, DKIM_RSA_SHA256, 1024},
        {"pem/ed25519.pem", NULL, DKIM_ED25519_SHA256, 256},
        {"rfc8463_rsa.pem", NULL, DKIM_RSA_SHA256, 1024},
        {"pem/rsa512.pem", "512 bits", 0, 0},
        {"pem/rsa8192.pem", "8192 bits", 0, 0},
        {"pem/certificate.pem", "certificate", 0, 0},
        {"pem/public.pem", "public key", 0, 0},
        {"pem/rsa_public.pem", "public key", 0, 0},
        {"pem/encrypted_pkcs1.pem", "encrypted", 0, 0},
        {"pem/encrypted_pkcs8.pem", "encrypted", 0, 0},
        {"pem/ec_sec1.pem", "EC key", 0, 0},
        {"pem/ec_pkcs8.pem", "kind EC", 0, 0},
        {"pem/dsa.pem", "DSA", 0, 0},
        {"pem/x25519.pem", "X25519", 0, 0},
        {"pem/rsa_pss.pem", "RSASSA-PSS", 0, 0},
        {"pem/two_keys.pem", "more than one", 0, 0},
        {"rfc6376_a2.eml", "no PEM", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf pem = vector(cases[i].file), octets = BUF_SECRET(0);
        struct dkim_key *key = NULL;
        enum dkim_algorithm algorithm;
        struct err err = {0};
        CHECK_STATUS(cases[i].file, dkim_key_import(buf_span(&pem), &algorithm, &octets, &err),
                     cases[i].text ? ST_INVALID : ST_OK, err);
        if (cases[i].text) {
            if (!strstr(err.text, cases[i].text))
                fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].file, err.text, cases[i].text);
            assert_int_equal(octets.len, 0);
        } else {
            assert_int_equal(algorithm, cases[i].algorithm);
            assert_int_equal(dkim_key_parse(algorithm, buf_span(&octets), &key, &err), ST_OK);
            assert_int_equal(dkim_key_bits(key), cases[i].bits);
        }
        dkim_key_free(key);
        buf_clear(&octets);
        buf_clear(&pem);
    }
}

static void empty_files_are_named(void **state)
{
    struct buf octets = BUF_SECRET(0);
    enum dkim_algorithm algorithm;
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_key_import(SPAN_LIT(""), &algorithm, &octets, &err), ST_INVALID);
    assert_string_equal(err.text, "the file is empty");
    assert_int_equal(dkim_key_import(SPAN_LIT(" \n"), &algorithm, &octets, &err), ST_INVALID);
    buf_clear(&octets);
}

static void inconsistent_keys_are_found(void **state)
{
    struct buf pem = vector("rfc8463_rsa.pem"), octets = BUF_SECRET(0);
    struct dkim_key *key;
    enum dkim_algorithm algorithm;
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_key_import(buf_span(&pem), &algorithm, &octets, &err), ST_OK);
    octets.data[octets.len - 1] ^= 1; /* of the CRT coefficient */
    assert_int_equal(dkim_key_parse(algorithm, buf_span(&octets), &key, &err), ST_OK);
    assert_int_equal(dkim_key_check(key, &err), ST_INVALID);
    dkim_key_free(key);
    buf_clear(&octets);
    buf_clear(&pem);
}

static void private_octets_are_parsed_strictly(void **state)
{
    struct buf pem = vector("rfc8463_rsa.pem"), octets = BUF_SECRET(0);
    struct dkim_key *key;
    enum dkim_algorithm algorithm;
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_key_import(buf_span(&pem), &algorithm, &octets, &err), ST_OK);
    for (size_t len = 0; len < octets.len; len++) {
        assert_int_equal(
            dkim_key_parse(DKIM_RSA_SHA256, span_head(buf_span(&octets), len), &key, &err),
            ST_INVALID);
        assert_null(key);
    }
    buf_append_char(&octets, 0);
    assert_int_equal(dkim_key_parse(DKIM_RSA_SHA256, buf_span(&octets), &key, &err), ST_INVALID);
    assert_int_equal(dkim_key_parse(DKIM_ED25519_SHA256, buf_span(&octets), &key, &err),
                     ST_INVALID);
    buf_clear(&octets);
    buf_clear(&pem);
}

static void keys_go_round(void **state)
{
    static const struct {
        enum dkim_algorithm algorithm;
        int bits;
        size_t signature;
    } cases[] = {
        {DKIM_RSA_SHA256, 1024, 128},
        {DKIM_RSA_SHA256, 2048, 256},
        {DKIM_RSA_SHA256, 4096, 512},
        {DKIM_ED25519_SHA256, 256, 64},
    };
    uint8_t digest[DKIM_DIGEST_SIZE] = {1, 2, 3};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum dkim_algorithm algorithm = cases[i].algorithm;
        struct buf octets = BUF_SECRET(DKIM_PRIVATE_MAX), public_octets = BUF_INIT(0);
        struct buf signature = BUF_INIT(0), pem = BUF_SECRET(0), imported = BUF_SECRET(0);
        struct dkim_key *key;
        struct dkim_public_key *public_key;
        struct err err = {0};

        assert_int_equal(dkim_key_generate(algorithm, cases[i].bits, &octets, &err), ST_OK);
        assert_int_equal(dkim_key_parse(algorithm, buf_span(&octets), &key, &err), ST_OK);
        assert_int_equal(dkim_key_check(key, &err), ST_OK);
        assert_int_equal(dkim_key_bits(key), cases[i].bits);
        assert_int_equal(dkim_key_algorithm(key), algorithm);
        assert_int_equal(dkim_key_export(key, &pem, &err), ST_OK);
        assert_int_equal(dkim_key_import(buf_span(&pem), &algorithm, &imported, &err), ST_OK);
        assert_true(span_equal(buf_span(&imported), buf_span(&octets)));

        assert_int_equal(dkim_key_public(key, &public_octets, &err), ST_OK);
        assert_int_equal(dkim_public_key_parse(algorithm, buf_span(&public_octets),
                                               DKIM_RSA_BITS_MIN, &public_key, &err),
                         ST_OK);
        assert_int_equal(dkim_public_key_bits(public_key), cases[i].bits);
        assert_int_equal(dkim_key_sign(key, digest, &signature, &err), ST_OK);
        assert_int_equal(signature.len, cases[i].signature);
        assert_int_equal(dkim_public_key_verify(public_key, digest, buf_span(&signature), &err),
                         ST_OK);
        digest[0] ^= 1;
        assert_int_equal(dkim_public_key_verify(public_key, digest, buf_span(&signature), &err),
                         ST_DENIED);
        dkim_public_key_free(public_key);
        dkim_key_free(key);
        buf_clear(&imported);
        buf_clear(&pem);
        buf_clear(&signature);
        buf_clear(&public_octets);
        buf_clear(&octets);
    }
}

static void sizes_of_new_keys_have_limits(void **state)
{
    struct buf octets = BUF_SECRET(0);
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_key_generate(DKIM_RSA_SHA256, 512, &octets, &err), ST_INVALID);
    assert_int_equal(dkim_key_generate(DKIM_RSA_SHA256, 8192, &octets, &err), ST_INVALID);
    buf_clear(&octets);
}

/* OpenDKIM loses half a kilobyte with each; LeakSanitizer would see it at the end. */
static void many_ed25519_signatures_leak_nothing(void **state)
{
    struct buf seed = vector("rfc8463_ed25519.seed"), signature = BUF_INIT(0);
    uint8_t digest[DKIM_DIGEST_SIZE] = {0};
    struct dkim_key *key;
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_key_parse(DKIM_ED25519_SHA256, buf_span(&seed), &key, &err), ST_OK);
    for (int i = 0; i < 2000; i++) {
        buf_reset(&signature);
        assert_int_equal(dkim_key_sign(key, digest, &signature, &err), ST_OK);
    }
    dkim_key_free(key);
    buf_clear(&signature);
    buf_clear(&seed);
}

static void *sign_often(void *key)
{
    const uint8_t digest[DKIM_DIGEST_SIZE] = {7};
    struct buf first = BUF_INIT(0), signature = BUF_INIT(0);
    bool ok = dkim_key_sign(key, digest, &first, NULL) == ST_OK;
    for (int i = 0; ok && i < 50; i++) {
        buf_reset(&signature);
        ok = dkim_key_sign(key, digest, &signature, NULL) == ST_OK &&
             span_equal(buf_span(&first), buf_span(&signature));
    }
    buf_clear(&first);
    buf_clear(&signature);
    return ok ? key : NULL;
}

static void keys_are_shared_by_threads(void **state)
{
    struct buf pem = vector("rfc8463_rsa.pem"), octets = BUF_SECRET(0);
    enum dkim_algorithm algorithm;
    struct dkim_key *key;
    pthread_t threads[4];
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_key_import(buf_span(&pem), &algorithm, &octets, &err), ST_OK);
    assert_int_equal(dkim_key_parse(algorithm, buf_span(&octets), &key, &err), ST_OK);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_often, key), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, key);
    }
    dkim_key_free(key);
    buf_clear(&octets);
    buf_clear(&pem);
}

static void public_keys_have_a_minimum(void **state)
{
    struct buf pem = vector("rfc8463_rsa.pem"), octets = BUF_SECRET(0), spki = BUF_INIT(0);
    enum dkim_algorithm algorithm;
    struct dkim_key *key;
    struct dkim_public_key *public_key;
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_key_import(buf_span(&pem), &algorithm, &octets, &err), ST_OK);
    assert_int_equal(dkim_key_parse(algorithm, buf_span(&octets), &key, &err), ST_OK);
    assert_int_equal(dkim_key_public(key, &spki, &err), ST_OK);
    assert_int_equal(dkim_public_key_parse(algorithm, buf_span(&spki), 1025, &public_key, &err),
                     ST_INVALID);
    assert_int_equal(
        dkim_public_key_parse(DKIM_ED25519_SHA256, buf_span(&spki), 0, &public_key, &err),
        ST_INVALID);
    buf_append_char(&spki, 'x');
    assert_int_equal(dkim_public_key_parse(algorithm, buf_span(&spki), 1024, &public_key, &err),
                     ST_INVALID);
    dkim_key_free(key);
    buf_clear(&spki);
    buf_clear(&octets);
    buf_clear(&pem);
}

/* The sanitized build sees a key that was freed too early, or never. */
static void a_key_lives_as_long_as_a_reference(void **state)
{
    static const uint8_t digest[DKIM_DIGEST_SIZE] = {1};
    struct buf octets = BUF_SECRET(DKIM_PRIVATE_MAX), signature = BUF_INIT(0);
    struct dkim_key *key = NULL;
    struct err err = {0};
    (void)state;
    assert_int_equal(dkim_key_generate(DKIM_RSA_SHA256, 1024, &octets, &err), ST_OK);
    assert_int_equal(dkim_key_parse(DKIM_RSA_SHA256, buf_span(&octets), &key, &err), ST_OK);
    struct dkim_key *second = dkim_key_ref(key);
    assert_ptr_equal(second, key);
    dkim_key_free(key);
    assert_int_equal(dkim_key_sign(second, digest, &signature, &err), ST_OK);
    dkim_key_free(second);
    buf_clear(&signature);
    buf_clear(&octets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(algorithms_have_names),
        cmocka_unit_test(hashes_are_known),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64_goes_round),
        cmocka_unit_test(files_are_imported_or_named),
        cmocka_unit_test(empty_files_are_named),
        cmocka_unit_test(inconsistent_keys_are_found),
        cmocka_unit_test(private_octets_are_parsed_strictly),
        cmocka_unit_test(keys_go_round),
        cmocka_unit_test(sizes_of_new_keys_have_limits),
        cmocka_unit_test(many_ed25519_signatures_leak_nothing),
        cmocka_unit_test(keys_are_shared_by_threads),
        cmocka_unit_test(a_key_lives_as_long_as_a_reference),
        cmocka_unit_test(public_keys_have_a_minimum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
