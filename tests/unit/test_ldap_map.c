/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of directories before a server has to do with them: their order, which keys are active,
 * what entries that lack something match.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "ldap/entry.h"
#include "ldap/filter.h"
#include "ldap/map.h"

static struct span string(const char *text)
{
    return span_str(text);
}

/* -- active keys -------------------------------------------------------------------------- */

struct sample {
    const char *domain, *selector; /* NULL: hidden */
    int64_t algorithm, state;
};

static const struct {
    const char *name;
    struct sample keys[5]; /* in their order, with the states they get */
    size_t count;
} choices[] = {
    {"no key", {{0}}, 0},
    {"one", {{"a.example", "s1", 0, KEY_ACTIVE}}, 1},
    {"the last of two",
     {{"a.example", "s1", 0, KEY_PUBLISHED}, {"a.example", "s2", 0, KEY_ACTIVE}},
     2},
    {"one of each algorithm",
     {{"a.example", "s1", 0, KEY_PUBLISHED},
      {"a.example", "s2", 1, KEY_ACTIVE},
      {"a.example", "s3", 0, KEY_ACTIVE}},
     3},
    {"each domain for itself",
     {{"a.example", "s1", 0, KEY_PUBLISHED},
      {"a.example", "s2", 0, KEY_ACTIVE},
      {"b.example", "s1", 0, KEY_ACTIVE}},
     3},
    {"a hidden domain", {{NULL, "s1", 0, KEY_ACTIVE}, {"a.example", "s1", 0, KEY_ACTIVE}}, 2},
};

static void add_key(struct list *list, const struct sample *sample)
{
    struct key *key = list_new(list);
    assert_non_null(key);
    key->domain = sample->domain != NULL ? span_dup(string(sample->domain)) : NULL;
    key->selector = sample->selector != NULL ? span_dup(string(sample->selector)) : NULL;
    key->algorithm = sample->algorithm;
    key->state = KEY_ACTIVE;
}

static void the_last_of_an_algorithm_is_active(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        struct list list = {.kind = &kind_key};
        for (size_t k = 0; k < choices[i].count; k++)
            add_key(&list, &choices[i].keys[k]);
        map_choose_active(&list);
        for (size_t k = 0; k < choices[i].count; k++) {
            const struct key *key = list.records[k];
            if (key->state != choices[i].keys[k].state)
                fail_msg("%s: key %zu", choices[i].name, k);
        }
        list_clear(&list);
    }
}

/* -- lists -------------------------------------------------------------------------------- */

static void of_equal_records_the_first_stays(void **state)
{
    static const struct sample keys[] = {{"b.example", "s1", 0, 0}, {"a.example", "s1", 0, 0},
                                         {"b.example", "s1", 1, 0}, {NULL, "s1", 0, 0},
                                         {"a.example", "s1", 1, 0}, {"a.example", NULL, 0, 0}};
    static const char *const want[] = {"", "a.example", "a.example", "b.example"};
    struct err err;
    (void)state;
    for (int descending = 0; descending < 2; descending++) {
        struct list list = {.kind = &kind_key};
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            add_key(&list, &keys[i]);
        assert_int_equal(list_sort(&list, descending, &err), ST_OK);
        list_unique(&list);
        assert_int_equal(list.count, 4);
        for (size_t i = 0; i < 4; i++) {
            const struct key *key = list.records[i];
            const char *domain = want[descending ? 3 - i : i];
            assert_true(span_equal(string(key->domain), string(domain)));
            assert_int_equal(key->algorithm, 0);
        }
        list_drop(&list);
        assert_int_equal(list.count, 3);
        list_clear(&list);
    }
}

/* -- entries that lack something ---------------------------------------------------------- */

static const struct {
    const struct kind *kind;
    const char *field, *text;
    int64_t number;
    const char *want;
} filters[] = {
    {&kind_domain, "status", NULL, ACCOUNT_ACTIVE,
     "(&(objectClass=inkanDomain)(|(inkanDomainStatus=active)(!(inkanDomainStatus=*))))"},
    {&kind_domain, "status", NULL, ACCOUNT_SUSPENDED,
     "(&(objectClass=inkanDomain)(inkanDomainStatus=suspended))"},
    {&kind_domain, "subdomains", NULL, 0,
     "(&(objectClass=inkanDomain)(|(inkanDomainSubdomains=FALSE)(!(inkanDomainSubdomains=*))))"},
    {&kind_domain, "subdomains", NULL, 1,
     "(&(objectClass=inkanDomain)(inkanDomainSubdomains=TRUE))"},
    {&kind_domain, "expiry", NULL, -1,
     "(&(objectClass=inkanDomain)(|(inkanDomainExpiry=-1)(!(inkanDomainExpiry=*))))"},
    {&kind_domain, "expiry", NULL, 0, "(&(objectClass=inkanDomain)(inkanDomainExpiry=0))"},
    {&kind_domain, "version", NULL, 1,
     "(&(objectClass=inkanDomain)(|(inkanDomainVersion=1)(!(inkanDomainVersion=*))))"},
    {&kind_domain, "tenant", "acme", 0, "(&(objectClass=inkanDomain)(inkanDomainTenant=acme))"},
    {&kind_domain, "note", "", 0, "(&(objectClass=inkanDomain)(|(!(inkanDomainNote=*))))"},
};

static void a_filter_for_a_default_takes_what_is_not_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        struct query query = {.kind = filters[i].kind, .filter_count = 1};
        struct buf got = {0};
        query.filters[0].field = kind_field(query.kind, string(filters[i].field));
        query.filters[0].text = filters[i].text;
        query.filters[0].number = filters[i].number;
        filter_query(&query, &got);
        assert_string_equal(buf_cstr(&got), filters[i].want);
        buf_clear(&got);
    }
}

static void words_count_in_any_case(void **state)
{
    struct domain domain = {0};
    struct err err;
    (void)state;
    assert_int_equal(
        entry_take(&kind_domain, &domain, "inkanDomainStatus", SPAN_LIT("SUSPENDED"), &err), ST_OK);
    assert_int_equal(
        entry_take(&kind_domain, &domain, "INKANDOMAINSUBDOMAINS", SPAN_LIT("true"), &err), ST_OK);
    assert_int_equal(domain.status, ACCOUNT_SUSPENDED);
    assert_int_equal(domain.subdomains, 1);
    kind_clear(&kind_domain, &domain);
}

static void a_private_half_is_wiped(void **state)
{
    struct key key = {0}, copy = {0};
    struct err err;
    (void)state;
    assert_int_equal(entry_take(&kind_key, &key, "inkanKeySealed", SPAN_LIT("x"), &err), ST_OK);
    assert_int_equal(kind_copy(&kind_key, &key, &copy, &err), ST_OK);
    assert_true(key.sealed.secret && copy.sealed.secret);
    assert_false(copy.public_key.secret);
    kind_clear(&kind_key, &key);
    kind_clear(&kind_key, &copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_of_an_algorithm_is_active),
        cmocka_unit_test(of_equal_records_the_first_stays),
        cmocka_unit_test(a_filter_for_a_default_takes_what_is_not_there),
        cmocka_unit_test(words_count_in_any_case),
        cmocka_unit_test(a_private_half_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
