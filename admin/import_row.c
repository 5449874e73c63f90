/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/import_row.h"

#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"

enum own_field {
    OWN_DOMAIN,
    OWN_TENANT,
    OWN_ALGORITHM,
    OWN_BITS,
    OWN_SELECTOR,
    OWN_PRIVATE_KEY,
    OWN_ACTIVATE,
    OWN_DELEGATE,
    OWN_RESERVED,
    OWN_COUNT
};

static const char *const own_names[OWN_COUNT] = {"domain",   "tenant",   "algorithm",
                                                 "bits",     "selector", "private_key",
                                                 "activate", "delegate", "reserved"};

bool import_row_is_setting(const struct field *field)
{
    return (field->flags & FIELD_SETTABLE) != 0 || field->offset == offsetof(struct domain, status);
}

/* The numbers of settings follow those of the row's own fields, in the order of the kind's
 * table. */
static const struct field *setting_at(size_t index)
{
    size_t number = OWN_COUNT;
    for (size_t i = 0; i < kind_domain.field_count; i++)
        if (import_row_is_setting(&kind_domain.fields[i]) && number++ == index)
            return &kind_domain.fields[i];
    return NULL;
}

static const char *name_at(size_t index)
{
    const struct field *field = setting_at(index);
    if (index < OWN_COUNT)
        return own_names[index];
    return field != NULL ? field->name : NULL;
}

enum status import_field_find(struct span name, size_t *index_out, struct err *err)
{
    struct nearest nearest;
    const char *known;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < IMPORT_FIELDS_MAX && (known = name_at(i)) != NULL; i++) {
        nearest_offer(&nearest, span_str(known));
        if (span_equal(name, span_str(known))) {
            *index_out = i;
            return ST_OK;
        }
    }
    return err_set(err, ST_INVALID, "%.*s: unknown field (nearest: %.*s)",
                   (int)span_head(name, 64).len, name.data != NULL ? name.data : "",
                   (int)nearest.best.len, nearest.best.data);
}

void import_row_clear(struct import_row *row)
{
    kind_clear(&kind_domain, &row->domain);
    free(row->selector);
    row->selector = NULL;
    buf_clear(&row->pem);
    for (size_t i = 0; i < DKIM_ALGORITHMS; i++)
        keys_draft_clear(&row->drafts[i]);
    row->draft_count = row->plan.count = 0;
    row->planned = row->reserved = false;
    row->rules = NULL;
    row->rule_count = 0;
    row->bits = 0;
}

/* -- single fields -------------------------------------------------------------------------- */

static struct span given(const struct import_values *values, enum own_field field)
{
    return values->texts[field];
}

static enum status read_flag(const struct import_values *values, enum own_field field, bool *out,
                             struct err *err)
{
    struct span text = given(values, field);
    *out = false;
    if (text.len == 0 || settings_parse_bool(text, out, err) == ST_OK)
        return ST_OK;
    return err_context(err, "%s", own_names[field]);
}

static enum status read_names(const struct import_values *values, struct domain *out,
                              struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    struct span domain = given(values, OWN_DOMAIN), tenant = given(values, OWN_TENANT);
    if (domain.len == 0 || tenant.len == 0)
        return err_set(err, ST_INVALID, "%s: missing",
                       own_names[domain.len == 0 ? OWN_DOMAIN : OWN_TENANT]);
    if (dkim_domain_normalize(domain, name, err) != ST_OK)
        return err_context(err, "domain %.*s", (int)span_head(domain, 64).len, domain.data);
    *out = (struct domain){.name = span_dup(span_str(name)),
                           .tenant = span_dup(tenant),
                           .status = ACCOUNT_ACTIVE,
                           .expiry = -1};
    if (out->name == NULL || out->tenant == NULL)
        return err_set(err, ST_TEMP, "no memory");
    return ST_OK;
}

static enum status read_settings(const struct import_values *values, struct domain *out,
                                 struct err *err)
{
    const struct field *field;
    enum status status = ST_OK;
    for (size_t i = OWN_COUNT; status == ST_OK && (field = setting_at(i)) != NULL; i++)
        if (values->texts[i].len > 0)
            status = field_from_text(field, out, values->texts[i], err);
    return status == ST_OK ? kind_check(&kind_domain, out, err) : status;
}

static enum status read_selector(const struct import_values *values, char **out, struct err *err)
{
    char selector[DKIM_DOMAIN_SIZE];
    struct span text = given(values, OWN_SELECTOR);
    if (text.len == 0)
        return ST_OK;
    if (dkim_selector_normalize(text, selector, err) != ST_OK)
        return err_context(err, "selector %.*s", (int)span_head(text, 64).len, text.data);
    *out = span_dup(span_str(selector));
    return *out != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
}

/* -- keys ----------------------------------------------------------------------------------- */

