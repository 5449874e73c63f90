/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/dns.h"

#include "admin/command.h"
#include "admin/keys.h"
#include "admin/rows.h"

struct listing {
    struct output *output;
    struct records_writer writer;
    struct buf text;
    int ttl_s;
    bool targets; /* what we publish for delegated domains, and not what their owners do */
};

/* A gravestone comes in the place of the key's record. */
static enum status make_record(const struct key *key, struct record *out, struct err *err)
{
    enum status status = keys_record_at_target(key, out, err);
    if (status == ST_OK && lifecycle_is_gravestone((enum key_state)key->state))
        status = records_replace(out, (enum dkim_algorithm)key->algorithm,
                                 buf_span(&key->public_key), err);
    return status;
}

static enum status add_key(struct listing *listing, const struct key *key, struct err *err)
{
    struct record record = {.value = BUF_INIT(0)};
    bool alias = delegation_has(key) && !listing->targets;
    bool ours = delegation_has(key) == listing->targets;
    if (!alias && (!ours || !lifecycle_has_record((enum key_state)key->state)))
        return ST_OK;
    enum status status =
        alias ? dns_slots_alias(key, &record, err) : make_record(key, &record, err);
    record.ttl_s = listing->ttl_s;
    if (status == ST_OK)
        records_add(&listing->writer, &record);
    records_clear(&record);
    return status;
}

static enum status pass_on(struct listing *listing, struct err *err)
{
    enum status status = buf_check(&listing->text, "records", err);
    if (status == ST_OK)
        output_raw(listing->output, buf_span(&listing->text));
    buf_reset(&listing->text);
    return status;
}

static enum status write_page(void *arg, struct rows *page, struct err *err)
{
    struct listing *listing = arg;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < page->count; i++)
        status = add_key(listing, rows_at(page, i), err);
    return status == ST_OK ? pass_on(listing, err) : status;
}

static enum status write_all(struct admin *admin, const char *domain, enum records_format format,
                             bool targets, struct err *err)
{
    struct listing listing = {.output = &admin->output, .targets = targets};
    const struct settings *settings;
    enum status status = admin_settings(admin, &settings, err);
    if (status != ST_OK)
        return status;
    listing.ttl_s = (int)settings->dns.ttl_s;
    records_begin(&listing.writer, format, &listing.text);
    status = dns_walk(admin, domain, write_page, &listing, err);
    if (status == ST_OK) {
        records_end(&listing.writer);
        status = pass_on(&listing, err);
    }
    buf_clear(&listing.text);
    return status;
}

/* The domain named, or "" for all of them. */
static enum status which_domain(struct admin *admin, const struct args *args,
                                char name[DKIM_DOMAIN_SIZE], struct err *err)
{
    struct store *store;
    struct domain domain = {.name = NULL};
    name[0] = '\0';
    if (args_has(args, "--all") == (args->word_count > 0))
        return err_set(err, ST_INVALID, "give either a domain or --all");
    if (args->word_count == 0)
        return ST_OK;
    enum status status = admin_domain_name(args->words[0], name, err);
    if (status == ST_OK)
        status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = admin_named(store_domain(store, name, &domain, err), err);
    kind_clear(&kind_domain, &domain);
    return status;
}

enum status dns_which_keys(struct admin *admin, const struct args *args,
                           char name[DKIM_DOMAIN_SIZE], struct query *out, struct err *err)
{
    *out = (struct query){.kind = &kind_key};
    enum status status = which_domain(admin, args, name, err);
    if (status == ST_OK && name[0] != '\0')
        rows_where_text(out, "domain", name);
    return status;
}

static enum status records(struct admin *admin, const struct args *args, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    enum records_format format = admin->output.json ? RECORDS_JSON : RECORDS_ZONE;
    const char *given = args_option(args, "--format");
    enum status status = ST_OK;
    if (given != NULL && records_format_parse(span_str(given), &format, err) != ST_OK)
        return err_context(err, "--format");
    if (admin->output.json && format != RECORDS_JSON)
        return err_set(err, ST_INVALID, "--json and --format %s exclude each other", given);
    status = which_domain(admin, args, name, err);
    return status == ST_OK ? write_all(admin, name, format, args_has(args, "--targets"), err)
                           : status;
}

static const struct command commands[] = {
    {"records",
     "[DOMAIN] [--all] [--targets] "
     "[--format zone|oneline|json|nsupdate|powerdns|route53|cloudflare|octodns]",
     "prints what owners publish, TXT or CNAME; --targets: the TXT records their CNAMEs lead to",
     records},
    {"check", "[DOMAIN] [--all] [--dangling]",
     "asks all name servers for these records; --dangling: for CNAMEs that were left behind",
     dns_check},
    {"publish", "[DOMAIN] [--all]",
     "adds, replaces and removes these records through dynamic updates", dns_publish},
    {"onboard", "DOMAIN [--spf-include NAME] [--reports ADDRESS] [--adsp]",
     "prints a text for a new customer: its records, and suggested SPF and DMARC", dns_onboard},
    {NULL, NULL, NULL, NULL},
};

const struct noun dns_noun = {"dns", "the records to publish, and what DNS shows", commands};
