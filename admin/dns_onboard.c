/* SPDX-License-Identifier: Apache-2.0
 *
 * The text for a new customer: which records to publish so that mail is signed, and which others
 * to think of. Only the first are ours to know. The others depend on who else sends mail for the
 * domain, so they are suggestions that do no harm: SPF that refuses nothing yet (RFC 7208), DMARC
 * that only asks for reports (RFC 9989), and on request ADSP (RFC 5617), which is historic.
 */
#include "admin/command.h"
#include "admin/dns.h"
#include "admin/keys.h"
#include "admin/rows.h"

struct advice {
    char *name, *type, *value, *purpose;
};
static const struct field advice_fields[] = {
    OUTPUT_FIELD(struct advice, name, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct advice, type, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct advice, value, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct advice, purpose, FIELD_TEXT, 0),
};
static const struct kind advice_kind = OUTPUT_KIND("record", struct advice, advice_fields);

struct subject {
    char *domain;
};
static const struct field subject_fields[] = {
    OUTPUT_FIELD(struct subject, domain, FIELD_TEXT, 0),
};
static const struct kind subject_kind = OUTPUT_KIND("subject", struct subject, subject_fields);

struct onboarding {
    struct output *output;
    const char *domain;
    size_t count; /* records for signatures, so far */
    struct records_writer writer;
    struct buf text; /* for people: the records as a master file has them */
};

/* -- one record -------------------------------------------------------------------------------- */

static void tell(struct onboarding *o, struct record *record, const char *purpose)
{
    const char *type = record->type == RECORDS_CNAME ? "CNAME" : "TXT";
    const struct advice advice = {record->name, (char *)(uintptr_t)type,
                                  (char *)(uintptr_t)buf_cstr(&record->value),
                                  (char *)(uintptr_t)purpose};
    if (o->output->json) {
        output_record(o->output, &advice_kind, &advice);
        return;
    }
    buf_append_str(&o->text, "    ");
    records_add(&o->writer, record);
}

PRINTF_LIKE(4, 5)
static void suggest(struct onboarding *o, const char *label, const char *purpose, const char *fmt,
                    ...)
{
    struct record record = {.value = BUF_INIT(0)};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&record.value, fmt, args);
    va_end(args);
    snprintf(record.name, sizeof record.name, "%s%s", label, o->domain);
    snprintf(record.domain, sizeof record.domain, "%s", o->domain);
    tell(o, &record, purpose);
    records_clear(&record);
}

static void say(struct onboarding *o, const char *sentence)
{
    if (!o->output->json)
        buf_printf(&o->text, "%s\n\n", sentence);
}

/* What is about to sign, or does; not what is on its way out. The CNAMEs of a delegated domain
 * stay. */
static enum status tell_key(struct onboarding *o, const struct key *key, struct err *err)
{
    struct record record = {.value = BUF_INIT(0)};
    bool alias = delegation_has(key);
    if (!alias && key->state > KEY_ACTIVE)
        return ST_OK;
    enum status status =
        alias ? dns_slots_alias(key, &record, err) : keys_record(key, &record, err);
    if (status == ST_OK && o->count++ == 0)
        say(o, "For your mail to be signed, publish in DNS:");
    if (status == ST_OK)
        tell(o, &record, "dkim");
    records_clear(&record);
    return status;
}

static enum status tell_page(void *arg, struct rows *page, struct err *err)
{
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < page->count; i++)
        status = tell_key(arg, rows_at(page, i), err);
    return status;
}

/* -- all of it --------------------------------------------------------------------------------- */

static void suggest_others(struct onboarding *o, const struct args *args)
{
    const char *include = args_option(args, "--spf-include");
    const char *reports = args_option(args, "--reports");
    say(o, "\nIf there is no SPF record yet, this one names who sends (add whoever else does; once "
           "all are\nnamed, -all says that nobody else may):");
    suggest(o, "", "spf", "v=spf1 mx %s%s%s~all", include != NULL ? "include:" : "",
            include != NULL ? include : "", include != NULL ? " " : "");
    say(o, "\nIf there is no DMARC record yet, this one asks for reports and changes nothing else "
           "(once they\nshow that all mail passes, p=quarantine or p=reject protects the name):");
    if (reports != NULL)
        suggest(o, "_dmarc.", "dmarc", "v=DMARC1; p=none; rua=mailto:%s", reports);
    else
        suggest(o, "_dmarc.", "dmarc", "v=DMARC1; p=none; rua=mailto:postmaster@%s", o->domain);
    if (!args_has(args, "--adsp"))
        return;
    say(o, "\nADSP says that all mail is signed. It is historic since 2013, and hardly anybody "
           "looks:");
    suggest(o, "_adsp._domainkey.", "adsp", "dkim=all");
}

static enum status write_all(struct onboarding *o, struct admin *admin, const struct args *args,
                             struct err *err)
{
    const struct subject subject = {(char *)(uintptr_t)o->domain};
    records_begin(&o->writer, RECORDS_ZONE, &o->text);
    if (o->output->json) {
        output_begin(o->output, &subject_kind, &subject);
        output_list_begin(o->output, "records");
    }
    enum status status = dns_walk(admin, o->domain, tell_page, o, err);
    if (status != ST_OK)
        return status;
    if (o->count == 0)
        say(o, "There is no key yet whose record could be published for your mail to be signed.");
    suggest_others(o, args);
    if (o->output->json) {
        output_list_end(o->output, &advice_kind);
        output_end(o->output);
    }
    return buf_check(&o->text, "text", err);
}

enum status dns_onboard(struct admin *admin, const struct args *args, struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    struct store *store;
    struct domain domain = {.name = NULL};
    struct onboarding o = {.output = &admin->output, .domain = name};
    enum status status = admin_domain_name(args->words[0], name, err);
    if (status == ST_OK)
        status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = admin_named(store_domain(store, name, &domain, err), err);
    if (status == ST_OK)
        status = write_all(&o, admin, args, err);
    if (status == ST_OK)
        output_raw(&admin->output, buf_span(&o.text));
    buf_clear(&o.text);
    kind_clear(&kind_domain, &domain);
    return status;
}
