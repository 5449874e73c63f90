/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/keys.h"

#include <string.h>

#include "admin/past.h"
#include "base/clock.h"

enum { BITS_DEFAULT = 2048, NUMBERS_MAX = 1000 };

/* -- plans ---------------------------------------------------------------------------------- */

/* One of "rsa-sha256", "rsa-sha256:2048", "ed25519-sha256". */
static enum status parse_spec(struct span text, struct keys_spec *out, struct err *err)
{
    uint64_t bits = BITS_DEFAULT;
    size_t colon = span_find(text, ':');
    enum status status = dkim_algorithm_parse(span_head(text, colon), &out->algorithm, err);
    if (status != ST_OK)
        return status;
    bool given = colon < text.len;
    bool number = !given || span_number(span_from(text, colon + 1), DKIM_RSA_BITS_MAX, &bits);
    bool rsa = out->algorithm == DKIM_RSA_SHA256;
    if (!number || bits < DKIM_RSA_BITS_MIN || (given && !rsa))
        return err_set(err, ST_INVALID, "%.*s: RSA keys have from %d to %d bits",
                       (int)span_head(text, 64).len, text.data, DKIM_RSA_BITS_MIN,
                       DKIM_RSA_BITS_MAX);
    out->bits = (int)bits;
    return ST_OK;
}

static struct keys_spec *find_spec(struct keys_plan *plan, enum dkim_algorithm algorithm)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->specs[i].algorithm == algorithm)
            return &plan->specs[i];
    return NULL;
}

static enum status parse_plan(struct span text, struct keys_plan *out, struct err *err)
{
    struct span part;
    *out = (struct keys_plan){.count = 0};
    while (span_next(&text, ',', &part)) {
        struct keys_spec spec;
        enum status status = parse_spec(span_trim(part), &spec, err);
        if (status != ST_OK)
            return status;
        if (find_spec(out, spec.algorithm) != NULL)
            return err_set(err, ST_INVALID, "%s: given twice", dkim_algorithm_name(spec.algorithm));
        out->specs[out->count++] = spec;
    }
    return ST_OK;
}

enum status keys_plan_parse(const char *algorithms, int64_t bits, struct keys_plan *out,
                            struct err *err)
{
    enum status status = parse_plan(span_str(algorithms), out, err);
    if (status != ST_OK || bits == 0)
        return status;
    struct keys_spec *rsa = find_spec(out, DKIM_RSA_SHA256);
    if (rsa == NULL)
        return err_set(err, ST_INVALID, "bits: only keys of rsa-sha256 have a choice of sizes");
    rsa->bits = (int)bits;
    return ST_OK;
}

enum status keys_plan_of(struct admin *admin, const struct args *args, const char *own,
                         struct keys_plan *out, struct err *err)
{
    const struct settings *settings;
    int64_t bits = 0;
    struct args_range range = {DKIM_RSA_BITS_MIN, DKIM_RSA_BITS_MAX};
    const char *algorithms = args_option(args, "--algorithm");
    enum status status = admin_settings(admin, &settings, err);
    if (status == ST_OK)
        status = args_number(args, "--bits", range, &bits, err);
    if (status != ST_OK)
        return status;
    if (algorithms == NULL)
        algorithms = own != NULL && own[0] != '\0' ? own : settings->lifecycle.algorithms;
    return keys_plan_parse(algorithms, bits, out, err);
}

/* -- drafts --------------------------------------------------------------------------------- */

/* Fills in what the private half in draft->secret determines. */
static enum status describe(struct keys_draft *draft, enum dkim_algorithm algorithm, bool check,
                            struct err *err)
{
    struct dkim_key *key = NULL;
    enum status status = dkim_key_parse(algorithm, buf_span(&draft->secret), &key, err);
    if (status == ST_OK && check)
        status = dkim_key_check(key, err);
    if (status == ST_OK)
        status = dkim_key_public(key, &draft->key.public_key, err);
    if (status == ST_OK) {
        draft->key.algorithm = algorithm;
        draft->key.bits = dkim_key_bits(key);
        draft->key.state = KEY_STAGED;
    }
    dkim_key_free(key);
    return status;
}

enum status keys_generate(const struct keys_spec *spec, struct keys_draft *out, struct err *err)
{
    out->secret = BUF_SECRET(DKIM_PRIVATE_MAX);
    enum status status = dkim_key_generate(spec->algorithm, spec->bits, &out->secret, err);
    return status == ST_OK ? describe(out, spec->algorithm, false, err) : status;
}

enum status keys_import(struct span pem, struct keys_draft *out, struct err *err)
{
    enum dkim_algorithm algorithm;
    out->secret = BUF_SECRET(DKIM_PRIVATE_MAX);
    enum status status = dkim_key_import(pem, &algorithm, &out->secret, err);
    return status == ST_OK ? describe(out, algorithm, true, err) : status;
}

void keys_draft_clear(struct keys_draft *draft)
{
    kind_clear(&kind_key, &draft->key);
    buf_clear(&draft->secret);
}

/* -- within a transaction ------------------------------------------------------------------- */

