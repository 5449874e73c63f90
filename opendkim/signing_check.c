/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "opendkim/signing_internal.h"

static bool is_one_of(struct span word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (span_equal_nocase(word, span_str(*words)))
            return true;
    return false;
}

/* -- words -------------------------------------------------------------------------------- */

static void check_mode(struct signing *signing, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == 's')
            signing->mode |= SIGNING_MODE_SIGN;
        else if (*text == 'v')
            signing->mode |= SIGNING_MODE_VERIFY;
        else
            signing_set_stop(signing, "Mode: %.20s: only the letters s and v are allowed", text);
    }
}

static void check_canonicalization(struct signing *signing, const char *text)
{
    static const char *const words[] = {"relaxed", "simple", NULL};
    struct span rest = span_str(text);
    size_t slash = span_find(rest, '/');
    if (!is_one_of(span_head(rest, slash), words) ||
        (slash < rest.len && !is_one_of(span_from(rest, slash + 1), words)))
        signing_set_stop(signing,
                         "Canonicalization: %.40s: simple, relaxed, or two of them with "
                         "/ between are allowed",
                         text);
}

static void check_algorithm(struct signing *signing, const char *text)
{
    static const char *const words[] = {"rsa-sha1", "rsa-sha256", "ed25519-sha256", NULL};
    signing->algorithm = "rsa-sha256";
    for (size_t i = 0; words[i] != NULL; i++)
        if (span_equal_nocase(span_str(text), span_str(words[i]))) {
            signing->algorithm = words[i];
            return;
        }
    signing_set_stop(signing, "SignatureAlgorithm: %.40s: not known", text);
}

enum signing_action signing_handling(const struct signing *signing, const char *what)
{
    static const struct {
        const char *word;
        enum signing_action action;
    } words[] = {{"a", SIGNING_UNSIGNED}, {"accept", SIGNING_UNSIGNED},
                 {"d", SIGNING_DISCARD},  {"discard", SIGNING_DISCARD},
                 {"q", SIGNING_UNSIGNED}, {"quarantine", SIGNING_UNSIGNED},
                 {"r", SIGNING_REJECT},   {"reject", SIGNING_REJECT},
                 {"t", SIGNING_TEMPFAIL}, {"tempfail", SIGNING_TEMPFAIL}};
    const struct configuration *configuration = signing->options.configuration;
    bool internal = strcmp(what, "InternalError") == 0;
    const char *names[] = {"On-Default", internal ? "On-InternalError" : "On-SignatureError"};
    enum signing_action action = internal ? SIGNING_TEMPFAIL : SIGNING_REJECT;
    for (size_t i = 0; i < 2; i++) {
        const struct configuration_value *value = configuration_find(configuration, names[i]);
        for (size_t j = 0; value != NULL && j < sizeof words / sizeof words[0]; j++)
            if (span_equal_nocase(span_str(value->text), span_str(words[j].word)))
                action = words[j].action;
    }
    return action;
}

/* -- settings that need each other -------------------------------------------------------- */

static bool is_set(const struct signing *signing, const char *name)
{
    return configuration_find(signing->options.configuration, name) != NULL;
}

static void check_pairs(struct signing *signing)
{
    bool keys = is_set(signing, "KeyTable");
    bool selector = is_set(signing, "Selector") && !keys;
    bool file = is_set(signing, "KeyFile") && !keys;
    if (is_set(signing, "SigningTable") && !keys)
        signing_set_stop(signing, "SigningTable needs KeyTable");
    if ((signing->mode & SIGNING_MODE_SIGN) == 0)
        return;
    if (selector != file)
        signing_set_stop(signing, "KeyFile and Selector need each other");
    if (is_set(signing, "Domain") && !keys && !(selector && file))
        signing_set_stop(signing, "Domain needs KeyFile and Selector");
    if (keys && !is_set(signing, "SigningTable") && !is_set(signing, "SetupPolicyScript"))
        signing_set_stop(signing, "KeyTable needs SigningTable");
}

static enum status check_key_file(struct signing *signing, struct err *err)
{
    const struct keytable_key *key = NULL;
    const struct configuration *configuration = signing->options.configuration;
    const char *path = configuration_text(configuration, "KeyFile");
    if (path == NULL || is_set(signing, "KeyTable"))
        return ST_OK;
    enum status status = keytable_load_file(signing->loader, path, &key, err);
    if (status != ST_OK)
        return status;
    bool safe = configuration_flag(configuration, "RequireSafeKeys");
    if (!key->found || (safe && !key->secure))
        signing_set_stop(signing, "KeyFile: %s", key->fault);
    return ST_OK;
}

/* -- the tables --------------------------------------------------------------------------- */

/* ST_NOT_FOUND unless KeyTable has a whole value under that name. */
static enum status find_key(const struct signing *signing, struct span name, struct err *err)
{
    struct table_found found;
    struct span parts[3];
    enum status status = table_find(signing->sets[SIGNING_KEYS], name, &found, err);
    bool whole = status == ST_OK && (!found.has_value || (table_split(found.value, 3, parts) == 3 &&
                                                          parts[0].len > 0 && parts[1].len > 0));
    table_found_clear(&found);
    return status == ST_OK && !whole ? err_set(err, ST_NOT_FOUND, "not a whole value") : status;
}

/* OpenDKIM looks up the keys of a SigningTable when it starts, but its walk ends at the first row
 * without a signer, and the names are not yet what they will be (`%`). */
static enum status check_rules(struct signing *signing, struct err *err)
{
    const struct table *rules = signing->sets[SIGNING_RULES];
    if ((signing->mode & SIGNING_MODE_SIGN) == 0 || rules == NULL ||
        signing->sets[SIGNING_KEYS] == NULL ||
        (table_type_of(rules) != TABLE_FILE && table_type_of(rules) != TABLE_CSL))
        return ST_OK;
    for (size_t i = 0; i < table_count(rules); i++) {
        struct span parts[2] = {{"", 0}, {"", 0}};
        struct table_row row = table_row_at(rules, i);
        if (row.has_value && table_split(row.value, 2, parts) < 2)
            return ST_OK;
        enum status status = find_key(signing, parts[0], err);
        if (status == ST_OK)
            continue;
        if (status != ST_NOT_FOUND && status != ST_INVALID)
            return err_context(err, "KeyTable");
        signing_set_stop(signing, "SigningTable: line %zu: no such key in KeyTable: \"%.*s\"",
                         row.place.line, (int)span_head(parts[0], 100).len, parts[0].data);
        return ST_OK;
    }
    return ST_OK;
}

enum status signing_check(struct signing *signing, struct err *err)
{
    const struct configuration *configuration = signing->options.configuration;
    check_mode(signing, configuration_text(configuration, "Mode"));
    check_canonicalization(signing, configuration_text(configuration, "Canonicalization"));
    check_algorithm(signing, configuration_text(configuration, "SignatureAlgorithm"));
    if (!is_set(signing, "KeyList"))
        check_pairs(signing);
    enum status status = check_key_file(signing, err);
    if (status == ST_OK)
        status = check_rules(signing, err);
    signing_review(signing);
    return status;
}
