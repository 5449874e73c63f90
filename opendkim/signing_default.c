/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "opendkim/signing_internal.h"

/* -- Domain and SubDomains ---------------------------------------------------------------- */

static bool is_domain(struct signing_course *course, const char *domain)
{
    struct table_found found;
    struct err err;
    const struct table *list = course->signing->sets[SIGNING_DOMAINS];
    enum status status = table_find(list, span_str(domain), &found, &err);
    bool listed = status == ST_OK;
    if (status != ST_OK && status != ST_NOT_FOUND)
        signing_fail(course, "Domain", domain, &err);
    if (listed)
        signing_step(course, "Domain: %s is in %s, line %zu", domain, table_name(list),
                     found.place.line);
    table_found_clear(&found);
    return listed;
}

/* A parent that signs takes the place of the author's domain. */
static void ask_parents(struct signing_course *course)
{
    char *domain = span_dup(buf_span(&course->domain));
    if (domain == NULL) {
        course->failed = true;
        return;
    }
    for (const char *rest = strchr(domain, '.');
         rest != NULL && rest[1] != '\0' && !course->domain_ok && !course->done;
         rest = strchr(rest + 1, '.')) {
        course->domain_ok = is_domain(course, rest + 1);
        if (!course->domain_ok)
            continue;
        buf_reset(&course->domain);
        buf_append_str(&course->domain, rest + 1);
        course->parent = true;
    }
    free(domain);
}

void signing_decide_domain(struct signing_course *course)
{
    if (course->signing->sets[SIGNING_DOMAINS] == NULL)
        return;
    course->domain_ok =
        is_domain(course, buf_cstr(&course->domain)) || (!course->done && is_domain(course, "*"));
    if (!course->domain_ok && !course->done &&
        configuration_flag(course->signing->options.configuration, "SubDomains"))
        ask_parents(course);
    if (!course->domain_ok && !course->done)
        signing_step(course, "Domain: %s is not in %s", buf_cstr(&course->domain),
                     table_name(course->signing->sets[SIGNING_DOMAINS]));
}

void signing_request_default(struct signing_course *course)
{
    const struct configuration *configuration = course->signing->options.configuration;
    const char *selector = configuration_text(configuration, "Selector");
    const char *path = configuration_text(configuration, "KeyFile");
    const struct keytable_key *key = NULL;
    struct err err;
    if (selector == NULL || path == NULL || course->signing->sets[SIGNING_KEYS] != NULL) {
        signing_finish(course, SIGNING_TEMPFAIL, "there is no KeyFile with a Selector");
        return;
    }
    if (keytable_load_file(course->signing->loader, path, &key, &err) != ST_OK) {
        course->failed = true;
        return;
    }
    struct signing_request request = {.domain = span_dup(buf_span(&course->domain)),
                                      .selector = span_dup(span_str(selector)),
                                      .key_name = span_dup(span_str(path)),
                                      .any_domain = !course->parent};
    if (course->parent) {
        struct buf identity = BUF_INIT(0);
        buf_printf(&identity, "@%s", buf_cstr(&course->domain));
        request.identity = buf_take(&identity);
    }
    signing_add_request(course, &request, key);
}

/* -- KeyList ------------------------------------------------------------------------------ */

bool signing_apply_keylist(struct signing_course *course)
{
    struct buf address = BUF_INIT(0);
    struct buf path = BUF_INIT(0);
    const struct keytable_key *key = NULL;
    struct err err;
    buf_printf(&address, "%s@%s", buf_cstr(&course->user), buf_cstr(&course->domain));
    const struct keylist_row *row = keylist_find(&course->signing->keylist, buf_span(&address));
    if (row == NULL) {
        signing_step(course, "KeyList: nothing matches %s", buf_cstr(&address));
    } else {
        signing_step(course, "KeyList: line %zu matches %s", row->line, buf_cstr(&address));
        keylist_file(row, &path);
        struct signing_request request = {.domain = span_dup(span_str(row->domain)),
                                          .selector = span_dup(span_str(row->selector)),
                                          .key_name = span_dup(buf_span(&path))};
        if (keytable_load_file(course->signing->loader, buf_cstr(&path), &key, &err) != ST_OK)
            course->failed = true;
        if (course->failed)
            signing_request_clear(&request);
        else
            signing_add_request(course, &request, key);
    }
    buf_clear(&address);
    buf_clear(&path);
    return row != NULL;
}
