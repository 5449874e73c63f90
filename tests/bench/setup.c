/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes what a benchmark or a test of many domains needs in a directory that exists: `keyring`,
 * and in the store (inkan.db there, or another, which must be empty) tenant acme with the domains
 * d0.example, d1.example, ..., each with an active key of selector s1. All share one RSA-2048
 * key, sealed for each: to make 100,000 of them takes four core hours and would change nothing
 * of what is measured. With --own-keys each has an Ed25519 key of its own, which costs little.
 * --private FILE keeps the shared key (PKCS#1 DER) for other programs.
 *
 * Section [ldap] of the settings file FILE says how to reach a directory.
 *
 *   bench_setup [--url URL] [--settings FILE] [--own-keys] [--private FILE] DIRECTORY DOMAINS
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/settings.h"
#include "dkim/crypto.h"
#include "storage/drivers.h"
#include "storage/store.h"
#include "storage/vault.h"

enum { PATH_SIZE = 4096, DOMAINS_A_TRANSACTION = 200 };

struct setup {
    const char *url; /* NULL: inkan.db in the directory */
    const char *private_file;
    const char *settings_file; /* NULL: the defaults */
    struct settings *settings;
    bool own_keys;
    struct vault *vault;
    struct store *store;
    enum dkim_algorithm algorithm;
    int bits;
    struct buf private, public;
};

static enum status make_key(struct setup *s, struct err *err)
{
    struct dkim_key *key = NULL;
    buf_reset(&s->private);
    buf_reset(&s->public);
    enum status status = dkim_key_generate(s->algorithm, s->bits, &s->private, err);
    if (status == ST_OK)
        status = dkim_key_parse(s->algorithm, buf_span(&s->private), &key, err);
    if (status == ST_OK)
        status = dkim_key_public(key, &s->public, err);
    dkim_key_free(key);
    return status;
}

static enum status keep_private(const struct setup *s, struct err *err)
{
    if (s->private_file == NULL)
        return ST_OK;
    FILE *file = fopen(s->private_file, "wx");
    bool written = file != NULL && fwrite(s->private.data, s->private.len, 1, file) == 1;
    if (file != NULL && fclose(file) != 0)
        written = false;
    return written ? ST_OK : err_set(err, ST_BROKEN, "%s: cannot be written", s->private_file);
}

static enum status open_all(struct setup *s, const char *directory, struct err *err)
{
    char keyring[PATH_SIZE], url[PATH_SIZE];
    struct driver_migration migration = {.version = STORE_SCHEMA_VERSION, .timeout_ms = 10000};
    struct driver_options options = {.url = url, .create = true};
    const struct driver *driver = NULL;
    struct store_options store = {
        .url = url, .timeout_ms = 60000, .connections = 1, .actor = "bench_setup"};
    snprintf(keyring, sizeof keyring, "%s/keyring", directory);
    snprintf(url, sizeof url, "sqlite:%s/inkan.db", directory);
    if (s->url != NULL)
        options.url = store.url = s->url;
    enum status status = settings_load(s->settings_file, NULL, NULL, &s->settings, err);
    if (status == ST_OK)
        options.ldap = store.ldap = &s->settings->ldap;
    if (status == ST_OK)
        status = vault_create(keyring, err);
    if (status == ST_OK)
        status = vault_open(keyring, &s->vault, err);
    if (status == ST_OK)
        status = drivers_find(options.url, &driver, err);
    if (status == ST_OK)
        status = driver->migrate(&options, &migration, err);
    return status == ST_OK ? store_open(&store, &s->store, err) : status;
}

static enum status put_tenant(struct store_tx *tx, struct err *err)
{
    struct tenant tenant = {.name = (char *)"acme", .created = clock_now_s()};
    enum status status = store_tx_put(tx, &kind_tenant, &tenant, "tenant.add", err);
    return status;
}

static enum status put_domain(struct setup *s, struct store_tx *tx, long number, struct err *err)
{
    char name[64];
    snprintf(name, sizeof name, "d%ld.example", number);
    int64_t now_s = clock_now_s();
    struct domain domain = {.name = name, .tenant = (char *)"acme", .expiry = -1, .created = now_s};
    struct key key = {
        .domain = name,
        .selector = (char *)"s1",
        .algorithm = s->algorithm,
        .bits = s->bits,
        .state = KEY_ACTIVE,
        .created = now_s,
        .activated = now_s,
    };
    enum status status = s->own_keys ? make_key(s, err) : ST_OK;
    key.public_key = s->public;
    if (status == ST_OK)
        status = vault_seal_key(s->vault, "acme", buf_span(&s->private), &key, err);
    if (status == ST_OK)
        status = store_tx_put(tx, &kind_domain, &domain, "domain.add", err);
    if (status == ST_OK)
        status = store_tx_put(tx, &kind_key, &key, "key.add", err);
    buf_clear(&key.sealed);
    free(key.kek);
    return status;
}

/* The domains from `first` on, as many as go into one transaction. */
static enum status put_some(struct setup *s, long first, long domains, struct err *err)
{
    struct store_tx *tx = NULL;
    enum status status = store_begin(s->store, &tx, err);
    if (status == ST_OK && first == 0)
        status = put_tenant(tx, err);
    for (long i = first; i < domains && i < first + DOMAINS_A_TRANSACTION && status == ST_OK; i++)
        status = put_domain(s, tx, i, err);
    if (status == ST_OK)
        return store_commit(tx, err);
    store_rollback(tx);
    return status;
}

static bool read_arguments(int argc, char **argv, struct setup *s)
{
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},
        {"settings", required_argument, NULL, 's'},
        {"own-keys", no_argument, NULL, 'o'},
        {"private", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'u')
            s->url = optarg;
        else if (option == 's')
            s->settings_file = optarg;
        else if (option == 'p')
            s->private_file = optarg;
        else if (option == 'o')
            s->own_keys = true;
        else
            return false;
    }
    s->algorithm = s->own_keys ? DKIM_ED25519_SHA256 : DKIM_RSA_SHA256;
    s->bits = s->own_keys ? 256 : 2048;
    return argc - optind == 2;
}

int main(int argc, char **argv)
{
    struct setup s = {.private = BUF_SECRET(0)};
    struct err err = {0};
    if (!read_arguments(argc, argv, &s)) {
        fputs("usage: bench_setup [--url URL] [--settings FILE] [--own-keys] [--private FILE]"
              " DIRECTORY DOMAINS\n",
              stderr);
        return 2;
    }
    long domains = strtol(argv[optind + 1], NULL, 10);
    enum status status = open_all(&s, argv[optind], &err);
    if (status == ST_OK)
        status = make_key(&s, &err);
    if (status == ST_OK)
        status = keep_private(&s, &err);
    for (long i = 0; i < domains && status == ST_OK; i += DOMAINS_A_TRANSACTION)
        status = put_some(&s, i, domains, &err);
    if (status != ST_OK)
        fprintf(stderr, "bench_setup: %s\n", err.text);
    buf_clear(&s.private);
    buf_clear(&s.public);
    store_close(s.store);
    vault_close(s.vault);
    settings_free(s.settings);
    return status_exit_code(status);
}