static enum status find_keys(struct store_tx *tx, const struct query *query, struct rows *out,
                             struct err *err)
{
    *out = (struct rows){.kind = &kind_key};
    return store_tx_find(tx, query, rows_take, out, err);
}

static enum status is_there(struct store_tx *tx, const struct past_key *wanted, bool *there_out,
                            struct err *err)
{
    struct query query = {.kind = &kind_key, .limit = 1};
    struct rows rows;
    rows_where_text(&query, "domain", wanted->domain);
    rows_where_text(&query, "selector", wanted->selector);
    enum status status = find_keys(tx, &query, &rows, err);
    *there_out = rows.count > 0;
    rows_clear(&rows);
    return status;
}

static enum status is_used(struct store_tx *tx, const struct past_key *wanted, bool *used_out,
                           struct err *err)
{
    enum status status = is_there(tx, wanted, used_out, err);
    return status == ST_OK && !*used_out ? past_used_tx(tx, wanted, used_out, err) : status;
}

/* The first selector of the template that no key of the domain has or ever had. */
static enum status choose_selector(struct store_tx *tx, const struct keys_place *place,
                                   const struct key *key, char out[DKIM_DOMAIN_SIZE],
                                   struct err *err)
{
    struct lifecycle_naming naming = {place->template, key->algorithm, clock_now_s(), 1};
    const struct past_key wanted = {place->domain, out, buf_span(&key->public_key)};
    int most = lifecycle_is_numbered(place->template) ? NUMBERS_MAX : 1;
    bool used = true;
    enum status status = ST_OK;
    for (; status == ST_OK && used && naming.number <= most; naming.number++) {
        status = lifecycle_selector(&naming, out, err);
        if (status == ST_OK)
            status = is_used(tx, &wanted, &used, err);
    }
    if (status == ST_OK && used)
        return err_set(err, ST_CONFLICT,
                       "domain %s: every selector of the template %s is used; give --selector",
                       place->domain, place->template);
    return status;
}

static const struct key *find_selector(const struct rows *keys, const char *selector)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct key *key = rows_at(keys, i);
        if (strcmp(key->selector, selector) == 0)
            return key;
    }
    return NULL;
}

int keys_free_slot(const struct rows *keys, int64_t algorithm, const struct key **old_out)
{
    int oldest = 0;
    *old_out = NULL;
    for (int slot = 1; slot <= DELEGATION_SLOTS; slot++) {
        char selector[DELEGATION_SELECTOR_SIZE];
        delegation_selector(algorithm, slot, selector);
        const struct key *there = find_selector(keys, selector);
        if (there == NULL) {
            *old_out = NULL;
            return slot;
        }
        bool gone = there->state == KEY_DESTROYED && there->due == 0;
        if (gone && (*old_out == NULL || there->destroyed < (*old_out)->destroyed)) {
            *old_out = there;
            oldest = slot;
        }
    }
    return oldest;
}

/* A slot has its selector for ever, and one key after another. */
static enum status choose_slot(struct store_tx *tx, const struct keys_place *place, struct key *key,
                               char out[DKIM_DOMAIN_SIZE], struct err *err)
{
    char target[DKIM_DOMAIN_SIZE];
    const struct key *old = NULL;
    struct query query = {.kind = &kind_key};
    struct rows rows;
    rows_where_text(&query, "domain", place->domain);
    enum status status = find_keys(tx, &query, &rows, err);
    int slot = status == ST_OK ? keys_free_slot(&rows, key->algorithm, &old) : 0;
    int64_t version = old != NULL ? old->version : 0;
    rows_clear(&rows);
    if (status != ST_OK)
        return status;
    if (slot == 0)
        return err_set(err, ST_CONFLICT, "domain %s: is delegated, and no slot of %s is free",
                       place->domain, dkim_algorithm_name((enum dkim_algorithm)key->algorithm));
    delegation_selector(key->algorithm, slot, out);
    if (place->selector != NULL && strcmp(place->selector, out) != 0)
        return err_set(
            err, ST_CONFLICT, "domain %s: is delegated, and the slot for the next key of %s is %s",
            place->domain, dkim_algorithm_name((enum dkim_algorithm)key->algorithm), out);
    key->version = version;
    delegation_target(place->delegation, out, target);
    key->target = span_dup(span_str(target));
    return key->target != NULL ? ST_OK : err_set(err, ST_TEMP, "no memory");
}

/* A selector that was asked for. Whether a key has it now the store says when the key is put. */
static enum status take_selector(struct store_tx *tx, const struct keys_place *place,
                                 const struct key *key, char out[DKIM_DOMAIN_SIZE], struct err *err)
{
    const struct past_key wanted = {place->domain, out, buf_span(&key->public_key)};
    bool used = false;
    enum status status = dkim_selector_normalize(span_str(place->selector), out, err);
    if (status == ST_OK)
        status = past_used_tx(tx, &wanted, &used, err);
    return status == ST_OK && used ? past_refuse(&wanted, err) : status;
}

