/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/stat.h>

#include "admin/command.h"
#include "admin/keys.h"
#include "admin/past.h"
#include "admin/record.h"
#include "admin/rows.h"

enum { PEM_MAX = 65536 };

/* -- new and import ------------------------------------------------------------------------- */

/* What adding keys to a domain of the store needs. */
struct home {
    struct store *store;
    struct domain domain;
    struct tenant tenant;
    struct keys_place place;
};

static enum status find_domain(struct admin *admin, const char *word, struct home *home,
                               struct err *err)
{
    char name[DKIM_DOMAIN_SIZE];
    enum status status = admin_domain_name(word, name, err);
    if (status == ST_OK)
        status = admin_store(admin, &home->store, err);
    if (status == ST_OK)
        status = store_domain(home->store, name, &home->domain, err);
    return status;
}

static enum status find_home(struct admin *admin, const struct args *args, struct home *home,
                             struct err *err)
{
    const struct settings *settings;
    enum status status = admin_named(find_domain(admin, args->words[0], home, err), err);
    if (status == ST_OK)
        status = admin_settings(admin, &settings, err);
    if (status == ST_OK)
        status = admin_vault(admin, &home->place.vault, err);
    if (status == ST_OK)
        status = store_tenant(home->store, home->domain.tenant, &home->tenant, err);
    if (status != ST_OK)
        return status;
    home->place.domain = home->domain.name;
    home->place.tenant = home->domain.tenant;
    home->place.delegation = home->domain.delegation;
    home->place.selector = args_option(args, "--selector");
    home->place.template = settings->lifecycle.selector;
    home->place.activate = args_has(args, "--activate");
    home->place.reserved = args_has(args, "--reserved");
    return ST_OK;
}

/* For a key that is made here, which cannot be one that was there before. */
static enum status check_past(const struct home *home, const char *selector, struct err *err)
{
    const struct past_key wanted = {.domain = home->domain.name, .selector = selector};
    bool used = false;
    enum status status = past_used(home->store, &wanted, &used, err);
    return status == ST_OK && used ? past_refuse(&wanted, err) : status;
}

/* Refused before a key is made, because that takes long; the store refuses again. */
static enum status check_selector(const struct home *home, bool fresh, struct err *err)
{
    char selector[DKIM_DOMAIN_SIZE];
    struct key key = {.domain = NULL};
    bool delegated = span_str(home->domain.delegation).len > 0; /* slots are used again */
    if (home->place.selector == NULL || delegated)
        return ST_OK;
    enum status status = dkim_selector_normalize(span_str(home->place.selector), selector, err);
    if (status != ST_OK)
        return err_context(err, "selector %.64s", home->place.selector);
    status = store_key(home->store, home->domain.name, selector, &key, err);
    if (status == ST_OK)
        status =
            err_set(err, ST_CONFLICT, "key %s %s: exists already, and selectors are not reused",
                    home->domain.name, selector);
    else if (status == ST_NOT_FOUND)
        status = fresh ? check_past(home, selector, err) : ST_OK;
    kind_clear(&kind_key, &key);
    return status;
}

static enum status answer(struct admin *admin, const struct key *key, struct err *err)
{
    return admin->output.json ? keys_show(&admin->output, key, err) : keys_tell(admin, key, err);
}

/* A draft on its way to its home: where it comes from is what `new` and `import` differ in. */
struct addition {
    struct home home;
    struct keys_draft draft;
};

typedef enum status make_draft(struct admin *admin, const struct args *args,
                               struct addition *addition, struct err *err);

static enum status add_draft(struct store_tx *tx, void *arg, struct err *err)
{
    struct addition *addition = arg;
    return keys_add(tx, &addition->home.place, &addition->draft, err);
}

