/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever a server answers is read within limits, and what is read of it can be judged. The first
 * octet of the input says what was asked.
 */
#include "dns/witness.h"

#include "tests/fuzz/fuzz.h"

static void check_name(const char *name)
{
    char again[NAME_SIZE];
    REQUIRE(strlen(name) < NAME_SIZE);
    REQUIRE(name_of_text(name, again) && strcmp(name, again) == 0);
    REQUIRE(name_is_within(name, name_parent(name)));
}

static void judge(const struct query_answer *answer)
{
    const struct witness_wanted wanted = {.name = "q.example",
                                          .what = WITNESS_KEY,
                                          .algorithm = DKIM_ED25519_SHA256,
                                          .public_octets =
                                              SPAN_LIT("0123456789abcdef0123456789abcdef")};
    struct witness witness = {.resolver = !answer->authoritative};
    witness_judge(&wanted, answer, &witness);
    REQUIRE(witness.sentence[0] != '\0');
    REQUIRE(witness.verdict != WITNESS_RIGHT || answer->text_count == 1);
    witness_clear(&witness);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct query_question question = {"q.example", QUERY_TXT, data[0] & 1};
    struct query_answer answer;
    struct err err;
    if (query_read(&question, fuzz_span(data + 1, size - 1), &answer, &err) == ST_OK) {
        REQUIRE(answer.ttl_s >= -1 && answer.ttl_s <= INT32_MAX);
        REQUIRE(answer.text_count == 0 || answer.ttl_s >= 0);
        REQUIRE(answer.alias[0] == '\0' || question.recurse || answer.text_count == 0);
        check_name(answer.alias);
        check_name(answer.soa);
        check_name(answer.cut);
        judge(&answer);
    }
    query_clear(&answer);
    return 0;
}
