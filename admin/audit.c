/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "admin/command.h"
#include "admin/progress.h"
#include "admin/rows.h"
#include "base/clock.h"
#include "storage/chain.h"

/* -- list ----------------------------------------------------------------------------------- */

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000000 };

/* The newest events that fit, newest first as they are found. */
struct search {
    char domain[DKIM_DOMAIN_SIZE]; /* "": of any */
    int64_t since, until;          /* not before the first, and before the second */
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

/* Events stand in the order of their commits, and clocks may differ from that a little or, on one
 * host, by much: the search ends where a whole page is too old. */
static enum status search_page(void *arg, struct rows *page, struct err *err)
{
    struct search *search = arg;
    enum status status = ST_OK;
    size_t old = 0;
    for (size_t i = 0; status == ST_OK && i < page->count; i++) {
        const struct event *event = rows_at(page, i);
        page->enough = search->found.count == search->limit;
        if (page->enough)
            return ST_OK;
        old += event->time < search->since;
        if (event->time >= search->since && event->time < search->until &&
            is_about(event, search->domain))
            status = rows_take(&search->found, event, err);
    }
    page->enough = old == page->count;
    return status;
}

/* Those that a store can apply itself. */
static void add_filters(const struct args *args, struct query *query)
{
    static const struct {
        const char *option, *field;
    } filters[] = {{"--tenant", "tenant"},
                   {"--kind", "kind"},
                   {"--name", "name"},
                   {"--actor", "actor"},
                   {"--action", "action"}};
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (args_has(args, filters[i].option))
            rows_where_text(query, filters[i].field, args_option(args, filters[i].option));
}

static enum status read_time(const struct args *args, const char *option, int64_t *out,
                             struct err *err)
{
    const char *text = args_option(args, option);
    if (text == NULL || clock_parse(text, out))
        return ST_OK;
    return err_set(err, ST_INVALID,
                   "%s: \"%.32s\": not a date (2026-11-21) or time (2026-11-21T12:00:00Z)", option,
                   text);
}

static enum status read_search(const struct args *args, struct search *search, struct err *err)
{
    int64_t limit = LIMIT_DEFAULT;
    enum status status =
        args_number(args, "--limit", (struct args_range){1, LIMIT_MAX}, &limit, err);
    if (status == ST_OK)
        status = read_time(args, "--since", &search->since, err);
    if (status == ST_OK)
        status = read_time(args, "--until", &search->until, err);
    if (status == ST_OK && args_has(args, "--domain"))
        status = admin_domain_name(args_option(args, "--domain"), search->domain, err);
    search->limit = (size_t)limit;
    return status;
}

static enum status list(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    struct query query = {.kind = &kind_event, .descending = true};
    struct search search = {.until = INT64_MAX, .found = {.kind = &kind_event}};
    add_filters(args, &query);
    enum status status = read_search(args, &search, err);
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

/* -- verify --------------------------------------------------------------------------------- */

struct verdict {
    int64_t events, unchained, beside, last_id;
    char *last_hash;
    int64_t whole;
    char *problem;
};
static const struct field verdict_fields[] = {
    OUTPUT_FIELD(struct verdict, events, FIELD_INT, 0),
    OUTPUT_FIELD(struct verdict, unchained, FIELD_INT, 0),
    OUTPUT_FIELD(struct verdict, beside, FIELD_INT, 0),
    OUTPUT_FIELD(struct verdict, last_id, FIELD_INT, 0),
    OUTPUT_FIELD(struct verdict, last_hash, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct verdict, whole, FIELD_BOOL, 0),
    OUTPUT_FIELD(struct verdict, problem, FIELD_TEXT, 0),
};
static const struct kind kind_verdict = OUTPUT_KIND("verdict", struct verdict, verdict_fields);

/* A walk along the chain, up to the first event that does not fit. */
struct inspection {
    struct chain chain;
    const char *expect; /* a hash that must be in it; NULL: none */
    bool found;         /* it is */
    struct err problem; /* ST_OK: none */
    struct progress progress;
};

static void name_problem(struct inspection *inspection, enum chain_link link,
                         const struct event *event)
{
    static const char *const texts[] = {
        [CHAIN_BARE] = "has no hash, and events before it have one",
        [CHAIN_FOREIGN] = "was put in: the event behind it follows the one before it",
        [CHAIN_CHANGED] = "was changed",
        [CHAIN_GAP] = "was changed, or one before it is missing",
    };
    char date[CLOCK_DATE_SIZE];
    const struct chain *chain = &inspection->chain;
    bool last = link == CHAIN_FOREIGN;
    clock_date(last ? chain->last_time : event->time, date);
    err_set(&inspection->problem, ST_NOT_FOUND, "the chain is broken: event %" PRId64 " (%s) %s",
            last ? chain->last_id : event->id, date, texts[link]);
}

static enum status inspect_page(void *arg, struct rows *page, struct err *err)
{
    struct inspection *inspection = arg;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < page->count && !page->enough; i++) {
        const struct event *event = rows_at(page, i);
        enum chain_link link = CHAIN_FITS;
        int64_t before = inspection->chain.last_id;
        status = chain_add(&inspection->chain, event, &link, err);
        page->enough = link != CHAIN_FITS;
        if (page->enough)
            name_problem(inspection, link, event);
        if (inspection->expect != NULL && strcmp(inspection->chain.last, inspection->expect) == 0)
            inspection->found = true;
        progress_add(&inspection->progress, event->id - before);
    }
    return status;
}

/* The number of the newest event is what there is to do. */
static enum status begin_progress(struct store *store, struct inspection *inspection,
                                  struct err *err)
{
    struct query query = {.kind = &kind_event, .descending = true, .limit = 1};
    struct rows newest = {.kind = &kind_event};
    enum status status = store_find(store, &query, rows_take, &newest, err);
    const struct event *event = newest.count > 0 ? rows_at(&newest, 0) : NULL;
    progress_begin(&inspection->progress, "verifying", event != NULL ? event->id : 0);
    rows_clear(&newest);
    return status;
}

static enum status inspect(struct store *store, struct inspection *inspection, struct err *err)
{
    struct query query = {.kind = &kind_event};
    enum status status = begin_progress(store, inspection, err);
    if (status == ST_OK)
        status = rows_walk(store, &query, inspect_page, inspection, err);
    progress_end(&inspection->progress);
    bool whole = inspection->problem.code == ST_OK;
    if (whole && inspection->expect != NULL && !inspection->found)
        err_set(&inspection->problem, ST_NOT_FOUND,
                "no event has the hash %s: the log was cut off before it, or written anew",
                inspection->expect);
    return status;
}

static void answer_people(struct output *output, const struct chain *chain)
{
    struct buf more = BUF_INIT(0);
    if (chain->unchained > 0)
        buf_printf(&more, " (%" PRId64 " older than the chain)", chain->unchained);
    if (chain->beside > 0)
        buf_printf(&more, " (%" PRId64 " beside it, of copies)", chain->beside);
    output_line(output, "%" PRId64 " events%s, chain whole, last %s", chain->events,
                buf_cstr(&more), chain->last[0] != '\0' ? chain->last : "none");
    buf_clear(&more);
}

static void answer(struct output *output, struct inspection *inspection)
{
    struct chain *chain = &inspection->chain;
    bool whole = inspection->problem.code == ST_OK;
    struct verdict verdict = {.events = chain->events,
                              .unchained = chain->unchained,
                              .beside = chain->beside,
                              .last_id = chain->last_id,
                              .last_hash = chain->last,
                              .whole = whole,
                              .problem = inspection->problem.text};
    if (output->json)
        output_record(output, &kind_verdict, &verdict);
    else if (whole)
        answer_people(output, chain);
}

static bool is_hash(const char *text)
{
    return strlen(text) == CHAIN_HASH_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == CHAIN_HASH_SIZE - 1;
}

static enum status verify(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    struct inspection inspection = {.expect = args_option(args, "--expect")};
    if (inspection.expect != NULL && !is_hash(inspection.expect))
        return err_set(err, ST_INVALID,
                       "--expect: \"%.64s\": not a hash (%d digits, 0 to 9 and a to f)",
                       inspection.expect, CHAIN_HASH_SIZE - 1);
    enum status status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = inspect(store, &inspection, err);
    if (status != ST_OK)
        return status;
    answer(&admin->output, &inspection);
    *err = inspection.problem;
    return err->code;
}

static const struct command commands[] = {
    {"list",
     "[--tenant T] [--domain D] [--kind K] [--name N] [--actor A] [--action A] [--since WHEN] "
     "[--until WHEN] [--limit N]",
     "shows the last changes that fit (100 without --limit), newest last", list},
    {"verify", "[--expect HASH]",
     "recomputes the chain of hashes over all events, in which HASH must be if given", verify},
    {NULL, NULL, NULL, NULL},
};

const struct noun audit_noun = {"audit", "who changed what", commands};
