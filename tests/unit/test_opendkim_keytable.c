/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of a KeyTable, the keys they lead to, and KeyList.
 */
#include "tests/unit/test_opendkim_support.h"

#include "base/clock.h"
#include "opendkim/files.h"
#include "opendkim/keylist.h"
#include "opendkim/keytable.h"

static const struct value_case {
    const char *value, *fault; /* NULL: none */
    const char *file;          /* for the author's domain author.test; NULL: not a file */
} value_cases[] = {
    {"example.com:s1:/k", NULL, "/k"},
    {"example.com:s1:./k", NULL, "./k"},
    {"example.com:s1:../k", NULL, "../k"},
    {"example.com:s1:keys/k.pem", NULL, NULL},
    {"example.com:s1:.k", NULL, NULL},
    {"example.com:s1:MIIabc", NULL, NULL},
    {"example.com:s1:/%/%.pem", NULL, "/example.com/example.com.pem"},
    {"%:s1:/%/k", NULL, "/author.test/k"},
    {"%:s1:./%/k", NULL, "./%/k"},
    {"%.test:s1:/%", NULL, "/%.test"},
    {"example.com:s1:/k:rsa-sha256", NULL, "/k:rsa-sha256"},
    {"", "no domain", NULL},
    {"example.com", "no selector", NULL},
    {"example.com:s1", "no key", NULL},
    {"example.com:s1:", "no key", NULL},
    {":s1:/k", "no domain", NULL},
    {"example.com::/k", "no selector", NULL},
};

static void values_are_parsed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof value_cases / sizeof value_cases[0]; i++) {
        const struct value_case *one = &value_cases[i];
        struct keytable_entry entry;
        struct err err = {0};
        struct buf file = BUF_INIT(0);
        enum status status = keytable_parse(span_str(one->value), &entry, &err);
        if ((status == ST_OK) != (one->fault == NULL) ||
            (status != ST_OK && strstr(err.text, one->fault) == NULL))
            fail_msg("%s: %s", one->value, err.text);
        if (status != ST_OK)
            continue;
        keytable_file(&entry, SPAN_LIT("author.test"), &file);
        if (entry.is_file != (one->file != NULL) ||
            (entry.is_file && strcmp(buf_cstr(&file), one->file) != 0))
            fail_msg("%s: %s", one->value, buf_cstr(&file));
        buf_clear(&file);
    }
}

static const struct review_case {
    const char *value, *text; /* NULL: nothing to note */
} review_cases[] = {
    {"example.com:s1:/k", NULL},
    {"example.com:s1:MIIabc/abc=", NULL},
    {"example.com : s1:/k", "white space beside a colon"},
    {"example.com:s1: /k", "white space beside a colon"},
    {"example.com:s1", "no key"},
    {"example.com:s%:/k", "% in a selector"},
    {"example.com:s1:/%.pem", "not by the author's domain"},
    {"%:s1:/%.pem", NULL},
    {"example.com:s1:keys/x.pem", "not for a file"},
    {"example.com:s1:MC4CAQAwBQ", "Ed25519"},
    {"example.com:s1:/k:rsa-sha256", "no fourth part"},
};

static void surprises_are_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof review_cases / sizeof review_cases[0]; i++) {
        struct notes *notes = notes_new();
        struct table *table = NULL;
        struct buf row = BUF_INIT(0);
        struct table_options options = {
            .setting = "KeyTable", .use = TABLE_KEYS, .base = test_folder, .notes = notes};
        buf_printf(&row, "k %s\n", review_cases[i].value);
        test_write("keys", buf_span(&row));
        assert_int_equal(table_open("file:keys", &options, &table, NULL), ST_OK);
        keytable_review(table);
        bool good = review_cases[i].text == NULL ? notes_count(notes) == 0
                                                 : test_noted(notes, 1, review_cases[i].text);
        if (!good) {
            test_print_notes(notes);
            fail_msg("%s", review_cases[i].value);
        }
        table_close(table);
        buf_clear(&row);
        notes_free(notes);
    }
}

/* -- keys --------------------------------------------------------------------------------- */

static void copy_vector(const char *name, const char *before)
{
    struct buf content = BUF_SECRET(0);
    char path[TEST_PATH_SIZE];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/pem/%s", VECTORS, name);
    buf_append_str(&content, before);
    if (files_read(path, &content, &err) != ST_OK)
        fail_msg("%s: %s", name, err.text);
    test_write("key", buf_span(&content));
    buf_clear(&content);
}