static enum status read_bits(const struct import_values *values, int64_t *out, struct err *err)
{
    uint64_t bits = 0;
    struct span text = given(values, OWN_BITS);
    *out = 0;
    if (text.len == 0)
        return ST_OK;
    if (!span_number(text, DKIM_RSA_BITS_MAX, &bits) || bits < DKIM_RSA_BITS_MIN)
        return err_set(err, ST_INVALID, "bits: RSA keys have from %d to %d", DKIM_RSA_BITS_MIN,
                       DKIM_RSA_BITS_MAX);
    *out = (int64_t)bits;
    return ST_OK;
}

/* A private key brings algorithm and bits along; what the row says of them must be true. */
static enum status read_private_key(const struct import_values *values, struct import_row *out,
                                    struct err *err)
{
    enum dkim_algorithm algorithm;
    struct span name = given(values, OWN_ALGORITHM);
    if (given(values, OWN_BITS).len > 0)
        return err_set(err, ST_INVALID, "bits: the private key has its own");
    if (name.len > 0) {
        if (dkim_algorithm_parse(name, &algorithm, err) != ST_OK)
            return err_context(err, "algorithm %.*s", (int)span_head(name, 64).len, name.data);
        out->algorithm = (int)algorithm;
    }
    buf_append_span(&out->pem, given(values, OWN_PRIVATE_KEY));
    return buf_check(&out->pem, "private_key", err);
}

static enum status check_count(const struct import_row *row, struct err *err)
{
    size_t keys = row->pem.len > 0 ? 1 : row->plan.count;
    if (row->selector != NULL && keys != 1)
        return err_set(err, ST_INVALID, "selector: names one key, the row has %zu", keys);
    if (row->activate && keys == 0)
        return err_set(err, ST_INVALID, "activate: the row has no key");
    return ST_OK;
}

enum status import_row_plan(struct import_row *row, const char *algorithms, struct err *err)
{
    row->planned = true;
    if (keys_plan_parse(algorithms, row->bits, &row->plan, err) != ST_OK)
        return err_context(err, "algorithm");
    return check_count(row, err);
}

static enum status read_plan(const struct import_values *values, struct import_row *out,
                             struct err *err)
{
    struct span text = given(values, OWN_ALGORITHM);
    enum status status = read_bits(values, &out->bits, err);
    if (status != ST_OK || text.len == 0)
        return status;
    if (span_equal(text, SPAN_LIT("none"))) {
        out->planned = true;
        return out->bits == 0 ? check_count(out, err)
                              : err_set(err, ST_INVALID, "bits: the row has no key");
    }
    char *copy = span_dup(text);
    if (copy == NULL)
        return err_set(err, ST_TEMP, "no memory");
    status = import_row_plan(out, copy, err);
    free(copy);
    return status;
}

static enum status read_keys(const struct import_values *values, struct import_row *out,
                             struct err *err)
{
    out->pem = BUF_SECRET(0);
    out->algorithm = -1;
    out->planned = given(values, OWN_PRIVATE_KEY).len > 0;
    return out->planned ? read_private_key(values, out, err) : read_plan(values, out, err);
}

/* A private key in a wrong column would end in an error text, or in a note that all may read. */
static enum status check_misplaced(const struct import_values *values, struct err *err)
{
    static const char mark[] = "-----BEGIN";
    for (size_t i = 0; i < IMPORT_FIELDS_MAX; i++) {
        struct span text = values->texts[i];
        if (i != OWN_PRIVATE_KEY && text.len > 0 &&
            memmem(text.data, text.len, mark, sizeof mark - 1) != NULL)
            return err_set(err, ST_INVALID, "%s: holds PEM, which belongs into private_key",
                           name_at(i));
    }
    return ST_OK;
}

static enum status delegate(const struct settings *settings, struct domain *domain, struct err *err)
{
    if (delegation_make(settings, &domain->delegation, err) != ST_OK)
        return err_context(err, "delegate");
    return ST_OK;
}

enum status import_row_read(const struct settings *settings, const struct import_values *values,
                            struct import_row *out, struct err *err)
{
    bool delegated = false;
    enum status status = check_misplaced(values, err);
    if (status == ST_OK)
        status = read_names(values, &out->domain, err);
    if (status == ST_OK)
        status = read_settings(values, &out->domain, err);
    if (status == ST_OK)
        status = read_selector(values, &out->selector, err);
    if (status == ST_OK)
        status = read_flag(values, OWN_ACTIVATE, &out->activate, err);
    if (status == ST_OK)
        status = read_flag(values, OWN_DELEGATE, &delegated, err);
    if (status == ST_OK)
        status = read_flag(values, OWN_RESERVED, &out->reserved, err);
    if (status == ST_OK && delegated)
        status = delegate(settings, &out->domain, err);
    return status == ST_OK ? read_keys(values, out, err) : status;
}
