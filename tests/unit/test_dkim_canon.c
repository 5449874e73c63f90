/* SPDX-License-Identifier: Apache-2.0
 *
 * Canonicalization against RFC 6376 3.4, in every chunking, and the body hashes made with it.
 */
#include "tests/unit/test_dkim_support.h"

#include "dkim/canon.h"

/* -- header fields ------------------------------------------------------------------------ */

static void fields_are_canonical(void **state)
{
    static const struct {
        const char *name, *in, *simple, *relaxed;
    } cases[] = {
        {"RFC 6376 3.4.5 A", "A: X", "A: X", "a:X"},
        {"RFC 6376 3.4.5 B", "B : Y\t\r\n\tZ  ", "B : Y\t\r\n\tZ  ", "b:Y Z"},
        {"no value", "Subject:", "Subject:", "subject:"},
        {"white space only", "Subject: \t \r\n ", "Subject: \t \r\n ", "subject:"},
        {"colon in value", "X-A:b:c", "X-A:b:c", "x-a:b:c"},
        {"many spaces", "T:  a \t b\t\tc ", "T:  a \t b\t\tc ", "t:a b c"},
        {"form feed is no white space", "T: \fa\v ", "T: \fa\v ", "t:\fa\v"},
        {"a no-break space stays", "T: a\xc2\xa0 b", "T: a\xc2\xa0 b", "t:a\xc2\xa0 b"},
        {"space before a fold", "T: a \r\n b", "T: a \r\n b", "t:a b"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf simple = BUF_INIT(0), relaxed = BUF_INIT(0);
        dkim_canon_field(DKIM_SIMPLE, span_str(cases[i].in), append_octets, &simple);
        dkim_canon_field(DKIM_RELAXED, span_str(cases[i].in), append_octets, &relaxed);
        CHECK_TEXT(cases[i].name, buf_cstr(&simple), cases[i].simple);
        CHECK_TEXT(cases[i].name, buf_cstr(&relaxed), cases[i].relaxed);
        buf_clear(&simple);
        buf_clear(&relaxed);
    }
}

/* -- bodies ------------------------------------------------------------------------------- */

#define LONG_WORD "a-line-that-is-much-longer-than-one-block-of-64-octets-which-are-judged-at-once"

static const struct body_case {
    const char *name, *in, *simple, *relaxed;
} bodies[] = {
    {"RFC 6376 3.4.5", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
    {"empty", "", "\r\n", ""},
    {"one blank line", "\r\n", "\r\n", ""},
    {"blank lines only", "\r\n\r\n\r\n\r\n", "\r\n", ""},
    {"lines of white space", " \r\n\t \r\n", " \r\n\t \r\n", ""},
    {"white space without line end", " \t", " \t\r\n", ""},
    {"no final line end", "a", "a\r\n", "a\r\n"},
    {"no final line end, trailing space", "a ", "a \r\n", "a\r\n"},
    {"blank lines inside", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
    {"blank lines first", "\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
    {"white line at the end", "a\r\n \t\r\n", "a\r\n \t\r\n", "a\r\n"},
    {"white line, then text", "a\r\n \r\nb", "a\r\n \r\nb\r\n", "a\r\n\r\nb\r\n"},
    {"leading space", "  a\r\n\tb\r\n", "  a\r\n\tb\r\n", " a\r\n b\r\n"},
    {"lone CR", "a\rb\r\n", "a\rb\r\n", "a\rb\r\n"},
    {"lone CR at the end", "a\r", "a\r\r\n", "a\r\r\n"},
    {"two CR before LF", "a\r\r\nb", "a\r\r\nb\r\n", "a\r\r\nb\r\n"},
    {"only CR", "\r", "\r\r\n", "\r\r\n"},
    {"lone LF", "a\nb\n", "a\nb\n\r\n", "a\nb\n\r\n"},
    {"LF CR", "a\n\rb", "a\n\rb\r\n", "a\n\rb\r\n"},
    {"space before a lone CR", "a \rb", "a \rb\r\n", "a \rb\r\n"},
    {"space before LF", "a \nb", "a \nb\r\n", "a \nb\r\n"},
    {"form feed is text", "a \f \v\r\n", "a \f \v\r\n", "a \f \v\r\n"},
    {"tab to space", "a\tb", "a\tb\r\n", "a b\r\n"},
    {"long clean lines", LONG_WORD "\r\n" LONG_WORD " x\r\n", LONG_WORD "\r\n" LONG_WORD " x\r\n",
     LONG_WORD "\r\n" LONG_WORD " x\r\n"},
    {"long lines, space at the end", LONG_WORD "  \r\n" LONG_WORD " \t x \r\n \r\n",
     LONG_WORD "  \r\n" LONG_WORD " \t x \r\n \r\n", LONG_WORD "\r\n" LONG_WORD " x\r\n"},
    {"many blank lines inside",
     "a\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nb", /* more than are written at once */
     "a\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nb\r\n",
     "a\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nb\r\n"},
};

/* The canonical form of `in`, given in pieces that end at `first` and `second`. Each piece is
 * its own allocation, so that a sanitizer sees a look beyond its end. */
static struct buf canonical(enum dkim_canon canon, struct span in, size_t first, size_t second)
{
    const struct span pieces[] = {span_head(in, first), span_from(span_head(in, second), first),
                                  span_from(in, second)};
    struct buf out = BUF_INIT(0);
    struct dkim_canon_body body;

    dkim_canon_body_init(&body, canon, append_octets, &out);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        char *copy = malloc(pieces[i].len + !pieces[i].len);
        assert_non_null(copy);
        if (pieces[i].len)
            memcpy(copy, pieces[i].data, pieces[i].len);
        dkim_canon_body_add(&body, copy, pieces[i].len);
        free(copy);
    }
    dkim_canon_body_end(&body);
    return out;
}

static void bodies_are_canonical_in_every_chunking(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct span in = span_str(bodies[i].in);
        for (size_t first = 0; first <= in.len; first++) {
            for (size_t second = first; second <= in.len; second++) {
                struct buf simple = canonical(DKIM_SIMPLE, in, first, second);
                struct buf relaxed = canonical(DKIM_RELAXED, in, first, second);
                CHECK_TEXT(bodies[i].name, buf_cstr(&simple), bodies[i].simple);
                CHECK_TEXT(bodies[i].name, buf_cstr(&relaxed), bodies[i].relaxed);
                buf_clear(&simple);
                buf_clear(&relaxed);
            }
        }
    }
}

/* One octet at a time takes the slow path only, one piece takes the fast one. */
static void runs_give_what_octets_give(void **state)
{
    static const char alphabet[] = "aaaaaaaaaaaaa   \t\r\n\r\n";
    (void)state;
    srand(20260101);
    for (int round = 0; round < 2000; round++) {
        char text[300];
        size_t len = (size_t)rand() % sizeof text;
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
        for (enum dkim_canon canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
            struct buf whole = canonical(canon, span_of(text, len), len, len);
            struct buf octets = BUF_INIT(0);
            struct dkim_canon_body body;
            dkim_canon_body_init(&body, canon, append_octets, &octets);
            for (size_t i = 0; i < len; i++)
                dkim_canon_body_add(&body, text + i, 1);
            dkim_canon_body_end(&body);
            assert_true(span_equal(buf_span(&whole), buf_span(&octets)));
            buf_clear(&whole);
            buf_clear(&octets);
        }
    }
}

/* -- body hashes -------------------------------------------------------------------------- */

static void body_hash_of(const char *text, enum dkim_canon canon, uint64_t length, char *out,
                         size_t size)
{
    struct dkim_bodies *set = dkim_bodies_new();
    struct buf base64 = BUF_INIT(0);
    struct err err = {0};
    size_t index;

    assert_non_null(set);
    assert_int_equal(dkim_bodies_want(set, canon, length, &index, &err), ST_OK);
    dkim_bodies_add(set, text, strlen(text));
    assert_int_equal(dkim_bodies_end(set, &err), ST_OK);
    assert_int_equal(dkim_bodies_end(set, &err), ST_OK);
    dkim_base64_encode(span_of((const char *)dkim_bodies_digest(set, index), DKIM_DIGEST_SIZE),
                       &base64);
    snprintf(out, size, "%s", buf_cstr(&base64));
    buf_clear(&base64);
    dkim_bodies_free(set);
}

static void body_hashes_are_known(void **state)
{
    static const struct {
        const char *name, *body;
        enum dkim_canon canon;
        uint64_t length;
        const char *hash;
    } cases[] = {
        {"empty, simple", "", DKIM_SIMPLE, DKIM_BODY_WHOLE,
         "frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="},
        {"empty, relaxed", "", DKIM_RELAXED, DKIM_BODY_WHOLE,
         "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
        {"RFC 8463 A.3", "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n",
         DKIM_RELAXED, DKIM_BODY_WHOLE, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="},
        {"l=0", "abc\r\n", DKIM_RELAXED, 0, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
    };
    char hash[64];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        body_hash_of(cases[i].body, cases[i].canon, cases[i].length, hash, sizeof hash);
        CHECK_TEXT(cases[i].name, hash, cases[i].hash);
    }
}

static void body_hashes_are_shared_and_reused(void **state)
{
    struct dkim_bodies *set = dkim_bodies_new();
    struct err err = {0};
    size_t simple, relaxed, again, part;
    uint8_t first[DKIM_DIGEST_SIZE];
    (void)state;
    for (int round = 0; round < 2; round++) {
        dkim_bodies_reset(set);
        assert_int_equal(dkim_bodies_want(set, DKIM_SIMPLE, DKIM_BODY_WHOLE, &simple, &err), ST_OK);
        assert_int_equal(dkim_bodies_want(set, DKIM_RELAXED, DKIM_BODY_WHOLE, &relaxed, &err),
                         ST_OK);
        assert_int_equal(dkim_bodies_want(set, DKIM_SIMPLE, DKIM_BODY_WHOLE, &again, &err), ST_OK);
        assert_int_equal(dkim_bodies_want(set, DKIM_RELAXED, 3, &part, &err), ST_OK);
        assert_int_equal(simple, again);
        dkim_bodies_add(set, "a  b", 4);
        assert_int_equal(dkim_bodies_want(set, DKIM_SIMPLE, 7, &again, &err), ST_INVALID);
        assert_int_equal(dkim_bodies_end(set, &err), ST_OK);
        assert_int_equal(dkim_bodies_octets(set, simple), 6);
        assert_int_equal(dkim_bodies_octets(set, part), 5);
        assert_memory_not_equal(dkim_bodies_digest(set, relaxed), dkim_bodies_digest(set, part),
                                DKIM_DIGEST_SIZE);
        if (round)
            assert_memory_equal(first, dkim_bodies_digest(set, simple), DKIM_DIGEST_SIZE);
        memcpy(first, dkim_bodies_digest(set, simple), DKIM_DIGEST_SIZE);
    }
    dkim_bodies_free(set);
}

static void body_hashes_have_a_limit(void **state)
{
    struct dkim_bodies *set = dkim_bodies_new();
    struct err err = {0};
    size_t index;
    (void)state;
    for (uint64_t i = 0; i < DKIM_BODIES_MAX; i++)
        assert_int_equal(dkim_bodies_want(set, DKIM_SIMPLE, i, &index, &err), ST_OK);
    assert_int_equal(dkim_bodies_want(set, DKIM_SIMPLE, 99, &index, &err), ST_INVALID);
    dkim_bodies_free(set);
}

static void names_of_canonicalizations(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        enum dkim_canon header, body;
    } cases[] = {
        {"simple", ST_OK, DKIM_SIMPLE, DKIM_SIMPLE},
        {"relaxed", ST_OK, DKIM_RELAXED, DKIM_SIMPLE},
        {"relaxed/relaxed", ST_OK, DKIM_RELAXED, DKIM_RELAXED},
        {"simple/relaxed", ST_OK, DKIM_SIMPLE, DKIM_RELAXED},
        {"", ST_INVALID, DKIM_SIMPLE, DKIM_SIMPLE},
        {"relaxed/", ST_INVALID, DKIM_SIMPLE, DKIM_SIMPLE},
        {"Relaxed/simple", ST_INVALID, DKIM_SIMPLE, DKIM_SIMPLE},
        {"nowsp", ST_INVALID, DKIM_SIMPLE, DKIM_SIMPLE},
        {"simple/simple/simple", ST_INVALID, DKIM_SIMPLE, DKIM_SIMPLE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum dkim_canon header, body;
        struct err err = {0};
        CHECK_STATUS(cases[i].text, dkim_canon_parse(span_str(cases[i].text), &header, &body, &err),
                     cases[i].status, err);
        if (cases[i].status == ST_OK) {
            assert_int_equal(header, cases[i].header);
            assert_int_equal(body, cases[i].body);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_canonical),
        cmocka_unit_test(bodies_are_canonical_in_every_chunking),
        cmocka_unit_test(runs_give_what_octets_give),
        cmocka_unit_test(body_hashes_are_known),
        cmocka_unit_test(body_hashes_are_shared_and_reused),
        cmocka_unit_test(body_hashes_have_a_limit),
        cmocka_unit_test(names_of_canonicalizations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
