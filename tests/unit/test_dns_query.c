/* SPDX-License-Identifier: Apache-2.0
 *
 * What is read of an answer. Answers are made from records as text by ldns.
 */
#include "tests/unit/test_dkim_support.h"

#include <ldns/ldns.h>

#include "dns/query.h"

enum { RECORDS_MAX = 12 };

struct answer_case {
    const char *name;
    int rcode;
    bool recurse, not_authoritative, truncated;
    const char *answer[RECORDS_MAX], *authority[RECORDS_MAX];
    const char *alias;
    size_t text_count;
    const char *text;
    int64_t ttl_s;
    const char *soa, *cut;
};

#define SOA "example. 60 SOA ns.example. a.example. 1 2 3 4 5"

static const struct answer_case cases[] = {
    {"a record", .answer = {"q.example. 300 TXT a"}, .text_count = 1, .text = "a", .ttl_s = 300},
    {"strings are joined", .answer = {"q.example. 300 TXT a \"\" \"b c\" d"}, .text_count = 1,
     .text = "ab cd", .ttl_s = 300},
    {"capitals", .answer = {"Q.EXAMPLE. 300 TXT a"}, .text_count = 1, .text = "a", .ttl_s = 300},
    {"two records", .answer = {"q.example. 300 TXT a", "q.example. 20 TXT b"}, .text_count = 2,
     .text = "a", .ttl_s = 20},
    {"more than are kept",
     .answer = {"q.example. 1 TXT a", "q.example. 1 TXT b", "q.example. 1 TXT c",
                "q.example. 1 TXT d", "q.example. 1 TXT e"},
     .text_count = 5, .text = "a", .ttl_s = 1},
    {"of another name", .answer = {"r.example. 300 TXT a"}, .ttl_s = -1},
    {"of another type", .answer = {"q.example. 300 A 192.0.2.1"}, .ttl_s = -1},
    {"in another section", .authority = {"q.example. 300 TXT a"}, .ttl_s = -1},
    {"a TTL with the highest bit", .answer = {"q.example. 2147483648 TXT a"}, .text_count = 1,
     .text = "a", .ttl_s = 0},
    {"no data", .authority = {SOA}, .ttl_s = -1, .soa = "example"},
    {"no such name", .rcode = 3, .authority = {SOA}, .ttl_s = -1, .soa = "example"},
    {"failed", .rcode = 2, .ttl_s = -1},
    {"truncated", .truncated = true, .ttl_s = -1},
    {"an alias", .answer = {"q.example. 30 CNAME R.example."}, .alias = "r.example", .ttl_s = 30},
    {"an alias with its target, not followed",
     .answer = {"q.example. 30 CNAME r.example.", "r.example. 10 TXT a"}, .alias = "r.example",
     .ttl_s = 30},
    {"an alias with its target, followed", .recurse = true, .not_authoritative = true,
     .answer = {"r.example. 10 TXT a", "q.example. 30 CNAME r.example."}, .alias = "r.example",
     .text_count = 1, .text = "a", .ttl_s = 10},
    {"a circle, followed", .recurse = true,
     .answer = {"q.example. 30 CNAME r.example.", "r.example. 30 CNAME q.example."},
     .alias = "q.example", .ttl_s = 30},
    {"records of the name beside the alias, followed", .recurse = true,
     .answer = {"q.example. 30 CNAME r.example.", "q.example. 10 TXT a"}, .alias = "r.example",
     .ttl_s = 30},
    {"a referral", .not_authoritative = true, .authority = {"b.example. 60 NS ns.example."},
     .ttl_s = -1, .cut = "b.example"},
    {"servers beside an answer", .answer = {"q.example. 300 TXT a"},
     .authority = {"example. 60 NS ns.example."}, .text_count = 1, .text = "a", .ttl_s = 300},
    {"servers of a zone without data", .authority = {"example. 60 NS ns.example."}, .ttl_s = -1},
};

static void push(ldns_pkt *packet, ldns_pkt_section section, const char *const *texts)
{
    for (size_t i = 0; i < RECORDS_MAX && texts[i] != NULL; i++) {
        ldns_rr *record = NULL;
        assert_int_equal(ldns_rr_new_frm_str(&record, texts[i], 0, NULL, NULL), LDNS_STATUS_OK);
        assert_true(ldns_pkt_push_rr(packet, section, record));
    }
}

