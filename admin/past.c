/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/past.h"

#include <string.h>

#include "admin/rows.h"
#include "dkim/crypto.h"

/* The events of keys with that name, so far. */
struct search {
    struct query query;
    struct buf name;   /* as events have it: "example.com s1" */
    struct buf public; /* what the event of its addition says if it is the same; empty: none can be
                        */
    size_t events, same, others;
};

static enum status begin(struct search *search, const struct past_key *key, struct err *err)
{
    *search = (struct search){.query = {.kind = &kind_event}};
    buf_printf(&search->name, "%s %s", key->domain, key->selector);
    if (key->public_key.len > 0) {
        buf_append_str(&search->public, "; public_key=");
        dkim_base64_encode(key->public_key, &search->public);
        buf_append_char(&search->public, ';');
    }
    rows_where_text(&search->query, "kind", "key");
    rows_where_text(&search->query, "name", buf_cstr(&search->name));
    enum status status = buf_check(&search->name, "key", err);
    return status == ST_OK ? buf_check(&search->public, "key", err) : status;
}

static enum status take(void *arg, const void *record, struct err *err)
{
    struct search *search = arg;
    const struct event *event = record;
    const char *detail = event->detail != NULL ? event->detail : "";
    (void)err;
    search->events++;
    bool renewed = strcmp(event->action, "key.renew") == 0; /* in a slot: for another key */
    if (strcmp(event->action, "key.add") != 0 && !renewed)
        return ST_OK;
    bool same =
        !renewed && search->public.len > 0 && strstr(detail, buf_cstr(&search->public)) != NULL;
    search->same += same;
    search->others += !same;
    return ST_OK;
}

/* A key of which only later events are left may have been any. */
static bool end(struct search *search)
{
    bool used = search->others > 0 || (search->events > 0 && search->same == 0);
    buf_clear(&search->name);
    buf_clear(&search->public);
    return used;
}

enum status past_used(struct store *store, const struct past_key *key, bool *used_out,
                      struct err *err)
{
    struct search search;
    enum status status = begin(&search, key, err);
    if (status == ST_OK)
        status = store_find(store, &search.query, take, &search, err);
    *used_out = end(&search);
    return status;
}

enum status past_used_tx(struct store_tx *tx, const struct past_key *key, bool *used_out,
                         struct err *err)
{
    struct search search;
    enum status status = begin(&search, key, err);
    if (status == ST_OK)
        status = store_tx_find(tx, &search.query, take, &search, err);
    *used_out = end(&search);
    return status;
}

enum status past_refuse(const struct past_key *key, struct err *err)
{
    return err_set(err, ST_CONFLICT,
                   "key %s %s: the selector was used for another key before, and selectors are not "
                   "reused",
                   key->domain, key->selector);
}
