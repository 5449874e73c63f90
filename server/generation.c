/* SPDX-License-Identifier: Apache-2.0 */
#include "server/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage/drivers.h"
#include "storage/vault.h"

enum status generation_read(const char *path, struct settings **out, struct buf *problems,
                            struct buf *warnings)
{
    struct err err = {0};
    enum status status = settings_load(path, problems, warnings, out, &err);
    if (status == ST_OK)
        status = generation_check(*out, &err);
    else if (problems->len > 0)
        return status;
    if (status != ST_OK)
        buf_printf(problems, "%s: %s\n", path, err.text);
    return status;
}

void generation_log(enum log_level level, const struct buf *lines)
{
    struct span rest = buf_span(lines), line;
    while (span_next(&rest, '\n', &line))
        if (line.len > 0)
            log_text(level, "%.*s", (int)line.len, line.data);
}

enum status generation_check(const struct settings *settings, struct err *err)
{
    struct policy *policy = NULL;
    const struct driver *driver = NULL;
    struct privileges privileges;
    enum status status = policy_new(settings, &policy, err);
    policy_free(policy);
    if (status == ST_OK)
        status = drivers_find(settings->store.url, &driver, err);
    if (status == ST_OK)
        status = privileges_find(settings, &privileges, err);
    return status;
}

static size_t worker_count(const struct settings *settings)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (settings->server.workers > 0)
        return (size_t)settings->server.workers;
    return cores > 0 ? (size_t)cores : 1;
}

static enum status open_shadow(struct generation *g, const struct settings *settings,
                               struct err *err)
{
    struct settings *shadow = NULL;
    enum status status = settings_shadow(settings, &shadow, err);
    if (status == ST_OK && shadow != NULL)
        status = policy_new(shadow, &g->shadow, err);
    settings_free(shadow);
    return status == ST_OK ? ST_OK : err_context(err, "[trust] shadow");
}

static enum status open_all(struct generation *g, const struct settings *settings, struct err *err)
{
    int ends[2];
    enum status status = vault_open(settings->vault.keyring, &g->vault, err);
    if (status != ST_OK)
        return err_context(err, "[vault] keyring");
    vault_allow_unsealed(g->vault, settings->ldap.allow_unsealed_keys &&
                                       settings->ldap.map_filter[0] != '\0');
    status = policy_new(settings, &g->policy, err);
    if (status == ST_OK)
        status = open_shadow(g, settings, err);
    if (status == ST_OK)
        status = privileges_find(settings, &g->privileges, err);
    if (status != ST_OK)
        return status;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, ST_TEMP, "no pipe: %s", strerror(errno));
    g->retire_read = ends[0];
    g->retire_write = ends[1];
    return ST_OK;
}

enum status generation_new(struct settings *settings, unsigned number, struct generation **out,
                           struct err *err)
{
    struct generation *g = calloc(1, sizeof *g);
    if (g == NULL)
        return err_set(err, ST_TEMP, "out of memory");
    g->number = number;
    g->workers = worker_count(settings);
    g->retire_read = g->retire_write = -1;
    enum status status = open_all(g, settings, err);
    if (status != ST_OK) {
        generation_free(g);
        return status;
    }
    g->settings = settings;
    *out = g;
    return ST_OK;
}

void generation_free(struct generation *generation)
{
    if (generation == NULL)
        return;
    if (generation->retire_write >= 0)
        close(generation->retire_write);
    if (generation->retire_read >= 0)
        close(generation->retire_read);
    policy_free(generation->policy);
    policy_free(generation->shadow);
    vault_close(generation->vault);
    settings_free(generation->settings);
    free(generation);
}
