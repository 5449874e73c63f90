/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define STRANGER "inkan-import-stranger" /* what no pattern of a table is about */

static enum status add_host(struct takeover *takeover, struct span host, enum rule_level level,
                            struct notes_place place, struct err *err)
{
    const struct takeover_author author = {.host = host, .level = level};
    return takeover_add_pattern(takeover, &author, place, err);
}

/* -- what is interesting ------------------------------------------------------------------ */

/* Only once: it is about all rows. */
static bool note_case(struct takeover *takeover, const struct table *table,
                      const struct table_row *row)
{
    enum table_type type = table_type_of(table);
    if ((type != TABLE_BERKELEY && type != TABLE_FOREIGN) ||
        span_find(row->key, '@') >= row->key.len)
        return false;
    notes_add(takeover->notes, NOTES_CHANGED, row->place,
              "%.*s: whether Ann@ is ann@ was up to this table; here it is, in all rows",
              (int)span_head(row->key, 300).len, row->key.data);
    return true;
}

static enum status collect_rules(struct takeover *takeover, struct err *err)
{
    struct table *table = signing_table(takeover->signing, "SigningTable");
    const struct keylist *list = signing_keylist(takeover->signing);
    const char *list_file = configuration_text(takeover->configuration, "KeyList");
    enum status status = table != NULL ? table_load(table, err) : ST_OK;
    bool noted = false;
    for (size_t i = 0; table != NULL && status == ST_OK && i < table_count(table); i++) {
        struct table_row row = table_row_at(table, i);
        noted = noted || note_case(takeover, table, &row);
        struct span parts[2] = {{NULL, 0}, {NULL, 0}};
        (void)table_split(row.value, 2, parts);
        const struct takeover_line line = {row.key, parts[0], table_type_of(table) == TABLE_REFILE,
                                           row.place};
        if (!row.rest)
            status = takeover_add_key(takeover, &line, err);
    }
    for (size_t i = 0; status == ST_OK && i < list->count; i++) {
        const struct takeover_line line = {
            span_str(list->list[i].pattern), {NULL, 0}, true, {list_file, list->list[i].line}};
        status = takeover_add_key(takeover, &line, err);
    }
    return status;
}

/* Domains that sign with the one KeyFile. */
static enum status collect_domains(struct takeover *takeover, struct err *err)
{
    struct table *table = signing_table(takeover->signing, "Domain");
    bool below = configuration_flag(takeover->configuration, "SubDomains");
    enum status status = table != NULL ? table_load(table, err) : ST_OK;
    for (size_t i = 0; table != NULL && status == ST_OK && i < table_count(table); i++) {
        struct table_row row = table_row_at(table, i);
        if (span_equal(row.key, SPAN_LIT("*"))) {
            notes_add(takeover->notes, NOTES_CHANGED, row.place,
                      "*: signs for every domain; here for those that are named (--domains)");
            continue;
        }
        status = add_host(takeover, row.key, RULE_AT, row.place, err);
        if (status == ST_OK && below)
            status = add_host(takeover, row.key, RULE_ABOVE, row.place, err);
    }
    return status;
}

/* Domains for which a template has a file: what stands in the place of the first %. */
static enum status collect_files(struct takeover *takeover, const struct keytable_entry *entry,
                                 struct notes_place place, struct err *err)
{
    size_t percent = span_find(entry->key, '%');
    size_t slash = percent;
    enum status status = ST_OK;
    while (slash > 0 && entry->key.data[slash - 1] != '/')
        slash--;
    struct span before = span_of(entry->key.data + slash, percent - slash);
    struct span rest = span_from(entry->key, percent + 1);
    struct span after = span_head(rest, span_find(rest, '/'));
    struct buf folder = BUF_INIT(0);
    keytable_place(signing_keys(takeover->signing), span_head(entry->key, slash), &folder);
    status = buf_check(&folder, "the name of a folder", err);
    DIR *dir = status == ST_OK ? opendir(buf_cstr(&folder)) : NULL;
    for (struct dirent *each; dir != NULL && status == ST_OK && (each = readdir(dir)) != NULL;) {
        struct span name = span_str(each->d_name);
        if (name.len > before.len + after.len && each->d_name[0] != '.' &&
            span_has_prefix(name, before) && span_has_suffix_nocase(name, after))
            status = add_host(takeover,
                              span_of(name.data + before.len, name.len - before.len - after.len),
                              RULE_AT, place, err);
    }
    if (dir != NULL)
        closedir(dir);
    buf_clear(&folder);
    return status;
}