static enum status add_key(struct admin *admin, const struct args *args, make_draft *make,
                           bool fresh, struct err *err)
{
    struct addition addition = {.draft = {.secret = BUF_SECRET(0)}};
    enum status status = find_home(admin, args, &addition.home, err);
    if (status == ST_OK)
        status = check_selector(&addition.home, fresh, err);
    if (status == ST_OK)
        status = make(admin, args, &addition, err);
    if (status == ST_OK)
        status = admin_transaction(admin, add_draft, &addition, err);
    if (status == ST_OK)
        status = answer(admin, &addition.draft.key, err);
    keys_draft_clear(&addition.draft);
    kind_clear(&kind_domain, &addition.home.domain);
    kind_clear(&kind_tenant, &addition.home.tenant);
    return status;
}

/* One key, so that its selector can be given: without --algorithm the first of what the domain, its
 * tenant or the settings say. */
static enum status generate(struct admin *admin, const struct args *args, struct addition *addition,
                            struct err *err)
{
    struct keys_plan plan;
    const struct home *home = &addition->home;
    const char *own = home->domain.algorithms;
    if (own == NULL || own[0] == '\0')
        own = home->tenant.algorithms;
    enum status status = keys_plan_of(admin, args, own, &plan, err);
    if (status == ST_OK && args_has(args, "--algorithm") && plan.count > 1)
        return err_set(err, ST_INVALID, "--algorithm: one key has one algorithm");
    return status == ST_OK ? keys_generate(&plan.specs[0], &addition->draft, err) : status;
}

static enum status new_key(struct admin *admin, const struct args *args, struct err *err)
{
    return add_key(admin, args, generate, true, err);
}

static void warn_if_open(const char *path)
{
    struct stat info;
    if (strcmp(path, "-") != 0 && stat(path, &info) == 0 && (info.st_mode & 077) != 0)
        admin_warn("warning: %.200s can be read by other users", path);
}

static enum status read_draft(struct admin *admin, const struct args *args,
                              struct addition *addition, struct err *err)
{
    struct buf pem = BUF_SECRET(PEM_MAX);
    const char *path = args->words[1];
    (void)admin;
    enum status status = admin_read(path, &pem, err);
    if (status == ST_OK) {
        status = keys_import(buf_span(&pem), &addition->draft, err);
        if (status == ST_OK)
            warn_if_open(path);
        else
            status = err_context(err, "%.100s", path);
    }
    buf_clear(&pem);
    return status;
}

static enum status import_key(struct admin *admin, const struct args *args, struct err *err)
{
    return add_key(admin, args, read_draft, false, err);
}

/* -- questions ------------------------------------------------------------------------------ */

static enum status list(struct admin *admin, const struct args *args, struct err *err)
{
    struct query query = {.kind = &kind_key};
    struct home home = {.store = NULL};
    enum status status = ST_OK;
    if (args->word_count > 0) {
        status = find_domain(admin, args->words[0], &home, err);
        rows_where_text(&query, "domain", home.domain.name);
    }
    if (status == ST_OK)
        status = record_list(admin, &query, err);
    kind_clear(&kind_domain, &home.domain);
    return status;
}

/* The key DOMAIN SELECTOR of the command line. */
static enum status find_key(struct admin *admin, const struct args *args, struct key *out,
                            struct err *err)
{
    struct store *store;
    char domain[DKIM_DOMAIN_SIZE], selector[DKIM_DOMAIN_SIZE];
    enum status status = admin_domain_name(args->words[0], domain, err);
    if (status != ST_OK)
        return status;
    status = dkim_selector_normalize(span_str(args->words[1]), selector, err);
    if (status != ST_OK)
        return err_context(err, "selector %.64s", args->words[1]);
    status = admin_store(admin, &store, err);
    return status == ST_OK ? store_key(store, domain, selector, out, err) : status;
}

static enum status show(struct admin *admin, const struct args *args, struct err *err)
{
    struct key key = {.domain = NULL};
    enum status status = find_key(admin, args, &key, err);
    if (status == ST_OK)
        status = keys_show(&admin->output, &key, err);
    kind_clear(&kind_key, &key);
    return status;
}

