/* SPDX-License-Identifier: Apache-2.0
 *
 * What is the same and what differs when two signers are compared.
 */
#include "tests/unit/test_dkim_support.h"

#include "admin/outcome.h"

enum { LIST_MAX = 10 };

struct side {
    enum signing_action action;
    const char *signatures; /* `domain selector identity algorithm` each, joined by `|` */
};

/* Cuts the text, which it changes, into the answer's list. */
static void make_answer(enum signing_action action, char *text, struct signing_answer *out)
{
    char *each, *rest = text, *places[4];
    *out = (struct signing_answer){.action = action};
    out->list = calloc(LIST_MAX, sizeof *out->list);
    assert_non_null(out->list);
    while (text[0] != '\0' && (each = strsep(&rest, "|")) != NULL) {
        for (size_t i = 0; i < 4; i++)
            places[i] = strsep(&each, " ");
        out->list[out->count++] =
            (struct signing_signature){.domain = places[0],
                                       .selector = places[1],
                                       .identity = strcmp(places[2], "-") == 0 ? NULL : places[2],
                                       .algorithm = places[3]};
    }
}

static void read_side(const struct side *side, struct outcome *out)
{
    struct err err = {.code = ST_OK};
    struct signing_answer answer;
    char *text = strdup(side->signatures);
    assert_non_null(text);
    *out = (struct outcome){.count = 0};
    make_answer(side->action, text, &answer);
    CHECK_STATUS("an answer", outcome_of_answer(&answer, out, &err), ST_OK, err);
    free(answer.list);
    free(text);
}

#define ONE "example.com s1 - rsa-sha256"
#define TWO "example.com s2 - rsa-sha256"

