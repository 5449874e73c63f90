/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "admin/parallel.h"
#include "admin/rotation_internal.h"
#include "base/clock.h"

/* A page has so few keys that a lease outlasts their making and the silence of their servers. */
enum { PAGE = 64, TROUBLES_MAX = 3 };

static const struct field deed_fields[] = {
    OUTPUT_FIELD(struct rotation_deed, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct rotation_deed, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct rotation_deed, state, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct rotation_deed, deed, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct rotation_deed, at, FIELD_TIME, 0),
    OUTPUT_FIELD(struct rotation_deed, successor, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct rotation_deed, reason, FIELD_TEXT, 0),
};
const struct kind rotation_deed_kind = OUTPUT_KIND("deed", struct rotation_deed, deed_fields);

/* -- what is to be done ------------------------------------------------------------------------ */

static void fail(struct rotation_turn *turn, enum status status, const struct err *err)
{
    turn->status = status;
    turn->err = *err;
}

/* Whether it has a successor, and room for one. */
static enum status look_around(struct rotation *rotation, struct rotation_turn *turn,
                               struct err *err)
{
    const struct key *old = NULL;
    struct query query = {.kind = &kind_key};
    struct rows rows = {.kind = &kind_key};
    rows_where_text(&query, "domain", turn->key->domain);
    rows_where_number(&query, "algorithm", turn->key->algorithm);
    enum status status = store_find(rotation->store, &query, rows_take, &rows, err);
    for (size_t i = 0; i < rows.count; i++) {
        const struct key *key = rows_at(&rows, i);
        bool waits = key->state == KEY_STAGED || key->state == KEY_PUBLISHED;
        turn->evidence.successor |= waits && key->reserved == 0;
    }
    if (status == ST_OK && turn->delegation[0] != '\0')
        turn->evidence.crowded = keys_free_slot(&rows, turn->key->algorithm, &old) == 0;
    rows_clear(&rows);
    return status;
}

/* Only a key that needs a successor makes us look whether it has one, or may have. */
static void judge(struct rotation *rotation, struct rotation_turn *turn)
{
    struct err err = {0};
    int64_t now_s = clock_now_s();
    turn->due = lifecycle_next(turn->key, &turn->policy, &turn->evidence, now_s);
    bool looked = turn->evidence.successor || turn->evidence.crowded;
    if (turn->due.task != LIFECYCLE_MAKE || looked)
        return;
    enum status status = look_around(rotation, turn, &err);
    if (status != ST_OK)
        fail(turn, status, &err);
    turn->due = lifecycle_next(turn->key, &turn->policy, &turn->evidence, now_s);
}

/* -- doing it ---------------------------------------------------------------------------------- */

/* What DNS showed, and when it is to be asked again. */
static void note_look(struct rotation_turn *turn, int64_t now_s)
{
    struct key *key = turn->key;
    if (turn->evidence.asked && turn->evidence.shown != KEY_SHOWN_UNKNOWN) {
        key->checked = now_s; /* silence tells nothing, and is to be asked again soon */
        key->ttl = turn->ttl_s;
        key->shown = turn->evidence.shown;
    }
    if (turn->due.task == LIFECYCLE_WAIT)
        key->due = turn->due.at_s;
    if (turn->due.task == LIFECYCLE_OVER)
        key->due = 0;
}

static enum status make_successor(struct store_tx *tx, struct rotation *rotation,
                                  struct rotation_turn *turn, struct err *err)
{
    const struct keys_place place = {.vault = rotation->vault,
                                     .domain = turn->key->domain,
                                     .tenant = turn->tenant,
                                     .delegation = turn->delegation,
                                     .template = rotation->settings->lifecycle.selector};
    enum status status = keys_add(tx, &place, &turn->draft, err);
    turn->evidence.successor = true;
    struct lifecycle_due next =
        lifecycle_next(turn->key, &turn->policy, &turn->evidence, clock_now_s());
    turn->key->due = next.task == LIFECYCLE_WAIT ? next.at_s : clock_now_s();
    return status == ST_OK ? store_tx_put(tx, &kind_key, turn->key, "key.succeed", err) : status;
}

struct work {
    struct rotation *rotation;
    struct rotation_turn *turn;
};

static enum status do_work(struct store_tx *tx, void *arg, struct err *err)
{
    const struct work *work = arg;
    struct rotation_turn *turn = work->turn;
    struct buf *seen = &turn->seen;
    const struct keys_move move = {.step = turn->due.step,
                                   .policy = &turn->policy,
                                   .note = seen->len > 0 ? buf_cstr(seen) : NULL};
    if (turn->due.task == LIFECYCLE_MAKE)
        return make_successor(tx, work->rotation, turn, err);
    note_look(turn, clock_now_s());
    return turn->due.task == LIFECYCLE_STEP
               ? keys_step(tx, &move, turn->key, err)
               : store_tx_put(tx, &kind_key, turn->key, "key.look", err);
}

static bool is_change(const struct rotation_turn *turn)
{
    return turn->due.task == LIFECYCLE_STEP || turn->due.task == LIFECYCLE_MAKE;
}

