/* SPDX-License-Identifier: Apache-2.0
 *
 * A key's life: which steps an operator may make, and how selectors are named.
 */
#include "tests/unit/test_dkim_support.h"

#include "admin/lifecycle.h"
#include "dkim/crypto.h"

enum { NOW = 1795219200 }; /* 2026-11-21 00:00:00 UTC */

static void fill_key(struct key *key, enum key_state state)
{
    *key = (struct key){.domain = span_dup(SPAN_LIT("example.com")),
                        .selector = span_dup(SPAN_LIT("s1")),
                        .state = state,
                        .kek = span_dup(SPAN_LIT("k1"))};
    buf_append_str(&key->sealed, "sealed");
}

/* Each step from each state: where it leads, or that it is refused. */
static void steps_are_allowed_or_refused(void **state)
{
    enum { NO = -1 };
    static const struct {
        enum lifecycle_step step;
        const char *action;
        int to[KEY_DESTROYED + 1]; /* by the state before */
    } cases[] = {
        {LIFECYCLE_PROVE, "key.prove", {KEY_PUBLISHED, NO, NO, NO, NO, NO}},
        {LIFECYCLE_DOUBT, "key.doubt", {NO, KEY_STAGED, NO, NO, NO, NO}},
        {LIFECYCLE_ACTIVATE, "key.activate", {KEY_ACTIVE, KEY_ACTIVE, NO, NO, NO, NO}},
        {LIFECYCLE_RETIRE, "key.retire", {NO, NO, KEY_RETIRING, NO, NO, NO}},
        {LIFECYCLE_REVOKE,
         "key.revoke",
         {KEY_REVOKED, KEY_REVOKED, KEY_REVOKED, KEY_REVOKED, NO, NO}},
        {LIFECYCLE_DESTROY, "key.destroy", {NO, NO, NO, NO, KEY_DESTROYED, NO}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(lifecycle_action(cases[i].step), cases[i].action);
        for (int from = KEY_STAGED; from <= KEY_DESTROYED; from++) {
            struct key key;
            struct err err = {0};
            int to = cases[i].to[from];
            fill_key(&key, (enum key_state)from);
            key.shown = KEY_SHOWN_RIGHT;
            key.published = from == KEY_PUBLISHED;
            CHECK_STATUS(cases[i].action, lifecycle_step(cases[i].step, &key, NOW, &err),
                         to == NO ? ST_DENIED : ST_OK, err);
            assert_int_equal(key.state, to == NO ? from : to);
            bool wiped = to == KEY_RETIRING || to == KEY_REVOKED || to == KEY_DESTROYED;
            assert_int_equal(key.sealed.len, wiped ? 0 : strlen("sealed"));
            assert_int_equal(key.due, to == NO ? 0 : NOW);
            bool other_record = to == KEY_REVOKED || to == KEY_DESTROYED;
            assert_int_equal(key.shown, other_record ? KEY_SHOWN_UNKNOWN : KEY_SHOWN_RIGHT);
            const int64_t times[] = {key.created, key.published, key.activated,
                                     key.retired, key.revoked,   key.destroyed};
            for (int t = KEY_PUBLISHED; t <= KEY_DESTROYED; t++) {
                bool before = t == KEY_PUBLISHED && from == KEY_PUBLISHED && to != KEY_STAGED;
                assert_int_equal(times[t], t == to ? NOW : before);
            }
            kind_clear(&kind_key, &key);
        }
    }
}

static void a_refusal_names_key_and_state(void **state)
{
    struct key key;
    struct err err = {0};
    (void)state;
    fill_key(&key, KEY_REVOKED);
    CHECK_STATUS("refused", lifecycle_step(LIFECYCLE_ACTIVATE, &key, NOW, &err), ST_DENIED, err);
    CHECK_TEXT("refused", err.text,
               "key example.com s1 is revoked: only a staged or published key can be activated");
    kind_clear(&kind_key, &key);
}

/* -- what is due -------------------------------------------------------------------------- */

enum { HOUR = 3600, DAY = 86400, AGE = 120 * DAY, YOUNG = NOW - HOUR };

static const struct lifecycle_policy policy = {
    .max_age_s = AGE, /* a successor is made after 110 days */
    .soak_s = 2 * HOUR,
    .overlap_s = 14 * DAY,
    .tombstone_s = 30 * DAY,
    .check_s = DAY,
    .retry_s = 300,
};

struct due_case {
    const char *name;
    enum key_state state;
    int64_t since;   /* when that began */
    int64_t checked; /* 0: never */
    enum key_shown shown;
    struct lifecycle_evidence evidence;
    enum lifecycle_task task;
    int64_t want; /* the step, or the time to wait for */
};

#define ASKED(what)                                                                                \
    {                                                                                              \
        .asked = true, .shown = KEY_SHOWN_##what, .wanted = true                                   \
    }
#define UNASKED                                                                                    \
    {                                                                                              \
        .wanted = true                                                                             \
    }

static struct lifecycle_due due_of(const struct due_case *c, const struct lifecycle_policy *by)
{
    struct key key = {.state = c->state, .checked = c->checked, .shown = c->shown};
    int64_t *const times[] = {&key.created, &key.published, &key.activated,
                              &key.retired, &key.revoked,   &key.destroyed};
    *times[c->state] = c->since;
    return lifecycle_next(&key, by, &c->evidence, NOW);
}

static void check_due(const struct due_case *c, const struct lifecycle_policy *by)
{
    struct lifecycle_due due = due_of(c, by);
    if (due.task != c->task)
        fail_msg("%s: task %d, not %d (%s)", c->name, due.task, c->task, due.reason);
    if (due.task == LIFECYCLE_STEP)
        assert_int_equal(due.step, c->want);
    if (due.task == LIFECYCLE_WAIT && due.at_s != c->want)
        fail_msg("%s: until %lld, not %lld (%s)", c->name, (long long)(due.at_s - NOW),
                 (long long)(c->want - NOW), due.reason);
    assert_non_null(due.reason);
}

static const struct due_case cases_of_states[] = {
    {"new", KEY_STAGED, NOW, 0, 0, UNASKED, LIFECYCLE_ASK, 0},
    {"shown", KEY_STAGED, YOUNG, 0, 0, ASKED(RIGHT), LIFECYCLE_STEP, LIFECYCLE_PROVE},
    {"not shown", KEY_STAGED, YOUNG, 0, 0, ASKED(MISSING), LIFECYCLE_WAIT, NOW + 300},
    {"another one", KEY_STAGED, YOUNG, 0, 0, ASKED(WRONG), LIFECYCLE_WAIT, NOW + 300},
    {"no answer", KEY_STAGED, YOUNG, 0, 0, ASKED(UNKNOWN), LIFECYCLE_WAIT, NOW + 300},
    {"not for a day", KEY_STAGED, NOW - DAY, 0, 0, ASKED(MISSING), LIFECYCLE_WAIT, NOW + DAY / 16},
    {"not for a year", KEY_STAGED, NOW - 365 * DAY, 0, 0, ASKED(MISSING), LIFECYCLE_WAIT,
     NOW + DAY},

    {"soaking", KEY_PUBLISHED, NOW - HOUR, NOW - HOUR, KEY_SHOWN_RIGHT, UNASKED, LIFECYCLE_WAIT,
     NOW + HOUR},
    {"soaked", KEY_PUBLISHED, NOW - 2 * HOUR, NOW - HOUR, KEY_SHOWN_RIGHT, UNASKED, LIFECYCLE_ASK,
     0},
    {"soaked and shown", KEY_PUBLISHED, NOW - 2 * HOUR, NOW - HOUR, KEY_SHOWN_RIGHT, ASKED(RIGHT),
     LIFECYCLE_STEP, LIFECYCLE_ACTIVATE},
    {"soaked and gone", KEY_PUBLISHED, NOW - 2 * HOUR, NOW - HOUR, KEY_SHOWN_RIGHT, ASKED(MISSING),
     LIFECYCLE_STEP, LIFECYCLE_DOUBT},
    {"soaked and wrong", KEY_PUBLISHED, NOW - 2 * HOUR, NOW - HOUR, KEY_SHOWN_RIGHT, ASKED(WRONG),
     LIFECYCLE_STEP, LIFECYCLE_DOUBT},
    {"soaked and no answer", KEY_PUBLISHED, NOW - 2 * HOUR, NOW - HOUR, KEY_SHOWN_RIGHT,
     ASKED(UNKNOWN), LIFECYCLE_WAIT, NOW + 300},

    {"active, checked", KEY_ACTIVE, NOW - DAY, NOW - HOUR, KEY_SHOWN_RIGHT, UNASKED, LIFECYCLE_WAIT,
     NOW + 23 * HOUR},
    {"active, never checked", KEY_ACTIVE, NOW - DAY, 0, 0, UNASKED, LIFECYCLE_ASK, 0},
    {"active, to be checked", KEY_ACTIVE, NOW - 2 * DAY, NOW - DAY, KEY_SHOWN_RIGHT, UNASKED,
     LIFECYCLE_ASK, 0},
    {"active for long, no answer", KEY_ACTIVE, NOW - 100 * DAY, NOW - DAY, KEY_SHOWN_RIGHT,
     ASKED(UNKNOWN), LIFECYCLE_WAIT, NOW + 300},
    {"active, no answer for days", KEY_ACTIVE, NOW - 100 * DAY, NOW - 3 * DAY, KEY_SHOWN_RIGHT,
     ASKED(UNKNOWN), LIFECYCLE_WAIT, NOW + 2 * DAY / 16},
    {"active, just checked", KEY_ACTIVE, NOW - 2 * DAY, NOW - DAY, KEY_SHOWN_RIGHT, ASKED(RIGHT),
     LIFECYCLE_WAIT, NOW + DAY},
    {"active, gone", KEY_ACTIVE, NOW - HOUR, NOW - HOUR, KEY_SHOWN_RIGHT, ASKED(MISSING),
     LIFECYCLE_WAIT, NOW + 300},
    {"active, gone before", KEY_ACTIVE, NOW - HOUR, NOW - 300, KEY_SHOWN_MISSING, UNASKED,
     LIFECYCLE_ASK, 0},
    {"active, nearly of age", KEY_ACTIVE, NOW - 110 * DAY + HOUR, NOW, KEY_SHOWN_RIGHT, UNASKED,
     LIFECYCLE_WAIT, NOW + HOUR},
    {"active, of age", KEY_ACTIVE, NOW - 110 * DAY, NOW, KEY_SHOWN_RIGHT, UNASKED, LIFECYCLE_MAKE,
     0},
    {"active, of age, but no slot free",
     KEY_ACTIVE,
     NOW - 110 * DAY,
     NOW - HOUR,
     KEY_SHOWN_RIGHT,
     {.crowded = true, .wanted = true},
     LIFECYCLE_WAIT,
     NOW - HOUR + DAY},
    {"active, no slot free, unchecked",
     KEY_ACTIVE,
     NOW - 110 * DAY,
     0,
     0,
     {.crowded = true, .wanted = true},
     LIFECYCLE_ASK,
     0},
    {"active, of age and unchecked", KEY_ACTIVE, NOW - 110 * DAY, 0, 0, UNASKED, LIFECYCLE_MAKE, 0},
    {"active, with successor",
     KEY_ACTIVE,
     NOW - AGE,
     NOW,
     KEY_SHOWN_RIGHT,
     {.successor = true, .wanted = true},
     LIFECYCLE_WAIT,
     NOW + DAY},
    {"active, suspended",
     KEY_ACTIVE,
     NOW - AGE,
     NOW,
     KEY_SHOWN_RIGHT,
     {.suspended = true, .wanted = true},
     LIFECYCLE_WAIT,
     NOW + DAY},
    {"active, not wanted",
     KEY_ACTIVE,
     NOW - AGE,
     NOW,
     KEY_SHOWN_RIGHT,
     {.wanted = false},
     LIFECYCLE_WAIT,
     NOW + DAY},

    {"retiring", KEY_RETIRING, NOW - 14 * DAY + HOUR, NOW, KEY_SHOWN_RIGHT, UNASKED, LIFECYCLE_WAIT,
     NOW + HOUR},
    {"retiring, to be checked", KEY_RETIRING, NOW - DAY, NOW - DAY, KEY_SHOWN_RIGHT, UNASKED,
     LIFECYCLE_ASK, 0},
    {"retired", KEY_RETIRING, NOW - 14 * DAY, 0, KEY_SHOWN_UNKNOWN, UNASKED, LIFECYCLE_STEP,
     LIFECYCLE_REVOKE},

    {"revoked", KEY_REVOKED, NOW, 0, KEY_SHOWN_UNKNOWN, UNASKED, LIFECYCLE_ASK, 0},
    {"revoked and shown", KEY_REVOKED, NOW, 0, KEY_SHOWN_UNKNOWN, ASKED(RIGHT), LIFECYCLE_WAIT,
     NOW + DAY},
    {"revoked for long", KEY_REVOKED, NOW - 30 * DAY, NOW, KEY_SHOWN_MISSING, UNASKED,
     LIFECYCLE_STEP, LIFECYCLE_DESTROY},

    {"destroyed", KEY_DESTROYED, NOW, 0, KEY_SHOWN_UNKNOWN, UNASKED, LIFECYCLE_OVER, 0},
};

static void what_is_due_follows_from_the_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases_of_states); i++)
        check_due(&cases_of_states[i], &policy);
}