/* The key's own domain, and what a template may stand for. */
static enum status collect_key(struct takeover *takeover, const struct table_row *row,
                               struct err *err)
{
    struct keytable_entry entry;
    char name[DKIM_DOMAIN_SIZE];
    struct err why;
    bool by_name =
        span_find(row->key, '.') < row->key.len && span_find(row->key, '_') == row->key.len;
    enum status status = ST_OK;
    if (!row->has_value || keytable_parse(row->value, &entry, &why) != ST_OK)
        return ST_OK; /* the notes on the table tell */
    if (!entry.any_domain)
        status = add_host(takeover, entry.domain, RULE_AT, row->place, err);
    else if (entry.is_file && span_find(entry.key, '%') < entry.key.len)
        status = collect_files(takeover, &entry, row->place, err);
    /* A SigningTable that says % looks for a row with the author's domain as its name. */
    if (status == ST_OK && by_name && dkim_domain_normalize(row->key, name, &why) == ST_OK)
        status = add_host(takeover, row->key, RULE_AT, row->place, err);
    return status;
}

static enum status collect_keys(struct takeover *takeover, struct err *err)
{
    struct table *table = signing_table(takeover->signing, "KeyTable");
    const struct keylist *list = signing_keylist(takeover->signing);
    const char *list_file = configuration_text(takeover->configuration, "KeyList");
    enum status status = table != NULL ? table_load(table, err) : ST_OK;
    for (size_t i = 0; table != NULL && status == ST_OK && i < table_count(table); i++) {
        struct table_row row = table_row_at(table, i);
        if (!row.rest)
            status = collect_key(takeover, &row, err);
    }
    for (size_t i = 0; status == ST_OK && i < list->count; i++)
        status = add_host(takeover, span_str(list->list[i].domain), RULE_AT,
                          (struct notes_place){list_file, list->list[i].line}, err);
    return status;
}

/* -- asking ------------------------------------------------------------------------------- */

/* An author of the pattern whom no narrower one is about. */
static void make_author(const struct takeover_pattern *pattern, struct buf *address,
                        char domain[DKIM_DOMAIN_SIZE + sizeof STRANGER])
{
    const char *user = pattern->user != NULL ? pattern->user : STRANGER;
    struct buf host = BUF_INIT(0);
    if (pattern->level == RULE_EVERYWHERE)
        buf_append_str(&host, STRANGER ".invalid");
    else
        buf_printf(&host, "%s%s", pattern->level == RULE_ABOVE ? STRANGER "." : "",
                   pattern->spelt != NULL ? pattern->spelt : pattern->host);
    snprintf(domain, DKIM_DOMAIN_SIZE + sizeof STRANGER, "%s", buf_cstr(&host));
    buf_printf(address, " <%s@%s>", user, buf_cstr(&host));
    buf_clear(&host);
}

/* A client that logged in may sign whatever the lists of hosts say. */
static enum status ask(struct takeover *takeover, const struct buf *address,
                       struct signing_answer *answer, struct err *err)
{
    static const struct signing_macro macros[] = {{"{auth_type}", "PLAIN"},
                                                  {"{auth_authen}", STRANGER}};
    struct dkim_fields fields = {0};
    struct signing_question question = {.fields = &fields, .macros = macros, .macro_count = 2};
    enum status status = dkim_fields_add(&fields, SPAN_LIT("From"), buf_span(address), err);
    if (status == ST_OK)
        status = signing_ask(takeover->signing, &question, answer, err);
    dkim_fields_clear(&fields);
    return status;
}

/* Then what OpenDKIM makes of the author's domain is of a domain that nobody has. */
static bool has_made_up_domain(const struct takeover_pattern *pattern)
{
    return pattern->level != RULE_AT;
}

/* Two lines may name one key, and OpenDKIM then signs twice with it. */
static void drop_twin(struct takeover *takeover, struct takeover_pattern *pattern)
{
    const struct takeover_signer *first = &pattern->signers[0];
    struct takeover_signer *second = &pattern->signers[1];
    bool twins = pattern->count == 2 && first->key == second->key &&
                 span_equal(span_str(first->identity), span_str(second->identity));
    if (!twins)
        return;
    notes_add(takeover->notes, NOTES_NOTICE, pattern->place,
              "%s: OpenDKIM signs twice with the same key; here once", pattern->text);
    free(second->identity);
    *second = (struct takeover_signer){NULL, NULL};
    pattern->count--;
}

