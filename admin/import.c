/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/command.h"
#include "admin/import_batch.h"
#include "admin/import_opendkim.h"
#include "admin/import_source.h"
#include "admin/progress.h"
#include "admin/rows.h"

enum { ERRORS_MAX = 1000 }; /* kept for the answer in JSON; all of them are told at once */

/* -- the answer ----------------------------------------------------------------------------- */

struct report {
    int64_t rows, added, existed, failed;
};
static const struct field report_fields[] = {
    OUTPUT_FIELD(struct report, rows, FIELD_INT, 0),
    OUTPUT_FIELD(struct report, added, FIELD_INT, 0),
    OUTPUT_FIELD(struct report, existed, FIELD_INT, 0),
    OUTPUT_FIELD(struct report, failed, FIELD_INT, 0),
};
static const struct kind kind_report = OUTPUT_KIND("import", struct report, report_fields);

struct bad_row {
    int64_t line;
    char *text;
};
static const struct field bad_row_fields[] = {
    OUTPUT_FIELD(struct bad_row, line, FIELD_INT, 0),
    OUTPUT_FIELD(struct bad_row, text, FIELD_TEXT, 0),
};
static const struct kind kind_bad_row = OUTPUT_KIND("row", struct bad_row, bad_row_fields);

/* One import. */
struct import {
    struct admin *admin;
    const char *path;
    struct import_source source;
    struct import_batch batch;
    struct progress progress;
    struct report report;
    struct rows bad;  /* the first ERRORS_MAX */
    struct err worst; /* with --stop-on-error: of the row that ended it */
};

static void answer(const struct import *import)
{
    struct output *output = &import->admin->output;
    const struct report *report = &import->report;
    if (!output->json) {
        output_line(output, "%lld rows: %lld %s, %lld existed, %lld failed",
                    (long long)report->rows, (long long)report->added,
                    import->admin->dry_run ? "would be added" : "added", (long long)report->existed,
                    (long long)report->failed);
        return;
    }
    output_begin(output, &kind_report, report);
    output_list_begin(output, "errors");
    for (size_t i = 0; i < import->bad.count; i++)
        output_record(output, &kind_bad_row, rows_at(&import->bad, i));
    output_list_end(output, &kind_bad_row);
    output_end(output);
}

/* -- rows ----------------------------------------------------------------------------------- */

static enum status tell_failure(struct import *import, const struct import_row *row,
                                struct err *err)
{
    char text[ERR_TEXT_SIZE];
    struct bad_row bad = {.line = row->line, .text = text};
    snprintf(text, sizeof text, "%s", row->err.text);
    progress_end(&import->progress);
    admin_warn("%s:%lld: %s", import->path, (long long)row->line, text);
    import->worst = row->err;
    return import->bad.count < ERRORS_MAX ? rows_take(&import->bad, &bad, err) : ST_OK;
}

static enum status count_row(struct import *import, const struct import_row *row, struct err *err)
{
    struct report *report = &import->report;
    if (row->outcome == IMPORT_PENDING)
        return ST_OK; /* the import ended before it */
    report->rows++;
    report->added += row->outcome == IMPORT_ADDED || row->outcome == IMPORT_SUCCEEDED;
    report->existed += row->outcome == IMPORT_EXISTED;
    report->failed += row->outcome == IMPORT_FAILED;
    return row->outcome == IMPORT_FAILED ? tell_failure(import, row, err) : ST_OK;
}

/* Counts also what was done before the store failed. */
static enum status flush(struct import *import, struct err *err)
{
    struct err count_err = {.code = ST_OK};
    enum status status = import_batch_run(&import->batch, err), counted = ST_OK;
    for (size_t i = 0; counted == ST_OK && i < import->batch.count; i++)
        counted = count_row(import, &import->batch.rows[i], &count_err);
    import_batch_reset(&import->batch);
    int64_t seen = import->progress.total > 0 ? import->source.lines.done : import->report.rows;
    progress_add(&import->progress, seen - import->progress.done);
    if (status == ST_OK && counted != ST_OK)
        *err = count_err;
    return status == ST_OK ? counted : status;
}

/* Reads one row into the batch; false at the end of the file. */
static enum status take_row(struct import *import, bool *more_out, struct err *err)
{
    struct import_row *row = &import->batch.rows[import->batch.count];
    enum status status = import_source_next(&import->source, row, &row->err);
    *more_out = status != ST_NOT_FOUND;
    if (status == ST_OK || status == ST_INVALID)
        import->batch.count++;
    else
        import_row_clear(row);
    if (status == ST_INVALID)
        row->outcome = IMPORT_FAILED;
    if (status == ST_TEMP)
        *err = row->err;
    return status == ST_TEMP ? err_context(err, "%s", import->path) : ST_OK;
}

static enum status run(struct import *import, struct err *err)
{
    enum status status = ST_OK;
    bool more = true;
    while (status == ST_OK && more && !(import->batch.stop && import->report.failed > 0)) {
        status = take_row(import, &more, err);
        if (status == ST_OK && (!more || import->batch.count == IMPORT_BATCH_ROWS))
            status = flush(import, err);
    }
    progress_end(&import->progress);
    import_source_close(&import->source);
    answer(import);
    if (status != ST_OK || import->report.failed == 0)
        return status;
    if (import->batch.stop) /* told already */
        return err_set(err, import->worst.code, "%s", "");
    return err_set(err, ST_NOT_FOUND, "%lld of %lld rows failed", (long long)import->report.failed,
                   (long long)import->report.rows);
}

/* -- the command ---------------------------------------------------------------------------- */

static enum status open_all(struct import *import, struct err *err)
{
    struct admin *admin = import->admin;
    enum status status = admin_settings(admin, &import->batch.settings, err);
    if (status == ST_OK)
        status = import_source_open(import->batch.settings, import->path, &import->source, err);
    if (status == ST_OK)
        status = admin_vault(admin, &import->batch.vault, err);
    return status == ST_OK ? import_batch_init(&import->batch, err) : status;
}

static enum status import_domains(struct admin *admin, const struct args *args, struct err *err)
{
    struct import import = {.admin = admin,
                            .path = args->words[0],
                            .source = {.lines = {.fd = -1}},
                            .batch = {.admin = admin, .stop = args_has(args, "--stop-on-error")},
                            .bad = {.kind = &kind_bad_row}};
    enum status status = open_all(&import, err);
    if (status == ST_OK) {
        progress_begin(&import.progress, import.source.lines.size > 0 ? "octets" : "rows",
                       import.source.lines.size);
        status = run(&import, err);
    }
    import_batch_clear(&import.batch);
    import_source_close(&import.source);
    rows_clear(&import.bad);
    return status;
}

static const struct command commands[] = {
    {"domains", "FILE [--stop-on-error]",
     "adds domains and keys from JSON lines or CSV (-: standard input)", import_domains},
    {"opendkim", IMPORT_OPENDKIM_USAGE,
     "takes over the keys and rules of an OpenDKIM (T %: a tenant for each domain); tells what it "
     "would do, and does it with --yes",
     import_opendkim},
    {NULL, NULL, NULL, NULL},
};

const struct noun import_noun = {"import", "many domains at once", commands};
