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
    const char *action, *rule;
} transitions[] = {
    [LIFECYCLE_PROVE] = {STATE(KEY_STAGED), KEY_PUBLISHED, "key.prove",
                         "only a staged key can become published"},
    [LIFECYCLE_DOUBT] = {STATE(KEY_PUBLISHED), KEY_STAGED, "key.doubt",
                         "only a published key can be staged again"},
    [LIFECYCLE_ACTIVATE] = {STATE(KEY_STAGED) | STATE(KEY_PUBLISHED), KEY_ACTIVE, "key.activate",
                            "only a staged or published key can be activated"},
    [LIFECYCLE_RETIRE] = {STATE(KEY_ACTIVE), KEY_RETIRING, "key.retire",
                          "only an active key can be retired"},
    [LIFECYCLE_REVOKE] = {STATE(KEY_STAGED) | STATE(KEY_PUBLISHED) | STATE(KEY_ACTIVE) |
                              STATE(KEY_RETIRING),
                          KEY_REVOKED, "key.revoke", "it cannot be revoked once more"},
    [LIFECYCLE_DESTROY] = {STATE(KEY_REVOKED), KEY_DESTROYED, "key.destroy",
                           "only a revoked key can be destroyed"},
};

static void wipe(struct key *key)
{
    bytes_wipe(key->sealed.data, key->sealed.len);
    buf_clear(&key->sealed);
    free(key->kek);
    key->kek = NULL;
}

/* DNS has to show something else from now on, and has not been asked for it. */
static void forget_shown(struct key *key)
{
    key->shown = KEY_SHOWN_UNKNOWN;
    key->checked = key->ttl = 0;
}

enum status lifecycle_step(enum lifecycle_step step, struct key *key, int64_t now_s,
                           struct err *err)
{
    const struct transition *transition = &transitions[step];
    const struct state *from = &states[key->state], *to = &states[transition->to];
    if ((transition->from & STATE(key->state)) == 0)
        return err_set(err, ST_DENIED, "key %s %s is %s: %s", key->domain, key->selector,
                       from->name, transition->rule);
    key->state = transition->to;
    key->due = now_s;
    if (step == LIFECYCLE_DOUBT)
        key->published = 0;
    else
        *(int64_t *)(void *)((char *)key + to->time) = now_s;
    if (!to->sealed)
        wipe(key);
    if (from->record != to->record || from->gravestone != to->gravestone)
        forget_shown(key);
    return ST_OK;
}

const char *lifecycle_action(enum lifecycle_step step)
{
    return transitions[step].action;
}

/* -- what is due -------------------------------------------------------------------------- */

enum {
    DAY_S = 86400,
    LEAD = 12,     /* a successor is made a twelfth of max_age before it is needed */
    PATIENCE = 16, /* who waits for long is asked more seldom */
    STUCK_S = 7 * DAY_S,
};

struct scene {
    const struct key *key;
    const struct lifecycle_policy *policy;
    const struct lifecycle_evidence *evidence;
    int64_t now_s;
    int64_t look_s; /* when DNS is to be asked (again) */
};

static struct lifecycle_due wait_until(int64_t at_s, const char *reason)
{
    return (struct lifecycle_due){.task = LIFECYCLE_WAIT, .at_s = at_s, .reason = reason};
}

static struct lifecycle_due make_step(enum lifecycle_step step, const char *reason)
{
    return (struct lifecycle_due){.task = LIFECYCLE_STEP, .step = step, .reason = reason};
}

