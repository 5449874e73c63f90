/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "admin/dns.h"
#include "admin/proofs.h"

/* CNAMEs of domains that were removed. Their targets are in the events of the removal, and nowhere
 * else any more. */
struct search {
    struct admin *admin;
    struct proofs proofs;
    struct progress progress;
    int64_t found, unknown;
};

struct left_behind {
    char *domain, *selector, *name, *target;
    int64_t removed;
};

static const struct field left_fields[] = {
    OUTPUT_FIELD(struct left_behind, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct left_behind, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct left_behind, name, FIELD_TEXT, FIELD_WIDE),
    OUTPUT_FIELD(struct left_behind, target, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct left_behind, removed, FIELD_TIME, 0),
};
static const struct kind left_kind = OUTPUT_KIND("alias", struct left_behind, left_fields);

/* The domain's delegation in the detail of its removal, "" without one. Free text stands behind
 * it. */
static struct span find_delegation(struct span detail)
{
    struct span part;
    while (span_next(&detail, ';', &part)) {
        struct span prefix = SPAN_LIT("delegation=");
        if (span_has_prefix(span_trim(part), prefix))
            return span_from(span_trim(part), prefix.len);
        if (span_has_prefix(span_trim(part), SPAN_LIT("note=")))
            break;
    }
    return (struct span){"", 0};
}

static enum status add_slots(const struct event *event, struct rows *keys, struct err *err)
{
    char delegation[DKIM_DOMAIN_SIZE];
    struct err why;
    struct span text = find_delegation(span_str(event->detail));
    enum status status = ST_OK;
    if (text.len == 0 || dkim_domain_normalize(text, delegation, &why) != ST_OK)
        return ST_OK;
    for (int64_t algorithm = 0; algorithm < DKIM_ALGORITHMS; algorithm++)
        for (int number = 1; status == ST_OK && number <= DELEGATION_SLOTS; number++) {
            const struct delegation_slot slot = {event->name, delegation, algorithm, number};
            status = dns_slots_add(&slot, keys, err);
            if (status == ST_OK)
                ((struct key *)rows_at(keys, keys->count - 1))->destroyed = event->time;
        }
    return status;
}

static void tell(struct search *search, const struct proofs_item *item)
{
    const struct key *key = item->key;
    struct output *output = &search->admin->output;
    struct left_behind row = {key->domain, key->selector, (char *)(uintptr_t)item->record.name,
                              key->target, key->destroyed};
    search->unknown += item->proof.verdict == WITNESS_UNKNOWN;
    if (!proof_leads_to(&item->proof, key->target))
        return;
    search->found++;
    output_record(output, &left_kind, &row);
}

static enum status ask(struct search *search, const struct rows *keys, struct err *err)
{
    struct proofs_item *items = calloc(keys->count + 1, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < keys->count; i++)
        items[i] = (struct proofs_item){.key = rows_at(keys, i), .alias = true};
    enum status status = proofs_make(&search->proofs, items, keys->count, &search->progress, err);
    for (size_t i = 0; i < keys->count; i++) {
        if (status == ST_OK)
            tell(search, &items[i]);
        proofs_clear(&items[i]);
    }
    free(items);
    return status;
}

static enum status search_page(void *arg, struct rows *page, struct err *err)
{
    struct rows keys = {.kind = &kind_key};
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < page->count; i++)
        status = add_slots(rows_at(page, i), &keys, err);
    if (status == ST_OK)
        status = ask(arg, &keys, err);
    rows_clear(&keys);
    return status;
}

/* That nothing was found says something only if everything was looked at. What was said in full has
 * an empty error. */
static enum status verdict_of(const struct search *search, struct err *err)
{
    output_line(&search->admin->output,
                "%" PRId64 " CNAMEs of removed domains still lead here; %" PRId64
                " names could not be asked for",
                search->found, search->unknown);
    if (search->found > 0)
        return err_set(err, ST_NOT_FOUND, "%s", "");
    if (search->unknown > 0)
        return err_set(err, ST_TEMP,
                       "whether %" PRId64
                       " CNAMEs of removed domains still lead here is not known: "
                       "DNS gave no answer; ask again later",
                       search->unknown);
    return ST_OK;
}

static enum status search_all(struct search *search, struct err *err)
{
    struct store *store;
    struct query query = {.kind = &kind_event};
    struct output *output = &search->admin->output;
    rows_where_text(&query, "kind", "domain");
    rows_where_text(&query, "action", "domain.remove");
    enum status status = admin_store(search->admin, &store, err);
    if (status != ST_OK)
        return status;
    progress_begin(&search->progress, "asking", 0);
    output_list_begin(output, NULL);
    status = rows_walk(store, &query, search_page, search, err);
    progress_end(&search->progress);
    if (status != ST_OK)
        return status;
    output_list_end(output, &left_kind);
    return verdict_of(search, err);
}

enum status dns_dangling(struct admin *admin, struct err *err)
{
    struct search search = {.admin = admin};
    enum status status = proofs_open(admin, &search.proofs, err);
    if (status == ST_OK)
        status = search_all(&search, err);
    proofs_close(&search.proofs);
    return status;
}
