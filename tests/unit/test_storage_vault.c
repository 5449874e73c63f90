/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/keyfile.h"
#include "storage/vault.h"
#include "tests/unit/test_folder_support.h"

static char folder[TEST_FOLDER_SIZE], path[96];

static int make_folder(void **state)
{
    (void)state;
    if (!test_folder_make(folder, "vault"))
        return -1;
    snprintf(path, sizeof path, "%s/keyring", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static struct vault *open_ok(void)
{
    struct vault *vault = NULL;
    struct err err = {0};
    if (vault_open(path, &vault, &err) != ST_OK)
        fail_msg("%s", err.text);
    return vault;
}

static void expect_open(enum status want, const char *part)
{
    struct vault *vault = NULL;
    struct err err = {0};
    enum status st = vault_open(path, &vault, &err);
    if (st != want || strstr(err.text, part) == NULL)
        fail_msg("%s (%s) instead of %s (%s)", status_name(st), err.text, status_name(want), part);
    assert_non_null(strstr(err.text, path));
    assert_null(vault);
}

/* -- the keyring file --------------------------------------------------------------------- */

#define KEY32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const struct {
    const char *name, *text, *part;
    mode_t mode;
    enum status want;
} files[] = {
    {"empty", "", "holds no key", 0600, ST_BROKEN},
    {"only comments", "# nothing\n\n", "holds no key", 0600, ST_BROKEN},
    {"readable by the group", "a " KEY32 "\n", "mode 0640", 0640, ST_DENIED},
    {"readable by all", "a " KEY32 "\n", "mode 0604", 0604, ST_DENIED},
    {"no key after the id", "a\n", "key id a: not 32 octets", 0600, ST_BROKEN},
    {"a short key", "# x\na AAEC\n", ":2: key id a: not 32 octets", 0600, ST_BROKEN},
    {"not base64", "a !!!!\n", "key id a: not 32 octets", 0600, ST_BROKEN},
    {"an id with a bar", "a|b " KEY32 "\n", "no id", 0600, ST_BROKEN},
    {"an id twice", "a " KEY32 "\na " KEY32 "\n", "stands twice", 0600, ST_BROKEN},
};

static void faulty_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        print_message("    %s\n", files[i].name);
        write_file(files[i].text, files[i].mode);
        expect_open(files[i].want, files[i].part);
    }
}

static void a_missing_file_is_a_broken_keyring(void **state)
{
    (void)state;
    unlink(path);
    expect_open(ST_BROKEN, "No such file");
    write_file("", 0600); /* for the teardown */
}

static void errors_never_show_the_key(void **state)
{
    struct vault *vault = NULL;
    struct err err = {0};
    (void)state;
    write_file("a " KEY32 "AAAA\n", 0600);
    assert_int_equal(vault_open(path, &vault, &err), ST_BROKEN);
    assert_null(strstr(err.text, "AAECAwQF"));
}

