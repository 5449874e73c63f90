/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "admin/command.h"
#include "admin/copy.h"
#include "admin/owner.h"
#include "admin/progress.h"
#include "admin/rows.h"
#include "base/clock.h"
#include "dkim/crypto.h"
#include "storage/drivers.h"

/* -- init and migrate ----------------------------------------------------------------------- */

struct migration {
    char *url;
    int64_t before, after;
};
static const struct field migration_fields[] = {
    OUTPUT_FIELD(struct migration, url, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct migration, before, FIELD_INT, 0),
    OUTPUT_FIELD(struct migration, after, FIELD_INT, 0),
};
static const struct kind kind_migration =
    OUTPUT_KIND("migration", struct migration, migration_fields);

/* What the driver would say, without touching anything. */
static enum status rehearse(const struct driver *driver, const struct driver_options *options,
                            struct driver_migration *migration, struct err *err)
{
    struct driver_conn *conn = NULL;
    int64_t deadline_ms = clock_monotonic_ms() + migration->timeout_ms;
    const struct driver_options look = {.url = options->url, .ldap = options->ldap};
    migration->after = migration->version;
    enum status status = driver->open(&look, deadline_ms, &conn, err);
    if (status == ST_NOT_FOUND && options->create)
        return ST_OK;
    if (status != ST_OK)
        return status;
    conn->deadline_ms = deadline_ms;
    status = conn->driver->schema(conn, &migration->before, err);
    if (status == ST_OK && options->create && migration->before > 0)
        status = err_set(err, ST_CONFLICT, "%s: has a schema already", options->url);
    driver->close(conn);
    return status;
}

static enum status run_migration(struct admin *admin, bool create,
                                 struct driver_migration *migration, struct err *err)
{
    const struct settings *settings;
    const struct driver *driver = NULL;
    enum status status = admin_settings(admin, &settings, err);
    if (status == ST_OK)
        status = drivers_find(settings->store.url, &driver, err);
    if (status != ST_OK)
        return status;
    const struct driver_options options = {
        .url = settings->store.url, .ldap = &settings->ldap, .create = create};
    migration->timeout_ms = settings->store.timeout_ms;
    status = admin->dry_run ? rehearse(driver, &options, migration, err)
                            : driver->migrate(&options, migration, err);
    if (status == ST_NOT_FOUND && create)
        status = err_set(err, ST_INVALID, "%s: the directory does not exist", options.url);
    return status;
}

static enum status migrate(struct admin *admin, bool create, struct err *err)
{
    const struct settings *settings;
    struct driver_migration migration = {.version = STORE_SCHEMA_VERSION};
    enum status status = run_migration(admin, create, &migration, err);
    if (status == ST_OK)
        status = admin_settings(admin, &settings, err);
    if (status != ST_OK)
        return status;
    struct migration answer = {settings->store.url, migration.before, migration.after};
    if (admin->output.json)
        output_record(&admin->output, &kind_migration, &answer);
    else if (migration.before == migration.after)
        output_line(&admin->output, "%s has schema version %d already", answer.url,
                    migration.after);
    else
        admin_did(admin, create ? "create" : "migrate", "%s with schema version %d", answer.url,
                  migration.after);
    return ST_OK;
}

static enum status init_verb(struct admin *admin, const struct args *args, struct err *err)
{
    (void)args;
    return migrate(admin, true, err);
}

static enum status migrate_verb(struct admin *admin, const struct args *args, struct err *err)
{
    (void)args;
    return admin_named(migrate(admin, false, err), err);
}

/* -- status --------------------------------------------------------------------------------- */

struct standing {
    char *driver, *url;
    int64_t schema, newest_schema, tenants, domains, keys;
};
static const struct field standing_fields[] = {
    OUTPUT_FIELD(struct standing, driver, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct standing, url, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct standing, schema, FIELD_INT, 0),
    OUTPUT_FIELD(struct standing, newest_schema, FIELD_INT, 0),
    OUTPUT_FIELD(struct standing, tenants, FIELD_INT, 0),
    OUTPUT_FIELD(struct standing, domains, FIELD_INT, 0),
    OUTPUT_FIELD(struct standing, keys, FIELD_INT, 0),
};
static const struct kind kind_standing = OUTPUT_KIND("store", struct standing, standing_fields);

static enum status count(struct store *store, const struct kind *kind, int64_t *out,
                         struct err *err)
{
    struct query query = {.kind = kind};
    return rows_count(store, &query, out, err);
}

static enum status take_standing(struct store *store, struct standing *out, struct err *err)
{
    out->driver = span_dup(span_str(store_driver(store)));
    out->url = span_dup(span_str(store_url(store)));
    out->newest_schema = STORE_SCHEMA_VERSION;
    enum status status = count(store, &kind_tenant, &out->tenants, err);
    if (status == ST_OK)
        status = count(store, &kind_domain, &out->domains, err);
    if (status == ST_OK)
        status = count(store, &kind_key, &out->keys, err);
    return status;
}

