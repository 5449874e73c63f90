/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/against_many.h"

#include <stdlib.h>
#include <string.h>

#include "admin/against_opendkim.h"
#include "admin/explanation.h"
#include "admin/lines.h"
#include "admin/mail_queue.h"
#include "admin/outcome.h"
#include "admin/progress.h"
#include "admin/remark.h"
#include "admin/sender_list.h"

/* -- the answer's tables ------------------------------------------------------------------ */

struct row {
    char *author, *client, *client_name, *login;
    int64_t count;
    char *opendkim, *inkan, *reason, *same, *note;
};
static const struct field row_fields[] = {
    OUTPUT_FIELD(struct row, author, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct row, client, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct row, client_name, FIELD_TEXT, FIELD_WIDE),
    OUTPUT_FIELD(struct row, login, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct row, count, FIELD_INT, 0),
    OUTPUT_FIELD(struct row, opendkim, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct row, inkan, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct row, reason, FIELD_TEXT, FIELD_WIDE),
    OUTPUT_FIELD(struct row, same, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct row, note, FIELD_TEXT, 0),
};
static const struct kind kind_row = OUTPUT_KIND("sender", struct row, row_fields);

struct summary {
    int64_t asked, differ, contradicted, lines, messages, bounces, incomplete, left_out;
};
static const struct field summary_fields[] = {
    OUTPUT_FIELD(struct summary, asked, FIELD_INT, 0),
    OUTPUT_FIELD(struct summary, differ, FIELD_INT, 0),
    OUTPUT_FIELD(struct summary, contradicted, FIELD_INT, 0),
    OUTPUT_FIELD(struct summary, lines, FIELD_INT, 0),
    OUTPUT_FIELD(struct summary, messages, FIELD_INT, 0),
    OUTPUT_FIELD(struct summary, bounces, FIELD_INT, 0),
    OUTPUT_FIELD(struct summary, incomplete, FIELD_INT, 0),
    OUTPUT_FIELD(struct summary, left_out, FIELD_INT, 0),
};
static const struct kind kind_summary = OUTPUT_KIND("summary", struct summary, summary_fields);
static const struct kind kind_nothing = {.name = "comparison"};

/* One comparison of many. */
struct comparison {
    struct admin *admin;
    const struct args *args;
    struct senders *senders;
    struct decision decision;
    struct against_opendkim opendkim;
    struct progress progress;
    struct summary summary;
};

/* -- reading ------------------------------------------------------------------------------ */

/* Takes a line; `into` is what the reader of such files needs. */
typedef enum status take_line(struct comparison *all, void *into, const struct lines *lines,
                              struct err *err);

/* A line too long for any reader is ST_INVALID, and the next one follows. */
static enum status read_file(struct comparison *all, const char *path, take_line *take, void *into,
                             struct err *err)
{
    struct lines lines = {.fd = -1};
    bool log = args_has(all->args, "--mail-log");
    enum status status = lines_open(path, &lines, err);
    if (status != ST_OK) {
        lines_close(&lines);
        return status;
    }
    progress_begin(&all->progress, lines.size > 0 ? "octets" : "lines", lines.size);
    while (status == ST_OK) {
        int64_t before = lines.done;
        status = lines_next(&lines, err);
        if (status == ST_OK)
            status = take(all, into, &lines, err);
        else if (status == ST_INVALID && log)
            status = ST_OK;
        progress_add(&all->progress, lines.size > 0 ? lines.done - before : 1);
    }
    progress_end(&all->progress);
    if (status != ST_NOT_FOUND)
        err_context(err, "%s:%lld", path, (long long)lines.number);
    lines_close(&lines);
    return status == ST_NOT_FOUND ? ST_OK : status;
}

static enum status take_list_line(struct comparison *all, void *into, const struct lines *lines,
                                  struct err *err)
{
    struct senders_name name;
    enum status status = sender_list_read(buf_span(&lines->text), into, &name, err);
    if (status == ST_OK)
        return senders_add(all->senders, &name, NULL, err);
    return status == ST_NOT_FOUND ? ST_OK : status;
}

static enum status read_list(struct comparison *all, const char *path, struct err *err)
{
    struct buf room = BUF_INIT(0);
    enum status status = read_file(all, path, take_list_line, &room, err);
    buf_clear(&room);
    return status;
}

static enum status take_log_line(struct comparison *all, void *into, const struct lines *lines,
                                 struct err *err)
{
    all->summary.lines++;
    return mail_queue_take(into, buf_span(&lines->text), err);
}

