/* SPDX-License-Identifier: Apache-2.0 */
#include "ldap/journal.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"

/* How long who finds a journal leaves its owner alone, who is most likely about to finish. */
enum { PATIENCE_MS = 200, LOOK_AGAIN_MS = 10 };
/* How long after its commit an owner can be sure that nobody has lost patience. */
enum { ALONE_MS = 20 };

/* A change of cn=writer that counts only if nobody has committed since `revision`, and if there
 * is a journal or none, as said. A journal is put there with the same revision; without one it
 * is taken away with the next. */
static enum status change_writer(struct directory *dir, int64_t revision, bool has_journal,
                                 struct span journal, struct err *err)
{
    struct buf dn = {0}, filter = {0};
    struct writes writes = {0};
    bool none = journal.len == 0;
    layout_dn(dir, LAYOUT_WRITER, &dn);
    buf_printf(&filter, "(&(inkanRevision=%" PRId64 ")%s)", revision,
               has_journal ? "(inkanJournal=*)" : "(!(inkanJournal=*))");
    struct write *write = write_list_new(&writes, WRITE_CHANGE, buf_cstr(&dn), buf_cstr(&filter));
    enum status st = write_number(write, "inkanRevision", none ? revision + 1 : revision, err);
    if (st == ST_OK)
        st = write_value(write, "inkanJournal", journal, none, err);
    if (st == ST_OK)
        st = write_once(dir, write, err);
    write_list_clear(&writes);
    buf_clear(&dn);
    buf_clear(&filter);
    return st;
}

/* -- doing what a journal says ------------------------------------------------------------- */

/* How that goes. */
struct run {
    int64_t revision;
    int64_t alone_until_ms; /* before that nobody else does the same */
    size_t done;            /* writes, by whomever */
    bool passed;            /* another program has finished it meanwhile */
    bool abandoned;         /* not even the first could be done: nothing has happened */
    struct err refused;     /* the first that the server will not do */
};

/* Entries that are never removed may come late. */
static bool may_come_late(const struct directory *dir, const struct write *write)
{
    struct buf dn = {0};
    bool may = write->type != WRITE_ADD;
    for (int place = LAYOUT_EVENTS; !may && place <= LAYOUT_CHANGES; place++) {
        buf_reset(&dn);
        layout_dn(dir, (enum layout_place)place, &dn);
        size_t len = strlen(write->dn);
        may = len > dn.len && strcmp(write->dn + len - dn.len, buf_cstr(&dn)) == 0;
    }
    buf_clear(&dn);
    return may;
}

/* An entry that was added after another program had finished the same, and perhaps a third had
 * removed it again, must not stay. */
static enum status check_added(struct directory *dir, const struct write *write, struct run *run,
                               struct err *err)
{
    struct layout_numbers now = {0};
    struct buf journal = {0};
    if (may_come_late(dir, write) || clock_left_ms(run->alone_until_ms) > 0)
        return ST_OK;
    enum status st = layout_read(dir, &now, &journal, err);
    bool ours = now.revision == run->revision && journal.len > 0;
    buf_clear(&journal);
    if (st != ST_OK || ours)
        return st;
    run->passed = true;
    return write_undo(dir, write, err);
}

/* One that is lost or refused at the very beginning means that nothing happens; later on the rest
 * is done without it. */
static void take_failure(struct run *run, enum write_outcome outcome, const struct err *why)
{
    run->abandoned = run->done == 0;
    if (run->abandoned && outcome == WRITE_LOST)
        err_set(&run->refused, ST_TEMP, "ldap: another program changed the directory meanwhile");
    else if (outcome == WRITE_REFUSED && run->refused.code == ST_OK)
        run->refused = *why;
}

static enum status do_one(struct directory *dir, struct write *write, struct run *run,
                          struct err *err)
{
    enum write_outcome outcome = WRITE_DONE;
    dir->base.deadline_ms = clock_monotonic_ms() + dir->timeout_ms;
    enum status st = write_again(dir, write, &outcome, err);
    if (st != ST_OK)
        return st;
    if (outcome == WRITE_LOST || outcome == WRITE_REFUSED) {
        take_failure(run, outcome, err);
        return ST_OK;
    }
    run->done++;
    return outcome == WRITE_DONE ? check_added(dir, write, run, err) : ST_OK;
}