static void write_answer(const struct answer_case *c, struct buf *out)
{
    uint8_t *wire = NULL;
    size_t len = 0;
    ldns_pkt *packet = ldns_pkt_query_new(ldns_dname_new_frm_str("q.example."), LDNS_RR_TYPE_TXT,
                                          LDNS_RR_CLASS_IN, 0);
    ldns_pkt_set_qr(packet, true);
    ldns_pkt_set_aa(packet, !c->not_authoritative);
    ldns_pkt_set_tc(packet, c->truncated);
    ldns_pkt_set_rcode(packet, (uint8_t)c->rcode);
    push(packet, LDNS_SECTION_ANSWER, c->answer);
    push(packet, LDNS_SECTION_AUTHORITY, c->authority);
    assert_int_equal(ldns_pkt2wire(&wire, packet, &len), LDNS_STATUS_OK);
    buf_append(out, wire, len);
    free(wire);
    ldns_pkt_free(packet);
}

static void check_answer(const struct answer_case *c, const struct query_answer *answer)
{
    assert_int_equal(answer->rcode, c->rcode);
    assert_int_equal(answer->authoritative, !c->not_authoritative);
    assert_int_equal(answer->truncated, c->truncated);
    assert_string_equal(answer->alias, c->alias != NULL ? c->alias : "");
    assert_int_equal(answer->text_count, c->text_count);
    assert_true(span_equal(buf_span(&answer->texts[0]), span_str(c->text)));
    assert_int_equal(answer->ttl_s, c->ttl_s);
    assert_int_equal(answer->has_soa, c->soa != NULL);
    assert_string_equal(answer->soa, c->soa != NULL ? c->soa : "");
    assert_int_equal(answer->has_cut, c->cut != NULL);
    assert_string_equal(answer->cut, c->cut != NULL ? c->cut : "");
}

static void answers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct query_question question = {"q.example", QUERY_TXT, cases[i].recurse};
        struct query_answer answer;
        struct buf wire = BUF_INIT(0);
        struct err err;
        print_message("    %s\n", cases[i].name);
        write_answer(&cases[i], &wire);
        assert_int_equal(query_read(&question, buf_span(&wire), &answer, &err), ST_OK);
        check_answer(&cases[i], &answer);
        query_clear(&answer);
        buf_clear(&wire);
    }
}

/* Every beginning of an answer is refused, and the whole is not. */
static void cut_answers_are_refused(void **state)
{
    const struct query_question question = {"q.example", QUERY_TXT, false};
    const struct answer_case c = {.answer = {"q.example. 300 TXT a b"}, .authority = {SOA}};
    struct buf wire = BUF_INIT(0);
    (void)state;
    write_answer(&c, &wire);
    for (size_t len = 0; len <= wire.len; len++) {
        struct query_answer answer;
        struct err err;
        char *copy = span_dup(span_head(buf_span(&wire), len)); /* for who looks beyond the end */
        enum status want = len < wire.len ? ST_TEMP : ST_OK;
        assert_int_equal(query_read(&question, span_of(copy, len), &answer, &err), want);
        query_clear(&answer);
        free(copy);
    }
    buf_clear(&wire);
}

static void questions_are_written(void **state)
{
    static const char want[] = "\1\0\0\1\0\0\0\0\0\1\1q\7example\0\0\20\0\1\0\0\51\4\320";
    const struct query_question question = {"q.example", QUERY_TXT, true};
    const struct query_question none = {"a..b", QUERY_TXT, true};
    struct buf wire = BUF_INIT(0);
    struct err err;
    (void)state;
    assert_int_equal(query_write(&question, &wire, &err), ST_OK);
    /* Behind the id: RD and nothing else, the question, EDNS with 1232 octets. */
    assert_true(wire.len >= sizeof want + 1);
    assert_memory_equal(wire.data + 2, want, sizeof want - 1);
    buf_reset(&wire);
    assert_int_equal(query_write(&none, &wire, &err), ST_INVALID);
    assert_string_equal(err.text, "a..b: not a domain name");
    buf_clear(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(cut_answers_are_refused),
        cmocka_unit_test(questions_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