static struct keytable_loader *make_loader(const char *root)
{
    struct keytable_loader *loader = NULL;
    struct keytable_options options = {.base = test_folder, .root = root};
    assert_int_equal(keytable_loader_new(&options, &loader, NULL), ST_OK);
    return loader;
}

static const struct keytable_key *load(struct keytable_loader *loader, const char *value)
{
    const struct keytable_key *key = NULL;
    struct keytable_entry entry;
    assert_int_equal(keytable_parse(span_str(value), &entry, NULL), ST_OK);
    assert_int_equal(keytable_load(loader, &entry, SPAN_LIT("author.test"), &key, NULL), ST_OK);
    return key;
}

static const struct key_case {
    const char *vector, *before;
    bool usable;
    enum dkim_key_kind kind;
    int bits;
} key_cases[] = {
    {"rsa1024_pkcs1.pem", "", true, DKIM_KEY_RSA, 1024},
    {"rsa1024_pkcs8.pem", "", true, DKIM_KEY_RSA, 1024},
    {"rsa512.pem", "", true, DKIM_KEY_RSA, 512},
    {"ed25519.pem", "", true, DKIM_KEY_ED25519, 256},
    {"ec_pkcs8.pem", "", true, DKIM_KEY_OTHER, 256},
    {"two_keys.pem", "", true, DKIM_KEY_ED25519, 256},
    {"rsa1024_pkcs1.pem", "text before\n", false, DKIM_KEY_OTHER, 0},
    {"rsa1024_pkcs1.pem", "\n", false, DKIM_KEY_OTHER, 0},
    {"encrypted_pkcs8.pem", "", false, DKIM_KEY_OTHER, 0},
    {"encrypted_pkcs1.pem", "", false, DKIM_KEY_OTHER, 0},
    {"certificate.pem", "", false, DKIM_KEY_OTHER, 0},
    {"public.pem", "", false, DKIM_KEY_OTHER, 0},
};

static void keys_are_looked_at_as_opendkim_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof key_cases / sizeof key_cases[0]; i++) {
        const struct key_case *one = &key_cases[i];
        struct keytable_loader *loader = make_loader(NULL);
        copy_vector(one->vector, one->before);
        const struct keytable_key *key = load(loader, "d:s:./key");
        assert_true(key->found);
        if (key->usable != one->usable ||
            (one->usable && (key->kind != one->kind || key->bits != one->bits)))
            fail_msg("%s: %d %d %d", one->vector, key->usable, (int)key->kind, key->bits);
        assert_false(key->secure); /* below /tmp nothing is */
        keytable_loader_free(loader);
    }
}

static void keys_in_the_table_become_pem(void **state)
{
    (void)state;
    static const char *const vectors[] = {"rsa1024_pkcs1.pem", "rsa1024_pkcs8.pem"};
    struct keytable_loader *loader = make_loader(NULL);
    for (size_t i = 0; i < 2; i++) {
        struct buf value = BUF_SECRET(0), pem = BUF_SECRET(0), octets = BUF_SECRET(0);
        enum dkim_algorithm algorithm = DKIM_ALGORITHMS;
        struct span line;
        copy_vector(vectors[i], "");
        assert_int_equal(files_read(test_path("key"), &pem, NULL), ST_OK);
        buf_append_str(&value, "d:s:");
        struct span rest = buf_span(&pem);
        while (span_next(&rest, '\n', &line))
            if (line.len > 0 && line.data[0] != '-')
                buf_append_span(&value, line);
        buf_reset(&pem);
        const struct keytable_key *key = load(loader, buf_cstr(&value));
        assert_true(key->found && key->secure && key->usable);
        assert_int_equal(keytable_pem(key, &pem, NULL), ST_OK);
        assert_int_equal(dkim_key_import(buf_span(&pem), &algorithm, &octets, NULL), ST_OK);
        assert_int_equal(algorithm, DKIM_RSA_SHA256);
        buf_clear(&value);
        buf_clear(&pem);
        buf_clear(&octets);
    }
    struct buf pem = BUF_SECRET(0);
    assert_false(load(loader, "d:s:MIIx")->usable);
    assert_false(load(loader, "d:s:keys/x.pem")->usable);
    assert_int_equal(keytable_pem(load(loader, "d:s:keys/x"), &pem, NULL), ST_INVALID);
    buf_clear(&pem);
    keytable_loader_free(loader);
}

