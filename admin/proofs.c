/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/proofs.h"

#include <pthread.h>

#include "admin/parallel.h"
#include "base/clock.h"

enum status proofs_open(struct admin *admin, struct proofs *out, struct err *err)
{
    const struct settings *settings;
    *out = (struct proofs){.resolver = NULL};
    enum status status = admin_settings(admin, &settings, err);
    if (status != ST_OK)
        return status;
    struct resolver_options options = {.nameservers = settings->dns.nameservers,
                                       .trust_anchor = settings->dns.trust_anchor};
    status = resolver_open(&options, &out->resolver, err);
    out->look = (struct zone_look){out->resolver, (uint16_t)settings->dns.port};
    out->timeout_ms = settings->dns.timeout_ms;
    return status;
}

void proofs_close(struct proofs *proofs)
{
    resolver_close(proofs->resolver);
    proofs->resolver = NULL;
}

/* What the threads share. */
struct round {
    const struct proofs *proofs;
    struct proofs_item *items;
    struct progress *progress;
    pthread_mutex_t lock; /* of the progress */
};

static enum status look_at(const struct proofs *proofs, struct proofs_item *item)
{
    const struct key *key = item->key;
    enum status status = keys_record(key, &item->record, &item->err);
    if (status != ST_OK)
        return status;
    enum key_state state = (enum key_state)key->state;
    enum witness_what what = item->alias                      ? WITNESS_ALIAS
                             : lifecycle_is_gravestone(state) ? WITNESS_GRAVESTONE
                             : lifecycle_has_record(state)    ? WITNESS_KEY
                                                              : WITNESS_NOTHING;
    item->wanted = (struct witness_wanted){
        .name = item->record.name,
        .target = key->target,
        .what = what,
        .algorithm = (enum dkim_algorithm)key->algorithm,
        .public_octets = buf_span(&key->public_key),
    };
    return proof_make(&proofs->look, &item->wanted, clock_monotonic_ms() + proofs->timeout_ms,
                      &item->proof, &item->err);
}

static void make_one(void *arg, size_t index)
{
    struct round *round = arg;
    struct proofs_item *item = &round->items[index];
    item->status = look_at(round->proofs, item);
    if (round->progress == NULL)
        return;
    pthread_mutex_lock(&round->lock);
    progress_add(round->progress, 1);
    pthread_mutex_unlock(&round->lock);
}

enum status proofs_make(const struct proofs *proofs, struct proofs_item *items, size_t count,
                        struct progress *progress, struct err *err)
{
    struct round round = {.proofs = proofs, .items = items, .progress = progress};
    for (size_t i = 0; i < count; i++)
        items[i] = (struct proofs_item){.key = items[i].key, .alias = items[i].alias};
    pthread_mutex_init(&round.lock, NULL);
    parallel_wait(count, make_one, &round);
    pthread_mutex_destroy(&round.lock);
    for (size_t i = 0; i < count; i++)
        if (items[i].status != ST_OK) {
            *err = items[i].err;
            return err_context(err, "key %s %s", items[i].key->domain, items[i].key->selector);
        }
    return ST_OK;
}

enum key_shown proofs_shown(const struct proofs_item *item)
{
    static const enum key_shown shown[] = {
        [WITNESS_RIGHT] = KEY_SHOWN_RIGHT,
        [WITNESS_UNKNOWN] = KEY_SHOWN_UNKNOWN,
        [WITNESS_MISSING] = KEY_SHOWN_MISSING,
        [WITNESS_WRONG] = KEY_SHOWN_WRONG,
    };
    return shown[item->proof.verdict];
}

void proofs_clear(struct proofs_item *item)
{
    records_clear(&item->record);
    proof_clear(&item->proof);
}