static const char *deed_of(const struct rotation_turn *turn)
{
    static const char *const tasks[] = {[LIFECYCLE_WAIT] = "wait",
                                        [LIFECYCLE_ASK] = "ask",
                                        [LIFECYCLE_MAKE] = "make",
                                        [LIFECYCLE_OVER] = "end"};
    if (turn->status != ST_OK)
        return "fail";
    return turn->due.task == LIFECYCLE_STEP ? lifecycle_action(turn->due.step) + strlen("key.")
                                            : tasks[turn->due.task];
}

static void tell(struct rotation *rotation, struct rotation_turn *turn)
{
    const struct field *state = kind_field(&kind_key, SPAN_LIT("state"));
    bool failed = turn->status != ST_OK;
    const char *reason = failed ? turn->err.text : turn->due.reason;
    const struct rotation_deed deed = {
        .domain = turn->key->domain,
        .selector = turn->key->selector,
        .state = (char *)(uintptr_t)state->names[turn->before],
        .deed = (char *)(uintptr_t)deed_of(turn),
        .successor = turn->draft.key.selector,
        .reason = (char *)(uintptr_t)reason,
        .at = !failed && turn->due.task == LIFECYCLE_WAIT ? turn->due.at_s : 0,
    };
    rotation->options->told(rotation->options->arg, &deed);
}

/* What was there is not: of one key that is its owner's doing, of many something larger. What is
 * waited for, was missed before, or cannot be seen now, says nothing. */
static bool is_doubtful(const struct rotation_turn *turn)
{
    return turn->evidence.asked && turn->shown_before == KEY_SHOWN_RIGHT &&
           turn->evidence.shown != KEY_SHOWN_RIGHT && turn->evidence.shown != KEY_SHOWN_UNKNOWN;
}

/* ST_TEMP is the store's: another program may have been faster, and the key is due again; several
 * in a row are an outage, as is ST_UNSURE. What else goes wrong is the key's. */
static enum status judge_store(struct rotation *rotation, enum status status, struct err *err)
{
    if (status == ST_UNSURE)
        return status;
    rotation->troubles = status == ST_TEMP ? rotation->troubles + 1 : 0;
    rotation->trouble = *err;
    if (rotation->troubles == TROUBLES_MAX)
        return status;
    err_clear(err);
    return ST_OK;
}

static enum status do_turn(struct rotation *rotation, struct rotation_turn *turn, struct err *err)
{
    struct work work = {rotation, turn};
    struct rotation_counts *counts = rotation->counts;
    enum status status = ST_OK;
    if (turn->status == ST_OK) {
        status = admin_transaction(rotation->admin, do_work, &work, err);
        if (status == ST_CONFLICT && !is_change(turn)) {
            err_clear(err); /* changed meanwhile, perhaps by its successor's turn: due again */
            return ST_OK;
        }
        if (status != ST_OK)
            fail(turn, status, err);
    }
    counts->asked += turn->evidence.asked;
    counts->silent += turn->evidence.asked && turn->evidence.shown == KEY_SHOWN_UNKNOWN;
    if (turn->status == ST_OK && is_change(turn))
        counts->changed++;
    if ((turn->status != ST_OK && status != ST_TEMP) || is_doubtful(turn))
        counts->failed++;
    if (turn->status != ST_OK || is_change(turn))
        tell(rotation, turn);
    return judge_store(rotation, status, err);
}

/* -- a page ------------------------------------------------------------------------------------ */

struct batch {
    struct rotation *rotation;
    struct rotation_turn *turns;
    size_t count;
};

static bool is_ours(const struct rotation *rotation, const struct rotation_turn *turn)
{
    const char *tenant = rotation->options->tenant;
    return tenant == NULL || turn->tenant == NULL || strcmp(tenant, turn->tenant) == 0;
}

/* Fills in the turns of a page; what cannot be settled is told as a failure later. */
static enum status begin_turns(struct batch *batch, struct rows *page, struct err *err)
{
    batch->turns = calloc(page->count, sizeof *batch->turns);
    if (batch->turns == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < page->count; i++) {
        struct rotation_turn *turn = &batch->turns[batch->count];
        struct err why = {0};
        turn->key = rows_at(page, i);
        turn->before = (enum key_state)turn->key->state;
        turn->shown_before = (enum key_shown)turn->key->shown;
        enum status status = rotation_settle(batch->rotation, turn, &why);
        if (!is_ours(batch->rotation, turn)) {
            free(turn->tenant);
            free(turn->delegation);
            *turn = (struct rotation_turn){0};
            continue;
        }
        if (status != ST_OK)
            fail(turn, status, &why);
        else
            judge(batch->rotation, turn);
        batch->count++;
        if (turn->status == ST_TEMP) { /* the store's fault; the next key would meet it, too */
            *err = turn->err;
            return ST_TEMP;
        }
    }
    return ST_OK;
}

static void end_turns(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->turns[i].tenant);
        free(batch->turns[i].delegation);
        buf_clear(&batch->turns[i].seen);
        keys_draft_clear(&batch->turns[i].draft);
    }
    free(batch->turns);
}

