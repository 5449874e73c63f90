/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes what a benchmark needs in a directory that exists: `keyring`, `inkan.db`, and in it
 * tenant acme with the domains d0.example, d1.example, ..., each with an active RSA-2048 key of
 * selector s1. All domains share one key, sealed for each: to make 100,000 keys takes four core
 * hours and would change nothing of what is measured.
 *
 *   bench_setup DIRECTORY DOMAINS
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "dkim/crypto.h"
#include "sql/migrate.h"
#include "storage/store.h"
#include "storage/vault.h"

enum { PATH_SIZE = 4096, DOMAINS_A_TRANSACTION = 1000 };

struct setup {
    struct vault *vault;
    struct store *store;
    struct buf private, public;
};

static enum status make_key(struct setup *s, struct err *err)
{
    struct dkim_key *key = NULL;
    s->private = BUF_SECRET(0);
    enum status status = dkim_key_generate(DKIM_RSA_SHA256, 2048, &s->private, err);
    if (status == ST_OK)
        status = dkim_key_parse(DKIM_RSA_SHA256, buf_span(&s->private), &key, err);
    if (status == ST_OK)
        status = dkim_key_public(key, &s->public, err);
    dkim_key_free(key);
    return status;
}

static enum status open_all(struct setup *s, const char *directory, struct err *err)
{
    char keyring[PATH_SIZE], url[PATH_SIZE];
    struct migrate_report report;
    struct migrate_options migrate = {.url = url, .timeout_ms = 10000, .create = true};
    struct store_options store = {
        .url = url, .timeout_ms = 60000, .connections = 1, .actor = "bench_setup"};
    snprintf(keyring, sizeof keyring, "%s/keyring", directory);
    snprintf(url, sizeof url, "sqlite:%s/inkan.db", directory);
    enum status status = vault_create(keyring, err);
    if (status == ST_OK)
        status = vault_open(keyring, &s->vault, err);
    if (status == ST_OK)
        status = migrate_run(&migrate, &report, err);
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
        .algorithm = DKIM_RSA_SHA256,
        .bits = 2048,
        .state = KEY_ACTIVE,
        .public_key = s->public,
        .created = now_s,
        .activated = now_s,
    };
    enum status status = vault_seal_key(s->vault, "acme", buf_span(&s->private), &key, err);
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

int main(int argc, char **argv)
{
    struct setup s = {0};
    struct err err = {0};
    if (argc != 3) {
        fputs("usage: bench_setup DIRECTORY DOMAINS\n", stderr);
        return 2;
    }
    long domains = strtol(argv[2], NULL, 10);
    enum status status = open_all(&s, argv[1], &err);
    if (status == ST_OK)
        status = make_key(&s, &err);
    for (long i = 0; i < domains && status == ST_OK; i += DOMAINS_A_TRANSACTION)
        status = put_some(&s, i, domains, &err);
    if (status != ST_OK)
        fprintf(stderr, "bench_setup: %s\n", err.text);
    buf_clear(&s.private);
    buf_clear(&s.public);
    store_close(s.store);
    vault_close(s.vault);
    return status_exit_code(status);
}
