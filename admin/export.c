/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/import_row.h"
#include "admin/owner.h"
#include "admin/progress.h"
#include "admin/rows.h"
#include "admin/secret_json.h"

struct export
{
    struct store *store;
    struct output *output;
    bool with_keys;
    struct owner owner;
    struct progress progress;
};

/* Of a domain: which algorithms its keys have that sign or are to sign. */
struct summary {
    bool has[DKIM_ALGORITHMS];
    int64_t bits; /* of the RSA key */
};

static void set_text(json_t *object, const char *name, struct span text)
{
    json_object_set_new(object, name, json_stringn(text.data, text.len));
}

/* The domain's own fields; settings at their default are left out. */
static json_t *describe(const struct domain *domain)
{
    const struct domain standard = {.status = ACCOUNT_ACTIVE, .expiry = -1};
    json_t *object = json_object();
    set_text(object, "domain", span_str(domain->name));
    set_text(object, "tenant", span_str(domain->tenant));
    if (span_str(domain->delegation).len > 0)
        json_object_set_new(object, "delegate", json_true());
    for (size_t i = 0; i < kind_domain.field_count; i++) {
        const struct field *field = &kind_domain.fields[i];
        struct buf text = BUF_INIT(0);
        if (!import_row_is_setting(field) || field_equal(field, domain, &standard))
            continue;
        field_to_text(field, domain, &text);
        if (field->type == FIELD_INT)
            json_object_set_new(object, field->name, json_integer(*field_int(field, domain)));
        else if (field->type == FIELD_BOOL)
            json_object_set_new(object, field->name, json_boolean(*field_int(field, domain)));
        else
            set_text(object, field->name, buf_span(&text));
        buf_clear(&text);
    }
    return object;
}

/* -- without keys --------------------------------------------------------------------------- */

static void summarize(const struct rows *keys, struct summary *out)
{
    *out = (struct summary){.bits = 0};
    for (size_t i = 0; i < keys->count; i++) {
        const struct key *key = rows_at(keys, i);
        if (key->sealed.len == 0)
            continue;
        out->has[key->algorithm] = true;
        if (key->algorithm == DKIM_RSA_SHA256 && key->bits > out->bits)
            out->bits = key->bits;
    }
}

static void write_domain(const struct export *export, const struct domain *domain,
                         const struct rows *keys)
{
    struct summary summary;
    struct buf names = BUF_INIT(0);
    json_t *object = describe(domain);
    summarize(keys, &summary);
    for (enum dkim_algorithm i = 0; i < DKIM_ALGORITHMS; i++)
        if (summary.has[i])
            buf_printf(&names, "%s%s", names.len > 0 ? "," : "", dkim_algorithm_name(i));
    set_text(object, "algorithm", names.len > 0 ? buf_span(&names) : SPAN_LIT("none"));
    if (summary.bits > 0)
        json_object_set_new(object, "bits", json_integer(summary.bits));
    secret_json_append(object, &export->output->text);
    buf_clear(&names);
}

/* -- with keys ------------------------------------------------------------------------------ */

static enum status open_pem(struct export *export, const struct key *key, struct buf *pem_out,
                            struct err *err)
{
    struct buf secret = BUF_SECRET(DKIM_PRIVATE_MAX);
    struct dkim_key *parsed = NULL;
    enum status status = owner_unseal(&export->owner, key, &secret, err);
    if (status == ST_OK)
        status =
            dkim_key_parse((enum dkim_algorithm)key->algorithm, buf_span(&secret), &parsed, err);
    if (status == ST_OK)
        status = dkim_key_export(parsed, pem_out, err);
    dkim_key_free(parsed);
    buf_clear(&secret);
    return status;
}

static enum status write_key(struct export *export, const struct domain *domain,
                             const struct key *key, struct err *err)
{
    struct buf pem = BUF_SECRET(0);
    enum status status = open_pem(export, key, &pem, err);
    if (status == ST_OK) {
        json_t *object = describe(domain);
        set_text(object, "selector", span_str(key->selector));
        set_text(object, "algorithm",
                 span_str(dkim_algorithm_name((enum dkim_algorithm)key->algorithm)));
        json_object_set_new(object, "activate", json_boolean(key->state == KEY_ACTIVE));
        if (key->reserved != 0)
            json_object_set_new(object, "reserved", json_true());
        set_text(object, "private_key", buf_span(&pem));
        secret_json_append(object, &export->output->text);
    }
    buf_clear(&pem);
    return status == ST_OK ? ST_OK : err_context(err, "key %s %s", key->domain, key->selector);
}

/* A line for each key that has a private half; a domain without one has a line all the same. */
static enum status write_keys(struct export *export, const struct domain *domain,
                              const struct rows *keys, struct err *err)
{
    enum status status = ST_OK;
    size_t written = 0;
    for (size_t i = 0; status == ST_OK && i < keys->count; i++) {
        const struct key *key = rows_at(keys, i);
        if (key->sealed.len == 0)
            continue;
        status = write_key(export, domain, key, err);
        written++;
    }
    if (status == ST_OK && written == 0)
        write_domain(export, domain, keys);
    return status;
}

/* -- the walk ------------------------------------------------------------------------------- */

static enum status export_one(struct export *export, const struct domain *domain, struct err *err)
{
    struct query query = {.kind = &kind_key};
    struct rows keys = {.kind = &kind_key};
    rows_where_text(&query, "domain", domain->name);
    enum status status = store_find(export->store, &query, rows_take, &keys, err);
    if (status == ST_OK && export->with_keys)
        status = write_keys(export, domain, &keys, err);
    else if (status == ST_OK)
        write_domain(export, domain, &keys);
    rows_clear(&keys);
    output_raw(export->output, (struct span){.len = 0}); /* writes, if there is much */
    return status;
}

static enum status export_page(void *arg, struct rows *page, struct err *err)
{
    struct export *export = arg;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < page->count; i++)
        status = export_one(export, rows_at(page, i), err);
    progress_add(&export->progress, (int64_t)page->count);
    return status;
}

/* What is asked for by name is printed, but nobody should be surprised by it. */
static enum status prepare_secrets(struct admin *admin, struct export *export, struct err *err)
{
    admin->output.text.secret = true;
    setvbuf(admin->output.file, NULL, _IONBF, 0); /* no copy of them that nobody wipes */
    if (isatty(fileno(admin->output.file)) != 0)
        admin_warn("warning: what follows are private keys, and this is a terminal");
    export->owner.store = export->store;
    return admin_vault(admin, &export->owner.vault, err);
}

static enum status export_domains(struct admin *admin, const struct args *args, struct err *err)
{
    struct query query = {.kind = &kind_domain};
    struct export export = {.output = &admin->output, .with_keys = args_has(args, "--with-keys")};
    enum status status = admin_store(admin, &export.store, err);
    if (status == ST_OK && export.with_keys)
        status = prepare_secrets(admin, &export, err);
    if (status != ST_OK)
        return status;
    secret_json_begin();
    progress_begin(&export.progress, "domains", 0);
    status = rows_walk(export.store, &query, export_page, &export, err);
    progress_end(&export.progress);
    secret_json_end();
    owner_clear(&export.owner);
    return status;
}

static const struct command commands[] = {
    {"domains", "[--with-keys]", "writes all domains as JSON lines that import reads",
     export_domains},
    {NULL, NULL, NULL, NULL},
};

const struct noun export_noun = {"export", "all domains as a file", commands};
