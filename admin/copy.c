/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/copy.h"

#include <inttypes.h>
#include <string.h>

#include "admin/cursor.h"
#include "admin/owner.h"
#include "base/clock.h"
#include "dkim/crypto.h"
#include "storage/chain.h"

enum { BATCH_RECORDS = 200, URL_MAX = 640 };

/* One kind on its way: a cursor in each store, and what the target misses so far. */
struct walk {
    struct copy *copy;
    const struct kind *kind;
    bool verify;
    struct cursor source, target;
    struct owner owner; /* of the source's keys */
    struct rows missing;
    struct copy_count *count;
};

/* -- comparing ------------------------------------------------------------------------------ */

/* Versions count a store's own changes, numbers are its own as well. */
static bool same_record(const struct kind *kind, const void *a, const void *b)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct field *field = &kind->fields[i];
        if ((field->flags & (FIELD_VERSION | FIELD_SERIAL)) == 0 && !field_equal(field, a, b))
            return false;
    }
    return true;
}

enum relation { ONLY_SOURCE, ONLY_TARGET, EQUAL, DIFFERENT, TOLD_OF_COPY };

static bool tells_of_copy(const struct event *event)
{
    return strcmp(event->action, CHAIN_COPY_ACTION) == 0;
}

/* Events are numbered anew, so their order is what counts: what the target has must be how the
 * source's begin, with the events of earlier copies in between. */
static enum relation relate_events(const struct event *source, const struct event *target)
{
    if (source != NULL && target != NULL && same_record(&kind_event, source, target))
        return EQUAL;
    if (target != NULL)
        return tells_of_copy(target) ? TOLD_OF_COPY : ONLY_TARGET;
    return ONLY_SOURCE;
}

/* At most one of them is NULL. */
static enum relation relate(const struct kind *kind, const void *source, const void *target)
{
    if (kind == &kind_event)
        return relate_events(source, target);
    if (source == NULL || target == NULL)
        return source == NULL ? ONLY_TARGET : ONLY_SOURCE;
    int order = kind_compare(kind, source, target);
    if (order != 0)
        return order < 0 ? ONLY_SOURCE : ONLY_TARGET;
    return same_record(kind, source, target) ? EQUAL : DIFFERENT;
}

static enum status refuse(const struct walk *walk, const void *record, const char *why,
                          struct err *err)
{
    struct buf label = BUF_INIT(0);
    kind_label(walk->kind, record, &label);
    enum status status =
        err_set(err, ST_CONFLICT, "%s %s: %s", walk->kind->name, buf_cstr(&label), why);
    buf_clear(&label);
    return status;
}

/* -- copying -------------------------------------------------------------------------------- */

static enum status put_missing(struct walk *walk, struct err *err)
{
    struct store_tx *tx = NULL;
    enum status status = store_begin(walk->copy->target, &tx, err);
    for (size_t i = 0; status == ST_OK && i < walk->missing.count; i++)
        status = store_tx_copy(tx, walk->kind, rows_at(&walk->missing, i), err);
    if (status == ST_OK)
        return store_commit(tx, err);
    store_rollback(tx);
    return status;
}

static enum status flush(struct walk *walk, struct err *err)
{
    enum status status = ST_OK;
    if (walk->missing.count > 0 && !walk->copy->dry_run)
        status = put_missing(walk, err);
    rows_clear(&walk->missing);
    return status;
}

static enum status add_missing(struct walk *walk, const void *record, struct err *err)
{
    if (walk->verify)
        return refuse(walk, record, "is in the source only; was it added during the copy?", err);
    walk->count->copied++;
    enum status status = rows_take(&walk->missing, record, err);
    return status == ST_OK && walk->missing.count == BATCH_RECORDS ? flush(walk, err) : status;
}

/* -- private keys in the open --------------------------------------------------------------- */

static enum status complete(struct key *key, struct span secret, struct err *err)
{
    struct dkim_key *parsed = NULL;
    buf_reset(&key->public_key);
    enum status status = dkim_key_parse((enum dkim_algorithm)key->algorithm, secret, &parsed, err);
    if (status == ST_OK)
        status = dkim_key_public(parsed, &key->public_key, err);
    if (status == ST_OK)
        key->bits = dkim_key_bits(parsed);
    dkim_key_free(parsed);
    return status;
}

/* Takes over the envelope of the target's key, if it holds the same: envelopes are never the same
 * twice. */
static enum status take_envelope(struct walk *walk, struct key *key, const struct key *target,
                                 struct span secret, struct err *err)
{
    struct buf theirs = BUF_SECRET(DKIM_PRIVATE_MAX);
    enum status status =
        vault_unseal_key(walk->copy->vault, walk->owner.domain.tenant, target, &theirs, err);
    if (status == ST_OK && span_equal(buf_span(&theirs), secret)) {
        status =
            field_set_text(kind_field(&kind_key, SPAN_LIT("kek")), key, span_str(target->kek), err);
        buf_reset(&key->sealed);
        buf_append_span(&key->sealed, buf_span(&target->sealed));
    }
    buf_clear(&theirs);
    return status;
}

