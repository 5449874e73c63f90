/* SPDX-License-Identifier: Apache-2.0
 *
 * The schema files for LDAP servers against the tables of fields: each field has its attribute
 * with the right syntax, each class allows what its kind has and demands what it must, nothing is
 * there that nobody uses, and both forms of the schema say the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/model.h"

#define SYNTAX "SYNTAX 1.3.6.1.4.1.1466.115.121.1."
#define EXACT_TEXT "EQUALITY caseExactIA5Match " SYNTAX "26 SINGLE-VALUE )"
#define PLAIN_TEXT "EQUALITY caseIgnoreIA5Match " SYNTAX "26 SINGLE-VALUE )"
#define ANY_OCTETS "EQUALITY octetStringMatch " SYNTAX "40 SINGLE-VALUE )"
#define NUMBER "EQUALITY integerMatch ORDERING integerOrderingMatch " SYNTAX "27 SINGLE-VALUE )"
#define YES_OR_NO "EQUALITY booleanMatch " SYNTAX "7 SINGLE-VALUE )"

/* -- reading ------------------------------------------------------------------------------ */

enum { DEFINITIONS_MAX = 120, DEFINITION_SIZE = 1024, NAME_SIZE = 64 };

/* The definitions of a file, each on one line with single blanks: `attributetype ( ... )`. */
struct schema {
    char list[DEFINITIONS_MAX][DEFINITION_SIZE];
    size_t count;
};

static struct schema slapd_conf, cn_config;

static void append_line(char *definition, const char *line)
{
    size_t len = strlen(definition);
    for (; *line != '\0' && *line != '\n'; line++) {
        if (*line == ' ' && (len == 0 || definition[len - 1] == ' '))
            continue;
        assert_true(len + 1 < DEFINITION_SIZE);
        definition[len++] = *line;
    }
    definition[len] = '\0';
}

static void read_schema(const char *name, struct schema *out)
{
    char path[1024], line[256];
    snprintf(path, sizeof path, "%s/../../migrations/ldap/%s", VECTORS, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    while (fgets(line, sizeof line, file) != NULL) {
        assert_non_null(strchr(line, '\n'));
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (line[0] != ' ')
            out->count++;
        assert_in_range(out->count, 1, DEFINITIONS_MAX);
        append_line(out->list[out->count - 1], line);
    }
    fclose(file);
}

static int read_both(void **state)
{
    (void)state;
    read_schema("inkan.schema", &slapd_conf);
    read_schema("inkan.ldif", &cn_config);
    return 0;
}

/* `kind` and the name of the definition; NULL: there is none. */
static const char *definition_of(const char *kind, const char *name)
{
    char part[NAME_SIZE + 16];
    snprintf(part, sizeof part, " NAME '%s' ", name);
    for (size_t i = 0; i < slapd_conf.count; i++) {
        const char *definition = slapd_conf.list[i];
        if (strncmp(definition, kind, strlen(kind)) == 0 && strstr(definition, part) != NULL)
            return definition;
    }
    return NULL;
}

/* -- what the tables want ----------------------------------------------------------------- */

static void append_camel(const char *word, char out[NAME_SIZE])
{
    size_t len = strlen(out);
    for (bool first = true; *word != '\0'; word++) {
        if (*word != '_')
            out[len++] = first ? (char)(*word - 'a' + 'A') : *word;
        first = *word == '_';
    }
    out[len] = '\0';
}

static void attribute_name(const struct kind *kind, const struct field *field, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, "inkan");
    append_camel(kind->name, out);
    if (field != NULL)
        append_camel(field->name, out);
}

/* Texts that are checked are ASCII, others may be anything that must come back as it was. */
static const char *wanted_rules(const struct kind *kind, const struct field *field)
{
    const char *text = field->flags & FIELD_NOCASE ? PLAIN_TEXT : EXACT_TEXT;
    switch (field->type) {
    case FIELD_TEXT:
        return field->check == NULL ? ANY_OCTETS : text;
    case FIELD_BYTES:
        return ANY_OCTETS;
    case FIELD_ENUM:
        return PLAIN_TEXT;
    case FIELD_BOOL:
        return YES_OR_NO;
    case FIELD_INT:
    case FIELD_TIME:
        return NUMBER;
    }
    fail_msg("%s.%s has no type", kind->name, field->name);
    return "";
}