/* -- steps ---------------------------------------------------------------------------------- */

/* A key of the command line, and what is to become of it. */
struct moving {
    struct key key;
    struct keys_move move;
};

static enum status move_key(struct store_tx *tx, void *arg, struct err *err)
{
    struct moving *moving = arg;
    return keys_step(tx, &moving->move, &moving->key, err);
}

static enum status activate(struct admin *admin, const struct args *args, struct err *err)
{
    struct moving moving = {.move = keys_activate_unproven};
    enum status status = admin_named(find_key(admin, args, &moving.key, err), err);
    if (moving.key.state == KEY_PUBLISHED)
        moving.move.note = NULL; /* DNS has been asked for it */
    if (status == ST_OK)
        status = admin_transaction(admin, move_key, &moving, err);
    if (status == ST_OK && admin->output.json)
        status = keys_show(&admin->output, &moving.key, err);
    else if (status == ST_OK)
        keys_tell_active(admin, &moving.key);
    kind_clear(&kind_key, &moving.key);
    return status;
}

/* What a key must not lose by mistake, by its state. */
static enum status agree(struct admin *admin, enum lifecycle_step step, const struct key *key,
                         struct err *err)
{
    if (step == LIFECYCLE_DESTROY)
        return admin_agreed(admin, "this gives the selector's record up for good", err);
    if (step == LIFECYCLE_REVOKE && key->state != KEY_RETIRING)
        return admin_agreed(admin, "this destroys the private key, and mail it signed fails", err);
    return ST_OK;
}

static enum status step_to(struct admin *admin, const struct args *args, enum lifecycle_step step,
                           const char *verb, struct err *err)
{
    struct moving moving = {.move = {.step = step}};
    enum status status = admin_named(find_key(admin, args, &moving.key, err), err);
    if (status == ST_OK)
        status = agree(admin, step, &moving.key, err);
    if (status == ST_OK)
        status = admin_transaction(admin, move_key, &moving, err);
    if (status == ST_OK)
        record_changed(admin, &kind_key, &moving.key, verb);
    kind_clear(&kind_key, &moving.key);
    return status;
}

static enum status retire(struct admin *admin, const struct args *args, struct err *err)
{
    return step_to(admin, args, LIFECYCLE_RETIRE, "retire", err);
}

static enum status revoke(struct admin *admin, const struct args *args, struct err *err)
{
    return step_to(admin, args, LIFECYCLE_REVOKE, "revoke", err);
}

static enum status destroy(struct admin *admin, const struct args *args, struct err *err)
{
    return step_to(admin, args, LIFECYCLE_DESTROY, "destroy", err);
}

static const struct command commands[] = {
    {"new", "DOMAIN [--algorithm A] [--selector S] [--bits N] [--activate] [--reserved]",
     "makes a key, staged until it is activated; a reserved one signs only where a rule names its "
     "selector, beside the domain's others",
     new_key},
    {"import", "DOMAIN --selector S FILE [--activate] [--reserved]",
     "takes a private key from a PEM file (-: standard input)", import_key},
    {"list", "[DOMAIN]", "shows the keys of one domain or of all", list},
    {"show", "DOMAIN SELECTOR", "shows one, with the record to publish", show},
    {"activate", "DOMAIN SELECTOR", "lets it sign, and its predecessor retire", activate},
    {"retire", "DOMAIN SELECTOR", "stops signing with it; its record stays in DNS", retire},
    {"revoke", "DOMAIN SELECTOR",
     "destroys its private key; DNS is to say that nothing it signed is good", revoke},
    {"destroy", "DOMAIN SELECTOR", "gives the record of a revoked key up", destroy},
    {NULL, NULL, NULL, NULL},
};

const struct noun key_noun = {"key", "the keys of the domains", commands};