static enum status name_key(struct store_tx *tx, const struct keys_place *place, struct key *key,
                            struct err *err)
{
    char selector[DKIM_DOMAIN_SIZE], record_name[DKIM_RECORD_NAME_SIZE];
    enum status status;
    if (place->delegation != NULL && place->delegation[0] != '\0')
        status = choose_slot(tx, place, key, selector, err);
    else if (place->selector != NULL)
        status = take_selector(tx, place, key, selector, err);
    else
        status = choose_selector(tx, place, key, selector, err);
    if (status != ST_OK)
        return status;
    if (dkim_key_record_name(selector, place->domain, record_name, err) != ST_OK)
        return err_context(err, "selector %.64s", selector);
    key->domain = span_dup(span_str(place->domain));
    key->selector = span_dup(span_str(selector));
    if (key->domain == NULL || key->selector == NULL)
        return err_set(err, ST_TEMP, "no memory");
    return ST_OK;
}

const struct keys_move keys_activate_unproven = {.step = LIFECYCLE_ACTIVATE,
                                                 .note = "proof skipped: DNS was not asked"};

enum status keys_add(struct store_tx *tx, const struct keys_place *place, struct keys_draft *draft,
                     struct err *err)
{
    struct key *key = &draft->key;
    struct keys_move activate = keys_activate_unproven;
    if (place->seen != NULL)
        activate.note = place->seen;
    enum status status = name_key(tx, place, key, err);
    if (status == ST_OK)
        status = vault_seal_key(place->vault, place->tenant, buf_span(&draft->secret), key, err);
    key->due = clock_now_s();
    key->reserved = place->reserved;
    if (status == ST_OK)
        status = store_tx_put(tx, &kind_key, key, key->version == 0 ? "key.add" : "key.renew", err);
    if (status == ST_OK && place->activate)
        status = keys_step(tx, &activate, key, err);
    return status;
}

/* Sets when the key is due next; DNS was not asked about it just now. */
static void schedule(struct key *key, const struct lifecycle_policy *policy, int64_t now_s)
{
    const struct lifecycle_evidence evidence = {.wanted = true};
    struct lifecycle_due due = lifecycle_next(key, policy, &evidence, now_s);
    key->due = due.task == LIFECYCLE_OVER ? 0 : due.task == LIFECYCLE_WAIT ? due.at_s : now_s;
}

static enum status make_step(struct store_tx *tx, const struct keys_move *move, struct key *key,
                             struct err *err)
{
    int64_t now_s = clock_now_s();
    enum status status = lifecycle_step(move->step, key, now_s, err);
    if (status != ST_OK)
        return status;
    if (move->policy != NULL)
        schedule(key, move->policy, now_s);
    if (move->note != NULL)
        store_tx_note(tx, move->note);
    return store_tx_put(tx, &kind_key, key, lifecycle_action(move->step), err);
}

/* Rules that name the predecessor's selector go on with its successor, or they would sign nothing.
 */
static enum status move_rules(struct store_tx *tx, const struct key *from, const struct key *to,
                              struct err *err)
{
    struct query query = {.kind = &kind_rule};
    struct rows rules = {.kind = &kind_rule};
    const struct field *selector = kind_field(&kind_rule, SPAN_LIT("selector"));
    rows_where_text(&query, "domain", from->domain);
    rows_where_text(&query, "selector", from->selector);
    enum status status = store_tx_find(tx, &query, rows_take, &rules, err);
    for (size_t i = 0; status == ST_OK && i < rules.count; i++) {
        struct rule *rule = rows_at(&rules, i);
        status = field_set_text(selector, rule, span_str(to->selector), err);
        if (status == ST_OK)
            status = store_tx_put(tx, &kind_rule, rule, "rule.follow", err);
    }
    rows_clear(&rules);
    return status;
}

static enum status retire_predecessor(struct store_tx *tx, const struct keys_move *move,
                                      const struct key *successor, struct err *err)
{
    const struct keys_move retire = {.step = LIFECYCLE_RETIRE, .policy = move->policy};
    struct query query = {.kind = &kind_key};
    struct rows rows;
    rows_where_text(&query, "domain", successor->domain);
    rows_where_number(&query, "algorithm", successor->algorithm);
    rows_where_number(&query, "state", KEY_ACTIVE);
    enum status status = find_keys(tx, &query, &rows, err);
    for (size_t i = 0; status == ST_OK && i < rows.count; i++) {
        struct key *predecessor = rows_at(&rows, i);
        if (predecessor->reserved != 0)
            continue;
        status = make_step(tx, &retire, predecessor, err);
        if (status == ST_OK)
            status = move_rules(tx, predecessor, successor, err);
    }
    rows_clear(&rows);
    return status;
}

enum status keys_step(struct store_tx *tx, const struct keys_move *move, struct key *key,
                      struct err *err)
{
    bool succeeds = move->step == LIFECYCLE_ACTIVATE && key->reserved == 0 &&
                    (key->state == KEY_STAGED || key->state == KEY_PUBLISHED);
    enum status status = succeeds ? retire_predecessor(tx, move, key, err) : ST_OK;
    return status == ST_OK ? make_step(tx, move, key, err) : status;
}
