/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "storage/model.h"

/* -- the tables themselves ---------------------------------------------------------------- */

static void every_kind_has_a_key_and_a_version(void **state)
{
    (void)state;
    for (size_t k = 0; kinds[k] != NULL; k++) {
        assert_non_null(kind_flagged(kinds[k], FIELD_KEY));
        assert_non_null(kind_flagged(kinds[k], FIELD_VERSION));
        for (size_t i = 0; i < kinds[k]->field_count; i++) {
            const struct field *field = &kinds[k]->fields[i];
            assert_true(field->offset < kinds[k]->size);
            assert_true(field->help != NULL && field->help[0] != '\0');
            assert_ptr_equal(kind_field(kinds[k], span_str(field->name)), field);
        }
    }
    assert_null(kind_field(&kind_domain, SPAN_LIT("nonsense")));
}

/* What the help calls seconds takes units. */
static void durations_are_flagged(void **state)
{
    (void)state;
    for (size_t k = 0; kinds[k] != NULL; k++) {
        for (size_t i = 0; i < kinds[k]->field_count; i++) {
            const struct field *field = &kinds[k]->fields[i];
            bool flagged = (field->flags & FIELD_SECONDS) != 0;
            if (flagged != (strncmp(field->help, "seconds ", strlen("seconds ")) == 0))
                fail_msg("%s.%s: %s", kinds[k]->name, field->name, field->help);
            assert_true(!flagged || field->type == FIELD_INT);
        }
    }
}

static void enum_names_equal_those_of_dkim(void **state)
{
    const struct field *algorithm = kind_field(&kind_key, SPAN_LIT("algorithm"));
    (void)state;
    assert_string_equal(algorithm->names[0], "rsa-sha256");
    assert_string_equal(algorithm->names[1], "ed25519-sha256");
    assert_null(algorithm->names[2]);
}

/* -- values ------------------------------------------------------------------------------- */

static const struct {
    const char *name, *field, *text;
    enum status want;
    const char *back; /* NULL: as given */
} texts[] = {
    {"a domain", "name", "example.com", ST_OK, NULL},
    {"upper case", "name", "Example.com", ST_INVALID, NULL},
    {"a U-label", "name",
     "b\xc3\xbc"
     "cher.example",
     ST_INVALID, NULL},
    {"a trailing dot", "name", "example.com.", ST_INVALID, NULL},
    {"no name", "name", "", ST_INVALID, NULL},
    {"a tenant", "tenant", "acme-2.x_y", ST_OK, NULL},
    {"a tenant with a bar", "tenant", "a|b", ST_INVALID, NULL},
    {"a tenant with a blank", "tenant", "a b", ST_INVALID, NULL},
    {"a tenant that begins with a dot", "tenant", ".a", ST_INVALID, NULL},
    {"yes", "subdomains", "yes", ST_OK, "yes"},
    {"no", "subdomains", "no", ST_OK, "no"},
    {"perhaps", "subdomains", "perhaps", ST_INVALID, NULL},
    {"a status", "status", "Suspended", ST_OK, "suspended"},
    {"no status", "status", "gone", ST_INVALID, NULL},
    {"an expiry", "expiry", "86400", ST_OK, "86400"},
    {"the settings' expiry", "expiry", "-1", ST_OK, "-1"},
    {"a negative expiry", "expiry", "-2", ST_INVALID, NULL},
    {"an expiry with a unit", "expiry", "1d", ST_OK, "86400"},
    {"seconds", "soak", "7200", ST_OK, "7200"},
    {"seconds with their unit", "soak", "7200s", ST_OK, "7200"},
    {"minutes", "soak", "90m", ST_OK, "5400"},
    {"hours", "soak", "2h", ST_OK, "7200"},
    {"days", "max_age", "90d", ST_OK, "7776000"},
    {"weeks", "overlap", "2w", ST_OK, "1209600"},
    {"as the tenant", "tombstone", "0", ST_OK, "0"},
    {"milliseconds that make seconds", "soak", "2000ms", ST_OK, "2"},
    {"milliseconds that do not", "soak", "1500ms", ST_INVALID, NULL},
    {"no unit at all", "soak", "2y", ST_INVALID, NULL},
    {"a blank before the unit", "soak", "2 h", ST_INVALID, NULL},
    {"a unit alone", "soak", "h", ST_INVALID, NULL},
    {"an empty duration", "soak", "", ST_INVALID, NULL},
    {"a negative duration", "soak", "-1", ST_INVALID, NULL},
    {"a negative duration with a unit", "expiry", "-1d", ST_INVALID, NULL},
    {"the longest duration", "max_age", "3650d", ST_OK, "315360000"},
    {"a longer one", "max_age", "3651d", ST_INVALID, NULL},
    {"one past 64 bits", "max_age", "99999999999999999999w", ST_INVALID, NULL},
    {"one past 64 bits in milliseconds", "max_age", "9999999999999999w", ST_INVALID, NULL},
    {"an expiry past 64 bits", "expiry", "99999999999999999999", ST_INVALID, NULL},
    {"a canonicalization", "canonicalization", "relaxed/simple", ST_OK, NULL},
    {"half a canonicalization", "canonicalization", "relaxed/", ST_INVALID, NULL},
    {"a note", "note", "any text: \"'|<>", ST_OK, NULL},
    {"a note with a line feed", "note", "a\nb", ST_INVALID, NULL},
};

