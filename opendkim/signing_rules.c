/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opendkim/signing_internal.h"

enum { FORM_MAX = 256 }; /* OpenDKIM cuts addresses that it asks for */

/* A hit in SigningTable. */
struct hit {
    struct span value;
    bool has_value;
    struct notes_place place;
};

static char *dup_replaced(struct span text, struct span domain)
{
    struct buf out = BUF_INIT(0);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '%')
            buf_append_span(&out, domain);
        else
            buf_append_char(&out, text.data[i]);
    }
    return buf_take(&out);
}

/* -- the key ------------------------------------------------------------------------------ */

static void add_key(struct signing_course *course, struct signing_request *request,
                    const struct keytable_entry *entry)
{
    const struct keytable_key *key = NULL;
    struct span author = buf_span(&course->domain);
    bool safe = configuration_flag(course->signing->options.configuration, "RequireSafeKeys");
    struct err err;
    request->domain = span_dup(entry->any_domain ? author : entry->domain);
    request->any_domain = entry->any_domain;
    request->any_key = request->any_key || (entry->any_domain && entry->has_percent);
    request->selector = span_dup(entry->selector);
    if (keytable_load(course->signing->loader, entry, author, &key, &err) != ST_OK)
        course->failed = true;
    else if (!key->found)
        signing_finish(course, SIGNING_TEMPFAIL, "key %s: %s", request->key_name, key->fault);
    else if (!key->secure && safe)
        signing_finish(course, SIGNING_TEMPFAIL, "key %s: not secure: %s", request->key_name,
                       key->fault);
    course->answer->any_key = course->done && request->any_key;
    if (course->failed || course->done)
        signing_request_clear(request);
    else
        signing_add_request(course, request, key);
}

/* A row without a value is a key of nothing, which is found out when it is to sign. */
static void add_nothing(struct signing_course *course, struct signing_request *request)
{
    static const struct keytable_key nothing = {
        .found = true, .secure = true, .fault = "the row in KeyTable has no value"};
    request->domain = span_dup(SPAN_LIT(""));
    request->selector = span_dup(SPAN_LIT(""));
    signing_add_request(course, request, &nothing);
}

static void find_key(struct signing_course *course, struct signing_request *request)
{
    struct table_found found;
    struct keytable_entry entry;
    struct err err;
    const struct table *keys = course->signing->sets[SIGNING_KEYS];
    struct span name = span_str(request->key_name);
    enum status status = table_find(keys, name, &found, &err);
    bool parsed =
        status == ST_OK && found.has_value && keytable_parse(found.value, &entry, &err) == ST_OK;
    if (status == ST_OK)
        signing_step(course, "KeyTable: %s is in %s, line %zu", request->key_name, table_name(keys),
                     found.place.line);
    if (status == ST_NOT_FOUND)
        signing_finish(course, SIGNING_TEMPFAIL,
                       "SigningTable names the key %s, which is not in %s", request->key_name,
                       table_name(keys));
    else if (status != ST_OK || (found.has_value && !parsed))
        signing_fail(course, "KeyTable", request->key_name, &err);
    course->answer->any_key = course->done && request->any_key;
    if (course->done)
        signing_request_clear(request);
    else if (parsed)
        add_key(course, request, &entry);
    else
        add_nothing(course, request);
    table_found_clear(&found);
}

/* -- the rule ----------------------------------------------------------------------------- */

static void take_hit(struct signing_course *course, const char *form, const struct hit *hit)
{
    struct span parts[2] = {{"", 0}, {"", 0}};
    struct span author = buf_span(&course->domain);
    signing_step(course, "SigningTable: %s matches in %s, line %zu", form,
                 table_name(course->signing->sets[SIGNING_RULES]), hit->place.line);
    if (hit->has_value && table_split(hit->value, 2, parts) == 0) {
        signing_finish(course, SIGNING_TEMPFAIL, "SigningTable: line %zu has an empty value",
                       hit->place.line);
        return;
    }
    if (hit->has_value && parts[0].len == 0 &&
        table_type_of(course->signing->sets[SIGNING_RULES]) != TABLE_REFILE) {
        signing_finish(course, SIGNING_TEMPFAIL, "SigningTable: line %zu names no key",
                       hit->place.line);
        return;
    }
    struct signing_request request = {.any_key = span_equal(parts[0], SPAN_LIT("%")),
                                      .any_identity = span_find(parts[1], '%') < parts[1].len};
    request.key_name = span_dup(request.any_key ? author : parts[0]);
    if (parts[1].len > 0)
        request.identity = dup_replaced(parts[1], author);
    if (request.key_name == NULL || (parts[1].len > 0 && request.identity == NULL)) {
        course->failed = true;
        signing_request_clear(&request);
        return;
    }
    find_key(course, &request);
}

/* Whether to go on asking. */
static bool goes_on(const struct signing_course *course)
{
    bool multiple =
        configuration_flag(course->signing->options.configuration, "MultipleSignatures");
    return !course->done && !course->failed && (multiple || course->request_count == 0);
}

/* -- forms of an address ------------------------------------------------------------------ */

static void ask_form(struct signing_course *course, const char *user, const char *domain)
{
    char form[FORM_MAX + 1];
    struct table_found found;
    struct err err;
    const struct table *rules = course->signing->sets[SIGNING_RULES];
    if (!goes_on(course))
        return;
    snprintf(form, sizeof form, "%s%s%s", user == NULL ? "" : user, user == NULL ? "" : "@",
             domain);
    enum status status = table_find(rules, span_str(form), &found, &err);
    struct hit hit = {found.value, found.has_value, found.place};
    if (status == ST_OK)
        take_hit(course, form, &hit);
    else if (status != ST_NOT_FOUND)
        signing_fail(course, "SigningTable", form, &err);
    table_found_clear(&found);
}

static void ask_forms(struct signing_course *course)
{
    const char *user = buf_cstr(&course->user);
    const char *domain = buf_cstr(&course->domain);
    ask_form(course, user, domain);
    ask_form(course, NULL, domain);
    for (const char *rest = strchr(domain, '.'); rest != NULL; rest = strchr(rest + 1, '.')) {
        ask_form(course, user, rest);
        ask_form(course, NULL, rest);
    }
    ask_form(course, user, "*");
    ask_form(course, NULL, "*");
}

/* -- patterns ----------------------------------------------------------------------------- */

static void ask_patterns(struct signing_course *course)
{
    const struct table *rules = course->signing->sets[SIGNING_RULES];
    char address[FORM_MAX + 1];
    size_t row = 0;
    snprintf(address, sizeof address, "%s@%s", buf_cstr(&course->user), buf_cstr(&course->domain));
    for (; goes_on(course) && table_match(rules, address, &row); row++) {
        struct table_row found = table_row_at(rules, row);
        struct hit hit = {found.value, found.has_value, found.place};
        if (found.has_value)
            take_hit(course, address, &hit);
        else
            signing_finish(course, SIGNING_STOPPED,
                           "OpenDKIM crashes: line %zu of %s matches and has no value",
                           found.place.line, table_name(rules));
    }
}

bool signing_apply_rules(struct signing_course *course)
{
    const struct table *rules = course->signing->sets[SIGNING_RULES];
    size_t before = course->request_count;
    if (table_type_of(rules) == TABLE_REFILE)
        ask_patterns(course);
    else
        ask_forms(course);
    if (!course->done && course->request_count == before)
        signing_step(course, "SigningTable: nothing in %s matches %s@%s", table_name(rules),
                     buf_cstr(&course->user), buf_cstr(&course->domain));
    return course->request_count > before;
}
