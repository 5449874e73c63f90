/* SPDX-License-Identifier: Apache-2.0
 *
 * A proof as text to be stored, and what a person is told to do.
 */
#include "tests/unit/test_dkim_support.h"

#include "dns/proof.h"

enum { WITNESSES_MAX = 3 };

struct told {
    const char *name;
    enum witness_what what;
    enum witness_verdict verdict;
    const char *sentence, *alias, *target;
    struct {
        const char *server, *address, *sentence, *answer;
        enum witness_verdict verdict;
    } witnesses[WITNESSES_MAX];
    const char *text, *advice;
};

#define NS1 "ns1", "192.0.2.1"
#define NS2 "ns2", "2001:db8::2"
#define RESOLVER "resolver", "192.0.2.3"

static const struct told cases[] = {
    {"right",
     .witnesses = {{NS1, "has the record", "v", WITNESS_RIGHT},
                   {RESOLVER, "has the record", "v", WITNESS_RIGHT}},
     .text = "right; ttl 60 to 300; right: ns1 192.0.2.1, resolver 192.0.2.3", .advice = ""},
    {"missing everywhere", .verdict = WITNESS_MISSING,
     .witnesses = {{NS1, "has none", NULL, WITNESS_MISSING},
                   {NS2, "has none", NULL, WITNESS_MISSING}},
     .text = "missing; ttl 60 to 300; missing: ns1 192.0.2.1 has none, ns2 2001:db8::2 has none",
     .advice = "publish the TXT record at s.example"},
    {"missing at one", .verdict = WITNESS_MISSING,
     .witnesses = {{NS1, "has the record", "v", WITNESS_RIGHT},
                   {NS2, "has none", NULL, WITNESS_MISSING}},
     .text = "missing; ttl 60 to 300; missing: ns2 2001:db8::2 has none; right: ns1 192.0.2.1",
     .advice = "wait until all servers of the zone have it, or see to the server: "
               "ns2 2001:db8::2 has none"},
    {"missing at the resolver", .verdict = WITNESS_MISSING,
     .witnesses = {{NS1, "has the record", "v", WITNESS_RIGHT},
                   {RESOLVER, "has none", NULL, WITNESS_MISSING}},
     .text = "missing; ttl 60 to 300; missing: resolver 192.0.2.3 has none; right: ns1 192.0.2.1",
     .advice = "wait until what it remembers is out of date: resolver 192.0.2.3 has none"},
    {"missing behind an alias", .verdict = WITNESS_MISSING, .alias = "k.example",
     .witnesses = {{NS1, "has an alias of k.example", NULL, WITNESS_RIGHT},
                   {NS2, "has none", NULL, WITNESS_MISSING}},
     .text = "missing; ttl 60 to 300; alias of k.example; missing: ns2 2001:db8::2 has none; "
             "right: ns1 192.0.2.1",
     .advice = "publish the TXT record at k.example"},
    {"wrong", .verdict = WITNESS_WRONG,
     .witnesses = {{NS1, "has another", "v", WITNESS_WRONG},
                   {NS2, "has none", NULL, WITNESS_MISSING}},
     .text = "wrong; ttl 60 to 300; wrong: ns1 192.0.2.1 has another; missing: ns2 2001:db8::2 has "
             "none",
     .advice = "make it the one TXT record at s.example: ns1 192.0.2.1 has another"},
    {"wrong at the resolver", .verdict = WITNESS_WRONG,
     .witnesses = {{NS1, "has the record", "v", WITNESS_RIGHT},
                   {RESOLVER, "has another", "w", WITNESS_WRONG}},
     .text = "wrong; ttl 60 to 300; wrong: resolver 192.0.2.3 has another; right: ns1 192.0.2.1",
     .advice = "wait 60 s until what it remembers is out of date: resolver 192.0.2.3 has another"},
    {"not yet gone", WITNESS_NOTHING, .verdict = WITNESS_WRONG,
     .witnesses = {{NS1, "still has one", "v", WITNESS_WRONG}},
     .text = "wrong; ttl 60 to 300; wrong: ns1 192.0.2.1 still has one",
     .advice = "take the TXT record at s.example away: ns1 192.0.2.1 still has one"},
    {"different aliases", .verdict = WITNESS_WRONG,
     .witnesses = {{NS1, "has an alias of a", NULL, WITNESS_RIGHT},
                   {NS2, "has an alias of b", NULL, WITNESS_WRONG}},
     .text = "wrong; ttl 60 to 300; wrong: ns2 2001:db8::2 has an alias of b; right: ns1 192.0.2.1",
     .advice = "make all servers say the same at s.example: ns2 2001:db8::2 has an alias of b"},
    {"unknown", .verdict = WITNESS_UNKNOWN,
     .witnesses = {{NS1, "has the record", "v", WITNESS_RIGHT},
                   {"ns3", "", "has no address", NULL, WITNESS_UNKNOWN}},
     .text = "unknown; ttl 60 to 300; unknown: ns3 has no address; right: ns1 192.0.2.1",
     .advice = "ask again later, or see to the server: ns3 has no address"},
    {"no zone to ask", .verdict = WITNESS_UNKNOWN, .sentence = "example: no answer",
     .text = "unknown: example: no answer; ttl 60 to 300",
     .advice = "ask again later: example: no answer"},
    {"a circle", .verdict = WITNESS_WRONG, .sentence = "a circle",
     .witnesses = {{NS1, "has an alias of a", NULL, WITNESS_RIGHT}},
     .text = "wrong: a circle; ttl 60 to 300; right: ns1 192.0.2.1",
     .advice = "mend the zone: a circle"},
    {"no alias to the target", .verdict = WITNESS_MISSING, .target = "t.example",
     .witnesses = {{NS1, "has none", NULL, WITNESS_MISSING}},
     .text = "missing; ttl 60 to 300; missing: ns1 192.0.2.1 has none",
     .advice = "publish the CNAME record at s.example: t.example"},
    {"a record instead of the alias", .verdict = WITNESS_WRONG, .target = "t.example",
     .witnesses = {{NS1, "has another", "v", WITNESS_WRONG}},
     .text = "wrong; ttl 60 to 300; wrong: ns1 192.0.2.1 has another",
     .advice = "publish the CNAME record at s.example: t.example"},
    {"alias of something else", .verdict = WITNESS_MISSING, .target = "t.example",
     .alias = "k.example", .witnesses = {{NS1, "has none", NULL, WITNESS_MISSING}},
     .text = "missing; ttl 60 to 300; alias of k.example; missing: ns1 192.0.2.1 has none",
     .advice = "publish the CNAME record at s.example: t.example"},
    {"alias of what nobody knows", .verdict = WITNESS_UNKNOWN, .target = "t.example",
     .alias = "k.example", .sentence = "no zone",
     .witnesses = {{NS1, "has an alias of k.example", NULL, WITNESS_RIGHT}},
     .text = "unknown: no zone; ttl 60 to 300; alias of k.example; right: ns1 192.0.2.1",
     .advice = "publish the CNAME record at s.example: t.example"},
    {"nothing at the target", .verdict = WITNESS_MISSING, .target = "t.example",
     .alias = "t.example", .witnesses = {{NS1, "has none", NULL, WITNESS_MISSING}},
     .text = "missing; ttl 60 to 300; alias of t.example; missing: ns1 192.0.2.1 has none",
     .advice = "publish the TXT record at t.example"},
    {"no answer about the alias", .verdict = WITNESS_UNKNOWN, .target = "t.example",
     .witnesses = {{NS1, "answers SERVFAIL", NULL, WITNESS_UNKNOWN}},
     .text = "unknown; ttl 60 to 300; unknown: ns1 192.0.2.1 answers SERVFAIL",
     .advice = "ask again later, or see to the server: ns1 192.0.2.1 answers SERVFAIL"},
    {"different aliases, one of the target", .verdict = WITNESS_WRONG, .target = "t.example",
     .witnesses = {{NS1, "has an alias of a", NULL, WITNESS_WRONG}},
     .text = "wrong; ttl 60 to 300; wrong: ns1 192.0.2.1 has an alias of a",
     .advice = "make all servers say the same at s.example: ns1 192.0.2.1 has an alias of a"},
};

