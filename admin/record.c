/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/record.h"

#include <stdlib.h>

#include "admin/rows.h"
#include "base/nearest.h"

/* A record of the kind with its key set; *out is the caller's to release, also after a failure. */
static enum status load(struct admin *admin, const struct kind *kind, const char *name, void **out,
                        struct err *err)
{
    struct store *store;
    *out = calloc(1, kind->size);
    if (*out == NULL)
        return err_set(err, ST_TEMP, "no memory");
    enum status status = field_set_text(kind_flagged(kind, FIELD_KEY), *out, span_str(name), err);
    if (status == ST_OK)
        status = admin_store(admin, &store, err);
    return status == ST_OK ? store_get(store, kind, *out, err) : status;
}

static void release(const struct kind *kind, void *record)
{
    if (record != NULL)
        kind_clear(kind, record);
    free(record);
}

enum status record_show(struct admin *admin, const struct kind *kind, const char *name,
                        struct err *err)
{
    void *record;
    enum status status = load(admin, kind, name, &record, err);
    if (status == ST_OK)
        output_record(&admin->output, kind, record);
    release(kind, record);
    return status;
}

static enum status unknown_field(const struct kind *kind, struct span name, struct err *err)
{
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < kind->field_count; i++)
        if ((kind->fields[i].flags & FIELD_SETTABLE) != 0)
            nearest_offer(&nearest, span_str(kind->fields[i].name));
    return err_set(err, ST_INVALID, "%.*s: no setting of a %s (nearest: %.*s)",
                   (int)span_head(name, 64).len, name.data, kind->name, (int)nearest.best.len,
                   nearest.best.data);
}

enum status record_fill(const struct kind *kind, void *record, const struct args *args,
                        size_t first, struct err *err)
{
    enum status status = ST_OK;
    for (size_t i = first; status == ST_OK && i < args->word_count; i++) {
        struct span word = span_str(args->words[i]);
        size_t equals = span_find(word, '=');
        struct span name = span_head(word, equals);
        const struct field *field = kind_field(kind, name);
        if (equals == word.len)
            return err_set(err, ST_INVALID, "%.64s: not of the form key=value", args->words[i]);
        if (field == NULL || (field->flags & FIELD_SETTABLE) == 0)
            return unknown_field(kind, name, err);
        status = field_from_text(field, record, span_from(word, equals + 1), err);
    }
    return status;
}

void record_changed(struct admin *admin, const struct kind *kind, const void *record,
                    const char *verb)
{
    struct buf label = BUF_INIT(0);
    kind_label(kind, record, &label);
    if (admin->output.json)
        output_record(&admin->output, kind, record);
    else
        admin_did(admin, verb, "%s %s", kind->name, buf_cstr(&label));
    buf_clear(&label);
}

/* Stores a changed record under the action KIND.VERB. */
static enum status put(struct admin *admin, const struct kind *kind, void *record, const char *verb,
                       struct err *err)
{
    struct buf action = BUF_INIT(0);
    buf_printf(&action, "%s.%s", kind->name, verb);
    enum status status = admin_put(admin, kind, record, buf_cstr(&action), err);
    buf_clear(&action);
    return status;
}

enum status record_set(struct admin *admin, const struct kind *kind, const char *name,
                       const struct args *args, struct err *err)
{
    void *record;
    enum status status = admin_named(load(admin, kind, name, &record, err), err);
    if (status == ST_OK)
        status = record_fill(kind, record, args, 1, err);
    if (status == ST_OK)
        status = put(admin, kind, record, "set", err);
    if (status == ST_OK)
        record_changed(admin, kind, record, "change");
    release(kind, record);
    return status;
}

static const char *const status_verbs[] = {
    [ACCOUNT_ACTIVE] = "resume",
    [ACCOUNT_SUSPENDED] = "suspend",
};

enum status record_status(struct admin *admin, const struct kind *kind, const char *name,
                          enum account_status wanted, struct err *err)
{
    void *record;
    const struct field *field = kind_field(kind, SPAN_LIT("status"));
    enum status status = admin_named(load(admin, kind, name, &record, err), err);
    bool already = status == ST_OK && *field_int(field, record) == wanted;
    if (already && admin->output.json)
        output_record(&admin->output, kind, record);
    else if (already)
        output_line(&admin->output, "%s %s is already %s", kind->name, name, field->names[wanted]);
    if (status == ST_OK && !already) {
        *field_int(field, record) = wanted;
        status = put(admin, kind, record, status_verbs[wanted], err);
        if (status == ST_OK)
            record_changed(admin, kind, record, status_verbs[wanted]);
    }
    release(kind, record);
    return status;
}

struct listing {
    struct output *output;
    const struct kind *kind;
};

static enum status list_page(void *arg, struct rows *page, struct err *err)
{
    struct listing *listing = arg;
    (void)err;
    for (size_t i = 0; i < page->count; i++)
        output_record(listing->output, listing->kind, rows_at(page, i));
    return ST_OK;
}

enum status record_list(struct admin *admin, const struct query *query, struct err *err)
{
    struct store *store;
    struct listing listing = {&admin->output, query->kind};
    enum status status = admin_store(admin, &store, err);
    if (status != ST_OK)
        return status;
    output_list_begin(&admin->output, NULL);
    status = rows_walk(store, query, list_page, &listing, err);
    if (status == ST_OK)
        output_list_end(&admin->output, query->kind);
    return status;
}
