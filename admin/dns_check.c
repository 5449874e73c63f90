/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/dns.h"

#include <inttypes.h>
#include <stdlib.h>

#include "admin/proofs.h"
#include "admin/rows.h"

struct check {
    struct admin *admin;
    struct proofs proofs;
    struct progress progress;
    bool all;                         /* what is right is told in one line */
    int64_t counts[WITNESS_VERDICTS]; /* keys, by verdict */
};

/* -- answers in JSON -------------------------------------------------------------------------- */

struct check_row {
    char *domain, *selector, *state, *verdict, *name, *value, *target;
    int64_t ttl; /* the largest seen, -1 if no record was */
};

static const struct field row_fields[] = {
    OUTPUT_FIELD(struct check_row, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_row, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_row, state, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_row, verdict, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_row, name, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_row, value, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_row, target, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_row, ttl, FIELD_INT, 0),
};
static const struct kind row_kind = OUTPUT_KIND("check", struct check_row, row_fields);

struct check_server {
    char *server, *address, *verdict, *answer, *detail;
};

static const struct field server_fields[] = {
    OUTPUT_FIELD(struct check_server, server, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_server, address, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_server, verdict, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_server, answer, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct check_server, detail, FIELD_TEXT, 0),
};
static const struct kind server_kind = OUTPUT_KIND("server", struct check_server, server_fields);

/* The tables of fields have no constant texts; nothing here is written to. */
static char *lent(const char *text)
{
    return (char *)(uintptr_t)text;
}

static const char *state_name(const struct key *key)
{
    if (key->version == 0)
        return "free"; /* a slot that no key has had */
    return kind_field(&kind_key, SPAN_LIT("state"))->names[key->state];
}

static void tell_servers(struct output *output, const struct proof *proof)
{
    output_list_begin(output, "servers");
    for (size_t i = 0; i < proof->count; i++) {
        struct witness *witness = &proof->witnesses[i];
        struct check_server row = {witness->server, witness->address,
                                   lent(witness_verdict_name(witness->verdict)), witness->answer,
                                   witness->sentence};
        output_record(output, &server_kind, &row);
    }
    output_list_end(output, &server_kind);
}

static void tell_json(struct output *output, struct proofs_item *item, struct span advice)
{
    const char *aliases[PROOF_ALIASES_MAX];
    struct proof *proof = &item->proof;
    struct check_row row = {
        item->key->domain,           item->key->selector,
        lent(state_name(item->key)), lent(witness_verdict_name(proof->verdict)),
        item->record.name,           item->alias ? NULL : lent(buf_cstr(&item->record.value)),
        item->key->target,           proof->ttl_max_s};
    for (size_t i = 0; i < proof->alias_count; i++)
        aliases[i] = proof->aliases[i];
    output_begin(output, &row_kind, &row);
    output_texts(output, "cname", aliases, proof->alias_count);
    tell_servers(output, proof);
    output_text(output, "advice", advice);
    output_end(output);
}

/* -- answers for people ----------------------------------------------------------------------- */

static void tell_details(struct output *output, struct proofs_item *item)
{
    const struct proof *proof = &item->proof;
    bool alias = item->wanted.what == WITNESS_ALIAS;
    output_line(output, "  %s %s %s", item->record.name, alias ? "CNAME" : "TXT",
                alias ? item->key->target : buf_cstr(&item->record.value));
    for (size_t i = 0; i < proof->alias_count; i++)
        output_line(output, "  alias of %s", proof->aliases[i]);
    for (size_t i = 0; i < proof->count; i++) {
        const struct witness *witness = &proof->witnesses[i];
        output_line(output, "  %s%s%s: %s: %s", witness->server,
                    witness->address[0] != '\0' ? " " : "", witness->address,
                    witness_verdict_name(witness->verdict), witness->sentence);
        if (witness->verdict == WITNESS_WRONG && witness->answer != NULL)
            output_line(output, "    %s", witness->answer);
    }
}