static enum status status_verb(struct admin *admin, const struct args *args, struct err *err)
{
    struct store *store;
    struct standing standing = {.driver = NULL};
    int schema = 0;
    (void)args;
    enum status status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = store_schema(store, &schema, err);
    if (status == ST_OK)
        status = take_standing(store, &standing, err);
    standing.schema = schema;
    if (status == ST_OK)
        output_record(&admin->output, &kind_standing, &standing);
    kind_clear(&kind_standing, &standing);
    return status;
}

/* -- check ---------------------------------------------------------------------------------- */

/* A key that cannot sign although it should. */
struct fault {
    char *domain, *selector, *problem;
};
static const struct field fault_fields[] = {
    OUTPUT_FIELD(struct fault, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct fault, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct fault, problem, FIELD_TEXT, 0),
};
static const struct kind kind_fault = OUTPUT_KIND("fault", struct fault, fault_fields);

struct check {
    struct output *output;
    struct owner owner;
    struct progress progress;
    int64_t sealed, broken;
};

/* The private half opens, parses, and is the other half of what DNS shows. */
static enum status check_key(struct check *check, const struct key *key, struct err *err)
{
    struct buf secret = BUF_SECRET(DKIM_PRIVATE_MAX), public_octets = BUF_INIT(0);
    struct dkim_key *parsed = NULL;
    enum status status = owner_unseal(&check->owner, key, &secret, err);
    if (status == ST_OK)
        status =
            dkim_key_parse((enum dkim_algorithm)key->algorithm, buf_span(&secret), &parsed, err);
    if (status == ST_OK)
        status = dkim_key_check(parsed, err);
    if (status == ST_OK)
        status = dkim_key_public(parsed, &public_octets, err);
    bool compared = key->public_key.len > 0; /* a directory with another schema has none */
    if (status == ST_OK && compared &&
        !span_equal(buf_span(&public_octets), buf_span(&key->public_key)))
        status = err_set(err, ST_BROKEN, "the private key does not match the public one");
    dkim_key_free(parsed);
    buf_clear(&secret);
    buf_clear(&public_octets);
    return status;
}

/* One key that is broken is an answer; a store that is away is not. */
static enum status check_page(void *arg, struct rows *page, struct err *err)
{
    struct check *check = arg;
    enum status status = ST_OK;
    for (size_t i = 0; status == ST_OK && i < page->count; i++) {
        struct key *key = rows_at(page, i);
        if (key->sealed.len == 0)
            continue;
        check->sealed++;
        status = check_key(check, key, err);
        if (status != ST_OK && status != ST_TEMP) {
            struct fault fault = {key->domain, key->selector, err->text};
            output_record(check->output, &kind_fault, &fault);
            check->broken++;
            status = ST_OK;
        }
    }
    progress_add(&check->progress, (int64_t)page->count);
    return status;
}

static enum status check_all(struct store *store, struct check *check, struct err *err)
{
    struct query query = {.kind = &kind_key};
    int64_t total;
    enum status status = count(store, &kind_key, &total, err);
    if (status != ST_OK)
        return status;
    progress_begin(&check->progress, "checking", total);
    output_list_begin(check->output, NULL);
    status = rows_walk(store, &query, check_page, check, err);
    if (status == ST_OK)
        output_list_end(check->output, &kind_fault);
    progress_end(&check->progress);
    owner_clear(&check->owner);
    return status;
}

static enum status check_verb(struct admin *admin, const struct args *args, struct err *err)
{
    struct check check = {.output = &admin->output};
    (void)args;
    enum status status = admin_store(admin, &check.owner.store, err);
    if (status == ST_OK)
        status = admin_vault(admin, &check.owner.vault, err);
    if (status == ST_OK)
        status = check_all(check.owner.store, &check, err);
    if (status == ST_OK && check.broken > 0)
        return err_set(err, ST_NOT_FOUND, "%lld of %lld private keys are broken",
                       (long long)check.broken, (long long)check.sealed);
    if (status == ST_OK)
        output_line(&admin->output, "%lld private keys open and match", (long long)check.sealed);
    return status;
}

/* -- copy ----------------------------------------------------------------------------------- */

struct endpoints {
    char *from, *to;
};
static const struct field endpoint_fields[] = {
    OUTPUT_FIELD(struct endpoints, from, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct endpoints, to, FIELD_TEXT, 0),
};
static const struct kind kind_endpoints = OUTPUT_KIND("copy", struct endpoints, endpoint_fields);

