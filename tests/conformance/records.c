/* SPDX-License-Identifier: Apache-2.0
 *
 * Records go in and come out the same: every kind, every field, at its limits and with hostile
 * octets.
 */
#include "tests/conformance/suite.h"

#include <stdio.h>

/* -- filling a record from its table ------------------------------------------------------ */

/* A domain of 253 octets, different for each call. */
static void longest_domain(char *out)
{
    size_t len = (size_t)snprintf(out, 254, "%s", suite_name("d"));
    char head[254];
    memset(head, 'a', 253);
    for (size_t i = 0; i < 253 - len; i++) {
        if (i % 50 == 49)
            head[i] = '.';
    }
    head[253 - len - 1] = '.';
    if (head[253 - len - 2] == '.')
        head[253 - len - 2] = 'a';
    memmove(out + (253 - len), out, len + 1);
    memcpy(out, head, 253 - len);
}

/* The texts of checked fields cannot be anything: the longest that is allowed. */
static void fill_checked(const struct field *field, void *record, char longest[256])
{
    char name[256];
    if (strcmp(field->name, "canonicalization") == 0) {
        snprintf(name, sizeof name, "relaxed/simple");
    } else if (strcmp(field->name, "freeze") == 0) {
        snprintf(name, sizeof name, "12-18/01-06, 2027-07-01/2027-07-02");
    } else if (strcmp(field->name, "algorithms") == 0) {
        snprintf(name, sizeof name, "rsa-sha256:4096, ed25519-sha256");
    } else if (strcmp(field->name, "selector") == 0) {
        memset(name, 's', 63);
        snprintf(name + 63, sizeof name - 63, "%s", ".b");
    } else {
        snprintf(name, sizeof name, "%s", longest);
    }
    EXPECT(ST_OK, field_set_text(field, record, span_str(name), &err));
}

static void fill_text(const struct field *field, void *record, const char *pattern)
{
    struct buf text = BUF_INIT(0);
    size_t step = strlen(pattern);
    while (text.len + step <= (size_t)field->max)
        buf_append_str(&text, pattern);
    while (text.len < (size_t)field->max)
        buf_append_char(&text, 'x');
    EXPECT(ST_OK, field_set_text(field, record, buf_span(&text), &err));
    buf_clear(&text);
}

static void fill_bytes(const struct field *field, void *record)
{
    struct buf *bytes = field_bytes(field, record);
    for (int64_t i = 0; i < field->max; i++)
        buf_append_char(bytes, (char)(i * 7));
}

static void fill_number(const struct field *field, void *record)
{
    if (field->flags & (FIELD_VERSION | FIELD_SERIAL))
        return;
    int64_t last = 0;
    while (field->names != NULL && field->names[last + 1] != NULL)
        last++;
    *field_int(field, record) = field->names != NULL ? last : field->max;
}

/* `domain` and `tenant` are what the record refers to. */
static void fill(const struct kind *kind, void *record, char domain[256], char tenant[256])
{
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        bool is_tenant = strcmp(field->name, "tenant") == 0 ||
                         (kind == &kind_tenant && strcmp(field->name, "name") == 0);
        if (field->type == FIELD_BYTES)
            fill_bytes(field, record);
        else if (field->type != FIELD_TEXT)
            fill_number(field, record);
        else if (field->check != NULL)
            fill_checked(field, record, is_tenant ? tenant : domain);
        else
            fill_text(field, record, "ä'\"\\*)(%_;--🔑 ");
    }
}

static void check_same(const struct kind *kind, const void *a, const void *b)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        if (!field_equal(&kind->fields[i], a, b))
            fail_msg("%s.%s came back different", kind->name, kind->fields[i].name);
    }
}

/* Stores a record and reads it back through another store. */
static void round_trip(struct store *store, const struct kind *kind, void *record)
{
    struct store *other = suite_open(1, SUITE_TIMEOUT_MS);
    void *back = calloc(1, kind->size);
    EXPECT(ST_OK, suite_put(store, kind, record, "test.put", &err));
    EXPECT(ST_OK, kind_copy(kind, record, back, &err));
    EXPECT(ST_OK, store_get(other, kind, back, &err));
    check_same(kind, record, back);
    assert_int_equal(*field_int(kind_flagged(kind, FIELD_VERSION), back), 1);
    kind_clear(kind, back);
    free(back);
    store_close(other);
}

static void every_kind_at_its_limits(void **state)
{
    static const struct kind *const order[] = {&kind_tenant, &kind_domain, &kind_key,
                                               &kind_rule,   &kind_grant,  &kind_lease};
    struct store *store = suite_open(2, SUITE_TIMEOUT_MS);
    char domain[256], tenant[256];
    (void)state;
    longest_domain(domain);
    snprintf(tenant, sizeof tenant, "%s", suite_name("t"));
    memset(tenant + strlen(tenant), 'z', 64 - strlen(tenant));
    tenant[64] = '\0';
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        void *record = calloc(1, order[i]->size);
        fill(order[i], record, domain, tenant);
        if (order[i] == &kind_key) {
            /* A destroyed key has no private half: the limits of `sealed` need a live one. */
            ((struct key *)record)->state = KEY_ACTIVE;
            ((struct key *)record)->algorithm = DKIM_RSA_SHA256;
        }
        round_trip(store, order[i], record);
        kind_clear(order[i], record);
        free(record);
    }
    store_close(store);
}