static void tell_people(const struct check *check, struct proofs_item *item, struct span advice)
{
    struct output *output = &check->admin->output;
    bool right = item->proof.verdict == WITNESS_RIGHT;
    output_line(output, "%s %s (%s): %s", item->key->domain, item->key->selector,
                state_name(item->key), witness_verdict_name(item->proof.verdict));
    if (!right || !check->all)
        tell_details(output, item);
    if (!right)
        output_line(output, "  to do: %.*s", (int)advice.len, advice.data);
}

static void tell_sum(const struct check *check)
{
    int64_t sum = 0;
    for (size_t i = 0; i < WITNESS_VERDICTS; i++)
        sum += check->counts[i];
    if (check->all || sum == 0)
        output_line(&check->admin->output,
                    "%" PRId64 " keys: %" PRId64 " right, %" PRId64 " wrong, %" PRId64
                    " missing, %" PRId64 " unknown",
                    sum, check->counts[WITNESS_RIGHT], check->counts[WITNESS_WRONG],
                    check->counts[WITNESS_MISSING], check->counts[WITNESS_UNKNOWN]);
}

/* -- looking ---------------------------------------------------------------------------------- */

static void tell(struct check *check, struct proofs_item *item)
{
    struct buf advice = BUF_INIT(0);
    proof_advice(&item->proof, &item->wanted, &advice);
    check->counts[item->proof.verdict]++;
    if (check->admin->output.json)
        tell_json(&check->admin->output, item, buf_span(&advice));
    else
        tell_people(check, item, buf_span(&advice));
    buf_clear(&advice);
}

static enum status check_items(struct check *check, struct proofs_item *items, size_t count,
                               struct err *err)
{
    enum status status = proofs_make(&check->proofs, items, count, &check->progress, err);
    for (size_t i = 0; i < count; i++) {
        if (status == ST_OK)
            tell(check, &items[i]);
        proofs_clear(&items[i]);
    }
    return status;
}

/* Of slots whose key has no record, or that have no key: that their CNAME is there for the next. */
static enum status check_page(void *arg, struct rows *page, struct err *err)
{
    size_t count = 0;
    struct proofs_item *items = calloc(page->count, sizeof *items);
    if (items == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < page->count; i++) {
        const struct key *key = rows_at(page, i);
        bool has_record = lifecycle_has_record((enum key_state)key->state);
        if (has_record || delegation_has(key))
            items[count++] = (struct proofs_item){.key = key, .alias = !has_record};
    }
    enum status status = check_items(arg, items, count, err);
    free(items);
    return status;
}

/* What was said in full has an empty error. */
static enum status verdict_of(const struct check *check, struct err *err)
{
    tell_sum(check);
    if (check->counts[WITNESS_WRONG] + check->counts[WITNESS_MISSING] > 0)
        return err_set(err, ST_NOT_FOUND, "%s", "");
    if (check->counts[WITNESS_UNKNOWN] > 0)
        return err_set(err, ST_TEMP, "%s", "");
    return ST_OK;
}

static enum status check_keys(struct check *check, const char *domain, const struct query *query,
                              struct err *err)
{
    struct store *store;
    int64_t total = 0;
    enum status status = admin_store(check->admin, &store, err);
    if (status == ST_OK)
        status = rows_count(store, query, &total, err);
    if (status != ST_OK)
        return status;
    progress_begin(&check->progress, "asking", total);
    output_list_begin(&check->admin->output, NULL);
    status = dns_walk(check->admin, domain, check_page, check, err);
    progress_end(&check->progress);
    if (status != ST_OK)
        return status;
    output_list_end(&check->admin->output, &row_kind);
    return verdict_of(check, err);
}

enum status dns_check(struct admin *admin, const struct args *args, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    struct query query;
    struct check check = {.admin = admin, .all = args_has(args, "--all")};
    if (args_has(args, "--dangling") && args->word_count == 0 && !check.all)
        return dns_dangling(admin, err);
    if (args_has(args, "--dangling"))
        return err_set(err, ST_INVALID, "--dangling: goes without a domain and without --all");
    enum status status = dns_which_keys(admin, args, name, &query, err);
    if (status == ST_OK)
        status = proofs_open(admin, &check.proofs, err);
    if (status == ST_OK)
        status = check_keys(&check, name, &query, err);
    proofs_close(&check.proofs);
    return status;
}