struct copied {
    char *kind;
    int64_t copied, present;
};
static const struct field copied_fields[] = {
    OUTPUT_FIELD(struct copied, kind, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct copied, copied, FIELD_INT, 0),
    OUTPUT_FIELD(struct copied, present, FIELD_INT, 0),
};
static const struct kind kind_copied = OUTPUT_KIND("kind", struct copied, copied_fields);

/* The target is a store already: only its own settings say how it is to be made. */
static enum status check_target(struct store *target, struct err *err)
{
    int version = 0;
    const char *url = store_url(target);
    enum status status = store_schema(target, &version, err);
    if (status == ST_NOT_FOUND || (status == ST_OK && version < STORE_SCHEMA_VERSION))
        return err_set(err, ST_INVALID,
                       "%.120s is not ready: run `inkan store %s` with settings whose store.url it "
                       "is",
                       url, version == 0 ? "init" : "migrate");
    return status == ST_OK ? store_check(target, err) : status;
}

static enum status open_target(struct admin *admin, const char *url, struct store **out,
                               struct err *err)
{
    const struct settings *settings;
    enum status status = admin_settings(admin, &settings, err);
    if (status != ST_OK)
        return status;
    if (span_equal(span_str(url), span_str(settings->store.url)))
        return err_set(err, ST_INVALID, "--to: that is the store to copy from");
    struct store_options options = {.url = url,
                                    .timeout_ms = settings->store.timeout_ms,
                                    .connections = 2,
                                    .actor = admin->actor,
                                    .ldap = &settings->ldap};
    status = store_open(&options, out, err);
    return status == ST_OK ? check_target(*out, err) : status;
}

/* Every record is a step twice: copied and compared. Counting takes a walk of its own. */
static enum status begin_progress(struct copy *copy, struct err *err)
{
    enum status status = ST_OK;
    int64_t records, total = 0;
    progress_begin(copy->progress, "copying", 0);
    if (!copy->progress->shown)
        return ST_OK;
    for (size_t i = 0; status == ST_OK && kinds[i] != &kind_change; i++) {
        status = count(copy->source, kinds[i], &records, err);
        total += records;
    }
    progress_begin(copy->progress, "copying", copy->dry_run ? total : 2 * total);
    return status;
}

static enum status run_copy(struct copy *copy, struct err *err)
{
    enum status status = begin_progress(copy, err);
    if (status == ST_OK)
        status = copy_run(copy, err);
    if (status == ST_OK && !copy->dry_run)
        status = copy_verify(copy, err);
    if (status == ST_OK && !copy->dry_run)
        status = copy_record(copy, err);
    progress_end(copy->progress);
    return status;
}

static void answer_copy(struct admin *admin, const struct copy *copy)
{
    struct endpoints ends = {span_dup(span_str(store_url(copy->source))),
                             span_dup(span_str(store_url(copy->target)))};
    output_begin(&admin->output, &kind_endpoints, &ends);
    output_list_begin(&admin->output, "kinds");
    for (size_t i = 0; i < copy->count; i++) {
        const struct copy_count *count = &copy->counts[i];
        struct copied row = {span_dup(span_str(count->kind->name)), count->copied, count->present};
        output_record(&admin->output, &kind_copied, &row);
        kind_clear(&kind_copied, &row);
    }
    output_list_end(&admin->output, &kind_copied);
    output_end(&admin->output);
    output_line(&admin->output, "%s",
                copy->dry_run ? "nothing was copied: this is a rehearsal"
                              : "both stores are equal");
    kind_clear(&kind_endpoints, &ends);
}

static enum status copy_verb(struct admin *admin, const struct args *args, struct err *err)
{
    struct progress progress;
    const struct settings *settings;
    struct copy copy = {.actor = admin->actor, .dry_run = admin->dry_run, .progress = &progress};
    enum status status = admin_settings(admin, &settings, err);
    if (status == ST_OK)
        status = admin_store(admin, &copy.source, err);
    if (status == ST_OK && settings->ldap.allow_unsealed_keys)
        status = admin_vault(admin, &copy.vault, err);
    if (status == ST_OK)
        status = open_target(admin, args_option(args, "--to"), &copy.target, err);
    if (status == ST_OK)
        status = run_copy(&copy, err);
    if (status == ST_OK)
        answer_copy(admin, &copy);
    store_close(copy.target);
    return status;
}

static const struct command commands[] = {
    {"init", "", "makes the data base", init_verb},
    {"migrate", "", "brings its schema to what this program wants", migrate_verb},
    {"status", "", "shows what and where it is, and how much is in it", status_verb},
    {"check", "", "opens every private key and compares it with its public half", check_verb},
    {"copy", "--to URL", "copies all of it into another store, and compares the two", copy_verb},
    {NULL, NULL, NULL, NULL},
};

const struct noun store_noun = {"store", "the data base", commands};
