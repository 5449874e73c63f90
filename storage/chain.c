/* SPDX-License-Identifier: Apache-2.0 */
#include "storage/chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* -- hashes ------------------------------------------------------------------------------- */

static bool is_hashed(const struct field *field)
{
    return !(field->flags & (FIELD_SERIAL | FIELD_VERSION)) &&
           field->offset != offsetof(struct event, hash);
}

static void append_field(const struct field *field, const struct event *event, struct buf *out)
{
    char digits[24];
    struct span value = {NULL, 0};
    if (field->type == FIELD_TEXT) {
        value = span_str(*field_text(field, event));
    } else {
        int64_t number = *field_int(field, event);
        int len = snprintf(digits, sizeof digits, "%" PRId64, number);
        value = span_of(digits, number != 0 ? (size_t)len : 0);
    }
    if (value.len == 0)
        return;
    buf_printf(out, "%s %zu ", field->name, value.len);
    buf_append_span(out, value);
    buf_append_char(out, '\n');
}

static enum status digest(struct span text, uint8_t out[DKIM_DIGEST_SIZE], struct err *err)
{
    struct dkim_hash *hash = dkim_hash_new();
    if (hash == NULL)
        return err_set(err, ST_TEMP, "no memory");
    dkim_hash_add(hash, text.data, text.len);
    enum status st = dkim_hash_end(hash, out, err);
    dkim_hash_free(hash);
    return st;
}

static void write_hex(const uint8_t octets[DKIM_DIGEST_SIZE], char out[CHAIN_HASH_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DKIM_DIGEST_SIZE; i++) {
        out[2 * i] = digits[octets[i] >> 4];
        out[2 * i + 1] = digits[octets[i] & 15];
    }
    out[CHAIN_HASH_SIZE - 1] = '\0';
}

enum status chain_hash(const char *previous, const struct event *event, char out[CHAIN_HASH_SIZE],
                       struct err *err)
{
    uint8_t octets[DKIM_DIGEST_SIZE];
    struct buf text = BUF_INIT(0);
    buf_append_span(&text, span_str(previous));
    buf_append_char(&text, '\n');
    for (size_t i = 0; i < kind_event.field_count; i++) {
        if (is_hashed(&kind_event.fields[i]))
            append_field(&kind_event.fields[i], event, &text);
    }
    enum status st = buf_check(&text, "event", err);
    if (st == ST_OK)
        st = digest(buf_span(&text), octets, err);
    if (st == ST_OK)
        write_hex(octets, out);
    buf_clear(&text);
    return st;
}

/* -- the walk ------------------------------------------------------------------------------ */

static void pass(struct chain *chain, const struct event *event)
{
    bool chained = span_str(event->hash).len > 0;
    chain->events++;
    chain->unchained += !chained;
    chain->last_id = event->id;
    chain->last_time = event->time;
    if (!chained)
        return;
    memcpy(chain->before, chain->last, sizeof chain->before);
    snprintf(chain->last, sizeof chain->last, "%s", event->hash);
    bool copy = strcmp(event->action, CHAIN_COPY_ACTION) == 0;
    chain->copies = copy ? chain->copies + 1 : 0;
    if (!copy)
        memcpy(chain->trunk, chain->last, sizeof chain->trunk);
}

static enum status follows(const char *previous, const struct event *event, bool *out,
                           struct err *err)
{
    char hash[CHAIN_HASH_SIZE];
    enum status st = chain_hash(previous, event, hash, err);
    *out = st == ST_OK && strcmp(hash, event->hash) == 0;
    return st;
}

/* What is wrong with an event that follows neither the last one nor the one it may pass to. */
static enum status tell_fault(const struct chain *chain, const struct event *event,
                              enum chain_link *link_out, struct err *err)
{
    bool foreign = false;
    enum status st = follows(chain->before, event, &foreign, err);
    bool next = event->id == chain->last_id + 1;
    *link_out = foreign ? CHAIN_FOREIGN : next ? CHAIN_CHANGED : CHAIN_GAP;
    return st;
}

enum status chain_add(struct chain *chain, const struct event *event, enum chain_link *link_out,
                      struct err *err)
{
    bool fits = false, bare = span_str(event->hash).len == 0;
    enum status st = ST_OK;
    if (bare)
        fits = chain->unchained == chain->events;
    else
        st = follows(chain->last, event, &fits, err);
    if (st == ST_OK && !fits && !bare && chain->copies > 0) {
        st = follows(chain->trunk, event, &fits, err);
        chain->beside += fits ? chain->copies : 0;
        chain->copies = fits ? 0 : chain->copies;
    }
    *link_out = fits ? CHAIN_FITS : CHAIN_BARE;
    if (st == ST_OK && fits)
        pass(chain, event);
    else if (st == ST_OK && !bare)
        st = tell_fault(chain, event, link_out, err);
    return st;
}