static enum status ask_dns(struct batch *batch, struct err *err)
{
    size_t count = 0;
    struct rotation_turn **asking = calloc(batch->count + 1, sizeof *asking);
    if (asking == NULL)
        return err_set(err, ST_TEMP, "no memory");
    for (size_t i = 0; i < batch->count; i++) {
        struct rotation_turn *turn = &batch->turns[i];
        if (turn->status == ST_OK && turn->due.task == LIFECYCLE_ASK)
            asking[count++] = turn;
    }
    if (count > 0)
        rotation_ask(batch->rotation, asking, count);
    for (size_t i = 0; i < count; i++) {
        if (asking[i]->status == ST_OK)
            judge(batch->rotation, asking[i]);
    }
    free(asking);
    return ST_OK;
}

static void make_draft(void *arg, size_t index)
{
    struct rotation_turn *turn = &((struct batch *)arg)->turns[index];
    struct err err = {0};
    if (turn->status != ST_OK || turn->due.task != LIFECYCLE_MAKE)
        return;
    enum status status = keys_generate(&turn->spec, &turn->draft, &err);
    if (status != ST_OK)
        fail(turn, status, &err);
}

/* Whether there is nothing more to do in this run. */
static bool is_enough(const struct rotation *rotation)
{
    const struct rotation_options *options = rotation->options;
    struct rotation_counts *counts = rotation->counts;
    counts->stopped = counts->failed > options->max_failures;
    return counts->stopped || (options->limit > 0 && counts->changed >= options->limit);
}

static enum status keep_lease(struct rotation *rotation, struct err *err)
{
    return rotation->admin->dry_run ? ST_OK : lease_keep(&rotation->lease, err);
}

static enum status do_turns(struct batch *batch, bool *enough_out, struct err *err)
{
    struct rotation *rotation = batch->rotation;
    enum status status = ask_dns(batch, err);
    if (status == ST_OK)
        status = keep_lease(rotation, err);
    if (status == ST_OK)
        parallel_run(batch->count, make_draft, batch);
    for (size_t i = 0; status == ST_OK && i < batch->count && !*enough_out; i++) {
        status = keep_lease(rotation, err);
        if (status == ST_OK)
            status = do_turn(rotation, &batch->turns[i], err);
        progress_add(&rotation->progress, 1);
        *enough_out = is_enough(rotation);
    }
    return status;
}

static void tell_plan(struct batch *batch, bool *enough_out)
{
    for (size_t i = 0; i < batch->count && !*enough_out; i++) {
        tell(batch->rotation, &batch->turns[i]);
        batch->rotation->counts->changed += is_change(&batch->turns[i]);
        *enough_out = is_enough(batch->rotation);
    }
}

static enum status visit_page(void *arg, struct rows *page, struct err *err)
{
    struct rotation *rotation = arg;
    struct batch batch = {.rotation = rotation};
    enum status status = begin_turns(&batch, page, err);
    if (status == ST_OK)
        rotation->counts->looked += (int64_t)batch.count;
    if (status == ST_OK && rotation->options->plan)
        tell_plan(&batch, &page->enough);
    else if (status == ST_OK)
        status = do_turns(&batch, &page->enough, err);
    end_turns(&batch);
    return status;
}

/* -- a run ------------------------------------------------------------------------------------- */

static enum status walk(struct rotation *rotation, struct err *err)
{
    struct query query = {.kind = &kind_key, .limit = PAGE};
    if (rotation->options->domain != NULL)
        rows_where_text(&query, "domain", rotation->options->domain);
    else
        rows_where_until(&query, "due", clock_now_s());
    progress_begin(&rotation->progress, "keys", 0);
    if (rotation->progress.shown) { /* nobody else wants to know */
        enum status status = rows_count(rotation->store, &query, &rotation->progress.total, err);
        if (status != ST_OK)
            return status;
    }
    return rows_walk(rotation->store, &query, visit_page, rotation, err);
}

static enum status prepare(struct rotation *rotation, struct err *err)
{
    enum status status = admin_settings(rotation->admin, &rotation->settings, err);
    if (status == ST_OK)
        status = admin_store(rotation->admin, &rotation->store, err);
    if (status != ST_OK || rotation->options->plan)
        return status;
    status = admin_vault(rotation->admin, &rotation->vault, err);
    if (status == ST_OK)
        status = rotation_dns_open(rotation, err);
    if (status == ST_OK && !rotation->admin->dry_run)
        status = lease_take(rotation->store, "rotation", &rotation->lease, err);
    return status;
}

enum status rotation_run(struct admin *admin, const struct rotation_options *options,
                         struct rotation_counts *out, struct err *err)
{
    struct rotation rotation = {.admin = admin, .options = options, .counts = out};
    *out = (struct rotation_counts){0};
    enum status status = prepare(&rotation, err);
    if (status == ST_OK) {
        status = walk(&rotation, err);
        progress_end(&rotation.progress);
    }
    if (status == ST_OK && rotation.troubles > 0) { /* nobody knows whether it has ended */
        *err = rotation.trouble;
        status = err->code;
    }
    lease_give(&rotation.lease);
    rotation_dns_close(rotation.dns);
    rotation_homes_free(rotation.homes);
    return status;
}
