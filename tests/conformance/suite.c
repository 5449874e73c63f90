/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/conformance/suite.h"

#include <stdio.h>
#include <unistd.h>

#include "base/settings.h"
#include "tests/unit/test_folder_support.h"

const char *suite_url;
struct suite_commands suite_commands;
static struct settings *settings;

void suite_expect(enum status st, enum status want, const struct err *err, const char *what)
{
    if (st != want)
        fail_msg("%s: %s instead of %s (%s)", what, status_name(st), status_name(want), err->text);
}

struct store *suite_open(size_t connections, int64_t timeout_ms)
{
    const struct store_options options = {.url = suite_url,
                                          .timeout_ms = timeout_ms,
                                          .connections = connections,
                                          .actor = "conformance",
                                          .ldap = &settings->ldap};
    struct store *store = NULL;
    EXPECT(ST_OK, store_open(&options, &store, &err));
    return store;
}

const char *suite_name(const char *format)
{
    static char names[64][128];
    static unsigned counter;
    char *name = names[++counter % 64];
    snprintf(name, sizeof names[0], "%s%u%s", format, counter, *format == 'd' ? ".example" : "");
    return name;
}

void suite_set(const struct kind *kind, void *record, const char *field, const char *value)
{
    EXPECT(ST_OK, field_set_text(kind_field(kind, span_str(field)), record, span_str(value), &err));
}

enum status suite_put(struct store *store, const struct kind *kind, void *record,
                      const char *action, struct err *err)
{
    struct store_tx *tx = NULL;
    enum status st = store_begin(store, &tx, err);
    if (st != ST_OK)
        return st;
    st = store_tx_put(tx, kind, record, action, err);
    if (st == ST_OK)
        return store_commit(tx, err);
    store_rollback(tx);
    return st;
}

struct vault *suite_vault(void)
{
    char folder[TEST_FOLDER_SIZE], path[TEST_FOLDER_SIZE + 16];
    struct vault *vault = NULL;
    assert_true(test_folder_make(folder, "conformance"));
    snprintf(path, sizeof path, "%s/keyring", folder);
    EXPECT(ST_OK, vault_create(path, &err));
    EXPECT(ST_OK, vault_open(path, &vault, &err));
    unlink(path);
    rmdir(folder);
    return vault;
}

void suite_add_key(struct store *store, const struct vault *vault, const struct suite_domain *names,
                   enum dkim_algorithm algorithm)
{
    struct key key = {.algorithm = algorithm, .state = KEY_ACTIVE};
    struct buf secret = BUF_SECRET(DKIM_PRIVATE_MAX);
    struct dkim_key *parsed = NULL;
    suite_set(&kind_key, &key, "domain", names->domain);
    suite_set(&kind_key, &key, "selector", suite_name("s"));
    EXPECT(ST_OK, dkim_key_generate(algorithm, 1024, &secret, &err));
    EXPECT(ST_OK, dkim_key_parse(algorithm, buf_span(&secret), &parsed, &err));
    EXPECT(ST_OK, dkim_key_public(parsed, &key.public_key, &err));
    key.bits = dkim_key_bits(parsed);
    EXPECT(ST_OK, vault_seal_key(vault, names->tenant, buf_span(&secret), &key, &err));
    EXPECT(ST_OK, suite_put(store, &kind_key, &key, "key.new", &err));
    dkim_key_free(parsed);
    buf_clear(&secret);
    kind_clear(&kind_key, &key);
}

struct suite_domain suite_add_domain(struct store *store, const struct vault *vault, int keys)
{
    struct suite_domain names;
    struct tenant tenant = {.expiry = -1};
    struct domain domain = {.expiry = -1};
    snprintf(names.tenant, sizeof names.tenant, "%s", suite_name("t"));
    snprintf(names.domain, sizeof names.domain, "%s", suite_name("d"));
    suite_set(&kind_tenant, &tenant, "name", names.tenant);
    suite_set(&kind_domain, &domain, "name", names.domain);
    suite_set(&kind_domain, &domain, "tenant", names.tenant);
    EXPECT(ST_OK, suite_put(store, &kind_tenant, &tenant, "tenant.add", &err));
    EXPECT(ST_OK, suite_put(store, &kind_domain, &domain, "domain.add", &err));
    for (int i = 0; i < keys; i++)
        suite_add_key(store, vault, &names, i == 0 ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256);
    kind_clear(&kind_tenant, &tenant);
    kind_clear(&kind_domain, &domain);
    return names;
}

void suite_need(const char *command, const char *what)
{
    if (command != NULL)
        return;
    print_message("    skipped: there is no command to %s this kind of store\n", what);
    skip();
}

void suite_do(const char *command)
{
    assert_int_equal(system(command), 0);
}

enum status suite_signers(struct keyring *keyring, const char *domain, struct signers **out,
                          struct err *err)
{
    struct keyring_question question = {.count = 0};
    question.count = dkim_domain_candidates(domain, question.names);
    *out = NULL;
    for (size_t i = 0; i < question.count; i++) {
        struct place *place = NULL;
        enum status st = keyring_find(keyring, &question, i, &place, err);
        struct signers *signers = place != NULL ? place->signers : NULL;
        if (signers != NULL && (i == 0 || signers->subdomains)) {
            signers_ref(signers);
            *out = signers;
        }
        place_unref(place);
        if (st != ST_OK || *out != NULL)
            return st;
    }
    return err_set(err, ST_NOT_FOUND, "%s is not a domain of this service", domain);
}

static const struct {
    const char *name;
    size_t offset;
} options[] = {
    {"--newer", offsetof(struct suite_commands, newer)},
    {"--stop", offsetof(struct suite_commands, stop)},
    {"--start", offsetof(struct suite_commands, start)},
    {"--hang", offsetof(struct suite_commands, hang)},
    {"--resume", offsetof(struct suite_commands, resume)},
    {"--slow", offsetof(struct suite_commands, slow)},
    {"--fast", offsetof(struct suite_commands, fast)},
    {"--deaf", offsetof(struct suite_commands, deaf)},
    {"--settings", offsetof(struct suite_commands, settings)},
};

static bool read_option(const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(options[i].name, name) == 0) {
            memcpy((char *)&suite_commands + options[i].offset, &value, sizeof value);
            return true;
        }
    }
    return false;
}

/* Those of the file, or the defaults. */
static bool read_settings(void)
{
    struct err err = {0};
    bool good = settings_load(suite_commands.settings, NULL, NULL, &settings, &err) == ST_OK;
    if (!good)
        fprintf(stderr, "%s\n", err.text);
    return good;
}

int main(int argc, char **argv)
{
    bool good = argc >= 2 && argc % 2 == 0;
    for (int i = 2; good && i < argc; i += 2)
        good = read_option(argv[i], argv[i + 1]);
    if (!good) {
        fprintf(
            stderr,
            "usage: conformance URL [--newer|--stop|--start|--hang|--resume|--slow|--fast COMMAND]"
            " [--deaf yes] [--settings FILE]\n");
        return 2;
    }
    if (!read_settings())
        return 2;
    suite_url = argv[1];
    int failed = suite_records() + suite_transactions() + suite_ahead() + suite_chain() +
                 suite_moves() + suite_life() + suite_hot_path() + suite_places() +
                 suite_keyring() + suite_refreshed() + suite_tiers() + suite_outage() +
                 suite_schema();
    settings_free(settings);
    return failed == 0 ? 0 : 1;
}