/* The text goes in through field_from_text and the record through kind_check. */
static void texts_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct domain domain = {.name = strdup("example.org"), .tenant = strdup("t")};
        const struct field *field = kind_field(&kind_domain, span_str(texts[i].field));
        struct err err = {0};
        struct buf back = {0};
        enum status st = field_from_text(field, &domain, span_str(texts[i].text), &err);
        if (st == ST_OK)
            st = kind_check(&kind_domain, &domain, &err);
        if (st != texts[i].want)
            fail_msg("%s: %s (%s)", texts[i].name, status_name(st), err.text);
        if (st == ST_OK) {
            field_to_text(field, &domain, &back);
            assert_string_equal(buf_cstr(&back),
                                texts[i].back != NULL ? texts[i].back : texts[i].text);
        } else {
            assert_non_null(strstr(err.text, texts[i].field));
        }
        buf_clear(&back);
        kind_clear(&kind_domain, &domain);
    }
}

static void lengths_are_limited(void **state)
{
    (void)state;
    for (int extra = 0; extra <= 1; extra++) {
        const struct field *note = kind_field(&kind_tenant, SPAN_LIT("note"));
        struct tenant tenant = {.name = strdup("t")};
        struct err err = {0};
        tenant.note = calloc(1, (size_t)note->max + 2);
        memset(tenant.note, 'x', (size_t)note->max + (size_t)extra);
        assert_int_equal(kind_check(&kind_tenant, &tenant, &err), extra == 0 ? ST_OK : ST_INVALID);
        kind_clear(&kind_tenant, &tenant);
    }
}

static void secret_octets_are_never_text(void **state)
{
    struct key key = {0};
    struct buf out = {0};
    (void)state;
    buf_append_str(&key.sealed, "secret");
    buf_append_str(&key.public_key, "public");
    field_to_text(kind_field(&kind_key, SPAN_LIT("sealed")), &key, &out);
    assert_string_equal(buf_cstr(&out), "(sealed)");
    buf_reset(&out);
    field_to_text(kind_field(&kind_key, SPAN_LIT("public_key")), &key, &out);
    assert_string_equal(buf_cstr(&out), "cHVibGlj");
    buf_clear(&out);
    kind_clear(&kind_key, &key);
}

static void a_copy_is_deep_and_equal(void **state)
{
    struct key key = {.bits = 2048, .created = 1, .version = 3}, copy = {0};
    struct err err = {0};
    (void)state;
    key.domain = strdup("example.com");
    buf_append_str(&key.sealed, "secret");
    assert_int_equal(kind_copy(&kind_key, &key, &copy, &err), ST_OK);
    for (size_t i = 0; i < kind_key.field_count; i++)
        assert_true(field_equal(&kind_key.fields[i], &key, &copy));
    assert_ptr_not_equal(key.domain, copy.domain);
    assert_ptr_not_equal(key.sealed.data, copy.sealed.data);
    copy.bits++;
    assert_false(field_equal(kind_field(&kind_key, SPAN_LIT("bits")), &key, &copy));
    kind_clear(&kind_key, &key);
    kind_clear(&kind_key, &copy);
    assert_null(copy.domain);
}

static void labels_are_the_primary_key(void **state)
{
    struct key key = {.domain = strdup("example.com"), .selector = strdup("s1")};
    struct buf out = {0};
    (void)state;
    kind_label(&kind_key, &key, &out);
    assert_string_equal(buf_cstr(&out), "example.com s1");
    buf_clear(&out);
    kind_clear(&kind_key, &key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_key_and_a_version),
        cmocka_unit_test(durations_are_flagged),
        cmocka_unit_test(enum_names_equal_those_of_dkim),
        cmocka_unit_test(texts_are_checked),
        cmocka_unit_test(lengths_are_limited),
        cmocka_unit_test(secret_octets_are_never_text),
        cmocka_unit_test(a_copy_is_deep_and_equal),
        cmocka_unit_test(labels_are_the_primary_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
