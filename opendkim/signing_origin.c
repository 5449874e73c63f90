/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "opendkim/peers.h"
#include "opendkim/signing_internal.h"

/* Whether the look-up found it; one that fails finds nothing. */
static bool is_listed(const struct table *list, const char *text, size_t *line_out)
{
    struct table_found found;
    struct err ignored;
    bool listed = table_find(list, span_str(text), &found, &ignored) == ST_OK;
    *line_out = found.place.line;
    table_found_clear(&found);
    return listed;
}

const char *signing_macro_of(const struct signing_course *course, const char *name)
{
    const struct signing_question *question = course->question;
    for (size_t i = 0; i < question->macro_count; i++)
        if (strcmp(question->macros[i].name, name) == 0)
            return question->macros[i].value;
    return NULL;
}

/* -- MTA ---------------------------------------------------------------------------------- */

static void ask_mta(struct signing_course *course)
{
    size_t line = 0;
    const struct table *list = course->signing->sets[SIGNING_MTA];
    const char *name = signing_macro_of(course, "{daemon_name}");
    if (list == NULL)
        return;
    course->origin_ok = name != NULL && is_listed(list, name, &line);
    signing_step(course, "MTA: daemon name %s is %sin %s", name == NULL ? "(none)" : name,
                 course->origin_ok ? "" : "not ", table_name(list));
}

/* -- MacroList ---------------------------------------------------------------------------- */

/* The look-up of a macro with its value: the first row of that name and of that value, or of no
 * value. */
static bool macro_matches(const struct table *list, struct span name, const char *value)
{
    for (size_t i = 0; i < table_count(list); i++) {
        struct table_row row = table_row_at(list, i);
        if (span_equal(row.key, name) && (!row.has_value || span_equal(row.value, span_str(value))))
            return true;
    }
    return false;
}

/* Each macro that is set has its say, and the last one is right, also about what MTA said. */
static void ask_macros(struct signing_course *course)
{
    const struct table *list = course->signing->sets[SIGNING_MACROS];
    struct buf name = BUF_INIT(0);
    for (size_t i = 0; list != NULL && i < table_count(list); i++) {
        struct table_row row = table_row_at(list, i);
        buf_reset(&name);
        buf_printf(&name, "{%.*s}", (int)row.key.len, row.key.data);
        const char *value = signing_macro_of(course, buf_cstr(&name));
        if (value == NULL)
            continue;
        bool matches = macro_matches(list, row.key, value);
        if (course->origin_ok && !matches)
            signing_step(course, "MacroList: takes back what was allowed before");
        course->origin_ok = matches;
        signing_step(course, "MacroList: macro %s with value %s %s", buf_cstr(&name), value,
                     matches ? "matches" : "does not match");
    }
    buf_clear(&name);
}

/* -- InternalHosts and logins ------------------------------------------------------------- */

static bool is_internal(struct signing_course *course)
{
    const struct table *list = course->signing->sets[SIGNING_INTERNAL];
    const struct signing_question *question = course->question;
    struct sockaddr_in local = {.sin_family = AF_INET};
    struct table_found why = {.has_value = false};
    const char *host = question->host == NULL ? "" : question->host;
    const struct sockaddr *address = question->address;
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (address == NULL)
        address = (const struct sockaddr *)&local;
    if (list == NULL)
        return false; /* OpenDKIM did not start */
    bool internal = peers_contain_name(list, host, &why);
    const char *by = "name";
    if (!internal) {
        by = "address";
        internal = peers_contain_address(list, address, &why);
    }
    if (internal)
        signing_step(course, "InternalHosts: the client is in %s by its %s (line %zu)",
                     table_name(list), by, why.place.line);
    else
        signing_step(course, "InternalHosts: the client is not in %s", table_name(list));
    return internal;
}

void signing_decide_origin(struct signing_course *course)
{
    const char *type = signing_macro_of(course, "{auth_type}");
    ask_mta(course);
    ask_macros(course);
    if (course->origin_ok)
        return;
    course->origin_ok = is_internal(course);
    if (type != NULL && type[0] != '\0') {
        course->origin_ok = true;
        signing_step(course, "the client has logged in ({auth_type} is %s)", type);
    }
}
