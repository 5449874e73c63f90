/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* With sudo the person counts, not root. */
static void name_actor(struct admin *admin)
{
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
    const struct passwd *user = getpwuid(getuid());
    const char *name = user == NULL ? "unknown" : user->pw_name;
    if (sudo != NULL && getpwnam(sudo) != NULL)
        name = sudo;
    snprintf(admin->actor, sizeof admin->actor, "%s (inkan)", name);
}

void admin_init(struct admin *admin)
{
    *admin = (struct admin){.config = NULL};
    output_init(&admin->output, stdout);
    name_actor(admin);
}

void admin_clear(struct admin *admin)
{
    output_clear(&admin->output);
    store_close(admin->store);
    vault_close(admin->vault);
    settings_free(admin->settings);
}

/* All faults at once, each a sentence of its own; the caller has none left to tell. */
static enum status load_settings(struct admin *admin, const char *path, struct err *err)
{
    struct buf problems = BUF_INIT(0);
    enum status status = settings_load(path, &problems, NULL, &admin->settings, err);
    if (status != ST_OK && problems.len > 0) {
        admin_warn_lines(buf_span(&problems));
        err_set(err, status, "%s", "");
    }
    buf_clear(&problems);
    return status;
}

enum status admin_settings(struct admin *admin, const struct settings **out, struct err *err)
{
    enum status status = ST_OK;
    if (admin->settings == NULL) {
        const char *path = settings_path(admin->config);
        bool given = admin->config != NULL || getenv("INKAN_CONF") != NULL;
        if (!given && access(path, F_OK) != 0)
            path = NULL;
        status = load_settings(admin, path, err);
    }
    *out = admin->settings;
    return status;
}

static enum status open_store(struct admin *admin, struct err *err)
{
    const struct settings *settings;
    enum status status = admin_settings(admin, &settings, err);
    if (status != ST_OK)
        return status;
    struct store_options options = {.url = settings->store.url,
                                    .timeout_ms = settings->store.timeout_ms,
                                    .connections = 2,
                                    .actor = admin->actor,
                                    .ldap = &settings->ldap};
    return store_open(&options, &admin->store, err);
}

enum status admin_store(struct admin *admin, struct store **out, struct err *err)
{
    enum status status = ST_OK;
    if (admin->store == NULL) {
        status = open_store(admin, err);
        if (status == ST_OK)
            status = store_check(admin->store, err);
    }
    *out = admin->store;
    return status;
}

enum status admin_vault(struct admin *admin, const struct vault **out, struct err *err)
{
    const struct settings *settings;
    enum status status = ST_OK;
    if (admin->vault == NULL) {
        status = admin_settings(admin, &settings, err);
        if (status == ST_OK)
            status = vault_open(settings->vault.keyring, &admin->vault, err);
        if (status == ST_OK)
            vault_allow_unsealed(admin->vault, settings->ldap.allow_unsealed_keys &&
                                                   settings->ldap.map_filter[0] != '\0');
    }
    *out = admin->vault;
    return status;
}

enum status admin_transaction(struct admin *admin, admin_work *work, void *arg, struct err *err)
{
    struct store *store;
    struct store_tx *tx = NULL;
    enum status status = admin_store(admin, &store, err);
    if (status == ST_OK)
        status = store_begin(store, &tx, err);
    if (status == ST_OK)
        status = work(tx, arg, err);
    if (status == ST_OK && !admin->dry_run)
        return store_commit(tx, err);
    store_rollback(tx);
    return status;
}

struct put {
    const struct kind *kind;
    void *record;
    const char *action;
};

static enum status put(struct store_tx *tx, void *arg, struct err *err)
{
    const struct put *what = arg;
    return store_tx_put(tx, what->kind, what->record, what->action, err);
}

enum status admin_put(struct admin *admin, const struct kind *kind, void *record,
                      const char *action, struct err *err)
{
    return admin_transaction(admin, put, &(struct put){kind, record, action}, err);
}

enum status admin_domain_name(const char *word, char out[DKIM_DOMAIN_SIZE], struct err *err)
{
    enum status status = dkim_domain_normalize(span_str(word), out, err);
    return status == ST_OK ? ST_OK : err_context(err, "domain %.64s", word);
}

enum status admin_named(enum status status, struct err *err)
{
    if (status != ST_NOT_FOUND)
        return status;
    return err_set(err, ST_INVALID, "%s", err->text);
}

enum status admin_agreed(const struct admin *admin, const char *what, struct err *err)
{
    if (admin->yes || admin->dry_run)
        return ST_OK;
    return err_set(err, ST_DENIED, "%s; add --yes if that is what you want", what);
}

void admin_did(struct admin *admin, const char *verb, const char *fmt, ...)
{
    struct buf text = BUF_INIT(0);
    bool e = verb[strlen(verb) - 1] == 'e';
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    if (admin->dry_run)
        output_line(&admin->output, "would %s %s", verb, buf_cstr(&text));
    else
        output_line(&admin->output, "%s%s %s", verb, e ? "d" : "ed", buf_cstr(&text));
    buf_clear(&text);
}

void admin_warn(const char *fmt, ...)
{
    struct buf text = BUF_INIT(0);
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            text.data[i] = '?';
    fprintf(stderr, "inkan: %s\n", buf_cstr(&text));
    buf_clear(&text);
}

void admin_warn_lines(struct span lines)
{
    struct span line;
    while (span_next(&lines, '\n', &line)) {
        if (line.len > 0)
            admin_warn("%.*s", (int)line.len, line.data);
    }
}

static enum status read_all(int fd, struct buf *out, struct err *err)
{
    char chunk[65536];
    ssize_t got;
    do {
        got = read(fd, chunk, sizeof chunk);
        if (got > 0)
            buf_append(out, chunk, (size_t)got);
    } while ((got > 0 || (got < 0 && errno == EINTR)) && out->failed == ST_OK);
    int fault = errno;
    if (out->secret)
        bytes_wipe(chunk, sizeof chunk);
    if (got < 0)
        return err_set(err, ST_INVALID, "%s", strerror(fault));
    return buf_check(out, "too much", err);
}

enum status admin_read(const char *path, struct buf *out, struct err *err)
{
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ST_INVALID, "%s: %s", path, strerror(errno));
    enum status status = read_all(fd, out, err);
    if (!standard)
        close(fd);
    if (status != ST_OK)
        return err_context(err, "%s", standard ? "standard input" : path);
    return ST_OK;
}