static enum status read_log(struct comparison *all, const char *path, struct err *err)
{
    struct mail_queue_counts counts = {.messages = 0};
    struct mail_queue *queue = mail_queue_new(all->senders, MAIL_QUEUE_MAX);
    if (queue == NULL)
        return err_set(err, ST_TEMP, "no memory for the messages of the log");
    enum status status = read_file(all, path, take_log_line, queue, err);
    if (status == ST_OK)
        status = mail_queue_end(queue, err);
    mail_queue_count(queue, &counts);
    all->summary.messages = counts.messages;
    all->summary.bounces = counts.bounces;
    all->summary.incomplete = counts.incomplete;
    mail_queue_free(queue);
    return status;
}

static enum status read_senders(struct comparison *all, struct err *err)
{
    const char *list = args_option(all->args, "--list");
    all->senders = senders_new(SENDERS_MAX);
    if (all->senders == NULL)
        return err_set(err, ST_TEMP, "no memory for the senders");
    enum status status = list != NULL ? read_list(all, list, err)
                                      : read_log(all, args_option(all->args, "--mail-log"), err);
    all->summary.left_out = senders_left_out(all->senders);
    return status;
}

/* -- asking ------------------------------------------------------------------------------- */

/* Both sides about one sender. */
struct pair {
    struct outcome theirs, ours;
    struct buf model, opendkim, inkan, note;
    bool same, contradicted;
};

static const char *or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

/* Deciding is not possible without the store: that ends it all. */
static enum status ask_both(struct comparison *all, const struct inquiry *inquiry, struct pair *out,
                            struct err *err)
{
    struct signing_answer answer = {.count = 0};
    struct explanation explanation;
    enum status status = against_opendkim_ask(&all->opendkim, inquiry, &answer, err);
    if (status == ST_OK)
        status = outcome_of_answer(&answer, &out->theirs, err);
    signing_answer_clear(&answer);
    if (status != ST_OK)
        return status;
    explanation_make(&all->decision, inquiry, &explanation);
    explanation_clear(&explanation);
    if (all->decision.trouble != ST_OK)
        return err_set(err, all->decision.trouble, "%s: %s", inquiry->from,
                       all->decision.outcome.text);
    return outcome_of_decision(&all->decision, &out->ours, err);
}

/* What the columns do not say. */
static void annotate(const struct comparison *all, struct pair *pair)
{
    bool alike = strcmp(buf_cstr(&pair->opendkim), buf_cstr(&pair->inkan)) == 0;
    if (pair->contradicted)
        buf_printf(&pair->note, "the log says so; by its files: %s", buf_cstr(&pair->model));
    else if (!pair->same && alike)
        outcome_difference(&pair->theirs, &pair->ours, &pair->note);
    else if (!pair->same && pair->ours.action != OUTCOME_SIGN)
        buf_append_str(&pair->note, all->decision.outcome.text);
}

/* A log knows selectors and domains only, so only these are compared with it. */
static void compare(const struct comparison *all, const struct sender *sender, struct pair *pair)
{
    outcome_text(&pair->theirs, &pair->model);
    outcome_text(&pair->ours, &pair->inkan);
    const char *model = buf_cstr(&pair->model);
    const char *done = sender->said != NULL ? sender->said : model;
    buf_append_str(&pair->opendkim, done);
    pair->contradicted = strcmp(done, model) != 0;
    pair->same = pair->contradicted ? strcmp(done, buf_cstr(&pair->inkan)) == 0
                                    : outcome_equal(&pair->theirs, &pair->ours);
    annotate(all, pair);
}

static void clear_pair(struct pair *pair)
{
    outcome_clear(&pair->theirs);
    outcome_clear(&pair->ours);
    buf_clear(&pair->model);
    buf_clear(&pair->opendkim);
    buf_clear(&pair->inkan);
    buf_clear(&pair->note);
}

/* -- telling ------------------------------------------------------------------------------ */

/* People see which cells are empty. */
static char *cell(const struct comparison *all, const char *text)
{
    bool dash = !all->admin->output.json && text[0] == '\0';
    return span_dup(dash ? SPAN_LIT("-") : span_str(text));
}