/* A key of a directory with another schema gets what it lacks, and is sealed. */
static enum status seal_source(struct walk *walk, struct key *key, const struct key *target,
                               struct err *err)
{
    struct buf secret = BUF_SECRET(DKIM_PRIVATE_MAX);
    bool same = target != NULL && kind_compare(&kind_key, key, target) == 0;
    enum status status = owner_unseal(&walk->owner, key, &secret, err);
    if (status == ST_OK)
        status = complete(key, buf_span(&secret), err);
    if (status == ST_OK && same)
        status = take_envelope(walk, key, target, buf_span(&secret), err);
    else if (status == ST_OK)
        status = vault_seal_key(walk->copy->vault, walk->owner.domain.tenant, buf_span(&secret),
                                key, err);
    buf_clear(&secret);
    return status == ST_OK ? ST_OK : err_context(err, "key %s %s", key->domain, key->selector);
}

/* One record of the source, of the target, or of both. */
static enum status step(struct walk *walk, void *source, const void *target, struct err *err)
{
    enum status status = ST_OK;
    if (walk->kind == &kind_key && source != NULL && vault_is_unsealed(source))
        status = seal_source(walk, source, target, err);
    if (status != ST_OK)
        return status;
    enum relation relation = relate(walk->kind, source, target);
    switch (relation) {
    case DIFFERENT:
        return refuse(walk, target, "differs between the two stores", err);
    case ONLY_TARGET:
        return refuse(walk, target, "is in the target only, which must be new", err);
    case ONLY_SOURCE:
        status = add_missing(walk, source, err);
        break;
    case EQUAL:
        walk->count->present += !walk->verify;
        break;
    case TOLD_OF_COPY:
        break;
    }
    if (relation != ONLY_SOURCE)
        cursor_next(&walk->target);
    if (relation == ONLY_SOURCE || relation == EQUAL) {
        progress_add(walk->copy->progress, 1);
        cursor_next(&walk->source);
    }
    if (target != NULL && walk->kind == &kind_event)
        walk->copy->recorded = tells_of_copy(target);
    return status;
}

static enum status walk_kind(struct walk *walk, struct err *err)
{
    enum status status = ST_OK;
    bool more = true;
    while (status == ST_OK && more) {
        void *source = NULL, *target = NULL;
        status = cursor_peek(&walk->source, &source, err);
        if (status == ST_OK)
            status = cursor_peek(&walk->target, &target, err);
        more = source != NULL || target != NULL;
        if (status == ST_OK && more)
            status = step(walk, source, target, err);
    }
    return status == ST_OK ? flush(walk, err) : status;
}

/* The change feed is not copied: the copies of records make rows of their own in it. */
static enum status walk_all(struct copy *copy, bool verify, struct err *err)
{
    enum status status = ST_OK;
    copy->count = 0;
    copy->recorded = false;
    for (size_t i = 0; status == ST_OK && kinds[i] != NULL; i++) {
        if (kinds[i] == &kind_change || kinds[i] == &kind_lease)
            continue;
        struct walk walk = {.copy = copy,
                            .kind = kinds[i],
                            .verify = verify,
                            .owner = {.store = copy->source, .vault = copy->vault},
                            .missing = {.kind = kinds[i]},
                            .count = &copy->counts[copy->count++]};
        walk.count->kind = kinds[i];
        cursor_init(&walk.source, copy->source, kinds[i]);
        cursor_init(&walk.target, copy->target, kinds[i]);
        status = walk_kind(&walk, err);
        cursor_clear(&walk.source);
        cursor_clear(&walk.target);
        owner_clear(&walk.owner);
        rows_clear(&walk.missing);
    }
    return status;
}

enum status copy_run(struct copy *copy, struct err *err)
{
    return walk_all(copy, false, err);
}

enum status copy_verify(struct copy *copy, struct err *err)
{
    return walk_all(copy, true, err);
}

/* -- the audit event ------------------------------------------------------------------------ */

static enum status write_event(struct copy *copy, const struct event *event, struct err *err)
{
    struct store_tx *tx = NULL;
    enum status status = store_begin(copy->target, &tx, err);
    if (status == ST_OK)
        status = store_tx_event(tx, event, err);
    if (status == ST_OK)
        return store_commit(tx, err);
    store_rollback(tx);
    return status;
}

enum status copy_record(struct copy *copy, struct err *err)
{
    int64_t copied = 0;
    struct buf detail = BUF_INIT(0);
    for (size_t i = 0; i < copy->count; i++) {
        const struct copy_count *count = &copy->counts[i];
        copied += count->copied;
        buf_printf(&detail, "%s%s=%" PRId64, i > 0 ? "; " : "", count->kind->name,
                   count->copied + count->present);
    }
    struct event event = {.time = clock_now_s(),
                          .actor = span_dup(span_str(copy->actor)),
                          .action = span_dup(SPAN_LIT(CHAIN_COPY_ACTION)),
                          .kind = span_dup(SPAN_LIT("store")),
                          .name = span_dup(span_head(span_str(store_url(copy->source)), URL_MAX)),
                          .tenant = span_dup(SPAN_LIT("")),
                          .detail = span_dup(buf_span(&detail))};
    enum status status = ST_OK;
    if (copied > 0 || !copy->recorded)
        status = write_event(copy, &event, err);
    kind_clear(&kind_event, &event);
    buf_clear(&detail);
    return status;
}
