/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "admin/command.h"
#include "admin/place.h"
#include "admin/record.h"
#include "admin/rows.h"
#include "storage/grant.h"

static const struct {
    const char *option;
    enum grant_type type;
} subjects[] = {
    {"--login", GRANT_LOGIN},
    {"--network", GRANT_NETWORK},
    {"--daemon-name", GRANT_DAEMON},
};
enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

/* The one subject that is given. */
static enum status read_subject(const struct args *args, struct grant *out, struct err *err)
{
    size_t given = 0;
    enum status status = ST_OK;
    for (size_t i = 0; i < SUBJECTS && status == ST_OK; i++) {
        const char *text = args_option(args, subjects[i].option);
        if (text == NULL)
            continue;
        given++;
        status = grant_set_subject(out, subjects[i].type, span_str(text), err);
    }
    if (status == ST_OK && given != 1)
        status = err_set(err, ST_INVALID, "give one of --login, --network and --daemon-name");
    return status;
}

static enum status check_tenant(struct store *store, const char *name, struct err *err)
{
    struct tenant tenant = {.name = NULL};
    enum status status = admin_named(store_tenant(store, name, &tenant, err), err);
    kind_clear(&kind_tenant, &tenant);
    return status;
}

static enum status store_grant(struct admin *admin, const struct args *args, struct grant *grant,
                               struct err *err)
{
    struct store *store;
    const char *tenant = args_option(args, "--tenant");
    const struct field *field = kind_field(&kind_grant, SPAN_LIT("tenant"));
    enum status status = field_set_text(field, grant, span_str(tenant), err);
    grant->one_signature = args_has(args, "--one-signature");
    if (status == ST_OK)
        status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = check_tenant(store, tenant, err);
    if (status == ST_OK)
        status = place_check_room(store, &kind_grant, grant->place, err);
    return status == ST_OK ? admin_put(admin, &kind_grant, grant, "grant.add", err) : status;
}

static enum status add(struct admin *admin, const struct args *args, struct err *err)
{
    struct grant grant = {.subject = NULL};
    enum status status = read_subject(args, &grant, err);
    if (status == ST_OK)
        status = store_grant(admin, args, &grant, err);
    if (status == ST_OK)
        record_changed(admin, &kind_grant, &grant, "add");
    kind_clear(&kind_grant, &grant);
    return status;
}

static enum status list(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    struct query query = {.kind = &kind_grant};
    const char *tenant = args_option(args, "--tenant");
    enum status status = ST_OK;
    if (tenant != NULL) {
        rows_where_text(&query, "tenant", tenant);
        status = admin_store(admin, &store, err);
        if (status == ST_OK)
            status = check_tenant(store, tenant, err);
    }
    return status == ST_OK ? record_list(admin, &query, err) : status;
}

static enum status delete_one(struct store_tx *tx, void *arg, struct err *err)
{
    return store_tx_del(tx, &kind_grant, arg, "grant.remove", err);
}

static enum status remove_one(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    struct grant grant = {.subject = NULL};
    enum status status = read_subject(args, &grant, err);
    if (status == ST_OK)
        status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = admin_named(store_get(store, &kind_grant, &grant, err), err);
    if (status == ST_OK)
        status = admin_transaction(admin, delete_one, &grant, err);
    if (status == ST_OK)
        record_changed(admin, &kind_grant, &grant, "remove");
    kind_clear(&kind_grant, &grant);
    return status;
}

static const struct command commands[] = {
    {"add", "--tenant T [--login L] [--network CIDR] [--daemon-name N] [--one-signature]",
     "lets mail for a tenant's domains come from a login (L is all of it, or @DOMAIN for every "
     "login there), a network, or the MTA's daemon of that name",
     add},
    {"list", "[--tenant T]", "shows all grants", list},
    {"remove", "[--login L] [--network CIDR] [--daemon-name N]", "takes a grant back", remove_one},
    {NULL, NULL, NULL, NULL},
};

const struct noun grant_noun = {"grant", "from where mail for a tenant may come", commands};
