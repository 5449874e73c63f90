/* SPDX-License-Identifier: Apache-2.0
 *
 * Delegated domains: how slots and targets are named, and which slot the next key takes.
 */
#include "tests/unit/test_dkim_support.h"

#include "admin/keys.h"

enum { NOW = 1795219200 };

static struct settings settings_of(const char *zone)
{
    return (struct settings){.dns = {.delegation_zone = (char *)(uintptr_t)zone}};
}

static void no_delegation_is_like_another(void **state)
{
    enum { MANY = 1000, RANDOM_CHARS = 26 };
    static char *made[MANY];
    const struct settings settings = settings_of("DKIM.provider.example");
    struct err err = {0};
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        CHECK_STATUS("made", delegation_make(&settings, &made[i], &err), ST_OK, err);
        CHECK_TEXT("zone", made[i] + RANDOM_CHARS, ".dkim.provider.example");
        assert_int_equal(strspn(made[i], "abcdefghijklmnopqrstuvwxyz234567"), RANDOM_CHARS);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(made[i], made[k]);
    }
    for (size_t i = 0; i < MANY; i++)
        free(made[i]);
}

enum { SAMPLES = 2000, CHARS = 26, FULL = 32, LAST = 8 };

/* How often two digits of the samples are equal. */
static int count_equal(char samples[SAMPLES][CHARS], size_t left, size_t right)
{
    int equal = 0;
    for (size_t i = 0; i < SAMPLES; i++)
        equal += samples[i][left] == samples[i][right];
    return equal;
}

static int count_values(char samples[SAMPLES][CHARS], size_t at)
{
    bool seen[256] = {false};
    int values = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        values += !seen[(unsigned char)samples[i][at]];
        seen[(unsigned char)samples[i][at]] = true;
    }
    return values;
}

/* Every digit but the last, which has three bits only, takes every value, and none follows from
 * another: two are equal about 62 times. */
static void all_bits_are_random(void **state)
{
    enum { TOO_OFTEN = 150 };
    static char samples[SAMPLES][CHARS];
    const struct settings settings = settings_of("p.example");
    struct err err = {0};
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        char *made = NULL;
        CHECK_STATUS("made", delegation_make(&settings, &made, &err), ST_OK, err);
        memcpy(samples[i], made, CHARS);
        free(made);
    }
    for (size_t at = 0; at < CHARS; at++) {
        assert_int_equal(count_values(samples, at), at < CHARS - 1 ? FULL : LAST);
        for (size_t other = 0; other < at; other++)
            assert_in_range(count_equal(samples, other, at), 0, TOO_OFTEN);
    }
}

static void zones_are_checked(void **state)
{
    static const char label[] = "a23456789.123456789.123456789.123456789.123456789.";
    char longest[DKIM_DOMAIN_SIZE] = "";
    char *made = NULL;
    struct err err = {0};
    struct settings settings = settings_of("");
    (void)state;
    CHECK_STATUS("none", delegation_make(&settings, &made, &err), ST_INVALID, err);
    CHECK_TEXT("none", err.text,
               "[dns] delegation_zone is not set: there is no zone to delegate to");
    settings = settings_of("no..zone");
    CHECK_STATUS("no domain", delegation_make(&settings, &made, &err), ST_INVALID, err);
    for (int i = 0; i < 4; i++)
        strcat(longest, label);
    strcat(longest, "a23456789.12345678");
    settings = settings_of(longest);
    CHECK_STATUS("longest", delegation_make(&settings, &made, &err), ST_OK, err);
    free(made);
    strcat(longest, "9.x");
    CHECK_STATUS("too long", delegation_make(&settings, &made, &err), ST_INVALID, err);
}