static void tell_row(struct comparison *all, const struct sender *sender, struct pair *pair)
{
    const char *reason = all->decision.outcome.reason;
    if (pair->ours.action != OUTCOME_SIGN)
        buf_printf(&pair->inkan, " (%s)", reason);
    struct row row = {.author = cell(all, sender->author),
                      .client = cell(all, sender->client),
                      .client_name = cell(all, sender->client_name),
                      .login = cell(all, sender->login),
                      .count = sender->count,
                      .opendkim = span_dup(buf_span(&pair->opendkim)),
                      .inkan = span_dup(buf_span(&pair->inkan)),
                      .reason = span_dup(span_str(all->decision.outcome.text)),
                      .same = span_dup(span_str(pair->same ? "yes" : "no")),
                      .note = span_dup(buf_span(&pair->note))};
    output_record(&all->admin->output, &kind_row, &row);
    kind_clear(&kind_row, &row);
}

static enum status ask(struct comparison *all, const struct sender *sender, struct err *err)
{
    struct pair pair = {.same = false};
    struct inquiry inquiry = {.from = sender->author,
                              .client = or_null(sender->client),
                              .client_name = or_null(sender->client_name),
                              .login = or_null(sender->login),
                              .daemon_name = args_option(all->args, "--daemon-name")};
    enum status status = inquiry_settle(&inquiry, err);
    if (status == ST_OK)
        status = ask_both(all, &inquiry, &pair, err);
    if (status == ST_OK) {
        compare(all, sender, &pair);
        all->summary.asked++;
        all->summary.differ += !pair.same;
        all->summary.contradicted += pair.contradicted;
        if (!pair.same || pair.contradicted || args_has(all->args, "--all"))
            tell_row(all, sender, &pair);
    }
    clear_pair(&pair);
    inquiry_clear(&inquiry);
    return status;
}

static void tell_summary(struct output *output, const struct summary *summary)
{
    if (output->json) {
        output_member_begin(output, "summary", &kind_summary, summary);
        output_end(output);
        return;
    }
    output_line(output, "%lld asked, %lld differ", (long long)summary->asked,
                (long long)summary->differ);
    if (summary->contradicted > 0)
        output_line(output, "%lld where the log says something else than OpenDKIM's files",
                    (long long)summary->contradicted);
    if (summary->messages > 0)
        output_line(output,
                    "%lld messages; passed over: %lld bounces, %lld of which the log does not say "
                    "the client or the sender",
                    (long long)summary->messages, (long long)summary->bounces,
                    (long long)summary->incomplete);
    if (summary->lines > 0 && summary->messages == 0)
        output_line(output,
                    "none of %lld lines is of a message of Postfix's; a log that is compressed is "
                    "unpacked first",
                    (long long)summary->lines);
    if (summary->left_out > 0)
        output_line(
            output,
            "only the first %d senders are asked about; %lld lines or messages of others are left "
            "out",
            SENDERS_MAX, (long long)summary->left_out);
}

static enum status ask_all(struct comparison *all, struct err *err)
{
    struct output *output = &all->admin->output;
    const struct sender *sender = NULL;
    enum status status = ST_OK;
    if (output->json)
        output_begin(output, &kind_nothing, NULL);
    output_list_begin(output, output->json ? "senders" : NULL);
    progress_begin(&all->progress, "senders", (int64_t)senders_count(all->senders));
    while (status == ST_OK && (sender = senders_next(all->senders, sender)) != NULL) {
        status = ask(all, sender, err);
        progress_add(&all->progress, 1);
    }
    progress_end(&all->progress);
    output_list_end(output, &kind_row);
    if (status != ST_OK)
        return status;
    tell_summary(output, &all->summary);
    if (output->json) {
        remark_list_tell(output, all->opendkim.notes);
        output_end(output);
    }
    return ST_OK;
}

/* -- the whole ---------------------------------------------------------------------------- */

static enum status open_both(struct comparison *all, struct err *err)
{
    enum status status =
        against_opendkim_open(args_option(all->args, "--config"), &all->opendkim, err);
    if (status == ST_OK && signing_stop(all->opendkim.signing)[0] != '\0')
        return err_set(err, ST_INVALID, "OpenDKIM does not start with this: %s",
                       signing_stop(all->opendkim.signing));
    return status == ST_OK ? decision_init(all->admin, &all->decision, err) : status;
}

enum status against_many(struct admin *admin, const struct args *args, struct err *err)
{
    struct comparison all = {.admin = admin, .args = args};
    enum status status = open_both(&all, err);
    if (status == ST_OK)
        status = read_senders(&all, err);
    if (status == ST_OK)
        status = ask_all(&all, err);
    if (status == ST_OK && all.summary.differ > 0) {
        status = ST_NOT_FOUND;
        err_clear(err); /* the table has said why */
    }
    decision_clear(&all.decision);
    against_opendkim_close(&all.opendkim);
    senders_free(all.senders);
    return status;
}
