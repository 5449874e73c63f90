/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "admin/command.h"
#include "admin/rows.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000000 };

/* The newest events that fit, newest first as they are found. */
struct search {
    char domain[DKIM_DOMAIN_SIZE]; /* "": of any */
    size_t limit;
    struct rows found;
};

/* Events of a domain are its own and those of its keys, which are called `DOMAIN SELECTOR`. */
static bool is_about(const struct event *event, const char *domain)
{
    size_t len = strlen(domain);
    if (len == 0)
        return true;
    if (strncmp(event->name, domain, len) != 0)
        return false;
    return strcmp(event->kind, event->name[len] == ' ' ? "key" : "domain") == 0 &&
           (event->name[len] == ' ' || event->name[len] == '\0');
}

static enum status search_page(void *arg, struct rows *page, struct err *err)
{
    struct search *search = arg;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < page->count; i++) {
        page->enough = search->found.count == search->limit;
        if (page->enough)
            break;
        if (is_about(rows_at(page, i), search->domain))
            status = rows_take(&search->found, rows_at(page, i), err);
    }
    return status;
}

static enum status read_filters(const struct args *args, struct query *query, struct search *search,
                                struct err *err)
{
    int64_t limit = LIMIT_DEFAULT;
    enum status status =
        args_number(args, "--limit", (struct args_range){1, LIMIT_MAX}, &limit, err);
    if (status == ST_OK && args_has(args, "--domain"))
        status = admin_domain_name(args_option(args, "--domain"), search->domain, err);
    if (args_has(args, "--tenant"))
        rows_where_text(query, "tenant", args_option(args, "--tenant"));
    search->limit = (size_t)limit;
    return status;
}

static enum status list(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    struct query query = {.kind = &kind_event, .descending = true};
    struct search search = {.found = {.kind = &kind_event}};
    enum status status = read_filters(args, &query, &search, err);
    if (status == ST_OK)
        status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = rows_walk(store, &query, search_page, &search, err);
    if (status == ST_OK) {
        output_list_begin(&admin->output, NULL);
        for (size_t i = search.found.count; i > 0; i--)
            output_record(&admin->output, &kind_event, rows_at(&search.found, i - 1));
        output_list_end(&admin->output, &kind_event);
    }
    rows_clear(&search.found);
    return status;
}

static const struct command commands[] = {
    {"list", "[--tenant T] [--domain D] [--limit N]",
     "shows the last changes (100 without --limit), newest last", list},
    {NULL, NULL, NULL, NULL},
};

const struct noun audit_noun = {"audit", "who changed what", commands};