static void aliases_lead_to_targets(void **state)
{
    static const struct {
        struct delegation_slot slot;
        const char *name, *target;
    } cases[] = {
        {{"c.example", "abc.p.example", DKIM_RSA_SHA256, 1},
         "s1._domainkey.c.example",
         "s1-abc.p.example"},
        {{"c.example", "abc.p.example", DKIM_ED25519_SHA256, 3},
         "e3._domainkey.c.example",
         "e3-abc.p.example"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct record record;
        struct err err = {0};
        CHECK_STATUS(cases[i].name, delegation_alias(&cases[i].slot, &record, &err), ST_OK, err);
        CHECK_TEXT("name", record.name, cases[i].name);
        CHECK_TEXT("target", buf_cstr(&record.value), cases[i].target);
        struct key key = {.target = (char *)(uintptr_t)buf_cstr(&record.value)};
        assert_true(delegation_has(&key));
        CHECK_TEXT("back", delegation_of(&key), cases[i].slot.delegation);
        records_clear(&record);
    }
    assert_false(delegation_has(&(struct key){.target = NULL}));
}

/* The keys in slots 1 to 3, as state and when destroyed; a state of NONE: no key was there. */
static void next_key_takes_the_slot_that_is_free(void **state)
{
    enum { NONE = -1 };
    static const struct {
        const char *name;
        int states[DELEGATION_SLOTS];
        int64_t destroyed[DELEGATION_SLOTS], due[DELEGATION_SLOTS];
        int want;
    } cases[] = {
        {"the first", {NONE, NONE, NONE}, {0}, {0}, 1},
        {"the second", {KEY_ACTIVE, NONE, NONE}, {0}, {0}, 2},
        {"the third", {KEY_RETIRING, KEY_ACTIVE, NONE}, {0}, {0}, 3},
        {"none", {KEY_RETIRING, KEY_ACTIVE, KEY_STAGED}, {0}, {0}, 0},
        {"not a gravestone", {KEY_REVOKED, KEY_RETIRING, KEY_ACTIVE}, {0}, {0}, 0},
        {"the first again", {KEY_DESTROYED, KEY_RETIRING, KEY_ACTIVE}, {NOW}, {0}, 1},
        {"not before DNS forgot", {KEY_DESTROYED, KEY_RETIRING, KEY_ACTIVE}, {NOW}, {NOW}, 0},
        {"a fresh one first", {KEY_DESTROYED, KEY_ACTIVE, NONE}, {NOW}, {0}, 3},
        {"the oldest grave", {KEY_DESTROYED, KEY_DESTROYED, KEY_ACTIVE}, {NOW, NOW - 1}, {0}, 2},
        {"gone before older",
         {KEY_DESTROYED, KEY_DESTROYED, KEY_ACTIVE},
         {NOW, NOW - 1},
         {0, NOW},
         1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rows rows = {.kind = &kind_key};
        const struct key *old = NULL;
        struct err err = {0};
        for (int slot = 0; slot < DELEGATION_SLOTS; slot++) {
            char selector[DELEGATION_SELECTOR_SIZE];
            delegation_selector(DKIM_RSA_SHA256, slot + 1, selector);
            const struct key key = {.selector = selector,
                                    .state = cases[i].states[slot],
                                    .destroyed = cases[i].destroyed[slot],
                                    .due = cases[i].due[slot]};
            if (cases[i].states[slot] != NONE)
                CHECK_STATUS("row", rows_take(&rows, &key, &err), ST_OK, err);
        }
        int got = keys_free_slot(&rows, DKIM_RSA_SHA256, &old);
        if (got != cases[i].want)
            fail_msg("%s: slot %d, not %d", cases[i].name, got, cases[i].want);
        bool again = got > 0 && cases[i].states[got - 1] != NONE;
        assert_int_equal(old != NULL, again);
        assert_int_equal(keys_free_slot(&rows, DKIM_ED25519_SHA256, &old), 1);
        rows_clear(&rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_delegation_is_like_another),
        cmocka_unit_test(all_bits_are_random),
        cmocka_unit_test(zones_are_checked),
        cmocka_unit_test(aliases_lead_to_targets),
        cmocka_unit_test(next_key_takes_the_slot_that_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