static const struct {
    const char *name;
    struct side a, b;
    bool same;
    const char *text;       /* of the first */
    const char *difference; /* a part of it */
} cases[] = {
    {"one", {SIGNING_SIGN, ONE}, {SIGNING_SIGN, ONE}, true, "s1@example.com", ""},
    {"in another order",
     {SIGNING_SIGN, TWO "|" ONE},
     {SIGNING_SIGN, ONE "|" TWO},
     true,
     "s1@example.com, s2@example.com",
     ""},
    {"the same twice",
     {SIGNING_SIGN, ONE "|" ONE},
     {SIGNING_SIGN, ONE},
     true,
     "s1@example.com",
     ""},
    {"two identities of one key",
     {SIGNING_SIGN, "example.com s1 a@example.com rsa-sha256|" ONE},
     {SIGNING_SIGN, ONE},
     false,
     "s1@example.com",
     "only OpenDKIM signs with s=s1 d=example.com i=a@example.com"},
    {"selectors one of which begins as the other",
     {SIGNING_SIGN, "example.com s10 - rsa-sha256|" ONE "|a.example s1-a - rsa-sha256"},
     {SIGNING_SIGN, "a.example s1-a - rsa-sha256|" ONE "|example.com s10 - rsa-sha256"},
     true,
     "s1-a@a.example, s1@example.com, s10@example.com",
     ""},
    {"names have no case",
     {SIGNING_SIGN, "Example.COM S1 a@Sub.Example.com RSA-SHA256"},
     {SIGNING_SIGN, "example.com s1 a@sub.example.com rsa-sha256"},
     true,
     "s1@example.com",
     ""},
    {"i= that says nothing",
     {SIGNING_SIGN, "example.com s1 @Example.com rsa-sha256"},
     {SIGNING_SIGN, ONE},
     true,
     "s1@example.com",
     ""},
    {"i= of somebody",
     {SIGNING_SIGN, "example.com s1 ann@example.com rsa-sha256"},
     {SIGNING_SIGN, ONE},
     false,
     "s1@example.com",
     "only OpenDKIM signs with s=s1 d=example.com i=ann@example.com a=rsa-sha256; only inkan signs "
     "with s=s1 d=example.com a=rsa-sha256"},
    {"i= below the domain",
     {SIGNING_SIGN, "example.com s1 @sub.example.com rsa-sha256"},
     {SIGNING_SIGN, ONE},
     false,
     "s1@example.com",
     "i=@sub.example.com"},
    {"a local part has case",
     {SIGNING_SIGN, "example.com s1 Ann@example.com rsa-sha256"},
     {SIGNING_SIGN, "example.com s1 ann@example.com rsa-sha256"},
     false,
     "s1@example.com",
     "i=Ann@example.com"},
    {"another domain",
     {SIGNING_SIGN, ONE},
     {SIGNING_SIGN, "example.org s1 - rsa-sha256"},
     false,
     "s1@example.com",
     "d=example.org"},
    {"another selector", {SIGNING_SIGN, ONE}, {SIGNING_SIGN, TWO}, false, "s1@example.com", "s=s2"},
    {"another algorithm",
     {SIGNING_SIGN, ONE},
     {SIGNING_SIGN, "example.com s1 - rsa-sha1"},
     false,
     "s1@example.com",
     "a=rsa-sha1"},
    {"one more",
     {SIGNING_SIGN, ONE},
     {SIGNING_SIGN, ONE "|" TWO},
     false,
     "s1@example.com",
     "only inkan signs with s=s2"},
    {"one less",
     {SIGNING_SIGN, ONE "|" TWO},
     {SIGNING_SIGN, ONE},
     false,
     "s1@example.com, s2@example.com",
     "only OpenDKIM signs with s=s2"},
    {"neither", {SIGNING_UNSIGNED, ""}, {SIGNING_UNSIGNED, ""}, true, "unsigned", ""},
    {"verifying is not signing",
     {SIGNING_VERIFY, ""},
     {SIGNING_UNSIGNED, ""},
     true,
     "unsigned",
     ""},
    {"both defer", {SIGNING_TEMPFAIL, ""}, {SIGNING_TEMPFAIL, ""}, true, "tempfail", ""},
    {"one defers",
     {SIGNING_TEMPFAIL, ""},
     {SIGNING_UNSIGNED, ""},
     false,
     "tempfail",
     "OpenDKIM: tempfail; inkan: unsigned"},
    {"one signs",
     {SIGNING_UNSIGNED, ""},
     {SIGNING_SIGN, ONE},
     false,
     "unsigned",
     "OpenDKIM: unsigned; inkan: s1@example.com"},
    {"to refuse is no answer of inkan's",
     {SIGNING_REJECT, ""},
     {SIGNING_TEMPFAIL, ""},
     false,
     "reject",
     "OpenDKIM: reject; inkan: tempfail"},
    {"not run at all", {SIGNING_STOPPED, ""}, {SIGNING_UNSIGNED, ""}, false, "stopped", "stopped"},
};

static void outcomes_are_compared(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct outcome a, b;
        struct buf text = BUF_INIT(0), difference = BUF_INIT(0);
        read_side(&cases[i].a, &a);
        read_side(&cases[i].b, &b);
        if (outcome_equal(&a, &b) != cases[i].same || outcome_equal(&b, &a) != cases[i].same)
            fail_msg("%s: they are said to be %s", cases[i].name,
                     cases[i].same ? "no" : "the same");
        outcome_text(&a, &text);
        CHECK_TEXT(cases[i].name, buf_cstr(&text), cases[i].text);
        outcome_difference(&a, &b, &difference);
        if (strstr(buf_cstr(&difference), cases[i].difference) == NULL ||
            (difference.len == 0) != cases[i].same)
            fail_msg("%s: the difference is \"%s\"", cases[i].name, buf_cstr(&difference));
        buf_clear(&text);
        buf_clear(&difference);
        outcome_clear(&a);
        outcome_clear(&b);
    }
}

/* inkan makes fewer than there is room for; what OpenDKIM made beyond would only be left out. */
static void there_is_room_for_so_many(void **state)
{
    struct outcome out;
    char text[512] = "";
    (void)state;
    for (int i = 0; i < LIST_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%sexample.com s%d - rsa-sha256",
                 i > 0 ? "|" : "", i);
    read_side(&(struct side){SIGNING_SIGN, text}, &out);
    assert_int_equal(out.count, OUTCOME_SIGNATURES_MAX);
    outcome_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_are_compared),
        cmocka_unit_test(there_is_room_for_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