static const char *const hostile[] = {
    "'",
    "''; DROP TABLE tenant; --",
    "\"",
    "\\",
    "\\'",
    "*)(uid=*))(|(uid=*",
    "a,b+c<d>e;f=g#h",
    " leading and trailing ",
    "%s%n%x",
    "$1 ? :a @b",
    "\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91",
    "\xe2\x80\xae right to left",
};

static void hostile_text_comes_back_as_it_was(void **state)
{
    struct store *store = suite_open(2, SUITE_TIMEOUT_MS);
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct suite_domain names = suite_add_domain(store, NULL, 0);
        struct tenant tenant = {0};
        struct rule rule = {0};
        struct grant grant = {.type = GRANT_LOGIN};
        suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
        suite_set(&kind_tenant, &tenant, "note", hostile[i]);
        round_trip(store, &kind_tenant, &tenant);
        suite_set(&kind_rule, &rule, "pattern", hostile[i]);
        suite_set(&kind_rule, &rule, "identity", hostile[i]);
        suite_set(&kind_rule, &rule, "domain", names.domain);
        suite_set(&kind_rule, &rule, "place", suite_name("p"));
        round_trip(store, &kind_rule, &rule);
        suite_set(&kind_grant, &grant, "subject", hostile[i]);
        suite_set(&kind_grant, &grant, "tenant", names.tenant);
        suite_set(&kind_grant, &grant, "place", suite_name("p"));
        round_trip(store, &kind_grant, &grant);
        kind_clear(&kind_tenant, &tenant);
        kind_clear(&kind_rule, &rule);
        kind_clear(&kind_grant, &grant);
    }
    store_close(store);
}

static const struct {
    const char *name, *text;
} refused[] = {
    {"a line feed", "a\nb"},
    {"an escape", "\x1b[31m"},
    {"a lone tail octet", "a\x80"},
    {"an overlong form", "\xc0\xaf"},
    {"a surrogate", "\xed\xa0\x80"},
    {"a cut form", "\xe2\x82"},
    {"past U+10FFFF", "\xf4\x90\x80\x80"},
    {"delete", "\x7f"},
};

static void broken_text_is_refused_and_nothing_stored(void **state)
{
    struct store *store = suite_open(2, SUITE_TIMEOUT_MS);
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct tenant tenant = {0};
        print_message("    %s\n", refused[i].name);
        suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
        suite_set(&kind_tenant, &tenant, "note", refused[i].text);
        EXPECT(ST_INVALID, suite_put(store, &kind_tenant, &tenant, "tenant.add", &err));
        EXPECT(ST_NOT_FOUND, store_get(store, &kind_tenant, &tenant, &err));
        kind_clear(&kind_tenant, &tenant);
    }
    store_close(store);
}

static void names_hostile_to_lookups_find_nothing(void **state)
{
    struct store *store = suite_open(2, SUITE_TIMEOUT_MS);
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct profile profile = {0};
        EXPECT(ST_OK, store_lookup(store, &hostile[i], 1, &profile, &err));
        assert_false(profile.found);
        profile_clear(&profile);
    }
    store_close(store);
}

/* -- find --------------------------------------------------------------------------------- */

struct seen {
    char names[32][64];
    size_t count;
};

static enum status see(void *arg, const void *record, struct err *err)
{
    struct seen *seen = arg;
    const struct domain *domain = record;
    (void)err;
    assert_true(seen->count < 32);
    snprintf(seen->names[seen->count++], sizeof seen->names[0], "%s", domain->name);
    return ST_OK;
}

