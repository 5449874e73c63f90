/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/takeover_dns.h"

#include <stdlib.h>

#include "admin/proofs.h"
#include "base/clock.h"

enum { PORTION = 256 };

/* Keys that are asked for together. */
struct portion {
    struct takeover_key *from[PORTION];
    struct key keys[PORTION]; /* the same as they are going to be */
    struct proofs_item items[PORTION];
    size_t count;
};

static enum status add(struct portion *portion, struct takeover_key *from, struct err *err)
{
    struct key *key = &portion->keys[portion->count];
    const struct field *domain = kind_field(&kind_key, SPAN_LIT("domain"));
    const struct field *selector = kind_field(&kind_key, SPAN_LIT("selector"));
    portion->from[portion->count++] = from;
    enum status status = kind_copy(&kind_key, &from->material->draft.key, key, err);
    if (status == ST_OK)
        status = field_set_text(domain, key, span_str(from->domain), err);
    if (status == ST_OK)
        status = field_set_text(selector, key, span_str(from->selector), err);
    key->state = KEY_ACTIVE;
    return status;
}

static void clear(struct portion *portion)
{
    for (size_t i = 0; i < portion->count; i++) {
        proofs_clear(&portion->items[i]);
        kind_clear(&kind_key, &portion->keys[i]);
        portion->items[i] = (struct proofs_item){.key = NULL};
    }
    portion->count = 0;
}

static enum status keep(const struct proofs_item *item, struct takeover_key *key, struct err *err)
{
    struct buf text = BUF_INIT(0);
    buf_append_str(&text, "proof: ");
    proof_text(&item->proof, &text);
    enum status status = buf_check(&text, "what DNS shows", err);
    if (status == ST_OK)
        key->seen = span_dup(buf_span(&text));
    buf_clear(&text);
    if (status == ST_OK && key->seen == NULL)
        return err_set(err, ST_TEMP, "no memory");
    key->shown = proofs_shown(item);
    key->checked_s = key->shown != KEY_SHOWN_UNKNOWN ? clock_now_s() : 0;
    key->ttl_s = item->proof.ttl_max_s > 0 ? item->proof.ttl_max_s : 0;
    return status;
}

static void note(struct takeover *takeover, const struct proofs_item *item,
                 const struct takeover_key *key, struct takeover_dns *sum)
{
    const char *verdict = witness_verdict_name(item->proof.verdict);
    if (key->shown == KEY_SHOWN_RIGHT) {
        sum->right++;
        notes_add(takeover->notes, NOTES_NOTICE, key->place, "%s %s: DNS shows %s for %s",
                  key->domain, key->selector, verdict, item->record.name);
    } else if (key->shown == KEY_SHOWN_UNKNOWN) {
        sum->silent++;
        notes_add(takeover->notes, NOTES_UNKNOWN, key->place,
                  "%s %s: whether receivers can verify it: nobody answers for %s", key->domain,
                  key->selector, item->record.name);
    } else {
        sum->unverifiable++;
        notes_add(takeover->notes, NOTES_UNVERIFIABLE, key->place,
                  "%s %s: receivers cannot verify it: DNS shows %s for %s", key->domain,
                  key->selector, verdict, item->record.name);
    }
}

static enum status ask(const struct proofs *proofs, struct takeover *takeover,
                       struct portion *portion, struct takeover_dns *sum, struct err *err)
{
    for (size_t i = 0; i < portion->count; i++)
        portion->items[i].key = &portion->keys[i];
    enum status status = proofs_make(proofs, portion->items, portion->count, NULL, err);
    for (size_t i = 0; status == ST_OK && i < portion->count; i++) {
        status = keep(&portion->items[i], portion->from[i], err);
        if (status == ST_OK)
            note(takeover, &portion->items[i], portion->from[i], sum);
    }
    return status;
}

static bool nobody_answered(const struct takeover_dns *sum)
{
    return sum->silent > 0 && sum->right + sum->unverifiable == 0;
}

/* So many together whose servers are all down are not the servers' fault, and to ask for a hundred
 * thousand more would take hours. */
static enum status ask_portion(const struct proofs *proofs, struct takeover *takeover,
                               struct portion *portion, struct takeover_dns *sum, struct err *err)
{
    struct takeover_dns part = {.right = 0};
    enum status status = ask(proofs, takeover, portion, &part, err);
    sum->right += part.right;
    sum->unverifiable += part.unverifiable;
    sum->silent += part.silent;
    if (status == ST_OK && portion->count == PORTION && nobody_answered(&part))
        return err_set(err, ST_TEMP, "DNS is out of reach: nobody answers for %d keys in a row",
                       PORTION);
    clear(portion);
    return status;
}

enum status takeover_dns_check(struct admin *admin, struct takeover *takeover,
                               struct takeover_dns *out, struct err *err)
{
    struct proofs proofs;
    struct portion *portion = calloc(1, sizeof *portion);
    *out = (struct takeover_dns){.right = 0};
    if (portion == NULL)
        return err_set(err, ST_TEMP, "no memory");
    enum status status = proofs_open(admin, &proofs, err);
    for (struct takeover_key *each = takeover->keys; each != NULL && status == ST_OK;
         each = each->hh.next) {
        status = add(portion, each, err);
        if (status == ST_OK && (portion->count == PORTION || each->hh.next == NULL))
            status = ask_portion(&proofs, takeover, portion, out, err);
    }
    clear(portion);
    free(portion);
    proofs_close(&proofs);
    if (status == ST_OK && nobody_answered(out))
        return err_set(err, ST_TEMP, "DNS is out of reach: nobody answers for any key");
    return status;
}