static void what_is_wrong_with_a_file_is_said(void **state)
{
    (void)state;
    struct keytable_loader *loader = make_loader(NULL);
    copy_vector("ed25519.pem", "");
    const struct keytable_key *key = load(loader, "d:s:./none");
    assert_false(key->found);
    assert_non_null(strstr(key->fault, "/none: "));
    key = load(loader, "d:s:./");
    assert_false(key->found);
    assert_non_null(strstr(key->fault, "not a regular file"));
    assert_null(strstr(load(loader, "d:s:MIIhush")->fault, "hush"));
    keytable_loader_free(loader);
    /* In another root ./ and / are the same place. */
    loader = make_loader(test_folder);
    assert_true(load(loader, "d:s:/key")->found);
    assert_true(load(loader, "d:s:./key")->found);
    keytable_loader_free(loader);
}

static const struct link_case {
    const char *name, *leads_to, *key;
    bool found;
} link_cases[] = {
    {"absolute", "/key", "d:s:/absolute", true},
    {"short", "/", "d:s:/short/key", true},
    {"chain", "//./short/absolute", "d:s:/chain", true},
    {"up", "../../../key", "d:s:./up", true},
    {"plain", "key", "d:s:/../plain", true},
    {"outside", "@/key", "d:s:/outside", false},
    {"system", "/etc/passwd", "d:s:/system", false},
    {"loop", "loop", "d:s:/loop", false},
    {"dangling", "/none", "d:s:/dangling", false},
    {"file", "key", "d:s:/file/../key", false},
};

static void links_stay_beneath_another_root(void **state)
{
    (void)state;
    copy_vector("ed25519.pem", "");
    for (size_t i = 0; i < sizeof link_cases / sizeof link_cases[0]; i++) {
        const struct link_case *one = &link_cases[i];
        bool outside = one->leads_to[0] == '@';
        assert_int_equal(symlink(outside ? test_path("key") : one->leads_to, test_path(one->name)),
                         0);
    }
    assert_int_equal(symlink(test_folder, test_path("root")), 0);
    for (size_t i = 0; i < sizeof link_cases / sizeof link_cases[0]; i++) {
        const struct link_case *one = &link_cases[i];
        struct keytable_loader *loader = make_loader(test_path("root"));
        const struct keytable_key *key = load(loader, one->key);
        if (key->found != one->found || key->usable != one->found)
            fail_msg("%s: %d %d %s", one->name, key->found, key->usable, key->fault);
        keytable_loader_free(loader);
    }
}

static void one_file_is_read_once(void **state)
{
    (void)state;
    struct keytable_loader *loader = make_loader(NULL);
    copy_vector("rsa1024_pkcs1.pem", "");
    int64_t started_ms = clock_monotonic_ms();
    for (int i = 0; i < 100000; i++)
        assert_true(load(loader, "d:s:./key")->usable);
    assert_in_range(clock_monotonic_ms() - started_ms, 0, 2000);
    unlink(test_path("key"));
    assert_true(load(loader, "d:s:./key")->found);
    keytable_loader_free(loader);
}

/* -- KeyList ------------------------------------------------------------------------------ */

static void keylists_are_read(void **state)
{
    (void)state;
    struct keylist list = {.list = NULL};
    struct notes *notes = notes_new();
    struct buf path = BUF_INIT(0);
    test_write_text("list", "# old\nann@example.com:example.com:@/s1\n"
                            "*@example.org : example.org : @/s2.private\n\nnonsense\n"
                            "*:example.net:@/default\n");
    test_write_text("default.pem", "x");
    assert_int_equal(keylist_read(test_path("list"), notes, &list, NULL), ST_OK);
    assert_int_equal(list.count, 3);
    assert_string_equal(keylist_find(&list, SPAN_LIT("ANN@Example.com"))->selector, "s1");
    const struct keylist_row *row = keylist_find(&list, SPAN_LIT("x@example.org"));
    assert_string_equal(row->selector, "s2");
    assert_string_equal(row->domain, "example.org");
    row = keylist_find(&list, SPAN_LIT("x@any.test"));
    assert_int_equal(row->line, 6);
    keylist_file(row, &path);
    assert_string_equal(buf_cstr(&path), test_path("default.pem"));
    assert_true(test_noted(notes, 5, "pattern:domain:path"));
    buf_clear(&path);
    keylist_clear(&list);
    notes_free(notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_parsed),
        cmocka_unit_test(surprises_are_noted),
        cmocka_unit_test(keys_are_looked_at_as_opendkim_does),
        cmocka_unit_test(keys_in_the_table_become_pem),
        cmocka_unit_test(what_is_wrong_with_a_file_is_said),
        cmocka_unit_test(links_stay_beneath_another_root),
        cmocka_unit_test(one_file_is_read_once),
        cmocka_unit_test(keylists_are_read),
    };
    return cmocka_run_group_tests_name("opendkim_keytable", tests, test_opendkim_setup,
                                       test_opendkim_teardown);
}