static void a_long_ttl_makes_the_soak_longer(void **state)
{
    struct key key = {.state = KEY_PUBLISHED, .published = NOW - 3 * HOUR, .ttl = 4 * HOUR};
    struct lifecycle_evidence evidence = UNASKED;
    struct lifecycle_due due = lifecycle_next(&key, &policy, &evidence, NOW);
    (void)state;
    assert_int_equal(due.task, LIFECYCLE_WAIT);
    assert_int_equal(due.at_s, NOW + HOUR);
}

static void keys_may_stay_for_ever(void **state)
{
    static const struct due_case old = {"old",   KEY_ACTIVE,     1,        NOW, KEY_SHOWN_RIGHT,
                                        UNASKED, LIFECYCLE_WAIT, NOW + DAY};
    struct lifecycle_policy endless = policy;
    (void)state;
    endless.max_age_s = 0;
    check_due(&old, &endless);
}

static void nothing_changes_in_days_of_freeze(void **state)
{
    enum { THAW = NOW + 5 * DAY };
    static const struct due_case cases[] = {
        {"staged is proven", KEY_STAGED, YOUNG, 0, 0, ASKED(RIGHT), LIFECYCLE_STEP,
         LIFECYCLE_PROVE},
        {"published waits", KEY_PUBLISHED, NOW - DAY, NOW, KEY_SHOWN_RIGHT, ASKED(RIGHT),
         LIFECYCLE_WAIT, THAW},
        {"active of age waits", KEY_ACTIVE, NOW - AGE, NOW, KEY_SHOWN_RIGHT, UNASKED,
         LIFECYCLE_WAIT, NOW + DAY},
        {"active is checked", KEY_ACTIVE, NOW - AGE, NOW - DAY, KEY_SHOWN_RIGHT, UNASKED,
         LIFECYCLE_ASK, 0},
        {"retired waits", KEY_RETIRING, NOW - 15 * DAY, NOW, KEY_SHOWN_RIGHT, UNASKED,
         LIFECYCLE_WAIT, NOW + DAY},
        {"revoked waits", KEY_REVOKED, NOW - 31 * DAY, NOW, KEY_SHOWN_RIGHT, UNASKED,
         LIFECYCLE_WAIT, NOW + DAY},
    };
    struct lifecycle_policy frozen = policy;
    (void)state;
    frozen.frozen_until_s = THAW;
    for (size_t i = 0; i < COUNT(cases); i++)
        check_due(&cases[i], &frozen);
}

