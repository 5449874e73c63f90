/* SPDX-License-Identifier: Apache-2.0 */
#include "dkim/verify.h"
#include "admin/command.h"
#include "admin/mail.h"
#include "base/clock.h"
#include "dns/recordfile.h"

enum { RECORDS_MAX = 256 << 20 };

struct verdict {
    char *result, *domain, *selector, *identity, *algorithm;
    int64_t bits, testing, partial;
    char *reason;
};
static const struct field verdict_fields[] = {
    OUTPUT_FIELD(struct verdict, result, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct verdict, domain, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct verdict, selector, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct verdict, identity, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct verdict, algorithm, FIELD_TEXT, 0),
    OUTPUT_FIELD(struct verdict, bits, FIELD_INT, 0),
    OUTPUT_FIELD(struct verdict, testing, FIELD_BOOL, 0),
    OUTPUT_FIELD(struct verdict, partial, FIELD_BOOL, 0),
    OUTPUT_FIELD(struct verdict, reason, FIELD_TEXT, 0),
};
static const struct kind kind_verdict = OUTPUT_KIND("verdict", struct verdict, verdict_fields);

static void answer_json(struct output *output, const struct dkim_verdict *from)
{
    struct verdict verdict = {.result = span_dup(span_str(dkim_result_name(from->result))),
                              .domain = span_dup(span_str(from->domain)),
                              .selector = span_dup(span_str(from->selector)),
                              .identity = span_dup(span_str(from->identity)),
                              .algorithm = span_dup(span_str(dkim_algorithm_name(from->algorithm))),
                              .bits = from->bits,
                              .testing = from->testing,
                              .partial = from->partial,
                              .reason = span_dup(span_str(from->reason))};
    output_record(output, &kind_verdict, &verdict);
    kind_clear(&kind_verdict, &verdict);
}

/* `fail d=example.com s=s1 a=rsa-sha256 bits=2048: body hash does not match` */
static void answer_line(struct output *output, const struct dkim_verdict *verdict)
{
    struct buf line = BUF_INIT(0);
    buf_append_str(&line, dkim_result_name(verdict->result));
    if (verdict->domain[0] != '\0')
        buf_printf(&line, " d=%s s=%s a=%s", verdict->domain, verdict->selector,
                   dkim_algorithm_name(verdict->algorithm));
    if (verdict->bits > 0)
        buf_printf(&line, " bits=%d", verdict->bits);
    buf_append_str(&line, verdict->testing ? " testing" : "");
    buf_append_str(&line, verdict->partial ? " partial" : "");
    if (verdict->reason[0] != '\0')
        buf_printf(&line, ": %s", verdict->reason);
    output_line(output, "%s", buf_cstr(&line));
    buf_clear(&line);
}

static enum status answer(struct output *output, const struct dkim_verify *verify, struct err *err)
{
    size_t count = dkim_verify_count(verify);
    bool passed = false;
    if (output->json)
        output_list_begin(output, NULL);
    for (size_t i = 0; i < count; i++) {
        const struct dkim_verdict *verdict = dkim_verify_verdict(verify, i);
        (output->json ? answer_json : answer_line)(output, verdict);
        passed |= verdict->result == DKIM_PASS;
    }
    if (output->json)
        output_list_end(output, &kind_verdict);
    if (passed)
        return ST_OK;
    return err_set(err, ST_NOT_FOUND, "%s",
                   count == 0 ? "the message has no signature" : "no signature passes");
}

static enum status verify_mail(struct admin *admin, const struct mail *mail,
                               struct recordfile *records, struct err *err)
{
    const struct settings *settings;
    struct dkim_verify *verify = NULL;
    enum status status = admin_settings(admin, &settings, err);
    if (status != ST_OK)
        return status;
    struct dkim_verify_options options = {
        .now_s = clock_now_s(),
        .max_signatures = (size_t)settings->verify.max_signatures,
        .minimum_bits = (int)settings->verify.minimum_bits,
        .source = recordfile_source,
        .source_arg = records,
    };
    status = dkim_verify_begin(&mail->fields, &options, &verify, err);
    if (status == ST_OK) {
        dkim_verify_body(verify, mail->body.data, mail->body.len);
        status = dkim_verify_end(verify, err);
    }
    if (status == ST_OK)
        status = answer(&admin->output, verify, err);
    dkim_verify_free(verify);
    return status;
}

static enum status read_records(const char *path, struct recordfile **out, struct err *err)
{
    struct buf text = BUF_INIT(RECORDS_MAX);
    enum status status = admin_read(path, &text, err);
    if (status == ST_OK && recordfile_parse(buf_span(&text), out, err) != ST_OK)
        status = err_context(err, "%.200s", path);
    buf_clear(&text);
    return status;
}

static enum status verify(struct admin *admin, const struct args *args, struct err *err)
{
    struct mail mail = {.crlf = false};
    struct recordfile *records = NULL;
    const char *path = args_option(args, "--records");
    if (path == NULL)
        return err_set(err, ST_INVALID, "this version has no DNS resolver: give --records FILE");
    enum status status = read_records(path, &records, err);
    if (status == ST_OK)
        status = mail_read(admin, "-", &mail, err);
    if (status == ST_OK)
        status = verify_mail(admin, &mail, records, err);
    recordfile_free(records);
    mail_clear(&mail);
    return status;
}

static const struct command commands[] = {
    {"", "[--records FILE] < message",
     "checks the signatures of a message against the key records of a file", verify},
    {NULL, NULL, NULL, NULL},
};

const struct noun verify_noun = {"verify", "checks the signatures of a message", commands};