static void find_keeps_order_limit_and_place(void **state)
{
    struct store *store = suite_open(2, SUITE_TIMEOUT_MS);
    struct suite_domain names = suite_add_domain(store, NULL, 0);
    static const char *const added[] = {"zz.example", "aa.example", "mm.example", "a-b.example"};
    static const char *const sorted[] = {"a-b.example", "aa.example", "mm.example", "zz.example"};
    (void)state;
    struct tenant tenant = {0};
    suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
    EXPECT(ST_OK, suite_put(store, &kind_tenant, &tenant, "tenant.add", &err));
    for (size_t i = 0; i < 4; i++) {
        struct domain domain = {.expiry = -1};
        suite_set(&kind_domain, &domain, "name", added[i]);
        suite_set(&kind_domain, &domain, "tenant", tenant.name);
        EXPECT(ST_OK, suite_put(store, &kind_domain, &domain, "domain.add", &err));
        kind_clear(&kind_domain, &domain);
    }
    struct query query = {.kind = &kind_domain, .filter_count = 1};
    query.filters[0].field = kind_field(&kind_domain, SPAN_LIT("tenant"));
    query.filters[0].text = tenant.name;
    struct seen all = {.count = 0}, page = {.count = 0}, back = {.count = 0};
    EXPECT(ST_OK, store_find(store, &query, see, &all, &err));
    assert_int_equal(all.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(all.names[i], sorted[i]);
    struct domain after = {.name = all.names[0]};
    query.after = &after;
    query.limit = 2;
    EXPECT(ST_OK, store_find(store, &query, see, &page, &err));
    assert_int_equal(page.count, 2);
    assert_string_equal(page.names[0], sorted[1]);
    assert_string_equal(page.names[1], sorted[2]);
    after.name = all.names[2];
    query.descending = true;
    EXPECT(ST_OK, store_find(store, &query, see, &back, &err));
    assert_int_equal(back.count, 2);
    assert_string_equal(back.names[0], sorted[1]);
    assert_string_equal(back.names[1], sorted[0]);
    assert_string_not_equal(names.tenant, tenant.name);
    kind_clear(&kind_tenant, &tenant);
    store_close(store);
}

static enum status remove_domain(struct store *store, const char *name, struct err *err)
{
    struct store_tx *tx = NULL;
    struct domain domain = {0};
    suite_set(&kind_domain, &domain, "name", name);
    enum status st = store_get(store, &kind_domain, &domain, err);
    if (st == ST_OK)
        st = store_begin(store, &tx, err);
    if (st == ST_OK)
        st = store_tx_del(tx, &kind_domain, &domain, "domain.remove", err);
    if (st == ST_OK)
        st = store_commit(tx, err);
    else
        store_rollback(tx);
    kind_clear(&kind_domain, &domain);
    return st;
}

/* Who reads page by page takes a short one for the last. */
static void a_page_is_whole_though_records_are_removed_meanwhile(void **state)
{
    struct store *reader = suite_open(1, SUITE_TIMEOUT_MS);
    struct store *writer = suite_open(1, SUITE_TIMEOUT_MS);
    struct tenant tenant = {0};
    struct seen first = {.count = 0}, second = {.count = 0};
    char names[6][64];
    (void)state;
    suite_set(&kind_tenant, &tenant, "name", suite_name("t"));
    EXPECT(ST_OK, suite_put(writer, &kind_tenant, &tenant, "tenant.add", &err));
    for (size_t i = 0; i < 6; i++) {
        struct domain domain = {.expiry = -1};
        snprintf(names[i], sizeof names[i], "page%zu-%s.example", i, tenant.name);
        suite_set(&kind_domain, &domain, "name", names[i]);
        suite_set(&kind_domain, &domain, "tenant", tenant.name);
        EXPECT(ST_OK, suite_put(writer, &kind_domain, &domain, "domain.add", &err));
        kind_clear(&kind_domain, &domain);
    }
    struct query query = {.kind = &kind_domain, .filter_count = 1, .limit = 2};
    query.filters[0].field = kind_field(&kind_domain, SPAN_LIT("tenant"));
    query.filters[0].text = tenant.name;
    EXPECT(ST_OK, store_find(reader, &query, see, &first, &err));
    assert_int_equal(first.count, 2);
    EXPECT(ST_OK, remove_domain(writer, names[2], &err));
    EXPECT(ST_OK, remove_domain(writer, names[3], &err));
    struct domain after = {.name = first.names[1]};
    query.after = &after;
    EXPECT(ST_OK, store_find(reader, &query, see, &second, &err));
    assert_int_equal(second.count, 2);
    assert_string_equal(second.names[0], names[4]);
    assert_string_equal(second.names[1], names[5]);
    kind_clear(&kind_tenant, &tenant);
    store_close(reader);
    store_close(writer);
}

static enum status stop_at_second(void *arg, const void *record, struct err *err)
{
    (void)record;
    return ++*(int *)arg == 2 ? err_set(err, ST_DENIED, "enough") : ST_OK;
}

static void find_ends_with_what_the_caller_says(void **state)
{
    struct store *store = suite_open(1, SUITE_TIMEOUT_MS);
    struct query query = {.kind = &kind_tenant};
    int rows = 0;
    (void)state;
    suite_add_domain(store, NULL, 0);
    suite_add_domain(store, NULL, 0);
    EXPECT(ST_DENIED, store_find(store, &query, stop_at_second, &rows, &err));
    assert_int_equal(rows, 2);
    EXPECT(ST_OK, store_check(store, &err)); /* the connection is still good */
    store_close(store);
}

int suite_records(void)
{
    const struct CMUnitTest records[] = {
        cmocka_unit_test(every_kind_at_its_limits),
        cmocka_unit_test(hostile_text_comes_back_as_it_was),
        cmocka_unit_test(broken_text_is_refused_and_nothing_stored),
        cmocka_unit_test(names_hostile_to_lookups_find_nothing),
        cmocka_unit_test(find_keeps_order_limit_and_place),
        cmocka_unit_test(a_page_is_whole_though_records_are_removed_meanwhile),
        cmocka_unit_test(find_ends_with_what_the_caller_says),
    };
    return cmocka_run_group_tests(records, NULL, NULL);
}