static bool is_kept(const struct kind *kind)
{
    return kind != &kind_change; /* inkanChanges has a form of its own */
}

/* The entry of a key made by hand needs no public half. */
static bool is_demanded(const struct kind *kind, const struct field *field)
{
    return field->flags & (FIELD_KEY | FIELD_REQUIRED) &&
           field != kind_field(&kind_key, SPAN_LIT("public_key")) && is_kept(kind);
}

/* Whether the class names the attribute behind MUST (or behind MAY). */
static bool class_has(const char *definition, const char *attribute, bool must)
{
    char part[NAME_SIZE + 2];
    const char *may = strstr(definition, " MAY ");
    snprintf(part, sizeof part, " %s ", attribute);
    const char *found = strstr(definition, part);
    return found != NULL && must == (may == NULL || found < may);
}

/* -- tests -------------------------------------------------------------------------------- */

static void every_field_has_its_attribute(void **state)
{
    (void)state;
    for (size_t k = 0; kinds[k] != NULL; k++) {
        for (size_t i = 0; is_kept(kinds[k]) && i < kinds[k]->field_count; i++) {
            char name[NAME_SIZE];
            const char *wanted = wanted_rules(kinds[k], &kinds[k]->fields[i]);
            attribute_name(kinds[k], &kinds[k]->fields[i], name);
            const char *definition = definition_of("attributetype ", name);
            if (definition == NULL)
                fail_msg("inkan.schema has no attribute %s", name);
            else if (strstr(definition, wanted) == NULL)
                fail_msg("%s has not: %s", definition, wanted);
        }
    }
}

static void every_class_allows_the_fields_of_its_kind(void **state)
{
    (void)state;
    for (size_t k = 0; kinds[k] != NULL; k++) {
        char class[NAME_SIZE], name[NAME_SIZE];
        attribute_name(kinds[k], NULL, class);
        const char *definition = definition_of("objectclass ", class);
        if (!is_kept(kinds[k]))
            continue;
        if (definition == NULL)
            fail_msg("inkan.schema has no class %s", class);
        assert_non_null(strstr(definition, " SUP top AUXILIARY MUST "));
        for (size_t i = 0; i < kinds[k]->field_count; i++) {
            bool must = is_demanded(kinds[k], &kinds[k]->fields[i]);
            attribute_name(kinds[k], &kinds[k]->fields[i], name);
            if (!class_has(definition, name, must))
                fail_msg("%s is not behind %s in %s", name, must ? "MUST" : "MAY", definition);
        }
    }
}

static const struct {
    const char *name, *class;
    const char *rules; /* of the attribute */
    bool must;
} own[] = {
    {"inkanSchemaVersion", "inkanState", NUMBER, true},
    {"inkanPosition", "inkanState", NUMBER, false},
    {"inkanRevision", "inkanWriter", NUMBER, true},
    {"inkanEventLast", "inkanWriter", NUMBER, false},
    {"inkanJournal", "inkanWriter", ANY_OCTETS, false},
    {"inkanPosition", "inkanChanges", NUMBER, true},
    {"inkanChanged", "inkanChanges", "EQUALITY octetStringMatch " SYNTAX "40 )", false},
    {"inkanTenantEntry", "inkanDomain",
     "EQUALITY distinguishedNameMatch " SYNTAX "12 SINGLE-VALUE )", false},
    {"cn", "inkanEntry", NULL, false},
    {"description", "inkanEntry", NULL, false},
};
enum { OWN = sizeof own / sizeof own[0] };

static void what_no_field_has_is_there_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < OWN; i++) {
        const char *attribute = definition_of("attributetype ", own[i].name);
        const char *class = definition_of("objectclass ", own[i].class);
        assert_non_null(class);
        if (!class_has(class, own[i].name, own[i].must))
            fail_msg("%s is not where it should be in %s", own[i].name, class);
        if (own[i].rules == NULL)
            continue;
        assert_non_null(attribute);
        if (strstr(attribute, own[i].rules) == NULL)
            fail_msg("%s has not: %s", attribute, own[i].rules);
    }
    assert_non_null(strstr(definition_of("objectclass ", "inkanEntry"), "SUP top STRUCTURAL MAY "));
}

