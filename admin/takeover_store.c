/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_store.h"

#include <stdlib.h>
#include <string.h>

#include "admin/progress.h"

/* The rules in the order of their keys, and how far they are dealt with. */
struct rules {
    struct rule **list;
    size_t count, next;
};

/* A rule for all keys of a domain goes with its first one. */
static int by_key(const void *a, const void *b)
{
    const struct rule *x = *(struct rule *const *)a, *y = *(struct rule *const *)b;
    int order = strcmp(x->domain, y->domain);
    if (order != 0)
        return order;
    struct span left = span_str(x->selector), right = span_str(y->selector);
    order = strcmp(left.len > 0 ? left.data : "", right.len > 0 ? right.data : "");
    return order != 0 ? order : strcmp(x->pattern, y->pattern);
}

static enum status sort_rules(const struct takeover *takeover, struct rules *out, struct err *err)
{
    out->list = calloc(takeover->rule_count + 1, sizeof *out->list);
    if (out->list == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < takeover->rule_count; i++)
        out->list[out->count++] = &takeover->rules[i];
    qsort(out->list, out->count, sizeof *out->list, by_key);
    return ST_OK;
}

static bool goes_with(const struct rule *rule, const struct takeover_key *key)
{
    struct span selector = span_str(rule->selector);
    return strcmp(rule->domain, key->domain) == 0 &&
           (selector.len == 0 || span_equal(selector, span_str(key->selector)));
}

/* Keys come in the same order. */
static void take_rules(struct rules *rules, const struct takeover_key *key, struct import_row *row)
{
    row->rules = &rules->list[rules->next];
    while (rules->next < rules->count && goes_with(rules->list[rules->next], key)) {
        rules->next++;
        row->rule_count++;
    }
}

static enum status fill_row(const struct takeover_store *run, const struct takeover_key *key,
                            struct import_row *row, struct err *err)
{
    const struct keys_draft *draft = &key->material->draft;
    bool each = strcmp(run->tenant, "%") == 0;
    row->domain = (struct domain){.name = strdup(key->domain),
                                  .tenant = strdup(each ? key->domain : run->tenant),
                                  .expiry = -1};
    row->selector = strdup(key->selector);
    row->activate = true;
    row->signs_now = true;
    row->reserved = !key->own;
    row->planned = true;
    row->seen = key->seen;
    row->algorithm = -1;
    row->draft_count = 1;
    row->drafts[0].secret = BUF_SECRET(0);
    buf_append_span(&row->drafts[0].secret, buf_span(&draft->secret));
    if (row->domain.name == NULL || row->domain.tenant == NULL || row->selector == NULL)
        return err_set(err, ST_TEMP, "no memory");
    enum status status = buf_check(&row->drafts[0].secret, "a key", err);
    if (status == ST_OK)
        status = kind_copy(&kind_key, &draft->key, &row->drafts[0].key, err);
    row->drafts[0].key.shown = key->shown;
    row->drafts[0].key.checked = key->checked_s;
    row->drafts[0].key.ttl = key->ttl_s;
    return status;
}

/* Where the store has a domain, or all of a tenant's, sign for what is below, and OpenDKIM has no
 * rule for that. To switch it off would be to change what signs here already. */
static void note_below(struct takeover_store *run, const struct import_row *row)
{
    char text[RULE_PATTERN_MAX + 1];
    const struct notes_place nowhere = {NULL, 0};
    if (!row->signs_below || row->reserved || strcmp(run->below, row->domain.name) == 0 ||
        !rule_form(RULE_ABOVE, NULL, row->domain.name, text))
        return;
    const struct takeover_pattern *pattern = takeover_find_pattern(run->takeover, text);
    if (pattern != NULL && pattern->ruled)
        return;
    snprintf(run->below, sizeof run->below, "%s", row->domain.name);
    notes_add(run->takeover->notes, NOTES_CHANGED, nowhere,
              "%s: signs here for authors below it as well, because it or its tenant has "
              "subdomains=yes; with OpenDKIM it does not",
              row->domain.name);
}

static void count_row(struct takeover_store *run, const struct import_row *row)
{
    const struct notes_place nowhere = {NULL, 0};
    run->added += row->outcome == IMPORT_ADDED || row->outcome == IMPORT_SUCCEEDED;
    run->existed += row->outcome == IMPORT_EXISTED;
    run->failed += row->outcome == IMPORT_FAILED;
    if (row->outcome != IMPORT_FAILED)
        note_below(run, row);
    if (row->outcome == IMPORT_SUCCEEDED)
        notes_add(run->takeover->notes, NOTES_CHANGED, nowhere,
                  "%s: had an active key here already, which retires for the imported one, %s",
                  row->domain.name, row->selector);
    if (row->outcome == IMPORT_FAILED)
        notes_add(run->takeover->notes, NOTES_REFUSED, nowhere, "%s %s: %s", row->domain.name,
                  row->selector, row->err.text);
}

static enum status flush(struct takeover_store *run, struct import_batch *batch,
                         struct progress *progress, struct err *err)
{
    enum status status = import_batch_run(batch, err);
    for (size_t i = 0; i < batch->count; i++)
        count_row(run, &batch->rows[i]);
    progress_add(progress, (int64_t)batch->count);
    import_batch_reset(batch);
    return status;
}

/* The keys of a domain go in together, if they are not all too many. */
static bool is_full(const struct import_batch *batch, const struct takeover_key *last)
{
    const struct takeover_key *next = last->hh.next;
    if (next == NULL || batch->count == IMPORT_BATCH_ROWS)
        return true;
    return batch->count >= IMPORT_BATCH_ROWS / 2 && strcmp(next->domain, last->domain) != 0;
}

static enum status run_keys(struct takeover_store *run, struct import_batch *batch,
                            struct rules *rules, struct err *err)
{
    struct progress progress = {.total = 0};
    enum status status = ST_OK;
    progress_begin(&progress, "keys", (int64_t)HASH_COUNT(run->takeover->keys));
    for (const struct takeover_key *key = run->takeover->keys; key != NULL && status == ST_OK;
         key = key->hh.next) {
        struct import_row *row = &batch->rows[batch->count++];
        status = fill_row(run, key, row, err);
        take_rules(rules, key, row);
        if (status == ST_OK && is_full(batch, key))
            status = flush(run, batch, &progress, err);
    }
    progress_end(&progress);
    return status;
}

enum status takeover_store_run(struct takeover_store *run, struct err *err)
{
    struct import_batch batch = {.admin = run->admin, .make_tenants = true};
    struct rules rules = {.list = NULL};
    enum status status = admin_settings(run->admin, &batch.settings, err);
    if (status == ST_OK)
        status = admin_vault(run->admin, &batch.vault, err);
    if (status == ST_OK)
        status = import_batch_init(&batch, err);
    if (status == ST_OK)
        status = sort_rules(run->takeover, &rules, err);
    if (status == ST_OK)
        status = run_keys(run, &batch, &rules, err);
    import_batch_clear(&batch);
    free(rules.list);
    return status;
}
