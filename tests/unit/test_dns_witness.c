/* SPDX-License-Identifier: Apache-2.0
 *
 * What one server's answer says of the record that is wanted.
 */
#include "tests/unit/test_dkim_support.h"

#include "dns/witness.h"

static const char octets[] = "0123456789abcdef0123456789abcdef";
#define P "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define OTHER_P "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="

struct judged {
    const char *name;
    enum witness_what what;
    bool resolver, not_authoritative, truncated;
    int rcode;
    const char *texts[2];
    enum witness_verdict want;
    const char *says;
};

static const struct judged cases[] = {
    {"right", .texts = {"v=DKIM1; k=ed25519; p=" P}, .want = WITNESS_RIGHT,
     .says = "has the record"},
    {"right with more tags", .texts = {"v=DKIM1; k=ed25519; t=s; s=email; h=sha256; n=x; p=" P},
     .want = WITNESS_RIGHT, .says = "has the record"},
    {"right at a resolver", .resolver = true, .not_authoritative = true,
     .texts = {"k=ed25519; p=" P}, .want = WITNESS_RIGHT, .says = "has the record"},
    {"another key", .texts = {"k=ed25519; p=" OTHER_P}, .want = WITNESS_WRONG,
     .says = "has another public key"},
    {"another type", .texts = {"k=rsa; p=" P}, .want = WITNESS_WRONG,
     .says = "has a key of another type (k=)"},
    {"no type, which is rsa", .texts = {"p=" P}, .want = WITNESS_WRONG,
     .says = "has a key of another type (k=)"},
    {"revoked", .texts = {"v=DKIM1; p="}, .want = WITNESS_WRONG,
     .says = "has p= without a key, which revokes it"},
    {"testing", .texts = {"k=ed25519; t=s:y; p=" P}, .want = WITNESS_WRONG,
     .says = "has t=y, which says that signatures are tests"},
    {"sha1", .texts = {"k=ed25519; h=sha1; p=" P}, .want = WITNESS_WRONG,
     .says = "has h= without sha256"},
    {"another service", .texts = {"k=ed25519; s=tlsrpt; p=" P}, .want = WITNESS_WRONG,
     .says = "has s= without email"},
    {"no key record", .texts = {"v=spf1 -all"}, .want = WITNESS_WRONG,
     .says = "has a TXT record that is no key record: "},
    {"two", .texts = {"k=ed25519; p=" P, "k=ed25519; p=" P}, .want = WITNESS_WRONG,
     .says = "has 2 TXT records instead of one"},
    {"none", .want = WITNESS_MISSING, .says = "has no TXT record"},
    {"no such name", .rcode = 3, .want = WITNESS_MISSING, .says = "has no TXT record"},
    {"failed", .rcode = 2, .want = WITNESS_UNKNOWN, .says = "answers SERVFAIL"},
    {"refused", .rcode = 5, .want = WITNESS_UNKNOWN, .says = "answers REFUSED"},
    {"an rcode without a name", .rcode = 11, .want = WITNESS_UNKNOWN, .says = "answers rcode 11"},
    {"right, but not authoritative", .not_authoritative = true, .texts = {"k=ed25519; p=" P},
     .want = WITNESS_UNKNOWN, .says = "is not authoritative"},
    {"none, and not authoritative", .not_authoritative = true, .rcode = 3, .want = WITNESS_UNKNOWN,
     .says = "is not authoritative"},
    {"truncated", .truncated = true, .texts = {"k=ed25519; p=" P}, .want = WITNESS_UNKNOWN,
     .says = "truncates its answer"},

    {"gravestone", WITNESS_GRAVESTONE, .texts = {"v=DKIM1; p="}, .want = WITNESS_RIGHT,
     .says = "has the record"},
    {"gravestone with a type", WITNESS_GRAVESTONE, .texts = {"v=DKIM1; k=rsa; p="},
     .want = WITNESS_RIGHT, .says = "has the record"},
    {"a key where a gravestone should be", WITNESS_GRAVESTONE, .texts = {"k=ed25519; p=" P},
     .want = WITNESS_WRONG, .says = "still has a public key"},
    {"two gravestones", WITNESS_GRAVESTONE, .texts = {"v=DKIM1; p=", "p="}, .want = WITNESS_WRONG,
     .says = "has 2 TXT records instead of one"},
    {"no gravestone", WITNESS_GRAVESTONE, .want = WITNESS_MISSING, .says = "has no TXT record"},

    {"nothing", WITNESS_NOTHING, .rcode = 3, .want = WITNESS_RIGHT, .says = "has no record"},
    {"a record where nothing should be", WITNESS_NOTHING, .texts = {"v=DKIM1; p="},
     .want = WITNESS_WRONG, .says = "still has a TXT record"},
    {"nothing, but failed", WITNESS_NOTHING, .rcode = 2, .want = WITNESS_UNKNOWN,
     .says = "answers SERVFAIL"},
};

static struct query_answer answer_of(const struct judged *c)
{
    struct query_answer answer = {.ttl_s = 60};
    answer.rcode = c->rcode;
    answer.authoritative = !c->not_authoritative;
    answer.truncated = c->truncated;
    for (size_t i = 0; i < COUNT(c->texts) && c->texts[i] != NULL; i++)
        buf_append_str(&answer.texts[answer.text_count++], c->texts[i]);
    return answer;
}

static void answers_are_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct judged *c = &cases[i];
        const struct witness_wanted wanted = {.name = "s._domainkey.example",
                                              .what = c->what,
                                              .algorithm = DKIM_ED25519_SHA256,
                                              .public_octets = SPAN_LIT(octets)};
        struct query_answer answer = answer_of(c);
        struct witness witness = {.resolver = c->resolver};
        print_message("    %s\n", c->name);
        witness_judge(&wanted, &answer, &witness);
        assert_string_equal(witness_verdict_name(witness.verdict), witness_verdict_name(c->want));
        assert_memory_equal(witness.sentence, c->says, strlen(c->says));
        assert_int_equal(witness.ttl_s, 60);
        if (witness.answer != NULL)
            assert_string_equal(witness.answer, c->texts[0]);
        witness_clear(&witness);
        query_clear(&answer);
    }
}

static void sentences_are_printable(void **state)
{
    struct witness witness = {.answer = NULL};
    (void)state;
    witness_say(&witness, WITNESS_WRONG, "a%sb", "\033[2J\n\303\244\177");
    assert_string_equal(witness.sentence, "a?[2J????b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_judged),
        cmocka_unit_test(sentences_are_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