/* A mark of entries, without an attribute of its own. */
static void a_register_is_known_by_its_class_alone(void **state)
{
    const char *class = definition_of("objectclass ", "inkanRegister");
    (void)state;
    assert_non_null(class);
    assert_non_null(strstr(class, "SUP top AUXILIARY )"));
}

static bool is_used(const char *name)
{
    char wanted[NAME_SIZE];
    if (strcmp(name, "inkanRegister") == 0)
        return true;
    for (size_t i = 0; i < OWN; i++) {
        if (strcmp(name, own[i].name) == 0 || strcmp(name, own[i].class) == 0)
            return true;
    }
    for (size_t k = 0; kinds[k] != NULL; k++) {
        attribute_name(kinds[k], NULL, wanted);
        if (!is_kept(kinds[k]))
            continue;
        if (strcmp(name, wanted) == 0)
            return true;
        for (size_t i = 0; i < kinds[k]->field_count; i++) {
            attribute_name(kinds[k], &kinds[k]->fields[i], wanted);
            if (strcmp(name, wanted) == 0)
                return true;
        }
    }
    return false;
}

/* Attributes and classes, and whatever a class names. */
static void nothing_is_there_that_nobody_uses(void **state)
{
    (void)state;
    for (size_t i = 0; i < slapd_conf.count; i++) {
        char text[DEFINITION_SIZE];
        const char *from = strstr(slapd_conf.list[i], " NAME ");
        if (from == NULL)
            continue;
        snprintf(text, sizeof text, "%s", from);
        for (char *word = strtok(text, " '"); word != NULL; word = strtok(NULL, " '")) {
            if (strncmp(word, "inkan", 5) == 0 && strcmp(word, "inkan") != 0 && !is_used(word))
                fail_msg("nobody uses %s", word);
        }
    }
}

static void no_identifier_is_used_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < slapd_conf.count; i++) {
        const char *end = strstr(slapd_conf.list[i], " NAME ");
        for (size_t k = 0; end != NULL && k < i; k++) {
            size_t len = (size_t)(end - slapd_conf.list[i]) + 1;
            if (strncmp(slapd_conf.list[i], slapd_conf.list[k], len) == 0)
                fail_msg("the same number: %s", slapd_conf.list[k]);
        }
    }
}

static void both_forms_say_the_same(void **state)
{
    static const struct {
        const char *slapd_conf, *cn_config;
    } words[] = {
        {"objectidentifier ", "olcObjectIdentifier: "},
        {"attributetype ", "olcAttributeTypes: "},
        {"objectclass ", "olcObjectClasses: "},
    };
    enum { HEAD = 3 }; /* dn:, objectClass:, cn: */
    (void)state;
    assert_int_equal(cn_config.count, slapd_conf.count + HEAD);
    for (size_t i = 0; i < slapd_conf.count; i++) {
        size_t w = 0;
        while (strncmp(slapd_conf.list[i], words[w].slapd_conf, strlen(words[w].slapd_conf)) != 0)
            assert_true(++w < sizeof words / sizeof words[0]);
        const char *other = cn_config.list[i + HEAD];
        assert_int_equal(strncmp(other, words[w].cn_config, strlen(words[w].cn_config)), 0);
        assert_string_equal(slapd_conf.list[i] + strlen(words[w].slapd_conf),
                            other + strlen(words[w].cn_config));
    }
}

int main(void)
{
    const struct CMUnitTest schema[] = {
        cmocka_unit_test(every_field_has_its_attribute),
        cmocka_unit_test(every_class_allows_the_fields_of_its_kind),
        cmocka_unit_test(what_no_field_has_is_there_too),
        cmocka_unit_test(a_register_is_known_by_its_class_alone),
        cmocka_unit_test(nothing_is_there_that_nobody_uses),
        cmocka_unit_test(no_identifier_is_used_twice),
        cmocka_unit_test(both_forms_say_the_same),
    };
    return cmocka_run_group_tests(schema, read_both, NULL);
}