/* What was put down must be done, however many writes it is: the time limit is that of each. */
static enum status do_all(struct directory *dir, const struct writes *writes, struct run *run,
                          struct err *err)
{
    enum status st = ST_OK;
    for (size_t i = 0; i < writes->count && st == ST_OK && !run->passed && !run->abandoned; i++)
        st = do_one(dir, &writes->list[i], run, err);
    return st;
}

/* Takes the journal away, and says what has become of it all. */
static enum status end_run(struct directory *dir, const struct run *run, struct err *err)
{
    enum status st =
        run->passed ? ST_OK : change_writer(dir, run->revision, true, SPAN_LIT(""), err);
    if (st != ST_OK && st != ST_CONFLICT)
        return st;
    if (run->refused.code == ST_OK)
        return ST_OK;
    *err = run->refused;
    return run->abandoned
               ? err->code
               : err_set(err, ST_BROKEN, "the change was made, but for: %s", run->refused.text);
}

/* Does what another program has left behind. */
static enum status complete(struct directory *dir, const struct layout_numbers *standing,
                            struct span journal, struct err *err)
{
    struct writes writes = {0};
    struct run run = {.revision = standing->revision};
    enum status st = write_list_decode(journal, &writes, err);
    if (st == ST_OK)
        st = do_all(dir, &writes, &run, err);
    write_list_clear(&writes);
    if (st == ST_OK)
        st = end_run(dir, &run, err);
    if (run.abandoned)
        return ST_OK; /* who had begun it was never told that it was done */
    return st == ST_OK ? st : err_context(err, "completing a change that was cut short");
}

/* Reads until there is no journal; one that stays is completed. */
enum status journal_settle(struct directory *dir, struct layout_numbers *out, struct err *err)
{
    struct buf journal = {0};
    dir->timeout_ms = clock_left_ms(dir->base.deadline_ms);
    enum status st = ST_OK;
    int64_t patience = dir->timeout_ms / 4 < PATIENCE_MS ? dir->timeout_ms / 4 : PATIENCE_MS;
    int64_t patient_until_ms = clock_monotonic_ms() + patience;
    int64_t deadline_ms = dir->base.deadline_ms;
    while ((st = layout_read(dir, out, &journal, err)) == ST_OK && journal.len > 0) {
        if (clock_left_ms(deadline_ms) == 0)
            st = err_set(err, ST_TEMP, "ldap: another program is changing the directory");
        else if (clock_left_ms(patient_until_ms) > 0)
            poll(NULL, 0, LOOK_AGAIN_MS);
        else
            st = complete(dir, out, buf_span(&journal), err);
        if (st != ST_OK)
            break;
    }
    buf_clear(&journal);
    return st;
}

/* A commit that arrives between the two is completed by the next look. */
enum status journal_fence(struct directory *dir, struct err *err)
{
    struct layout_numbers standing = {0};
    enum status st = ST_CONFLICT;
    while (st == ST_CONFLICT) {
        st = journal_settle(dir, &standing, err);
        if (st == ST_OK)
            st = change_writer(dir, standing.revision, false, SPAN_LIT(""), err);
    }
    return st;
}

enum status journal_put(struct directory *dir, int64_t revision, struct span octets,
                        struct err *err)
{
    return change_writer(dir, revision, false, octets, err);
}

enum status journal_carry_out(struct directory *dir, const struct journal *journal, struct err *err)
{
    struct run run = {.revision = journal->revision, .alone_until_ms = journal->sent_ms + ALONE_MS};
    enum status st = ST_OK;
    for (size_t i = 0; journal->lists[i] != NULL && st == ST_OK; i++)
        st = do_all(dir, journal->lists[i], &run, err);
    if (st == ST_OK)
        st = end_run(dir, &run, err);
    if (st == ST_TEMP && !run.abandoned)
        return err_set(err, ST_UNSURE, "ldap: the directory went away within the commit");
    return st;
}
