/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/lease.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"

enum { HOST_SIZE = 256, TRIES_MAX = 5, PAUSE_MS = 20 };
#define MARK_BEGIN " mark " /* in the name of a holder */

/* Who we are: unlike any other program that runs in the cluster now, or did. Where /proc is shut
 * the lease ends by its time alone. */
static enum status name_holder(struct lease *lease, struct err *err)
{
    char host[HOST_SIZE] = "", mark[PROCESS_MARK_SIZE];
    struct buf text = BUF_INIT(0);
    gethostname(host, sizeof host - 1);
    buf_printf(&text, "%.64s, process %ld", host[0] != '\0' ? host : "a host", (long)getpid());
    if (process_mark(mark, err) == ST_OK)
        buf_printf(&text, MARK_BEGIN "%s", mark);
    else
        err_clear(err);
    enum status status =
        field_set_text(kind_field(&kind_lease, SPAN_LIT("holder")), lease, buf_span(&text), err);
    buf_clear(&text);
    return status;
}

/* Whether its holder was killed: known only on the host it ran on. */
static bool is_orphan(const struct lease *lease)
{
    const char *mark = strstr(lease->holder, MARK_BEGIN);
    return mark != NULL && process_is_gone(mark + strlen(MARK_BEGIN));
}

static enum status refuse(const struct lease *lease, struct err *err)
{
    char until[CLOCK_DATE_SIZE];
    const char *mark = strstr(lease->holder, MARK_BEGIN);
    size_t length = mark != NULL ? (size_t)(mark - lease->holder) : strlen(lease->holder);
    clock_date(lease->until, until);
    return err_set(err, ST_CONFLICT,
                   "%s is at work already: %.*s (until %s, or until it says more)", lease->name,
                   (int)length, lease->holder, until);
}

/* Stores the lease as ours; somebody else may have been faster. */
static enum status put(struct store_tx *tx, struct lease *lease, int64_t until_s, struct err *err)
{
    lease->until = until_s;
    enum status status = name_holder(lease, err);
    return status == ST_OK ? store_tx_put(tx, &kind_lease, lease, "lease.take", err) : status;
}

static enum status take(struct store_tx *tx, struct lease *lease, struct err *err)
{
    int64_t now_s = clock_now_s();
    enum status status = store_tx_get(tx, &kind_lease, lease, err);
    if (status == ST_OK && lease->until > now_s && !is_orphan(lease))
        return refuse(lease, err);
    return status == ST_OK || status == ST_NOT_FOUND ? put(tx, lease, now_s + LEASE_SECONDS, err)
                                                     : status;
}

static enum status end(struct store_tx *tx, enum status status, struct err *err)
{
    if (status == ST_OK)
        return store_commit(tx, err);
    store_rollback(tx);
    return status;
}

/* A directory takes no change while it takes another program's. Whether to try once more. */
static bool again(enum status status, int *tries)
{
    if (status != ST_TEMP || ++*tries == TRIES_MAX)
        return false;
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L << *tries};
    nanosleep(&pause, NULL);
    return true;
}

static enum status try_take(struct lease_hold *hold, const char *name, struct err *err)
{
    struct store_tx *tx;
    kind_clear(&kind_lease, &hold->lease);
    hold->lease.name = span_dup(span_str(name));
    if (hold->lease.name == NULL)
        return err_set(err, ST_TEMP, "no memory");
    enum status status = store_begin(hold->store, &tx, err);
    return status == ST_OK ? end(tx, take(tx, &hold->lease, err), err) : status;
}

enum status lease_take(struct store *store, const char *name, struct lease_hold *out,
                       struct err *err)
{
    enum status status;
    int tries = 0;
    *out = (struct lease_hold){.store = store};
    do {
        status = try_take(out, name, err);
    } while (again(status, &tries));
    if (status != ST_OK)
        out->store = NULL; /* there is nothing to give back */
    return status;
}

/* What was not stored is as it was before. */
static enum status try_until(struct lease_hold *hold, int64_t until_s, struct err *err)
{
    struct store_tx *tx;
    int64_t until_before_s = hold->lease.until, version = hold->lease.version;
    enum status status = store_begin(hold->store, &tx, err);
    if (status == ST_OK)
        status = end(tx, put(tx, &hold->lease, until_s, err), err);
    if (status != ST_OK) {
        hold->lease.until = until_before_s;
        hold->lease.version = version;
    }
    return status;
}

static enum status put_until(struct lease_hold *hold, int64_t until_s, struct err *err)
{
    enum status status;
    int tries = 0;
    do {
        status = try_until(hold, until_s, err);
    } while (again(status, &tries));
    return status;
}

enum status lease_keep(struct lease_hold *hold, struct err *err)
{
    int64_t now_s = clock_now_s();
    int64_t left_s = hold->lease.until - now_s;
    if (left_s > LEASE_SECONDS / 2)
        return ST_OK;
    enum status status = put_until(hold, now_s + LEASE_SECONDS, err);
    if (status == ST_TEMP && left_s > LEASE_SECONDS / 4) {
        err_clear(err); /* somebody was faster with another change, perhaps; there is time */
        return ST_OK;
    }
    return status == ST_CONFLICT ? err_set(err, ST_CONFLICT,
                                           "%s took longer than %d s for a part of its work, and "
                                           "another program has taken it over meanwhile",
                                           hold->lease.name, LEASE_SECONDS)
                                 : status;
}

void lease_give(struct lease_hold *hold)
{
    struct err err = {0};
    if (hold->store != NULL && put_until(hold, clock_now_s(), &err) != ST_OK)
        err = (struct err){0}; /* it runs out by itself */
    kind_clear(&kind_lease, &hold->lease);
    *hold = (struct lease_hold){0};
}
