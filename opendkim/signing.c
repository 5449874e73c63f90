/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "opendkim/signing_internal.h"

static const struct set {
    const char *setting;
    enum table_use use;
    bool only_own; /* only rows that are read here; others stop OpenDKIM */
} sets[SIGNING_SETS] = {
    [SIGNING_PEERS] = {"PeerList", TABLE_PEERS, false},
    [SIGNING_INTERNAL] = {"InternalHosts", TABLE_PEERS, false},
    [SIGNING_IGNORED] = {"ExternalIgnoreList", TABLE_PEERS, false},
    [SIGNING_EXEMPT] = {"ExemptDomains", TABLE_NAMES, false},
    [SIGNING_DONT] = {"DontSignMailTo", TABLE_NAMES, false},
    [SIGNING_MTA] = {"MTA", TABLE_WORDS, true},
    [SIGNING_SENDERS] = {"SenderHeaders", TABLE_NAMES, true},
    [SIGNING_RULES] = {"SigningTable", TABLE_RULES, false},
    [SIGNING_KEYS] = {"KeyTable", TABLE_KEYS, false},
    [SIGNING_DOMAINS] = {"Domain", TABLE_NAMES, false},
    [SIGNING_MACROS] = {"MacroList", TABLE_MACROS, true},
    [SIGNING_HEADERS] = {"SignHeaders", TABLE_NAMES, false},
    [SIGNING_OMITTED] = {"OmitHeaders", TABLE_NAMES, false},
    [SIGNING_OVERSIGNED] = {"OverSignHeaders", TABLE_NAMES, false},
};

void signing_set_stop(struct signing *signing, const char *fmt, ...)
{
    va_list args;
    struct buf text = BUF_INIT(0);
    struct err first;
    va_start(args, fmt);
    buf_vprintf(&text, fmt, args);
    va_end(args);
    notes_add(signing->options.notes, NOTES_UNKNOWN, (struct notes_place){NULL, 0},
              "OpenDKIM does not start: %s", buf_cstr(&text));
    err_set(&first, ST_INVALID, "%s", buf_cstr(&text));
    if (signing->stop[0] == '\0')
        memcpy(signing->stop, first.text, sizeof first.text);
    buf_clear(&text);
}

/* -- opening ------------------------------------------------------------------------------ */

static enum status open_set(struct signing *signing, enum signing_set set, struct err *err)
{
    const struct signing_options *options = &signing->options;
    const char *spec = configuration_text(options->configuration, sets[set].setting);
    struct table_options table = {
        .setting = sets[set].setting,
        .use = sets[set].use,
        .base = configuration_text(options->configuration, "BaseDirectory"),
        .notes = options->notes,
        .place = configuration_place(options->configuration, sets[set].setting),
        .sources = options->sources,
        .source_count = options->source_count,
        .source_context = options->source_context,
        .uncut = options->uncut,
    };
    if (spec == NULL)
        return ST_OK;
    enum status status = table_open(spec, &table, &signing->sets[set], err);
    if (status == ST_INVALID || status == ST_NOT_FOUND) {
        signing_set_stop(signing, "%s", err->text);
        return ST_OK;
    }
    if (status != ST_OK || !sets[set].only_own)
        return status;
    enum table_type type = table_type_of(signing->sets[set]);
    if (type == TABLE_REFILE || (set == SIGNING_MACROS && type != TABLE_FILE && type != TABLE_CSL))
        signing_set_stop(signing, "%s: not a data set of a type that can be listed",
                         sets[set].setting);
    return ST_OK;
}

static enum status open_keylist(struct signing *signing, struct err *err)
{
    const char *path = configuration_text(signing->options.configuration, "KeyList");
    if (path == NULL)
        return ST_OK;
    enum status status = keylist_read(path, signing->options.notes, &signing->keylist, err);
    if (status != ST_NOT_FOUND && status != ST_INVALID)
        return status;
    signing_set_stop(signing, "%s", err->text);
    return ST_OK;
}

static enum status open_loader(struct signing *signing, struct err *err)
{
    const struct configuration *configuration = signing->options.configuration;
    struct keytable_options options = {
        .base = configuration_text(configuration, "BaseDirectory"),
        .root = configuration_text(configuration, "ChangeRootDirectory"),
        .user = configuration_text(configuration, "UserID"),
    };
    enum status status = keytable_loader_new(&options, &signing->loader, err);
    if (status != ST_INVALID)
        return status;
    signing_set_stop(signing, "UserID: %s", err->text);
    options.user = NULL;
    return keytable_loader_new(&options, &signing->loader, err);
}

static enum status open_all(struct signing *signing, struct err *err)
{
    enum status status = ST_OK;
    if (signing->options.configuration->stop[0] != '\0')
        signing_set_stop(signing, "%s", signing->options.configuration->stop);
    for (enum signing_set set = 0; status == ST_OK && set < SIGNING_SETS; set++) {
        if (set == SIGNING_DOMAINS && signing->sets[SIGNING_KEYS] != NULL)
            continue; /* nobody asks it */
        status = open_set(signing, set, err);
    }
    if (status == ST_OK)
        status = open_keylist(signing, err);
    if (status == ST_OK)
        status = open_loader(signing, err);
    if (status == ST_OK && signing->sets[SIGNING_KEYS] != NULL)
        keytable_review(signing->sets[SIGNING_KEYS]);
    return status == ST_OK ? signing_check(signing, err) : status;
}

enum status signing_open(const struct signing_options *options, struct signing **out,
                         struct err *err)
{
    struct signing *signing = calloc(1, sizeof *signing);
    *out = NULL;
    if (signing == NULL)
        return err_set(err, ST_TEMP, "no memory for OpenDKIM's settings");
    signing->options = *options;
    enum status status = open_all(signing, err);
    if (status == ST_OK)
        *out = signing;
    else
        signing_close(signing);
    return status;
}

void signing_close(struct signing *signing)
{
    if (signing == NULL)
        return;
    for (enum signing_set set = 0; set < SIGNING_SETS; set++)
        table_close(signing->sets[set]);
    keylist_clear(&signing->keylist);
    keytable_loader_free(signing->loader);
    free(signing);
}

/* -- asking ------------------------------------------------------------------------------- */

void signing_forgive(struct signing *signing)
{
    signing->stop[0] = '\0';
}

const char *signing_stop(const struct signing *signing)
{
    return signing->stop;
}

struct table *signing_table(const struct signing *signing, const char *setting)
{
    for (enum signing_set set = 0; set < SIGNING_SETS; set++)
        if (strcmp(sets[set].setting, setting) == 0)
            return signing->sets[set];
    return NULL;
}

const struct keylist *signing_keylist(const struct signing *signing)
{
    return &signing->keylist;
}

struct keytable_loader *signing_keys(const struct signing *signing)
{
    return signing->loader;
}

unsigned signing_mode(const struct signing *signing)
{
    return signing->mode;
}

const char *signing_algorithm(const struct signing *signing)
{
    return signing->algorithm;
}

const char *signing_action_name(enum signing_action action)
{
    static const char *const names[] = {"sign",   "unsigned", "verify", "tempfail",
                                        "reject", "discard",  "stopped"};
    return names[action];
}

void signing_answer_clear(struct signing_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        free(answer->list[i].domain);
        free(answer->list[i].selector);
        free(answer->list[i].identity);
        free(answer->list[i].algorithm);
        free(answer->list[i].key);
    }
    for (size_t i = 0; i < answer->step_count; i++)
        free(answer->steps[i]);
    free(answer->list);
    free(answer->steps);
    *answer = (struct signing_answer){.action = SIGNING_UNSIGNED};
}
