/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/proofs.h"
#include "admin/publish.h"
#include "admin/rotation_internal.h"

struct rotation_dns {
    struct proofs proofs;
    struct publish *publish;    /* NULL: others bring the records to DNS */
    char warned[ERR_TEXT_SIZE]; /* why a record was not published, as it was last said */
};

enum status rotation_dns_open(struct rotation *rotation, struct err *err)
{
    struct rotation_dns *dns = calloc(1, sizeof *dns);
    if (dns == NULL)
        return err_set(err, ST_TEMP, "no memory");
    rotation->dns = dns;
    enum status status = proofs_open(rotation->admin, &dns->proofs, err);
    if (status == ST_OK && rotation->settings->dns.update_server[0] != '\0')
        status = publish_open(rotation->admin, &dns->publish, err);
    return status;
}

void rotation_dns_close(struct rotation_dns *dns)
{
    if (dns == NULL)
        return;
    proofs_close(&dns->proofs);
    publish_close(dns->publish);
    free(dns);
}

/* -- publishing ----------------------------------------------------------------------------------
 */

/* Of thousands of records that fail for one reason the first is named. */
static void warn(struct rotation_dns *dns, const char *what, const char *reason)
{
    if (strcmp(dns->warned, reason) == 0)
        return;
    snprintf(dns->warned, sizeof dns->warned, "%s", reason);
    admin_warn("%s not published: %s", what, reason);
}

/* A zone that is somebody else's is no failure: its owner publishes the record, and DNS will show
 * whether. */
static void note_published(struct rotation_dns *dns, struct rotation_turn *turn,
                           const struct publish_result *result)
{
    bool refused = result->action == PUBLISH_REFUSED && !result->elsewhere;
    if (refused || result->action == PUBLISH_FAILED)
        warn(dns, result->name, result->reason);
    if (result->reason[0] != '\0')
        buf_printf(&turn->seen, "update server: %s; ", result->reason);
}

static void publish(struct rotation_dns *dns, struct rotation_turn *const *turns, size_t count)
{
    struct key *keys = calloc(count, sizeof *keys); /* borrow what the keys of the page hold */
    struct publish_result *results = calloc(count, sizeof *results);
    struct err err = {0};
    for (size_t i = 0; keys != NULL && i < count; i++)
        keys[i] = *turns[i]->key;
    if (keys != NULL && results != NULL &&
        publish_keys(dns->publish, keys, count, results, &err) != ST_OK)
        warn(dns, "records", err.text);
    for (size_t i = 0; results != NULL && i < count; i++)
        note_published(dns, turns[i], &results[i]);
    free(keys);
    free(results);
}

/* -- asking --------------------------------------------------------------------------------------
 */

static void note(struct rotation_turn *turn, const struct proofs_item *item)
{
    if (item->status != ST_OK) {
        turn->status = item->status;
        turn->err = item->err;
        return;
    }
    turn->evidence.asked = true;
    turn->evidence.shown = proofs_shown(item);
    turn->ttl_s = item->proof.ttl_max_s > 0 ? item->proof.ttl_max_s : 0;
    proof_text(&item->proof, &turn->seen);
}

static void fail_all(struct rotation_turn *const *turns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        turns[i]->status = err_set(&turns[i]->err, ST_TEMP, "no memory");
}

void rotation_ask(struct rotation *rotation, struct rotation_turn *const *turns, size_t count)
{
    struct proofs_item *items = calloc(count, sizeof *items);
    struct err err = {0};
    if (items == NULL) {
        fail_all(turns, count);
        return;
    }
    if (rotation->dns->publish != NULL)
        publish(rotation->dns, turns, count);
    for (size_t i = 0; i < count; i++)
        items[i].key = turns[i]->key;
    if (proofs_make(&rotation->dns->proofs, items, count, NULL, &err) != ST_OK)
        err_clear(&err); /* each item has its own */
    for (size_t i = 0; i < count; i++) {
        note(turns[i], &items[i]);
        proofs_clear(&items[i]);
    }
    free(items);
}