static enum status take_signature(struct takeover *takeover, struct takeover_pattern *pattern,
                                  const struct takeover_request *request, struct err *err)
{
    const struct signing_signature *signature = request->signature;
    struct takeover_key *key = NULL;
    if (signature->any_domain && has_made_up_domain(pattern)) {
        notes_add(takeover->notes, NOTES_CHANGED, pattern->place,
                  "%s: signs with d= the author's domain, whichever it is; here for the domains "
                  "that have a file or are named (--domains)",
                  pattern->text);
        return ST_OK;
    }
    enum status status = takeover_find_key(takeover, request, &key, err);
    pattern->lost = pattern->lost || key == NULL;
    if (status != ST_OK || key == NULL)
        return status;
    struct takeover_signer *signer = &pattern->signers[pattern->count++];
    signer->key = key;
    if (signature->any_identity && has_made_up_domain(pattern))
        notes_add(takeover->notes, NOTES_CHANGED, pattern->place,
                  "%s: i= followed the author's domain; now there is none", pattern->text);
    else if (signature->identity != NULL &&
             (signer->identity = strdup(signature->identity)) == NULL)
        return err_set(err, ST_TEMP, "no memory");
    drop_twin(takeover, pattern);
    return ST_OK;
}

/* What a template finds nothing for is nobody's in particular. */
static void note_refusal(struct takeover *takeover, const struct takeover_pattern *pattern,
                         const struct signing_answer *answer)
{
    bool refuses = answer->action == SIGNING_TEMPFAIL || answer->action == SIGNING_REJECT ||
                   answer->action == SIGNING_DISCARD || answer->action == SIGNING_STOPPED;
    if (refuses && answer->any_key && has_made_up_domain(pattern))
        notes_add(takeover->notes, NOTES_CHANGED, pattern->place,
                  "%s: OpenDKIM refuses mail of authors whose domain has no key; here it passes "
                  "unsigned",
                  pattern->text);
    else if (refuses)
        notes_add(takeover->notes, NOTES_REFUSED, pattern->place, "%s: OpenDKIM does not sign: %s",
                  pattern->text, answer->reason);
    else if (answer->count == 0 && pattern->line)
        notes_add(takeover->notes, NOTES_NOTICE, pattern->place,
                  "%s: OpenDKIM signs nothing for this line: %s", pattern->text, answer->reason);
}

/* A line that another one forestalls. */
static void note_dead(struct takeover *takeover, const struct takeover_pattern *pattern,
                      const struct signing_answer *answer)
{
    bool counts = pattern->wanted == NULL || strcmp(pattern->wanted, "%") == 0;
    for (size_t i = 0; i < answer->count; i++)
        counts = counts || strcmp(answer->list[i].key, pattern->wanted) == 0;
    if (answer->count > 0 && !counts)
        notes_add(takeover->notes, NOTES_NOTICE, pattern->place,
                  "%s: the line with the key %.200s never counts, because another one comes first",
                  pattern->text, pattern->wanted);
}

static enum status ask_pattern(struct takeover *takeover, struct takeover_pattern *pattern,
                               struct err *err)
{
    char domain[DKIM_DOMAIN_SIZE + sizeof STRANGER];
    struct buf address = BUF_INIT(0);
    struct signing_answer answer = {.count = 0};
    make_author(pattern, &address, domain);
    enum status status = ask(takeover, &address, &answer, err);
    if (status == ST_OK && answer.trouble)
        status = err_set(err, ST_TEMP, "%s", answer.reason);
    for (size_t i = 0; status == ST_OK && i < answer.count && pattern->count < 2; i++) {
        const struct takeover_request request = {&answer.list[i], domain, pattern->place};
        status = take_signature(takeover, pattern, &request, err);
    }
    if (status == ST_OK) {
        note_refusal(takeover, pattern, &answer);
        note_dead(takeover, pattern, &answer);
    }
    signing_answer_clear(&answer);
    buf_clear(&address);
    return status;
}

/* -- the plan ----------------------------------------------------------------------------- */

static enum status collect(struct takeover *takeover, const struct takeover_domains *domains,
                           struct err *err)
{
    const struct notes_place nowhere = {NULL, 0};
    enum status status = collect_rules(takeover, err);
    if (status == ST_OK)
        status = collect_domains(takeover, err);
    if (status == ST_OK)
        status = collect_keys(takeover, err);
    for (size_t i = 0; status == ST_OK && i < domains->count; i++)
        status = add_host(takeover, span_str(domains->names[i]), RULE_AT, nowhere, err);
    return status == ST_OK ? takeover_add_crossings(takeover, err) : status;
}

enum status takeover_plan(struct takeover *takeover, const struct takeover_domains *domains,
                          struct err *err)
{
    enum status status = collect(takeover, domains, err);
    for (struct takeover_pattern *each = takeover->patterns; each != NULL && status == ST_OK;
         each = each->hh.next)
        status = ask_pattern(takeover, each, err);
    return status == ST_OK ? takeover_note_leftovers(takeover, err) : status;
}

void takeover_clear(struct takeover *takeover)
{
    takeover_clear_patterns(takeover);
    for (size_t i = 0; i < takeover->rule_count; i++)
        kind_clear(&kind_rule, &takeover->rules[i]);
    free(takeover->rules);
    takeover_clear_keys(takeover);
}