static void what_we_published_is_taken_away(void **state)
{
    static const struct due_case cases[] = {
        {"just destroyed", KEY_DESTROYED, NOW, 0, KEY_SHOWN_UNKNOWN, UNASKED, LIFECYCLE_ASK, 0},
        {"still there", KEY_DESTROYED, NOW, 0, KEY_SHOWN_UNKNOWN, ASKED(WRONG), LIFECYCLE_WAIT,
         NOW + 300},
        {"gone", KEY_DESTROYED, NOW, 0, KEY_SHOWN_UNKNOWN, ASKED(RIGHT), LIFECYCLE_OVER, 0},
        {"gone before", KEY_DESTROYED, NOW, NOW, KEY_SHOWN_RIGHT, UNASKED, LIFECYCLE_OVER, 0},
    };
    struct lifecycle_policy publishing = policy;
    (void)state;
    publishing.publishes = true;
    for (size_t i = 0; i < COUNT(cases); i++)
        check_due(&cases[i], &publishing);
}

static void alarms_are_raised(void **state)
{
    static const struct {
        const char *name;
        struct key key;
        enum lifecycle_alarm want;
    } cases[] = {
        {"active", {.state = KEY_ACTIVE, .activated = NOW}, LIFECYCLE_FINE},
        {"gone",
         {.state = KEY_ACTIVE, .activated = NOW, .shown = KEY_SHOWN_MISSING},
         LIFECYCLE_GONE},
        {"wrong",
         {.state = KEY_ACTIVE, .activated = NOW, .shown = KEY_SHOWN_WRONG},
         LIFECYCLE_GONE},
        {"retiring", {.state = KEY_RETIRING, .shown = KEY_SHOWN_MISSING}, LIFECYCLE_GONE},
        {"gravestone", {.state = KEY_REVOKED, .shown = KEY_SHOWN_MISSING}, LIFECYCLE_FINE},
        {"nearly old", {.state = KEY_ACTIVE, .activated = NOW - AGE + 1}, LIFECYCLE_FINE},
        {"old", {.state = KEY_ACTIVE, .activated = NOW - AGE}, LIFECYCLE_OVERAGE},
        {"old and gone",
         {.state = KEY_ACTIVE, .activated = NOW - AGE, .shown = KEY_SHOWN_MISSING},
         LIFECYCLE_GONE},
        {"new", {.state = KEY_STAGED, .created = NOW - 7 * DAY + 1}, LIFECYCLE_FINE},
        {"forgotten", {.state = KEY_STAGED, .created = NOW - 7 * DAY}, LIFECYCLE_STUCK},
        {"published", {.state = KEY_PUBLISHED, .created = NOW - 8 * DAY}, LIFECYCLE_FINE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (lifecycle_alarm(&cases[i].key, &policy, NOW) != cases[i].want)
            fail_msg("%s: not alarm %d", cases[i].name, cases[i].want);
    }
}

/* -- records and selectors ---------------------------------------------------------------- */

static void dns_shows_what_the_state_says(void **state)
{
    static const struct {
        bool record, gravestone;
    } want[] = {
        [KEY_STAGED] = {true, false}, [KEY_PUBLISHED] = {true, false},
        [KEY_ACTIVE] = {true, false}, [KEY_RETIRING] = {true, false},
        [KEY_REVOKED] = {true, true}, [KEY_DESTROYED] = {false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_int_equal(lifecycle_has_record((enum key_state)i), want[i].record);
        assert_int_equal(lifecycle_is_gravestone((enum key_state)i), want[i].gravestone);
    }
}

static void selectors_are_named(void **state)
{
    static const struct {
        const char *name;
        struct lifecycle_naming naming;
        const char *want; /* NULL: refused */
    } cases[] = {
        {"default", {"{date}{alg}{n}", DKIM_RSA_SHA256, NOW, 1}, "20261121r1"},
        {"ed25519", {"{date}{alg}{n}", DKIM_ED25519_SHA256, NOW, 12}, "20261121e12"},
        {"a second before", {"{date}", DKIM_RSA_SHA256, NOW - 1, 1}, "20261120"},
        {"text around", {"mx-{n}.dkim", DKIM_RSA_SHA256, NOW, 3}, "mx-3.dkim"},
        {"upper case", {"S{n}", DKIM_RSA_SHA256, NOW, 1}, "s1"},
        {"plain", {"default", DKIM_RSA_SHA256, NOW, 1}, "default"},
        {"unknown part", {"{year}{n}", DKIM_RSA_SHA256, NOW, 1}, NULL},
        {"open part", {"a{", DKIM_RSA_SHA256, NOW, 1}, NULL},
        {"empty", {"", DKIM_RSA_SHA256, NOW, 1}, NULL},
        {"no label", {"-{n}", DKIM_RSA_SHA256, NOW, 1}, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char selector[DKIM_DOMAIN_SIZE] = "";
        struct err err = {0};
        CHECK_STATUS(cases[i].name, lifecycle_selector(&cases[i].naming, selector, &err),
                     cases[i].want == NULL ? ST_INVALID : ST_OK, err);
        if (cases[i].want != NULL)
            CHECK_TEXT(cases[i].name, selector, cases[i].want);
    }
    assert_true(lifecycle_is_numbered("{date}{n}"));
    assert_false(lifecycle_is_numbered("{date}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_allowed_or_refused),
        cmocka_unit_test(a_refusal_names_key_and_state),
        cmocka_unit_test(what_is_due_follows_from_the_state),
        cmocka_unit_test(a_long_ttl_makes_the_soak_longer),
        cmocka_unit_test(keys_may_stay_for_ever),
        cmocka_unit_test(nothing_changes_in_days_of_freeze),
        cmocka_unit_test(what_we_published_is_taken_away),
        cmocka_unit_test(alarms_are_raised),
        cmocka_unit_test(dns_shows_what_the_state_says),
        cmocka_unit_test(selectors_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