static struct lifecycle_due other(enum lifecycle_task task, const char *reason)
{
    return (struct lifecycle_due){.task = task, .reason = reason};
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t since(const struct key *key)
{
    return *(const int64_t *)(const void *)((const char *)key + states[key->state].time);
}

/* A record that is there is looked at every now and then; one that is not, or cannot be seen any
 * more, is waited for, at first closely. */
static int64_t next_look(const struct scene *s)
{
    int64_t pause = (s->now_s - since(s->key)) / PATIENCE;
    enum key_shown shown = (enum key_shown)s->key->shown;
    int64_t from = s->key->checked;
    if (s->evidence->asked) {
        shown = s->evidence->shown;
        from = s->now_s;
        if (shown == KEY_SHOWN_UNKNOWN && s->key->shown == KEY_SHOWN_RIGHT)
            pause = (s->now_s - s->key->checked - s->policy->check_s) / PATIENCE;
    } else if (from == 0) {
        return s->now_s;
    }
    if (shown == KEY_SHOWN_RIGHT || pause > s->policy->check_s)
        pause = s->policy->check_s;
    return from + (pause > s->policy->retry_s ? pause : s->policy->retry_s);
}

static bool must_look(const struct scene *s)
{
    return !s->evidence->asked && s->now_s >= s->look_s;
}

static bool is_shown(const struct scene *s)
{
    return (s->evidence->asked ? s->evidence->shown : (enum key_shown)s->key->shown) ==
           KEY_SHOWN_RIGHT;
}

static struct lifecycle_due of_staged(const struct scene *s)
{
    if (!s->evidence->asked)
        return other(LIFECYCLE_ASK, "whether DNS shows its record");
    return is_shown(s) ? make_step(LIFECYCLE_PROVE, "DNS shows its record everywhere")
                       : wait_until(s->look_s, "DNS does not show its record everywhere yet");
}

static struct lifecycle_due of_published(const struct scene *s)
{
    const struct key *key = s->key;
    int64_t soak_s = key->ttl > s->policy->soak_s ? key->ttl : s->policy->soak_s;
    if (s->now_s < key->published + soak_s)
        return wait_until(key->published + soak_s, "its record is not known everywhere yet");
    if (s->policy->frozen_until_s > 0)
        return wait_until(s->policy->frozen_until_s, "nothing changes in these days");
    if (!s->evidence->asked)
        return other(LIFECYCLE_ASK, "whether DNS still shows its record");
    if (is_shown(s))
        return make_step(LIFECYCLE_ACTIVATE, "DNS has shown its record for long enough");
    return s->evidence->shown == KEY_SHOWN_UNKNOWN
               ? wait_until(s->look_s, "DNS does not answer everywhere")
               : make_step(LIFECYCLE_DOUBT, "DNS no longer shows its record");
}

/* When a key needs a successor; INT64_MAX: not now, or never. */
static int64_t replaced_at(const struct scene *s)
{
    int64_t max_age_s = s->policy->max_age_s;
    if (max_age_s == 0 || s->key->reserved != 0 || s->evidence->successor ||
        s->evidence->suspended || !s->evidence->wanted)
        return INT64_MAX;
    int64_t at_s = s->key->activated + max_age_s - max_age_s / LEAD;
    return at_s < s->policy->frozen_until_s ? s->policy->frozen_until_s : at_s;
}

static struct lifecycle_due of_active(const struct scene *s)
{
    int64_t replaced_s = replaced_at(s);
    bool ripe = s->now_s >= replaced_s;
    if (ripe && !s->evidence->crowded)
        return other(LIFECYCLE_MAKE, "it comes of age");
    if (must_look(s))
        return other(LIFECYCLE_ASK, "whether DNS still shows its record");
    if (ripe)
        return wait_until(s->look_s, "it comes of age, but no slot is free yet for a successor");
    return wait_until(earlier(s->look_s, replaced_s), "it signs");
}

/* The state ends at that time, but not in days of freeze. */
static struct lifecycle_due until_end(const struct scene *s, int64_t end_s,
                                      enum lifecycle_step step, const char *reason)
{
    if (end_s < s->policy->frozen_until_s)
        end_s = s->policy->frozen_until_s;
    if (s->now_s >= end_s)
        return make_step(step, reason);
    if (must_look(s))
        return other(LIFECYCLE_ASK, "whether DNS shows its record");
    return wait_until(earlier(s->look_s, end_s), "its record stays for a while");
}

static struct lifecycle_due of_retiring(const struct scene *s)
{
    return until_end(s, s->key->retired + s->policy->overlap_s, LIFECYCLE_REVOKE,
                     "no mail that it signed is on its way any more");
}

static struct lifecycle_due of_revoked(const struct scene *s)
{
    return until_end(s, s->key->revoked + s->policy->tombstone_s, LIFECYCLE_DESTROY,
                     "its empty record has been there for long enough");
}

/* Where others publish records, nobody can be made to take one away. */
static struct lifecycle_due of_destroyed(const struct scene *s)
{
    if (!s->policy->publishes || is_shown(s))
        return other(LIFECYCLE_OVER, "nothing is left of it");
    if (must_look(s))
        return other(LIFECYCLE_ASK, "whether its record is gone");
    return wait_until(s->look_s, "its record is not gone yet");
}

struct lifecycle_due lifecycle_next(const struct key *key, const struct lifecycle_policy *policy,
                                    const struct lifecycle_evidence *evidence, int64_t now_s)
{
    static struct lifecycle_due (*const of_state[])(const struct scene *s) = {
        [KEY_STAGED] = of_staged,   [KEY_PUBLISHED] = of_published,
        [KEY_ACTIVE] = of_active,   [KEY_RETIRING] = of_retiring,
        [KEY_REVOKED] = of_revoked, [KEY_DESTROYED] = of_destroyed,
    };
    struct scene s = {key, policy, evidence, now_s, 0};
    s.look_s = next_look(&s);
    return of_state[key->state](&s);
}

enum lifecycle_alarm lifecycle_alarm(const struct key *key, const struct lifecycle_policy *policy,
                                     int64_t now_s)
{
    bool gone = key->shown == KEY_SHOWN_MISSING || key->shown == KEY_SHOWN_WRONG;
    if (gone && (key->state == KEY_ACTIVE || key->state == KEY_RETIRING))
        return LIFECYCLE_GONE;
    if (key->state == KEY_ACTIVE && key->reserved == 0 && policy->max_age_s > 0 &&
        now_s >= key->activated + policy->max_age_s)
        return LIFECYCLE_OVERAGE;
    if (key->state == KEY_STAGED && now_s >= key->created + STUCK_S)
        return LIFECYCLE_STUCK;
    return LIFECYCLE_FINE;
}

/* -- records and selectors ---------------------------------------------------------------- */

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