static void make_proof(const struct told *c, struct proof *out)
{
    *out = (struct proof){.verdict = c->verdict, .ttl_min_s = 60, .ttl_max_s = 300};
    snprintf(out->name, sizeof out->name, "%s", c->alias != NULL ? c->alias : "s.example");
    snprintf(out->sentence, sizeof out->sentence, "%s", c->sentence != NULL ? c->sentence : "");
    if (c->alias != NULL)
        snprintf(out->aliases[out->alias_count++], NAME_SIZE, "%s", c->alias);
    out->witnesses = calloc(WITNESSES_MAX, sizeof *out->witnesses);
    for (size_t i = 0; i < WITNESSES_MAX && c->witnesses[i].server != NULL; i++) {
        struct witness *witness = &out->witnesses[out->count++];
        snprintf(witness->server, sizeof witness->server, "%s", c->witnesses[i].server);
        snprintf(witness->address, sizeof witness->address, "%s", c->witnesses[i].address);
        witness->resolver = strcmp(witness->server, "resolver") == 0;
        witness->ttl_s = 60;
        witness_say(witness, c->witnesses[i].verdict, "%s", c->witnesses[i].sentence);
        if (c->witnesses[i].answer != NULL)
            witness->answer = span_dup(span_str(c->witnesses[i].answer));
    }
}

static void proofs_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct witness_wanted wanted = {
            .name = "s.example", .what = cases[i].what, .target = cases[i].target};
        struct buf text = BUF_INIT(0), advice = BUF_INIT(0);
        struct proof proof;
        print_message("    %s\n", cases[i].name);
        make_proof(&cases[i], &proof);
        proof_text(&proof, &text);
        proof_advice(&proof, &wanted, &advice);
        CHECK_TEXT(cases[i].name, buf_cstr(&text), cases[i].text);
        CHECK_TEXT(cases[i].name, buf_cstr(&advice), cases[i].advice);
        buf_clear(&text);
        buf_clear(&advice);
        proof_clear(&proof);
    }
}

/* However many servers there are, and whatever they are called. */
static void the_text_to_be_stored_is_short(void **state)
{
    enum { COUNT_OF_SERVERS = 60 };
    struct proof proof = {.verdict = WITNESS_UNKNOWN, .ttl_min_s = -1, .ttl_max_s = -1};
    struct buf text = BUF_INIT(0);
    (void)state;
    proof.witnesses = calloc(COUNT_OF_SERVERS, sizeof *proof.witnesses);
    for (; proof.count < COUNT_OF_SERVERS; proof.count++) {
        memset(proof.witnesses[proof.count].server, 'a', NAME_SIZE - 1);
        witness_say(&proof.witnesses[proof.count], WITNESS_UNKNOWN, "answers SERVFAIL");
    }
    buf_append_str(&text, "before ");
    proof_text(&proof, &text);
    assert_int_equal(text.len, PROOF_TEXT_MAX + strlen("before "));
    assert_true(span_has_suffix_nocase(buf_span(&text), SPAN_LIT("a...")));
    assert_memory_equal(text.data, "before unknown; unknown: aaa", 28);
    buf_clear(&text);
    proof_clear(&proof);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proofs_are_told),
        cmocka_unit_test(the_text_to_be_stored_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