static void the_file_is_made_safe_and_once(void **state)
{
    struct err err = {0};
    struct stat status;
    (void)state;
    unlink(path);
    assert_int_equal(vault_create(path, &err), ST_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(vault_create(path, &err), ST_CONFLICT);
    struct vault *vault = open_ok();
    assert_int_equal(vault_count(vault), 1);
    vault_close(vault);
}

/* -- envelopes ---------------------------------------------------------------------------- */

static const struct vault_binding binding = {"acme", "example.com", "s1", "rsa-sha256"};

static enum status unseal(const struct vault *vault, const struct vault_binding *bound,
                          const char *kek, const struct buf *envelope)
{
    struct buf out = BUF_SECRET(0);
    struct err err = {0};
    const struct vault_envelope sealed = {kek, buf_span(envelope)};
    enum status st = vault_unseal(vault, bound, &sealed, &out, &err);
    assert_true(st != ST_OK || span_equal(buf_span(&out), SPAN_LIT("secret")));
    assert_true(st == ST_OK || out.len == 0);
    buf_clear(&out);
    return st;
}

static void seal(const struct vault *vault, struct buf *envelope)
{
    struct err err = {0};
    assert_int_equal(vault_seal(vault, &binding, SPAN_LIT("secret"), envelope, &err), ST_OK);
}

static void an_envelope_opens_only_where_it_belongs(void **state)
{
    static const struct vault_binding others[] = {
        {"globex", "example.com", "s1", "rsa-sha256"},
        {"acme", "example.org", "s1", "rsa-sha256"},
        {"acme", "example.com", "s2", "rsa-sha256"},
        {"acme", "example.com", "s1", "ed25519-sha256"},
    };
    struct buf envelope = {0};
    (void)state;
    write_file("one " KEY32 "\n", 0600);
    struct vault *vault = open_ok();
    seal(vault, &envelope);
    assert_int_equal(unseal(vault, &binding, "one", &envelope), ST_OK);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(unseal(vault, &others[i], "one", &envelope), ST_BROKEN);
    assert_int_equal(unseal(vault, &binding, "two", &envelope), ST_BROKEN);
    buf_clear(&envelope);
    vault_close(vault);
}

static void any_changed_octet_is_found(void **state)
{
    struct buf envelope = {0};
    (void)state;
    write_file("one " KEY32 "\n", 0600);
    struct vault *vault = open_ok();
    seal(vault, &envelope);
    assert_int_equal(envelope.len, 1 + 12 + strlen("secret") + 16);
    for (size_t i = 0; i < envelope.len; i++) {
        envelope.data[i] = (char)(envelope.data[i] ^ 1);
        assert_int_equal(unseal(vault, &binding, "one", &envelope), ST_BROKEN);
        envelope.data[i] = (char)(envelope.data[i] ^ 1);
    }
    while (envelope.len > 0) {
        buf_truncate(&envelope, envelope.len - 1);
        assert_int_equal(unseal(vault, &binding, "one", &envelope), ST_BROKEN);
    }
    buf_clear(&envelope);
    vault_close(vault);
}

static void two_seals_of_one_secret_differ(void **state)
{
    struct buf a = {0}, b = {0};
    (void)state;
    write_file("one " KEY32 "\n", 0600);
    struct vault *vault = open_ok();
    seal(vault, &a);
    seal(vault, &b);
    assert_false(span_equal(buf_span(&a), buf_span(&b)));
    buf_clear(&a);
    buf_clear(&b);
    vault_close(vault);
}

static void an_added_key_seals_and_the_old_one_still_opens(void **state)
{
    struct buf old = {0}, new = {0};
    struct err err = {0};
    (void)state;
    write_file("one " KEY32, 0600); /* no line feed at the end */
    struct vault *vault = open_ok();
    seal(vault, &old);
    vault_close(vault);
    assert_int_equal(vault_add(path, &err), ST_OK);
    vault = open_ok();
    assert_int_equal(vault_count(vault), 2);
    assert_string_equal(vault_id(vault, 0), "one");
    assert_string_not_equal(vault_current(vault), "one");
    seal(vault, &new);
    assert_int_equal(unseal(vault, &binding, "one", &old), ST_OK);
    assert_int_equal(unseal(vault, &binding, vault_current(vault), &new), ST_OK);
    assert_int_equal(unseal(vault, &binding, "one", &new), ST_BROKEN);
    buf_clear(&old);
    buf_clear(&new);
    vault_close(vault);
}

static void adding_waits_for_nobody_and_loses_nothing(void **state)
{
    struct err err = {0};
    int lock;
    (void)state;
    write_file("one " KEY32 "\n", 0600);
    assert_int_equal(keyfile_lock(path, &lock, &err), ST_OK);
    assert_int_equal(vault_add(path, &err), ST_CONFLICT);
    assert_non_null(strstr(err.text, path));
    close(lock);
    assert_int_equal(vault_add(path, &err), ST_OK);
    struct vault *vault = open_ok();
    assert_int_equal(vault_count(vault), 2);
    vault_close(vault);
}

static void a_link_to_the_keyring_stays_a_link(void **state)
{
    struct err err = {0};
    struct stat info;
    char other[sizeof path + 4];
    (void)state;
    write_file("one " KEY32 "\n", 0600);
    snprintf(other, sizeof other, "%s.own", path);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(vault_add(path, &err), ST_OK);
    assert_int_equal(lstat(path, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    struct vault *vault = open_ok();
    assert_int_equal(vault_count(vault), 2);
    vault_close(vault);
    assert_int_equal(unlink(other), 0);
}

static void a_missing_kek_is_named(void **state)
{
    struct err err = {0};
    struct buf out = BUF_SECRET(0);
    const struct vault_envelope sealed = {"lost-kek", SPAN_LIT("x")};
    (void)state;
    write_file("one " KEY32 "\n", 0600);
    struct vault *vault = open_ok();
    assert_int_equal(vault_unseal(vault, &binding, &sealed, &out, &err), ST_BROKEN);
    assert_non_null(strstr(err.text, "lost-kek"));
    vault_close(vault);
}

/* -- fingerprints ------------------------------------------------------------------------- */

enum { SEALED_SIZE = 1 + 12 + 32 + 16 };

/* A record to be changed in one place: its texts and octets are of this size and no more. */
struct sample {
    char tenant[8], domain[8], selector[8], kek[8], sealed[SEALED_SIZE];
    int64_t algorithm;
    size_t cut;
};

static void fingerprint(const struct sample *sample, uint8_t out[VAULT_FINGERPRINT_SIZE])
{
    struct sample copy = *sample;
    struct err err = {0};
    struct key key = {.domain = copy.domain,
                      .selector = copy.selector,
                      .algorithm = copy.algorithm,
                      .kek = copy.kek};
    buf_append(&key.sealed, copy.sealed, SEALED_SIZE - copy.cut);
    assert_int_equal(vault_fingerprint(copy.tenant, &key, out, &err), ST_OK);
    buf_clear(&key.sealed);
}

static void a_fingerprint_is_of_all_that_is_opened(void **state)
{
    const struct sample first = {"t", "d", "s", "k", "\1 an envelope", 0, 0};
    uint8_t plain[VAULT_FINGERPRINT_SIZE], other[VAULT_FINGERPRINT_SIZE];
    struct sample changed[6 + SEALED_SIZE];
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++)
        changed[i] = first;
    strcpy(changed[count++].tenant, "u");
    strcpy(changed[count++].domain, "e");
    strcpy(changed[count++].selector, "r");
    strcpy(changed[count++].kek, "l");
    changed[count++].algorithm = 1;
    changed[count++].cut = 1;
    for (size_t i = 0; i < SEALED_SIZE; i++)
        changed[count++].sealed[i] ^= 1;
    fingerprint(&first, plain);
    fingerprint(&first, other);
    assert_memory_equal(plain, other, sizeof plain);
    for (size_t i = 0; i < count; i++) {
        fingerprint(&changed[i], other);
        if (memcmp(plain, other, sizeof plain) == 0)
            fail_msg("change %zu goes unnoticed", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(faulty_files_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_missing_file_is_a_broken_keyring, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(errors_never_show_the_key, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(the_file_is_made_safe_and_once, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_envelope_opens_only_where_it_belongs, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(any_changed_octet_is_found, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(two_seals_of_one_secret_differ, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_added_key_seals_and_the_old_one_still_opens, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(adding_waits_for_nobody_and_loses_nothing, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_link_to_the_keyring_stays_a_link, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_missing_kek_is_named, make_folder, remove_folder),
        cmocka_unit_test(a_fingerprint_is_of_all_that_is_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
