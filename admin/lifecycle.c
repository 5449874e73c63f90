/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/lifecycle.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dkim/crypto.h"

#define STATE(s) (1u << (s))

/* What a state means; docs of the life cycle have the same table. */
static const struct state {
    const char *name;
    bool sealed;     /* has a private key */
    bool record;     /* DNS shows something */
    bool gravestone; /* namely that the key is revoked */
    size_t time;     /* the member that says since when */
} states[] = {
    [KEY_STAGED] = {"staged", true, true, false, offsetof(struct key, created)},
    [KEY_PUBLISHED] = {"published", true, true, false, offsetof(struct key, published)},
    [KEY_ACTIVE] = {"active", true, true, false, offsetof(struct key, activated)},
    [KEY_RETIRING] = {"retiring", false, true, false, offsetof(struct key, retired)},
    [KEY_REVOKED] = {"revoked", false, true, true, offsetof(struct key, revoked)},
    [KEY_DESTROYED] = {"destroyed", false, false, false, offsetof(struct key, destroyed)},
};

static const struct transition {
    unsigned from;
    enum key_state to;
    const char *rule;
} transitions[] = {
    [LIFECYCLE_ACTIVATE] = {STATE(KEY_STAGED) | STATE(KEY_PUBLISHED), KEY_ACTIVE,
                            "only a staged or published key can be activated"},
    [LIFECYCLE_RETIRE] = {STATE(KEY_ACTIVE), KEY_RETIRING, "only an active key can be retired"},
};

enum status lifecycle_step(enum lifecycle_step step, struct key *key, int64_t now_s,
                           struct err *err)
{
    const struct transition *transition = &transitions[step];
    if ((transition->from & STATE(key->state)) == 0)
        return err_set(err, ST_DENIED, "key %s %s is %s: %s", key->domain, key->selector,
                       states[key->state].name, transition->rule);
    const struct state *to = &states[transition->to];
    key->state = transition->to;
    *(int64_t *)(void *)((char *)key + to->time) = now_s;
    if (!to->sealed) {
        bytes_wipe(key->sealed.data, key->sealed.len);
        buf_clear(&key->sealed);
        free(key->kek);
        key->kek = NULL;
    }
    return ST_OK;
}

bool lifecycle_has_record(enum key_state state)
{
    return states[state].record;
}

bool lifecycle_is_gravestone(enum key_state state)
{
    return states[state].gravestone;
}

static void write_date(int64_t now_s, struct buf *out)
{
    time_t when = (time_t)now_s;
    struct tm utc;
    char text[16] = "";
    if (gmtime_r(&when, &utc) != NULL && strftime(text, sizeof text, "%Y%m%d", &utc) > 0)
        buf_append_str(out, text);
}

static void write_part(const struct lifecycle_naming *naming, struct span part, struct buf *out)
{
    if (span_equal(part, SPAN_LIT("date")))
        write_date(naming->now_s, out);
    else if (span_equal(part, SPAN_LIT("alg")))
        buf_append_char(out, naming->algorithm == DKIM_ED25519_SHA256 ? 'e' : 'r');
    else if (span_equal(part, SPAN_LIT("n")))
        buf_printf(out, "%d", naming->number);
    else
        buf_printf(out, "{%.*s}", (int)part.len, part.data); /* refused as a selector below */
}

enum status lifecycle_selector(const struct lifecycle_naming *naming, char out[DKIM_DOMAIN_SIZE],
                               struct err *err)
{
    struct buf text = BUF_INIT(0);
    struct span rest = span_str(naming->template), part;
    while (span_next(&rest, '{', &part)) {
        buf_append_span(&text, part);
        if (rest.data != NULL && span_next(&rest, '}', &part))
            write_part(naming, part, &text);
    }
    enum status status = buf_check(&text, "selector", err);
    if (status == ST_OK)
        status = dkim_selector_normalize(buf_span(&text), out, err);
    buf_clear(&text);
    return status == ST_OK ? ST_OK : err_context(err, "template %s", naming->template);
}

bool lifecycle_is_numbered(const char *template)
{
    return strstr(template, "{n}") != NULL;
}
